//! The two small vocabularies of the wire: levels and spellings.

use std::{fmt, str::FromStr};

/// How much of a request an event records. Ordered: a greater level records more.
///
/// Of a request that is about no resource there are no bodies to record: the levels that record one do not apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing: such events are dropped.
    None,
    /// Who did what when, without bodies.
    Metadata,
    /// Metadata and the request's body.
    Request,
    /// Metadata and both bodies.
    RequestResponse,
}

impl Level {
    /// The level's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = ParseLevelError;

    /// Takes the exact names alone, as the apiserver writes them.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Metadata, Self::Request, Self::RequestResponse]
            .into_iter()
            .find(|level| level.as_str() == name)
            .ok_or(ParseLevelError)
    }
}

/// A name that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `None`, `Metadata`, `Request` or `RequestResponse`")]
pub struct ParseLevelError;

/// Who wrote a list, as told by the spelling of its array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `items`: a kube-apiserver.
    Kubernetes,
    /// `Items`: KubeSphere's apiserver.
    KubeSphere,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_named_exactly() {
        assert!(Level::None < Level::Metadata && Level::Metadata < Level::Request);
        assert!(Level::Request < Level::RequestResponse);
        for level in [Level::None, Level::Metadata, Level::Request, Level::RequestResponse] {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert_eq!("metadata".parse::<Level>(), Err(ParseLevelError));
    }
}
