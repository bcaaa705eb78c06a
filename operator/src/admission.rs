//! The validating webhook: a `Rule` or `Webhook` with errors is refused with the compiler's own findings, before it is stored.
//!
//! It is a courtesy, not the guard: whatever is stored all the same (while no operator runs, or before this webhook was known) is held
//! back by the [`Index`], which keeps the last good version in force. So the apiserver is told to go on where nobody answers.
//!
//! What is said about a resource comes from [`Admission::findings`] alone: a check of another kind, as how many alerts the rules would
//! have raised lately, is one more source there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    RuleWithOperations, ServiceReference, ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams};
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use prometheus::IntCounterVec;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use vedette_rules::Diagnostic;
use vedette_service::Context;
use vedette_service::metrics::MetricError;

use crate::api::{GROUP, Rule, VERSION, Webhook};
use crate::document::Document;
use crate::index::{Index, Outcome};
use crate::serve::{ServeError, TlsFiles, TlsListener};

/// The configuration's name.
const NAME: &str = "vedette-rules";
const PATH: &str = "/validate";
/// The largest review, in bytes: a resource is at most 3 MiB, and comes with the one before it.
const LIMIT: usize = 8 * 1024 * 1024;
/// How many reviews compile at once, and how long others wait: less than the apiserver does.
pub const TURNS: usize = 2;
const WAIT: Duration = Duration::from_secs(4);
/// How many findings an answer names.
const FINDINGS: usize = 20;
/// The longest warning that the apiserver passes on, in bytes.
const WARNING: usize = 250;

/// Where the apiserver asks, and how it gets there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdmissionConfig {
    /// Where reviews are answered; nowhere, if nothing is said.
    pub listen: Option<SocketAddr>,
    /// A PEM certificate with its chain, read again when it changes.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// The authority that the apiserver is to trust, PEM: the webhook is registered with it, and again when it changes.
    pub ca: Option<PathBuf>,
    /// Where the apiserver reaches it, as `https://10.0.0.1:9443`; by default the Service `service`.
    pub url: Option<String>,
    /// The Service in the operator's namespace by which the apiserver reaches it.
    pub service: Option<String>,
}

/// Why reviews aren't answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// A setting is missing.
    #[error("`admission.listen` needs `admission.{0}`")]
    Missing(&'static str),
    /// The authority can't be read.
    #[error("read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It can't be listened.
    #[error("answer the apiserver")]
    Serve(#[from] ServeError),
    /// The apiserver does not take the registration.
    #[error("register the webhook")]
    Register(#[source] Box<kube::Error>),
    /// The server broke.
    #[error("serve reviews")]
    Broken(#[source] std::io::Error),
}

/// What reviews are answered from.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The resources as they are now.
    pub index: Arc<RwLock<Index>>,
    /// What became of them; `None` until all of them are known.
    pub outcome: watch::Receiver<Option<Arc<Outcome>>>,
    /// Each review compiles all resources: a few at once.
    pub turns: Arc<Semaphore>,
    /// Answers by `result`: `allowed`, `refused`, `unchecked` or `unreadable`.
    pub answers: IntCounterVec,
}

/// How often resources were let in.
///
/// # Errors
/// If they are counted already.
pub fn answers(ctx: &Context) -> Result<IntCounterVec, MetricError> {
    ctx.counters("admission_reviews_total", "Resources that were reviewed", &["result"])
}

impl Admission {
    /// What there is to say about a resource as it would be.
    fn findings(&self, document: &Document) -> Vec<Diagnostic> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.check(std::slice::from_ref(document))
    }

    async fn review(&self, request: AdmissionRequest<DynamicObject>) -> AdmissionResponse {
        let response = AdmissionResponse::from(&request);
        let kind = request.kind.kind.as_str();
        let Some(object) = &request.object else { return response };
        let document = match read(kind, object) {
            Ok(document) => document,
            Err(error) => {
                self.answers.with_label_values(&["unreadable"]).inc();
                return response.deny(error);
            }
        };
        // What says the same as before, or is on its way out, gets no worse: a finalizer must be able to go.
        let before = request.old_object.as_ref().and_then(|old| read(kind, old).ok());
        if object.metadata.deletion_timestamp.is_some() || before.is_some_and(|old| old.text == document.text) {
            self.answers.with_label_values(&["allowed"]).inc();
            return response;
        }
        let turn = tokio::time::timeout(WAIT, self.turns.acquire()).await;
        let (true, Ok(Ok(_turn))) = (self.outcome.borrow().is_some(), turn) else {
            return self.unchecked(response, "the operator is busy or has just started: look at its status afterwards");
        };
        let this = self.clone();
        match tokio::task::spawn_blocking(move || this.findings(&document)).await {
            Ok(findings) => self.answer(response, &findings),
            Err(_) => {
                self.answers.with_label_values(&["unreadable"]).inc();
                response.deny("the compiler fails on it: please report it")
            }
        }
    }

    fn unchecked(&self, mut response: AdmissionResponse, why: &str) -> AdmissionResponse {
        self.answers.with_label_values(&["unchecked"]).inc();
        response.warnings = Some(vec![format!("it was not checked: {why}")]);
        response
    }

    fn answer(&self, mut response: AdmissionResponse, findings: &[Diagnostic]) -> AdmissionResponse {
        let (errors, others): (Vec<_>, Vec<_>) = findings.iter().partition(|it| it.is_error());
        let warnings: Vec<_> = others.into_iter().take(FINDINGS).map(|it| cut(sentence(it), WARNING)).collect();
        if !warnings.is_empty() {
            response.warnings = Some(warnings);
        }
        if errors.is_empty() {
            self.answers.with_label_values(&["allowed"]).inc();
            return response;
        }
        self.answers.with_label_values(&["refused"]).inc();
        let count = if errors.len() == 1 { "an error".to_owned() } else { format!("{} errors", errors.len()) };
        let mut message = format!("it has {count}:");
        for error in errors.iter().take(FINDINGS) {
            message += &format!("\n  {}", sentence(error));
        }
        if errors.len() > FINDINGS {
            message += &format!("\n  and {} more", errors.len() - FINDINGS);
        }
        response.deny(message)
    }
}

fn read(kind: &str, object: &DynamicObject) -> Result<Document, String> {
    let value = serde_json::to_value(object).map_err(|error| format!("it can't be read: {error}"))?;
    let unreadable = |error: serde_json::Error| format!("it can't be read: {error}");
    let document = match kind {
        "Rule" => Document::of_rule(&serde_json::from_value::<Rule>(value).map_err(unreadable)?),
        _ => Document::of_webhook(&serde_json::from_value::<Webhook>(value).map_err(unreadable)?),
    };
    document.map_err(|error| vedette_service::chain(&error).to_string())
}

/// Of another resource, which would be wrong with this one, its name first;
/// `spec.rules[0].condition, character 8: error[VR0207]: …; help`
fn sentence(found: &Diagnostic) -> String {
    let Diagnostic { code, severity, message, field, offset, help, .. } = found;
    let place = if *offset > 0 { format!(", character {}", offset + 1) } else { String::new() };
    let help = help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    format!("{field}{place}: {severity}[{code}]: {message}{help}")
}

fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit - '…'.len_utf8()));
        text.push('…');
    }
    text
}

/// Listens, so that the address is known before anything is registered. `None`, if nothing is to be answered.
///
/// # Errors
/// If settings are missing, or the address is taken.
pub async fn listen(config: &AdmissionConfig) -> Result<Option<(TcpListener, TlsFiles)>, AdmissionError> {
    let Some(address) = config.listen else { return Ok(None) };
    let certificate = config.certificate.clone().ok_or(AdmissionError::Missing("certificate"))?;
    let key = config.key.clone().ok_or(AdmissionError::Missing("key"))?;
    let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })?;
    Ok(Some((listener, TlsFiles { certificate, key, client_ca: None })))
}

/// Answers reviews until `shutdown`.
///
/// # Errors
/// If the certificate can't be read, or the server breaks.
pub async fn serve(
    admission: Admission,
    listener: TcpListener,
    files: TlsFiles,
    shutdown: CancellationToken,
) -> Result<(), AdmissionError> {
    let router =
        axum::Router::new().route(PATH, post(handle)).layer(DefaultBodyLimit::max(LIMIT)).with_state(admission);
    let connections = TlsListener::new(files, listener, shutdown.clone())?;
    let server = axum::serve(connections, router).with_graceful_shutdown(shutdown.cancelled_owned());
    server.await.map_err(AdmissionError::Broken)
}

async fn handle(
    State(admission): State<Admission>,
    Json(review): Json<AdmissionReview<DynamicObject>>,
) -> Json<AdmissionReview<DynamicObject>> {
    let request: Result<AdmissionRequest<DynamicObject>, _> = review.try_into();
    let response = match request {
        Ok(request) => admission.review(request).await,
        Err(error) => AdmissionResponse::invalid(error),
    };
    Json(response.into_review())
}

/// Tells the apiserver to ask here. To be called by the operator that leads.
///
/// # Errors
/// If the authority can't be read, or the apiserver refuses.
pub async fn register(client: kube::Client, namespace: &str, config: &AdmissionConfig) -> Result<(), AdmissionError> {
    let file = config.ca.as_ref().ok_or(AdmissionError::Missing("ca"))?;
    let ca = std::fs::read(file).map_err(|source| AdmissionError::Read { file: file.clone(), source })?;
    let to = match (&config.url, &config.service) {
        (Some(url), _) => WebhookClientConfig {
            url: Some(format!("{}{PATH}", url.trim_end_matches('/'))),
            ca_bundle: Some(ByteString(ca)),
            service: None,
        },
        (None, Some(service)) => WebhookClientConfig {
            service: Some(ServiceReference {
                name: service.clone(),
                namespace: namespace.to_owned(),
                path: Some(PATH.to_owned()),
                port: Some(443),
            }),
            ca_bundle: Some(ByteString(ca)),
            url: None,
        },
        (None, None) => return Err(AdmissionError::Missing("url")),
    };
    let configuration = ValidatingWebhookConfiguration {
        metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() },
        webhooks: Some(vec![ValidatingWebhook {
            name: format!("rules.{GROUP}"),
            admission_review_versions: vec!["v1".to_owned()],
            client_config: to,
            failure_policy: Some("Ignore".to_owned()),
            side_effects: "None".to_owned(),
            timeout_seconds: Some(5),
            rules: Some(vec![RuleWithOperations {
                api_groups: Some(vec![GROUP.to_owned()]),
                api_versions: Some(vec![VERSION.to_owned()]),
                operations: Some(vec!["CREATE".to_owned(), "UPDATE".to_owned()]),
                resources: Some(vec!["rules".to_owned(), "webhooks".to_owned()]),
                scope: None,
            }]),
            ..ValidatingWebhook::default()
        }]),
    };
    let api = Api::<ValidatingWebhookConfiguration>::all(client);
    let params = PatchParams::apply("vedette-operator").force();
    let applied = api.patch(NAME, &params, &Patch::Apply(&configuration)).await;
    applied.map(|_| ()).map_err(|error| AdmissionError::Register(Box::new(error)))
}
