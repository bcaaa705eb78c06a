//! Pulling messages from one consumer, with a bound on what has been fetched and not yet taken.
//!
//! The client library's own streams either fetch as much as they like or stall for seconds after a broker's restart. This
//! one asks for exactly as many messages as may wait here, asks again when the connection comes back or a request has run
//! out, and otherwise waits. Messages lost with a connection come again after `ack_wait`.
//!
//! Each connection has an inbox of its own, so that a message is known to be of this connection or of one before: a broker
//! that was killed may have forgotten that it delivered those, and does not answer their acknowledgement.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::pull::BatchConfig;
use async_nats::{Message, StatusCode, Subscriber};
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Bus;
use crate::connect::Link;

/// How long the broker keeps a request. Short, since a request that the broker forgot is noticed only after this.
const EXPIRES: Duration = Duration::from_secs(10);
/// How much later than that its end may arrive.
const GRACE: Duration = Duration::from_secs(2);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long what was under way is waited for when pulling ends.
const LEFT: Duration = Duration::from_secs(1);

/// What pulling brought.
pub(crate) enum Pulled {
    /// A message, and the epoch of the connection that it came by.
    Message(Box<Message>, u64),
    /// Requests were lost: the connection broke, or there is no such consumer. Pulling goes on with the next call; whoever
    /// reads through a consumer that does not survive this makes a new one.
    Lost,
}

/// Where messages arrive.
struct Inbox {
    subject: String,
    messages: Subscriber,
    /// Of the connection that it was made on.
    epoch: u64,
}

/// Pulls from one consumer.
pub(crate) struct Puller {
    bus: Bus,
    request_subject: String,
    limit: usize,
    max_bytes: usize,
    link: watch::Receiver<Link>,
    inbox: Option<Inbox>,
    /// Messages asked for and not arrived.
    outstanding: usize,
    /// When the newest request has certainly run out.
    deadline: Instant,
    /// After a failure: when to ask again.
    pause: Duration,
    not_before: Option<Instant>,
    /// Its messages are acknowledged one by one: those that nobody takes go back.
    acknowledged: bool,
}

impl Puller {
    /// Pulls from `consumer` of `stream`; at most `limit` messages and twice `max_bytes` wait to be taken.
    pub(crate) fn new(bus: &Bus, stream: &str, consumer: &str, limit: usize, max_bytes: usize) -> Self {
        Self {
            bus: bus.clone(),
            request_subject: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            limit: limit.max(1),
            // A message larger than this would never come.
            max_bytes: max_bytes.max(crate::MAX_PAYLOAD + 64 * 1024),
            link: bus.link(),
            inbox: None,
            outstanding: 0,
            deadline: Instant::now(),
            pause: PAUSE_MIN,
            not_before: None,
            acknowledged: false,
        }
    }

    /// What has arrived and was not taken goes back to the broker when this is dropped, for others at once instead of after
    /// `ack_wait`.
    pub(crate) fn giving_back(mut self) -> Self {
        self.acknowledged = true;
        self
    }

    /// The next message. What has arrived stays for the next call if this one is dropped.
    pub(crate) async fn next(&mut self) -> Pulled {
        loop {
            if let Some(pulled) = self.step().await {
                return pulled;
            }
        }
    }

    async fn step(&mut self) -> Option<Pulled> {
        let Link { up, epoch } = *self.link.borrow_and_update();
        if self.inbox.as_ref().is_some_and(|inbox| inbox.epoch != epoch) {
            return Some(self.finish_inbox());
        }
        if self.inbox.is_none() {
            let subject = self.bus.client().new_inbox();
            let Ok(messages) = self.bus.client().subscribe(subject.clone()).await else {
                // Only a client that is closed for good refuses.
                tokio::time::sleep(PAUSE_MAX).await;
                return None;
            };
            self.inbox = Some(Inbox { subject, messages, epoch });
        }
        if up {
            self.ask().await;
        }
        let inbox = self.inbox.as_mut()?;
        let wake = self.not_before.unwrap_or(self.deadline);
        tokio::select! {
            biased;
            message = inbox.messages.next() => match message {
                Some(message) => self.take(message, epoch),
                None => {
                    self.inbox = None;
                    self.outstanding = 0;
                    Some(Pulled::Lost)
                }
            },
            _ = self.link.changed() => {
                // What it has changed to is seen by the next step.
                None
            }
            () = tokio::time::sleep_until(wake), if self.outstanding > 0 || self.not_before.is_some() => {
                if self.not_before.take().is_none() {
                    self.outstanding = 0;
                }
                None
            }
        }
    }

    /// Takes what arrived by a connection that is no more, then gives its inbox up; requests die with their connection.
    fn finish_inbox(&mut self) -> Pulled {
        self.outstanding = 0;
        self.not_before = None;
        while let Some(inbox) = self.inbox.as_mut() {
            let epoch = inbox.epoch;
            match inbox.messages.next().now_or_never().flatten() {
                Some(message) if matches!(message.status, None | Some(StatusCode::OK)) => {
                    return Pulled::Message(Box::new(message), epoch);
                }
                Some(_) => {}
                None => self.inbox = None,
            }
        }
        Pulled::Lost
    }

    /// Asks for as many messages as may still wait here, once half of them have been taken.
    async fn ask(&mut self) {
        if self.not_before.is_some() || self.outstanding > self.limit / 2 {
            return;
        }
        let Some(inbox) = &self.inbox else { return };
        let request = BatchConfig {
            batch: self.limit - self.outstanding,
            expires: Some(EXPIRES),
            max_bytes: self.max_bytes,
            ..BatchConfig::default()
        };
        let Ok(payload) = serde_json::to_vec(&request) else { return };
        let sent = self
            .bus
            .client()
            .publish_with_reply(self.request_subject.clone(), inbox.subject.clone(), payload.into())
            .await;
        if sent.is_ok() {
            self.outstanding = self.limit;
            self.deadline = Instant::now() + EXPIRES + GRACE;
        } else {
            self.back_off();
        }
    }

    fn take(&mut self, message: Message, epoch: u64) -> Option<Pulled> {
        match message.status {
            None | Some(StatusCode::OK) => {
                self.outstanding = self.outstanding.saturating_sub(1);
                self.pause = PAUSE_MIN;
                Some(Pulled::Message(Box::new(message), epoch))
            }
            Some(StatusCode::IDLE_HEARTBEAT) => None,
            Some(StatusCode::TIMEOUT | StatusCode::NOT_FOUND) => {
                self.settle(&message);
                None
            }
            // The batch's bytes are used up: nothing is wrong, and more may follow at once.
            Some(StatusCode::REQUEST_TERMINATED) if said(&message, "MaxBytes") || said(&message, "Batch Completed") => {
                self.settle(&message);
                None
            }
            Some(status) => {
                tracing::debug!(nats.status = status.as_u16(), subject = %self.request_subject, "the broker ended a pull");
                self.outstanding = 0;
                self.back_off();
                Some(Pulled::Lost)
            }
        }
    }

    /// Takes what a request that has ended did not bring from what is outstanding.
    fn settle(&mut self, message: &Message) {
        let missing = message
            .headers
            .as_ref()
            .and_then(|headers| headers.get("Nats-Pending-Messages"))
            .and_then(|pending| pending.as_str().parse::<usize>().ok());
        self.outstanding = missing.map_or(0, |missing| self.outstanding.saturating_sub(missing));
    }

    fn back_off(&mut self) {
        self.not_before = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        let Some(mut inbox) = self.inbox.take().filter(|_| self.acknowledged) else { return };
        let bus = self.bus.clone();
        self.bus.leave(async move {
            let _ = tokio::time::timeout(LEFT, async {
                // The broker sends nothing more after this; what was under way still arrives.
                if inbox.messages.drain().await.is_err() {
                    return;
                }
                while let Some(message) = inbox.messages.next().await {
                    if let Message { status: None | Some(StatusCode::OK), reply: Some(subject), .. } = message {
                        give_back(&bus, subject).await;
                    }
                }
            })
            .await;
        });
    }
}

/// Gives a message back that nobody has looked at, to be delivered again at once.
pub(crate) async fn give_back(bus: &Bus, subject: async_nats::Subject) {
    // Not heard, it comes again after `ack_wait`.
    let _ = bus.client().publish(subject, AckKind::Nak(None).into()).await;
}

fn said(message: &Message, words: &str) -> bool {
    message.description.as_ref().is_some_and(|description| description.contains(words))
}
