//! What is known of one cluster, in the form in which it is asked.
//!
//! Of a role only counts whether it allows; of a binding whom it is for, where, and which role it gives. Bindings are found by their
//! subjects, so that a question costs as much as the caller has bindings, however many there are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use kube::api::DynamicObject;

use super::rbac::{self, Role, Subject};

/// The label that says which workspace something belongs to.
const WORKSPACE: &str = "kubesphere.io/workspace";
/// Whoever is of this group may do everything, whatever RBAC says: the apiserver has it built in.
const MASTERS: &str = "system:masters";

/// The kinds of objects that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Namespace,
    ClusterRole,
    ClusterRoleBinding,
    Role,
    RoleBinding,
    Workspace,
    WorkspaceRole,
    WorkspaceRoleBinding,
}

/// An object's kind, namespace and name.
pub(super) type Key = (Kind, Arc<str>, Arc<str>);

/// A namespace or a workspace that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) uid: Arc<str>,
    pub(super) created_unix_seconds: i64,
    /// The workspace that a namespace belongs to.
    workspace: Option<Arc<str>>,
}

/// Where a binding counts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Where {
    Everywhere,
    Namespace(Arc<str>),
    Workspace(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    role: Role,
    place: Where,
    subjects: Vec<Subject>,
}

/// What somebody may see of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// All of it.
    pub(super) whole: bool,
    /// Namespaces by Kubernetes' own RBAC.
    pub(super) namespaces: BTreeSet<Arc<str>>,
    pub(super) workspaces: BTreeSet<Arc<str>>,
}

/// The objects.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Changes with everything that can change an answer.
    generation: u64,
    namespaces: BTreeMap<Arc<str>, Place>,
    workspaces: BTreeMap<Arc<str>, Place>,
    /// The namespaces of a workspace.
    members: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Roles that allow.
    allowing: HashSet<Role>,
    bindings: HashMap<Key, Arc<Binding>>,
    /// The same, by whom they are for.
    by_subject: HashMap<Subject, HashMap<Key, Arc<Binding>>>,
}

impl Kind {
    /// Those that every cluster has.
    pub(super) const KUBERNETES: [Self; 5] =
        [Self::Namespace, Self::ClusterRole, Self::ClusterRoleBinding, Self::Role, Self::RoleBinding];
    /// Those of KubeSphere.
    pub(super) const KUBESPHERE: [Self; 3] = [Self::Workspace, Self::WorkspaceRole, Self::WorkspaceRoleBinding];
}

impl Objects {
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn namespaces(&self) -> &BTreeMap<Arc<str>, Place> {
        &self.namespaces
    }

    pub(super) fn workspaces(&self) -> &BTreeMap<Arc<str>, Place> {
        &self.workspaces
    }

    /// The namespaces of a workspace.
    pub(super) fn members(&self, workspace: &str) -> impl Iterator<Item = &Arc<str>> {
        self.members.get(workspace).into_iter().flatten()
    }

    /// There are no others of `kind` than these.
    pub(super) fn retain(&mut self, kind: Kind, all: &HashSet<Key>) {
        let known: Vec<Key> = match kind {
            Kind::Namespace => self.namespaces.keys().map(|name| (kind, Arc::from(""), Arc::clone(name))).collect(),
            Kind::Workspace => self.workspaces.keys().map(|name| (kind, Arc::from(""), Arc::clone(name))).collect(),
            Kind::ClusterRole | Kind::Role | Kind::WorkspaceRole => {
                self.allowing.iter().map(role_key).filter(|key| key.0 == kind).collect()
            }
            _ => self.bindings.keys().filter(|key| key.0 == kind).cloned().collect(),
        };
        for gone in known.into_iter().filter(|key| !all.contains(key)) {
            self.forget(&gone);
        }
    }

    /// Notes an object as it is now.
    pub(super) fn set(&mut self, kind: Kind, object: &DynamicObject) {
        let key = key(kind, object);
        let changed = match kind {
            Kind::Namespace => self.set_namespace(Arc::clone(&key.2), place(object)),
            Kind::Workspace => {
                let place = place(object);
                self.workspaces.insert(Arc::clone(&key.2), place.clone()) != Some(place)
            }
            Kind::ClusterRole | Kind::Role | Kind::WorkspaceRole => match (key_role(&key), rbac::allows(object)) {
                (Some(role), true) => self.allowing.insert(role),
                (Some(role), false) => self.allowing.remove(&role),
                (None, _) => false,
            },
            Kind::ClusterRoleBinding | Kind::RoleBinding | Kind::WorkspaceRoleBinding => match binding(kind, object) {
                Some(binding) => self.bind(key, binding),
                None => self.unbind(&key),
            },
        };
        self.generation += u64::from(changed);
    }

    /// Notes that an object is gone.
    pub(super) fn remove(&mut self, kind: Kind, object: &DynamicObject) {
        self.forget(&key(kind, object));
    }

    fn forget(&mut self, key: &Key) {
        let changed = match key.0 {
            Kind::Namespace => {
                let old = self.namespaces.remove(&key.2);
                self.leave(&key.2, old.as_ref());
                old.is_some()
            }
            Kind::Workspace => self.workspaces.remove(&key.2).is_some(),
            Kind::ClusterRole | Kind::Role | Kind::WorkspaceRole => {
                key_role(key).is_some_and(|role| self.allowing.remove(&role))
            }
            _ => self.unbind(key),
        };
        self.generation += u64::from(changed);
    }

    fn set_namespace(&mut self, name: Arc<str>, place: Place) -> bool {
        if self.namespaces.get(&name) == Some(&place) {
            return false;
        }
        if let Some(workspace) = &place.workspace {
            self.members.entry(Arc::clone(workspace)).or_default().insert(Arc::clone(&name));
        }
        let workspace = place.workspace.clone();
        let old = self.namespaces.insert(Arc::clone(&name), place);
        if old.as_ref().is_some_and(|old| old.workspace != workspace) {
            self.leave(&name, old.as_ref());
        }
        true
    }

    fn leave(&mut self, name: &Arc<str>, place: Option<&Place>) {
        let Some(workspace) = place.and_then(|place| place.workspace.as_ref()) else { return };
        if let Some(members) = self.members.get_mut(workspace) {
            members.remove(name);
            if members.is_empty() {
                self.members.remove(workspace);
            }
        }
    }

    fn bind(&mut self, key: Key, binding: Binding) -> bool {
        if self.bindings.get(&key).is_some_and(|known| **known == binding) {
            return false;
        }
        self.unbind(&key);
        let binding = Arc::new(binding);
        for subject in &binding.subjects {
            self.by_subject.entry(subject.clone()).or_default().insert(key.clone(), Arc::clone(&binding));
        }
        self.bindings.insert(key, binding);
        true
    }

    fn unbind(&mut self, key: &Key) -> bool {
        let Some(old) = self.bindings.remove(key) else { return false };
        for subject in &old.subjects {
            if let Some(keys) = self.by_subject.get_mut(subject) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_subject.remove(subject);
                }
            }
        }
        true
    }

    /// What a user of these groups may see.
    pub(super) fn seen(&self, user: &str, groups: &[String]) -> Seen {
        let whole = || Seen { whole: true, ..Seen::default() };
        if groups.iter().any(|group| group == MASTERS) {
            return whole();
        }
        let user = std::iter::once(Subject::User(user.into()));
        let groups = groups.iter().map(|group| Subject::Group(group.as_str().into()));
        let bindings = user.chain(groups).filter_map(|subject| self.by_subject.get(&subject)).flat_map(HashMap::values);
        // Gathered before they are put in order: a set that grows one by one costs several times as much.
        let (mut namespaces, mut workspaces) = (Vec::new(), Vec::new());
        for binding in bindings.filter(|binding| self.allowing.contains(&binding.role)) {
            // A binding may outlive what it is for, or come before it.
            match &binding.place {
                Where::Everywhere => return whole(),
                Where::Namespace(name) if self.namespaces.contains_key(name) => namespaces.push(Arc::clone(name)),
                Where::Workspace(name) if self.workspaces.contains_key(name) => workspaces.push(Arc::clone(name)),
                Where::Namespace(_) | Where::Workspace(_) => {}
            }
        }
        Seen {
            whole: false,
            namespaces: namespaces.into_iter().collect(),
            workspaces: workspaces.into_iter().collect(),
        }
    }
}

/// What tells an object from others.
pub(super) fn key(kind: Kind, object: &DynamicObject) -> Key {
    let text = |it: &Option<String>| Arc::from(it.as_deref().unwrap_or_default());
    (kind, text(&object.metadata.namespace), text(&object.metadata.name))
}

fn key_role((kind, namespace, name): &Key) -> Option<Role> {
    match kind {
        Kind::ClusterRole => Some(Role::Cluster(Arc::clone(name))),
        Kind::Role => Some(Role::Namespaced(Arc::clone(namespace), Arc::clone(name))),
        Kind::WorkspaceRole => Some(Role::Workspace(Arc::clone(name))),
        _ => None,
    }
}

fn role_key(role: &Role) -> Key {
    match role {
        Role::Cluster(name) => (Kind::ClusterRole, Arc::from(""), Arc::clone(name)),
        Role::Namespaced(namespace, name) => (Kind::Role, Arc::clone(namespace), Arc::clone(name)),
        Role::Workspace(name) => (Kind::WorkspaceRole, Arc::from(""), Arc::clone(name)),
    }
}

fn place(object: &DynamicObject) -> Place {
    Place {
        uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
        // One whose age is not known shows nothing that is older than everything.
        created_unix_seconds: object.metadata.creation_timestamp.as_ref().map_or(i64::MAX, |it| it.0.as_second()),
        workspace: label(object),
    }
}

fn label(object: &DynamicObject) -> Option<Arc<str>> {
    let label = object.metadata.labels.as_ref()?.get(WORKSPACE)?;
    (!label.is_empty()).then(|| label.as_str().into())
}

fn binding(kind: Kind, object: &DynamicObject) -> Option<Binding> {
    let place = match kind {
        Kind::ClusterRoleBinding => Where::Everywhere,
        Kind::RoleBinding => Where::Namespace(object.metadata.namespace.as_deref()?.into()),
        Kind::WorkspaceRoleBinding => Where::Workspace(label(object)?),
        _ => return None,
    };
    let role = rbac::role(object, kind == Kind::WorkspaceRoleBinding)?;
    Some(Binding { role, place, subjects: rbac::subjects(object) })
}

#[cfg(test)]
pub(super) mod tests;
