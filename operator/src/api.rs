//! The resources of group `auditing.kubesphere.io`, as KubeSphere's users have them, and the CRDs that are made of them.
//!
//! A field that is here is accepted; what becomes of it is said by its description, which is also what `kubectl explain` shows.
//! The text of rules is the compiler's to judge (`vedette-rules`): the schema only keeps out what could not even be read.

#![expect(unreachable_pub, reason = "of the types that kube derives from")]

pub mod rule;
pub mod status;
pub mod webhook;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use rule::{Rule, RuleSpec, RuleStatus, StatusDiagnostic};
pub use status::{Condition, ConditionStatus, set_condition};
pub use vedette_service::manifest::{Entry, EntryType, GROUP, Priority, VERSION};
pub use webhook::{
    AuditLevel, AuditSinkPolicy, Auditing, Component, Components, Receiver, ReceiverConfig, ReceiverService,
    ReceiverType, Resources, Webhook, WebhookSpec, WebhookStatus,
};

/// The name of the `Webhook` that is in force.
pub const WEBHOOK: &str = "kube-auditing-webhook";
/// Where KubeSphere keeps its auditing, and we what we make.
pub const NAMESPACE: &str = "kubesphere-logging-system";

/// Both definitions, as `deploy/crds/` holds them.
pub fn definitions() -> [CustomResourceDefinition; 2] {
    [Rule::crd(), Webhook::crd()]
}

#[cfg(test)]
mod tests;
