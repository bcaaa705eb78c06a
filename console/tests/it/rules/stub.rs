//! An operator that says what it is told to say.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_management_server::{RuleManagement, RuleManagementServer};

/// An operator that refuses everything as it is told, and knows those whom Kubernetes knows.
#[derive(Clone, Default)]
pub(super) struct Stub(pub(super) Arc<Mutex<Told>>);

#[derive(Default)]
pub(super) struct Told {
    /// What is answered; without it, an empty message.
    pub(super) refusal: Option<Status>,
    /// Whether whoever shows no token is refused.
    pub(super) asks: bool,
    /// The tokens that were shown, with the calls.
    shown: Vec<(&'static str, Option<String>)>,
    /// What was written.
    pub(super) written: Option<proto::Rule>,
    /// What each rule has beside its name.
    pub(super) rule: Option<proto::Rule>,
}

impl Stub {
    pub(super) async fn start(&self) -> (String, CancellationToken) {
        self.serve("http", Server::builder()).await
    }

    /// With TLS, where who shows a certificate is somebody.
    pub(super) async fn start_tls(&self, tls: ServerTlsConfig) -> (String, CancellationToken) {
        self.serve("https", Server::builder().tls_config(tls).unwrap()).await
    }

    async fn serve(&self, scheme: &str, mut server: Server) -> (String, CancellationToken) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let (service, end) = (RuleManagementServer::new(self.clone()), stop.clone());
        tokio::spawn(async move {
            let serving = server.add_service(service);
            serving.serve_with_incoming_shutdown(TcpIncoming::from(listener), end.cancelled_owned()).await.unwrap();
        });
        (url, stop)
    }

    pub(super) fn refuses(&self, status: Option<Status>) {
        self.0.lock().unwrap().refusal = status;
    }

    /// The calls since this was asked last.
    pub(super) fn shown(&self) -> Vec<(&'static str, Option<String>)> {
        std::mem::take(&mut self.0.lock().unwrap().shown)
    }

    fn answer<T, A: Default>(&self, call: &'static str, request: &Request<T>) -> Result<Response<A>, Status> {
        let token = request.metadata().get("authorization").map(|it| it.to_str().unwrap().to_owned());
        let mut told = self.0.lock().unwrap();
        told.shown.push((call, token.clone()));
        let certified = request.peer_certs().is_some_and(|chain| !chain.is_empty());
        if token.is_none() && !certified && told.asks {
            return Err(Status::unauthenticated("say who you are"));
        }
        told.refusal.clone().map_or_else(|| Ok(Response::new(A::default())), Err)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RuleManagement for Stub {
    type WatchRulesStream = futures::stream::Empty<Result<proto::RuleChange, Status>>;

    async fn list_rules(&self, request: Request<proto::ListRulesRequest>) -> Answer<proto::ListRulesResponse> {
        self.answer("list", &request)
    }

    async fn get_rule(&self, request: Request<proto::GetRuleRequest>) -> Answer<proto::Rule> {
        let annotations = ["kubectl.kubernetes.io/last-applied-configuration", "note"];
        let rule = proto::Rule {
            name: request.get_ref().name.clone(),
            etag: "one".to_owned(),
            annotations: annotations.map(|name| (name.to_owned(), "before".to_owned())).into(),
            ..self.0.lock().unwrap().rule.clone().unwrap_or_default()
        };
        self.answer::<_, proto::Rule>("get", &request).map(|_| Response::new(rule))
    }

    async fn create_rule(&self, request: Request<proto::CreateRuleRequest>) -> Answer<proto::Rule> {
        self.answer("create", &request)
    }

    async fn update_rule(&self, request: Request<proto::UpdateRuleRequest>) -> Answer<proto::Rule> {
        let answer = self.answer::<_, proto::Rule>("update", &request)?;
        self.0.lock().unwrap().written = request.into_inner().rule;
        Ok(answer)
    }

    async fn delete_rule(&self, request: Request<proto::DeleteRuleRequest>) -> Answer<()> {
        self.answer("delete", &request)
    }

    async fn validate_rules(
        &self,
        request: Request<proto::ValidateRulesRequest>,
    ) -> Answer<proto::ValidateRulesResponse> {
        self.answer("validate", &request)
    }

    async fn evaluate_rules(
        &self,
        request: Request<proto::EvaluateRulesRequest>,
    ) -> Answer<proto::EvaluateRulesResponse> {
        self.answer("evaluate", &request)
    }

    async fn watch_rules(&self, _: Request<proto::WatchRulesRequest>) -> Answer<Self::WatchRulesStream> {
        Err(Status::unimplemented("nobody watches here"))
    }

    async fn list_evaluators(
        &self,
        request: Request<proto::ListEvaluatorsRequest>,
    ) -> Answer<proto::ListEvaluatorsResponse> {
        self.answer("evaluators", &request)
    }
}
