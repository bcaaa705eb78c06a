//! The rules of an operator: connecting to it, and saying what it says.
pub(crate) mod apply;
pub(crate) mod delete;
pub(crate) mod diff;
mod document;
pub(crate) mod get;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vedette_proto::rules::v1::rule_management_client::RuleManagementClient;
use vedette_service::chain;
use vedette_service::operator::Bearer;

use crate::home;
use crate::outcome::{Failure, Outcome};

/// Until an answer must be there.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer, in bytes.
const ANSWER: usize = 64 * 1024 * 1024;
/// The namespace of what names none, as kubectl has it.
const NAMESPACE: &str = "default";

/// Which operator is asked, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// The operator's gRPC address; https with TLS
    #[arg(long, value_name = "URL", env = "VEDETTE_SERVER", default_value = "http://127.0.0.1:9444")]
    server: String,
    /// Verify the operator with these certificates (PEM)
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A file with a bearer token, as `kubectl create token` makes one [default: VEDETTE_TOKEN, if it is set]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

pub(crate) type Client = RuleManagementClient<InterceptedService<Channel, Bearer>>;

impl Server {
    /// Runs a conversation with the operator.
    pub(crate) fn talk(&self, conversation: impl AsyncFnOnce(&mut Client) -> Outcome) -> Outcome {
        crate::runtime()?.block_on(async {
            let mut client = self.connect().await?;
            conversation(&mut client).await
        })
    }

    async fn connect(&self) -> Result<Client, Failure> {
        let bearer = Bearer(self.token()?);
        let wrong = |error: tonic::transport::Error| {
            let what = format!("`{}` is no address of an operator", self.server);
            Failure::usage(what).because(error).help("it looks like https://operator.example:9444")
        };
        let endpoint = Endpoint::from_shared(self.server.clone()).map_err(wrong)?;
        let endpoint = endpoint.connect_timeout(Duration::from_secs(10)).timeout(TIMEOUT);
        let secure = self.server.starts_with("https://");
        let endpoint = if secure { endpoint.tls_config(self.tls()?).map_err(wrong)? } else { endpoint };
        let channel = endpoint.connect().await.map_err(|error| {
            let what = format!("the operator does not answer at {}", self.server);
            let help = "name another with --server or VEDETTE_SERVER; with https, --ca says whom to trust";
            Failure::usage(what).because(chain(&error).to_string()).help(help)
        })?;
        Ok(RuleManagementClient::with_interceptor(channel, bearer).max_decoding_message_size(ANSWER))
    }

    fn token(&self) -> Result<Option<MetadataValue<Ascii>>, Failure> {
        let token = match &self.token_file {
            Some(file) => Some(home::read_token(file)?),
            None => std::env::var("VEDETTE_TOKEN").ok().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()),
        };
        let Some(token) = token else { return Ok(None) };
        let header = format!("Bearer {token}").parse::<MetadataValue<Ascii>>();
        let mut header = header.map_err(|_| Failure::usage("the token has characters that no header may have"))?;
        header.set_sensitive(true);
        Ok(Some(header))
    }

    fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        // Another command in the same process may have done so before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let read = |file: &PathBuf| {
            let failed = |error| Failure::usage(format!("can't read `{}`", file.display())).because(error);
            std::fs::read(file).map_err(failed)
        };
        let mut config = ClientTlsConfig::new();
        match &self.ca {
            Some(file) => config = config.ca_certificate(Certificate::from_pem(read(file)?)),
            None => {
                let failure =
                    Failure::usage("there is nobody to trust").help("name the operator's authority with --ca");
                return Err(failure);
            }
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(config)
    }
}

/// What the operator refused, with what it says about each field.
fn refusal(what: &str, status: &Status) -> Failure {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|it| it.field_violations.as_slice()).unwrap_or_default();
    let mut text = if what.is_empty() { status.message().to_owned() } else { format!("{what}: {}", status.message()) };
    if violations.len() > 1 {
        for violation in violations {
            text.push_str(&format!("\n  {}: {}", violation.field, violation.description));
        }
    }
    match status.code() {
        Code::Unauthenticated => Failure::usage(text)
            .help("show a token with --token-file or VEDETTE_TOKEN, or a certificate with --certificate"),
        Code::PermissionDenied => {
            Failure::usage(text).help("a Role or ClusterRole on rules.auditing.kubesphere.io gives that right")
        }
        Code::Unavailable => Failure::usage(text),
        Code::Unimplemented => Failure::usage("this is no operator, or one of another version"),
        _ => Failure::failed(text),
    }
}
