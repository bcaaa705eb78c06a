//! Names of rules and of what holds them: `namespaces/<namespace>/rules/<name>`, parsed once at the edge.
//!
//! What is a name here is one for Kubernetes too, and as part of a file's name it can't lead out of its directory.

use std::fmt;

use super::error::ManageError;
use crate::document::Key;

/// What stands for all namespaces.
const ALL: &str = "-";

/// A rule's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName {
    /// The namespace.
    pub namespace: String,
    /// The resource's own name.
    pub name: String,
}

impl RuleName {
    /// Of the text in `field` of a request.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(field: &str, text: &str) -> Result<Self, ManageError> {
        let wrong = || ManageError::invalid(field, "it is not `namespaces/<namespace>/rules/<name>`");
        let rest = text.strip_prefix("namespaces/").ok_or_else(wrong)?;
        let (namespace, name) = rest.split_once("/rules/").ok_or_else(wrong)?;
        Self::new(field, namespace, name)
    }

    /// Of its parts.
    ///
    /// # Errors
    /// If they can't be names.
    pub fn new(field: &str, namespace: &str, name: &str) -> Result<Self, ManageError> {
        if !is_label(namespace) {
            return Err(ManageError::invalid(field, format!("`{}` is no namespace: {LABEL}", cut(namespace))));
        }
        if !is_subdomain(name) {
            return Err(ManageError::invalid(field, format!("`{}` is no name: {SUBDOMAIN}", cut(name))));
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// As the index knows it.
    pub fn key(&self) -> Key {
        Key::Rule { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "namespaces/{}/rules/{}", self.namespace, self.name)
    }
}

const LABEL: &str = "lowercase letters, digits and `-`, at most 63, a letter or digit first and last";
const SUBDOMAIN: &str =
    "lowercase letters, digits, `-` and `.`, at most 253, a letter or digit first and last in each part";

/// The namespace of a request's `parent`; `None` is all.
///
/// # Errors
/// If it is no parent.
pub(super) fn parent(text: &str) -> Result<Option<String>, ManageError> {
    match text.strip_prefix("namespaces/") {
        Some(ALL) => Ok(None),
        Some(namespace) if is_label(namespace) => Ok(Some(namespace.to_owned())),
        _ => Err(ManageError::invalid("parent", "it is neither `namespaces/<namespace>` nor `namespaces/-`")),
    }
}

fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && part.bytes().all(fits) && !part.starts_with('-') && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// Whether Kubernetes takes this as the key of a label or annotation.
pub(super) fn is_key(text: &str) -> bool {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_value(name)
}

/// Whether Kubernetes takes this as the value of a label.
pub(super) fn is_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let outer = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63 && bytes.iter().all(|it| inner(*it)) && outer(bytes.first()) && outer(bytes.last())
}

/// Text of a caller in a message.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(100)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{RuleName, parent};

    #[test]
    fn names_are_those_of_kubernetes() {
        let name = RuleName::parse("name", "namespaces/a-b/rules/x.y-1").unwrap();
        assert_eq!((name.namespace.as_str(), name.name.as_str()), ("a-b", "x.y-1"));
        assert_eq!(name.to_string(), "namespaces/a-b/rules/x.y-1");
        for bad in
            ["", "a", "namespaces/a", "namespaces/-/rules/x", "namespaces/a.b/rules/x", "namespaces/a/rules/../x"]
        {
            assert!(RuleName::parse("name", bad).is_err(), "{bad}");
        }
        for bad in ["namespaces/a/rules/", "namespaces/a/rules/X", "namespaces/a/rules/x/y", "namespaces/a/rules/x..y"]
        {
            assert!(RuleName::parse("name", bad).is_err(), "{bad}");
        }
        assert_eq!(parent("namespaces/-").unwrap(), None);
        assert_eq!(parent("namespaces/x").unwrap(), Some("x".to_owned()));
        assert!(parent("x").is_err() && parent("namespaces/").is_err());
    }
}
