//! The sample that a real kube-apiserver sent, and what the oracle says must become of it.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;

/// What tells the sample's events apart without computing an identity: `auditID`, `stage`, `stageTimestamp`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) String, pub(crate) String, pub(crate) String);

/// One POST of the sample: the body as it was sent, and its events.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) body: String,
    pub(crate) events: Vec<Key>,
}

/// The oracle's answer for one of its settings.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    pub(crate) settings: Settings,
    pub(crate) received: u64,
    pub(crate) dropped: u64,
    pub(crate) stored: u64,
    pub(crate) ignored: u64,
    pub(crate) alerted_only: u64,
    pub(crate) classes: BTreeMap<char, Class>,
    pub(crate) lists: Vec<String>,
    pub(crate) alerts: Option<Vec<Alert>>,
    pub(crate) blind: Vec<Blind>,
}

/// The settings of a `Webhook` that the oracle counted for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Settings {
    pub(crate) level: String,
    pub(crate) archiving: String,
    pub(crate) alerting: String,
}

/// What can become of an event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Class {
    pub(crate) rules: Vec<String>,
    pub(crate) stored: bool,
    pub(crate) alerts: Vec<String>,
}

/// An alert by its labels, and its message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Alert {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) message: String,
}

/// A rule that could not decide for want of a body.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct Blind {
    pub(crate) rule: String,
    pub(crate) field: String,
    pub(crate) level: String,
    pub(crate) events: u64,
}

/// The sample's lists, in the order in which they were sent.
pub(crate) fn lists() -> Vec<List> {
    let file = std::fs::File::open(path("e2e/testdata/kube-apiserver-eventlists.ndjson.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let lists: Vec<List> = text.lines().map(list).collect();
    assert_eq!(lists.iter().map(|list| list.events.len()).sum::<usize>(), 15_459);
    lists
}

fn list(line: &str) -> List {
    let value: Value = serde_json::from_str(line).unwrap();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let events = value["items"].as_array().unwrap().iter();
    let events = events.map(|e| Key(text(e, "auditID"), text(e, "stage"), text(e, "stageTimestamp"))).collect();
    List { body: line.to_owned(), events }
}

impl Expected {
    /// The committed answer for these settings of the oracle.
    pub(crate) fn load(name: &str) -> Self {
        let text = std::fs::read_to_string(path("e2e/testdata/expected.json")).unwrap();
        let mut all: BTreeMap<String, Self> = serde_json::from_str(&text).unwrap();
        all.remove(name).unwrap()
    }

    /// The class of each event, list by list; None where it is dropped.
    pub(crate) fn classes(&self, list: usize) -> Vec<Option<&Class>> {
        self.lists[list].chars().map(|letter| (letter != '-').then(|| &self.classes[&letter])).collect()
    }

    /// The events that must be stored, each with the rules that held.
    pub(crate) fn stored_events(&self, lists: &[List]) -> BTreeMap<Key, Vec<String>> {
        let events = lists.iter().enumerate().flat_map(|(i, list)| list.events.iter().zip(self.classes(i)));
        let stored =
            events.filter_map(|(key, class)| Some((key.clone(), class.filter(|class| class.stored)?.rules.clone())));
        let stored: BTreeMap<_, _> = stored.collect();
        assert_eq!(stored.len() as u64, self.stored, "the oracle contradicts itself");
        stored
    }

    /// How many alerts are sent: one for each event and rule, before Alertmanager joins those of equal labels.
    pub(crate) fn alerts_sent(&self) -> u64 {
        let letters = self.lists.iter().flat_map(|list| list.chars());
        letters.filter(|letter| *letter != '-').map(|letter| self.classes[&letter].alerts.len() as u64).sum()
    }
}

fn path(file: &str) -> std::path::PathBuf {
    vedette_e2e::tools::repository(file)
}
