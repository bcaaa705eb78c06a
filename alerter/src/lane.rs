//! The way to one receiver: a queue, and a task that empties it.
//!
//! Each receiver has a lane of its own, so that one that is away keeps nobody waiting but itself. What comes while a POST
//! is under way goes together in the next one. A receiver that fails is tried again with growing pauses; what it has not
//! taken when it was away for the time to hold goes back to the broker, which delivers it again later, so that memory
//! stays bounded however long it is away.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Certificate;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field};
use vedette_bus::Trace;
use vedette_rules::Receiver;
use vedette_service::telemetry::SPANS;

use crate::clock::Clock;
use crate::config::Delivery;
use crate::metrics::Metrics;
use crate::notice::Notice;
use crate::payload;
use crate::target::{Answer, Target};

/// The first pause after a failure; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// The alerts of one message of the broker on their way to one receiver.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The message, as the dispatcher numbers them.
    pub(crate) id: u64,
    pub(crate) notices: Arc<[Notice]>,
    /// When ingest received the events.
    pub(crate) received: Timestamp,
    /// What the message was published in.
    pub(crate) trace: Trace,
}

/// What became of a job.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) id: u64,
    /// The lane's serial number.
    pub(crate) lane: u64,
    pub(crate) outcome: Outcome,
}

/// What a receiver did with the alerts of one message.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has them all, but for those that can't be delivered.
    Taken(Vec<Rejection>),
    /// It does not have them all: they must come again.
    Deferred,
}

/// An alert that can't be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Its place among the job's notices.
    pub(crate) notice: usize,
    /// A word of a bounded set.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) detail: String,
}

/// What a lane needs from the service.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) delivery: Delivery,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) roots: Arc<[Certificate]>,
    /// The console's URL, for webhooks.
    pub(crate) external: Arc<str>,
    pub(crate) done: mpsc::UnboundedSender<Done>,
}

/// The sending end of a lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Tells this lane from every other, also from an earlier one to the same receiver.
    pub(crate) serial: u64,
    pub(crate) receiver: Receiver,
    jobs: mpsc::UnboundedSender<Job>,
    /// Alerts in it: what bounds its queue.
    pub(crate) alerts: usize,
    stop: CancellationToken,
}

impl Lane {
    /// Starts a lane to this receiver; its task ends after [`Lane::stop`], with every job answered.
    pub(crate) fn start(
        serial: u64,
        receiver: Receiver,
        around: Surroundings,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, jobs) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let lane = Self { serial, receiver: receiver.clone(), jobs: sender, alerts: 0, stop: stop.clone() };
        let target = Target::new(receiver.clone(), &around.roots, around.delivery.timeout());
        let target = target.inspect_err(|error| {
            tracing::error!(receiver.name = %receiver.name, error = %vedette_service::chain(error), "the receiver can't be used");
        });
        let task = Task { serial, target: target.ok(), receiver, around, jobs, stop, failing_since: None, failures: 0 };
        (lane, task.run())
    }

    /// Puts a job into the queue; the caller counts the alerts in it.
    pub(crate) fn push(&mut self, job: Job) {
        self.alerts += job.notices.len();
        // The task takes jobs until the lane is gone: it can't be closed here.
        let _ = self.jobs.send(job);
    }

    /// Ends the lane: what it has not sent is deferred.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

/// The task of a lane.
struct Task {
    serial: u64,
    /// None if the receiver can't be used as it is configured: then it is away until it is configured anew.
    target: Option<Target>,
    receiver: Receiver,
    around: Surroundings,
    jobs: mpsc::UnboundedReceiver<Job>,
    stop: CancellationToken,
    failing_since: Option<Instant>,
    failures: u32,
}

/// A notice of a group of jobs: which job, which of its notices.
type Item = (usize, usize);

/// A group on its way.
struct Group {
    jobs: Vec<Job>,
    rejections: Vec<Vec<Rejection>>,
    /// Jobs of which something was not taken.
    deferred: Vec<bool>,
}

/// How sending a part of a group ended.
enum Part {
    Taken,
    Refused { status: u16, detail: String },
    Away,
}

impl Task {
    async fn run(mut self) {
        // A job that is too large for the group before it waits here.
        let mut waiting: Option<Job> = None;
        loop {
            let first = match waiting.take() {
                Some(job) => job,
                None => tokio::select! {
                    biased;
                    () = self.stop.cancelled() => break,
                    job = self.jobs.recv() => match job {
                        Some(job) => job,
                        None => break,
                    },
                },
            };
            let jobs = self.gather(first, &mut waiting);
            let away = self.deliver(jobs).await;
            if away {
                // The receiver has been away for the whole time to hold: nothing waits for it here.
                while let Some(job) = waiting.take().or_else(|| self.jobs.try_recv().ok()) {
                    self.defer(job, Vec::new());
                }
                self.pause(None).await;
            }
        }
        self.jobs.close();
        while let Some(job) = waiting.take().or_else(|| self.jobs.try_recv().ok()) {
            self.finish(job.id, Outcome::Deferred);
        }
    }

    /// Jobs that go in one POST: all that wait, up to the bounds.
    fn gather(&mut self, first: Job, waiting: &mut Option<Job>) -> Vec<Job> {
        let size = |job: &Job| (job.notices.len(), job.notices.iter().map(|notice| notice.bytes).sum::<usize>());
        let (mut alerts, mut bytes) = size(&first);
        let mut jobs = vec![first];
        while let Ok(job) = self.jobs.try_recv() {
            let (more_alerts, more_bytes) = size(&job);
            alerts += more_alerts;
            bytes += more_bytes;
            if alerts > self.around.delivery.alerts_per_post || bytes > self.around.delivery.bytes_per_post {
                *waiting = Some(job);
                break;
            }
            jobs.push(job);
        }
        jobs
    }

    /// Delivers a group, in as many POSTs as it needs. Returns whether the receiver is away for longer than alerts are held.
    async fn deliver(&mut self, jobs: Vec<Job>) -> bool {
        let count = jobs.len();
        let mut group = Group { jobs, rejections: vec![Vec::new(); count], deferred: vec![false; count] };
        let mut parts = self.cut(&group);
        let mut away = false;
        while let Some(items) = parts.pop() {
            if away {
                group.defer(&items);
                continue;
            }
            let span = self.span(&group, &items);
            let part = self.send(&group, &items).instrument(span.clone()).await;
            if !matches!(part, Part::Taken) {
                span.record("otel.status_code", "ERROR");
            }
            match part {
                Part::Taken => self.count_sent(items.len()),
                Part::Refused { status, detail } => match items.as_slice() {
                    [(job, notice)] => {
                        self.count_failed("refused", 1);
                        tracing::warn!(
                            receiver.name = %self.receiver.name, http.status = status, "the receiver refused an alert for good"
                        );
                        let detail = format!("receiver `{}` answered {status}: {detail}", self.receiver.name);
                        group.reject(*job, Rejection { notice: *notice, reason: "receiver_refused", detail });
                    }
                    // Which of them it is that can't be taken, halving tells.
                    items => {
                        let (one, other) = items.split_at(items.len() / 2);
                        parts.push(other.to_vec());
                        parts.push(one.to_vec());
                    }
                },
                Part::Away => {
                    group.defer(&items);
                    away = true;
                }
            }
        }
        let away_long = away && !self.stop.is_cancelled();
        for ((job, rejections), deferred) in group.jobs.into_iter().zip(group.rejections).zip(group.deferred) {
            match deferred {
                true => self.defer(job, rejections),
                false => self.finish(job.id, Outcome::Taken(rejections)),
            }
        }
        away_long
    }

    /// Cuts a group into POSTs within the bounds. Only a job that is too large by itself makes more than one.
    fn cut(&self, group: &Group) -> Vec<Vec<Item>> {
        let mut parts: Vec<Vec<Item>> = Vec::new();
        let mut part = Vec::new();
        let mut bytes = 0;
        for (job, notice, size) in group.items() {
            let full = part.len() >= self.around.delivery.alerts_per_post
                || (!part.is_empty() && bytes + size > self.around.delivery.bytes_per_post);
            if full {
                parts.push(std::mem::take(&mut part));
                bytes = 0;
            }
            part.push((job, notice));
            bytes += size;
        }
        parts.push(part);
        parts.reverse();
        parts
    }

    /// The span of sending a part, with all its attempts, linked to those of the messages that its alerts are from.
    fn span(&self, group: &Group, items: &[Item]) -> Span {
        let span = tracing::info_span!(
            target: SPANS,
            "send alerts",
            otel.kind = "client",
            otel.status_code = field::Empty,
            http.request.method = "POST",
            vedette.receiver = %self.receiver.name,
            vedette.alerts = items.len() as i64,
        );
        if span.is_disabled() {
            return span;
        }
        let jobs: BTreeSet<usize> = items.iter().map(|(job, _)| *job).collect();
        for job in jobs.into_iter().filter_map(|job| group.jobs.get(job)) {
            job.trace.is_linked_to(&span);
        }
        span
    }

    /// Sends a part until the receiver takes or refuses it, or was away for the time to hold, or the lane ends.
    async fn send(&mut self, group: &Group, items: &[Item]) -> Part {
        loop {
            let answer = tokio::select! {
                // Whether it took them is not known then: they will come again.
                () = self.stop.cancelled() => return Part::Away,
                answer = self.attempt(group, items) => answer,
            };
            let (reason, retry_after) = match answer {
                Answer::Taken => {
                    self.recovered();
                    return Part::Taken;
                }
                Answer::Refused { status, detail } => {
                    // It is there, and it read them.
                    self.recovered();
                    return Part::Refused { status, detail };
                }
                Answer::Unavailable { reason, retry_after } => (reason, retry_after),
            };
            self.count_failed(reason, items.len());
            let since = self.failed(reason);
            if self.stop.is_cancelled() || since.elapsed() >= self.around.delivery.hold() {
                return Part::Away;
            }
            self.pause(retry_after).await;
            if self.stop.is_cancelled() {
                return Part::Away;
            }
        }
    }

    async fn attempt(&self, group: &Group, items: &[Item]) -> Answer {
        let Some(target) = &self.target else {
            return Answer::Unavailable { reason: "misconfigured", retry_after: None };
        };
        let notices: Vec<&Notice> = items.iter().filter_map(|item| group.notice(*item)).collect();
        let now = self.around.clock.now();
        let body = payload::body(self.receiver.kind, &self.receiver.name, &notices, &self.around.external, now);
        let timer = self.around.metrics.delivery_seconds.with_label_values(&[&self.receiver.name]).start_timer();
        let answer = target.post(body).await;
        timer.observe_duration();
        answer
    }

    /// Defers a job while the receiver is away, or gives it up where it has been waiting for too long.
    fn defer(&self, job: Job, mut rejections: Vec<Rejection>) {
        let age = Duration::try_from(self.around.clock.now().duration_since(job.received)).unwrap_or_default();
        if self.stop.is_cancelled() || age < self.around.delivery.give_up() {
            self.around.metrics.deferred.with_label_values(&[&self.receiver.name]).inc();
            return self.finish(job.id, Outcome::Deferred);
        }
        let known: Vec<usize> = rejections.iter().map(|rejection| rejection.notice).collect();
        let detail = format!("receiver `{}` was away for {} h", self.receiver.name, age.as_secs() / 3_600);
        let given_up = (0..job.notices.len()).filter(|notice| !known.contains(notice));
        rejections.extend(given_up.map(|notice| Rejection {
            notice,
            reason: "receiver_unavailable",
            detail: detail.clone(),
        }));
        self.count_failed("given_up", job.notices.len() - known.len());
        tracing::error!(receiver.name = %self.receiver.name, alerts = job.notices.len(), "alerts were given up");
        self.finish(job.id, Outcome::Taken(rejections));
    }

    fn finish(&self, id: u64, outcome: Outcome) {
        // The dispatcher outlives its lanes.
        let _ = self.around.done.send(Done { id, lane: self.serial, outcome });
    }

    fn failed(&mut self, reason: &'static str) -> Instant {
        self.failures = self.failures.saturating_add(1);
        self.around.metrics.receiver_up.with_label_values(&[&self.receiver.name]).set(0);
        if self.failing_since.is_none() {
            tracing::warn!(receiver.name = %self.receiver.name, reason, "the receiver takes no alerts");
        }
        *self.failing_since.get_or_insert_with(Instant::now)
    }

    fn recovered(&mut self) {
        self.failures = 0;
        self.around.metrics.receiver_up.with_label_values(&[&self.receiver.name]).set(1);
        if let Some(since) = self.failing_since.take() {
            let seconds = since.elapsed().as_secs();
            tracing::info!(receiver.name = %self.receiver.name, away.seconds = seconds, "the receiver takes alerts again");
        }
    }

    /// Waits before the next attempt: longer with each failure, spread so that several alerters do not come together.
    async fn pause(&self, retry_after: Option<Duration>) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.saturating_sub(1).min(10)).min(LAST_PAUSE);
        let spread = doubled.mul_f64(0.5 + fastrand::f64() / 2.0);
        let pause = retry_after.map_or(spread, |asked| asked.max(spread));
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    fn count_sent(&self, alerts: usize) {
        self.around.metrics.sent.with_label_values(&[&self.receiver.name]).inc_by(alerts as u64);
    }

    fn count_failed(&self, reason: &'static str, alerts: usize) {
        self.around.metrics.failed.with_label_values(&[self.receiver.name.as_str(), reason]).inc_by(alerts as u64);
    }
}

impl Group {
    /// Job, notice and size of each notice.
    fn items(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        self.jobs
            .iter()
            .enumerate()
            .flat_map(|(job, it)| it.notices.iter().enumerate().map(move |(notice, it)| (job, notice, it.bytes)))
    }

    fn notice(&self, (job, notice): Item) -> Option<&Notice> {
        self.jobs.get(job)?.notices.get(notice)
    }

    fn defer(&mut self, items: &[Item]) {
        for (job, _) in items {
            if let Some(deferred) = self.deferred.get_mut(*job) {
                *deferred = true;
            }
        }
    }

    fn reject(&mut self, job: usize, rejection: Rejection) {
        if let Some(rejections) = self.rejections.get_mut(job) {
            rejections.push(rejection);
        }
    }
}
