//! The embedded archive behind faults.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use vedette_archive::{
    Archive, ArchiveError, BatchReport, Bucket, By, DaySize, Facet, Groups, Health, Hits, Interval, Page, Purged,
    Query, Rejected, Statistics, WriteBatch,
};

#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing is written.
    Away,
    /// What is written is stored, and the writer never hears of it.
    HangAfterWrite,
    /// The document of this name is rejected.
    Reject(&'static str),
    /// A write with a document of this name in it is refused as a whole.
    Refuse(&'static str),
    /// It has a warning, until it is mended.
    Warns,
}

/// An archive with a fault.
pub(crate) struct Failing {
    inner: Arc<dyn Archive>,
    fault: Fault,
    mended: AtomicBool,
    trouble: Mutex<Option<String>>,
    pub(crate) writes: AtomicU64,
    written: Notify,
}

impl Failing {
    pub(crate) fn new(inner: Arc<dyn Archive>, fault: Fault) -> Arc<Self> {
        let (mended, trouble) = (AtomicBool::new(false), Mutex::new(None));
        Arc::new(Self { inner, fault, mended, trouble, writes: AtomicU64::new(0), written: Notify::new() })
    }

    pub(crate) fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
        *self.trouble.lock().unwrap() = None;
    }

    /// Waits until it was written to so often.
    pub(crate) async fn writes_reach(&self, count: u64) {
        let waiting = async {
            loop {
                let written = self.written.notified();
                if self.writes.load(Ordering::SeqCst) >= count {
                    return;
                }
                written.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it is written to");
    }
}

fn named(name: &str) -> impl Fn(&vedette_audit::document::Document) -> bool {
    move |document| document.fields.name == name
}

#[async_trait]
impl Archive for Failing {
    async fn write(&self, batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        let done = match self.fault {
            _ if self.mended.load(Ordering::SeqCst) => self.inner.write(batches).await,
            Fault::Away => {
                *self.trouble.lock().unwrap() = Some("the archive is unavailable: gone fishing".to_owned());
                Err(ArchiveError::Unavailable { message: "gone fishing".to_owned(), source: None })
            }
            Fault::HangAfterWrite | Fault::Warns => self.inner.write(batches).await,
            Fault::Reject(name) => reject(&self.inner, batches, name).await,
            Fault::Refuse(name) if batches.iter().any(|batch| batch.documents.iter().any(named(name))) => {
                Err(ArchiveError::Refused { message: "no such hat".to_owned(), source: None })
            }
            Fault::Refuse(_) => self.inner.write(batches).await,
        };
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.written.notify_waiters();
        if matches!(self.fault, Fault::HangAfterWrite) {
            std::future::pending::<()>().await;
        }
        done
    }

    async fn search(&self, query: &Query, page: &Page) -> Result<Hits, ArchiveError> {
        self.inner.search(query, page).await
    }

    async fn statistics(&self, query: &Query) -> Result<Statistics, ArchiveError> {
        self.inner.statistics(query).await
    }

    async fn histogram(&self, query: &Query, interval: Interval) -> Result<Vec<Bucket>, ArchiveError> {
        self.inner.histogram(query, interval).await
    }

    async fn count(&self, query: &Query) -> Result<u64, ArchiveError> {
        self.inner.count(query).await
    }

    async fn purge(&self, older_than_micros: i64) -> Result<Purged, ArchiveError> {
        self.inner.purge(older_than_micros).await
    }

    async fn health(&self) -> Health {
        match self.trouble.lock().unwrap().clone() {
            Some(detail) => Health { ready: false, detail },
            None => Health { ready: true, detail: String::new() },
        }
    }

    async fn trim(&self) -> Result<Purged, ArchiveError> {
        self.inner.trim().await
    }

    async fn warnings(&self) -> Vec<String> {
        let warns = matches!(self.fault, Fault::Warns) && !self.mended.load(Ordering::SeqCst);
        if warns { vec!["someone else deletes".to_owned()] } else { Vec::new() }
    }

    async fn facets(&self, query: &Query, by: &[By], limit: usize) -> Result<Vec<Facet>, ArchiveError> {
        self.inner.facets(query, by, limit).await
    }

    async fn group(&self, query: &Query, by: &[By], limit: usize) -> Result<Groups, ArchiveError> {
        self.inner.group(query, by, limit).await
    }

    async fn days(&self) -> Result<Vec<DaySize>, ArchiveError> {
        self.inner.days().await
    }
}

/// Writes all but the document of this name.
async fn reject(
    inner: &Arc<dyn Archive>,
    batches: &[WriteBatch],
    name: &str,
) -> Result<Vec<BatchReport>, ArchiveError> {
    let mut rest = batches.to_vec();
    rest.iter_mut().for_each(|batch| batch.documents.retain(|document| !named(name)(document)));
    let mut reports = inner.write(&rest).await?;
    for (batch, report) in batches.iter().zip(&mut reports) {
        let indexes = batch.documents.iter().enumerate().filter(|(_, document)| named(name)(document));
        report.rejected.extend(indexes.map(|(index, _)| Rejected { index, reason: "it has a hat".to_owned() }));
    }
    Ok(reports)
}
