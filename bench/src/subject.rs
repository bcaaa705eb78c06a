//! What is measured.

mod alerter;
mod archive;
pub(crate) mod archiver;
mod evaluator;
mod ingest;
mod operator;
mod parse;
mod pipeline;
pub(crate) mod queries;
mod rules;
mod search;

use crate::Effort;
use crate::sample::Sample;
use crate::table::Table;

/// One benchmark.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Sample, &Effort) -> Table,
}

/// All of them, from the smallest to the whole.
pub(crate) static ALL: [Subject; 11] = [
    Subject { name: "parse", about: "reading events, against sonic-rs into a tree", run: parse::run },
    Subject { name: "rules", about: "deciding events by 100 and 1,000 rules", run: rules::run },
    Subject { name: "ingest", about: "HTTPS in to stored in JetStream, against bare publishing", run: ingest::run },
    Subject {
        name: "evaluator",
        about: "event messages in to results out, against deciding alone",
        run: evaluator::run,
    },
    Subject { name: "archive", about: "the embedded archive's writing, against Tantivy alone", run: archive::run },
    Subject { name: "queries", about: "a week of events in the embedded archive, asked", run: queries::run },
    Subject { name: "search", about: "questions to Elasticsearch, over its own time", run: search::run },
    Subject {
        name: "archiver",
        about: "archive results to a search engine, against a bare bulk loader",
        run: archiver::run,
    },
    Subject { name: "alerter", about: "alert results to a receiver, against bare POSTs", run: alerter::run },
    Subject { name: "operator", about: "a changed resource to rules in force at 100 subscribers", run: operator::run },
    Subject { name: "pipeline", about: "POSTs to stored in the embedded archive, all services", run: pipeline::run },
];
