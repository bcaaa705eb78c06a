//! Every event that matches, streamed in constant memory.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use utoipa::IntoParams;

use super::columns;
use super::event::Event;
use super::params::{Params, Select, newest_first};
use crate::failure::{Failure, Problem};
use crate::pager::{Pager, Rows};
use crate::serve::{Permit, Shared};
use crate::standing::Standing;

#[derive(Clone, Copy)]
enum Format {
    Ndjson,
    Csv,
}

/// How events are written.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Written {
    /// `ndjson`: the documents as they are stored, one a line; or `csv`.
    #[param(default = "ndjson")]
    format: Option<String>,
    /// For CSV: the columns, with commas between them.
    columns: Option<String>,
    /// `desc`, the newest first, or `asc`.
    #[param(default = "desc")]
    sort: Option<String>,
    /// Events at most; without it all of them.
    #[param(minimum = 1)]
    limit: Option<u64>,
}

/// Every event that matches
///
/// An answer that is cut short ends without its last chunk, which clients report as an error.
#[utoipa::path(
    get, path = "/api/v1/export", operation_id = "exportEvents", tag = "events",
    params(Select, Written),
    responses(
        (status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 400, body = Problem),
    ),
)]
pub(crate) async fn export(
    State(shared): State<Arc<Shared>>,
    mut standing: Standing,
    Extension(permit): Extension<Permit>,
    mut params: Params,
) -> Result<Response, Failure> {
    let select = Select::read(&mut params);
    let format = params.word("format", Format::Ndjson, &[("ndjson", Format::Ndjson), ("csv", Format::Csv)])?;
    let columns = columns::named(params.text("columns").as_deref())?;
    let newest_first = newest_first(&mut params)?;
    let limit = params.number("limit", u64::MAX, 1..=u64::MAX)?;
    params.end()?;
    let question = select.question(standing.scope().await?, Timestamp::now())?;
    let limit = (limit != u64::MAX).then_some(limit);
    let mut pager =
        Pager::new(shared.archive()?, standing, shared.limits.timeout(), question.own, 0, newest_first, limit);
    let first = pager.next().await?.unwrap_or_default();
    let (content_type, file, rows) = match format {
        Format::Ndjson => {
            let rows = Rows { tail: if first.documents.is_empty() { "" } else { "\n" }, ..Rows::lines() };
            ("application/x-ndjson", "attachment; filename=\"events.ndjson\"", rows)
        }
        Format::Csv => {
            let head = columns::head(&columns);
            let row = move |json: &[u8]| columns::line(&columns, &Event::of(json)).into_bytes();
            let rows = Rows {
                head,
                separator: "\r\n",
                tail: if first.documents.is_empty() { "" } else { "\r\n" },
                row: Some(Box::new(row)),
            };
            ("text/csv; charset=utf-8; header=present", "attachment; filename=\"events.csv\"", rows)
        }
    };
    let headers = [(CONTENT_TYPE, content_type), (CONTENT_DISPOSITION, file)];
    Ok((headers, shared.stream(permit, pager, first, rows)).into_response())
}
