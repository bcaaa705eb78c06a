//! Which image runs.
//!
//! KubeSphere's files name KubeSphere's webhook, which knows nothing of Vedette's services: running it would be obedience without
//! sense. It is left out, and a condition says so.

use super::Settings;
use super::component::Component;
use super::condition::{self, Finding};
use crate::api;

/// What the images of KubeSphere's own auditing are called.
const REFERENCE: &str = "kube-auditing";

/// The image of a service.
pub(crate) fn of(component: Component, webhook: &api::Webhook, settings: &Settings) -> String {
    let own = component.own(webhook).and_then(|it| it.image.as_deref());
    let asked = own.into_iter().chain(webhook.spec.image.as_deref());
    let usable = asked.into_iter().find(|image| !image.is_empty() && !is_reference(image));
    usable.unwrap_or(&settings.image).replace("{component}", component.name())
}

/// What is said of images and arguments that are not used.
pub(crate) fn findings(webhook: &api::Webhook, settings: &Settings) -> [Finding; 2] {
    [image(webhook, settings), arguments(webhook)]
}

fn image(webhook: &api::Webhook, settings: &Settings) -> Finding {
    let mut ignored = Vec::new();
    if let Some(image) = webhook.spec.image.as_deref().filter(|image| is_reference(image)) {
        ignored.push(format!("`{image}` (spec.image)"));
    }
    for component in Component::ALL {
        let own = component.own(webhook).and_then(|it| it.image.as_deref());
        if let Some(image) = own.filter(|image| is_reference(image)) {
            ignored.push(format!("`{image}` (spec.components.{}.image)", component.name()));
        }
    }
    if ignored.is_empty() {
        return Finding::new(condition::IMAGE_IGNORED, false, "AsWritten", "images run as written");
    }
    let message = format!(
        "{} is meant for KubeSphere's own webhook and does not run; `{}` runs instead. To choose another, set spec.image, or \
         spec.components.<service>.image, to an image of Vedette, or remove it",
        ignored.join(", "),
        of(Component::Ingest, webhook, settings),
    );
    Finding::new(condition::IMAGE_IGNORED, true, "MeantForKubeSphere", message)
}

fn arguments(webhook: &api::Webhook) -> Finding {
    let given = webhook.spec.args.as_deref().unwrap_or_default();
    if given.is_empty() {
        return Finding::new(condition::ARGS_IGNORED, false, "NotSet", "no arguments are given");
    }
    let message = format!(
        "`{}` (spec.args) is meant for KubeSphere's own webhook and has no effect; settings of a service go into \
         spec.components.<service>.env",
        given.join(" ")
    );
    Finding::new(condition::ARGS_IGNORED, true, "MeantForKubeSphere", message)
}

/// `registry/kubesphere/kube-auditing-webhook:v0.2.0` and the like.
fn is_reference(image: &str) -> bool {
    let path = image.split_once('@').map_or(image, |(path, _)| path);
    let last = path.rsplit('/').next().unwrap_or(path);
    last.split(':').next().unwrap_or(last).starts_with(REFERENCE)
}
