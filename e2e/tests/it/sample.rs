//! The sample that a real kube-apiserver sent, and what the oracle says must become of it.
//!
//! Most tests use the traffic alone (`lists`, `expected.json`). What `vedette up` sends besides has an answer of its own
//! (`more_lists`, `expected-incidents.json`).

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
    pub(crate) rules: BTreeMap<String, u64>,
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

impl Alert {
    /// `resource.rule`, as `vedette rules eval` names it.
    pub(crate) fn rule(&self) -> String {
        self.labels["rule_id"].splitn(2, '/').last().unwrap().replace('/', ".")
    }
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

/// The files of what `vedette up` sends besides, in their order.
pub(crate) const MORE: [&str; 2] =
    ["e2e/testdata/kubesphere-eventlists.json", "e2e/testdata/incidents-eventlists.ndjson.gz"];

/// The lists of [`MORE`], in the order in which they are sent.
pub(crate) fn more_lists() -> Vec<List> {
    let kubesphere = std::fs::read_to_string(path(MORE[0])).unwrap();
    std::iter::once(list(&kubesphere)).chain(incidents().lines().map(list)).collect()
}

/// The lists of the incidents, one a line.
pub(crate) fn incidents() -> String {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path(MORE[1])).unwrap()).read_to_string(&mut text).unwrap();
    text
}

fn list(line: &str) -> List {
    let value: Value = serde_json::from_str(line).unwrap();
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    let (events, names) = match value["items"].as_array() {
        Some(events) => (events, ["auditID", "stage", "stageTimestamp"]),
        None => (value["Items"].as_array().unwrap(), ["AuditID", "Stage", "StageTimestamp"]),
    };
    let key = |event| {
        let [id, stage, at] = names.map(|name| text(event, name));
        Key(id, stage, at)
    };
    List { body: line.to_owned(), events: events.iter().map(key).collect() }
}

impl Expected {
    /// The committed answer for these settings of the oracle.
    pub(crate) fn load(name: &str) -> Self {
        Self::of("e2e/testdata/expected.json", name)
    }

    /// The committed answer for the lists of [`MORE`].
    pub(crate) fn load_more(name: &str) -> Self {
        Self::of("e2e/testdata/expected-incidents.json", name)
    }

    fn of(file: &str, name: &str) -> Self {
        let text = std::fs::read_to_string(path(file)).unwrap();
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
