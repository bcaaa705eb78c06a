//! What goes on beside the commits: retention, and telling whether the archive works.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;
use vedette_archive::Archive;
use vedette_service::{Component, chain};

use crate::metrics::Metrics;

/// Between purges.
const PURGE: Duration = Duration::from_secs(15 * 60);
/// After a purge that failed.
const PURGE_AGAIN: Duration = Duration::from_secs(60);
/// Between looks at the archive's health.
const HEALTH: Duration = Duration::from_secs(5);
const DAY_SECONDS: u64 = 86_400;

/// Drops days that are older than the retention, at the start and then four times an hour. 0 days keep everything.
pub(crate) async fn retain(archive: Arc<dyn Archive>, days: u32, metrics: Metrics, stop: CancellationToken) {
    if days == 0 {
        return;
    }
    loop {
        let purged = tokio::select! {
            () = stop.cancelled() => return,
            purged = archive.purge(cutoff_micros(days, SystemTime::now())) => purged,
        };
        let pause = match purged {
            Ok(purged) if purged.days > 0 => {
                tracing::info!(purged.days, purged.events, "dropped old days");
                metrics.purged_days.inc_by(purged.days);
                PURGE
            }
            Ok(_) => PURGE,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "old days could not be dropped");
                metrics.purge_failures.inc();
                PURGE_AGAIN
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Keeps the archive's readiness true while nothing is written.
pub(crate) async fn watch(archive: Arc<dyn Archive>, component: Component, stop: CancellationToken) {
    loop {
        let health = tokio::select! {
            () = stop.cancelled() => return,
            health = archive.health() => health,
        };
        if health.ready {
            component.ready();
        } else {
            component.unready(health.detail);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HEALTH) => {}
        }
    }
}

/// The instant before which whole days are dropped, microseconds since the Unix epoch.
fn cutoff_micros(days: u32, now: SystemTime) -> i64 {
    let kept = Duration::from_secs(DAY_SECONDS * u64::from(days));
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.saturating_sub(kept).as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::cutoff_micros;

    #[test]
    fn retention_counts_back_from_now() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(10 * 86_400);
        assert_eq!(cutoff_micros(7, now), 3 * 86_400_000_000);
        assert_eq!(cutoff_micros(70, now), 0);
    }
}
