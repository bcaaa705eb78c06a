//! A control plane with our definitions, and operators on it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_e2e::ControlPlane;
use vedette_operator::config::KubernetesConfig;
use vedette_operator::serve::ServeConfig;
use vedette_operator::{Config, Error, Operator};
use vedette_service::{Context, tls};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane with the definitions and the namespace of KubeSphere's auditing.
pub(crate) struct Plane {
    pub(crate) kube: ControlPlane,
}

impl Plane {
    pub(crate) fn start() -> Self {
        tls::install_provider();
        let kube = ControlPlane::bare();
        let crds = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
        kube.kubectl_ok(&["apply", "-f", crds.to_str().unwrap()], None);
        let names = ["rules", "webhooks"].map(|it| format!("crd/{it}.auditing.kubesphere.io"));
        kube.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", &names[0], &names[1]], None);
        kube.kubectl_ok(&["create", "namespace", "kubesphere-logging-system"], None);
        Self { kube }
    }

    /// Applies YAML as an administrator would.
    pub(crate) fn apply(&self, yaml: &str) {
        self.kube.kubectl_ok(&["apply", "-f", "-"], Some(yaml));
    }

    /// The resource as JSON.
    pub(crate) fn get(&self, args: &[&str]) -> Value {
        let args = [&["get", "-o", "json"], args].concat();
        serde_json::from_str(&self.kube.kubectl_ok(&args, None)).unwrap()
    }

    /// Waits until `rule` of KubeSphere's namespace has these conditions, each `Type=Status Reason`.
    #[track_caller]
    pub(crate) fn wait_conditions(&self, resource: &str, expected: &[&str]) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.get(&["-n", "kubesphere-logging-system", resource]);
            let current = found["status"]["observedGeneration"] == found["metadata"]["generation"];
            let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let word = |it: &Value, field: &str| it[field].as_str().unwrap_or_default().to_owned();
            let shown: Vec<_> = conditions
                .iter()
                .map(|it| format!("{}={} {}", word(it, "type"), word(it, "status"), word(it, "reason")))
                .collect();
            if current && expected.iter().all(|it| shown.iter().any(|shown| shown == it)) {
                return found;
            }
            assert!(Instant::now() < end, "{resource} has not {expected:?}: {found:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// An operator in this process.
pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Starts one called `identity`.
    pub(crate) async fn start(plane: &Plane, identity: &str, adjust: impl FnOnce(&mut Config)) -> Self {
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

    /// Ends it as SIGKILL does: nothing is given back.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
