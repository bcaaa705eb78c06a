//! A control plane with the definitions installed, and ways to look at it.

use std::time::{Duration, Instant};

use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use vedette_e2e::ControlPlane;
use vedette_operator::api::NAMESPACE;

use crate::running::PATIENCE;

/// The documents of KubeSphere, as they are.
pub(crate) const SEEDS: [(&str, &str); 6] = [
    ("webhook.yaml", include_str!("seeds/webhook.yaml")),
    ("archiving-rule.yaml", include_str!("seeds/archiving-rule.yaml")),
    ("alerting-rule.yaml", include_str!("seeds/alerting-rule.yaml")),
    ("macro-rule.yaml", include_str!("seeds/macro-rule.yaml")),
    ("list-rule.yaml", include_str!("seeds/list-rule.yaml")),
    ("alias-rule.yaml", include_str!("seeds/alias-rule.yaml")),
];

pub(crate) const WEBHOOK: &str = "webhooks.auditing.kubesphere.io/kube-auditing-webhook";

pub(crate) struct Lab {
    pub(crate) kube: ControlPlane,
}

impl Lab {
    /// With the namespace and the definitions.
    pub(crate) fn start() -> Self {
        let plane = Self::empty();
        plane.kube.install_definitions();
        plane
    }

    pub(crate) fn empty() -> Self {
        vedette_service::tls::install_provider();
        Self { kube: ControlPlane::bare() }
    }

    pub(crate) fn established(&self) {
        self.kube.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"], None);
    }

    pub(crate) async fn client(&self) -> kube::Client {
        kube::Client::try_from(self.config().await).unwrap()
    }

    /// As a service account.
    pub(crate) async fn client_of(&self, account: &str) -> kube::Client {
        let token = self.kube.kubectl_ok(&["create", "token", account, "-n", NAMESPACE], None);
        let auth: AuthInfo = serde_json::from_value(serde_json::json!({"token": token.trim()})).unwrap();
        let mut config = self.config().await;
        config.auth_info = auth;
        kube::Client::try_from(config).unwrap()
    }

    async fn config(&self) -> kube::Config {
        let file = Kubeconfig::read_from(self.kube.kubeconfig()).unwrap();
        kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
    }

    /// Runs kubectl in the services' namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.kube.kubectl_ok(&[args, &["-n", NAMESPACE]].concat(), None)
    }

    pub(crate) fn apply(&self, yaml: &str) {
        self.kube.kubectl_ok(&["apply", "-f", "-"], Some(yaml));
    }

    /// An object, if it is there.
    pub(crate) fn get(&self, object: &str) -> Option<Value> {
        let (kind, name) = object.split_once('/').unwrap();
        let args = ["get", kind, name, "-n", NAMESPACE, "-o", "json", "--ignore-not-found", "--show-managed-fields"];
        let text = self.kube.kubectl_ok(&args, None);
        (!text.trim().is_empty()).then(|| serde_json::from_str(&text).unwrap())
    }

    /// The names of what was made for the `Webhook`.
    pub(crate) fn made(&self) -> Vec<String> {
        let kinds = "serviceaccounts,services,configmaps,deployments,poddisruptionbudgets,secrets";
        let label = "app.kubernetes.io/managed-by=vedette-operator";
        let text = self.kubectl(&["get", kinds, "-l", label, "-o", "name"]);
        text.lines().map(str::to_owned).collect()
    }

    /// A condition of the `Webhook`, as status, reason and message.
    pub(crate) fn condition(&self, kind: &str) -> Option<(String, String, String)> {
        let webhook = self.get(WEBHOOK)?;
        let conditions = webhook.pointer("/status/conditions")?.as_array()?.clone();
        let it = conditions.into_iter().find(|it| it["type"] == kind)?;
        let text = |key: &str| it[key].as_str().unwrap().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    pub(crate) fn is(&self, condition: &str, reason: &str) -> bool {
        self.condition(condition).is_some_and(|it| it.1 == reason)
    }

    /// What `kubectl get` gives for these arguments.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let args = [&["get", "-o", "json"], args].concat();
        serde_json::from_str(&self.kube.kubectl_ok(&args, None)).unwrap()
    }

    /// Waits until `rule` of KubeSphere's namespace has these conditions, each `Type=Status Reason`.
    #[track_caller]
    pub(crate) fn wait_conditions(&self, resource: &str, expected: &[&str]) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self.json(&["-n", NAMESPACE, resource]);
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

/// Waits for something that is to come.
pub(crate) async fn eventually(what: &str, mut there: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}
