//! The state of the broker at a glance, for `vedette status` and the console.

use async_nats::jetstream::consumer::pull;

use crate::topology::{ALERTS, BOOKS, events_stream, is_missing};
use crate::{Bus, DeadLetters, Kind};

/// What is in the streams, and how far their consumers have come.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The streams, in the order of an event's way.
    pub streams: Vec<StreamView>,
    /// Their durables.
    pub consumers: Vec<ConsumerView>,
    /// The dead letters.
    pub dead: DeadLetters,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamView {
    /// Its name.
    pub name: String,
    /// Messages in it.
    pub messages: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// The most bytes it takes.
    pub max_bytes: i64,
}

/// One durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerView {
    /// Its stream.
    pub stream: String,
    /// Its name.
    pub name: String,
    /// Messages not delivered yet: how far it lags.
    pub pending: u64,
    /// Messages delivered and not acknowledged.
    pub ack_pending: usize,
    /// Messages among those that were delivered more than once.
    pub redelivered: usize,
    /// Pull requests that wait for messages: zero means that nobody is there.
    pub waiting: usize,
}

/// Why there is no overview.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverviewError {
    /// There is no connection.
    #[error("the broker is away")]
    Away,
    /// JetStream could not be asked.
    #[error("ask the broker about {what}")]
    Ask {
        /// A stream or consumer.
        what: String,
        /// Why.
        source: async_nats::Error,
    },
}

impl Bus {
    /// What is in the streams, and how far their consumers have come.
    ///
    /// # Errors
    /// If the broker is away or does not answer.
    pub async fn overview(&self) -> Result<Overview, OverviewError> {
        if !self.connected() {
            return Err(OverviewError::Away);
        }
        let mut overview = Overview::default();
        for partition in 0..self.config().partitions {
            let stream = events_stream(partition);
            overview.streams.push(self.stream_view(&stream).await?);
            for kind in [Kind::Alert, Kind::Archive] {
                overview.consumers.push(self.consumer_view(&stream, kind.as_str()).await?);
            }
        }
        for kind in [Kind::Alert, Kind::Archive] {
            overview.streams.push(self.stream_view(kind.results_stream()).await?);
            overview.consumers.push(self.consumer_view(kind.results_stream(), kind.results_durable()).await?);
        }
        overview.streams.push(self.stream_view(BOOKS).await?);
        // Nothing depends on it, so that nothing else is left untold where it is not there, as before the first start of services
        // that have it.
        match self.jetstream().get_stream(ALERTS).await {
            Err(error) if is_missing(&error) => {}
            _ => overview.streams.push(self.stream_view(ALERTS).await?),
        }
        overview.dead = self
            .dead_letters()
            .await
            .map_err(|source| OverviewError::Ask { what: "the dead letters".to_owned(), source })?;
        Ok(overview)
    }

    async fn stream_view(&self, name: &str) -> Result<StreamView, OverviewError> {
        let stream = self.jetstream().get_stream(name).await;
        let stream =
            stream.map_err(|error| OverviewError::Ask { what: format!("stream {name}"), source: error.into() })?;
        let info = stream.cached_info();
        Ok(StreamView {
            name: name.to_owned(),
            messages: info.state.messages,
            bytes: info.state.bytes,
            max_bytes: info.config.max_bytes,
        })
    }

    async fn consumer_view(&self, stream: &str, name: &str) -> Result<ConsumerView, OverviewError> {
        let consumer = self.jetstream().get_consumer_from_stream::<pull::Config, _, _>(name, stream).await;
        let consumer = consumer.map_err(|error| OverviewError::Ask {
            what: format!("consumer {name} of {stream}"),
            source: error.into(),
        })?;
        let info = consumer.cached_info();
        Ok(ConsumerView {
            stream: stream.to_owned(),
            name: name.to_owned(),
            pending: info.num_pending,
            ack_pending: info.num_ack_pending,
            redelivered: info.num_redelivered,
            waiting: info.num_waiting,
        })
    }
}
