//! Asking Kubernetes itself: now and then, whether what is decided here is what it decides; and, where it is not, instead of deciding here.
//!
//! A disagreement is looked at several times, since what is known here may be some moments behind. One that stays means that something other
//! than RBAC decides in that cluster, or that we are wrong; it is said loudly, and from then on the cluster is asked, for as many
//! namespaces as can be.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{Api, PostParams};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vedette_service::chain;

use super::Denied;
use super::cluster::{Cluster, Trust, Who};
use super::objects::Seen;
use crate::auth::Caller;
use crate::metrics::Metrics;

/// Until Kubernetes must have answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how many namespaces it is asked instead of deciding here, and how many questions are asked at once.
const CANDIDATES: usize = 200;
const AT_ONCE: usize = 8;
/// How often a disagreement is looked at before it is one, and the pause between.
const LOOKS: usize = 3;
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// A decision to compare: may the caller list events in this namespace, or with none, in all.
pub(super) struct Sample {
    pub(super) caller: Caller,
    pub(super) namespace: Option<Arc<str>>,
}

/// Whether Kubernetes lets the caller list events in a namespace, or in all.
pub(super) async fn ask(
    cluster: &Cluster,
    caller: &Caller,
    who: &Who,
    namespace: Option<&str>,
) -> Result<bool, Denied> {
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.user.clone()),
            groups: Some(who.groups.clone()),
            uid: caller.uid.clone(),
            extra: Some(caller.extra.clone()).filter(|extra| !extra.is_empty()),
            resource_attributes: Some(ResourceAttributes {
                group: Some(String::new()),
                version: Some("v1".to_owned()),
                resource: Some("events".to_owned()),
                verb: Some("list".to_owned()),
                namespace: namespace.map(str::to_owned),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api = Api::<SubjectAccessReview>::all(cluster.client.clone());
    let unavailable = || Denied::Unavailable { cluster: Arc::clone(&cluster.name) };
    match tokio::time::timeout(PATIENCE, api.create(&PostParams::default(), &review)).await {
        Ok(Ok(answer)) => {
            let status = answer.status.unwrap_or_default();
            Ok(status.allowed && status.denied != Some(true))
        }
        Ok(Err(error)) => {
            tracing::warn!(cluster = &*cluster.name, error = %chain(&error), "can't ask what a caller may see");
            Err(unavailable())
        }
        Err(_) => Err(unavailable()),
    }
}

/// What Kubernetes itself lets the caller see.
pub(super) async fn seen(cluster: &Cluster, caller: &Caller, trust: Trust) -> Result<Seen, Denied> {
    let kept = cluster.asked.lock().unwrap_or_else(PoisonError::into_inner).get(caller);
    if let Some(seen) = kept {
        return Ok(seen);
    }
    let Some(who) = cluster.who(caller) else { return Ok(Seen::default()) };
    let seen = ask_all(cluster, caller, &who, trust).await?;
    cluster.asked.lock().unwrap_or_else(PoisonError::into_inner).put(caller.clone(), seen.clone());
    Ok(seen)
}

async fn ask_all(cluster: &Cluster, caller: &Caller, who: &Who, trust: Trust) -> Result<Seen, Denied> {
    if ask(cluster, caller, who, None).await? {
        return Ok(Seen { whole: true, ..Seen::default() });
    }
    let local = cluster.seen(caller);
    let candidates: Vec<Arc<str>> = if local.whole || trust == Trust::TooLittle {
        cluster.objects().namespaces().keys().cloned().collect()
    } else {
        local.namespaces.into_iter().collect()
    };
    if candidates.len() > CANDIDATES {
        return Err(Denied::TooMany { cluster: Arc::clone(&cluster.name), most: CANDIDATES });
    }
    let asking = futures::stream::iter(candidates).map(async |namespace| {
        let allowed = ask(cluster, caller, who, Some(&namespace)).await?;
        Ok::<_, Denied>(allowed.then_some(namespace))
    });
    let mut answers = std::pin::pin!(asking.buffer_unordered(AT_ONCE));
    let mut seen = Seen::default();
    while let Some(answer) = answers.next().await {
        seen.namespaces.extend(answer?);
    }
    // Kubernetes knows nothing of workspaces: where it denied what is allowed here, those are not believed either.
    if trust == Trust::TooLittle {
        seen.workspaces = local.workspaces;
    }
    Ok(seen)
}

/// Compares decisions with Kubernetes' own until `stop`.
pub(super) async fn compare(
    cluster: Arc<Cluster>,
    mut samples: mpsc::Receiver<Sample>,
    metrics: Metrics,
    fallback: bool,
    stop: CancellationToken,
) {
    loop {
        let sample = tokio::select! {
            () = stop.cancelled() => return,
            sample = samples.recv() => sample,
        };
        let Some(sample) = sample else { return };
        let compared = tokio::select! {
            () = stop.cancelled() => return,
            compared = disagreement(&cluster, &sample) => compared,
        };
        let word = match compared {
            Ok(Trust::Whole) => "agreed",
            Ok(Trust::TooMuch) => "allowed_too_much",
            Ok(Trust::TooLittle) => "allowed_too_little",
            Err(_) => "failed",
        };
        metrics.spot_checks.with_label_values(&[word]).inc();
        let namespace = sample.namespace.as_deref().unwrap_or("(all)");
        match compared {
            Ok(Trust::TooMuch) => {
                tracing::error!(
                    cluster = &*cluster.name,
                    namespace,
                    "Kubernetes denies what its RBAC seems to allow: from now on it is asked itself"
                );
                cluster.distrust(Trust::TooMuch);
            }
            Ok(Trust::TooLittle) => {
                tracing::warn!(
                    cluster = &*cluster.name,
                    namespace,
                    fallback,
                    "Kubernetes allows what its RBAC does not: another authorizer decides too"
                );
                if fallback {
                    cluster.distrust(Trust::TooLittle);
                }
            }
            Ok(Trust::Whole) | Err(_) => {}
        }
    }
}

/// Whether we and Kubernetes decide otherwise, each time that it is looked at.
async fn disagreement(cluster: &Cluster, sample: &Sample) -> Result<Trust, Denied> {
    let Sample { caller, namespace } = sample;
    let Some(who) = cluster.who(caller) else { return Ok(Trust::Whole) };
    let mut last = Trust::Whole;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let theirs = ask(cluster, caller, &who, namespace.as_deref()).await?;
        let seen = cluster.seen(caller);
        let ours = match namespace {
            // A namespace that is gone has no records to see.
            Some(namespace) if !cluster.objects().namespaces().contains_key(namespace) => theirs,
            Some(namespace) => seen.whole || seen.namespaces.contains(namespace),
            None => seen.whole,
        };
        last = match (ours, theirs) {
            (true, false) => Trust::TooMuch,
            (false, true) => Trust::TooLittle,
            _ => return Ok(Trust::Whole),
        };
    }
    Ok(last)
}
