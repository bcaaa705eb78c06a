//! What else would delete or roll our indices: a lifecycle policy of the engine's own, or a template that takes them from us.
//!
//! Elasticsearch's ILM and OpenSearch's ISM act on whatever index they are pointed at, by a setting, a template or a pattern
//! of their own. A policy that deletes shortens the retention without anybody being told; one that rolls over writes where
//! no reader looks. Neither is ours to change: it is found and told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::Method;
use serde_json::Value;

use super::bulk::Target;
use super::names::Names;
use super::transport::{SHORT, Transport};
use super::upkeep::Upkeep;
use crate::config::Mode;
use crate::day::Day;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// What was found when it was last looked for.
#[derive(Default)]
pub(super) struct Policies(Mutex<Option<(Instant, Vec<String>)>>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Ilm,
    Ism,
}

impl Policies {
    /// What is known, looked for again if it is old. An engine that does not tell has nothing to warn of. What is ours is
    /// seen to on that occasion.
    pub(super) async fn warnings(&self, target: Target<'_>, upkeep: &Upkeep, mode: Mode) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, warnings)) = known
            && at.elapsed() < EVERY
        {
            return warnings;
        }
        let mut warnings = upkeep.look(target, mode).await;
        warnings.extend(look(target.transport, target.names).await);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), warnings.clone()));
        warnings
    }
}

async fn look(transport: &Transport, names: &Names) -> Vec<String> {
    let pattern = names.pattern();
    // How many indices each policy has; none where only new ones will have it.
    let mut found: BTreeMap<(Kind, String), u64> = BTreeMap::new();
    let mut warnings = Vec::new();
    let lifecycles = "index.lifecycle*,index.plugins.index_state_management*,index.opendistro.index_state_management*";
    let open = "ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open";
    if let Some(Value::Object(indices)) =
        ask(transport, Method::GET, &format!("{pattern}/_settings/{lifecycles}?{open}")).await
    {
        for policy in indices.values().filter_map(|index| of_settings(index.get("settings")?)) {
            *found.entry(policy).or_default() += 1;
        }
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // The day after tomorrow, which has no index yet.
    let day = Day::of(
        i64::try_from(now.as_micros()).unwrap_or(0) + 2 * (Day::FIRST.end_micros() - Day::FIRST.start_micros()),
    );
    let path = format!("_index_template/_simulate_index/{}", names.index("vedette", day));
    if let Some(simulated) = ask(transport, Method::POST, &path).await
        && let Some(template) = simulated.get("template")
    {
        if let Some(policy) = template.get("settings").and_then(of_settings) {
            found.entry(policy).or_default();
        }
        if template.pointer("/mappings/properties/Vedette").is_none() {
            warnings.push(format!(
                "another index template takes the new indices of `{pattern}`: raise nobody's priority above ours"
            ));
        }
    }
    if let Some(Value::Object(explained)) =
        ask(transport, Method::GET, &format!("_plugins/_ism/explain/{pattern}")).await
    {
        let policy = |index: &Value| {
            ["policy_id", "index.plugins.index_state_management.policy_id"]
                .iter()
                .find_map(|name| index.get(*name)?.as_str().map(str::to_owned))
        };
        let mut managed: BTreeMap<(Kind, String), u64> = BTreeMap::new();
        for policy in explained.values().filter_map(policy) {
            *managed.entry((Kind::Ism, policy)).or_default() += 1;
        }
        for (policy, count) in managed {
            let known = found.entry(policy).or_default();
            *known = count.max(*known);
        }
    }
    for ((kind, name), indices) in found {
        warnings.extend(judge(transport, kind, &name, indices, &pattern).await);
    }
    warnings
}

/// What there is to say of a policy: nothing where it neither deletes nor rolls.
async fn judge(transport: &Transport, kind: Kind, name: &str, indices: u64, pattern: &str) -> Option<String> {
    let (path, label) = match kind {
        Kind::Ilm => ("_ilm/policy", "ILM"),
        Kind::Ism => ("_plugins/_ism/policies", "ISM"),
    };
    let mut actions = (false, false);
    let does = match ask(transport, Method::GET, &format!("{path}/{name}")).await {
        None => "can't be read and may delete or roll",
        Some(policy) => {
            gather(&policy, &mut actions);
            match actions {
                (false, false) => return None,
                (true, false) => "deletes",
                (false, true) => "rolls over",
                (true, true) => "deletes and rolls over",
            }
        }
    };
    let whose = if indices == 0 { "new indices".to_owned() } else { format!("{indices} of the indices") };
    Some(format!(
        "the {label} policy `{name}` {does} {whose} of `{pattern}`: retention is Vedette's own, take the policy off them"
    ))
}

/// The policy that an index's settings name.
fn of_settings(settings: &Value) -> Option<(Kind, String)> {
    let text = |path: &str| settings.pointer(path)?.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    text("/index/lifecycle/name").map(|name| (Kind::Ilm, name)).or_else(|| {
        text("/index/plugins/index_state_management/policy_id")
            .or_else(|| text("/index/opendistro/index_state_management/policy_id"))
            .map(|name| (Kind::Ism, name))
    })
}

/// Whether there are actions that delete, and that roll over, anywhere in a policy.
fn gather(policy: &Value, found: &mut (bool, bool)) {
    match policy {
        Value::Object(members) => {
            for (name, value) in members {
                if name == "actions" {
                    let of = |action: &str| match value {
                        Value::Array(actions) => actions.iter().any(|one| one.get(action).is_some()),
                        actions => actions.get(action).is_some(),
                    };
                    *found = (found.0 || of("delete"), found.1 || of("rollover"));
                }
                gather(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

/// The answer, if the engine has one: these endpoints are plug-ins', and not everybody may ask them.
async fn ask(transport: &Transport, method: Method, path: &str) -> Option<Value> {
    match transport.json(method, path, None, SHORT).await {
        Ok(answer) => Some(answer),
        Err(error) => {
            tracing::debug!(%error, path, "the engine does not tell about lifecycle policies");
            None
        }
    }
}
