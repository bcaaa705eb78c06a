//! The rules over HTTP, before an operator that says what it is told to say: who is let through, with what token, and what becomes of
//! its refusals. What a real one says is held against in the tests of `vedette up`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};
use vedette_console::{AuthConfig, Config, KubernetesAuth, TenancyCluster, TenancyConfig};
use vedette_e2e::ControlPlane;
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_management_server::{RuleManagement, RuleManagementServer};
use vedette_service::operator::OperatorConfig;

use super::rig::{Rig, Sample, TOKEN};

const SOURCE: &str = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: a\n  namespace: audit\nspec:\n  \
                      rules:\n  - name: x\n    type: rule\n    condition: Verb = \"get\"\n    priority: INFO\n";
const PATH: &str = "/api/v1/rules/audit/a";

/// An operator that refuses everything as it is told, and knows those whom Kubernetes knows.
#[derive(Clone, Default)]
struct Stub(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// What is answered; without it, an empty message.
    refusal: Option<Status>,
    /// Whether whoever shows no token is refused.
    asks: bool,
    /// The tokens that were shown, with the calls.
    shown: Vec<(&'static str, Option<String>)>,
    /// What was written.
    written: Option<proto::Rule>,
}

impl Stub {
    async fn start(&self) -> (String, CancellationToken) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let (service, end) = (RuleManagementServer::new(self.clone()), stop.clone());
        tokio::spawn(async move {
            let serving = Server::builder().add_service(service);
            serving.serve_with_incoming_shutdown(TcpIncoming::from(listener), end.cancelled_owned()).await.unwrap();
        });
        (url, stop)
    }

    fn refuses(&self, status: Option<Status>) {
        self.0.lock().unwrap().refusal = status;
    }

    /// The calls since this was asked last.
    fn shown(&self) -> Vec<(&'static str, Option<String>)> {
        std::mem::take(&mut self.0.lock().unwrap().shown)
    }

    fn answer<T, A: Default>(&self, call: &'static str, request: &Request<T>) -> Result<Response<A>, Status> {
        let token = request.metadata().get("authorization").map(|it| it.to_str().unwrap().to_owned());
        let mut told = self.0.lock().unwrap();
        told.shown.push((call, token.clone()));
        if token.is_none() && told.asks {
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
            ..proto::Rule::default()
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

async fn ask(rig: &Rig, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let request = rig.client.request(method, rig.url(path)).bearer_auth(token);
    let request = body.map(|body| body.to_string()).into_iter().fold(request, |request, body| request.body(body));
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

async fn rig(url: &str, auth: AuthConfig, clusters: Vec<TenancyCluster>) -> (Rig, Sample) {
    vedette_service::tls::install_provider();
    let sample = Sample::of(Vec::new()).await;
    let management = Some(OperatorConfig { url: url.to_owned(), ..OperatorConfig::default() });
    let tenancy = TenancyConfig { clusters, ..TenancyConfig::default() };
    let config = Config { token: Some(TOKEN.into()), auth, tenancy, management, ..Config::default() };
    (Rig::start_with(Arc::clone(&sample.archive), config, Client::new()).await, sample)
}

/// As an operator says it.
fn refusal(code: Code, reason: &str, violations: &[(&str, &str)]) -> Option<Status> {
    let mut details =
        ErrorDetails::with_error_info(reason, "vedette.io", std::collections::HashMap::<String, String>::new());
    let violation = |(field, reason): &(&str, &str)| FieldViolation {
        reason: (*reason).to_owned(),
        ..FieldViolation::new(*field, "is wrong")
    };
    if !violations.is_empty() {
        details.set_bad_request(violations.iter().map(violation).collect::<Vec<_>>());
    }
    Some(Status::with_error_details(code, "the operator's words", details))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_refuses_is_said_in_http() {
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    for (code, reason, expected) in [
        (Code::Unauthenticated, "UNAUTHENTICATED", 403),
        (Code::PermissionDenied, "ACCESS_DENIED", 403),
        (Code::NotFound, "RULE_NOT_FOUND", 404),
        (Code::AlreadyExists, "RULE_EXISTS", 409),
        (Code::Aborted, "ETAG_MISMATCH", 409),
        (Code::FailedPrecondition, "FILE", 409),
        (Code::ResourceExhausted, "LIMIT", 429),
        (Code::Unavailable, "UNAVAILABLE", 503),
    ] {
        stub.refuses(refusal(code, reason, &[]));
        let (status, problem) = ask(&rig, Method::GET, PATH, TOKEN, None).await;
        assert_eq!((status, &problem["code"]), (expected, &json!(expected)), "{code:?}: {problem:#}");
        assert!(problem["message"].as_str().unwrap().contains("the operator's words"), "{problem:#}");
    }
    // Whatever is not an operator's own word stays inside.
    for (code, expected) in [(Code::Internal, 502), (Code::Unimplemented, 502), (Code::Unavailable, 503)] {
        stub.refuses(Some(Status::new(code, "10.0.0.1 says no")));
        let (status, problem) = ask(&rig, Method::GET, PATH, TOKEN, None).await;
        assert_eq!(status, expected, "{problem:#}");
        assert!(!problem["message"].as_str().unwrap().contains("10.0.0.1"), "{problem:#}");
    }
    stub.refuses(refusal(Code::InvalidArgument, "INVALID_FIELD", &[("name", "")]));
    let (status, problem) = ask(&rig, Method::GET, PATH, TOKEN, None).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("name")), "{problem:#}");
    // A rule that does not compile: with what the refusal itself says, where the text can't be asked about.
    stub.refuses(refusal(Code::InvalidArgument, "BROKEN_RULE", &[("rule.entries[0].rule.condition", "VR0101")]));
    let (status, problem) = ask(&rig, Method::DELETE, PATH, TOKEN, None).await;
    assert_eq!(status, 400);
    let found = &problem["diagnostics"][0];
    let said = json!({"severity": "error", "code": "VR0101", "message": "is wrong", "document": "",
        "path": "rule.entries[0].rule.condition"});
    assert_eq!(found, &said);
    stub.refuses(None);

    let written = json!({"source": SOURCE.replace("  namespace", "  annotations: {other: after}\n  namespace")});
    assert_eq!(ask(&rig, Method::PUT, PATH, TOKEN, Some(written)).await.0, 200);
    let rule = stub.0.lock().unwrap().written.take().unwrap();
    assert_eq!((rule.name.as_str(), rule.etag.as_str()), ("namespaces/audit/rules/a", "one"));
    // What the text does not show stays, and what it no longer has is gone.
    let annotations: Vec<_> = rule.annotations.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(annotations, [("kubectl.kubernetes.io/last-applied-configuration", "before"), ("other", "after")]);

    for (body, expected) in [
        (json!({"source": SOURCE, "more": 1}), 400),
        (json!({"source": 1}), 400),
        (json!({"source": format!("{SOURCE}---\n{SOURCE}")}), 400),
        (json!({"source": SOURCE.replace("name: a", "name: b")}), 400),
        (json!({"source": "kind: Webhook"}), 400),
        (json!({"source": "x".repeat(1 << 20)}), 413),
    ] {
        let (status, problem) = ask(&rig, Method::PUT, PATH, TOKEN, Some(body)).await;
        assert_eq!((status, &problem["code"]), (expected, &json!(expected)), "{problem:#}");
    }
    assert_eq!(
        ask(&rig, Method::PUT, &format!("{PATH}?validateOnly=yes"), TOKEN, Some(json!({"source": ""}))).await.0,
        400
    );
    assert_eq!(ask(&rig, Method::GET, &format!("{PATH}?x=1"), TOKEN, None).await.0, 400);
    for limit in [0, 201] {
        let (status, problem) =
            ask(&rig, Method::POST, "/api/v1/rules/try", TOKEN, Some(json!({"source": SOURCE, "limit": limit}))).await;
        assert_eq!((status, &problem["parameter"]), (400, &json!("limit")), "{problem:#}");
    }
    let (status, problem) =
        ask(&rig, Method::POST, "/api/v1/rules/try", TOKEN, Some(json!({"source": SOURCE, "q": "last:x"}))).await;
    assert_eq!((status, &problem["parameter"]), (400, &json!("q")), "{problem:#}");

    stop.cancel();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_operator_it_is_said_which_setting_names_one() {
    let sample = Sample::of(Vec::new()).await;
    let plain = Rig::start(Arc::clone(&sample.archive)).await;
    let (status, problem) = ask(&plain, Method::GET, "/api/v1/rules", TOKEN, None).await;
    assert_eq!(status, 404);
    assert!(problem["message"].as_str().unwrap().contains("`management`"), "{problem:#}");
    plain.stop().await;
    // Nobody listens there.
    let url = format!("http://127.0.0.1:{}", vedette_e2e::ports::free());
    let (away, _sample) = rig(&url, AuthConfig::default(), Vec::new()).await;
    let (status, problem) = ask(&away, Method::GET, "/api/v1/rules", TOKEN, None).await;
    assert_eq!(status, 503);
    assert!(problem["message"].as_str().unwrap().contains("rule management is unavailable"), "{problem:#}");
    away.stop().await;
}

/// Whom Kubernetes knows speaks for themselves; whom only the console knows does not get to an operator, unless they see everything.
#[tokio::test(flavor = "multi_thread")]
async fn callers_are_shown_to_the_operator_as_themselves_or_not_at_all() {
    let kube = tokio::task::spawn_blocking(ControlPlane::bare).await.unwrap();
    kube.kubectl_ok(&["create", "serviceaccount", "robot", "-n", "default"], None);
    let robot = kube.kubectl_ok(&["create", "token", "robot", "-n", "default"], None).trim().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let tokens_file = folder.path().join("tokens.csv");
    std::fs::write(&tokens_file, "bobs-token,bob,2\nroots-token,root,3,system:masters\n").unwrap();
    let kubernetes = KubernetesAuth { kubeconfig: Some(kube.kubeconfig()), ..KubernetesAuth::default() };
    let auth = AuthConfig { kubernetes: Some(kubernetes), tokens_file: Some(tokens_file), ..AuthConfig::default() };
    let cluster = TenancyCluster { name: "default".to_owned(), kubeconfig: Some(kube.kubeconfig()) };
    let stub = Stub::default();
    let (url, stop) = stub.start().await;
    let (rig, _sample) = rig(&url, auth, vec![cluster]).await;
    // As soon as it is known what they may see.
    let known = async {
        while ask(&rig, Method::GET, "/api/v1/me", &robot, None).await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), known).await.expect("it is known what the robot sees");
    let get = async |token: &str| ask(&rig, Method::GET, PATH, token, None).await;
    let bearer = |token: &str| Some(format!("Bearer {token}"));

    // An operator that asks nobody would let a tenant do anything.
    let (status, problem) = get(&robot).await;
    assert_eq!(status, 403, "{problem:#}");
    assert_eq!(stub.shown(), [("evaluators", None)]);
    stub.0.lock().unwrap().asks = true;
    assert_eq!(get(&robot).await.0, 200);
    assert_eq!(stub.shown(), [("evaluators", None), ("get", bearer(&robot))]);
    // Who has just been known to Kubernetes, and to the operator no longer is.
    stub.refuses(refusal(Code::Unauthenticated, "UNAUTHENTICATED", &[]));
    assert_eq!(get(&robot).await.0, 401);
    stub.shown();
    stub.refuses(None);

    let (status, problem) = get("bobs-token").await;
    assert_eq!(status, 403, "{problem:#}");
    assert_eq!(stub.shown(), [], "the operator hears nothing of a tenant whom it can't know");
    for administrator in ["roots-token", TOKEN] {
        assert_eq!(get(administrator).await.0, 200);
        assert_eq!(stub.shown(), [("get", bearer(administrator))]);
    }
    stop.cancel();
    rig.stop().await;
}
