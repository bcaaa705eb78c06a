//! Operators in the test's own process.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vedette_operator::config::KubernetesConfig;
use vedette_operator::serve::ServeConfig;
use vedette_operator::{Config, Error, Operator};
use vedette_service::Context;

use crate::lab::Lab;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An operator in this process.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Starts one called `identity`.
    pub(crate) async fn start(plane: &Lab, identity: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(plane.kube.kubeconfig(), identity, adjust).await
    }

    /// The same, as whoever this kubeconfig is for.
    pub(crate) async fn start_on(kubeconfig: PathBuf, identity: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            kubernetes: KubernetesConfig {
                kubeconfig: Some(kubeconfig),
                identity: Some(identity.to_owned()),
                ..KubernetesConfig::default()
            },
            grpc: ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), ..ServeConfig::default() },
            ..Config::default()
        };
        adjust(&mut config);
        let stop = CancellationToken::new();
        let context = Context::new("operator", prometheus::Registry::new(), stop.clone());
        let operator = Operator::start(config, context).await.unwrap();
        let url = format!("http://{}", operator.address());
        Self { url, stop, task: tokio::spawn(operator.run()) }
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    /// Waits until it ends by itself, and gives what it says of it.
    pub(crate) async fn ended(self) -> String {
        let ended = tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
        vedette_service::chain(&ended.unwrap_err()).to_string()
    }

    /// Ends it as SIGKILL does: nothing is given back.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
