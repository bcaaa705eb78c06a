//! The rule language: text, syntax, resolution, evaluation.
