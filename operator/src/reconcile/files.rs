//! The two files that a kube-apiserver needs, ready to be copied to the control plane's nodes.
//!
//! They cannot be put there from here: a node's files and a static pod's flags are its administrator's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;

use super::Settings;
use super::component::Ports;
use super::objects::{Observed, SERVICE};
use crate::api;

const POLICY: &str = include_str!("../../../deploy/audit-policy.yaml");

const HOW: &str = "\
To have a kube-apiserver send its events here:

1. On every node of the control plane, put audit-policy.yaml and audit-webhook.yaml into /etc/kubernetes/audit:
   kubectl get configmap -n NAMESPACE vedette-apiserver-files -o jsonpath='{.data.audit-webhook\\.yaml}'
2. In /etc/kubernetes/manifests/kube-apiserver.yaml, mount that folder and add
   - --audit-policy-file=/etc/kubernetes/audit/audit-policy.yaml
   - --audit-webhook-config-file=/etc/kubernetes/audit/audit-webhook.yaml
   - --audit-webhook-batch-max-wait=5s
3. Let the events in:
   kubectl patch webhooks.auditing.kubesphere.io kube-auditing-webhook --type merge -p '{\"spec\":{\"k8sAuditingEnabled\":true}}'

audit-webhook.yaml names the authority that the certificate is verified with. It is renewed after eight years, and the
file must be replaced within the year that follows.
";

pub(crate) fn data(webhook: &api::Webhook, settings: &Settings, observed: &Observed) -> BTreeMap<&'static str, String> {
    let mut data = BTreeMap::from([
        ("README", HOW.replace("NAMESPACE", &settings.namespace)),
        ("audit-policy.yaml", POLICY.to_owned()),
    ]);
    // A headless Service has the address `None`.
    if let Some(address) = observed.cluster_ip.as_deref().filter(|it| it.parse::<std::net::IpAddr>().is_ok()) {
        data.insert("audit-webhook.yaml", kubeconfig(webhook, address, &observed.bundle));
    }
    data
}

fn kubeconfig(webhook: &api::Webhook, address: &str, bundle: &str) -> String {
    let ports = Ports::of(webhook);
    let (scheme, port) = if ports.https { ("https", 443) } else { ("http", 80) };
    let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let mut text = format!(
        "# The kube-apiserver's way to Service {SERVICE}, by its address: nodes of the control plane do not resolve its name.
apiVersion: v1
kind: Config
clusters:
- name: kube-auditing
  cluster:
    server: {scheme}://{address}:{port}/audit/webhook/event
"
    );
    if ports.https {
        let bundle = base64::engine::general_purpose::STANDARD.encode(bundle);
        // Writing to a String does not fail.
        let _ = writeln!(text, "    certificate-authority-data: {bundle}");
    }
    text.push_str(
        "contexts:
- context:
    cluster: kube-auditing
    user: \"\"
  name: default-context
current-context: default-context
preferences: {}
users: []
",
    );
    text
}
