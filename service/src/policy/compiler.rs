//! Documents → a policy, or everything that is wrong with them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use vedette_rules::{Built, Diagnostic, Policy, Receiver, SourceFile};

use super::PolicyError;
use crate::chain;

/// Diagnostics of one change that are logged.
const LOGGED: usize = 50;

/// What makes a policy of files; apart so that tests can make it fail.
pub(super) type Compile = fn(&[SourceFile], u64, &[Receiver]) -> Result<Built, Vec<Diagnostic>>;

pub(super) fn compile(files: &[SourceFile], generation: u64, receivers: &[Receiver]) -> Result<Built, Vec<Diagnostic>> {
    Policy::build_with(files, generation, |settings| settings.receivers.extend_from_slice(receivers))
}

/// Makes policies of what comes from one place.
#[derive(Debug, Clone)]
pub(super) struct Compiler {
    /// The directory, or the operator's address: for people.
    pub(super) origin: PathBuf,
    pub(super) receivers: Vec<Receiver>,
    pub(super) compile: Compile,
}

impl Compiler {
    pub(super) fn build(&self, files: &[SourceFile], generation: u64) -> Result<Built, PolicyError> {
        // The files are only read, so that a panic leaves nothing half done behind.
        let built = catch_unwind(AssertUnwindSafe(|| (self.compile)(files, generation, &self.receivers)));
        let built = built.map_err(|_| PolicyError::Panicked { path: self.origin.clone() })?;
        built.map_err(|diagnostics| PolicyError::Rejected { path: self.origin.clone(), diagnostics })
    }

    /// Tells of what is to be in force, and what was noticed in it.
    pub(super) fn accept(&self, built: Built) -> Policy {
        for warning in built.warnings.iter().take(LOGGED) {
            tracing::warn!(diagnostic = %warning, "noticed in the rules");
        }
        let policy = built.policy;
        tracing::info!(
            path = %self.origin.display(),
            policy.generation = policy.generation,
            policy.rules = policy.rules.rules().count(),
            policy.warnings = built.warnings.len(),
            "rules are in force"
        );
        policy
    }

    /// Tells why it is not.
    pub(super) fn report(&self, error: &PolicyError) {
        if let PolicyError::Rejected { diagnostics, .. } = error {
            for diagnostic in diagnostics.iter().take(LOGGED) {
                tracing::error!(diagnostic = %diagnostic, "refused in the rules");
            }
            tracing::error!(path = %self.origin.display(), diagnostics = diagnostics.len(), "the rules have errors");
        } else {
            tracing::error!(path = %self.origin.display(), error = %chain(error), "the rules cannot be used");
        }
    }
}
