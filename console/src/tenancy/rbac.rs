//! Roles and bindings as Kubernetes' RBAC authorizer reads them, for the one question that is asked here: may they list events?
//!
//! The question is the one that KubeSphere asks before it shows audit records: verb `list`, resource `events` of the core group. KubeSphere's
//! workspace roles have rules of the same form.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;

const VERB: &str = "list";
const GROUP: &str = "";
const RESOURCE: &str = "events";

/// The part of a rule that the question is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    verbs: Vec<String>,
    api_groups: Option<Vec<String>>,
    resources: Option<Vec<String>>,
    resource_names: Option<Vec<String>>,
}

/// Whom a binding is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A user by name; a service account is one too.
    User(Arc<str>),
    Group(Arc<str>),
}

/// A role, by what tells it from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Cluster(Arc<str>),
    /// Of a namespace.
    Namespaced(Arc<str>, Arc<str>),
    Workspace(Arc<str>),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawSubject {
    kind: String,
    name: String,
    namespace: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawRef {
    kind: String,
    name: String,
}

impl Rule {
    /// Whether it allows to list events. One for certain names does not: a list has no name.
    pub(super) fn allows(&self) -> bool {
        let has = |all: &[String], one: &str| all.iter().any(|it| it == "*" || it == one);
        has(&self.verbs, VERB)
            && self.api_groups.as_deref().is_some_and(|groups| has(groups, GROUP))
            && self.resources.as_deref().is_some_and(|resources| has(resources, RESOURCE))
            && self.resource_names.as_deref().is_none_or(|names| names.is_empty() || names.iter().any(String::is_empty))
    }
}

/// Whether a role's rules allow to list events. Those of an aggregated role are in it already: its controller writes them there.
pub(super) fn allows(role: &DynamicObject) -> bool {
    member::<Vec<Rule>>(role, "rules").unwrap_or_default().iter().any(Rule::allows)
}

/// Whom a binding is for. A service account that names no namespace is of the binding's.
pub(super) fn subjects(binding: &DynamicObject) -> Vec<Subject> {
    let own = binding.metadata.namespace.as_deref();
    let subjects = member::<Vec<RawSubject>>(binding, "subjects").unwrap_or_default();
    let read = |it: RawSubject| match it.kind.as_str() {
        "User" => Some(Subject::User(it.name.into())),
        "Group" => Some(Subject::Group(it.name.into())),
        "ServiceAccount" => {
            let namespace = it.namespace.as_deref().filter(|it| !it.is_empty()).or(own)?;
            Some(Subject::User(format!("system:serviceaccount:{namespace}:{}", it.name).into()))
        }
        _ => None,
    };
    subjects.into_iter().filter_map(read).collect()
}

/// The role that a binding gives; none, if such a binding can't give it.
pub(super) fn role(binding: &DynamicObject, workspace: bool) -> Option<Role> {
    let role: RawRef = member(binding, "roleRef")?;
    match (role.kind.as_str(), binding.metadata.namespace.as_deref(), workspace) {
        ("WorkspaceRole", _, true) => Some(Role::Workspace(role.name.into())),
        ("ClusterRole", _, false) => Some(Role::Cluster(role.name.into())),
        ("Role", Some(namespace), false) => Some(Role::Namespaced(namespace.into(), role.name.into())),
        _ => None,
    }
}

/// A member of an object; one that can't be read is as if it were not there, which allows nothing.
fn member<T: DeserializeOwned>(object: &DynamicObject, name: &str) -> Option<T> {
    let value = object.data.get(name).filter(|it| !it.is_null())?;
    match serde_json::from_value(value.clone()) {
        Ok(read) => Some(read),
        Err(error) => {
            tracing::warn!(object = object.metadata.name, member = name, %error, "can't be read, and allows nothing");
            None
        }
    }
}
