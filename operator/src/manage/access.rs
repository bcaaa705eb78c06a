//! Who calls, and what they may: Kubernetes is asked both, so that one place says who manages rules.
//!
//! A caller shows a bearer token, which a TokenReview turns into a user, or a client certificate whose subject is the user (CN) and the
//! groups (O), as kube-apiserver reads it. A SubjectAccessReview on `rules.auditing.kubesphere.io` then decides. Answers are kept for a
//! few seconds, so that revoking takes effect in that time and a busy client does not become the apiserver's load; failures to ask are
//! not kept. Without Kubernetes there is one token, or none on loopback.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::Semaphore;
use tonic::Request;
use vedette_service::kept::Kept;
use vedette_service::subject;

use super::error::{Denied, ManageError};
use crate::api::{GROUP, VERSION};

/// How the common names begin of the certificates that Vedette's own services have: no user is called so.
pub const SERVICES: &str = "vedette:";
/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(10);
/// How many answers are kept of each kind.
const KEPT: usize = 4096;
/// How many questions are asked at once.
const AT_ONCE: usize = 16;
/// The longest token.
const TOKEN: usize = 16 * 1024;

/// Who is calling.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// As Kubernetes calls them; empty, if nobody asked.
    pub user: String,
    groups: Vec<String>,
    uid: Option<String>,
    extra: Option<BTreeMap<String, Vec<String>>>,
}

/// What a call does to rules.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// `get`, `list`, `watch`, `create`, `update` or `delete`.
    pub verb: &'static str,
    /// Where; in all namespaces, if nothing is said.
    pub namespace: Option<&'a str>,
    /// To which, if it is to one.
    pub name: Option<&'a str>,
}

/// Who may manage rules. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Gate {
    /// Everybody: on loopback alone.
    Open,
    /// Whoever has the token of this file, which is read again with each call, so that it can be changed.
    Token(PathBuf),
    /// Whoever Kubernetes says.
    Kubernetes(Arc<Reviews>),
}

/// Kubernetes' answers.
pub struct Reviews {
    client: Client,
    /// Whoever calls with nonsense must not become the apiserver's load.
    asking: Semaphore,
    callers: Mutex<Kept<[u8; 32], Caller>>,
    decisions: Mutex<Kept<Question, Result<(), String>>>,
}

type Question = (Caller, &'static str, Option<String>, Option<String>);

impl std::fmt::Debug for Reviews {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reviews").finish_non_exhaustive()
    }
}

impl Gate {
    /// Asks the cluster that `client` speaks to.
    pub fn kubernetes(client: Client) -> Self {
        Self::Kubernetes(Arc::new(Reviews {
            client,
            asking: Semaphore::new(AT_ONCE),
            callers: Mutex::new(Kept::new(FRESH, KEPT)),
            decisions: Mutex::new(Kept::new(FRESH, KEPT)),
        }))
    }

    /// Who calls, if they may do all of `deeds`.
    ///
    /// # Errors
    /// If nobody has said who calls, or they may not, or Kubernetes can't be asked.
    pub async fn pass<T>(&self, request: &Request<T>, deeds: &[Deed<'_>]) -> Result<Caller, ManageError> {
        let token = bearer(request)?;
        match self {
            Self::Open => Ok(Caller::default()),
            Self::Token(file) => {
                let token =
                    token.ok_or_else(|| ManageError::Unauthenticated("show the token of this operator".to_owned()))?;
                let expected = read(file).await?;
                // Compared as hashes, which takes as long for any token.
                if blake3::hash(token.as_bytes()) == blake3::hash(expected.as_bytes()) {
                    Ok(Caller::default())
                } else {
                    Err(ManageError::Unauthenticated("this is not the operator's token".to_owned()))
                }
            }
            Self::Kubernetes(reviews) => {
                let caller = match token {
                    Some(token) => reviews.caller(token).await?,
                    None => certified(request)?,
                };
                for deed in deeds {
                    reviews.allow(&caller, *deed).await?;
                }
                Ok(caller)
            }
        }
    }

    /// Ends when whoever sent `request` may not do all of `deeds` any more. As long as nobody can be asked, what was said last holds: there
    /// is nothing new to see then either.
    pub(super) async fn refused<T>(&self, request: &Request<T>, deeds: &[Deed<'_>]) -> ManageError {
        loop {
            tokio::time::sleep(FRESH).await;
            match self.pass(request, deeds).await {
                Ok(_) | Err(ManageError::Unavailable { .. }) => {}
                Err(error) => return error,
            }
        }
    }
}

fn bearer<T>(request: &Request<T>) -> Result<Option<&str>, ManageError> {
    let Some(header) = request.metadata().get("authorization") else { return Ok(None) };
    let wrong = || ManageError::Unauthenticated("`authorization` is not `Bearer <token>`".to_owned());
    let (scheme, token) = header.to_str().map_err(|_| wrong())?.split_once(' ').ok_or_else(wrong)?;
    let token = token.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= TOKEN;
    if fits { Ok(Some(token)) } else { Err(wrong()) }
}

async fn read(file: &Path) -> Result<String, ManageError> {
    let text = tokio::fs::read_to_string(file).await;
    let text = text.map_err(|source| ManageError::Internal {
        what: "can't read the operator's token".to_owned(),
        source: Some(source.into()),
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(ManageError::Internal { what: "the operator's token is empty".to_owned(), source: None });
    }
    Ok(token.to_owned())
}

/// Of the certificate that TLS has verified.
fn certified<T>(request: &Request<T>) -> Result<Caller, ManageError> {
    let chain = request.peer_certs();
    let Some(certificate) = chain.as_ref().and_then(|chain| chain.first()) else {
        let what = "show a Kubernetes bearer token or a client certificate";
        return Err(ManageError::Unauthenticated(what.to_owned()));
    };
    let subject = subject::of(certificate).ok_or_else(|| {
        ManageError::Unauthenticated("the client certificate has no common name that could be the user".to_owned())
    })?;
    let (user, mut groups) = (subject.common_name, subject.organizations);
    if user.starts_with(SERVICES) {
        let what = format!(
            "the client certificate is that of a service, `{user}`, which takes rules and does not manage them"
        );
        return Err(ManageError::Unauthenticated(what));
    }
    groups.push("system:authenticated".to_owned());
    Ok(Caller { user, groups, uid: None, extra: None })
}

impl Reviews {
    async fn caller(&self, token: &str) -> Result<Caller, ManageError> {
        let key = *blake3::hash(token.as_bytes()).as_bytes();
        if let Some(caller) = lock(&self.callers).get(&key) {
            return Ok(caller);
        }
        let review = TokenReview {
            spec: TokenReviewSpec { token: token.to_owned(), audiences: None },
            ..TokenReview::default()
        };
        let _turn = self.asking.acquire().await;
        let api = Api::<TokenReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await.map_err(|error| unasked("who calls", error))?;
        let status = answer.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true));
        let Some(user) = user else {
            return Err(ManageError::Unauthenticated(
                "Kubernetes does not know this token, or not any more".to_owned(),
            ));
        };
        let caller = Caller {
            user: user.username.unwrap_or_default(),
            groups: user.groups.unwrap_or_default(),
            uid: user.uid,
            extra: user.extra,
        };
        lock(&self.callers).put(key, caller.clone());
        Ok(caller)
    }

    async fn allow(&self, caller: &Caller, deed: Deed<'_>) -> Result<(), ManageError> {
        let Deed { verb, namespace, name } = deed;
        let question = (caller.clone(), verb, namespace.map(str::to_owned), name.map(str::to_owned));
        let kept = lock(&self.decisions).get(&question);
        let decision = match kept {
            Some(decision) => decision,
            None => {
                let decision = self.ask(caller, deed).await?;
                lock(&self.decisions).put(question, decision.clone());
                decision
            }
        };
        decision.map_err(|why| {
            let (user, namespace) = (caller.user.clone(), namespace.map(str::to_owned));
            ManageError::Denied(Box::new(Denied { user, verb, namespace, why }))
        })
    }

    /// Whether the caller may; if not, why.
    async fn ask(&self, caller: &Caller, deed: Deed<'_>) -> Result<Result<(), String>, ManageError> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(caller.user.clone()),
                groups: Some(caller.groups.clone()),
                uid: caller.uid.clone(),
                extra: caller.extra.clone(),
                resource_attributes: Some(ResourceAttributes {
                    group: Some(GROUP.to_owned()),
                    version: Some(VERSION.to_owned()),
                    resource: Some("rules".to_owned()),
                    verb: Some(deed.verb.to_owned()),
                    namespace: deed.namespace.map(str::to_owned),
                    name: deed.name.map(str::to_owned),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let _turn = self.asking.acquire().await;
        let api = Api::<SubjectAccessReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let status = answer.map_err(|error| unasked("what the caller may do", error))?.status.unwrap_or_default();
        Ok(if status.allowed && status.denied != Some(true) { Ok(()) } else { Err(status.reason.unwrap_or_default()) })
    }
}

fn unasked(what: &str, error: kube::Error) -> ManageError {
    ManageError::Unavailable { what: format!("can't ask Kubernetes {what}"), source: Some(Box::new(error)) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tonic::Request;

    use super::{Gate, bearer};

    #[tokio::test]
    async fn a_token_is_read_from_its_file_with_each_call() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let gate = Gate::Token(file.clone());
        let with = |token: &str| {
            let mut request = Request::new(());
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            request
        };
        std::fs::write(&file, "one\n").unwrap();
        assert!(gate.pass(&with("one"), &[]).await.is_ok());
        assert!(gate.pass(&with("two"), &[]).await.is_err());
        assert!(gate.pass(&Request::new(()), &[]).await.is_err());
        std::fs::write(&file, "two").unwrap();
        assert!(gate.pass(&with("two"), &[]).await.is_ok());
        std::fs::write(&file, " ").unwrap();
        assert!(gate.pass(&with(""), &[]).await.is_err());
        let mut basic = Request::new(());
        basic.metadata_mut().insert("authorization", "Basic eA==".parse().unwrap());
        assert!(bearer(&basic).is_err());
    }
}
