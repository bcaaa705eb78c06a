//! The embedded engine.

use async_trait::async_trait;

use crate::config::{EmbeddedConfig, Mode};
use crate::error::{ArchiveError, OpenError};
use crate::{Archive, BatchReport, Bucket, Health, Hits, Interval, Page, Purged, Query, Size, Statistics, WriteBatch};

pub(crate) struct Embedded;

impl Embedded {
    pub(crate) async fn open(_config: &EmbeddedConfig, _mode: Mode) -> Result<Self, OpenError> {
        Ok(Self)
    }
}

#[async_trait]
impl Archive for Embedded {
    async fn write(&self, _batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        Err(ArchiveError::unavailable("not built yet"))
    }
    async fn search(&self, query: &Query, page: &Page) -> Result<Hits, ArchiveError> {
        query.check()?;
        page.check()?;
        Err(ArchiveError::unavailable("not built yet"))
    }
    async fn statistics(&self, _query: &Query) -> Result<Statistics, ArchiveError> {
        Err(ArchiveError::unavailable("not built yet"))
    }
    async fn histogram(&self, _query: &Query, _interval: Interval) -> Result<Vec<Bucket>, ArchiveError> {
        Err(ArchiveError::unavailable("not built yet"))
    }
    async fn count(&self, _query: &Query) -> Result<u64, ArchiveError> {
        Err(ArchiveError::unavailable("not built yet"))
    }
    async fn purge(&self, _older_than_micros: i64) -> Result<Purged, ArchiveError> {
        Err(ArchiveError::unavailable("not built yet"))
    }
    async fn health(&self) -> Health {
        Health { ready: false, detail: "not built yet".to_owned() }
    }
    async fn size(&self) -> Result<Size, ArchiveError> {
        Err(ArchiveError::unavailable("not built yet"))
    }
}
