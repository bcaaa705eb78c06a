//! The operator's own certificate, as files of each operator.
//!
//! The first operator of an installation has to make the Secret that the others, and it itself after a restart, find; a Secret that is
//! mounted would not be there yet when the first one starts, and it would never start. So each fetches it.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio_util::sync::CancellationToken;
use vedette_service::place;

use super::cluster::Cluster;
use super::pass::authority;
use super::secrets::{self, OPERATOR_TLS};
use super::{Error, Settings, said};
use crate::authority::{BUNDLE, CERTIFICATE, KEY};

/// How long a renewed certificate takes to get to every operator, at most.
const LOOK: Duration = Duration::from_secs(60);
/// Operators that start at the same moment step on each other's toes so often at most.
const ATTEMPTS: u32 = 10;

/// Fetches the certificate of the operator's Service into `folder`: `tls.crt`, `tls.key` and `ca.crt`, made if there is none yet.
///
/// # Errors
/// If it cannot be had or written.
pub async fn certificate(client: &Client, settings: &Settings, folder: &Path, now: Timestamp) -> Result<(), Error> {
    let cluster = Cluster::new(client.clone(), &settings.namespace);
    let mut attempt = 0;
    let data = loop {
        attempt += 1;
        match fetch(&cluster, settings, now).await {
            Ok(data) => break data,
            Err(error) if attempt < ATTEMPTS && error.is_conflict() => {
                tokio::time::sleep(Duration::from_millis(100) * attempt).await;
            }
            Err(error) => return Err(error),
        }
    };
    let write = |source| Error::Write { folder: folder.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(write)?;
    for (name, text) in data {
        put(&folder.join(name), &text).map_err(write)?;
    }
    Ok(())
}

/// Keeps those files as the Secret is, until `shutdown`.
pub async fn keep_certificate(client: Client, settings: Settings, folder: &Path, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Err(error) = certificate(&client, &settings, folder, Timestamp::now()).await {
            tracing::warn!(error = said(&error), "fetch the operator's certificate");
        }
    }
}

async fn fetch(cluster: &Cluster, settings: &Settings, now: Timestamp) -> Result<[(&'static str, String); 3], Error> {
    if let Some(found) = cluster.secret(OPERATOR_TLS).await? {
        let of = |key: &str| found.data.get(key).cloned();
        // Whether it is still good is for the leader to see to.
        if let (Some(certificate), Some(key), Some(bundle)) = (of(CERTIFICATE), of(KEY), of(BUNDLE)) {
            return Ok([(CERTIFICATE, certificate), (KEY, key), (BUNDLE, bundle)]);
        }
    }
    let authority = authority(cluster, settings, now).await?;
    let held = secrets::operator(settings);
    let issued = secrets::certificate(&authority, &held, None, now)?;
    cluster.replace(&secrets::object(&held, &issued, &authority, None, settings), None).await?;
    Ok([(CERTIFICATE, issued.certificate), (KEY, issued.key), (BUNDLE, authority.bundle())])
}

/// Not written at all where it is the same: whoever watches would read it for nothing.
fn put(file: &Path, text: &str) -> std::io::Result<()> {
    if fs::read(file).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    place::write_as(file, text.as_bytes(), 0o600)
}
