//! What goes on beside the commits: retention, making room, and telling whether the archive works.

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
/// Between looks whether the archive has become too large.
const TRIM: Duration = Duration::from_secs(10);
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

/// Drops the oldest days while there is no room for them.
pub(crate) async fn trim(archive: Arc<dyn Archive>, metrics: Metrics, stop: CancellationToken) {
    loop {
        let trimmed = tokio::select! {
            () = stop.cancelled() => return,
            trimmed = archive.trim() => trimmed,
        };
        match trimmed {
            Ok(trimmed) if trimmed.days > 0 => {
                tracing::warn!(trimmed.days, trimmed.events, "dropped days before their time, for want of room");
                metrics.trimmed_days.inc_by(trimmed.days);
                metrics.trimmed_events.inc_by(trimmed.events);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "no room could be made in the archive");
                metrics.purge_failures.inc();
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TRIM) => {}
        }
    }
}

/// Keeps the archive's readiness true while nothing is written, and tells its warnings, each when it is new.
pub(crate) async fn watch(archive: Arc<dyn Archive>, component: Component, metrics: Metrics, stop: CancellationToken) {
    let mut told: Vec<String> = Vec::new();
    loop {
        let (health, warnings) = tokio::select! {
            () = stop.cancelled() => return,
            both = async { (archive.health().await, archive.warnings().await) } => both,
        };
        for warning in warnings.iter().filter(|warning| !told.contains(warning)) {
            tracing::warn!(warning, "the archive has something to tell");
        }
        metrics.archive_warnings.set(i64::try_from(warnings.len()).unwrap_or(i64::MAX));
        told = warnings;
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
