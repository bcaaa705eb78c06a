//! Fields that no event has and every rule may name: each made of others in one way, so that no rule has to.
//!
//! A name among them always means what is made here, whatever an event holds under that name: a sender could have put it there.
//! Whoever reads events calls [`Derived::derive`] with the texts at [`Derived::sources`], and holds the result against the tests like
//! any other value.

#[cfg(test)]
mod tests;

use crate::syntax::ast::Step;
use vedette_audit::Instant;

/// A field that is made of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derived {
    /// Who acted: the user that was impersonated, else the one who sent the request.
    Actor,
    /// What an exec runs: the `command` values of the request's query, decoded, with spaces between them.
    Command,
    /// The address that the apiserver saw: the last one, since a client can write any before it.
    SourceIp,
    /// The seconds from the request's receipt to the event's stage.
    Duration,
}

/// What a field was made to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    Text(String),
    /// A decimal number.
    Number(String),
}

impl Derived {
    pub(crate) const ALL: [Self; 4] = [Self::Actor, Self::Command, Self::SourceIp, Self::Duration];

    /// The name, as the manual spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Actor => "Actor",
            Self::Command => "Command",
            Self::SourceIp => "SourceIP",
            Self::Duration => "Duration",
        }
    }

    /// The field that a path leads to, if it is one of these.
    pub(crate) fn at(steps: &[Step]) -> Option<Self> {
        let [Step::Key(name)] = steps else { return None };
        Self::named(name.as_bytes())
    }

    /// The field of this name, if it is one of these.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|derived| derived.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The paths of what it is made of.
    pub(crate) fn sources(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Actor => &[&["ImpersonatedUser", "Username"], &["User", "Username"]],
            Self::Command => &[&["RequestURI"]],
            Self::SourceIp => &[&["SourceIPs"]],
            Self::Duration => &[&["RequestReceivedTimestamp"], &["StageTimestamp"]],
        }
    }

    /// Makes the field of the texts at each of its sources, `texts(0)` being those at the first; `None` if the event has no such thing.
    pub(crate) fn derive<'t, T: Iterator<Item = &'t str>>(self, texts: impl Fn(usize) -> T) -> Option<Made> {
        let first = |source| texts(source).find(|text| !text.is_empty());
        match self {
            Self::Actor => first(0).or_else(|| first(1)).map(|name| Made::Text(name.to_owned())),
            Self::Command => vedette_audit::command::of(first(0)?).map(Made::Text),
            Self::SourceIp => texts(0).last().map(|address| Made::Text(address.to_owned())),
            Self::Duration => {
                let received = Instant::parse(first(0)?)?;
                Some(Made::Number(Instant::parse(first(1)?)?.seconds_since(received)))
            }
        }
    }
}

/// A number of seconds as a reader takes it, with its units: `1m30.000001s`, as a condition would have it.
pub(crate) fn length(seconds: &str) -> String {
    let (sign, length) = seconds.strip_prefix('-').map_or(("", seconds), |length| ("-", length));
    let (whole, fraction) = length.split_at(length.find('.').unwrap_or(length.len()));
    let Ok(whole) = whole.parse::<u64>() else { return format!("{seconds}s") };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}{fraction}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
    }
}
