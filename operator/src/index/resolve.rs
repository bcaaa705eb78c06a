//! Which versions of the resources are in force together.
//!
//! Everything as it was seen, if that compiles. Where it does not, what has changed is to blame: first by what the compiler says, which
//! takes a round or two; where that leads nowhere (a limit of the whole set, a long chain of references), by beginning with what
//! was in force and letting in what has changed, all that goes together.
//!
//! **Invariant.** What has not changed since it was in force stays in force, whatever else there is.

use std::collections::{BTreeMap, BTreeSet};

use vedette_rules::{Built, Diagnostic, Policy, SourceFile};

use super::{foreign, without_rules};
use crate::document::{Document, Key};

/// How often what the compiler blames steps back before what has changed is let in one by one.
const ROUNDS: usize = 16;
/// How often it is tried again to let in what did not go without what came after it, and how often is compiled for that.
const PASSES: usize = 8;
const TRIALS: usize = 256;
/// How many errors in other resources tell why one can't be let in.
const REASONS: usize = 5;

/// The version of a resource that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    Seen,
    Good,
    Out,
    /// Deleted: without its rules.
    Retained,
}

/// What was found.
pub(super) struct Resolved<'a> {
    pub(super) choices: BTreeMap<&'a Key, Choice>,
    /// Of each resource that stepped back, why.
    pub(super) judged: BTreeMap<&'a Key, Vec<Diagnostic>>,
    pub(super) files: Vec<SourceFile>,
    /// Nothing, if even what was in force does not compile: another version of the compiler took it.
    pub(super) built: Option<Built>,
}

pub(super) struct Resolver<'a> {
    seen: &'a BTreeMap<Key, Document>,
    good: &'a BTreeMap<Key, Document>,
    choices: BTreeMap<&'a Key, Choice>,
    judged: BTreeMap<&'a Key, Vec<Diagnostic>>,
    trials: usize,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(seen: &'a BTreeMap<Key, Document>, good: &'a BTreeMap<Key, Document>) -> Self {
        let choices = seen.keys().map(|key| (key, if foreign(key) { Choice::Out } else { Choice::Seen })).collect();
        Self { seen, good, choices, judged: BTreeMap::new(), trials: 0 }
    }

    pub(super) fn run(mut self) -> Resolved<'a> {
        for _ in 0..ROUNDS {
            match self.compile() {
                Ok((files, built)) => return self.done(files, Some(built)),
                Err(found) => {
                    if !self.blame(&found) {
                        break;
                    }
                }
            }
        }
        self.begin_with_what_was();
        if self.compile().is_ok() {
            self.let_in();
        } else {
            self.salvage();
        }
        self.prune();
        match self.compile() {
            Ok((files, built)) => self.done(files, Some(built)),
            Err(_) => self.done(Vec::new(), None),
        }
    }

    fn done(self, files: Vec<SourceFile>, built: Option<Built>) -> Resolved<'a> {
        Resolved { choices: self.choices, judged: self.judged, files, built }
    }

    fn compile(&self) -> Result<(Vec<SourceFile>, Built), Vec<Diagnostic>> {
        let tried = self.choices.iter().filter_map(|(key, choice)| {
            Some(SourceFile { name: key.document(), text: text(self.seen, self.good, key, *choice)? })
        });
        let mut files: Vec<_> = tried.collect();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Policy::build(&files, 0).map(|built| (files, built))
    }

    /// Takes back what has changed and is to blame for errors. Whether there was anything.
    fn blame(&mut self, found: &[Diagnostic]) -> bool {
        let culprits: BTreeSet<Key> =
            found.iter().filter(|it| it.is_error()).filter_map(|it| Key::parse(&it.file)).collect();
        let culprits: Vec<&'a Key> =
            culprits.iter().filter_map(|key| self.choices.get_key_value(key)).map(|(key, _)| *key).collect();
        let mut changed: Vec<(&'a Key, Choice)> =
            culprits.iter().filter_map(|key| Some((*key, self.before(key)?))).collect();
        if changed.is_empty() {
            // Then what has changed under those that have not.
            let (seen, good) = (self.seen, self.good);
            let used = seen.keys().chain(good.keys()).filter(|key| self.is_used(key, &culprits));
            changed = used.filter_map(|key| Some((key, self.before(key)?))).collect();
        }
        for (key, choice) in &changed {
            if *choice != Choice::Retained {
                self.judged.insert(*key, reasons(found, key));
            }
        }
        let moved = !changed.is_empty();
        self.choices.extend(changed);
        moved
    }

    /// What a resource that has changed since it was good steps back to; `None` if it has not.
    fn before(&self, key: &Key) -> Option<Choice> {
        let good = self.good.get(key);
        match self.choices.get(key) {
            Some(Choice::Seen) if good.is_none() => Some(Choice::Out),
            Some(Choice::Seen) if self.has_changed(key) => Some(Choice::Good),
            None => without_rules(&good?.text).map(|_| Choice::Retained),
            Some(_) => None,
        }
    }

    fn has_changed(&self, key: &Key) -> bool {
        self.good.get(key).map(|it| &it.text) != self.seen.get(key).map(|it| &it.text)
    }

    fn is_used(&self, key: &Key, users: &[&Key]) -> bool {
        users.iter().any(|user| {
            let choice = self.choices.get(*user).copied().unwrap_or(Choice::Out);
            text(self.seen, self.good, user, choice).is_some_and(|text| names(&text, key))
        })
    }

    /// What was in force, of deleted resources what others may use of them.
    fn begin_with_what_was(&mut self) {
        self.judged.clear();
        self.choices.clear();
        for key in self.seen.keys() {
            let was = if self.good.contains_key(key) && !foreign(key) { Choice::Good } else { Choice::Out };
            self.choices.insert(key, if was == Choice::Good && !self.has_changed(key) { Choice::Seen } else { was });
        }
        for (key, good) in self.good {
            if !self.seen.contains_key(key) && without_rules(&good.text).is_some() {
                self.choices.insert(key, Choice::Retained);
            }
        }
    }

    /// Lets in what has changed, as much as goes together.
    fn let_in(&mut self) {
        let seen = self.seen;
        let mut waiting: Vec<&'a Key> = seen.keys().filter(|key| !foreign(key) && self.has_changed(key)).collect();
        for _ in 0..PASSES {
            let before = waiting.len();
            waiting = self.try_all(waiting);
            // What was refused may go with what came in after it.
            if waiting.is_empty() || waiting.len() == before || self.trials > TRIALS {
                return;
            }
        }
    }

    /// Lets in these, or the halves of them that go. Gives those that don't.
    fn try_all(&mut self, keys: Vec<&'a Key>) -> Vec<&'a Key> {
        self.trials += 1;
        if keys.is_empty() || self.trials > TRIALS {
            return keys;
        }
        let before: Vec<_> = keys.iter().map(|key| (*key, self.choices.get(*key).copied())).collect();
        self.choices.extend(keys.iter().map(|key| (*key, Choice::Seen)));
        let Err(found) = self.compile() else {
            for key in &keys {
                self.judged.remove(key);
            }
            return Vec::new();
        };
        for (key, choice) in before {
            self.choices.insert(key, choice.unwrap_or(Choice::Out));
        }
        if let [key] = keys.as_slice() {
            self.judged.insert(*key, reasons(&found, key));
            return keys;
        }
        let (left, right) = keys.split_at(keys.len() / 2);
        let (left, right) = (left.to_vec(), right.to_vec());
        let mut refused = self.try_all(left);
        refused.extend(self.try_all(right));
        refused
    }

    /// What was in force does not compile any more: whatever has errors is out.
    fn salvage(&mut self) {
        while let Err(found) = self.compile() {
            let culprits: BTreeSet<Key> =
                found.iter().filter(|it| it.is_error()).filter_map(|it| Key::parse(&it.file)).collect();
            let mut moved = false;
            for (key, choice) in &mut self.choices {
                if *choice != Choice::Out && culprits.contains(*key) {
                    self.judged.insert(*key, reasons(&found, key));
                    *choice = Choice::Out;
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Leaves out deleted resources that nobody uses.
    fn prune(&mut self) {
        let retained: Vec<&'a Key> =
            self.choices.iter().filter(|(_, choice)| **choice == Choice::Retained).map(|(key, _)| *key).collect();
        let mut users: Vec<&Key> = self.choices.keys().copied().filter(|key| !retained.contains(key)).collect();
        let mut unused = retained;
        loop {
            let (used, rest): (Vec<&'a Key>, Vec<_>) = unused.into_iter().partition(|key| self.is_used(key, &users));
            unused = rest;
            if used.is_empty() {
                break;
            }
            users = used.into_iter().map(|key| key as &Key).collect();
        }
        self.choices.retain(|key, _| !unused.contains(key));
    }
}

/// Whether a text names something of the `Rule` `key`.
pub(super) fn names(text: &str, key: &Key) -> bool {
    let Key::Rule { name, .. } = key else { return false };
    text.contains(&format!("${{{name}."))
}

pub(super) fn text(
    seen: &BTreeMap<Key, Document>,
    good: &BTreeMap<Key, Document>,
    key: &Key,
    choice: Choice,
) -> Option<String> {
    match choice {
        Choice::Seen => seen.get(key).map(|it| it.text.clone()),
        Choice::Good => good.get(key).map(|it| it.text.clone()),
        Choice::Retained => good.get(key).and_then(|it| without_rules(&it.text)),
        Choice::Out => None,
    }
}

/// Why `key` can't be in force: what is said of it, or, where it is good by itself, what would be wrong with others.
pub(super) fn reasons(found: &[Diagnostic], key: &Key) -> Vec<Diagnostic> {
    let name = key.document();
    let own: Vec<_> = found.iter().filter(|it| it.file == name).cloned().collect();
    if own.iter().any(Diagnostic::is_error) {
        return own;
    }
    own.into_iter().chain(found.iter().filter(|it| it.is_error()).take(REASONS).cloned()).collect()
}
