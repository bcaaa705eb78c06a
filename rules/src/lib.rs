//! The rule language: text → syntax → resolved → compiled → decisions.
//!
//! A set of files becomes a [`Policy`] in stages that only look back: [`source`] text, `yaml` nodes with positions, `resource`
//! definitions, `syntax` trees, resolved names, a `program` in which every distinct predicate stands once. The first four know
//! spans and collect diagnostics; the last knows neither and is total: no event can make it fail, panic or run without bound.
//!
//! **Invariant:** nothing here does I/O, reads a clock or awaits.

pub mod cases;
pub mod codes;
mod derived;
pub mod diagnostic;
mod evaluate;
mod event;
mod glob;
mod json_schema;
mod kubesphere;
mod lower;
mod message;
mod names;
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
    AlertMatch, Answer, BlindMatch, Built, DecideError, Decision, ExplainError, Explainer, Explanation, Policy,
    RuleIndex, RuleInfo, RuleKind, RuleSet,
};
pub use settings::{Priority, Receiver, ReceiverKind, Requirement, RequirementOperator, Selector, Settings};
pub use source::SourceFile;
pub use syntax::Dialect;
