mod leaks;
mod pages;
mod provider;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use vedette_archive::{
    Archive, ArchiveError, BatchReport, Bucket, By, Cursor, DaySize, Facet, Groups, Health, Hits, Interval, Page,
    Purged, Query, Statistics, WriteBatch,
};
use vedette_service::Context;

use super::{Found, Read, Shared, router};
use crate::access::Access;
use crate::config::{Config, Limits};
use crate::metrics::Metrics;
use crate::pages::Pages;

/// An archive with records without end, which fails after so many pages: no real engine can be made to fail just there.
struct Endless {
    pages: AtomicU64,
}

#[async_trait]
impl Archive for Endless {
    async fn search(&self, _: &Query, page: &Page) -> Result<Hits, ArchiveError> {
        let left = self.pages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |pages| pages.checked_sub(1));
        if left.is_err() {
            return Err(ArchiveError::Unavailable { message: "gone".to_owned(), source: None });
        }
        let message = "m".repeat(1_000);
        let documents =
            (0..page.size).map(|number| format!("{{\"Number\":{number},\"Message\":\"{message}\"}}").into_bytes());
        let next = Cursor::at(0, vedette_audit::EventId::from_bytes([0; 16]));
        Ok(Hits { total: 1_000_000, documents: documents.collect(), next: Some(next) })
    }

    async fn write(&self, _: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        Ok(Vec::new())
    }

    async fn statistics(&self, _: &Query) -> Result<Statistics, ArchiveError> {
        Ok(Statistics::default())
    }

    async fn histogram(&self, _: &Query, _: Interval) -> Result<Vec<Bucket>, ArchiveError> {
        Ok(Vec::new())
    }

    async fn count(&self, _: &Query) -> Result<u64, ArchiveError> {
        Ok(0)
    }

    async fn purge(&self, _: i64) -> Result<Purged, ArchiveError> {
        Ok(Purged::default())
    }

    async fn health(&self) -> Health {
        Health { ready: true, detail: "endless".to_owned() }
    }

    async fn facets(&self, _: &Query, _: &[By], _: usize) -> Result<Vec<Facet>, ArchiveError> {
        Ok(Vec::new())
    }

    async fn group(&self, _: &Query, _: &[By], _: usize) -> Result<Groups, ArchiveError> {
        Ok(Groups::default())
    }

    async fn days(&self) -> Result<Vec<DaySize>, ArchiveError> {
        Ok(Vec::new())
    }
}

/// The API on an archive that gives so many pages.
async fn api(pages: u64, limits: Limits) -> axum::Router {
    let archive: Arc<dyn Archive> = Arc::new(Endless { pages: AtomicU64::new(pages) });
    let config = Config { token: Some("correct-horse-battery".into()), limits, ..Config::default() };
    console(archive, config, Pages::of([])).await
}

/// The console on this archive, with these settings and pages.
async fn console(archive: Arc<dyn Archive>, config: Config, pages: Pages) -> axum::Router {
    let (_, archive) = watch::channel(Some(archive));
    let (_, bus) = watch::channel(None);
    let (_, policy) = watch::channel(None);
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let found = Found { archive, bus, policy };
    let ctx = Context::new("console", prometheus::Registry::new(), CancellationToken::new());
    let access = Access::start(&config, &metrics, &ctx, &ctx.shutdown).await.unwrap();
    router(Arc::new(Shared::new(&config, access, found, Read::default(), metrics, &ctx.shutdown)), pages)
}

async fn get(api: &axum::Router, query: &str) -> Response {
    let request = Request::get(format!("/kapis/logging.kubesphere.io/v1alpha2/auditing?{query}"));
    let request = request.header(AUTHORIZATION, "Bearer correct-horse-battery").body(Body::empty()).unwrap();
    api.clone().oneshot(request).await.unwrap()
}

#[tokio::test]
async fn a_long_answer_is_whole_or_ends_badly() {
    let whole = get(&api(3, Limits::default()).await, "size=250").await;
    let body = to_bytes(whole.into_body(), usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["query"]["records"].as_array().unwrap().len(), 250);

    for query in ["size=250", "operation=export"] {
        let cut = get(&api(2, Limits::default()).await, query).await;
        assert_eq!(cut.status(), StatusCode::OK, "it began well");
        let error = to_bytes(cut.into_body(), usize::MAX).await.unwrap_err();
        assert!(error.to_string().contains("cut short"), "{query}: {error}");
    }
    assert_eq!(get(&api(0, Limits::default()).await, "").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_place() {
    let api = api(u64::MAX, Limits { timeout_seconds: 1, concurrent: 1 }).await;
    let stalled = get(&api, "operation=export").await;
    let other = async { while get(&api, "operation=statistics").await.status() != StatusCode::OK {} };
    tokio::time::timeout(Duration::from_secs(20), other).await.expect("its place is free after a while");
    let error = to_bytes(stalled.into_body(), usize::MAX).await.unwrap_err();
    assert!(error.to_string().contains("cut short"), "{error}");
}

#[tokio::test]
async fn status_is_given_without_a_broker() {
    let api = api(0, Limits::default()).await;
    let request = Request::get("/api/v1/status").header(AUTHORIZATION, "Bearer correct-horse-battery");
    let answer = api.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["broker"]["connected"], false);
    assert_eq!(body["books"]["complete"], false);
    assert_eq!(body["books"]["settled"], false);
    assert_eq!(body["archive"]["detail"], "endless");
}
