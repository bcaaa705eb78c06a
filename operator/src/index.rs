//! What is in force: of every resource the version that the operator has seen, or, where that one has errors, the last one without.
//!
//! All resources are compiled together, as a subscriber will, since a macro may come from another `Rule`. Where the whole has
//! errors, the resources that have them step back to their last good version, and those that never had one step out; the others never
//! notice. A resource that was deleted while others still use its macros, lists or aliases stays without its rules until they
//! don't.
//!
//! **Invariant.** What [`Index::build`] gives compiles. It is pure: no clock, no I/O, the same resources give the same documents.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vedette_rules::{Built, Diagnostic, Policy, Settings, SourceFile, codes};

use crate::api::WEBHOOK;
use crate::document::{Document, Key};

/// How often resources may step back before everything does.
const ROUNDS: usize = 16;

/// The resources as they were seen, and the documents in force.
#[derive(Debug, Default)]
pub struct Index {
    seen: BTreeMap<Key, Document>,
    good: BTreeMap<Key, Document>,
}

/// The versions of resources that were without errors together.
#[derive(Debug, Default)]
pub struct Good(BTreeMap<Key, Document>);

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
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
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

/// The version of a resource that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Seen,
    Good,
    Out,
    /// Deleted: without its rules.
    Retained,
}

impl Index {
    /// Of the documents that were in force last: what resources step back to.
    pub fn new(in_force: &[SourceFile]) -> Self {
        let documents = in_force.iter().filter_map(|file| {
            let key = Key::parse(&file.name)?;
            Some((key.clone(), Document { key, generation: generation(&file.text), text: file.text.clone() }))
        });
        Self { seen: BTreeMap::new(), good: documents.collect() }
    }

    /// A resource was made or changed. Whether this changes anything.
    pub fn apply(&mut self, document: Document) -> bool {
        let old = self.seen.insert(document.key.clone(), document.clone());
        old.as_ref() != Some(&document)
    }

    /// A resource was changed to something that can't be read: the version before counts. Whether this changes anything.
    pub fn keep(&mut self, key: &Key) -> bool {
        if self.seen.contains_key(key) {
            return false;
        }
        let good = self.good.get(key).cloned();
        good.is_some_and(|good| self.seen.insert(key.clone(), good).is_none())
    }

    /// These documents are in force: what resources step back to.
    pub fn adopt(&mut self, in_force: &[SourceFile]) {
        self.good = Self::new(in_force).good;
    }

    /// A resource was deleted. Whether it was there.
    pub fn remove(&mut self, key: &Key) -> bool {
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
        self.good = good.0;
    }

    /// What the compiler would say of `documents` put among the resources, of them alone.
    pub fn check(&self, documents: &[Document]) -> Vec<Diagnostic> {
        let mut files = self.standing();
        let mut names = BTreeSet::new();
        for document in documents {
            names.insert(document.key.document());
            files.insert(document.key.clone(), document.file());
        }
        let files: Vec<_> = files.into_values().collect();
        let found = match Policy::build(&files, 0) {
            Ok(built) => built.warnings,
            Err(diagnostics) => diagnostics,
        };
        found.into_iter().filter(|it| names.contains(&it.file)).collect()
    }

    /// The good versions of the resources that are there: what others are put among to see whether they fit.
    pub fn standing(&self) -> BTreeMap<Key, SourceFile> {
        let there = self.good.iter().filter(|(key, _)| self.seen.contains_key(*key));
        there.map(|(key, document)| (key.clone(), document.file())).collect()
    }

    /// Compiles everything and says what is to be in force, and what resources would step back to then.
    pub fn resolve(&self) -> (Outcome, Good) {
        let mut choices: BTreeMap<&Key, Choice> = self.seen.keys().map(|key| (key, Choice::Seen)).collect();
        for key in self.seen.keys().filter(|key| foreign(key)) {
            choices.insert(key, Choice::Out);
        }
        let mut first = None;
        for _ in 0..ROUNDS {
            let files = self.files(&choices);
            match Policy::build(&files, 0) {
                Ok(built) => {
                    let outcome = self.outcome(&choices, files, &built, first.unwrap_or_default());
                    return (outcome, self.kept(&choices));
                }
                Err(diagnostics) => {
                    let moved = self.step_back(&mut choices, &diagnostics);
                    first.get_or_insert(diagnostics);
                    if !moved {
                        break;
                    }
                }
            }
        }
        // The last resort, which compiled when it came into force.
        let choices: BTreeMap<_, _> = self.good.keys().map(|key| (key, Choice::Good)).collect();
        let files = self.files(&choices);
        match Policy::build(&files, 0) {
            Ok(built) => (self.outcome(&choices, files, &built, first.unwrap_or_default()), self.kept(&choices)),
            // Only if it was another version of the compiler that took it.
            Err(_) => (self.nothing(first.unwrap_or_default()), Good::default()),
        }
    }

    /// Takes back what is to blame for errors. Whether there was anything to take back.
    fn step_back<'a>(&'a self, choices: &mut BTreeMap<&'a Key, Choice>, diagnostics: &[Diagnostic]) -> bool {
        let culprits: BTreeSet<Key> =
            diagnostics.iter().filter(|it| it.is_error()).filter_map(|it| Key::parse(&it.file)).collect();
        let culprits: Vec<&Key> =
            culprits.iter().filter_map(|key| choices.get_key_value(key)).map(|(key, _)| *key).collect();
        // Those that have changed are to blame first.
        let changed: Vec<_> = culprits.iter().filter_map(|key| Some((*key, self.before(key, choices)?))).collect();
        if !changed.is_empty() {
            choices.extend(changed);
            return true;
        }
        // Then what others have changed under those that have not.
        let used: Vec<_> =
            self.seen.keys().chain(self.good.keys()).filter(|key| self.is_used(key, &culprits, choices)).collect();
        let changed: Vec<_> = used.into_iter().filter_map(|key| Some((key, self.before(key, choices)?))).collect();
        if !changed.is_empty() {
            choices.extend(changed);
            return true;
        }
        let moved = !culprits.is_empty();
        choices.extend(culprits.into_iter().map(|key| (key, Choice::Out)));
        moved
    }

    /// What a resource that has changed since it was good steps back to; `None` if it has not.
    fn before(&self, key: &Key, choices: &BTreeMap<&Key, Choice>) -> Option<Choice> {
        let good = self.good.get(key);
        match choices.get(key) {
            Some(Choice::Seen) if good.is_none() => Some(Choice::Out),
            Some(Choice::Seen) if good.map(|it| &it.text) != self.seen.get(key).map(|it| &it.text) => {
                Some(Choice::Good)
            }
            None => without_rules(&good?.text).map(|_| Choice::Retained),
            Some(_) => None,
        }
    }

    /// Whether one of `users` names something of the `Rule` `key`.
    fn is_used(&self, key: &Key, users: &[&Key], choices: &BTreeMap<&Key, Choice>) -> bool {
        let Key::Rule { name, .. } = key else { return false };
        let reference = format!("${{{name}.");
        let text = |user: &&&Key| choices.get(**user).and_then(|choice| self.text(user, *choice));
        users.iter().filter_map(|user| text(&user)).any(|text| text.contains(&reference))
    }

    fn text(&self, key: &Key, choice: Choice) -> Option<String> {
        match choice {
            Choice::Seen => self.seen.get(key).map(|it| it.text.clone()),
            Choice::Good => self.good.get(key).map(|it| it.text.clone()),
            Choice::Retained => self.good.get(key).and_then(|it| without_rules(&it.text)),
            Choice::Out => None,
        }
    }

    /// The documents that are tried, to step back to.
    fn kept(&self, choices: &BTreeMap<&Key, Choice>) -> Good {
        let kept = choices.iter().filter_map(|(key, choice)| {
            let whole = if *choice == Choice::Seen { &self.seen } else { &self.good };
            let text = self.text(key, *choice)?;
            Some(((*key).clone(), Document { text, ..whole.get(key)?.clone() }))
        });
        Good(kept.collect())
    }

    fn files(&self, choices: &BTreeMap<&Key, Choice>) -> Vec<SourceFile> {
        let files = choices
            .iter()
            .filter_map(|(key, choice)| Some(SourceFile { name: key.document(), text: self.text(key, *choice)? }));
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files
    }

    fn outcome(
        &self,
        choices: &BTreeMap<&Key, Choice>,
        documents: Vec<SourceFile>,
        built: &Built,
        first: Vec<Diagnostic>,
    ) -> Outcome {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for info in built.policy.rules.rules() {
            let key = Key::Rule { namespace: info.namespace.clone(), name: info.resource.clone() };
            *counts.entry(key.document()).or_default() += 1;
        }
        let retained = choices.iter().filter(|(_, choice)| **choice == Choice::Retained);
        let retained: BTreeSet<Key> = retained.map(|(key, _)| (*key).clone()).collect();
        let (now, first) = (by_file(&built.warnings), by_file(&first));
        let verdicts = self.seen.iter().map(|(key, document)| {
            let name = key.document();
            let choice = choices.get(key).copied().unwrap_or(Choice::Out);
            // A version that stepped back is judged by the round in which it was tried.
            let findings = if choice == Choice::Seen { &now } else { &first };
            let diagnostics = findings.get(name.as_str()).cloned().unwrap_or_default();
            let state = match choice {
                Choice::Seen if diagnostics.iter().any(|it| it.code == codes::NOT_SELECTED.id) => State::NotSelected,
                Choice::Seen => State::InForce,
                Choice::Good => State::LastGood(self.good.get(key).map_or(0, |good| good.generation)),
                Choice::Out if foreign(key) => State::NotSelected,
                Choice::Out | Choice::Retained => State::Refused,
            };
            let rules = counts.get(&name).copied().unwrap_or(0);
            let leans_on = retained.iter().filter(|gone| self.is_used(gone, &[key], choices)).cloned().collect();
            let generation = document.generation;
            (key.clone(), Verdict { generation, state, rules, diagnostics, leans_on })
        });
        Outcome {
            settings: built.policy.settings.clone(),
            rules: counts.values().sum(),
            verdicts: verdicts.collect(),
            retained,
            documents,
        }
    }

    fn nothing(&self, first: Vec<Diagnostic>) -> Outcome {
        let first = by_file(&first);
        let verdicts = self.seen.iter().map(|(key, document)| {
            let diagnostics = first.get(key.document().as_str()).cloned().unwrap_or_default();
            let verdict = Verdict {
                generation: document.generation,
                state: State::Refused,
                rules: 0,
                diagnostics,
                leans_on: Vec::new(),
            };
            (key.clone(), verdict)
        });
        Outcome {
            documents: Vec::new(),
            settings: Settings::default(),
            rules: 0,
            verdicts: verdicts.collect(),
            retained: BTreeSet::new(),
        }
    }
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
