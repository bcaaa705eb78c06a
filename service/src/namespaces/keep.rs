//! The stream of namespaces, and when they are written down.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_distribution_client::RuleDistributionClient;

use super::store::Store;
use super::table::Table;
use super::{Cluster, Namespaces};
use crate::blocking::blocking;
use crate::chain;
use crate::operator::{Link, OperatorConfig, OperatorError, in_time};

/// How long a service that knows no namespaces waits for the first.
pub(super) const FIRST: Duration = Duration::from_secs(5);
/// How long after a change it is written down, with those that came meanwhile.
pub(super) const QUIET: Duration = Duration::from_secs(5);
/// The most that a message may take, in bytes.
const MESSAGE_LIMIT: usize = 32 * 1024 * 1024;

/// The task that keeps the stream.
pub(super) struct Keeper {
    pub(super) operator: OperatorConfig,
    pub(super) link: Link,
    pub(super) table: Table,
    pub(super) store: Option<Store>,
    pub(super) all: Namespaces,
    pub(super) known: IntGauge,
    /// Whether a complete list has come whole.
    pub(super) told: watch::Sender<bool>,
    pub(super) quiet: Duration,
}

impl Keeper {
    /// Runs until `shutdown`, which cuts nothing short that is being written.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        // When what changed is to be written down.
        let mut due = None;
        while let Err(error) = self.session(&mut due, &shutdown).await {
            let again = Instant::now() + self.link.down(&error);
            self.table.abandon();
            while let Some(at) = due.filter(|at| *at <= again) {
                shutdown.run_until_cancelled(tokio::time::sleep_until(at)).await;
                self.write(&mut due).await;
            }
            shutdown.run_until_cancelled(tokio::time::sleep_until(again)).await;
        }
        self.table.abandon();
        self.write(&mut due).await;
    }

    async fn open(&self) -> Result<Streaming<proto::NamespaceChanges>, OperatorError> {
        let pace = *self.link.pace();
        let connection = self.operator.connect(&pace).await?;
        let mut client = RuleDistributionClient::new(connection.channel.clone());
        client = client.max_decoding_message_size(MESSAGE_LIMIT);
        let everything = proto::WatchNamespacesRequest { clusters: Vec::new() };
        let call = client.watch_namespaces(connection.request(everything));
        Ok(in_time(&pace, call).await??.into_inner())
    }

    /// One stream, until it ends, which is an error, or `shutdown`.
    async fn session(&mut self, due: &mut Option<Instant>, shutdown: &CancellationToken) -> Result<(), OperatorError> {
        let Some(changes) = shutdown.run_until_cancelled(self.open()).await else { return Ok(()) };
        let mut changes = changes?;
        self.link.up();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                change = changes.message() => {
                    let change = change?.ok_or(OperatorError::Ended)?;
                    self.link.fruitful();
                    let whole = !change.more;
                    self.change(move |table| table.apply(change)).await;
                    if whole {
                        self.told.send_replace(true);
                    }
                }
                // Half a list is not for the next start.
                () = at(*due), if !self.table.is_unsettled() => {
                    self.write(due).await;
                    continue;
                }
            }
            due.get_or_insert(Instant::now() + self.quiet);
        }
    }

    /// Changes the table, and shows it unless it is half a list: whoever reads sees all of a change or nothing of it.
    async fn change(&mut self, how: impl FnOnce(&mut Table) + Send + 'static) {
        let mut table = std::mem::take(&mut self.table);
        // A million namespaces take their time.
        self.table = blocking(move || {
            how(&mut table);
            table
        })
        .await;
        if !self.table.is_unsettled() {
            self.known.set(i64::try_from(self.table.len()).unwrap_or(i64::MAX));
            self.all.clusters.store(Arc::new(self.table.clusters().clone()));
        }
    }

    async fn write(&mut self, due: &mut Option<Instant>) {
        *due = None;
        let changed = self.table.take_changed();
        let Some(store) = self.store.take() else { return };
        let clusters: Vec<(Arc<str>, Option<Cluster>)> =
            changed.into_iter().map(|name| (Arc::clone(&name), self.table.clusters().get(&name).cloned())).collect();
        let (store, failed) = blocking(move || {
            // One that fails is no reason not to write the others.
            let write = |(name, cluster): (Arc<str>, Option<Cluster>)| match store.write(&name, cluster.as_ref()) {
                Ok(()) => None,
                Err(error) => Some((name, error)),
            };
            let failed: Vec<_> = clusters.into_iter().filter_map(write).collect();
            (store, failed)
        })
        .await;
        self.store = Some(store);
        if let Some((_, error)) = failed.first() {
            tracing::error!(error = %chain(error), "could not keep the namespaces for the next start");
        }
        // They are tried again with the next change.
        self.table.note_all(failed.into_iter().map(|(name, _)| name));
    }
}

/// Returns at this moment; never, if there is none.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
