//! The stream of namespaces, and when they are written down.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
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
/// The most that a message may take, in bytes: a million namespaces in one list are about 150 MB.
const MESSAGE_LIMIT: usize = 256 * 1024 * 1024;

/// The task that keeps the stream.
pub(super) struct Keeper {
    pub(super) operator: OperatorConfig,
    pub(super) link: Link,
    pub(super) table: Table,
    pub(super) store: Option<Store>,
    pub(super) all: Namespaces,
    pub(super) known: IntGauge,
    /// Whether a complete list has come.
    pub(super) told: watch::Sender<bool>,
    pub(super) quiet: Duration,
}

impl Keeper {
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        // When what changed is to be written down.
        let mut due = None;
        let stopped = shutdown.run_until_cancelled(async {
            loop {
                let Err(error) = self.session(&mut due).await;
                let again = Instant::now() + self.link.down(&error);
                while let Some(at) = due.filter(|at| *at <= again) {
                    tokio::time::sleep_until(at).await;
                    self.write(&mut due).await;
                }
                tokio::time::sleep_until(again).await;
            }
        });
        let _: Option<Infallible> = stopped.await;
        self.write(&mut due).await;
    }

    /// One stream, until it ends.
    async fn session(&mut self, due: &mut Option<Instant>) -> Result<Infallible, OperatorError> {
        let pace = *self.link.pace();
        let connection = self.operator.connect(&pace).await?;
        let mut client = RuleDistributionClient::new(connection.channel.clone());
        client = client.max_decoding_message_size(MESSAGE_LIMIT);
        let everything = proto::WatchNamespacesRequest { clusters: Vec::new() };
        let call = client.watch_namespaces(connection.request(everything));
        let mut changes = in_time(&pace, call).await??.into_inner();
        self.link.up();
        loop {
            let change = tokio::select! {
                change = changes.message() => change?.ok_or(OperatorError::Ended)?,
                () = at(*due) => {
                    self.write(due).await;
                    continue;
                }
            };
            self.link.fruitful();
            self.apply(change).await;
            due.get_or_insert(Instant::now() + self.quiet);
        }
    }

    async fn apply(&mut self, change: proto::NamespaceChanges) {
        let complete = change.complete;
        let mut table = std::mem::take(&mut self.table);
        // A million namespaces take their time. Whoever reads sees all of a change or nothing of it.
        self.table = blocking(move || {
            table.apply(change);
            table
        })
        .await;
        self.known.set(i64::try_from(self.table.len()).unwrap_or(i64::MAX));
        self.all.clusters.store(Arc::new(self.table.clusters().clone()));
        if complete {
            self.told.send_replace(true);
        }
    }

    async fn write(&mut self, due: &mut Option<Instant>) {
        *due = None;
        let changed = self.table.take_changed();
        let Some(store) = self.store.take() else { return };
        let clusters: Vec<(Arc<str>, Option<Cluster>)> =
            changed.into_iter().map(|name| (Arc::clone(&name), self.table.clusters().get(&name).cloned())).collect();
        let (store, written) = blocking(move || {
            let written = clusters.iter().map(|(name, cluster)| store.write(name, cluster.as_ref()));
            // One that fails is no reason not to write the others.
            let written = written.fold(Ok(()), |all, one| all.and(one));
            (store, written)
        })
        .await;
        self.store = Some(store);
        if let Err(error) = written {
            tracing::error!(error = %chain(&error), "could not keep the namespaces for the next start");
        }
    }
}

/// Returns at this moment; never, if there is none.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
