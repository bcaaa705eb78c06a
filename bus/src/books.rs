//! Reading the books: all of them from the oldest, then each as it is written.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures::stream::{self, BoxStream, StreamExt};
use std::time::Duration;
use vedette_proto::bus::v1::Books;

use crate::pull::{Pulled, Puller};
use crate::topology::BOOKS;
use crate::{Bus, MAX_RAW_BYTES, decode};

/// Messages that may wait to be read.
const PREFETCH: usize = 256;
const PREFETCH_BYTES: usize = 4 * 1024 * 1024;
/// After this long without a reader the broker forgets the reader's place, which is kept here anyway.
const INACTIVE: Duration = Duration::from_secs(60);
const RETRY: Duration = Duration::from_secs(1);

/// Where reading has come to.
struct Reader {
    bus: Bus,
    puller: Option<Puller>,
    /// The last message read.
    stream_sequence: u64,
    /// The last message that the present consumer delivered; one that is skipped was lost on the way.
    consumer_sequence: u64,
}

impl Bus {
    /// The books from the oldest on, then each as it is written. Never ends; after a break it goes on where it was. A reader
    /// may see an entry twice (its batch is the key), and sees none again after the stream was deleted.
    pub fn books(&self) -> BoxStream<'static, Books> {
        let reader = Reader { bus: self.clone(), puller: None, stream_sequence: 0, consumer_sequence: 0 };
        stream::unfold(reader, |mut reader| async move {
            let books = reader.next().await;
            Some((books, reader))
        })
        .boxed()
    }
}

impl Reader {
    async fn next(&mut self) -> Books {
        loop {
            let Some(mut puller) = self.puller.take() else {
                self.start().await;
                continue;
            };
            let Pulled::Message(message, _) = puller.next().await else {
                continue;
            };
            let message = async_nats::jetstream::Message { message: *message, context: self.bus.jetstream().clone() };
            let Some((stream_sequence, consumer_sequence)) =
                message.info().ok().map(|info| (info.stream_sequence, info.consumer_sequence))
            else {
                continue;
            };
            if consumer_sequence != self.consumer_sequence + 1 {
                continue;
            }
            self.consumer_sequence = consumer_sequence;
            self.stream_sequence = stream_sequence;
            self.puller = Some(puller);
            match decode::<Books>(&message.payload, MAX_RAW_BYTES) {
                Ok(books) => return books,
                Err(error) => {
                    tracing::warn!(
                        nats.sequence = stream_sequence,
                        code = error.code(),
                        "skipped books that cannot be read"
                    );
                }
            }
        }
    }

    /// Makes a consumer that starts after the last message read.
    async fn start(&mut self) {
        match self.create().await {
            Ok(name) => {
                self.consumer_sequence = 0;
                self.puller = Some(Puller::new(&self.bus, BOOKS, &name, PREFETCH, PREFETCH_BYTES));
            }
            Err(error) => {
                tracing::debug!(%error, "cannot read the books yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    async fn create(&mut self) -> Result<String, async_nats::Error> {
        let stream = self.bus.jetstream().get_stream(BOOKS).await?;
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
        Ok(consumer.cached_info().name.clone())
    }
}
