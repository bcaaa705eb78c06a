//! What is in force: of every resource the version that the operator has seen, or, where that one has errors, the last one without.
//!
//! All resources are compiled together, as a subscriber will, since a macro may come from another `Rule`. Where the whole has
//! errors, the resources that have them step back to their last good version, and those that never had one step out; the others never
//! notice. A resource that was deleted while others still use its macros, lists or aliases stays without its rules until they
//! don't.
//!
//! **Invariant.** What [`Index::build`] gives compiles. It is pure: no clock, no I/O, the same resources give the same documents.

mod resolve;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vedette_rules::{Diagnostic, Policy, Settings, SourceFile, codes};

use crate::api::WEBHOOK;
use crate::document::{Document, Key};
use resolve::{Choice, Resolved, Resolver};

/// The resources as they were seen, and the documents in force.
#[derive(Debug, Default)]
pub struct Index {
    seen: BTreeMap<Key, Document>,
    good: BTreeMap<Key, Document>,
    /// The texts that were seen when it was last said what is in force.
    judged: BTreeMap<Key, blake3::Hash>,
    /// What can't be read, whose version before counts once that is known.
    unreadable: BTreeSet<Key>,
}

/// The versions of resources that were without errors together.
#[derive(Debug, Default)]
pub struct Good {
    documents: BTreeMap<Key, Document>,
    judged: BTreeMap<Key, blake3::Hash>,
}

/// What is to be in force.
#[derive(Debug)]
pub struct Outcome {
    /// Sorted by name.
    pub documents: Vec<SourceFile>,
    /// What the `Webhook` in force says.
    pub settings: Settings,
    /// How many rules are in force.
    pub rules: usize,
    /// What became of each resource that was seen.
    pub verdicts: BTreeMap<Key, Verdict>,
    /// What was deleted and is still used.
    pub retained: BTreeSet<Key>,
    /// Whether anything compiles. If not, what is in force stays so.
    pub compiled: bool,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The document's name.
    pub name: String,
    /// `metadata.generation` of the version that this is about.
    pub generation: i64,
    /// Whether it is in force.
    pub state: State,
    /// How many of its rules are in force.
    pub rules: usize,
    /// What the compiler says of this version.
    pub diagnostics: Vec<Diagnostic>,
    /// What it uses although it was deleted.
    pub leans_on: Vec<Key>,
}

/// Whether a resource is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    InForce,
    /// It has errors; this generation of it, which has none, is.
    LastGood(i64),
    /// It has errors, and no version without is known.
    Refused,
    /// No selector takes it, or it is a `Webhook` of another name.
    NotSelected,
}

impl Index {
    /// Of the documents that were in force last: what resources step back to.
    pub fn new(in_force: &[SourceFile]) -> Self {
        let documents = in_force.iter().filter_map(|file| {
            let key = Key::parse(&file.name)?;
            Some((key.clone(), Document { key, generation: generation(&file.text), text: file.text.clone() }))
        });
        Self { good: documents.collect(), ..Self::default() }
    }

    /// A resource was made or changed. Whether this changes anything.
    pub fn apply(&mut self, document: Document) -> bool {
        self.unreadable.remove(&document.key);
        let old = self.seen.insert(document.key.clone(), document.clone());
        old.as_ref() != Some(&document)
    }

    /// A resource was changed to something that can't be read: the version before counts. Whether this changes anything.
    pub fn keep(&mut self, key: &Key) -> bool {
        self.unreadable.insert(key.clone());
        self.recall(key)
    }

    /// These documents are in force: what resources step back to.
    pub fn adopt(&mut self, in_force: &[SourceFile]) {
        self.good = Self::new(in_force).good;
        for key in self.unreadable.clone() {
            self.recall(&key);
        }
    }

    fn recall(&mut self, key: &Key) -> bool {
        if self.seen.contains_key(key) {
            return false;
        }
        let good = self.good.get(key).cloned();
        good.is_some_and(|good| self.seen.insert(key.clone(), good).is_none())
    }

    /// A resource was deleted. Whether it was there.
    pub fn remove(&mut self, key: &Key) -> bool {
        self.unreadable.remove(key);
        self.seen.remove(key).is_some()
    }

    /// The resources as they were seen.
    pub fn seen(&self) -> &BTreeMap<Key, Document> {
        &self.seen
    }

    /// Compiles everything and says what is to be in force, which is what resources step back to from now on.
    pub fn build(&mut self) -> Outcome {
        let (outcome, good) = self.resolve();
        self.settle(good);
        outcome
    }

    /// What was resolved is in force.
    pub fn settle(&mut self, good: Good) {
        (self.good, self.judged) = (good.documents, good.judged);
    }

    /// What the compiler would say of `documents` put among the resources: of them, and of others where these would be wrong then.
    pub fn check(&self, documents: &[Document]) -> Vec<Diagnostic> {
        let names: BTreeSet<String> = documents.iter().map(|it| it.key.document()).collect();
        // What was seen and not judged yet may be what they need.
        let pending = self.seen.iter().filter(|(key, it)| self.judged.get(*key) != Some(&hash(it)) && !foreign(key));
        let mut files = self.standing();
        files.extend(pending.map(|(key, it)| (key.clone(), it.file())));
        let with_pending = put(files, documents);
        if let Ok(built) = Policy::build(&with_pending, 0) {
            return of(built.warnings, &names);
        }
        match Policy::build(&put(self.standing(), documents), 0) {
            Ok(built) => of(built.warnings, &names),
            Err(found) => {
                let without = Policy::build(&self.standing().into_values().collect::<Vec<_>>(), 0);
                // Errors that are there without them are not theirs.
                if without.is_err() {
                    of(found, &names)
                } else {
                    documents.iter().flat_map(|it| resolve::reasons(&found, &it.key)).collect()
                }
            }
        }
    }

    /// The good versions of the resources that are there: what others are put among to see whether they fit.
    pub fn standing(&self) -> BTreeMap<Key, SourceFile> {
        let there = self.good.iter().filter(|(key, _)| self.seen.contains_key(*key));
        there.map(|(key, document)| (key.clone(), document.file())).collect()
    }

    /// Compiles everything and says what is to be in force, and what resources would step back to then.
    pub fn resolve(&self) -> (Outcome, Good) {
        let resolved = Resolver::new(&self.seen, &self.good).run();
        let kept = resolved.choices.iter().filter_map(|(key, choice)| {
            let whole = if *choice == Choice::Seen { &self.seen } else { &self.good };
            let text = resolve::text(&self.seen, &self.good, key, *choice)?;
            Some(((*key).clone(), Document { text, ..whole.get(key)?.clone() }))
        });
        // Where nothing compiles, what was good once may be so again for the next version of the compiler.
        let documents = if resolved.built.is_some() { kept.collect() } else { self.good.clone() };
        let judged = self.seen.iter().map(|(key, it)| (key.clone(), hash(it))).collect();
        (self.outcome(resolved), Good { documents, judged })
    }

    fn outcome(&self, resolved: Resolved<'_>) -> Outcome {
        let Resolved { choices, mut judged, files: documents, built } = resolved;
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for info in built.iter().flat_map(|built| built.policy.rules.rules()) {
            let key = Key::Rule { namespace: info.namespace.clone(), name: info.resource.clone() };
            *counts.entry(key.document()).or_default() += 1;
        }
        let retained = choices.iter().filter(|(_, choice)| **choice == Choice::Retained);
        let retained: BTreeSet<Key> = retained.map(|(key, _)| (*key).clone()).collect();
        let mut now = by_file(built.as_ref().map_or(&[], |built| &built.warnings));
        let verdicts = self.seen.iter().map(|(key, document)| {
            let name = key.document();
            let choice = choices.get(key).copied().filter(|_| built.is_some()).unwrap_or(Choice::Out);
            let diagnostics = match choice {
                Choice::Seen => now.remove(name.as_str()).unwrap_or_default(),
                _ => judged.remove(key).unwrap_or_default(),
            };
            let state = match choice {
                Choice::Seen if diagnostics.iter().any(|it| it.code == codes::NOT_SELECTED.id) => State::NotSelected,
                Choice::Seen => State::InForce,
                Choice::Good => State::LastGood(self.good.get(key).map_or(0, |good| good.generation)),
                Choice::Out if foreign(key) => State::NotSelected,
                Choice::Out | Choice::Retained => State::Refused,
            };
            let rules = counts.get(&name).copied().unwrap_or(0);
            let text = resolve::text(&self.seen, &self.good, key, choice).unwrap_or_default();
            let leans_on = retained.iter().filter(|gone| resolve::names(&text, gone)).cloned().collect();
            let generation = document.generation;
            (key.clone(), Verdict { name, generation, state, rules, diagnostics, leans_on })
        });
        Outcome {
            verdicts: verdicts.collect(),
            settings: built.as_ref().map(|built| built.policy.settings.clone()).unwrap_or_default(),
            rules: counts.values().sum(),
            retained,
            documents,
            compiled: built.is_some(),
        }
    }
}

/// `documents` in the place of what stands by their names.
fn put(mut files: BTreeMap<Key, SourceFile>, documents: &[Document]) -> Vec<SourceFile> {
    files.extend(documents.iter().map(|it| (it.key.clone(), it.file())));
    files.into_values().collect()
}

fn of(found: Vec<Diagnostic>, names: &BTreeSet<String>) -> Vec<Diagnostic> {
    found.into_iter().filter(|it| names.contains(&it.file)).collect()
}

fn hash(document: &Document) -> blake3::Hash {
    blake3::hash(document.text.as_bytes())
}

fn by_file(diagnostics: &[Diagnostic]) -> HashMap<&str, Vec<Diagnostic>> {
    let mut files: HashMap<&str, Vec<Diagnostic>> = HashMap::new();
    for diagnostic in diagnostics {
        files.entry(&diagnostic.file).or_default().push(diagnostic.clone());
    }
    files
}

fn foreign(key: &Key) -> bool {
    matches!(key, Key::Webhook { name } if name != WEBHOOK)
}

/// The `Rule` with its macros, lists and aliases alone; `None` if it has none.
fn without_rules(text: &str) -> Option<String> {
    use serde_yaml_ng::Value;
    let mut document: Value = serde_yaml_ng::from_str(text).ok()?;
    let entries = document.get_mut("spec")?.get_mut("rules")?.as_sequence_mut()?;
    entries.retain(|entry| entry.get("type").and_then(Value::as_str) != Some("rule"));
    if entries.is_empty() { None } else { serde_yaml_ng::to_string(&document).ok() }
}

fn generation(text: &str) -> i64 {
    let document: Option<serde_yaml_ng::Value> = serde_yaml_ng::from_str(text).ok();
    document.as_ref().and_then(|it| it.get("metadata")?.get("generation")?.as_i64()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
