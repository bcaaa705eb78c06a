//! Dropping days that are older than the retention.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use vedette_archive::Archive;
use vedette_service::{Context, chain};

use crate::metrics::Metrics;

/// How often days are looked at. A day ends once a day; looking more often mends a purge that failed.
const EVERY: Duration = Duration::from_secs(3600);

/// Purges now and then until the service stops; never where `days` is 0.
pub(crate) async fn run(archive: Arc<dyn Archive>, days: u32, metrics: Metrics, ctx: Context) {
    if days == 0 {
        return;
    }
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = ctx.shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match archive.purge(cutoff(SystemTime::now(), days)).await {
            Ok(purged) if purged.days > 0 => {
                metrics.purged.inc_by(purged.events);
                tracing::info!(days = purged.days, events = purged.events, "dropped what is older than the retention");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %chain(&error), "old days could not be dropped; trying again later"),
        }
    }
}

/// Microseconds since the Unix epoch, `days` days before `now`.
fn cutoff(now: SystemTime, days: u32) -> i64 {
    let kept = Duration::from_secs(u64::from(days) * 24 * 3600);
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.saturating_sub(kept).as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cutoff_lies_whole_days_back() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10 * 86_400 + 5);
        assert_eq!(cutoff(now, 7), (3 * 86_400 + 5) * 1_000_000);
        assert_eq!(cutoff(now, 4000), 0);
    }
}
