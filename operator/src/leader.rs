//! Who of several operators acts: the holder of a Lease, as client-go's leader election does it.
//!
//! Time is this process's own: a lease is taken over only after its record has been seen unchanged for as long as it lasts, so that
//! clocks of different nodes need not agree.
//!
//! **Invariant.** While [`run`] says that this one leads, it has renewed within the lease's duration; it says otherwise before
//! another can take over.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_service::chain;

/// How long a lease lasts without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How long the holder goes on trying to renew before it steps down: less than others wait.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often it is renewed, or looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Which lease, and for whom.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The lease's name.
    pub lease: String,
    /// Who this one is, unlike any other that runs: the pod's name.
    pub identity: String,
}

/// The lease as it was seen, and since when.
struct Seen {
    lease: Lease,
    since: Instant,
}

/// Tries to lead until `shutdown`, and then gives the lease back. `leads` says whether this one does.
pub async fn run(leases: Api<Lease>, candidate: Candidate, leads: watch::Sender<bool>, shutdown: CancellationToken) {
    let mut seen: Option<Seen> = None;
    let mut renewed = Instant::now();
    let mut look = tokio::time::interval(PERIOD);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = look.tick() => {}
        }
        let began = Instant::now();
        let turn = tokio::time::timeout(DEADLINE / 2, turn(&leases, &candidate, &mut seen)).await;
        match turn {
            Ok(Ok(true)) => {
                renewed = began;
                if !leads.send_replace(true) {
                    tracing::info!(leader.identity = candidate.identity, "leading");
                }
            }
            Ok(Ok(false)) => step_down(&leads, "another leads"),
            Ok(Err(error)) => {
                tracing::debug!(error = %chain(&error), "could not renew the lease");
                if renewed.elapsed() > DEADLINE {
                    step_down(&leads, "the lease could not be renewed");
                }
            }
            Err(_) => {
                if renewed.elapsed() > DEADLINE {
                    step_down(&leads, "the lease could not be renewed in time");
                }
            }
        }
    }
    if leads.send_replace(false)
        && let Some(seen) = seen
    {
        release(&leases, &candidate, seen.lease).await;
    }
}

fn step_down(leads: &watch::Sender<bool>, why: &str) {
    if leads.send_replace(false) {
        tracing::warn!(reason = why, "leading no more");
    }
}

/// Looks at the lease, and takes or renews it where that may be. Whether this one holds it now.
async fn turn(leases: &Api<Lease>, candidate: &Candidate, seen: &mut Option<Seen>) -> Result<bool, kube::Error> {
    let Some(lease) = leases.get_opt(&candidate.lease).await? else {
        let metadata = ObjectMeta { name: Some(candidate.lease.clone()), ..ObjectMeta::default() };
        let lease = Lease { metadata, spec: Some(held(candidate, None)) };
        return settle(leases.create(&PostParams::default(), &lease).await, seen);
    };
    let unchanged = seen.as_ref().filter(|seen| seen.lease.spec == lease.spec);
    let since = unchanged.map_or_else(Instant::now, |seen| seen.since);
    let spec = lease.spec.clone().unwrap_or_default();
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let lasts = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok()).map_or(DURATION, Duration::from_secs);
    let mine = holder == candidate.identity;
    if !mine && !holder.is_empty() && since.elapsed() < lasts {
        *seen = Some(Seen { lease, since });
        return Ok(false);
    }
    // The resource's version is in the metadata: if another was quicker, this is refused.
    let taken = Lease { metadata: lease.metadata.clone(), spec: Some(held(candidate, Some(&spec))) };
    *seen = Some(Seen { lease, since });
    settle(leases.replace(&candidate.lease, &PostParams::default(), &taken).await, seen)
}

fn settle(result: Result<Lease, kube::Error>, seen: &mut Option<Seen>) -> Result<bool, kube::Error> {
    match result {
        Ok(lease) => {
            *seen = Some(Seen { lease, since: Instant::now() });
            Ok(true)
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn held(candidate: &Candidate, before: Option<&LeaseSpec>) -> LeaseSpec {
    let now = MicroTime(k8s_openapi::jiff::Timestamp::now());
    let before = before.cloned().unwrap_or_default();
    let mine = before.holder_identity.as_deref() == Some(&candidate.identity);
    LeaseSpec {
        holder_identity: Some(candidate.identity.clone()),
        lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
        acquire_time: if mine { before.acquire_time } else { Some(now.clone()) },
        lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!mine)),
        renew_time: Some(now),
        ..before
    }
}

/// Lets another take over at once.
async fn release(leases: &Api<Lease>, candidate: &Candidate, mut lease: Lease) {
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
    }
    let params = PostParams::default();
    let released = leases.replace(&candidate.lease, &params, &lease);
    if !matches!(tokio::time::timeout(PERIOD, released).await, Ok(Ok(_))) {
        tracing::debug!("could not give the lease back; it ends by itself");
    }
}
