//! Tokens that an OpenID Connect provider signed, read as kube-apiserver's `--oidc-…` flags read them.
//!
//! Names that Kubernetes gives itself (`system:…`) no provider can give: who could write a group into the provider would otherwise be the
//! master of every cluster.

use std::sync::Arc;

use jsonwebtoken::{Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::OidcConfig;
use super::origin::Origin;
use super::provider::Provider;
use super::{AuthError, Caller, Kind, Refused, SYSTEM, jwt};

/// How far clocks may be apart.
const LEEWAY_SECONDS: u64 = 10;
/// Groups that are read of a token.
const GROUPS: usize = 1_000;

/// The provider.
#[derive(Debug)]
pub(super) struct Oidc {
    config: OidcConfig,
    prefix: String,
    provider: Arc<Provider>,
    validation: Validation,
}

#[derive(Deserialize)]
struct Issued {
    iss: String,
}

impl Oidc {
    pub(super) fn new(config: &OidcConfig) -> Result<Self, AuthError> {
        jwt::install();
        let mut validation =
            Validation { leeway: LEEWAY_SECONDS, validate_nbf: true, algorithms: Vec::new(), ..Validation::default() };
        validation.set_audience(&[&config.client_id]);
        validation.set_issuer(&[&config.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let prefix = match config.username_prefix.as_deref() {
            Some("-") => String::new(),
            Some(prefix) => prefix.to_owned(),
            None if config.username_claim == "email" => String::new(),
            None => format!("{}#", config.issuer),
        };
        Ok(Self { config: config.clone(), prefix, provider: Arc::new(Provider::new(config)?), validation })
    }

    /// Whether a token says that it is this provider's; nothing of it is believed yet.
    pub(super) fn issued(&self, token: &str) -> bool {
        dangerous::insecure_decode_claims::<Issued>(token).is_ok_and(|it| it.iss == self.config.issuer)
    }

    /// The origins that pages ask when they sign somebody in.
    pub(super) async fn asked_by_pages(&self) -> Vec<Origin> {
        self.provider.asked_by_pages().await
    }

    /// Whose token this is.
    pub(super) async fn caller(&self, token: &str) -> Result<Caller, Refused> {
        let refused = Refused::Unknown("the token is not one that the identity provider signed for this console");
        let Ok(header) = decode_header(token) else { return Err(refused) };
        if !jwt::ALGORITHMS.contains(&header.alg) {
            return Err(Refused::Unknown("the token is not signed in a way that is accepted"));
        }
        let mut validation = self.validation.clone();
        // Exactly that of the header, which the key must be for.
        validation.algorithms = vec![header.alg];
        for signer in self.provider.find(header.kid.as_deref(), header.alg).await? {
            match decode::<Map<String, Value>>(token, &signer.key, &validation) {
                Ok(token) => return self.claimed(&token.claims),
                Err(error) => tracing::debug!(%error, "a token is refused"),
            }
        }
        Err(refused)
    }

    fn claimed(&self, claims: &Map<String, Value>) -> Result<Caller, Refused> {
        let OidcConfig { username_claim, groups_claim, groups_prefix, .. } = &self.config;
        let name = claims.get(username_claim).and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or(Refused::Unknown("the token does not say who it is for"))?;
        // As for kube-apiserver: where the provider says nothing of it, it is its own affair.
        let verified = claims.get("email_verified").is_none_or(|it| it == &Value::Bool(true));
        if username_claim == "email" && !verified {
            return Err(Refused::Unknown("the token's e-mail address is not verified"));
        }
        let name = format!("{}{name}", self.prefix);
        if name.starts_with(SYSTEM) {
            return Err(Refused::Unknown("names that begin with `system:` are Kubernetes' own"));
        }
        let groups = groups_claim.as_ref().and_then(|claim| claims.get(claim));
        let groups = match groups {
            Some(Value::String(group)) => vec![group.as_str()],
            Some(Value::Array(groups)) => groups.iter().take(GROUPS).filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let groups = groups.into_iter().map(|group| format!("{groups_prefix}{group}"));
        let groups = groups.filter(|group| !group.starts_with(SYSTEM)).collect();
        Ok(Caller::new(name, groups, Kind::Oidc))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn oidc(change: impl FnOnce(&mut OidcConfig)) -> Oidc {
        let config = json!({"issuer": "https://id.example.com", "clientId": "vedette", "groupsClaim": "groups"});
        let mut config = serde_json::from_value(config).unwrap();
        change(&mut config);
        Oidc::new(&config).unwrap()
    }

    #[test]
    fn claims_become_names_as_kubernetes_makes_them() {
        let check = |change: fn(&mut OidcConfig), claims: Value, expected: Option<(&str, &[&str])>| {
            let caller = oidc(change).claimed(claims.as_object().unwrap()).ok();
            let groups =
                |caller: &Caller| caller.groups.iter().filter(|it| *it != "system:authenticated").cloned().collect();
            let found: Option<(String, Vec<String>)> = caller.map(|it| (it.name.clone(), groups(&it)));
            let expected = expected
                .map(|(name, groups)| (name.to_owned(), groups.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()));
            assert_eq!(found, expected, "{claims}");
        };
        check(|_| {}, json!({"sub": "ann"}), Some(("https://id.example.com#ann", &[])));
        check(
            |_| {},
            json!({"sub": "ann", "groups": ["a", 1, "b"]}),
            Some(("https://id.example.com#ann", &["a", "b"])),
        );
        check(|_| {}, json!({"sub": "ann", "groups": "a"}), Some(("https://id.example.com#ann", &["a"])));
        check(|_| {}, json!({"sub": ""}), None);
        check(|_| {}, json!({"sub": 1}), None);
        check(|c| c.username_prefix = Some("-".to_owned()), json!({"sub": "ann"}), Some(("ann", &[])));
        check(|c| c.username_prefix = Some("idp:".to_owned()), json!({"sub": "ann"}), Some(("idp:ann", &[])));
        check(
            |c| c.groups_prefix = "idp:".to_owned(),
            json!({"sub": "a", "groups": ["b"]}),
            Some(("https://id.example.com#a", &["idp:b"])),
        );
        check(|c| c.groups_claim = None, json!({"sub": "a", "groups": ["b"]}), Some(("https://id.example.com#a", &[])));
        // Nobody else gives the names of Kubernetes itself.
        check(|c| c.username_prefix = Some("-".to_owned()), json!({"sub": "system:admin"}), None);
        check(|_| {}, json!({"sub": "a", "groups": ["system:masters"]}), Some(("https://id.example.com#a", &[])));
        let email: fn(&mut OidcConfig) = |c| c.username_claim = "email".to_owned();
        check(email, json!({"email": "a@example.com"}), Some(("a@example.com", &[])));
        check(email, json!({"email": "a@example.com", "email_verified": true}), Some(("a@example.com", &[])));
        check(email, json!({"email": "a@example.com", "email_verified": false}), None);
        check(email, json!({"email": "a@example.com", "email_verified": "true"}), None);
    }
}
