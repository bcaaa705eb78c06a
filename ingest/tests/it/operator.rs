//! Settings and namespaces from an operator, as far as events show them.

use futures::{Stream, StreamExt, stream};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming, transport::Server};
use vedette_audit::Event;
use vedette_proto::rules::v1::{
    Namespace, NamespaceChanges, Snapshot, SubscribeRequest, WatchNamespacesRequest,
    rule_distribution_server::{RuleDistribution, RuleDistributionServer},
};
use vedette_service::{
    operator::OperatorConfig,
    policy::PolicyConfig,
    snapshot::{self, SourceFile},
};

use crate::rig::{PATH, Rig};

/// Says one thing and no more.
struct Operator {
    snapshot: Snapshot,
    namespaces: NamespaceChanges,
}

type Answers<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn only<T: Send + 'static>(answer: T) -> Answers<T> {
    Box::pin(stream::once(async { Ok(answer) }).chain(stream::pending()))
}

#[tonic::async_trait]
impl RuleDistribution for Operator {
    type SubscribeStream = Answers<Snapshot>;
    type WatchNamespacesStream = Answers<NamespaceChanges>;

    async fn subscribe(
        &self,
        _: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        Ok(Response::new(only(self.snapshot.clone())))
    }

    async fn watch_namespaces(
        &self,
        _: Request<WatchNamespacesRequest>,
    ) -> Result<Response<Self::WatchNamespacesStream>, Status> {
        Ok(Response::new(only(self.namespaces.clone())))
    }
}

async fn operator() -> String {
    let webhook = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata: {name: kube-auditing-webhook}\n\
                   spec: {auditLevel: Metadata, k8sAuditingEnabled: true}\n";
    let documents = vec![SourceFile { name: "webhooks/kube-auditing-webhook".to_owned(), text: webhook.to_owned() }];
    let snapshot = snapshot::Snapshot::pack(42, documents).unwrap().message();
    let namespace = |cluster: &str, name: &str, workspace: &str| Namespace {
        cluster: cluster.to_owned(),
        name: name.to_owned(),
        uid: format!("{cluster}-{name}"),
        workspace: workspace.to_owned(),
        created: None,
    };
    let set = vec![namespace("default", "shop", "retail"), namespace("c2", "shop", "other")];
    let namespaces = NamespaceChanges { complete: true, set, ..Default::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = RuleDistributionServer::new(Operator { snapshot, namespaces });
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpListenerStream::new(listener)));
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_settings_and_workspaces_from_an_operator() {
    let url = operator().await;
    let mut rig = Rig::start(|config, _| {
        let operator = Some(OperatorConfig { url, ..OperatorConfig::default() });
        config.policy = PolicyConfig { operator, ..PolicyConfig::default() };
    })
    .await;
    let forged = r#""Vedette":{"NamespaceUID":"forged"},"vedette":{"namespaceUid":"forged"}"#;
    let item =
        format!(r#"{{"verb":"get",{forged},"objectRef":{{"resource":"pods","namespace":"shop"}},"requestObject":1}}"#);
    let body = format!(r#"{{"items":[{item}]}}"#);
    for path in [PATH.to_owned(), format!("{PATH}/c2"), format!("{PATH}/c3")] {
        assert_eq!(rig.post_to(&path, body.clone()).await.status, 200);
    }
    let mut found = Vec::new();
    for delivery in rig.messages(3).await {
        let batch = delivery.message.unwrap();
        assert_eq!(batch.generation, 42);
        let event = Event::parse(&batch.events[0].json).unwrap();
        assert_eq!(&batch.events[0].id[..], Event::parse(item.as_bytes()).unwrap().id(&batch.cluster).as_bytes());
        assert!(event.request_object().is_none(), "the level is the operator's");
        found.push((batch.cluster.clone(), event.workspace().into_owned(), event.namespace_uid().into_owned()));
    }
    found.sort();
    let expected = [("c2", "other", "c2-shop"), ("c3", "", ""), ("default", "retail", "default-shop")];
    assert_eq!(
        found,
        expected.map(|(cluster, workspace, uid)| (cluster.to_owned(), workspace.to_owned(), uid.to_owned()))
    );
    rig.stop();
    rig.stopped().await;
}
