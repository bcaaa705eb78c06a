//! Following a log: all of a stream from the oldest message on, then each as it is written.

use std::marker::PhantomData;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use vedette_proto::bus::v1::{AlertLog, Books};

use crate::pull::{Pulled, Puller};
use crate::topology::{ALERTS, BOOKS};
use crate::{Bus, MAX_RAW_BYTES, decode};

/// Messages that may wait to be read.
const PREFETCH: usize = 256;
const PREFETCH_BYTES: usize = 4 * 1024 * 1024;
/// After this long without a reader the broker forgets the reader's place, which is kept here anyway.
const INACTIVE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);

/// A step through a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed<M> {
    /// What was written; nothing where reading began or broke off, or where the message could not be read.
    pub message: Option<M>,
    /// Messages that the log has beyond it. None where reading broke off: nobody knows what is written until it goes on.
    pub behind: Option<u64>,
}

/// Where reading has come to.
struct Reader<M> {
    bus: Bus,
    /// The stream.
    log: &'static str,
    puller: Option<Puller>,
    /// The last message read.
    stream_sequence: u64,
    /// The last message that the present consumer delivered; one that is skipped was lost on the way.
    consumer_sequence: u64,
    messages: PhantomData<fn() -> M>,
}

impl Bus {
    /// The books from the oldest on, then each as it is written. Never ends; after a break it goes on where it was. A reader
    /// may see an entry twice (its batch is the key), and sees none again after the stream was deleted.
    pub fn books(&self) -> BoxStream<'static, Books> {
        self.follow(BOOKS).filter_map(async |step| step.message).boxed()
    }

    /// The alert log, likewise; an alert's key is its event and its rule. Tells also where the log's end was reached, and
    /// where reading broke off.
    pub fn alert_log(&self) -> BoxStream<'static, Followed<AlertLog>> {
        self.follow(ALERTS).boxed()
    }

    fn follow<M: Message + Default + 'static>(&self, log: &'static str) -> BoxStream<'static, Followed<M>> {
        let reader = Reader {
            bus: self.clone(),
            log,
            puller: None,
            stream_sequence: 0,
            consumer_sequence: 0,
            messages: PhantomData,
        };
        stream::unfold(reader, |mut reader| async move {
            let step = reader.next().await;
            Some((step, reader))
        })
        .boxed()
    }
}

impl<M: Message + Default> Reader<M> {
    async fn next(&mut self) -> Followed<M> {
        loop {
            let Some(mut puller) = self.puller.take() else {
                match self.start().await {
                    Some(behind) => return Followed { message: None, behind: Some(behind) },
                    None => continue,
                }
            };
            let Pulled::Message(message, _) = puller.next().await else {
                return Followed { message: None, behind: None };
            };
            let message = async_nats::jetstream::Message { message: *message, context: self.bus.jetstream().clone() };
            let Some((stream_sequence, consumer_sequence, behind)) =
                message.info().ok().map(|info| (info.stream_sequence, info.consumer_sequence, info.pending))
            else {
                return Followed { message: None, behind: None };
            };
            if consumer_sequence != self.consumer_sequence + 1 {
                return Followed { message: None, behind: None };
            }
            self.consumer_sequence = consumer_sequence;
            self.stream_sequence = stream_sequence;
            self.puller = Some(puller);
            let message = decode::<M>(&message.payload, MAX_RAW_BYTES).inspect_err(|error| {
                tracing::warn!(
                    nats.stream = self.log,
                    nats.sequence = stream_sequence,
                    code = error.code(),
                    "skipped a message of a log that cannot be read"
                );
            });
            return Followed { message: message.ok(), behind: Some(behind) };
        }
    }

    /// Makes a consumer that starts after the last message read; gives how many there are beyond that.
    async fn start(&mut self) -> Option<u64> {
        match self.create().await {
            Ok((name, behind)) => {
                self.consumer_sequence = 0;
                self.puller = Some(Puller::new(&self.bus, self.log, &name, PREFETCH, PREFETCH_BYTES));
                Some(behind)
            }
            Err(error) => {
                tracing::debug!(%error, nats.stream = self.log, "cannot read a log yet");
                tokio::time::sleep(RETRY).await;
                None
            }
        }
    }

    async fn create(&mut self) -> Result<(String, u64), async_nats::Error> {
        let stream = self.bus.jetstream().get_stream(self.log).await?;
        if stream.cached_info().state.last_sequence < self.stream_sequence {
            // Another stream of the same name: its numbers start again.
            self.stream_sequence = 0;
        }
        let consumer = stream
            .create_consumer(pull::Config {
                deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.stream_sequence + 1 },
                ack_policy: AckPolicy::None,
                inactive_threshold: INACTIVE,
                memory_storage: true,
                num_replicas: 1,
                ..pull::Config::default()
            })
            .await?;
        let info = consumer.cached_info();
        Ok((info.name.clone(), info.num_pending))
    }
}
