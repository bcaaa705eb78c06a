//! Rules from the operator: one stream of snapshots, each taken as a whole or refused as a whole, and answered.
//!
//! A service that has a last good snapshot on disk starts with it at once and connects meanwhile: whether the operator runs is
//! no matter of whether events are taken, decided and told of. Only a service that has never had rules waits for them.
//!
//! **Invariants.** What is in force is only ever replaced by a larger generation that compiles. Each snapshot is answered, by
//! `applied` after it is in force or by `refused`.

mod taker;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_distribution_client::RuleDistributionClient;
use vedette_proto::rules::v1::subscribe_request::Message;

use super::compiler::{Compile, Compiler};
use super::in_force::Metrics;
use super::{PolicyConfig, PolicyError, PolicyWatch, kept};
use crate::Context;
use crate::blocking::blocking;
use crate::operator::{Link, OperatorConfig, OperatorError, Pace, in_time};
use taker::Taker;

/// The most that a snapshot may take as it travels, in bytes. Text packs tenfold: this is more than may be unpacked.
const MESSAGE_LIMIT: usize = 32 * 1024 * 1024;

pub(super) async fn watch_with(
    config: &PolicyConfig,
    operator: &OperatorConfig,
    ctx: &Context,
    pace: Pace,
    compile: Compile,
) -> Result<PolicyWatch, PolicyError> {
    let metrics = Metrics::new(ctx)?;
    let link = Link::new("policy", pace, ctx)?;
    // Not the directory's: its generations are others.
    let store = kept(config, ctx, "snapshot");
    let origin = PathBuf::from(&operator.url);
    let compiler = Compiler { origin, receivers: config.receivers.clone(), compile };
    let (taker, started) = blocking(move || Taker::start(compiler, store, metrics)).await?;
    let component = ctx.health.component("policy");
    let taker = Arc::new(Mutex::new(taker));
    let stop = ctx.shutdown.child_token();
    let subscriber = Subscriber { operator: operator.clone(), service: ctx.name, link, taker: Arc::clone(&taker) };
    let (first, coming) = oneshot::channel();
    if started.is_none() {
        lock(&taker).first = Some(first);
    }
    let stopped = stop.clone();
    ctx.spawn(async move {
        stopped.run_until_cancelled_owned(subscriber.run()).await;
    });
    let watch = match started {
        Some(watch) => watch,
        None => {
            tracing::info!(operator = operator.url, "waiting for the first rules");
            tokio::select! {
                Ok(watch) = coming => watch,
                () = stop.cancelled() => return Err(PolicyError::Stopped),
                () = tokio::time::sleep(pace.first) => {
                    stop.cancel();
                    let silent = || PolicyError::Operator { url: operator.url.clone(), source: OperatorError::Silent };
                    return Err(lock(&taker).why.take().unwrap_or_else(silent));
                }
            }
        }
    };
    component.ready();
    Ok(watch)
}

fn lock(taker: &Mutex<Taker>) -> MutexGuard<'_, Taker> {
    taker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task that keeps the stream.
struct Subscriber {
    operator: OperatorConfig,
    service: &'static str,
    link: Link,
    taker: Arc<Mutex<Taker>>,
}

impl Subscriber {
    async fn run(mut self) {
        loop {
            let Err(error) = self.session().await;
            let wait = self.link.down(&error);
            let why = PolicyError::Operator { url: self.operator.url.clone(), source: error };
            lock(&self.taker).failed(why);
            tokio::time::sleep(wait).await;
        }
    }

    /// One stream, until it ends.
    async fn session(&mut self) -> Result<Infallible, OperatorError> {
        let pace = *self.link.pace();
        let connection = self.operator.connect(&pace).await?;
        let mut client = RuleDistributionClient::new(connection.channel.clone());
        client = client.max_decoding_message_size(MESSAGE_LIMIT);
        // One answer to each snapshot, and the greeting.
        let (answers, requests) = mpsc::channel(2);
        let hello = Message::Hello(self.hello());
        let say = |message| proto::SubscribeRequest { message: Some(message) };
        answers.send(say(hello)).await.map_err(|_| OperatorError::Ended)?;
        let call = client.subscribe(connection.request(ReceiverStream::new(requests)));
        let mut snapshots = in_time(&pace, call).await??.into_inner();
        self.link.up();
        while let Some(snapshot) = snapshots.message().await? {
            self.link.fruitful();
            let taker = Arc::clone(&self.taker);
            let answer = blocking(move || lock(&taker).take(snapshot)).await;
            answers.send(say(answer)).await.map_err(|_| OperatorError::Ended)?;
        }
        Err(OperatorError::Ended)
    }

    fn hello(&self) -> proto::Hello {
        let (generation, hash) = lock(&self.taker).has();
        proto::Hello {
            subscriber: self.operator.subscriber(),
            service: self.service.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation,
            hash,
        }
    }
}

#[cfg(test)]
mod tests;
