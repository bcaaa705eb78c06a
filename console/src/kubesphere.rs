//! KubeSphere's query endpoints, as its own console asks them.
//!
//! Three paths ask the same questions: KubeSphere 3.x's with and without a cluster, and 4.x's with the cluster as a
//! parameter. Parameters, leniencies and answers are those of KubeSphere's apiserver (`params` says how they are read), so
//! that its console and its users' scripts work unchanged; where theirs would fail inside, ours says what is wrong.

pub(crate) mod params;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::json;
use vedette_archive::{Bucket, MAX_BUCKETS, Page};

use crate::failure::Failure;
use crate::pager::{Pager, Rows};

use crate::serve::{Permit, Shared};
use crate::standing::Standing;

use params::{Operation, Request};

/// The endpoints.
pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/kapis/tenant.kubesphere.io/v1alpha2/auditing/events", get(all))
        .route("/kapis/clusters/{cluster}/tenant.kubesphere.io/v1alpha2/auditing/events", get(of_cluster))
        .route("/kapis/logging.kubesphere.io/v1alpha2/auditing", get(all))
}

async fn all(
    State(shared): State<Arc<Shared>>,
    standing: Standing,
    Extension(permit): Extension<Permit>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    answer(&shared, standing, permit, Request::parse(query.as_deref().unwrap_or_default(), None)?).await
}

async fn of_cluster(
    State(shared): State<Arc<Shared>>,
    standing: Standing,
    Extension(permit): Extension<Permit>,
    Path(cluster): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    if cluster.is_empty() {
        return Err(Failure::not_found());
    }
    answer(&shared, standing, permit, Request::parse(query.as_deref().unwrap_or_default(), Some(cluster))?).await
}

async fn answer(
    shared: &Arc<Shared>,
    mut standing: Standing,
    permit: Permit,
    request: Request,
) -> Result<Response, Failure> {
    let narrowed = standing.scope().await?.narrow(&request.query);
    match request.operation {
        Operation::Query => records(shared, standing, permit, request).await,
        Operation::Statistics => {
            let found = shared.archive()?.statistics(&narrowed).await?;
            Ok(Json(json!({ "statistics": { "resources": found.resources, "events": found.events } })).into_response())
        }
        Operation::Histogram => {
            let found = shared.archive()?.histogram(&narrowed, request.interval).await?;
            Ok(Json(histogram(&request.interval.fill(found, MAX_BUCKETS))).into_response())
        }
        Operation::Export => export(shared, standing, permit, request).await,
    }
}

/// The answer to a histogram: `buckets` is null where there are none, as Go writes an empty list.
fn histogram(buckets: &[Bucket]) -> serde_json::Value {
    let total: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let buckets: Option<Vec<_>> = (!buckets.is_empty())
        .then(|| buckets.iter().map(|bucket| json!({ "time": bucket.time_ms, "count": bucket.count })).collect());
    json!({ "histogram": { "total": total, "buckets": buckets } })
}

/// `{"query":{"total":N,"records":[…]}}`; `records` is null where there are none, as Go writes an empty list.
async fn records(
    shared: &Arc<Shared>,
    standing: Standing,
    permit: Permit,
    request: Request,
) -> Result<Response, Failure> {
    let page = request.page;
    let (archive, timeout) = (shared.archive()?, shared.limits.timeout());
    let mut pager =
        Pager::new(archive, standing, timeout, request.query, page.from, page.newest_first, Some(page.size));
    let first = pager.next().await?.unwrap_or_default();
    let head = format!("{{\"query\":{{\"total\":{},\"records\":", first.total);
    let body = if first.documents.is_empty() {
        Body::from(head + "null}}")
    } else {
        let rows = Rows { head: head + "[", separator: ",", tail: "]}}", row: None };
        shared.stream(permit, pager, first, rows)
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Every record that matches, one a line.
async fn export(
    shared: &Arc<Shared>,
    standing: Standing,
    permit: Permit,
    request: Request,
) -> Result<Response, Failure> {
    let Page { newest_first, .. } = request.page;
    let (archive, timeout) = (shared.archive()?, shared.limits.timeout());
    let mut pager = Pager::new(archive, standing, timeout, request.query, 0, newest_first, None);
    let first = pager.next().await?.unwrap_or_default();
    let rows = Rows { tail: if first.documents.is_empty() { "" } else { "\n" }, ..Rows::lines() };
    let headers =
        [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CONTENT_DISPOSITION, "attachment; filename=\"auditing.txt\"")];
    Ok((headers, shared.stream(permit, pager, first, rows)).into_response())
}
