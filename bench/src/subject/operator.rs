//! A changed resource to rules in force, at everyone who subscribes.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use vedette_e2e::{ControlPlane, Service, ports};
use vedette_operator::api::{Entry, Priority, Rule, RuleSpec};
use vedette_proto::rules::v1::rule_distribution_client::RuleDistributionClient;
use vedette_proto::rules::v1::subscribe_request::Message;
use vedette_proto::rules::v1::{Applied, Hello, SubscribeRequest};
use vedette_service::snapshot::Snapshot;

use crate::Effort;
use crate::broker::{Broker, Sync, runtime};
use crate::measure::{median, peak_resident, quantile};
use crate::sample::Sample;
use crate::table::{Bar, Row, Table, Unit};

/// Evaluators that compile what they get, each its own process, and subscribers that decode, verify and acknowledge it.
const EVALUATORS: usize = 4;
const SUBSCRIBERS: usize = 96;
/// Rules of one resource.
const GROUP: usize = 10;
const NAMESPACE: &str = "kubesphere-logging-system";
const PATIENCE: Duration = Duration::from_secs(120);
/// How often an evaluator is asked what is in force.
const LOOK: Duration = Duration::from_millis(2);

pub(crate) fn run(_: &Sample, effort: &Effort) -> Table {
    let runtime = runtime();
    let broker = Broker::start(&runtime, Sync::Interval);
    let plane = plane();
    let client = runtime.block_on(client(&plane));
    let mut table = Table::default();
    // A change a round would be too few for a percentile.
    let changes = effort.rounds * 20;
    let (times, memory) = round(&runtime, &broker, &plane, &client, 1_000, changes);
    let row = Row::new(
        "1,000 rules: a resource applied → in force everywhere, p99",
        quantile(times.clone(), 0.99),
        Unit::Milliseconds,
    );
    table.push(row.bar(Bar::below(500.0)));
    table.push(Row::new("the same, median", median(times), Unit::Milliseconds));
    table.push(Row::new("operator's memory at its peak, 1,000 rules", memory, Unit::Mebibytes).bar(Bar::below(64.0)));
    let (times, memory) = round(&runtime, &broker, &plane, &client, 10_000, effort.rounds * 4);
    table.push(Row::new("10,000 rules: the same, the slowest", quantile(times.clone(), 1.0), Unit::Milliseconds));
    table.push(Row::new("10,000 rules: the same, median", median(times), Unit::Milliseconds));
    table.push(Row::new("operator's memory at its peak, 10,000 rules", memory, Unit::Mebibytes));
    table.note(format!(
        "{EVALUATORS} evaluators, each its own process, and {SUBSCRIBERS} subscribers that decode, verify and acknowledge; {GROUP} rules \
         to a resource; {changes} changes of one of them, from before the request to the apiserver; etcd does not sync"
    ));
    table
}

fn plane() -> ControlPlane {
    let plane = ControlPlane::bare();
    plane.install_definitions();
    plane
}

async fn client(plane: &ControlPlane) -> Client {
    let kubeconfig = Kubeconfig::read_from(plane.kubeconfig()).expect("the kubeconfig can be read");
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("the kubeconfig is one");
    Client::try_from(config).expect("a client can be made")
}

/// Milliseconds of each change, and what the operator has had resident at most, in MiB.
fn round(
    runtime: &Runtime,
    broker: &Broker,
    plane: &ControlPlane,
    client: &Client,
    rules: usize,
    changes: usize,
) -> (Vec<f64>, f64) {
    let api = Api::<Rule>::namespaced(client.clone(), NAMESPACE);
    runtime.block_on(async {
        for index in 0..rules / GROUP {
            apply(&api, index, 0).await;
        }
    });
    let listen = format!("127.0.0.1:{}", ports::free());
    let kubeconfig = plane.kubeconfig();
    let config = format!("kubernetes: {{ kubeconfig: {kubeconfig:?} }}\ngrpc: {{ listen: {listen:?} }}\n");
    let operator = Service::start("vedette-operator", &config);
    let url = format!("http://{listen}");
    let evaluators: Vec<Service> = (0..EVALUATORS)
        .map(|index| {
            let policy = format!("policy: {{ operator: {{ url: {url:?}, subscriber: e{index} }} }}\n");
            Service::start("vedette-evaluator", &format!("nats: {{ url: {:?} }}\n{policy}", broker.url()))
        })
        .collect();
    let subscribers: Vec<_> =
        (0..SUBSCRIBERS).map(|index| runtime.block_on(subscribe(&url, format!("s{index}")))).collect();
    let times = (1..=changes).map(|change| {
        let start = Instant::now();
        runtime.block_on(apply(&api, change % (rules / GROUP), change));
        let marker = format!("change-{change}\"");
        let generations = subscribers.iter().map(|has| runtime.block_on(arrived(has.clone(), &marker)));
        let generation = generations.max().expect("there are subscribers");
        for evaluator in &evaluators {
            while (evaluator.metric("vedette_evaluator_policy_generation", &[]) as u64) < generation {
                assert!(start.elapsed() < PATIENCE, "an evaluator has not got the change");
                std::thread::sleep(LOOK);
            }
        }
        start.elapsed().as_secs_f64() * 1000.0
    });
    let times = times.collect();
    (times, peak_resident(operator.id()))
}

async fn apply(api: &Api<Rule>, index: usize, change: usize) {
    let rules = (0..GROUP).map(|place| {
        let number = index * GROUP + place;
        Entry {
            name: format!("rule-{number}"),
            enable: Some(true),
            priority: Some(Priority::Info),
            condition: Some(format!(
                "objectRef.namespace = \"team-{number}\" and verb in (\"create\", \"delete\") and user.username != \"change-{change}\""
            )),
            ..Entry::default()
        }
    });
    let name = format!("group-{index}");
    let mut rule = Rule::new(&name, RuleSpec { rules: rules.collect() });
    rule.metadata.labels = Some([("type".to_owned(), "archiving".to_owned())].into());
    let params = PatchParams::apply("bench").force();
    api.patch(&name, &params, &Patch::Apply(&rule)).await.expect("a rule can be applied");
}

/// What a subscriber has: a generation, and the text of its documents.
type Has = watch::Receiver<(u64, String)>;

async fn subscribe(url: &str, name: String) -> Has {
    let endpoint = Endpoint::from_shared(url.to_owned()).expect("an address is one");
    let channel: Channel = endpoint.connect().await.expect("the operator can be reached");
    let mut client = RuleDistributionClient::new(channel).max_decoding_message_size(64 * 1024 * 1024);
    let (answers, requests) = mpsc::channel(4);
    let hello = Hello { subscriber: name, service: "evaluator".to_owned(), ..Hello::default() };
    let say = |message| SubscribeRequest { message: Some(message) };
    answers.send(say(Message::Hello(hello))).await.expect("the stream is open");
    let (sender, has) = watch::channel((0, String::new()));
    let stream = client.subscribe(ReceiverStream::new(requests)).await.expect("it can be subscribed");
    let mut snapshots = stream.into_inner();
    tokio::spawn(async move {
        while let Ok(Some(message)) = snapshots.message().await {
            let (snapshot, documents) = Snapshot::unpack(message).expect("a snapshot is one");
            let generation = snapshot.generation();
            let text = documents.into_iter().map(|document| document.text).collect();
            sender.send_replace((generation, text));
            let applied = Message::Applied(Applied { generation, rules: 0 });
            if answers.send(say(applied)).await.is_err() {
                return;
            }
        }
    });
    has
}

/// The generation with which `marker` came.
async fn arrived(mut has: Has, marker: &str) -> u64 {
    let waited = tokio::time::timeout(PATIENCE, has.wait_for(|(_, text)| text.contains(marker))).await;
    waited.expect("the change comes in time").expect("the stream is open").0
}
