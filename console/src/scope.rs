//! What a caller's questions are narrowed to.

use vedette_archive::{Filter, Query};

/// The documents that a caller may see.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    caller: String,
    filter: Filter,
}

impl Scope {
    /// All of them.
    pub(crate) fn everything(caller: &str) -> Self {
        Self { caller: caller.to_owned(), filter: Filter::everything() }
    }

    /// Whose it is.
    pub(crate) fn caller(&self) -> &str {
        &self.caller
    }

    /// Whether it is all of them.
    pub(crate) fn is_everything(&self) -> bool {
        self.filter == Filter::everything()
    }

    /// The query for what of it the caller may see.
    pub(crate) fn narrow(&self, query: &Query) -> Query {
        Query { filter: query.filter.clone().and(self.filter.clone()), ..query.clone() }
    }

    /// Whether the caller may see a document.
    pub(crate) fn allows(&self, document: &vedette_audit::Document) -> bool {
        self.filter.matches(document)
    }
}
