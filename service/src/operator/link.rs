//! What becomes of a stream that broke: when to try again, what is logged, what is measured.

use std::time::Duration;

use prometheus::{IntCounter, IntGauge};
use tokio::time::Instant;

use super::{OperatorError, Pace};
use crate::metrics::MetricError;
use crate::{Context, chain};

/// The state of one stream to the operator.
pub(crate) struct Link {
    what: &'static str,
    pace: Pace,
    connected: IntGauge,
    reconnects: IntCounter,
    attempts: u32,
    /// Since when the stream is up.
    since: Option<Instant>,
    was_up: bool,
    /// The outage was told of.
    told: bool,
}

impl Link {
    /// Of the stream of `what`, which begins the metrics' names.
    pub(crate) fn new(what: &'static str, pace: Pace, ctx: &Context) -> Result<Self, MetricError> {
        let connected = ctx.gauge(&format!("{what}_connected"), "1 while the operator is connected")?;
        let reconnects =
            ctx.counter(&format!("{what}_reconnects_total"), "Connections to the operator after the first")?;
        Ok(Self { what, pace, connected, reconnects, attempts: 0, since: None, was_up: false, told: false })
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// The operator has answered.
    pub(crate) fn up(&mut self) {
        self.since = Some(Instant::now());
        self.connected.set(1);
        if self.was_up {
            self.reconnects.inc();
        }
        tracing::info!(stream = self.what, again = self.was_up, "connected to the operator");
        self.was_up = true;
        self.told = false;
    }

    /// What was sent is of use: the next outage is a new one.
    pub(crate) fn fruitful(&mut self) {
        self.attempts = 0;
    }

    /// The stream broke, or could not be had. Returns how long to wait before the next attempt.
    pub(crate) fn down(&mut self, error: &OperatorError) -> Duration {
        self.connected.set(0);
        if self.since.take().is_some_and(|since| since.elapsed() >= self.pace.late) {
            self.attempts = 0;
        }
        let error = chain(error);
        if self.told {
            tracing::debug!(stream = self.what, %error, "the operator is still away");
        } else {
            tracing::warn!(stream = self.what, %error, "the operator is away, going on with what it said last");
            self.told = true;
        }
        let most = self.pace.soon.saturating_mul(1 << self.attempts.min(16)).min(self.pace.late);
        self.attempts = self.attempts.saturating_add(1);
        most.mul_f64(fastrand::f64())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.connected.set(0);
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn attempts_come_further_and_further_apart_until_one_was_of_use() {
        let ctx = Context::new("test", prometheus::Registry::new(), CancellationToken::new());
        let mut link = Link::new("policy", Pace::default(), &ctx).unwrap();
        let waits = |link: &mut Link, attempts: u32| {
            let all: Vec<_> = (0..200)
                .map(|_| {
                    link.attempts = attempts;
                    link.down(&OperatorError::Silent)
                })
                .collect();
            (*all.iter().min().unwrap(), *all.iter().max().unwrap())
        };
        for (attempts, most) in [(0, 100), (1, 200), (4, 1_600), (7, 10_000), (1_000_000, 10_000)] {
            let most = Duration::from_millis(most);
            let (shortest, longest) = waits(&mut link, attempts);
            assert!(longest <= most && longest > most / 2, "{longest:?} of {most:?}");
            assert!(shortest < most / 4, "{shortest:?} of {most:?}");
        }
        link.up();
        link.fruitful();
        link.down(&OperatorError::Ended);
        assert_eq!((link.attempts, link.reconnects.get(), link.connected.get()), (1, 0, 0));
        link.up();
        assert_eq!((link.reconnects.get(), link.connected.get()), (1, 1));
    }
}
