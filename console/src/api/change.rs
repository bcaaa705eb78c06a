//! What a request changed, as far as the bodies tell it.
//!
//! The state after it is the response's body, or else the request's. The state before it is the last one that an earlier event of
//! the same object recorded. If the request names the version that it changes (an update does), and that is the version
//! found, nothing came between; otherwise something may have, and the answer says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use vedette_archive::{Archive, Field, Filter, Number, Page, Query};

use super::event::{Event, Members};
use crate::failure::Failure;
use crate::pager::fitting;
use crate::scope::Scope;

/// Places that are told to differ.
const MOST: usize = 500;
/// Bytes of their paths and values together.
const MOST_BYTES: usize = 4 << 20;
/// Earlier events that are looked into for the state before.
const LOOK_BACK: u64 = 10;
/// Members of metadata that the apiserver changes by itself.
const BOOKKEEPING: [&str; 3] = ["managedFields", "resourceVersion", "generation"];
/// The subresource that holds how many there are of an object.
const SCALE: &str = "scale";
/// Why the state before is not told.
const UNKNOWN: &str = "no earlier event recorded a state of the object";
/// What kubectl keeps for itself.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a request changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What could be told.
    pub kind: ChangeKind,
    /// Why it is not more, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The event that recorded the state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Event>,
    /// Whether that is surely the state that was changed. Otherwise changes that are not kept may lie between.
    pub exact: bool,
    /// The places that differ, in the order of their names; at most 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<Place>,
    /// The patch as it was sent, where no state is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Value>,
}

/// What could be told of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It changed nothing, or nothing is known.
    #[default]
    None,
    /// The object was made: `places` has its members.
    Created,
    /// Two states were compared.
    Compared,
    /// The state after is known, the one before is not.
    AfterOnly,
    /// Only the patch is known.
    Patch,
    /// The object was deleted: `places` has its last known members.
    Deleted,
}

/// A place where two states differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// As in `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// Absent where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Absent where there is nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Subresources whose answer is the object itself.
const WHOLE: [&str; 4] = ["", "status", "ephemeralcontainers", "resize"];

/// What the request of a stored document changed.
pub(crate) async fn of(archive: &dyn Archive, scope: &Scope, json: &[u8]) -> Result<Change, Failure> {
    let event = Event::of(json);
    if !matches!(event.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection") {
        return Ok(none("it changes nothing"));
    }
    if event.code.is_some_and(|code| code >= 400) {
        return Ok(none("it was refused"));
    }
    if is_dry_run(&event) {
        return Ok(none("a dry run: nothing was changed"));
    }
    if event.verb == "deletecollection" {
        return Ok(none("each object that it deleted is told by the requests that finished the deletion, if any"));
    }
    if !WHOLE.contains(&event.subresource.as_str()) && event.subresource != SCALE {
        return Ok(none("it is no change of the object itself"));
    }
    let Some(members) = Members::of(json) else { return Ok(none("the record can't be read")) };
    let (request, response) = (body(&members, "RequestObject"), body(&members, "ResponseObject"));
    let response = response.filter(is_object);
    let complete = matches!(event.stage.as_str(), "ResponseComplete" | "");
    if event.verb == "delete" && complete {
        // Most kinds answer a deletion without the object: what it was, an earlier event may have recorded.
        return match response {
            Some(before) => told(ChangeKind::Deleted, before, Value::Null).await,
            None => deleted(archive, scope, &event).await,
        };
    }
    if request.is_none() && response.is_none() {
        let reason = match complete {
            true => format!("no body: level {}", event.level),
            false => format!("no body at stage {}", event.stage),
        };
        return Ok(none(&reason));
    }
    match (event.verb.as_str(), request, response) {
        ("create", request, response) => {
            told(ChangeKind::Created, Value::Null, response.or(request).unwrap_or_default()).await
        }
        ("patch", _, Some(response)) if event.code == Some(201) => {
            told(ChangeKind::Created, Value::Null, response).await
        }
        ("patch", Some(patch), None) => {
            let reason = format!("no body of the answer: level {}", event.level);
            Ok(Change { kind: ChangeKind::Patch, reason, patch: Some(patch), ..Change::default() })
        }
        (_, request, response) => {
            let base = request.as_ref().and_then(version);
            compared(archive, scope, &event, response.or(request).unwrap_or_default(), base).await
        }
    }
}

async fn compared(
    archive: &dyn Archive,
    scope: &Scope,
    event: &Event,
    after: Value,
    base: Option<String>,
) -> Result<Change, Failure> {
    // The scale of an object is a part of it that is told in a shape of its own.
    let scale = event.subresource == SCALE;
    let part = |state: Value| if scale { replicas(&state) } else { state };
    let Some((before, state)) = earlier(archive, scope, event, Some(&after).filter(|_| !scale)).await? else {
        let change = told(ChangeKind::AfterOnly, Value::Null, part(after)).await?;
        return Ok(Change { exact: false, reason: UNKNOWN.to_owned(), ..change });
    };
    let exact = base.is_some() && base == version(&state);
    let change = told(ChangeKind::Compared, part(state), part(after)).await?;
    Ok(Change { exact, before: Some(before), ..change })
}

async fn deleted(archive: &dyn Archive, scope: &Scope, event: &Event) -> Result<Change, Failure> {
    let Some((before, state)) = earlier(archive, scope, event, None).await? else {
        return Ok(Change { kind: ChangeKind::Deleted, reason: UNKNOWN.to_owned(), ..Change::default() });
    };
    let change = told(ChangeKind::Deleted, state, Value::Null).await?;
    Ok(Change { exact: false, before: Some(before), ..change })
}

/// The last state of the object that an event before this one recorded: where `after` is given, of its kind and uid. Of what has a
/// scale, the scale is one, too.
async fn earlier(
    archive: &dyn Archive,
    scope: &Scope,
    event: &Event,
    after: Option<&Value>,
) -> Result<Option<(Event, Value)>, Failure> {
    let is = |field, value: &str| Filter::is(field, [value]);
    let scale = Some(SCALE).filter(|scale| event.subresource == *scale);
    let filter = Filter::All(vec![
        is(Field::Cluster, &event.cluster),
        is(Field::Namespace, &event.namespace),
        is(Field::Resource, &event.resource),
        is(Field::ApiGroup, &event.api_group),
        is(Field::Name, &event.name),
        Filter::is(Field::Subresource, WHOLE.into_iter().chain(scale)),
        Filter::is(Field::Verb, ["create", "update", "patch", "get"]),
        Filter::is(Field::Stage, ["ResponseComplete"]),
        Filter::Within(Number::Code, None, Some(399)),
    ]);
    let time = event.time.parse::<jiff::Timestamp>().map(|time| time.as_microsecond() - 1).ok();
    let query = scope.narrow(&Query { filter, start_micros: None, end_micros: time });
    let hits = fitting(archive, &query, Page { size: LOOK_BACK, total: false, ..Page::default() }).await?;
    let alike = |state: &Value| {
        let same = |pointer| match (state.pointer(pointer), after.and_then(|after| after.pointer(pointer))) {
            (Some(old), Some(new)) => old == new,
            _ => true,
        };
        same("/kind") && same("/metadata/uid")
    };
    Ok(hits.documents.iter().find_map(|json| {
        let found = Event::of(json);
        let state = body(&Members::of(json)?, "ResponseObject").filter(is_object);
        let state = state.filter(|state| alike(state) && !is_dry_run(&found))?;
        Some((found, state))
    }))
}

fn is_dry_run(event: &Event) -> bool {
    event.request_uri.split_once('?').is_some_and(|(_, query)| query.split('&').any(|it| it.starts_with("dryRun=")))
}

/// Where two states differ; off the threads that serve others, since they may be large.
async fn told(kind: ChangeKind, before: Value, after: Value) -> Result<Change, Failure> {
    let places = tokio::task::spawn_blocking(move || differences(&before, &after)).await;
    let places = places.map_err(|_| Failure::broken("the comparison was given up"))?;
    Ok(Change { kind, exact: true, places, ..Change::default() })
}

/// What a scale and an object that has one have in common.
fn replicas(state: &Value) -> Value {
    match state.pointer("/spec/replicas") {
        Some(replicas) => json!({ "spec": { "replicas": replicas } }),
        None => json!({}),
    }
}

fn none(reason: &str) -> Change {
    Change { reason: reason.to_owned(), ..Change::default() }
}

fn body(members: &Members<'_>, name: &str) -> Option<Value> {
    serde_json::from_str(members.raw(name)?.get()).ok()
}

/// Whether it is the object rather than an answer about it.
fn is_object(body: &Value) -> bool {
    body.get("metadata").is_some_and(Value::is_object) && body.get("kind").and_then(Value::as_str) != Some("Status")
}

fn version(state: &Value) -> Option<String> {
    let version = state.get("metadata")?.get("resourceVersion")?.as_str()?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// Where two states differ, but for what the apiserver keeps for itself.
fn differences(before: &Value, after: &Value) -> Vec<Place> {
    let there = |value: &'_ Value| !value.is_null();
    let mut comparison = Comparison { path: Vec::new(), places: Vec::new(), bytes: 0 };
    comparison.compare(Some(before).filter(|it| there(it)), Some(after).filter(|it| there(it)));
    comparison.places
}

struct Comparison {
    path: Vec<String>,
    places: Vec<Place>,
    /// Of the places so far.
    bytes: usize,
}

impl Comparison {
    /// The states are at most 128 deep: see [`vedette_audit::MAX_DEPTH`]. Every value is looked at once.
    fn compare(&mut self, before: Option<&Value>, after: Option<&Value>) {
        if self.places.len() >= MOST || self.bytes >= MOST_BYTES {
            return;
        }
        let empty = Map::new();
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.members(before, after),
            // The whole of an object that comes or goes is told member by member at its first level.
            (Some(Value::Object(before)), None) if self.path.is_empty() => self.members(before, &empty),
            (None, Some(Value::Object(after))) if self.path.is_empty() => self.members(&empty, after),
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.elements(before, after),
            (before, after) if before == after => {}
            (before, after) => {
                let size = |value: Option<&Value>| value.map_or(0, |value| value.to_string().len());
                let path = self.path.concat();
                self.bytes += path.len() + size(before) + size(after);
                if self.bytes < MOST_BYTES {
                    self.places.push(Place { path, before: before.cloned(), after: after.cloned() });
                }
            }
        }
    }

    fn step(&mut self, step: String, before: Option<&Value>, after: Option<&Value>) {
        self.path.push(step);
        self.compare(before, after);
        self.path.pop();
    }

    fn members(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        let in_metadata = self.path.last().is_some_and(|last| last == "metadata");
        let in_annotations = self.path.last().is_some_and(|last| last == ".annotations");
        let new = after.keys().filter(|name| !before.contains_key(*name));
        for name in before.keys().chain(new) {
            if (in_metadata && BOOKKEEPING.contains(&name.as_str())) || (in_annotations && name == LAST_APPLIED) {
                continue;
            }
            self.step(step(name, self.path.is_empty()), before.get(name), after.get(name));
        }
    }

    /// Elements that have names are known by them, others by their place.
    fn elements(&mut self, before: &[Value], after: &[Value]) {
        if let (Some(old), Some(new)) = (named(before), named(after)) {
            let added = new.iter().filter(|(name, _)| !old.contains_key(*name));
            for (name, value) in &old {
                self.step(format!("[name={name}]"), Some(value), new.get(name).copied());
            }
            for (name, value) in added {
                self.step(format!("[name={name}]"), None, Some(value));
            }
            return;
        }
        for at in 0..before.len().max(after.len()) {
            self.step(format!("[{at}]"), before.get(at), after.get(at));
        }
    }
}

/// The elements by their names, if all have one of their own.
fn named(list: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let name = |value: &'_ Value| value.get("name").and_then(Value::as_str).is_some();
    if !list.iter().all(name) {
        return None;
    }
    let named: BTreeMap<&str, &Value> =
        list.iter().filter_map(|value| Some((value.get("name")?.as_str()?, value))).collect();
    (named.len() == list.len()).then_some(named)
}

/// A member's part of a path.
fn step(name: &str, first: bool) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    match (plain, first) {
        (true, true) => name.to_owned(),
        (true, false) => format!(".{name}"),
        (false, _) => format!("[{}]", Value::from(name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{differences, replicas};

    fn check(before: Value, after: Value, expected: &[(&str, Value, Value)]) {
        let found: Vec<_> = differences(&before, &after)
            .into_iter()
            .map(|place| (place.path, place.before.unwrap_or_default(), place.after.unwrap_or_default()))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(path, old, new)| ((*path).to_owned(), old.clone(), new.clone())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn tells_the_places_that_differ() {
        check(json!({"a": 1}), json!({"a": 1}), &[]);
        check(
            json!({"spec": {"replicas": 1, "paused": true}}),
            json!({"spec": {"replicas": 3, "x": {"y": 1}}}),
            &[
                ("spec.paused", json!(true), Value::Null),
                ("spec.replicas", json!(1), json!(3)),
                ("spec.x", Value::Null, json!({"y": 1})),
            ],
        );
        check(Value::Null, json!({"a": {"b": 1}}), &[("a", Value::Null, json!({"b": 1}))]);
        check(json!({"m": {"a/b": 1}}), json!({"m": {"a/b": 2}}), &[(r#"m["a/b"]"#, json!(1), json!(2))]);
    }

    #[test]
    fn knows_elements_by_their_names() {
        let list = |images: &[(&str, &str)]| -> Value {
            let containers: Vec<_> = images.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
            json!({ "containers": containers })
        };
        check(
            list(&[("web", "a:1"), ("log", "b:1")]),
            list(&[("log", "b:1"), ("web", "a:2")]),
            &[("containers[name=web].image", json!("a:1"), json!("a:2"))],
        );
        check(
            json!({"l": [1, 2]}),
            json!({"l": [1, 3, 4]}),
            &[("l[1]", json!(2), json!(3)), ("l[2]", Value::Null, json!(4))],
        );
    }

    #[test]
    fn a_scale_is_compared_with_its_object() {
        let deployment = json!({"kind": "Deployment", "spec": {"replicas": 4, "paused": true}});
        let scale = json!({"kind": "Scale", "spec": {"replicas": 1}, "status": {"replicas": 4}});
        check(replicas(&deployment), replicas(&scale), &[("spec.replicas", json!(4), json!(1))]);
        check(replicas(&json!({"kind": "Scale"})), replicas(&scale), &[("spec", Value::Null, json!({"replicas": 1}))]);
    }

    #[test]
    fn passes_over_what_the_apiserver_keeps_for_itself() {
        check(
            json!({"metadata": {"resourceVersion": "1", "managedFields": [1], "labels": {"a": "b"}}}),
            json!({"metadata": {"resourceVersion": "2", "managedFields": [2], "labels": {"a": "c"}}}),
            &[("metadata.labels.a", json!("b"), json!("c"))],
        );
    }
}
