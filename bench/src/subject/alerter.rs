//! Alert results to a receiver, and the time from a POST to its alerts.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Runtime;
use vedette_proto::bus::v1::{Alert, AlertCounts, AlertResult};
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::Effort;
use crate::broker::{ALERT_RESULTS, Broker, CLUSTER, Sync, runtime};
use crate::load;
use crate::measure::{Rounds, peak_resident, quantile};
use crate::receiver::Receiver;
use crate::sample::{BATCH, Sample};
use crate::services::{self, Rules, SERVICE_MEMORY};
use crate::table::{Bar, Row, Table, Unit};
use crate::{policy, sets};

/// Alerts of one result: a POST with a fourth of its events alerting.
const ALERTS: usize = BATCH / 4;
/// Expected in advance, to make rounds last about as long as asked for.
const GUESS: usize = 10_000;
/// POSTs under way at a time of the bare sender.
const LANES: usize = 4;
/// Events a second while the time to an alert is taken: what a kube-apiserver sends at most by default.
const PACE: usize = 4_000;

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let (mut ours, mut bare, mut resident) = (Vec::new(), Vec::new(), 0.0_f64);
    for seed in 0..effort.rounds {
        let round = round(GUESS * effort.seconds as usize, seed as u64);
        ours.push(round.rate);
        bare.push(round.bare);
        resident = resident.max(round.resident);
    }
    let rounds = Rounds::of(vec![ours, bare]);
    let mut table = Table::default();
    let row = Row::new("alert results → receiver", rounds.median(0), Unit::Alerts);
    table.push(row.against("bare POSTs of the same bodies", rounds.median(1), rounds.ratio(0, 1)));
    let bar = Bar::below(SERVICE_MEMORY);
    table.push(Row::new("alerter's memory at its peak", resident, Unit::Mebibytes).bar(bar));
    table.note(format!(
        "results of {ALERTS} alerts, all with labels of their own; the receiver only counts; the bare sender has {LANES} POSTs \
         under way; synced broker"
    ));
    delay(sample, effort, &mut table);
    table
}

/// One round of the throughput.
#[derive(Debug)]
struct Round {
    rate: f64,
    bare: f64,
    resident: f64,
}

fn round(alerts: usize, seed: u64) -> Round {
    let runtime = runtime();
    let receiver = Receiver::start(&runtime);
    let broker = Broker::start(&runtime, Sync::Always);
    let results: Vec<AlertResult> = (0..alerts / ALERTS).map(|number| result(seed << 32 | number as u64)).collect();
    let messages = broker.fill_alert_results(&results);
    receiver.keep(true);
    let rules = rules(&receiver);
    let service = services::alerter(&broker.url(), &rules);
    let drained = broker.drain(ALERT_RESULTS, messages, ALERTS as u64, &[service.id()]);
    assert_eq!(receiver.alerts(), messages * ALERTS as u64, "not every alert arrived once");
    let resident = peak_resident(service.id());
    drop(service);
    receiver.keep(false);
    let seconds = post_again(&runtime, receiver.url(), &receiver.kept());
    Round { rate: drained.rate, bare: (messages * ALERTS as u64) as f64 / seconds, resident }
}

fn rules(receiver: &Receiver) -> Rules {
    let mut files = policy::shipped();
    files.push(policy::webhook(&format!(
        "[{{ name: bench, type: alertmanager, config: {{ url: {:?} }} }}]",
        receiver.url()
    )));
    Rules::new(&files)
}

fn result(seed: u64) -> AlertResult {
    let alerts = (0..ALERTS as u64).map(|number| {
        let id = xxh3_128_with_seed(&number.to_le_bytes(), seed);
        Alert {
            event_id: id.to_le_bytes().to_vec().into(),
            rule_id: "kubesphere-logging-system/alerting-rule/AttachOrExecPod".to_owned(),
            rule: "AttachOrExecPod".to_owned(),
            priority: "WARNING".to_owned(),
            message: format!("admin exec Pod web-{id:x} in Namespace shop."),
            audit_id: format!("{id:032x}"),
            stage_timestamp: "2026-11-22T10:00:00.123456Z".to_owned(),
            namespace: "shop".to_owned(),
            user: "admin".to_owned(),
            verb: "create".to_owned(),
            resource: "pods".to_owned(),
            subresource: "exec".to_owned(),
            name: format!("web-{id:x}"),
            request_uri: format!("/api/v1/namespaces/shop/pods/web-{id:x}/exec?command=sh"),
            source_ip: "192.0.2.7".to_owned(),
            ..Alert::default()
        }
    });
    let counts = AlertCounts {
        evaluated: BATCH as u64,
        alerted: ALERTS as u64,
        alerts: ALERTS as u64,
        ..AlertCounts::default()
    };
    AlertResult {
        batch: format!("{seed:032x}"),
        cluster: CLUSTER.to_owned(),
        received_unix_nanos: 1,
        generation: 1,
        counts: Some(counts),
        alerts: alerts.collect(),
    }
}

/// Seconds to send these bodies to the receiver with nothing around.
fn post_again(runtime: &Runtime, url: &str, bodies: &[Bytes]) -> f64 {
    let url = format!("{url}/api/v2/alerts");
    let client = load::client();
    let next = AtomicUsize::new(0);
    let lane = || async {
        while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
            let request = client.post(&url).header("content-type", "application/json").body(body.clone());
            let response = request.send().await.expect("the receiver answers");
            assert!(response.status().is_success());
            response.bytes().await.expect("the answer can be read");
        }
    };
    let start = Instant::now();
    runtime.block_on(futures::future::join_all((0..LANES).map(|_| lane())));
    start.elapsed().as_secs_f64()
}

/// From sending a POST to the arrival of each of its alerts, all services running.
fn delay(sample: &Sample, effort: &Effort, table: &mut Table) {
    let runtime = runtime();
    let receiver = Receiver::start(&runtime);
    receiver.keep(true);
    let broker = Broker::start(&runtime, Sync::Always);
    let rules = rules(&receiver);
    let archive = tempfile::tempdir().expect("a folder can be made");
    let gateway = services::ingest(&broker.url(), &rules);
    let _others = [
        services::evaluator(&broker.url(), &rules),
        services::embedded_archiver(&broker.url(), &archive.path().join("archive")),
        services::alerter(&broker.url(), &rules),
    ];
    let posts = sample.joined().make(PACE * effort.seconds.max(10) as usize, 99);
    let sent: Mutex<HashMap<String, Instant>> = Mutex::default();
    let pause = Duration::from_secs_f64(BATCH as f64 / PACE as f64);
    load::send_paced(&runtime, &gateway.url, &posts, pause, &|post| {
        let now = Instant::now();
        let mut sent = sent.lock().expect("no holder of this lock panics");
        for id in post.audit_ids() {
            // A request's stages may come in two POSTs: the alert belongs to whichever came first.
            sent.entry(id).or_insert(now);
        }
    });
    let expected = expected_alerts(&posts);
    let patience = Instant::now() + Duration::from_secs(60);
    while receiver.alerts() < expected && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(receiver.alerts() >= expected, "{} of {expected} alerts arrived within a minute", receiver.alerts());
    let sent = sent.into_inner().expect("no holder of this lock panics");
    let delays: Vec<f64> =
        receiver.arrivals().iter().map(|(id, arrival)| (*arrival - sent[id]).as_secs_f64() * 1e3).collect();
    let share = expected as f64 / posts.iter().map(|post| post.events).sum::<usize>() as f64;
    let what = format!("POST → alert received, p99, at {PACE} events/s");
    table.push(Row::new(what, quantile(delays.clone(), 0.99), Unit::Milliseconds).bar(Bar::below(100.0).later()));
    table.note(format!(
        "delay: {} alerting requests, {:.1} % of the events alert; median {:.0} ms, longest {:.0} ms; all services and the \
         embedded archive run, the receiver is this program",
        delays.len(),
        share * 100.0,
        quantile(delays.clone(), 0.5),
        quantile(delays, 1.0),
    ));
}

/// Alerts that the shipped rules raise, as the rule engine itself says.
fn expected_alerts(posts: &[crate::sample::Post]) -> u64 {
    let mut files = policy::shipped();
    files.push(policy::webhook("[]"));
    let set = sets::compile(&files);
    let decide = |event: &[u8]| set.decide(event).expect("an event is one").alerts.len() as u64;
    posts.iter().flat_map(crate::sample::events_of).map(decide).sum()
}
