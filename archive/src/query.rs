//! What can be asked, and the bounds of a question.

use crate::error::ArchiveError;

/// The last document that a page may reach: `from + size` of a [`Page`].
pub const MAX_WINDOW: u64 = 10_000;
/// Values in one list of a [`Query`].
pub const MAX_TERMS: usize = 65_536;
/// Characters of a value that is searched for, and of a value that can be found: a longer one is stored and shown, but
/// no filter finds it. So long because it is what the strictest engine can index.
pub const MAX_TEXT: usize = 8_191;
/// Buckets in one histogram.
pub const MAX_BUCKETS: usize = 10_000;

/// Bytes of the documents of one page.
pub const MAX_PAGE_BYTES: usize = 64 << 20;
/// Parts or beginnings in one list of a [`Query`].
pub const MAX_PARTS: usize = 256;

/// Which documents. Every field narrows: documents must satisfy all of those that are not empty, and within one list any
/// of its values. Nothing set means all documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Exact names of clusters.
    pub clusters: Vec<String>,
    /// Workspaces; the exact value `""` finds the events without one.
    pub workspaces: Terms,
    /// Namespaces of the object; the exact value `""` finds the events without one (of cluster-scoped objects).
    pub namespaces: Terms,
    /// Names of the object.
    pub names: Terms,
    /// User names, as authenticated (not who was impersonated).
    pub users: Terms,
    /// Exact levels, as in `RequestResponse`.
    pub levels: Vec<String>,
    /// Exact verbs.
    pub verbs: Vec<String>,
    /// Parts of the name of one of the user's groups.
    pub groups_contains: Vec<String>,
    /// Parts of one of the source addresses.
    pub source_ips_contains: Vec<String>,
    /// Beginnings of the object's resource.
    pub resources_prefix: Vec<String>,
    /// Beginnings of the object's subresource.
    pub subresources_prefix: Vec<String>,
    /// HTTP status codes.
    pub codes: Vec<i64>,
    /// Exact values of the response status's `status`, as in `Failure`.
    pub statuses: Vec<String>,
    /// The earliest time, inclusive, in microseconds since the Unix epoch.
    pub start_micros: Option<i64>,
    /// The latest time, inclusive, in microseconds since the Unix epoch.
    pub end_micros: Option<i64>,
}

/// Values of one field: any of `exact` and, where both are given, also any of `contains`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The whole value, with regard to case.
    pub exact: Vec<String>,
    /// A part of the value, without regard to case; an empty part says nothing and is passed over.
    pub contains: Vec<String>,
}

impl Terms {
    /// Exactly one of these.
    pub fn exact<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self { exact: values.into_iter().map(Into::into).collect(), contains: Vec::new() }
    }

    /// Containing one of these.
    pub fn contains<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Self {
        Self { exact: Vec::new(), contains: values.into_iter().map(Into::into).collect() }
    }
}

/// Which part of the documents that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Documents to pass over.
    pub from: u64,
    /// Documents at most.
    pub size: u64,
    /// Newest first, or oldest first.
    pub newest_first: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self { from: 0, size: 10, newest_first: true }
    }
}

impl Page {
    /// Checks the bounds.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        if self.from.saturating_add(self.size) > MAX_WINDOW {
            return Err(ArchiveError::invalid("size", format!("from + size may be at most {MAX_WINDOW}")));
        }
        Ok(())
    }
}

impl Query {
    /// Checks the bounds: how many values, and how long.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        let exact: [(&'static str, &[String]); 8] = [
            ("clusters", &self.clusters),
            ("workspaces", &self.workspaces.exact),
            ("namespaces", &self.namespaces.exact),
            ("names", &self.names.exact),
            ("users", &self.users.exact),
            ("levels", &self.levels),
            ("verbs", &self.verbs),
            ("statuses", &self.statuses),
        ];
        let parts: [(&'static str, &[String]); 8] = [
            ("workspaces", &self.workspaces.contains),
            ("namespaces", &self.namespaces.contains),
            ("names", &self.names.contains),
            ("users", &self.users.contains),
            ("groups", &self.groups_contains),
            ("sourceIPs", &self.source_ips_contains),
            ("resources", &self.resources_prefix),
            ("subresources", &self.subresources_prefix),
        ];
        for (parameter, values) in exact {
            check(parameter, values, MAX_TERMS)?;
        }
        for (parameter, values) in parts {
            check(parameter, values, MAX_PARTS)?;
        }
        if self.codes.len() > MAX_TERMS {
            return Err(ArchiveError::invalid("codes", format!("at most {MAX_TERMS} values")));
        }
        Ok(())
    }
}

fn check(parameter: &'static str, values: &[String], most: usize) -> Result<(), ArchiveError> {
    if values.len() > most {
        return Err(ArchiveError::invalid(parameter, format!("at most {most} values")));
    }
    if values.iter().any(|value| value.chars().nth(MAX_TEXT).is_some()) {
        return Err(ArchiveError::invalid(parameter, format!("at most {MAX_TEXT} characters in a value")));
    }
    Ok(())
}
