//! Why an item is no event.

use crate::scan::{Fault, FaultKind};

/// What is wrong with an item, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset} of the event")]
pub struct EventError {
    /// What is wrong.
    pub kind: EventErrorKind,
    /// The offset of the offending byte from the start of the item.
    pub offset: usize,
}

/// What is wrong with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventErrorKind {
    /// The bytes are no JSON, so that nothing around them can be trusted either: the whole body is refused.
    #[error("expected {expected}")]
    Syntax {
        /// What the grammar wants there.
        expected: &'static str,
    },
    /// JSON, but no event that we can take: a dead letter.
    #[error("{code}: {detail}")]
    Bad {
        /// The reason's code.
        code: BadCode,
        /// For people: what was expected.
        detail: &'static str,
    },
}

/// Why an item is a bad event. The codes are permanent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadCode {
    /// Not UTF-8.
    NotUtf8,
    /// A value of another kind than an object.
    NotObject,
    /// Nested deeper than [`crate::MAX_DEPTH`].
    TooDeep,
    /// A member that we read has a value of another type than ours, or is named far too often.
    WrongType,
    /// Neither `verb` nor `requestURI`.
    NoVerbOrUri,
    /// Over [`crate::MAX_EVENT_BYTES`] even without its bodies.
    TooLarge,
}

impl BadCode {
    /// Every code, for metrics that must exist before they count.
    pub const ALL: [Self; 6] =
        [Self::NotUtf8, Self::NotObject, Self::TooDeep, Self::WrongType, Self::NoVerbOrUri, Self::TooLarge];

    /// The code as it stands in dead letters and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotObject => "not_object",
            Self::TooDeep => "too_deep",
            Self::WrongType => "wrong_type",
            Self::NoVerbOrUri => "no_verb_or_uri",
            Self::TooLarge => "too_large",
        }
    }
}

impl std::fmt::Display for BadCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EventError {
    /// The error's code: `syntax`, or that of [`BadCode`].
    pub fn code(&self) -> &'static str {
        match self.kind {
            EventErrorKind::Syntax { .. } => "syntax",
            EventErrorKind::Bad { code, .. } => code.as_str(),
        }
    }

    /// The dead letter's error.
    pub(crate) fn bad(code: BadCode, detail: &'static str, offset: usize) -> Self {
        Self { kind: EventErrorKind::Bad { code, detail }, offset }
    }
}

impl From<Fault> for EventError {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::Expected(expected) | FaultKind::Ends(expected) => {
                Self { kind: EventErrorKind::Syntax { expected }, offset: fault.at }
            }
            FaultKind::TooDeep => Self::bad(BadCode::TooDeep, "expected at most 128 levels of nesting", fault.at),
        }
    }
}
