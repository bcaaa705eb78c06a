//! Bearer tokens that a cluster knows, by TokenReview.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::Semaphore;
use vedette_service::kept::Kept;

use super::{AuthError, Caller, Kind, KubernetesAuth, Refused};

/// How long a token that is known stays so. Refusals are not kept: they would cost memory for whoever guesses.
const FRESH: Duration = Duration::from_secs(10);
/// How many are kept.
const KEPT: usize = 4096;
/// How many questions are asked at once: whoever calls with nonsense must not become the apiserver's load.
const AT_ONCE: usize = 16;
/// Until the apiserver must have answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks a cluster whose a token is.
pub(super) struct Reviewer {
    client: Client,
    cluster: Arc<str>,
    audiences: Vec<String>,
    asking: Semaphore,
    known: Mutex<Kept<[u8; 32], Caller>>,
}

impl std::fmt::Debug for Reviewer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reviewer").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Reviewer {
    pub(super) async fn new(config: &KubernetesAuth) -> Result<Self, AuthError> {
        Ok(Self {
            client: client(&config.cluster, config.kubeconfig.as_deref()).await?,
            cluster: config.cluster.as_str().into(),
            audiences: config.audiences.clone(),
            asking: Semaphore::new(AT_ONCE),
            known: Mutex::new(Kept::new(FRESH, KEPT)),
        })
    }

    /// Whose token this is.
    pub(super) async fn caller(&self, token: &str) -> Result<Caller, Refused> {
        let key = *blake3::hash(token.as_bytes()).as_bytes();
        if let Some(caller) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(caller);
        }
        let caller = self.ask(token).await?;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).put(key, caller.clone());
        Ok(caller)
    }

    async fn ask(&self, token: &str) -> Result<Caller, Refused> {
        let audiences = (!self.audiences.is_empty()).then(|| self.audiences.clone());
        let spec = TokenReviewSpec { token: token.to_owned(), audiences };
        let review = TokenReview { spec, ..TokenReview::default() };
        let api = Api::<TokenReview>::all(self.client.clone());
        let asked = async {
            let _turn = self.asking.acquire().await;
            api.create(&PostParams::default(), &review).await
        };
        let what = "Kubernetes can't be asked about this token at the moment";
        let answer = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Refused::Unavailable { what, source: Some(Box::new(error)) }),
            Err(_) => return Err(Refused::Unavailable { what, source: None }),
        };
        let status = answer.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true) && status.error.is_none());
        let unknown = Refused::Unknown("Kubernetes does not know this token, or not any more");
        let Some(user) = user else { return Err(unknown) };
        // An apiserver that says nothing of audiences has looked at its own alone.
        let meant = |audience: &String| self.audiences.contains(audience);
        if !self.audiences.is_empty() && !status.audiences.unwrap_or_default().iter().any(meant) {
            return Err(Refused::Unknown("this token is for another audience"));
        }
        let Some(name) = user.username.filter(|name| !name.is_empty()) else { return Err(unknown) };
        let via = Kind::Kubernetes { cluster: Arc::clone(&self.cluster) };
        let mut caller = Caller::new(name, user.groups.unwrap_or_default(), via);
        caller.uid = user.uid.filter(|uid| !uid.is_empty());
        caller.extra = user.extra.unwrap_or_default();
        Ok(caller)
    }
}

/// A client of a cluster, by a kubeconfig or as the environment or the pod says.
pub(crate) async fn client(cluster: &str, kubeconfig: Option<&Path>) -> Result<Client, AuthError> {
    let failed = |source| AuthError::Cluster { cluster: cluster.to_owned(), source };
    let mut config = match kubeconfig {
        None => kube::Config::infer().await.map_err(|error| failed(error.into()))?,
        Some(file) => {
            let file = Kubeconfig::read_from(file).map_err(|error| failed(error.into()))?;
            let options = KubeConfigOptions::default();
            kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(error.into()))?
        }
    };
    config.connect_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(|error| failed(error.into()))
}
