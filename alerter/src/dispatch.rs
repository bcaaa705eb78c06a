//! From the broker to the lanes, and back.
//!
//! One task owns everything that is in flight, so that there is nothing to lock. A message of the broker is settled when
//! each receiver has said what became of its alerts: all taken (or beyond delivering, which makes dead letters) and it
//! goes into the books and is acknowledged; otherwise it goes back to the broker and comes again for those that lack it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vedette_bus::{Announcement, Delivery};
use vedette_proto::bus::v1::{Alert, AlertEntry, AlertOrigin, AlertResult};
use vedette_service::policy::PolicyWatch;

use crate::budget::Budget;
use crate::config::Config;
use crate::lane::{Done, Job, Lane, Outcome, Rejection, Surroundings};
use crate::log;
use crate::notice::{Detail, Draft, Notice};
use crate::settle::{DeadAlert, Outbox, Settled};
use crate::taken::Taken;

/// The longest time until a message comes again whose receiver is away.
const LAST_RETRY: Duration = Duration::from_secs(60);

/// The task that owns what is in flight.
pub(crate) struct Dispatcher {
    policy: PolicyWatch,
    around: Surroundings,
    console_url: Option<String>,
    /// How often the broker hears that work goes on.
    progress: Duration,
    announcement: Option<Announcement>,
    done: mpsc::UnboundedReceiver<Done>,
    outbox: Outbox,
    budget: Budget,
    taken: Taken,
    lanes: Vec<Lane>,
    lane_tasks: JoinSet<()>,
    lanes_started: u64,
    in_flight: HashMap<u64, InFlight>,
    /// Alerts of all that is in flight: what bounds it.
    held: usize,
    messages: u64,
    /// Whether it was said that alerts go nowhere; said again only after the receivers changed.
    unrouted_told: bool,
}

/// A message of the broker whose alerts are on their way.
struct InFlight {
    delivery: Delivery<AlertResult>,
    alerts: Vec<Alert>,
    notices: Arc<[Notice]>,
    received: Timestamp,
    /// The lanes that have not answered yet: serial numbers, and their receivers' names.
    waiting: Vec<(u64, String)>,
    /// The names of receivers that have it, apart from what they will not take.
    took: Vec<String>,
    /// When it must come again, for a receiver that does not have it.
    again: Option<Duration>,
    /// Receiver's name with what it will not take.
    rejected: Vec<(String, Rejection)>,
}

impl Dispatcher {
    pub(crate) fn new(
        config: &Config,
        policy: PolicyWatch,
        around: Surroundings,
        done: mpsc::UnboundedReceiver<Done>,
        outbox: Outbox,
        announcement: Option<Announcement>,
    ) -> Self {
        let budget = Budget::new(config.label_sets_per_minute, around.clock.now());
        Self {
            policy,
            around,
            console_url: config.console_url.clone(),
            progress: Duration::from_secs(config.nats.ack_wait_seconds).max(Duration::from_secs(3)) / 3,
            announcement,
            done,
            outbox,
            budget,
            taken: Taken::default(),
            lanes: Vec::new(),
            lane_tasks: JoinSet::new(),
            lanes_started: 0,
            in_flight: HashMap::new(),
            held: 0,
            messages: 0,
            unrouted_told: false,
        }
    }

    /// Works until `stop`, then finishes what it can within the time to drain.
    pub(crate) async fn run(mut self, deliveries: impl Stream<Item = Delivery<AlertResult>>, stop: CancellationToken) {
        self.reconfigure();
        let mut deliveries = Box::pin(deliveries);
        let mut progress = tokio::time::interval(self.progress);
        progress.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ended = false;
        while !ended {
            let room = self.has_room();
            tokio::select! {
                biased;
                () = stop.cancelled() => ended = true,
                Some(done) = self.done.recv() => self.finish(done).await,
                () = self.policy.changed() => self.reconfigure(),
                _ = progress.tick() => self.report_progress().await,
                delivery = deliveries.next(), if room => match delivery {
                    Some(delivery) => self.take(delivery).await,
                    None => ended = true,
                },
            }
        }
        // What was fetched ahead goes back to the broker now, to whoever is free, and not after the drain.
        drop(deliveries);
        self.drain().await;
    }

    /// Lets the lanes finish for a while, then ends them and gives back what they did not deliver.
    async fn drain(mut self) {
        let end = tokio::time::Instant::now() + self.around.delivery.drain();
        while !self.in_flight.is_empty() {
            match tokio::time::timeout_at(end, self.done.recv()).await {
                Ok(Some(done)) => self.finish(done).await,
                Ok(None) | Err(_) => break,
            }
        }
        for lane in std::mem::take(&mut self.lanes) {
            lane.stop();
        }
        while let Some(ended) = self.lane_tasks.join_next().await {
            log_end(ended);
        }
        while let Ok(done) = self.done.try_recv() {
            self.finish(done).await;
        }
    }

    /// Makes the lanes those of the receivers now configured. What a lane that ends has not sent comes again at once, for
    /// those that are configured then.
    fn reconfigure(&mut self) {
        while let Some(ended) = self.lane_tasks.try_join_next() {
            log_end(ended);
        }
        let policy = self.policy.current();
        let receivers = &policy.settings.receivers;
        self.lanes.retain(|lane| {
            let stays = receivers.contains(&lane.receiver);
            if !stays {
                lane.stop();
                if !receivers.iter().any(|receiver| receiver.name == lane.receiver.name) {
                    self.around.metrics.forget(&lane.receiver.name);
                }
            }
            stays
        });
        for receiver in receivers {
            if self.lanes.iter().any(|lane| lane.receiver == *receiver) {
                continue;
            }
            self.lanes_started += 1;
            let (lane, task) = Lane::start(self.lanes_started, receiver.clone(), self.around.clone());
            self.lane_tasks.spawn(task);
            self.lanes.push(lane);
        }
        self.unrouted_told = false;
        if let Some(announcement) = &self.announcement {
            announcement.set("receivers", self.lanes.len().to_string());
            announcement.set("generation", policy.generation.to_string());
        }
        tracing::info!(policy.generation = policy.generation, receivers = self.lanes.len(), "receivers in force");
    }

    /// Alerts that one lane may hold. With several, each has its share: one that is stuck leaves the others room.
    fn lane_room(&self) -> usize {
        (self.around.delivery.alerts_in_flight / self.lanes.len().max(1)).max(1)
    }

    fn has_room(&self) -> bool {
        let room = self.lane_room();
        self.held < self.around.delivery.alerts_in_flight
            && !self.outbox.is_full()
            && (self.lanes.is_empty() || self.lanes.iter().any(|lane| lane.alerts < room))
    }

    fn hold(&mut self, alerts: usize) {
        self.held = alerts;
        self.around.metrics.in_flight.set(i64::try_from(alerts).unwrap_or(i64::MAX));
    }

    /// Takes a message of the broker.
    async fn take(&mut self, mut delivery: Delivery<AlertResult>) {
        let Ok(result) = delivery.message.as_mut() else {
            return self.outbox.put(Settled::undecodable(delivery));
        };
        let mut alerts = std::mem::take(&mut result.alerts);
        alerts.iter_mut().for_each(log::trim);
        let received_nanos = result.received_unix_nanos;
        let received = Timestamp::from_nanosecond(i128::from(received_nanos)).unwrap_or_default();
        let count = alerts.len() as u64;
        if alerts.is_empty() {
            return self.outbox.put(Settled::new(delivery, AlertEntry::default(), Vec::new(), Vec::new()));
        }
        if self.lanes.is_empty() {
            self.tell_unrouted(count);
            let entry = AlertEntry { unrouted: count, ..AlertEntry::default() };
            let logged = log::unrouted(alerts, received_nanos, self.around.clock.now());
            return self.outbox.put(Settled::new(delivery, entry, Vec::new(), logged));
        }
        // Not by the number of deliveries: another alerter may have had it, or this one before it was started again.
        let again = !self.taken.begin(&delivery.batch);
        let notices: Arc<[Notice]> = self.draft(&alerts, &delivery.cluster, received, again).into();
        self.messages += 1;
        let id = self.messages;
        let mut it = InFlight {
            delivery,
            alerts,
            notices,
            received,
            waiting: Vec::new(),
            took: Vec::new(),
            again: None,
            rejected: Vec::new(),
        };
        let (room, several) = (self.lane_room(), self.lanes.len() > 1);
        for lane in &mut self.lanes {
            if self.taken.has(&it.delivery.batch, &lane.receiver) {
                it.took.push(lane.receiver.name.clone());
                continue;
            }
            let fits = lane.alerts == 0 || lane.alerts + it.notices.len() <= room;
            if !fits && several {
                it.again = Some(retry_after(it.delivery.delivered));
                continue;
            }
            let trace = it.delivery.trace.clone();
            lane.push(Job { id, notices: Arc::clone(&it.notices), received, trace });
            it.waiting.push((lane.serial, lane.receiver.name.clone()));
        }
        if it.waiting.is_empty() {
            return self.complete(it).await;
        }
        self.hold(self.held + it.alerts.len());
        self.in_flight.insert(id, it);
    }

    /// What the receivers are told: one notice an alert, or one for several where the budget of labels is used up.
    fn draft(&mut self, alerts: &[Alert], cluster: &str, received: Timestamp, again: bool) -> Vec<Notice> {
        let now = self.around.clock.now();
        let mut drafts: Vec<Draft<'_>> = Vec::with_capacity(alerts.len());
        let mut coarse = HashMap::new();
        for (place, alert) in (0_u32..).zip(alerts) {
            let spent = self.budget.spend(alert, cluster, again, now);
            if spent.detail > Detail::Full {
                self.around.metrics.collapsed.inc();
                let first = coarse.get(&spent.labels).and_then(|place: &usize| drafts.get_mut(*place));
                if let Some(draft) = first {
                    // The last one speaks for all of them.
                    draft.alert = alert;
                    draft.count = spent.count;
                    draft.stands_for.push(place);
                    continue;
                }
                coarse.insert(spent.labels.clone(), drafts.len());
            }
            drafts.push(Draft {
                alert,
                labels: spent.labels,
                detail: spent.detail,
                count: spent.count,
                stands_for: vec![place],
                received,
                now,
                console_url: self.console_url.as_deref(),
            });
        }
        drafts.into_iter().map(Draft::finish).collect()
    }

    /// A lane says what became of a message's alerts.
    async fn finish(&mut self, done: Done) {
        let lane = self.lanes.iter_mut().find(|lane| lane.serial == done.lane);
        let gone = lane.is_none();
        let Some(it) = self.in_flight.get_mut(&done.id) else { return };
        let Some(place) = it.waiting.iter().position(|(serial, _)| *serial == done.lane) else { return };
        let (_, receiver) = it.waiting.swap_remove(place);
        if let Some(lane) = lane {
            lane.alerts = lane.alerts.saturating_sub(it.notices.len());
            // One that refused something is asked again if the message comes again: its refusal is settled with all answers.
            if matches!(&done.outcome, Outcome::Taken(rejections) if rejections.is_empty()) {
                self.taken.note(&it.delivery.batch, &lane.receiver);
            }
        }
        match done.outcome {
            Outcome::Taken(rejections) => {
                it.rejected.extend(rejections.into_iter().map(|rejection| (receiver.clone(), rejection)));
                it.took.push(receiver);
            }
            Outcome::Deferred => {
                let delay = if gone { Duration::ZERO } else { retry_after(it.delivery.delivered) };
                it.again = Some(it.again.map_or(delay, |other| other.min(delay)));
            }
        }
        if it.waiting.is_empty()
            && let Some(it) = self.in_flight.remove(&done.id)
        {
            self.hold(self.held.saturating_sub(it.alerts.len()));
            self.complete(it).await;
        }
    }

    /// All lanes have answered.
    async fn complete(&mut self, mut it: InFlight) {
        if let Some(delay) = it.again {
            if let Err(error) = it.delivery.retry(delay).await {
                // The broker will deliver it again all the same, once it has waited for an answer in vain.
                tracing::debug!(error = %vedette_service::chain(&error), "give a batch back to the broker");
            }
            return;
        }
        let waited = self.around.clock.now().duration_since(it.received).as_secs_f64();
        self.around.metrics.alert_seconds.observe(waited.max(0.0));
        let alerts: u64 = it.notices.iter().map(|notice| notice.stands_for.len() as u64).sum();
        let mut refused: Vec<usize> = it.rejected.iter().map(|(_, rejection)| rejection.notice).collect();
        refused.sort_unstable();
        refused.dedup();
        let stands_for = |notice: usize| it.notices.get(notice).map_or(0, |notice| notice.stands_for.len() as u64);
        let rejected: u64 = refused.into_iter().map(stands_for).sum();
        let entry = AlertEntry { sent: alerts.saturating_sub(rejected), rejected, ..AlertEntry::default() };
        let now = self.around.clock.now();
        let message = it.delivery.message.as_ref().ok();
        let dead = it.rejected.iter().filter_map(|(receiver, rejection)| {
            let notice = it.notices.get(rejection.notice)?;
            let mut dead = DeadAlert::new(&it.delivery.batch, receiver, rejection, notice, now);
            dead.origin = message.map(|message| AlertOrigin {
                received_unix_nanos: message.received_unix_nanos,
                generation: message.generation,
                // What it is requeued as: of the alerts that it stands for, the one that it was written of.
                alert: notice.stands_for.last().and_then(|place| it.alerts.get(usize::try_from(*place).ok()?)).cloned(),
            });
            Some(dead)
        });
        let dead = dead.collect();
        let received = i64::try_from(it.received.as_nanosecond()).unwrap_or_default();
        it.took.sort_unstable();
        let logged = log::routed(it.alerts, &it.notices, &it.took, &it.rejected, received, now);
        self.outbox.put(Settled::new(it.delivery, entry, dead, logged));
    }

    async fn report_progress(&self) {
        for it in self.in_flight.values() {
            if let Err(error) = it.delivery.progress().await {
                tracing::debug!(error = %vedette_service::chain(&error), "report progress to the broker");
            }
        }
    }

    fn tell_unrouted(&mut self, alerts: u64) {
        self.around.metrics.unrouted.inc_by(alerts);
        if !self.unrouted_told {
            self.unrouted_told = true;
            tracing::warn!("alerts go nowhere: the Webhook resource names no receivers");
        }
    }
}

/// How long until a message comes again: longer each time, spread so that they do not come all at once.
fn retry_after(delivered: i64) -> Duration {
    let doubled = Duration::from_secs(1 << delivered.clamp(0, 6)).min(LAST_RETRY);
    doubled.mul_f64(0.5 + fastrand::f64() / 2.0)
}

fn log_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(error = %error, "the task of a receiver ended badly");
    }
}
