//! What somebody may see, and the plain definition of what that means for a record.

use std::sync::Arc;

/// What a caller may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Everything, in every cluster.
    pub(crate) everything: bool,
    /// Clusters of which all records are visible.
    pub(crate) clusters: Vec<Arc<str>>,
    /// Namespaces in other clusters, by cluster and name.
    pub(crate) namespaces: Vec<Visible>,
    /// KubeSphere's workspaces in other clusters, by cluster and name.
    pub(crate) workspaces: Vec<Visible>,
}

/// A namespace or a workspace whose records are visible.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Visible {
    /// Where it is.
    pub(crate) cluster: Arc<str>,
    pub(crate) name: Arc<str>,
    /// What tells it from an earlier one of its name.
    pub(crate) uid: Arc<str>,
    /// When it was made: what happened before under its name was another one's.
    pub(crate) created_unix_seconds: i64,
}

impl View {
    /// That of an administrator.
    pub(crate) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Whether a record is visible; `workspace` and `namespace` are empty where it has none. This is the definition, which a query's filter
    /// must give too.
    #[cfg_attr(not(test), expect(dead_code, reason = "what queries filter by is held against it"))]
    pub(crate) fn allows(
        &self,
        cluster: &str,
        workspace: &str,
        namespace: &str,
        tenant_uid: Option<&str>,
        time_micros: i64,
    ) -> bool {
        let mut namespaces = self.namespaces.iter().filter(|it| *it.cluster == *cluster);
        let mut workspaces = self.workspaces.iter().filter(|it| *it.cluster == *cluster);
        if self.everything || self.clusters.iter().any(|it| **it == *cluster) {
            return true;
        }
        match (tenant_uid.filter(|uid| !uid.is_empty()), namespace, workspace) {
            (Some(uid), ..) => namespaces.any(|it| *it.uid == *uid),
            (None, "", "") => false,
            (None, "", workspace) => workspaces.any(|it| it.is(workspace, time_micros)),
            (None, namespace, _) => namespaces.any(|it| it.is(namespace, time_micros)),
        }
    }
}

impl Visible {
    /// Whether something of this name at that time is of this one.
    fn is(&self, name: &str, time_micros: i64) -> bool {
        *self.name == *name && time_micros >= self.created_unix_seconds.saturating_mul(1_000_000)
    }
}
