//! The rule language: text → syntax → resolved → compiled → decisions.
//!
//! A set of files becomes a [`Policy`] in stages that only look back: [`source`] text, `yaml` nodes with positions, `resource`
//! definitions, `syntax` trees, resolved names, a `program` in which every distinct predicate stands once, and an engine that
//! holds it against events. The first four know spans and collect diagnostics; the last two know neither and are total: no event can
//! make them fail, panic or run without bound.
//!
//! Deciding an event takes two halves. `event` reads it: two passes over its bytes that note where the values stand which some rule
//! names. `evaluate` goes from those values to the predicates that they make true, and from these to the rules that could hold.
//!
//! **Invariant:** nothing here does I/O, reads a clock or awaits.

pub mod cases;
pub mod codes;
mod derived;
pub mod diagnostic;
mod evaluate;
mod event;
mod glob;
mod hash;
mod interned;
mod json_schema;
mod kubesphere;
mod lower;
mod message;
mod names;
mod pattern;
pub mod policy;
mod program;
pub mod render;
mod resource;
mod schema;
pub mod settings;
mod similar;
pub mod source;
pub mod syntax;
mod text;
mod value;
mod yaml;

pub use diagnostic::{Diagnostic, Severity};
pub use json_schema::json_schema;
pub use policy::{
    AlertMatch, Answer, BlindMatch, Built, DecideError, Decision, ExplainError, Explainer, Explanation, Found, Policy,
    RuleIndex, RuleInfo, RuleKind, RuleSet,
};
pub use settings::{Priority, Receiver, ReceiverKind, Requirement, RequirementOperator, Selector, Settings};
pub use similar::nearest;
pub use source::SourceFile;
pub use syntax::Dialect;
