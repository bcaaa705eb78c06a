//! Keeping the engine's side as it should be: the template, which makes the indices to come, and the mappings of those that
//! are there.
//!
//! A template is read once, when an index is made. So an index that an older version's template made does not know the
//! fields that came since: it is given them, and what is written to it from then on is found by them. What was written
//! before is not, and that is told as long as the index is there: the mapping's `_meta` keeps what was lacking. An index
//! that was not made by a template of ours is left alone.
//!
//! A template that goes missing while we run (somebody tidies up, a cluster is begun anew) would let the engine make up a
//! mapping for the next day. It is looked for before the first write to each index, after each write that failed, and
//! every few minutes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::NAMES_IN_A_PATH;
use super::bulk::Target;
use super::template::{self, MANAGED_BY, VERSION};
use super::transport::{SHORT, Transport};
use crate::WriteBatch;
use crate::config::Mode;
use crate::day::Day;
use crate::error::ArchiveError;

/// Indices that are remembered.
const REMEMBERED: usize = 10_000;

/// The indices that have been written to since the template was last known to be there.
#[derive(Default)]
pub(super) struct Upkeep(Mutex<HashSet<String>>);

impl Upkeep {
    /// Sees to the template where a write may make an index.
    pub(super) async fn before(&self, target: Target<'_>, batches: &[WriteBatch]) -> Result<(), ArchiveError> {
        let documents = batches.iter().flat_map(|batch| &batch.documents);
        let places: HashSet<(&str, Day)> =
            documents.map(|document| (document.fields.cluster.as_str(), Day::of(document.time_micros))).collect();
        let indices = places.into_iter().map(|(cluster, day)| target.names.index(cluster, day));
        let new: Vec<String> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            indices.filter(|index| !known.contains(index)).collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        see_to_template(target).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > REMEMBERED {
            known.clear();
        }
        known.extend(new);
        Ok(())
    }

    /// Nothing is known of the engine any more.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sees to everything; what there is to tell of it.
    pub(super) async fn look(&self, target: Target<'_>, mode: Mode) -> Vec<String> {
        if mode == Mode::Write
            && let Err(error) = see_to_template(target).await
        {
            tracing::warn!(%error, "can't see to the index template");
        }
        mend(target, mode).await
    }
}

/// Puts the template as it is configured now, unless a newer Vedette put its own.
pub(super) async fn put_template(target: Target<'_>) -> Result<(), ArchiveError> {
    if version_there(target).await?.is_some_and(|version| version > VERSION) {
        tracing::info!("the index template is a newer version's");
        return Ok(());
    }
    let path = format!("_index_template/{}", target.names.template());
    let template = template::template(target.config, target.names);
    let _: Value = target.transport.json(Method::PUT, &path, Some(&template), SHORT).await?;
    Ok(())
}

/// Puts the template if it has gone.
async fn see_to_template(target: Target<'_>) -> Result<(), ArchiveError> {
    if version_there(target).await?.is_some_and(|version| version >= VERSION) {
        return Ok(());
    }
    tracing::warn!("the index template has gone; it is put again");
    put_template(target).await
}

/// The version of the template that is there.
async fn version_there(target: Target<'_>) -> Result<Option<u64>, ArchiveError> {
    #[derive(Deserialize)]
    struct Templates {
        index_templates: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        index_template: Versioned,
    }
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(default)]
        version: u64,
    }
    let path = format!("_index_template/{}", target.names.template());
    let there = target.transport.send(Method::GET, &path, None, SHORT).await?;
    if !there.status.is_success() {
        return Ok(None);
    }
    let there: Templates = there.parse()?;
    Ok(there.index_templates.iter().map(|named| named.index_template.version).max())
}

/// An index's mapping, as far as it says whose it is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Outline {
    dynamic: Value,
    #[serde(rename = "_meta")]
    meta: Value,
    properties: Map<String, Value>,
}

impl Outline {
    /// Whether a template of ours made it: none but ours closes the mapping and maps our own fields.
    fn is_ours(&self) -> bool {
        let closed = |dynamic: Option<&Value>| dynamic.is_some_and(|it| it == "false" || it == &Value::Bool(false));
        let vedette = self.properties.get("Vedette").and_then(|own| own.get("dynamic"));
        self.meta.get("managed_by").is_some_and(|by| by == MANAGED_BY) || closed(Some(&self.dynamic)) && closed(vedette)
    }

    /// The version that made or mended it, where it says so.
    fn version(&self) -> u64 {
        self.meta.get("version").and_then(Value::as_u64).unwrap_or(0)
    }

    /// The fields that documents in it are not found by.
    fn lacks(&self) -> BTreeSet<String> {
        let lacks = self.meta.get("lacks").and_then(Value::as_array).into_iter().flatten();
        lacks.filter_map(|field| field.as_str().map(str::to_owned)).collect()
    }
}

/// An index as `_mapping` tells it.
#[derive(Deserialize)]
struct Mapped {
    #[serde(default)]
    mappings: Outline,
}

/// What is to be told.
#[derive(Default)]
struct Told {
    /// The days by what their documents are not found by.
    lacking: BTreeMap<BTreeSet<String>, BTreeSet<Day>>,
    /// The days that could not be mended, and why.
    refused: BTreeMap<String, BTreeSet<Day>>,
}

impl Told {
    fn lacks(&mut self, day: Day, fields: BTreeSet<String>) {
        if !fields.is_empty() {
            self.lacking.entry(fields).or_default().insert(day);
        }
    }

    fn warnings(self) -> Vec<String> {
        let lacking = self.lacking.into_iter().map(|(fields, days)| {
            let fields = fields.into_iter().collect::<Vec<_>>().join(", ");
            format!("what an older version wrote to the indices of {} is not found by {fields}", named(&days))
        });
        let refused = self.refused.into_iter().map(|(reason, days)| {
            format!("the indices of {} can't be given the fields of this version: {reason}", named(&days))
        });
        lacking.chain(refused).collect()
    }
}

/// Days, in few words.
fn named(days: &BTreeSet<Day>) -> String {
    match (days.first(), days.last()) {
        (Some(first), Some(last)) if days.len() > 1 => {
            format!("{} days from {} to {}", days.len(), first.name('-'), last.name('-'))
        }
        (Some(day), _) => day.name('-'),
        (None, _) => "no day".to_owned(),
    }
}

/// Gives the indices that older versions made the fields of this one (in [`Mode::Write`]), and says what documents in
/// them are not found by. An engine that does not tell, or does not let us, is asked again at the next look.
pub(super) async fn mend(target: Target<'_>, mode: Mode) -> Vec<String> {
    let mut told = Told::default();
    if let Err(error) = mend_into(target, mode, &mut told).await {
        tracing::debug!(%error, "the engine does not tell its mappings");
    }
    told.warnings()
}

async fn mend_into(target: Target<'_>, mode: Mode, told: &mut Told) -> Result<(), ArchiveError> {
    // Of many indices only what says whose they are.
    let few = "*.mappings.dynamic,*.mappings._meta,*.mappings.properties.Vedette.dynamic";
    let path = format!("{}/_mapping?{OPEN}&filter_path={few}", target.names.pattern());
    let mut old = Vec::new();
    for (index, Mapped { mappings }) in mappings(target.transport, &path).await? {
        let Some(day) = target.names.day(&index) else { continue };
        if !mappings.is_ours() {
            continue;
        }
        if mappings.version() >= VERSION { told.lacks(day, mappings.lacks()) } else { old.push(index) }
    }
    // Most lack the same, and are mended together.
    let mut mends: HashMap<String, Mend> = HashMap::new();
    for names in old.chunks(NAMES_IN_A_PATH) {
        let path = format!("{}/_mapping?{OPEN}", names.join(","));
        for (index, Mapped { mappings }) in mappings(target.transport, &path).await? {
            let Some(day) = target.names.day(&index) else { continue };
            let (body, lacks) = missing(&mappings);
            let mend = mends.entry(body.to_string()).or_insert_with(|| Mend { body, lacks, indices: Vec::new() });
            mend.indices.push((day, index));
        }
    }
    for Mend { body, lacks, indices } in mends.into_values() {
        for part in indices.chunks(NAMES_IN_A_PATH) {
            let together = match mode {
                Mode::Read => Ok(()),
                Mode::Write => put(target.transport, part, &body).await,
            };
            for one in part {
                // What one refuses keeps none of the others from it.
                let mended = match &together {
                    Ok(()) => Ok(()),
                    Err(_) => put(target.transport, std::slice::from_ref(one), &body).await,
                };
                match mended {
                    Ok(()) => told.lacks(one.0, lacks.clone()),
                    Err(error) => {
                        told.refused.entry(error.to_string()).or_default().insert(one.0);
                    }
                }
            }
        }
    }
    Ok(())
}

/// What an index is to be given.
struct Mend {
    body: Value,
    lacks: BTreeSet<String>,
    indices: Vec<(Day, String)>,
}

const OPEN: &str = "ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open";

async fn mappings(transport: &Transport, path: &str) -> Result<BTreeMap<String, Mapped>, ArchiveError> {
    let answer = transport.send(Method::GET, path, None, SHORT).await?;
    if answer.status.as_u16() == 404 { Ok(BTreeMap::new()) } else { answer.success()?.parse() }
}

async fn put(transport: &Transport, indices: &[(Day, String)], body: &Value) -> Result<(), ArchiveError> {
    let names: Vec<&str> = indices.iter().map(|(_, index)| index.as_str()).collect();
    // Another archiver may drop a day at any time.
    let path = format!("{}/_mapping?{OPEN}", names.join(","));
    transport.json::<Value>(Method::PUT, &path, Some(body), SHORT).await.map(drop)
}

/// What a mapping of ours is to be given, and which fields its documents are not found by then.
fn missing(mapping: &Outline) -> (Value, BTreeSet<String>) {
    let mut lacks = mapping.lacks();
    let wanted = template::properties();
    let properties = missing_of(&mapping.properties, &wanted, "", &mut lacks);
    let mut body = json!({ "_meta": template::meta(&lacks) });
    if !properties.is_empty() {
        super::insert(&mut body, "properties", Value::Object(properties));
    }
    (body, lacks)
}

fn missing_of(
    there: &Map<String, Value>,
    wanted: &Map<String, Value>,
    within: &str,
    lacks: &mut BTreeSet<String>,
) -> Map<String, Value> {
    let object = |mapping: &Value, name| mapping.get(name).and_then(Value::as_object).cloned();
    let mut missing = Map::new();
    for (name, wanted) in wanted {
        let path = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        let Some(there) = there.get(name) else {
            leaves(wanted, &path, lacks);
            missing.insert(name.clone(), wanted.clone());
            continue;
        };
        if let (Some(there), Some(wanted)) = (object(there, "properties"), object(wanted, "properties")) {
            let more = missing_of(&there, &wanted, &path, lacks);
            if !more.is_empty() {
                missing.insert(name.clone(), json!({ "properties": more }));
            }
        } else if let Some(mut fields) = object(wanted, "fields") {
            // What a field is can't be changed, but it can be indexed in one more way.
            let known = object(there, "fields").unwrap_or_default();
            if fields.keys().any(|field| !known.contains_key(field)) {
                fields.extend(known);
                let mut more = there.clone();
                super::insert(&mut more, "fields", Value::Object(fields));
                missing.insert(name.clone(), more);
                lacks.insert(path);
            }
        }
    }
    missing
}

/// The fields of a mapping that documents are found by.
fn leaves(mapping: &Value, path: &str, into: &mut BTreeSet<String>) {
    match mapping.get("properties").and_then(Value::as_object) {
        Some(properties) => {
            properties.iter().for_each(|(name, mapping)| leaves(mapping, &format!("{path}.{name}"), into));
        }
        None if mapping.get("enabled") == Some(&Value::Bool(false)) => {}
        None => {
            into.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Outline, missing};
    use crate::search::template;

    fn outline(mapping: Value) -> Outline {
        serde_json::from_value(mapping).unwrap()
    }

    #[test]
    fn tells_an_index_of_ours_from_others() {
        let check =
            |mapping: Value, expected: bool| assert_eq!(outline(mapping.clone()).is_ours(), expected, "{mapping}");
        let own = |dynamic: Value| json!({ "Vedette": { "dynamic": dynamic } });
        check(json!({ "dynamic": "false", "properties": own(json!("false")) }), true);
        check(json!({ "dynamic": false, "properties": own(json!(false)) }), true);
        check(json!({ "_meta": { "managed_by": "vedette", "version": 9 } }), true);
        // KubeSphere's, and one with documents of ours in it.
        check(json!({}), false);
        check(json!({ "properties": { "Vedette": { "properties": {} } } }), false);
        check(json!({ "dynamic": "false" }), false);
        check(json!({ "dynamic": "strict", "properties": own(json!("false")) }), false);
    }

    #[test]
    fn a_mapping_is_given_what_it_lacks_and_nothing_else() {
        let mut properties = template::properties();
        let (body, lacks) = missing(&Outline { properties: properties.clone(), ..Outline::default() });
        assert_eq!(body, json!({ "_meta": template::meta(&lacks) }));
        assert!(lacks.is_empty(), "{lacks:?}");
        let own = properties["Vedette"]["properties"].as_object_mut().unwrap();
        own.remove("Path");
        own.insert("EventID".to_owned(), json!({ "type": "keyword" }));
        properties.remove("RequestObject");
        properties.remove("ImpersonatedUser");
        let meta = json!({ "lacks": ["Before"] });
        let (body, lacks) = missing(&Outline { properties, meta, ..Outline::default() });
        let lacks: Vec<_> = lacks.into_iter().collect();
        assert_eq!(lacks, ["Before", "ImpersonatedUser.Username", "Vedette.EventID", "Vedette.Path"]);
        let whole = template::properties();
        assert_eq!(
            body["properties"],
            json!({
                "ImpersonatedUser": whole["ImpersonatedUser"],
                "RequestObject": { "type": "object", "enabled": false },
                "Vedette": { "properties": {
                    "EventID": { "type": "keyword", "fields": { "keyword": { "type": "keyword" } } },
                    "Path": whole["Vedette"]["properties"]["Path"],
                } },
            })
        );
    }
}
