//! The settings of who asks.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::config::SettingError;

/// The ways in, besides the console's own token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AuthConfig {
    /// A file of tokens as kube-apiserver's `--token-auth-file` reads it: `token,user,uid,"group1,group2"`. Read again when it changes.
    pub tokens_file: Option<PathBuf>,
    /// Tokens that a Kubernetes cluster knows.
    pub kubernetes: Option<KubernetesAuth>,
    /// Tokens that an OpenID Connect provider signed.
    pub oidc: Option<OidcConfig>,
    /// A proxy in front of the console that says who asks.
    pub proxy: Option<ProxyConfig>,
}

/// The cluster that is asked about tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KubernetesAuth {
    /// Its kubeconfig; by default that of the environment, or of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// Its name in events: what its service accounts may see is looked up in this cluster alone.
    pub cluster: String,
    /// Audiences of which a token must be for one; by default that of the apiserver.
    pub audiences: Vec<String>,
}

impl Default for KubernetesAuth {
    fn default() -> Self {
        Self { kubeconfig: None, cluster: "default".to_owned(), audiences: Vec::new() }
    }
}

/// The identity provider. The settings mean what kube-apiserver's `--oidc-…` mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OidcConfig {
    /// Its URL, exactly as tokens name it; `https`, or `http` on loopback.
    pub issuer: String,
    /// The audience that a token must be for: the console's client id.
    pub client_id: String,
    /// The claim with the user's name.
    #[serde(default = "sub")]
    pub username_claim: String,
    /// What is put before the name; by default the issuer and `#`, but nothing before an `email`. `-` means nothing.
    #[serde(default)]
    pub username_prefix: Option<String>,
    /// The claim with the groups; without it there are none.
    #[serde(default)]
    pub groups_claim: Option<String>,
    /// What is put before each group.
    #[serde(default)]
    pub groups_prefix: String,
    /// PEM certificates that the provider's must chain to, in place of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What the console's pages ask for when somebody signs in.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
}

fn scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn sub() -> String {
    "sub".to_owned()
}

/// The proxy that is trusted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyConfig {
    /// PEM certificates of the authority of its client certificate.
    pub client_ca_file: PathBuf,
    /// Its certificate's common name, or a DNS name of it. One at least: an authority alone is not enough.
    pub allowed_names: Vec<String>,
}

impl AuthConfig {
    /// Whether there is any way in.
    pub(crate) fn any(&self) -> bool {
        self.tokens_file.is_some() || self.kubernetes.is_some() || self.oidc.is_some() || self.proxy.is_some()
    }

    /// Checks what the types can't say.
    pub(crate) fn check(&self, tls: bool) -> Result<(), SettingError> {
        let error = |key, message| Err(SettingError { key, message });
        if let Some(oidc) = &self.oidc {
            if !secure(&oidc.issuer) {
                return error("auth.oidc.issuer", "must be a `https` URL: over anything else anybody could sign");
            }
            if oidc.client_id.is_empty() {
                return error("auth.oidc.clientId", "must not be empty: a token for others would be one for us");
            }
            if !oidc.scopes.iter().any(|scope| scope == "openid") {
                return error("auth.oidc.scopes", "must have `openid`: without it there is no ID token");
            }
            if oidc.scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
                return error("auth.oidc.scopes", "must be a list of single words");
            }
        }
        if let Some(proxy) = &self.proxy {
            if !tls {
                return error("auth.proxy", "needs `tls`: the proxy is known by its client certificate");
            }
            if proxy.allowed_names.is_empty() || proxy.allowed_names.iter().any(String::is_empty) {
                return error("auth.proxy.allowedNames", "must name the proxy's certificate");
            }
        }
        Ok(())
    }
}

/// Whether nobody on the way can change what this URL gives.
pub(super) fn secure(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let loopback = || match url.host_str() {
        Some(host) => {
            host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|it: IpAddr| it.is_loopback())
        }
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && loopback())
}
