//! What can go wrong, told apart by what the caller can do about it.

use std::error::Error as StdError;
use std::path::PathBuf;

use thiserror::Error;

use crate::query::{MAX_BUCKETS, MAX_GROUPS, MAX_PAGE_BYTES};

/// An operation on the archive failed.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The engine is away, slow, full or read-only, or does not let us in: the same call may succeed later.
    #[error("the archive is unavailable: {message}")]
    Unavailable {
        /// What happened; for people.
        message: String,
        /// The error below, if there is one.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The engine refuses the call and would refuse it again (an engine that is too old, a foreign mapping).
    #[error("the archive refuses: {message}")]
    Refused {
        /// What happened; for people.
        message: String,
        /// The error below, if there is one.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The question is wrong.
    #[error("bad `{parameter}`: {message}")]
    Invalid {
        /// The name of the query's or page's field.
        parameter: &'static str,
        /// What is allowed.
        message: String,
    },
}

impl ArchiveError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into(), source: None }
    }

    pub(crate) fn unavailable_by(
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { message: message.into(), source: Some(source.into()) }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), source: None }
    }

    pub(crate) fn refused_by(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Refused { message: message.into(), source: Some(source.into()) }
    }

    pub(crate) fn invalid(parameter: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { parameter, message: message.into() }
    }
}

pub(crate) fn too_many_groups() -> ArchiveError {
    ArchiveError::invalid("by", format!("more than {MAX_GROUPS} different values: narrow the query"))
}

pub(crate) fn too_many_buckets() -> ArchiveError {
    ArchiveError::invalid("interval", format!("more than {MAX_BUCKETS} intervals have events: take a longer one"))
}

pub(crate) fn page_too_large() -> ArchiveError {
    ArchiveError::invalid("size", format!("the page has more than {} MiB: ask for fewer", MAX_PAGE_BYTES >> 20))
}

/// The archive could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A setting is wrong.
    #[error("bad setting `{key}`: {message}")]
    Setting {
        /// The setting, as the configuration file spells it.
        key: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Another process writes to the directory.
    #[error("the archive in {} is in use by {holder}", .dir.display())]
    Locked {
        /// The archive's directory.
        dir: PathBuf,
        /// Who has it: program and process id, as far as it said.
        holder: String,
    },
    /// A file or a directory could not be read or written.
    #[error("can't {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The engine refuses.
    #[error("can't open the archive")]
    Engine(#[source] ArchiveError),
}
