//! The fields that the configuration names, and how a walk follows them.

use super::fold;

/// Steps of one rule's fields, at most: each is a bit of a walk's state.
const MOST_STEPS: usize = 64;

/// Fields of a resource whose values are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldRule {
    /// The resource's API group, empty for the core one; any, if it is not said.
    pub group: Option<String>,
    /// The kind of resource, in its plural.
    pub resource: String,
    /// Paths as `spec.password`; `*` is any member, and an array's elements stand for it.
    pub fields: Vec<String>,
}

/// Why there is no redactor.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedactError {
    /// A rule is for no resource.
    #[error("expected `resource` to be a resource's plural")]
    NoResource,
    /// A rule names no field.
    #[error("expected `fields` of `{resource}` to be paths of members, as `spec.password` or `data.*`")]
    BadField {
        /// The rule's resource.
        resource: String,
    },
    /// A rule has too many.
    #[error("expected `fields` of `{resource}` to have {MOST_STEPS} members in all at most")]
    TooMany {
        /// The rule's resource.
        resource: String,
    },
    /// The search cannot be made.
    #[error("make the search for words of interest")]
    Search,
}

/// A rule, ready to be followed. A state is a set of steps, a bit each: those that would lead on from where the walk is.
#[derive(Clone, Debug)]
pub(super) struct FieldSet {
    group: Option<String>,
    resource: String,
    steps: Vec<Step>,
    pub(super) start: u64,
}

#[derive(Clone, Debug)]
struct Step {
    /// In lower case; any, if there is none.
    name: Option<String>,
    last: bool,
}

impl FieldSet {
    pub(super) fn new(rule: &FieldRule) -> Result<Self, RedactError> {
        let resource = rule.resource.clone();
        if resource.is_empty() {
            return Err(RedactError::NoResource);
        }
        let (mut steps, mut start) = (Vec::new(), 0);
        for field in &rule.fields {
            // A rule that is too long is refused below.
            start |= 1_u64.checked_shl(u32::try_from(steps.len()).unwrap_or(u32::MAX)).unwrap_or_default();
            for name in field.split('.') {
                if name.is_empty() {
                    return Err(RedactError::BadField { resource });
                }
                let name = (name != "*").then(|| name.chars().map(fold).collect());
                steps.push(Step { name, last: false });
            }
            if let Some(step) = steps.last_mut() {
                step.last = true;
            }
        }
        match steps.len() {
            0 => Err(RedactError::BadField { resource }),
            1..=MOST_STEPS => Ok(Self { group: rule.group.clone(), resource, steps, start }),
            _ => Err(RedactError::TooMany { resource }),
        }
    }

    pub(super) fn is_for(&self, group: &str, resource: &str) -> bool {
        self.resource.eq_ignore_ascii_case(resource)
            && self.group.as_ref().is_none_or(|own| own.eq_ignore_ascii_case(group))
    }

    /// The state behind a member of this name, and whether a field ends with it.
    pub(super) fn follow(&self, mut state: u64, name: &str) -> (u64, bool) {
        let (mut next, mut ends) = (0, false);
        while state != 0 {
            let at = state.trailing_zeros();
            state &= state - 1;
            let Some(step) = self.steps.get(at as usize) else { continue };
            if step.name.as_ref().is_none_or(|wanted| name.chars().map(fold).eq(wanted.chars())) {
                match step.last {
                    true => ends = true,
                    false => next |= 2 << at,
                }
            }
        }
        (next, ends)
    }
}
