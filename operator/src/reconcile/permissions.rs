//! What reconciling may do at the API server, and a way to ask whether it may.
//!
//! The chart's roles are held against this table by a test, and the operator asks for every line of it before it begins: a verb that
//! is missing is named, instead of showing up weeks later as a Secret that was not renewed.

use std::fmt;

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

/// Questions asked at a time.
const AT_A_TIME: usize = 8;

/// A verb on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The resource's group, empty for the core.
    pub group: &'static str,
    /// The resource, `plural` or `plural/subresource`.
    pub resource: &'static str,
    /// The verb.
    pub verb: &'static str,
    /// Where.
    pub scope: Scope,
    /// On these alone; on all of them, if there are none.
    pub names: &'static [&'static str],
}

/// Where a permission holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In the cluster, or everywhere in it: a ClusterRole.
    Cluster,
    /// In the namespace of the services: a Role there.
    Namespace,
}

const GROUP: &str = crate::api::GROUP;
const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// The Secrets that reconciling makes, of which it need see no others.
pub const SECRETS: &[&str] = &[
    "vedette-authority",
    "vedette-operator-tls",
    "vedette-ingest-tls",
    "vedette-console-tls",
    "vedette-ingest-client",
    "vedette-evaluator-client",
    "vedette-alerter-client",
    "vedette-console-client",
    "vedette-console-token",
    "vedette-redaction-key",
];

/// What reconciling needs.
pub const NEEDED: &[Permission] = &[
    cluster(GROUP, "webhooks", "get"),
    cluster(GROUP, "webhooks", "list"),
    cluster(GROUP, "webhooks", "watch"),
    cluster(GROUP, "webhooks", "patch"),
    cluster(GROUP, "webhooks/status", "patch"),
    named("configmaps", "get", Scope::Cluster, &["kubesphere-config"]),
    named("configmaps", "list", Scope::Cluster, &["kubesphere-config"]),
    named("configmaps", "watch", Scope::Cluster, &["kubesphere-config"]),
    here("", "serviceaccounts", "list"),
    here("", "serviceaccounts", "watch"),
    here("", "serviceaccounts", "create"),
    here("", "serviceaccounts", "patch"),
    here("", "serviceaccounts", "delete"),
    here("", "services", "list"),
    here("", "services", "watch"),
    here("", "services", "create"),
    here("", "services", "patch"),
    here("", "services", "delete"),
    here("", "configmaps", "list"),
    here("", "configmaps", "watch"),
    here("", "configmaps", "create"),
    here("", "configmaps", "patch"),
    here("", "configmaps", "delete"),
    here("apps", "deployments", "list"),
    here("apps", "deployments", "watch"),
    here("apps", "deployments", "create"),
    here("apps", "deployments", "patch"),
    here("apps", "deployments", "delete"),
    here("policy", "poddisruptionbudgets", "list"),
    here("policy", "poddisruptionbudgets", "watch"),
    here("policy", "poddisruptionbudgets", "create"),
    here("policy", "poddisruptionbudgets", "patch"),
    here("policy", "poddisruptionbudgets", "delete"),
    // What is to be made has no name yet that could be asked for.
    here("", "secrets", "create"),
    named("secrets", "get", Scope::Namespace, SECRETS),
    named("secrets", "list", Scope::Namespace, SECRETS),
    named("secrets", "watch", Scope::Namespace, SECRETS),
    named("secrets", "patch", Scope::Namespace, SECRETS),
    named("secrets", "delete", Scope::Namespace, SECRETS),
];

/// What the other parts need: rules and their status, who leads, what is served, admission; and to manage rules for others, asking who they
/// are and what they may.
pub const OPERATOR: &[Permission] = &[
    cluster(GROUP, "rules", "get"),
    cluster(GROUP, "rules", "list"),
    cluster(GROUP, "rules", "watch"),
    cluster(GROUP, "rules", "create"),
    cluster(GROUP, "rules", "update"),
    cluster(GROUP, "rules", "delete"),
    cluster("authentication.k8s.io", "tokenreviews", "create"),
    cluster("authorization.k8s.io", "subjectaccessreviews", "create"),
    cluster(GROUP, "rules/status", "patch"),
    cluster(GROUP, "webhooks", "list"),
    cluster(GROUP, "webhooks", "watch"),
    cluster(GROUP, "webhooks/status", "patch"),
    cluster("", "namespaces", "list"),
    cluster("", "namespaces", "watch"),
    cluster("events.k8s.io", "events", "create"),
    cluster("events.k8s.io", "events", "patch"),
    cluster(ADMISSION, "validatingwebhookconfigurations", "create"),
    Permission {
        group: ADMISSION,
        resource: "validatingwebhookconfigurations",
        verb: "patch",
        scope: Scope::Cluster,
        names: &["vedette-rules"],
    },
    here("coordination.k8s.io", "leases", "get"),
    here("coordination.k8s.io", "leases", "create"),
    here("coordination.k8s.io", "leases", "update"),
    here("", "configmaps", "get"),
    here("", "configmaps", "list"),
    here("", "configmaps", "watch"),
    here("", "configmaps", "create"),
    here("", "configmaps", "update"),
    here("", "configmaps", "patch"),
    here("", "configmaps", "delete"),
];

/// What the console's account needs to know who asks, and what they may see. The chart grants it, not the operator: nobody can grant
/// what they may not do themselves, and the operator need not see who is bound to what.
pub const CONSOLE: &[Permission] = &[
    cluster("", "namespaces", "get"),
    cluster("", "namespaces", "list"),
    cluster("", "namespaces", "watch"),
    cluster(RBAC, "clusterroles", "get"),
    cluster(RBAC, "clusterroles", "list"),
    cluster(RBAC, "clusterroles", "watch"),
    cluster(RBAC, "clusterrolebindings", "get"),
    cluster(RBAC, "clusterrolebindings", "list"),
    cluster(RBAC, "clusterrolebindings", "watch"),
    cluster(RBAC, "roles", "get"),
    cluster(RBAC, "roles", "list"),
    cluster(RBAC, "roles", "watch"),
    cluster(RBAC, "rolebindings", "get"),
    cluster(RBAC, "rolebindings", "list"),
    cluster(RBAC, "rolebindings", "watch"),
    cluster("iam.kubesphere.io", "workspaces", "get"),
    cluster("iam.kubesphere.io", "workspaces", "list"),
    cluster("iam.kubesphere.io", "workspaces", "watch"),
    cluster("iam.kubesphere.io", "workspaceroles", "get"),
    cluster("iam.kubesphere.io", "workspaceroles", "list"),
    cluster("iam.kubesphere.io", "workspaceroles", "watch"),
    cluster("iam.kubesphere.io", "workspacerolebindings", "get"),
    cluster("iam.kubesphere.io", "workspacerolebindings", "list"),
    cluster("iam.kubesphere.io", "workspacerolebindings", "watch"),
    cluster("tenant.kubesphere.io", "workspaces", "get"),
    cluster("tenant.kubesphere.io", "workspaces", "list"),
    cluster("tenant.kubesphere.io", "workspaces", "watch"),
    cluster("tenant.kubesphere.io", "workspaceroles", "get"),
    cluster("tenant.kubesphere.io", "workspaceroles", "list"),
    cluster("tenant.kubesphere.io", "workspaceroles", "watch"),
    cluster("tenant.kubesphere.io", "workspacerolebindings", "get"),
    cluster("tenant.kubesphere.io", "workspacerolebindings", "list"),
    cluster("tenant.kubesphere.io", "workspacerolebindings", "watch"),
    cluster("authentication.k8s.io", "tokenreviews", "create"),
    cluster("authorization.k8s.io", "subjectaccessreviews", "create"),
];

const fn cluster(group: &'static str, resource: &'static str, verb: &'static str) -> Permission {
    Permission { group, resource, verb, scope: Scope::Cluster, names: &[] }
}

const fn here(group: &'static str, resource: &'static str, verb: &'static str) -> Permission {
    Permission { group, resource, verb, scope: Scope::Namespace, names: &[] }
}

const fn named(resource: &'static str, verb: &'static str, scope: Scope, names: &'static [&'static str]) -> Permission {
    Permission { group: "", resource, verb, scope, names }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Scope::Cluster = self.scope {
            f.write_str(" in the cluster")?;
        }
        Ok(())
    }
}

/// All of them, each once.
pub fn all() -> Vec<Permission> {
    let others = OPERATOR.iter().filter(|it| !NEEDED.contains(it));
    NEEDED.iter().chain(others).copied().collect()
}

/// Those of `needed` that the API server would refuse in `namespace`.
///
/// # Errors
/// If it cannot be asked.
pub async fn missing(client: &Client, namespace: &str, needed: &[Permission]) -> Result<Vec<Permission>, kube::Error> {
    let mut questions = Vec::new();
    for it in needed {
        for name in if it.names.is_empty() { &[""] } else { it.names } {
            questions.push(may(client.clone(), namespace.to_owned(), *it, name).boxed());
        }
    }
    let answers: Vec<_> = stream::iter(questions).buffered(AT_A_TIME).try_collect().await?;
    let mut missing: Vec<_> = answers.into_iter().filter(|(_, may)| !may).map(|(it, _)| it).collect();
    missing.dedup();
    Ok(missing)
}

async fn may(
    client: Client,
    namespace: String,
    permission: Permission,
    name: &'static str,
) -> Result<(Permission, bool), kube::Error> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (resource, subresource) = permission.resource.split_once('/').unwrap_or((permission.resource, ""));
    let attributes = ResourceAttributes {
        group: some(permission.group),
        resource: some(resource),
        subresource: some(subresource),
        verb: some(permission.verb),
        namespace: (permission.scope == Scope::Namespace).then_some(namespace),
        name: some(name),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    let answer = Api::all(client).create(&PostParams::default(), &review).await?;
    Ok((permission, answer.status.is_some_and(|it| it.allowed)))
}
