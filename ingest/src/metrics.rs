//! What is counted. received = published + dropped + dead-lettered + duplicate, over what was answered 200; a part of a
//! list that the broker has stored counts even where the whole is refused, and as duplicate when it comes again.

use hyper::StatusCode;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use vedette_audit::event::BadCode;
use vedette_proto::bus::v1::IngestCounts;
use vedette_service::{
    Context,
    metrics::{MetricError, SECONDS},
};

use crate::intake::DROP_REASONS;

/// The service's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    received: IntCounter,
    published: IntCounter,
    dropped: IntCounterVec,
    dead_lettered: IntCounterVec,
    duplicate: IntCounter,
    oversize: IntCounter,
    redacted: IntCounter,
    pub(crate) sender_lost: IntCounter,
    requests: IntCounterVec,
    pub(crate) bytes: IntCounter,
    pub(crate) in_flight: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) publish_seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new(context: &Context) -> Result<Self, MetricError> {
        let metrics = Self {
            received: context.counter("received_total", "Events received and accounted for.")?,
            published: context.counter("published_total", "Events published to the broker.")?,
            dropped: context.counters("dropped_total", "Events dropped because the settings say so.", &["reason"])?,
            dead_lettered: context.counters("dead_lettered_total", "Bad events, kept as dead letters.", &["reason"])?,
            duplicate: context.counter("duplicate_total", "Events that the broker had already, sent again.")?,
            oversize: context.counter("oversize_total", "Events that lost their bodies for their size.")?,
            redacted: context.counter("redacted_values_total", "Values of secrets that were replaced in bodies.")?,
            sender_lost: context.counter(
                "sender_lost_total",
                "Events that were not stored and whose sender never sends again (KubeSphere's), as far as they were read.",
            )?,
            requests: context.counters("requests_total", "Requests by the status of the answer.", &["code"])?,
            bytes: context.counter("received_bytes_total", "Bytes of bodies read, unpacked.")?,
            in_flight: context.gauge("in_flight_bytes", "Bytes held of bodies that are not answered yet.")?,
            connections: context.gauge("connections", "Open connections.")?,
            publish_seconds: context.histogram("publish_seconds", "Time to publish a whole body.", SECONDS)?,
        };
        for reason in DROP_REASONS {
            metrics.dropped.with_label_values(&[reason]);
        }
        for code in BadCode::ALL {
            metrics.dead_lettered.with_label_values(&[code.as_str()]);
        }
        for status in ["200", "400", "413", "429", "503"] {
            metrics.requests.with_label_values(&[status]);
        }
        Ok(metrics)
    }

    /// A part of a list that the broker has stored, and the values that were replaced in it.
    pub(crate) fn count(&self, counts: &IngestCounts, redacted: u64, duplicate: bool) {
        self.received.inc_by(counts.received);
        if duplicate {
            self.duplicate.inc_by(counts.received);
            return;
        }
        self.published.inc_by(counts.published);
        self.oversize.inc_by(counts.oversize);
        self.redacted.inc_by(redacted);
        for (reason, events) in &counts.dropped {
            self.dropped.with_label_values(&[reason]).inc_by(*events);
        }
        for (reason, events) in &counts.dead_lettered {
            self.dead_lettered.with_label_values(&[reason]).inc_by(*events);
        }
    }

    pub(crate) fn answered(&self, status: StatusCode) {
        self.requests.with_label_values(&[status.as_str()]).inc();
    }
}
