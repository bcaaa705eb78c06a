//! What documents are grouped by.

use std::fmt;
use std::str::FromStr;

use crate::error::ArchiveError;
use crate::field::{Field, FieldError};
use crate::query::MAX_TOP;
use crate::{Group, Groups};

/// A field of texts, or the status code as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// A field for which [`Field::is_groupable`] holds.
    Field(Field),
    /// The response's HTTP status code.
    Code,
}

impl By {
    /// Its name in queries and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field(field) => field.name(),
            Self::Code => "code",
        }
    }

    /// All that there is to group by.
    pub fn all() -> impl Iterator<Item = Self> {
        Field::groupable().map(Self::Field).chain([Self::Code])
    }
}

impl FromStr for By {
    type Err = FieldError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.eq_ignore_ascii_case("code") { Ok(Self::Code) } else { name.parse().map(Self::Field) }
    }
}

impl fmt::Display for By {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Checks what is grouped by, and how many groups are asked for.
pub(crate) fn check(by: &[By], most: usize, limit: usize) -> Result<(), ArchiveError> {
    if by.is_empty() || by.len() > most {
        return Err(ArchiveError::invalid("by", format!("at least one field, at most {most}")));
    }
    if let Some(field) = by.iter().find(|by| matches!(by, By::Field(field) if !field.is_groupable())) {
        return Err(ArchiveError::invalid(
            "by",
            format!("`{field}` is as good as unique: nothing can be grouped by it"),
        ));
    }
    if by.first() == by.get(1) {
        return Err(ArchiveError::invalid("by", "two different fields"));
    }
    if limit > MAX_TOP {
        return Err(ArchiveError::invalid("top", format!("at most {MAX_TOP}")));
    }
    Ok(())
}

/// The largest of all groups.
pub(crate) fn largest(mut rows: Vec<Group>, limit: usize) -> Groups {
    let total = rows.len() as u64;
    rows.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.values.cmp(&b.values)));
    rows.truncate(limit);
    Groups { rows, total }
}
