//! The files of a directory of resources: reading all of them, and writing one so that nobody ever sees half of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use crate::api::{GROUP, Rule, Webhook};
use crate::document::{Document, Key};
use crate::manage::backend::{Board, name_of};
use crate::manage::names::RuleName;

/// What all files together may be: as much as the services take.
const FILES: usize = 10_000;
const BYTES: u64 = 32 * 1024 * 1024;

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file.
    pub(super) file: PathBuf,
    /// Whether it holds nothing else.
    pub(super) alone: bool,
}

/// What the files hold.
#[derive(Debug, Default)]
pub struct Held {
    /// The rules, and where each stands.
    pub(super) rules: BTreeMap<RuleName, (Arc<Rule>, Place)>,
    /// Every resource that can be read, as the index takes it.
    pub documents: Vec<Document>,
    /// The resources of each file that can be read.
    pub files: BTreeMap<PathBuf, Vec<Key>>,
    /// What can't be read.
    pub unreadable: Vec<Unreadable>,
}

/// Something that can't be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Where.
    pub file: PathBuf,
    /// Which resource; all of the file, if that can't be told.
    pub key: Option<Key>,
    /// Why.
    pub why: String,
}

/// When which files were changed, to see whether they have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Look(Vec<(PathBuf, Option<SystemTime>, u64)>);

impl Held {
    /// As those who watch see it.
    pub(super) fn board(&self) -> Board {
        Some(Arc::new(self.rules.iter().map(|(name, (rule, _))| (name.clone(), Arc::clone(rule))).collect()))
    }
}

/// Looks at the files without reading them.
pub(super) fn look(places: &[PathBuf]) -> io::Result<Look> {
    let mut seen = Vec::new();
    for file in files(places)? {
        let metadata = fs::metadata(&file)?;
        seen.push((file, metadata.modified().ok(), metadata.len()));
    }
    Ok(Look(seen))
}

/// Reads the files. What can't be understood is named, and takes nothing else with it.
pub(super) fn read(places: &[PathBuf]) -> io::Result<Held> {
    let mut held = Held::default();
    let mut budget = BYTES;
    for file in files(places)? {
        let mut text = String::new();
        let length = File::open(&file)?.take(budget + 1).read_to_string(&mut text)? as u64;
        budget = budget.checked_sub(length).ok_or_else(|| io::Error::other("the rules are more than 32 MiB"))?;
        if let Err(error) = held.read_file(&file, &text) {
            held.unreadable(&file, None, error.to_string());
        }
    }
    Ok(held)
}

impl Held {
    fn unreadable(&mut self, file: &Path, key: Option<Key>, why: String) {
        self.unreadable.push(Unreadable { file: file.to_owned(), key, why });
    }

    fn read_file(&mut self, file: &Path, text: &str) -> Result<(), serde_yaml_ng::Error> {
        let mut resources = Vec::new();
        let mut listed = false;
        for document in serde_yaml_ng::Deserializer::from_str(text) {
            let mut value = Value::deserialize(document)?;
            let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
            if matches!(kind, "List" | "RuleList" | "WebhookList") {
                listed = true;
                let items = value.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take);
                resources.extend(items.unwrap_or_default());
            } else if !value.is_null() {
                resources.push(value);
            }
        }
        let place = Place { file: file.to_owned(), alone: resources.len() == 1 && !listed };
        let before = self.documents.len();
        for resource in resources {
            self.read_resource(resource, &place);
        }
        let found = self.documents.iter().skip(before).map(|it| it.key.clone()).collect();
        self.files.insert(file.to_owned(), found);
        Ok(())
    }

    fn read_resource(&mut self, resource: Value, place: &Place) {
        let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if text("/apiVersion").is_none_or(|it| it.split('/').next() != Some(GROUP)) {
            return;
        }
        let name = text("/metadata/name").unwrap_or_default();
        let namespace = text("/metadata/namespace").unwrap_or_else(|| "default".to_owned());
        match text("/kind").as_deref() {
            Some("Rule") => {
                let key = Key::Rule { namespace, name };
                match rule(resource) {
                    Ok((rule, document)) => {
                        let Some(name) = name_of(&rule) else {
                            let why = format!("`{}` is no name for a rule", key.document());
                            return self.unreadable(&place.file, Some(key), why);
                        };
                        // The first counts, as a second one of its name is a mistake.
                        if self.rules.contains_key(&name) {
                            return self.unreadable(
                                &place.file,
                                Some(key),
                                format!("{name} stands in another file too"),
                            );
                        }
                        self.rules.insert(name, (Arc::new(rule), place.clone()));
                        self.documents.push(document);
                    }
                    Err(error) => self.unreadable(&place.file, Some(key), error),
                }
            }
            Some("Webhook") => {
                let read = serde_json::from_value::<Webhook>(resource).map_err(|error| error.to_string());
                match read.and_then(|it| Document::of_webhook(&it).map_err(|error| error.to_string())) {
                    Ok(document) => self.documents.push(Document { generation: content(&document.text), ..document }),
                    Err(error) => self.unreadable(&place.file, Some(Key::Webhook { name }), error),
                }
            }
            _ => {}
        }
    }
}

/// A rule with its document. Nobody counts generations of files: what stands in their place is made of the content.
pub(super) fn rule(resource: Value) -> Result<(Rule, Document), String> {
    let rule = serde_json::from_value::<Rule>(resource).map_err(|error| error.to_string())?;
    numbered(rule)
}

/// The rule as it is read, with the generation that its content gives it.
pub(super) fn numbered(mut rule: Rule) -> Result<(Rule, Document), String> {
    rule.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    rule.metadata.generation = None;
    rule.status = None;
    let document = Document::of_rule(&rule).map_err(|error| error.to_string())?;
    let generation = content(&document.text);
    rule.metadata.generation = Some(generation);
    Ok((rule, Document { generation, ..document }))
}

fn content(text: &str) -> i64 {
    let hash = blake3::hash(text.as_bytes());
    let bytes = hash.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
    i64::from_le_bytes(bytes) & i64::MAX
}

/// The YAML files of directories, and what is a file itself; hidden names are drafts.
fn files(places: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for place in places {
        if fs::metadata(place)?.is_file() {
            files.push(place.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(place)? {
            let file = entry?.path();
            let name = file.file_name().and_then(|it| it.to_str()).unwrap_or_default();
            if !name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml")) && file.is_file() {
                inside.push(file);
            }
        }
        inside.sort();
        files.extend(inside);
        if files.len() > FILES {
            return Err(io::Error::other("there are more than 10,000 files"));
        }
    }
    Ok(files)
}
