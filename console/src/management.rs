//! The operator's rule management, called for whoever asks the console.
//!
//! The console knows nothing of rules that the operator does not tell it: what compiles, what is decided about an event, and who may do
//! what is the operator's to say. It says so by the caller's own token, which goes along with every call.
//!
//! **Invariants.** The console is nobody's deputy. It has no token of its own for this, and an operator that knows it by its certificate
//! hears nothing that does not bear the caller's. Whom only the console knows (by its own tokens, by a proxy's word) is let through to an
//! operator on this machine, if they see everything: another would show their token to Kubernetes, whose business it is not. And
//! where the operator asks nobody who they are, nobody but those who see everything is let through.

mod refusal;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use vedette_proto::rules::v1 as proto;
use vedette_proto::rules::v1::rule_management_client::RuleManagementClient;
use vedette_service::chain;
use vedette_service::operator::{Bearer, OperatorConfig, OperatorError};

use crate::auth::{self, Kind};
use crate::failure::Failure;
use crate::scope::Scope;
use crate::serve::Shared;

pub(crate) use refusal::Refusal;

/// The largest answer, in bytes: a page of rules or the explanations of a trial, with room for the rest.
const ANSWER: usize = 32 << 20;
/// Of all rules together, in bytes.
const LISTED: usize = 32 << 20;
/// Rules of a page.
const PAGE: i32 = 500;
/// How long it counts that the operator asks who calls.
const ASKS: Duration = Duration::from_secs(60);

/// Where rules are managed.
#[derive(Debug)]
pub(crate) struct Management {
    operator: OperatorConfig,
    /// When it was last seen to refuse whoever says nothing of themselves.
    asked: Mutex<Option<Instant>>,
}

/// Somebody who may try to manage rules: whether they may is the operator's to say.
#[derive(Debug)]
pub(crate) struct Applicant {
    management: Arc<Management>,
    token: Option<MetadataValue<Ascii>>,
    everything: bool,
}

/// A conversation with the operator, in the name of a caller.
#[derive(Debug)]
pub(crate) struct Manager {
    client: RuleManagementClient<InterceptedService<Channel, Bearer>>,
}

/// Who applies the rules.
#[derive(Debug, Default)]
pub(crate) struct Appliers {
    pub(crate) evaluators: Vec<proto::Evaluator>,
    /// What should be in force everywhere.
    pub(crate) generation: u64,
}

impl Management {
    pub(crate) fn new(operator: OperatorConfig) -> Self {
        Self { operator, asked: Mutex::default() }
    }

    /// What is shown to the operator for a caller.
    fn token(&self, scope: &Scope, headers: &HeaderMap) -> Result<Option<MetadataValue<Ascii>>, Failure> {
        let shown = match scope.via() {
            Kind::Kubernetes { .. } | Kind::Oidc => auth::shown(headers),
            Kind::Token | Kind::TokenFile | Kind::Proxy if !scope.is_everything() || !self.operator.is_here() => {
                return Err(Failure::forbidden(
                    "the operator decides by a token of your own who manages rules: come with one of Kubernetes or of a provider",
                ));
            }
            // It may be the operator's, too.
            Kind::Token | Kind::TokenFile => auth::shown(headers),
            // What else stands in the headers of a proxy is not what they became known by.
            Kind::Proxy => return Ok(None),
        };
        // Without one the operator would take the console for the caller.
        let shown = shown.ok_or_else(|| Failure::broken("a token is not there any more"))?;
        let token = MetadataValue::try_from(format!("Bearer {shown}"));
        let mut token = token.map_err(|_| Failure::bad_request("the token is none that can be sent on"))?;
        token.set_sensitive(true);
        Ok(Some(token))
    }

    /// Makes sure that the operator refuses whoever says nothing of themselves: where it does not, nothing but the console stands between a
    /// tenant and the rules. It is asked without the console's certificate, which might be somebody's.
    async fn asks_who_calls(&self) -> Result<(), Failure> {
        let lately = |at: Instant| at.elapsed() < ASKS;
        if self.asked.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(lately) {
            return Ok(());
        }
        let nobody = OperatorConfig { certificate: None, key: None, ..self.operator.clone() };
        let mut manager = Manager::new(nobody.channel().await.map_err(|error| away(&error))?, None);
        match manager.client.list_evaluators(proto::ListEvaluatorsRequest::default()).await {
            Err(status) if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) => {
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                Ok(())
            }
            Err(status) => Err(Refusal::from(status).into()),
            Ok(_) => Err(Failure::forbidden(
                "the operator asks nobody who they are, so that rules are managed by administrators alone",
            )),
        }
    }
}

impl FromRequestParts<Arc<Shared>> for Applicant {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let scope = parts.extensions.get::<Arc<Scope>>();
        let scope = scope.ok_or_else(|| Failure::broken("nobody was asked who this is"))?;
        let management = shared.management.clone().ok_or_else(Failure::no_management)?;
        let token = management.token(scope, &parts.headers)?;
        Ok(Self { management, token, everything: scope.is_everything() })
    }
}

impl Applicant {
    /// Connects to the operator.
    pub(crate) async fn connect(self) -> Result<Manager, Failure> {
        if !self.everything {
            self.management.asks_who_calls().await?;
        }
        let channel = self.management.operator.channel().await.map_err(|error| away(&error))?;
        Ok(Manager::new(channel, self.token))
    }
}

impl Manager {
    fn new(channel: Channel, token: Option<MetadataValue<Ascii>>) -> Self {
        let client = RuleManagementClient::with_interceptor(channel, Bearer(token)).max_decoding_message_size(ANSWER);
        Self { client }
    }

    /// All rules.
    pub(crate) async fn list(&mut self) -> Result<Vec<proto::Rule>, Failure> {
        let (mut rules, mut bytes, mut page_token) = (Vec::new(), 0, String::new());
        loop {
            let parent = "namespaces/-".to_owned();
            let request = proto::ListRulesRequest { parent, page_size: PAGE, page_token, filter: String::new() };
            let page = self.client.list_rules(request).await.map_err(Refusal::from)?.into_inner();
            bytes += page.rules.iter().map(prost::Message::encoded_len).sum::<usize>();
            rules.extend(page.rules);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(rules);
            }
            if bytes > LISTED {
                return Err(Failure::unavailable("the rules are too large together to be shown at once"));
            }
        }
    }

    /// Who applies them.
    pub(crate) async fn appliers(&mut self) -> Result<Appliers, Failure> {
        let mut all = Appliers::default();
        let mut page_token = String::new();
        loop {
            let request = proto::ListEvaluatorsRequest { page_size: PAGE, page_token };
            let page = self.client.list_evaluators(request).await.map_err(Refusal::from)?.into_inner();
            all.evaluators.extend(page.evaluators);
            all.generation = page.generation;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn get(&mut self, name: String) -> Result<proto::Rule, Refusal> {
        let answer = self.client.get_rule(proto::GetRuleRequest { name }).await;
        answered(answer)
    }

    /// Makes a rule.
    pub(crate) async fn create(
        &mut self,
        (namespace, name): (&str, &str),
        rule: proto::Rule,
        validate_only: bool,
    ) -> Result<proto::Rule, Refusal> {
        let (parent, rule_id) = (format!("namespaces/{namespace}"), name.to_owned());
        let request = proto::CreateRuleRequest { parent, rule_id, rule: Some(rule), validate_only };
        let answer = self.client.create_rule(request).await;
        answered(answer)
    }

    /// Makes a rule that is there another one, as a whole.
    pub(crate) async fn replace(&mut self, rule: proto::Rule, validate_only: bool) -> Result<proto::Rule, Refusal> {
        let update_mask = Some(prost_types::FieldMask { paths: vec!["*".to_owned()] });
        let request = proto::UpdateRuleRequest {
            rule: Some(rule),
            update_mask,
            validate_only,
            ..proto::UpdateRuleRequest::default()
        };
        let answer = self.client.update_rule(request).await;
        answered(answer)
    }

    pub(crate) async fn delete(&mut self, name: String, etag: String) -> Result<(), Refusal> {
        let request = proto::DeleteRuleRequest { name, etag, ..proto::DeleteRuleRequest::default() };
        let answer = self.client.delete_rule(request).await;
        answered(answer)
    }

    /// What the compiler says of a text among the rules in force.
    pub(crate) async fn validate(
        &mut self,
        document: proto::Document,
    ) -> Result<proto::ValidateRulesResponse, Refusal> {
        let answer = self.client.validate_rules(proto::ValidateRulesRequest { documents: vec![document] }).await;
        answered(answer)
    }

    /// What texts decide about events.
    pub(crate) async fn evaluate(
        &mut self,
        request: proto::EvaluateRulesRequest,
    ) -> Result<Vec<proto::Evaluation>, Refusal> {
        let answer = self.client.evaluate_rules(request).await;
        Ok(answered(answer)?.evaluations)
    }
}

fn answered<T>(answer: Result<Response<T>, Status>) -> Result<T, Refusal> {
    Ok(answer?.into_inner())
}

fn away(error: &OperatorError) -> Failure {
    tracing::warn!(error = %chain(error), "the operator can't be asked for rules");
    Failure::unavailable("rule management is unavailable at the moment: the operator does not answer")
}
