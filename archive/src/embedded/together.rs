//! All of several clauses, each of which is looked at.
//!
//! Tantivy's own conjunction leaves off at the first clause without documents. Where a later one is a walk through a
//! dictionary, how long the answer takes would tell whether anybody's documents have what an earlier one asks for, also to
//! those who may not see them. Here every clause does its work whatever the others find.

use std::fmt;

use tantivy::query::{EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight, intersect_scorers};
use tantivy::{DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError};

/// Documents that all of these match; at least one.
pub(super) struct Together(pub(super) Vec<Box<dyn Query>>);

struct TogetherWeight(Vec<Box<dyn Weight>>);

impl Clone for Together {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|query| query.box_clone()).collect())
    }
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Together").field(&self.0).finish()
    }
}

impl Query for Together {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let weights = self.0.iter().map(|query| query.weight(scoring)).collect::<tantivy::Result<_>>()?;
        Ok(Box::new(TogetherWeight(weights)))
    }
}

impl Weight for TogetherWeight {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let scorers: Vec<Box<dyn Scorer>> =
            self.0.iter().map(|weight| weight.scorer(reader, boost)).collect::<tantivy::Result<_>>()?;
        if scorers.iter().any(|scorer| scorer.doc() == TERMINATED) {
            return Ok(Box::new(EmptyScorer));
        }
        Ok(intersect_scorers(scorers, reader.max_doc()))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        if self.scorer(reader, 1.0)?.seek(doc) == doc {
            Ok(Explanation::new("Together", 1.0))
        } else {
            Err(TantivyError::InvalidArgument("the document does not match".to_owned()))
        }
    }
}
