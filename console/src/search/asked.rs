//! What events a query names: "no hits" is not "not kept", and the rules can be asked whether such an event is kept.

use vedette_archive::Field;

/// The most kinds of events that one query is taken to ask for.
pub(super) const MAX_ASKED: usize = 16;

/// A kind of event that a query asks for: what its terms, all of which must hold, name in one way only. `None` is what the
/// query leaves open; `""` is what such an event does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The verb.
    pub verb: Option<String>,
    /// The kind of resource, in its plural.
    pub resource: Option<String>,
    /// The resource's API group.
    pub api_group: Option<String>,
    /// The subresource.
    pub subresource: Option<String>,
    /// The object's namespace.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// The authenticated user.
    pub user: Option<String>,
    /// Who acted in effect.
    pub actor: Option<String>,
    /// The cluster.
    pub cluster: Option<String>,
    /// KubeSphere's workspace.
    pub workspace: Option<String>,
    /// The path of a request that names no resource.
    pub path: Option<String>,
    /// The response's HTTP status code.
    pub code: Option<String>,
}

impl Asked {
    /// An event with this value, or `None` for a field that is not asked the rules about.
    pub(super) fn of(field: Field, value: &str) -> Option<Self> {
        let mut asked = Self::default();
        let slot = match field {
            Field::Verb => &mut asked.verb,
            Field::Resource => &mut asked.resource,
            Field::ApiGroup => &mut asked.api_group,
            Field::Subresource => &mut asked.subresource,
            Field::Namespace => &mut asked.namespace,
            Field::Name => &mut asked.name,
            Field::User => &mut asked.user,
            Field::Actor => &mut asked.actor,
            Field::Cluster => &mut asked.cluster,
            Field::Workspace => &mut asked.workspace,
            Field::Path => &mut asked.path,
            _ => return None,
        };
        // Kubernetes has its own words in lower case alone.
        let own = matches!(field, Field::Verb | Field::Resource | Field::ApiGroup | Field::Subresource);
        *slot = Some(if own { value.to_ascii_lowercase() } else { value.to_owned() });
        Some(asked)
    }

    /// Events with each of these values of one field.
    pub(super) fn each<'a>(field: Field, values: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        values.into_iter().filter_map(|value| Self::of(field, value)).collect()
    }

    /// Both at once, or `None` where they contradict each other.
    pub(super) fn and(&self, other: &Self) -> Option<Self> {
        Some(Self {
            verb: both(&self.verb, &other.verb)?,
            resource: both(&self.resource, &other.resource)?,
            api_group: both(&self.api_group, &other.api_group)?,
            subresource: both(&self.subresource, &other.subresource)?,
            namespace: both(&self.namespace, &other.namespace)?,
            name: both(&self.name, &other.name)?,
            user: both(&self.user, &other.user)?,
            actor: both(&self.actor, &other.actor)?,
            cluster: both(&self.cluster, &other.cluster)?,
            workspace: both(&self.workspace, &other.workspace)?,
            path: both(&self.path, &other.path)?,
            code: both(&self.code, &other.code)?,
        })
    }
}

fn both(one: &Option<String>, other: &Option<String>) -> Option<Option<String>> {
    match (one, other) {
        (Some(one), Some(other)) if !one.eq_ignore_ascii_case(other) => None,
        (Some(value), _) | (None, Some(value)) => Some(Some(value.clone())),
        (None, None) => Some(None),
    }
}

/// Every way to be one of each: of the choices that all hold, so many as stay within [`MAX_ASKED`].
pub(super) fn combine(choices: impl IntoIterator<Item = Vec<Asked>>) -> Vec<Asked> {
    let nothing = Asked::default();
    let mut asked = vec![nothing.clone()];
    for choice in choices.into_iter().filter(|choice| !choice.is_empty()) {
        let narrowed: Vec<Asked> =
            asked.iter().flat_map(|one| choice.iter().filter_map(|other| one.and(other))).take(MAX_ASKED + 1).collect();
        if narrowed.len() <= MAX_ASKED {
            asked = narrowed;
        }
    }
    asked.retain(|asked| *asked != nothing);
    asked
}
