//! The rules in force: changed, broken, absent.

use tokio_util::sync::CancellationToken;
use vedette_evaluator::Error;
use vedette_service::{Context, chain};

use crate::rig::{Rig, rules, until, within};

const BROKEN: &str = "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {name: keep}\nspec:\n  rules:\n  - {name: r, type: rule, condition: 'Verb ==', priority: INFO}\n";

#[tokio::test(flavor = "multi_thread")]
async fn changed_rules_are_in_force_without_a_restart() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    rig.publish("before", &["create", "update"]).await;
    let before = rig.archived().await;
    assert_eq!(before.matches.len(), 1);
    rig.write("rules.yaml", &rules("update", "create"));
    let generation = || evaluator.metric("vedette_evaluator_generation") as u64;
    until("the new rules", async || generation() > before.generation).await;
    // The announcement says so too, for `vedette status`.
    let announced = async || rig.bus.services().await.unwrap()[0].metadata["generation"].clone();
    until("the announcement", async || announced().await == generation().to_string()).await;
    rig.publish("after", &["update", "update"]).await;
    let after = rig.archived().await;
    assert_eq!((after.batch.as_str(), after.matches.len(), after.generation), ("after", 2, generation()));
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_rules_keep_the_last_good_ones_in_force() {
    let rig = Rig::start().await;
    let evaluator = rig.evaluator().await;
    let generation = evaluator.metric("vedette_evaluator_generation");
    rig.write("rules.yaml", BROKEN);
    until("the refusal", async || evaluator.metric("vedette_evaluator_policy_rejections_total") == 1.0).await;
    rig.publish("b1", &["create"]).await;
    let result = rig.archived().await;
    assert_eq!((result.matches.len(), result.generation as f64), (1, generation));
    assert!(evaluator.ctx.health.is_ready());
    rig.write("rules.yaml", &rules("get", "delete"));
    until("the mended rules", async || evaluator.metric("vedette_evaluator_generation") > generation).await;
    rig.publish("b2", &["create", "get"]).await;
    assert_eq!(rig.archived().await.matches.len(), 1);
    evaluator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluator_does_not_start_with_broken_rules_and_says_where() {
    let rig = Rig::start().await;
    rig.write("rules.yaml", BROKEN);
    let ctx = Context::new("evaluator", prometheus::Registry::new(), CancellationToken::new());
    let error = within("the refusal", vedette_evaluator::run(rig.config(), ctx)).await.unwrap_err();
    assert!(matches!(error, Error::Policy(_)));
    let text = chain(&error).to_string();
    assert!(text.contains("rules.yaml:6:") && text.contains("error["), "{text}");
}
