//! Operators on either keeper of rules, and a client that says little.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};
use vedette_operator::config::RulesConfig;
use vedette_operator::serve::ServeConfig;
use vedette_operator::standalone::Standalone;
use vedette_operator::{Config, Error};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::entry::Kind;
use vedette_proto::rules::v1::rule_change::Change;
use vedette_proto::rules::v1::rule_management_client::RuleManagementClient;
use vedette_proto::rules::v1::rule_status::State;
use vedette_service::Context;

use crate::lab::Lab;
use crate::running::{PATIENCE, Running};

pub(crate) const NAMESPACE: &str = "kubesphere-logging-system";

/// An operator and what it works on.
pub(crate) enum Place {
    Cluster { plane: Box<Lab>, running: Running, token: String },
    Directory { folder: TempDir, url: String, stop: CancellationToken, task: JoinHandle<Result<(), Error>> },
}

impl Place {
    pub(crate) async fn cluster() -> Self {
        let plane = Lab::start();
        let running = Running::start(&plane, "one", |_| {}).await;
        let token = super::rbac::account(&plane, "manager", NAMESPACE);
        super::rbac::everything(&plane, "manager");
        Self::Cluster { plane: Box::new(plane), running, token }
    }

    pub(crate) async fn directory() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        Self::on(folder).await
    }

    async fn on(folder: TempDir) -> Self {
        let config = Config {
            rules: Some(RulesConfig {
                dir: folder.path().join("rules"),
                more: Vec::new(),
                state_dir: folder.path().join("state"),
                token_file: None,
            }),
            grpc: ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), ..ServeConfig::default() },
            ..Config::default()
        };
        let stop = CancellationToken::new();
        let context = Context::new("operator", prometheus::Registry::new(), stop.clone());
        let standalone = Standalone::start(config, context).await.unwrap();
        let url = format!("http://{}", standalone.address());
        Self::Directory { folder, url, stop, task: tokio::spawn(standalone.run()) }
    }

    pub(crate) fn plane(&self) -> &Lab {
        match self {
            Self::Cluster { plane, .. } => plane,
            Self::Directory { .. } => panic!("no cluster"),
        }
    }

    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Cluster { running, .. } => &running.url,
            Self::Directory { url, .. } => url,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        match self {
            Self::Cluster { .. } => panic!("no directory"),
            Self::Directory { folder, .. } => folder.path().join("rules").join(name),
        }
    }

    pub(crate) async fn client(&self) -> Client {
        let client = match self {
            Self::Cluster { running, token, .. } => Client::connect(&running.url, Some(token)).await,
            Self::Directory { url, .. } => Client::connect(url, None).await,
        };
        let mut waiting = client.clone();
        waiting.until_known().await;
        client
    }

    pub(crate) async fn end(self) {
        match self {
            Self::Cluster { running, .. } => running.end().await,
            Self::Directory { stop, task, .. } => {
                stop.cancel();
                tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
            }
        }
    }

    pub(crate) async fn restart(self) -> Self {
        let Self::Directory { folder, stop, task, .. } = self else { panic!("no directory") };
        stop.cancel();
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
        Self::on(folder).await
    }
}

#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<tonic::metadata::Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

#[derive(Clone)]
pub(crate) struct Client(RuleManagementClient<InterceptedService<Channel, Bearer>>);

type Answer<T> = Result<T, Status>;

impl Client {
    pub(crate) async fn connect(url: &str, token: Option<&str>) -> Self {
        Self::over(Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap(), token)
    }

    pub(crate) fn over(channel: Channel, token: Option<&str>) -> Self {
        let bearer = Bearer(token.map(|it| format!("Bearer {it}").parse().unwrap()));
        Self(RuleManagementClient::with_interceptor(channel, bearer).max_decoding_message_size(64 << 20))
    }

    /// Waits until the operator has seen the rules.
    async fn until_known(&mut self) {
        wait(async || {
            let answer = self.validate(Vec::new()).await;
            answer.is_ok().then_some(())
        })
        .await;
    }

    pub(crate) async fn until_in_force(&mut self, name: &str) {
        self.until(name, State::InForce).await;
    }

    pub(crate) async fn until(&mut self, name: &str, state: State) -> proto::Rule {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found = self.get(name).await;
            match found {
                Ok(rule) if rule.status.as_ref().is_some_and(|it| it.state() == state) => return rule,
                found if tokio::time::Instant::now() > end => panic!("{name} is not {state:?}: {found:?}"),
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub(crate) async fn get(&mut self, name: &str) -> Answer<proto::Rule> {
        Ok(self.0.get_rule(proto::GetRuleRequest { name: full(name) }).await?.into_inner())
    }

    pub(crate) async fn list(&mut self, request: proto::ListRulesRequest) -> Answer<proto::ListRulesResponse> {
        Ok(self.0.list_rules(request).await?.into_inner())
    }

    /// The names of all pages.
    pub(crate) async fn names(&mut self, parent: &str, page_size: i32, filter: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut page_token = String::new();
        loop {
            let (parent, filter) = (parent.to_owned(), filter.to_owned());
            let page = self.list(proto::ListRulesRequest { parent, filter, page_size, page_token }).await.unwrap();
            assert!(page_size == 0 || page.rules.len() <= page_size as usize);
            names.extend(page.rules.iter().map(|it| it.name.rsplit('/').next().unwrap().to_owned()));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return names;
            }
        }
    }

    pub(crate) async fn create(&mut self, name: &str, rule: proto::Rule) -> Answer<proto::Rule> {
        self.create_in(NAMESPACE, name, rule).await
    }

    pub(crate) async fn create_in(&mut self, namespace: &str, name: &str, rule: proto::Rule) -> Answer<proto::Rule> {
        self.make(namespace, name, rule, false).await
    }

    pub(crate) async fn try_create(&mut self, name: &str, rule: proto::Rule) -> Answer<proto::Rule> {
        self.make(NAMESPACE, name, rule, true).await
    }

    async fn make(
        &mut self,
        namespace: &str,
        name: &str,
        rule: proto::Rule,
        validate_only: bool,
    ) -> Answer<proto::Rule> {
        let parent = format!("namespaces/{namespace}");
        let request = proto::CreateRuleRequest { parent, rule_id: name.to_owned(), rule: Some(rule), validate_only };
        Ok(self.0.create_rule(request).await?.into_inner())
    }

    pub(crate) async fn update(
        &mut self,
        name: &str,
        rule: proto::Rule,
        update_mask: Option<prost_types::FieldMask>,
    ) -> Answer<proto::Rule> {
        let rule = Some(proto::Rule { name: full(name), ..rule });
        let request = proto::UpdateRuleRequest { rule, update_mask, ..Default::default() };
        Ok(self.0.update_rule(request).await?.into_inner())
    }

    pub(crate) async fn update_or_create(&mut self, name: &str, rule: proto::Rule) -> Answer<proto::Rule> {
        let rule = Some(proto::Rule { name: full(name), ..rule });
        let request = proto::UpdateRuleRequest { rule, allow_missing: true, ..Default::default() };
        Ok(self.0.update_rule(request).await?.into_inner())
    }

    pub(crate) async fn delete(&mut self, name: &str, etag: &str) -> Answer<()> {
        let request = proto::DeleteRuleRequest { name: full(name), etag: etag.to_owned(), ..Default::default() };
        self.0.delete_rule(request).await.map(|_| ())
    }

    pub(crate) async fn delete_if_there(&mut self, name: &str) -> Answer<()> {
        let request = proto::DeleteRuleRequest { name: full(name), allow_missing: true, ..Default::default() };
        self.0.delete_rule(request).await.map(|_| ())
    }

    pub(crate) async fn validate(&mut self, documents: Vec<proto::Document>) -> Answer<proto::ValidateRulesResponse> {
        Ok(self.0.validate_rules(proto::ValidateRulesRequest { documents }).await?.into_inner())
    }

    pub(crate) async fn evaluate(
        &mut self,
        request: proto::EvaluateRulesRequest,
    ) -> Answer<proto::EvaluateRulesResponse> {
        Ok(self.0.evaluate_rules(request).await?.into_inner())
    }

    pub(crate) async fn evaluators(&mut self) -> Answer<proto::ListEvaluatorsResponse> {
        Ok(self.0.list_evaluators(proto::ListEvaluatorsRequest::default()).await?.into_inner())
    }

    pub(crate) async fn watch(&mut self, filter: &str) -> Changes {
        self.watch_in("-", filter).await
    }

    pub(crate) async fn watch_in(&mut self, namespace: &str, filter: &str) -> Changes {
        let request = proto::WatchRulesRequest { parent: format!("namespaces/{namespace}"), filter: filter.to_owned() };
        Changes(self.0.watch_rules(request).await.unwrap().into_inner())
    }
}

/// An open watch.
pub(crate) struct Changes(Streaming<proto::RuleChange>);

impl Changes {
    pub(crate) async fn next(&mut self) -> Change {
        let next = tokio::time::timeout(PATIENCE, self.0.message()).await.expect("a change comes");
        next.unwrap().expect("the watch goes on").change.unwrap()
    }

    /// Why it ends.
    pub(crate) async fn end(mut self) -> Status {
        let ended = async {
            loop {
                match self.0.message().await {
                    Ok(change) => assert!(change.is_some(), "it says why it ends"),
                    Err(status) => return status,
                }
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.expect("the watch ends")
    }

    pub(crate) async fn until(&mut self, wanted: impl Fn(&Change) -> bool) {
        while !wanted(&self.next().await) {}
    }
}

/// Asks until there is an answer.
pub(crate) async fn wait<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it comes")
}

fn full(name: &str) -> String {
    format!("namespaces/{NAMESPACE}/rules/{name}")
}

pub(crate) fn labels(kind: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("type".to_owned(), kind.to_owned())])
}

pub(crate) fn rule(kind: &str, entries: Vec<proto::Entry>) -> proto::Rule {
    proto::Rule { labels: labels(kind), entries, ..proto::Rule::default() }
}

pub(crate) fn entry(name: &str, condition: &str) -> proto::Entry {
    let condition = proto::Condition {
        condition: condition.to_owned(),
        priority: "WARNING".to_owned(),
        enable: Some(true),
        ..proto::Condition::default()
    };
    proto::Entry { name: name.to_owned(), kind: Some(Kind::Rule(condition)), ..proto::Entry::default() }
}

pub(crate) fn alias(name: &str, path: &str) -> proto::Entry {
    proto::Entry { name: name.to_owned(), kind: Some(Kind::Alias(path.to_owned())), ..proto::Entry::default() }
}

pub(crate) fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() })
}

/// The details of a refusal for this reason.
#[track_caller]
pub(crate) fn refused(status: &Status, code: Code, reason: &str) -> ErrorDetails {
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().expect("an ErrorInfo");
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("vedette.io", reason), "{status:?}");
    details
}

/// Field, description and reason of each violation.
pub(crate) fn violations(details: &ErrorDetails) -> Vec<(String, String, String)> {
    let all = &details.bad_request().expect("a BadRequest").field_violations;
    all.iter().map(|it| (it.field.clone(), it.description.clone(), it.reason.clone())).collect()
}
