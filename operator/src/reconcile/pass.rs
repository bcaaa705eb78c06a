//! One pass: from whatever there is to what should be.
//!
//! It goes on where something fails, so that one object that the API server refuses does not keep a certificate from being renewed, and
//! says in the end what failed. It asks no clock.

use std::time::Duration;

use jiff::Timestamp;
use kube::core::DynamicObject;

use super::cluster::Cluster;
use super::condition::{self, Finding};
use super::objects::{self, Kind, Observed};
use super::permissions::Permission;
use super::secrets::{self, AUTHORITY};
use super::{Error, Settings, kubesphere, webhook};
use crate::api::Webhook;
use crate::authority::Authority;

/// What failed in a pass, the rest being done.
#[derive(Debug, Default)]
struct Problems(Vec<Error>);

impl Problems {
    fn keep<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.0.push(error)).ok()
    }
}

/// Brings everything about. `missing` are the permissions that were found missing before, for the status to name. Returns when to
/// look again if nothing happens.
///
/// # Errors
/// If anything failed. What could be done was done, and the `Webhook`'s status says what was not.
pub async fn pass(
    client: &kube::Client,
    settings: &Settings,
    missing: &[Permission],
    now: Timestamp,
) -> Result<Duration, Error> {
    let cluster = Cluster::new(client.clone(), &settings.namespace);
    let mut problems = Problems::default();
    let authority = problems.keep(authority(&cluster, settings, now).await);
    let next = authority.as_ref().and_then(|it| it.next(now)).and_then(|it| Duration::try_from(it).ok());
    let found = problems.keep(cluster.webhook().await).flatten();
    match &found {
        Some(found) if found.metadata.deletion_timestamp.is_some() => {
            if let Some(authority) = &authority {
                certificates(&cluster, settings, authority, None, None, now, &mut problems).await;
            }
            problems.keep(clean_up(&cluster, found).await);
        }
        Some(found) => {
            of_webhook(&cluster, settings, authority.as_ref(), found, missing, now, &mut problems).await;
        }
        None => {
            if let Some(authority) = &authority {
                certificates(&cluster, settings, authority, None, None, now, &mut problems).await;
            }
        }
    }
    match problems.0.is_empty() {
        true => Ok(next.unwrap_or(settings.resync()).min(settings.resync())),
        false => Err(Error::Incomplete { problems: problems.0 }),
    }
}

/// The authority, renewed if that is due.
pub(super) async fn authority(cluster: &Cluster, settings: &Settings, now: Timestamp) -> Result<Authority, Error> {
    let found = cluster.secret(AUTHORITY).await?;
    let mut authority = Authority::read(found.as_ref().map(|it| &it.data).unwrap_or(&Default::default()))?;
    if authority.renew(now)? {
        let body = serde_json::json!({"type": "Opaque", "stringData": authority.data()});
        let object = objects::own(Kind::Secret, AUTHORITY, settings, body);
        cluster.replace(&object, found.as_ref()).await?;
        tracing::info!(secret = AUTHORITY, "the authority was renewed");
    }
    Ok(authority)
}

async fn of_webhook(
    cluster: &Cluster,
    settings: &Settings,
    authority: Option<&Authority>,
    found: &DynamicObject,
    missing: &[Permission],
    now: Timestamp,
    problems: &mut Problems,
) {
    let claimed = problems.keep(cluster.claim(&webhook::ours(found)).await);
    let found = claimed.as_ref().unwrap_or(found);
    let mut findings = Vec::new();
    let mut malformed = None;
    match found.clone().try_parse::<Webhook>() {
        Ok(webhook) => findings = objects(cluster, settings, authority, &webhook, now, problems).await,
        // What runs goes on as it is.
        Err(error) => malformed = Some(error.to_string()),
    }
    if let Some(text) = problems.keep(cluster.kubesphere().await) {
        findings.push(kubesphere::finding(text.as_deref()));
    }
    findings.push(reconciled(malformed, missing, &problems.0));
    if let Some(status) = webhook::status(found, findings, now) {
        problems.keep(cluster.write_status(&status).await);
    }
}

/// Applies all objects, the audit webhook's Service first, since its certificate names its address, and takes away what is not
/// wanted any more.
async fn objects(
    cluster: &Cluster,
    settings: &Settings,
    authority: Option<&Authority>,
    webhook: &Webhook,
    now: Timestamp,
    problems: &mut Problems,
) -> Vec<Finding> {
    let service = problems.keep(cluster.apply(&objects::service(webhook, settings)).await);
    let address = service.as_ref().and_then(|it| it.data.pointer("/spec/clusterIP")?.as_str());
    if let Some(authority) = authority {
        certificates(cluster, settings, authority, Some(webhook), address, now, problems).await;
    }
    for random in &secrets::RANDOM {
        let Some(found) = problems.keep(cluster.secret(random.secret).await) else { continue };
        let data = found.as_ref().map(|it| &it.data);
        if let Some(object) = secrets::random(random, data, webhook, settings) {
            problems.keep(cluster.apply(&object).await);
        }
    }
    let observed = Observed {
        cluster_ip: address.map(str::to_owned),
        bundle: authority.map(Authority::bundle).unwrap_or_default(),
    };
    let wanted = objects::wanted(webhook, settings, &observed);
    for object in wanted.objects.iter().skip(1) {
        problems.keep(cluster.apply(object).await);
    }
    for kind in Kind::LABELLED {
        for name in problems.keep(cluster.made(kind).await).unwrap_or_default() {
            if !wanted.objects.iter().any(|it| it.kind == kind && it.name == name) {
                tracing::info!(%name, ?kind, "deleting what is not wanted any more");
                problems.keep(cluster.delete(kind, &name).await);
            }
        }
    }
    wanted.findings
}

/// The Secrets with certificates: all of them with a `Webhook`, else the operator's own.
async fn certificates(
    cluster: &Cluster,
    settings: &Settings,
    authority: &Authority,
    webhook: Option<&Webhook>,
    address: Option<&str>,
    now: Timestamp,
    problems: &mut Problems,
) {
    for held in secrets::held(settings, address, webhook.is_some()) {
        let Some(found) = problems.keep(cluster.secret(held.secret).await) else { continue };
        let issued = secrets::certificate(authority, &held, found.as_ref().map(|it| &it.data), now);
        if let Some(issued) = problems.keep(issued.map_err(Error::from)) {
            let object = secrets::object(&held, &issued, authority, webhook, settings);
            problems.keep(cluster.apply(&object).await);
        }
    }
}

/// Everything that was made for the `Webhook`, and then its finalizer. The authority stays: control planes trust it.
async fn clean_up(cluster: &Cluster, found: &DynamicObject) -> Result<(), Error> {
    if !found.metadata.finalizers.iter().flatten().any(|it| it == webhook::FINALIZER) {
        return Ok(());
    }
    for kind in Kind::LABELLED {
        for name in cluster.made(kind).await? {
            cluster.delete(kind, &name).await?;
        }
    }
    for name in super::permissions::SECRETS {
        if ![AUTHORITY, secrets::OPERATOR_TLS].contains(name) {
            cluster.delete(Kind::Secret, name).await?;
        }
    }
    cluster.release(found).await?;
    tracing::info!("the Webhook was deleted, and what was made for it");
    Ok(())
}

fn reconciled(malformed: Option<String>, missing: &[Permission], problems: &[Error]) -> Finding {
    let finding = |holds, reason, message: String| Finding::new(condition::RECONCILED, holds, reason, message);
    if let Some(error) = malformed {
        return finding(
            false,
            "Malformed",
            format!("the Webhook can't be read, and what runs stays as it is: {error}"),
        );
    }
    if !missing.is_empty() {
        let list: Vec<_> = missing.iter().map(ToString::to_string).collect();
        return finding(false, "Forbidden", format!("the operator's account is missing: {}", list.join(", ")));
    }
    if !problems.is_empty() {
        return finding(false, "Incomplete", super::all(problems));
    }
    finding(true, "Applied", "the services are as described".to_owned())
}
