//! The contract of `RuleDistribution`, without a cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus::{IntCounterVec, Opts};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Streaming};
use vedette_operator::namespaces::Namespaces;
use vedette_operator::serve::ServeConfig;
use vedette_operator::serve::distribution::Distribution;
use vedette_operator::subscribers::Subscribers;
use vedette_proto::rules::v1::rule_distribution_client::RuleDistributionClient;
use vedette_proto::rules::v1::subscribe_request::Message;
use vedette_proto::rules::v1::{self as proto, Applied, Hello, Refused, SubscribeRequest, WatchNamespacesRequest};
use vedette_rules::SourceFile;
use vedette_service::snapshot::Snapshot;
use vedette_service::tls;

use crate::running::PATIENCE;

struct Server {
    address: SocketAddr,
    snapshot: watch::Sender<Option<Arc<Snapshot>>>,
    subscribers: Subscribers,
    namespaces: Namespaces,
    _stop: tokio_util::sync::DropGuard,
}

impl Server {
    async fn start(config: ServeConfig) -> Self {
        tls::install_provider();
        let (snapshot, served) = watch::channel(None);
        let (subscribers, namespaces, stop) = (Subscribers::default(), Namespaces::default(), CancellationToken::new());
        let distribution = Distribution {
            snapshot: served,
            subscribers: subscribers.clone(),
            namespaces: namespaces.clone(),
            access: config.access().unwrap(),
            answers: IntCounterVec::new(Opts::new("answers", "answers"), &["service", "result"]).unwrap(),
            shutdown: stop.clone(),
        };
        let listening = config.listen().await.unwrap();
        let address = listening.address();
        let ended = stop.clone();
        tokio::spawn(async move { listening.serve(distribution, |routes| routes, ended).await.unwrap() });
        Self { address, snapshot, subscribers, namespaces, _stop: stop.drop_guard() }
    }

    async fn plain() -> Self {
        Self::start(ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), ..ServeConfig::default() }).await
    }

    async fn client(&self) -> RuleDistributionClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        RuleDistributionClient::new(endpoint.connect().await.unwrap())
    }

    fn publish(&self, generation: u64) -> Snapshot {
        let document = SourceFile { name: "a".to_owned(), text: format!("text: {generation}") };
        let snapshot = Snapshot::pack(generation, vec![document]).unwrap();
        self.snapshot.send_replace(Some(Arc::new(snapshot.clone())));
        snapshot
    }

    /// Waits until what is known of the only subscriber satisfies `wanted`.
    async fn wait(&self, wanted: impl Fn(&vedette_operator::subscribers::Subscriber) -> bool) {
        let mut changes = self.subscribers.changes();
        let found = async {
            while !self.subscribers.all().first().is_some_and(&wanted) {
                changes.changed().await.unwrap();
            }
        };
        let waited = tokio::time::timeout(PATIENCE, found).await;
        assert!(waited.is_ok(), "{:?}", self.subscribers.all());
    }
}

fn hello() -> Hello {
    Hello { subscriber: "e1".to_owned(), service: "evaluator".to_owned(), ..Hello::default() }
}

struct Session {
    say: mpsc::Sender<SubscribeRequest>,
    snapshots: Streaming<proto::Snapshot>,
}

impl Session {
    async fn open(mut client: RuleDistributionClient<Channel>, first: Message) -> Result<Self, Box<tonic::Status>> {
        let (say, requests) = mpsc::channel(8);
        say.send(SubscribeRequest { message: Some(first) }).await.unwrap();
        let snapshots = client.subscribe(ReceiverStream::new(requests)).await.map_err(Box::new)?.into_inner();
        Ok(Self { say, snapshots })
    }

    async fn say(&self, message: Message) {
        self.say.send(SubscribeRequest { message: Some(message) }).await.unwrap();
    }

    async fn applied(&self, generation: u64) {
        self.say(Message::Applied(Applied { generation, rules: 1 })).await;
    }

    async fn next(&mut self) -> u64 {
        let next = tokio::time::timeout(PATIENCE, self.snapshots.message()).await.expect("something comes");
        next.unwrap().expect("the stream goes on").generation
    }

    async fn ends(&mut self) -> Code {
        tokio::time::timeout(PATIENCE, self.snapshots.message()).await.expect("it ends").unwrap_err().code()
    }
}

#[tokio::test]
async fn who_does_not_say_who_it_is_gets_nothing() {
    let server = Server::plain().await;
    let refused = [
        Message::Applied(Applied::default()),
        Message::Hello(Hello { subscriber: String::new(), ..hello() }),
        Message::Hello(Hello { service: "x".repeat(254), ..hello() }),
        Message::Hello(Hello { version: "a\nb".to_owned(), ..hello() }),
    ];
    for message in refused {
        let status = Session::open(server.client().await, message.clone()).await.err().unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{message:?}");
    }
    assert_eq!(server.subscribers.all(), []);
}

#[tokio::test]
async fn what_comes_before_an_answer_is_left_out_and_what_is_there_is_not_sent() {
    let server = Server::plain().await;
    let mut session = Session::open(server.client().await, Message::Hello(hello())).await.unwrap();
    // Connected before there was anything.
    server.publish(1);
    assert_eq!(session.next().await, 1);
    server.publish(2);
    let third = server.publish(3);
    server.wait(|it| it.behind_since_ms.is_some()).await;
    session.applied(1).await;
    assert_eq!(session.next().await, 3);
    session.applied(3).await;
    server.wait(|it| it.generation == 3 && it.rules == 1 && it.behind_since_ms.is_none()).await;

    let has = Hello { generation: 3, hash: third.hash().as_bytes().to_vec().into(), ..hello() };
    let mut again = Session::open(server.client().await, Message::Hello(has)).await.unwrap();
    server.publish(4);
    assert_eq!(again.next().await, 4, "the third is there already");
    // Other content under the same number is another snapshot.
    let other = Hello { generation: 4, hash: vec![1].into(), ..hello() };
    let mut other = Session::open(server.client().await, Message::Hello(other)).await.unwrap();
    assert_eq!(other.next().await, 4);
}

#[tokio::test]
async fn what_was_refused_is_not_sent_again_and_its_reason_is_known() {
    let server = Server::plain().await;
    server.publish(1);
    let mut session = Session::open(server.client().await, Message::Hello(hello())).await.unwrap();
    assert_eq!(session.next().await, 1);
    session.applied(1).await;
    server.publish(2);
    assert_eq!(session.next().await, 2);
    let refused = Refused { generation: 2, reason: "not these".to_owned(), diagnostics: Vec::new() };
    session.say(Message::Refused(refused)).await;
    server.wait(|it| it.generation == 1 && it.last_error == "not these" && it.behind_since_ms.is_some()).await;
    server.publish(3);
    assert_eq!(session.next().await, 3);
    session.applied(3).await;
    server.wait(|it| it.generation == 3 && it.last_error.is_empty() && it.behind_since_ms.is_none()).await;
    // An answer to what was not asked is a broken client.
    session.applied(9).await;
    assert_eq!(session.ends().await, Code::InvalidArgument);
}

#[tokio::test]
async fn only_certificates_of_the_authority_may_subscribe_and_new_ones_need_no_restart() {
    tls::install_provider();
    let folder = tempfile::tempdir().unwrap();
    let names = ["127.0.0.1".to_owned()];
    let first = tls::self_signed(&folder.path().join("first"), &names).unwrap();
    let second = tls::self_signed(&folder.path().join("second"), &names).unwrap();
    let [certificate, key, client_ca] = ["tls.crt", "tls.key", "clients.crt"].map(|name| folder.path().join(name));
    std::fs::copy(&first.certificate, &certificate).unwrap();
    std::fs::copy(&first.key, &key).unwrap();
    let authority = Authority::new("subscribers");
    std::fs::write(&client_ca, authority.pem()).unwrap();
    let server = Server::start(ServeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        certificate: Some(certificate.clone()),
        key: Some(key.clone()),
        client_ca: Some(client_ca),
    })
    .await;
    server.publish(1);
    let connect = async |ca: &std::path::Path, identity: Option<Identity>| {
        let ca = Certificate::from_pem(std::fs::read(ca).unwrap());
        let mut config = ClientTlsConfig::new().ca_certificate(ca).domain_name("127.0.0.1");
        if let Some(identity) = identity {
            config = config.identity(identity);
        }
        let endpoint =
            Endpoint::from_shared(format!("https://{}", server.address)).unwrap().tls_config(config).unwrap();
        endpoint.connect().await.map(RuleDistributionClient::new)
    };
    let mine = authority.identity("e1");
    let client = connect(&first.ca, Some(mine.clone())).await.unwrap();
    assert_eq!(Session::open(client, Message::Hello(hello())).await.unwrap().next().await, 1);

    let nobody = connect(&first.ca, None).await.unwrap();
    let status = Session::open(nobody, Message::Hello(hello())).await.err().unwrap();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("client certificate"), "{status}");
    let stranger = Authority::new("others").identity("e1");
    let refused = match connect(&first.ca, Some(stranger)).await {
        Ok(client) => Session::open(client, Message::Hello(hello())).await.is_err(),
        Err(_) => true,
    };
    assert!(refused, "a certificate of another authority");

    std::fs::copy(&second.certificate, &certificate).unwrap();
    std::fs::copy(&second.key, &key).unwrap();
    let client = connect(&second.ca, Some(mine)).await.unwrap();
    assert_eq!(Session::open(client, Message::Hello(hello())).await.unwrap().next().await, 1);
}

/// An authority of clients' certificates.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    fn pem(&self) -> &str {
        &self.pem
    }

    fn identity(&self, name: &str) -> Identity {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::from_pem(certificate.pem(), key.serialize_pem())
    }
}

fn namespace(cluster: &str, name: &str, workspace: &str) -> proto::Namespace {
    proto::Namespace {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        workspace: workspace.to_owned(),
        created: None,
    }
}

#[tokio::test]
async fn namespaces_come_whole_and_then_as_changes() {
    let server = Server::plain().await;
    let follow = async |clusters: &[&str]| {
        let clusters = clusters.iter().map(|it| (*it).to_owned()).collect();
        server.client().await.watch_namespaces(WatchNamespacesRequest { clusters }).await.unwrap().into_inner()
    };
    // Before they are known, nobody is told that there are none.
    let mut early = follow(&[]).await;
    let all = (0..2_500).map(|index| namespace("c", &format!("n{index}"), "w")).collect();
    server.namespaces.replace("c", all);
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let change = tokio::time::timeout(PATIENCE, early.message()).await.unwrap().unwrap().unwrap();
        assert_eq!(seen.is_empty(), change.complete, "the first part says that it begins");
        seen.extend(change.set.into_iter().map(|it| it.name));
        if !change.more {
            break;
        }
    }
    assert_eq!(seen.len(), 2_500);

    let mut other = follow(&["d"]).await;
    let first = other.message().await.unwrap().unwrap();
    assert!(first.complete && first.set.is_empty() && !first.more);
    server.namespaces.set(namespace("c", "n1", "moved"));
    server.namespaces.set(namespace("c", "n1", "moved"));
    server.namespaces.set(namespace("d", "only", "w"));
    server.namespaces.remove("c", "n2");
    server.namespaces.remove("c", "n2");
    let next = other.message().await.unwrap().unwrap();
    assert_eq!(next.set, [namespace("d", "only", "w")]);
    let mut changes = Vec::new();
    for _ in 0..3 {
        let change = early.message().await.unwrap().unwrap();
        changes.extend(change.set.into_iter().map(|it| format!("set {} {}", it.name, it.workspace)));
        changes.extend(change.removed.into_iter().map(|it| format!("removed {}", it.name)));
    }
    assert_eq!(changes, ["set n1 moved", "set only w", "removed n2"]);
}
