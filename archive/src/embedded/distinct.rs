//! How many distinct requests the documents that match are of.
//!
//! A request's events have one audit id, whose hash is a column. Of the hashes only the least are kept ("k minimum values",
//! Bar-Yossef et al., 2002). If there are no more than that, their number is exact. If there are, how far the least ones
//! reach tells how many there are in all, since hashes are spread evenly: with [`KEPT`] of them the standard error is
//! 0.28 %, and seven of them 2 %. What a question costs in memory and in sorting has an end so, whatever it counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::schema::AUDIT;
use super::source::Block;

/// Up to so many distinct requests are counted one by one.
const KEPT: usize = 1 << 17;
/// Hashes that a segment gathers before it adds them to those of the others.
const GATHERED: usize = 1 << 13;

/// Counts documents, and gathers the least hashes of their audit ids.
pub(super) struct AuditIds(Arc<Least>);

/// The least hashes of all segments.
struct Least {
    kept: usize,
    hashes: Mutex<Vec<u64>>,
    /// No greater hash is among the least: there are as many as are kept, and one more, up to it.
    reach: AtomicU64,
}

pub(super) struct AuditIdsOfSegment {
    least: Arc<Least>,
    column: Column<u64>,
    block: Block,
    found: Vec<u64>,
    documents: u64,
}

impl AuditIds {
    pub(super) fn new() -> Self {
        Self::keeping(KEPT)
    }

    fn keeping(kept: usize) -> Self {
        Self(Arc::new(Least { kept, hashes: Mutex::default(), reach: AtomicU64::new(u64::MAX) }))
    }

    /// How many distinct hashes were gathered.
    pub(super) fn number(&self) -> u64 {
        let mut hashes = self.0.hashes();
        self.0.trim(&mut hashes);
        match hashes.get(self.0.kept - 1) {
            Some(reach) if hashes.len() > self.0.kept => {
                let all = ((self.0.kept as u128 - 1) << 64) / (u128::from(*reach) + 1);
                u64::try_from(all).unwrap_or(u64::MAX)
            }
            _ => hashes.len() as u64,
        }
    }
}

impl Least {
    /// Takes what a segment has gathered.
    fn add(&self, found: &mut Vec<u64>) {
        let mut hashes = self.hashes();
        hashes.append(found);
        if hashes.len() > self.kept * 2 {
            self.trim(&mut hashes);
        }
    }

    /// Leaves the least, in order, each once: one more than are kept, if there are so many.
    fn trim(&self, hashes: &mut Vec<u64>) {
        // What was left the last time is a run already.
        hashes.sort();
        hashes.dedup();
        hashes.truncate(self.kept + 1);
        if hashes.len() > self.kept
            && let Some(last) = hashes.last()
        {
            self.reach.store(*last, Ordering::Relaxed);
        }
    }

    fn hashes(&self) -> MutexGuard<'_, Vec<u64>> {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for AuditIds {
    /// How many documents there are.
    type Fruit = u64;
    type Child = AuditIdsOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<AuditIdsOfSegment> {
        Ok(AuditIdsOfSegment {
            least: Arc::clone(&self.0),
            column: reader.fast_fields().u64(AUDIT)?,
            block: Block::default(),
            found: Vec::with_capacity(GATHERED),
            documents: 0,
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<u64>) -> tantivy::Result<u64> {
        Ok(segments.into_iter().sum())
    }
}

impl SegmentCollector for AuditIdsOfSegment {
    type Fruit = u64;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.collect_block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        self.documents += docs.len() as u64;
        self.block.fill(&self.column, docs);
        let reach = self.least.reach.load(Ordering::Relaxed);
        self.found.extend(self.block.numbers().iter().filter(|hash| **hash <= reach));
        if self.found.len() >= GATHERED {
            self.least.add(&mut self.found);
        }
    }

    fn harvest(mut self) -> u64 {
        self.least.add(&mut self.found);
        self.documents
    }
}

#[cfg(test)]
mod tests {
    use tantivy::schema::{FAST, Schema};
    use tantivy::{Index, IndexWriter, TantivyDocument};
    use xxhash_rust::xxh3::xxh3_64;

    use super::{AUDIT, AuditIds};

    /// Documents of so many requests, three of each and all in another segment, and what is counted when so many are kept.
    fn counted(requests: u64, kept: usize) -> (u64, u64) {
        let mut schema = Schema::builder();
        let audit = schema.add_u64_field(AUDIT, FAST);
        let index = Index::create_in_ram(schema.build());
        let mut writer: IndexWriter = index.writer_with_num_threads(1, 20 << 20).unwrap();
        for stage in 0..3 {
            for request in 0..requests {
                let mut document = TantivyDocument::new();
                document.add_u64(audit, xxh3_64(&(request * 7 + 1).to_le_bytes()));
                writer.add_document(document).unwrap();
            }
            // A document without a request is one, too.
            if stage == 0 {
                writer.add_document(TantivyDocument::new()).unwrap();
            }
            writer.commit().unwrap();
        }
        let searcher = index.reader().unwrap().searcher();
        let ids = AuditIds::keeping(kept);
        let documents = searcher.search(&tantivy::query::AllQuery, &ids).unwrap();
        let number = ids.number();
        assert!(ids.0.hashes().len() <= kept + 1);
        (documents, number)
    }

    #[test]
    fn few_requests_are_counted_one_by_one_and_many_by_how_far_the_least_reach() {
        for requests in [0, 1, 99, 100] {
            assert_eq!(counted(requests, 100), (requests * 3 + 1, requests));
        }
        for requests in [101, 1_000, 20_000] {
            let (documents, number) = counted(requests, 100);
            assert_eq!(documents, requests * 3 + 1);
            // Five standard errors.
            assert!(number.abs_diff(requests) <= requests / 2, "{number} instead of {requests}");
        }
        let (_, number) = counted(20_000, 4_096);
        assert!(number.abs_diff(20_000) <= 20_000 * 8 / 100, "{number}");
    }
}
