//! The same of alerts: of every event there are some, whether they are in the archive or not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use vedette_audit::Document;
use vedette_bus::Followed;
use vedette_proto::bus::v1::{Alert, AlertLog, AlertOutcome, LoggedAlert};

use super::Asking;

const RULES: [(&str, &str); 3] = [("Exec", "WARNING"), ("Secrets", "INFO"), ("Everything", "DEBUG")];
const QUERIES: [&str; 4] = ["", "ALI", "shop", "said"];

/// The rules that alerted of a document: one, two or all.
fn rules(document: &Document) -> &'static [(&'static str, &'static str)] {
    &RULES[..1 + usize::from(document.id.as_bytes()[0]) % 3]
}

fn message(document: &Document, rule: &str) -> String {
    format!("{} said {rule}", document.fields.user)
}

/// The log that holds their alerts.
pub(super) fn log(documents: &[Document]) -> Vec<Followed<AlertLog>> {
    let one = |document: &Document, (rule, priority): (&str, &str)| {
        let fields = &document.fields;
        let alert = Alert {
            event_id: document.id.as_bytes().to_vec().into(),
            rule_id: format!("ns/r/{rule}"),
            rule: rule.to_owned(),
            priority: priority.to_owned(),
            message: message(document, rule),
            request_received_timestamp: jiff::Timestamp::from_microsecond(document.time_micros).unwrap().to_string(),
            namespace: fields.namespace.clone(),
            workspace: fields.workspace.clone(),
            tenant: fields.tenant.clone(),
            user: fields.user.clone(),
            name: fields.name.clone(),
            ..Alert::default()
        };
        LoggedAlert {
            alert: Some(alert),
            settled_unix_nanos: i64::MAX,
            outcome: AlertOutcome::Sent.into(),
            receivers: vec!["pager".to_owned()],
            ..LoggedAlert::default()
        }
    };
    let steps = documents.iter().map(|document| {
        let alerts = rules(document).iter().map(|rule| one(document, *rule)).collect();
        Followed { message: Some(AlertLog { cluster: document.fields.cluster.clone(), alerts }), behind: Some(0) }
    });
    steps.collect()
}

impl Asking<'_> {
    /// What a plain filter gives, the newest first.
    fn alerted(&self, query: &str, rule: Option<&str>) -> Vec<(&Document, &'static str, &'static str)> {
        let query = query.to_lowercase();
        let all = self.visible.iter().rev().flat_map(|document| {
            let mut rules: Vec<_> = rules(document).to_vec();
            rules.sort_unstable_by(|one, other| other.cmp(one));
            rules.into_iter().map(move |(rule, priority)| (*document, rule, priority))
        });
        all.filter(|(document, name, _)| {
            let fields = &document.fields;
            let texts = [&message(document, name), &fields.user, &fields.name, &fields.namespace];
            rule.is_none_or(|rule| rule == *name) && texts.iter().any(|text| text.to_lowercase().contains(&query))
        })
        .collect()
    }

    pub(super) fn alerts(&self) {
        for query in QUERIES {
            for rule in [None, Some("Secrets")] {
                let expected = self.alerted(query, rule);
                let named = rule.map(|rule| format!("r.{rule}"));
                let mut asked = vec![("q", query)];
                asked.extend(named.iter().map(|rule| ("rule", rule.as_str())));
                self.alert_pages(&asked, &expected);
                self.alert_groups(&asked, &expected);
                self.alert_histogram(&asked, &expected);
            }
        }
        // One event's, as a page about it asks.
        for document in self.subject.documents.iter().step_by(97) {
            let found = self.alert_json("/api/v1/alerts", &[("event", &document.id.to_string())]);
            let visible = self.visible.iter().any(|it| it.id == document.id);
            let expected = if visible { rules(document).len() } else { 0 };
            assert_eq!(found["items"].as_array().unwrap().len(), expected);
            assert_eq!(found["total"], expected);
        }
    }

    /// Whether an alert names its receivers to those who may see everything, and to nobody else.
    fn may_tell(&self, alert: &Value) -> bool {
        let named: &[&str] = if self.everything { &["pager"] } else { &[] };
        alert["receivers"] == serde_json::json!(named)
    }

    fn alert_json(&self, path: &str, asked: &[(&str, &str)]) -> Value {
        let (status, text) = self.get(path, asked);
        assert_eq!(status, 200, "{path} {asked:?}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn alert_pages(&self, asked: &[(&str, &str)], expected: &[(&Document, &str, &str)]) {
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after: Vec<(&str, &str)> = cursor.iter().map(|cursor| ("cursor", cursor.as_str())).collect();
            let page = self.alert_json("/api/v1/alerts", &[asked, &[("limit", "400")], &after[..]].concat());
            let first = cursor.is_none();
            assert_eq!(page["total"].as_u64(), first.then_some(expected.len() as u64));
            let oldest = self.visible.first().map(|document| time(document));
            assert_eq!(page["kept"]["since"].as_str(), oldest.as_deref(), "of what may be seen");
            assert_eq!(page["kept"]["complete"], true);
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 400);
            assert!(items.iter().all(|alert| self.may_tell(alert)), "what administrators call their endpoints");
            found.extend(items.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let expected: Vec<String> =
            expected.iter().map(|(document, rule, _)| format!("{}:ns/r/{rule}", document.id)).collect();
        assert_eq!(found, expected);
    }

    fn alert_groups(&self, asked: &[(&str, &str)], expected: &[(&Document, &str, &str)]) {
        let found = self.alert_json("/api/v1/alerts/groups", asked);
        let mut groups = BTreeMap::<String, Vec<&(&Document, &str, &str)>>::new();
        for alert in expected {
            groups.entry(format!("r.{}", alert.1)).or_default().push(alert);
        }
        let items = found["items"].as_array().unwrap();
        assert_eq!(items.len(), groups.len());
        for item in items {
            let group = &groups[item["rule"].as_str().unwrap()];
            let users: BTreeSet<&str> = group.iter().map(|(document, ..)| document.fields.user.as_str()).collect();
            assert_eq!((&item["count"], &item["users"]), (&group.len().into(), &users.len().into()));
            assert_eq!(item["priority"], group[0].2);
            assert!(self.may_tell(&item["latest"]));
            assert_eq!(item["latest"]["eventId"], group[0].0.id.to_string());
            assert_eq!(item["lastSeen"], time(group[0].0));
            assert_eq!(item["firstSeen"], time(group.last().unwrap().0));
        }
        assert!(items.is_sorted_by(|one, other| one["lastSeen"].as_str() >= other["lastSeen"].as_str()));
    }

    fn alert_histogram(&self, asked: &[(&str, &str)], expected: &[(&Document, &str, &str)]) {
        let found = self.alert_json("/api/v1/alerts/histogram", &[asked, &[("interval", "6h")]].concat());
        assert_eq!(found["total"], expected.len());
        let mut cells = BTreeMap::<(String, &str), u64>::new();
        for (document, _, priority) in expected {
            let begin = document.time_micros.div_euclid(6 * 3_600_000_000) * 6 * 3_600_000_000;
            let begin = format!("{:.6}", jiff::Timestamp::from_microsecond(begin).unwrap());
            *cells.entry((begin, *priority)).or_default() += 1;
        }
        let series: Vec<&str> =
            found["series"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
        let mut told = BTreeMap::new();
        for bucket in found["buckets"].as_array().unwrap() {
            let counts: Vec<u64> =
                bucket["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
            assert_eq!(bucket["count"], counts.iter().sum::<u64>());
            let filled = series.iter().zip(counts).filter(|(_, count)| *count > 0);
            told.extend(filled.map(|(name, count)| ((bucket["time"].as_str().unwrap().to_owned(), *name), count)));
        }
        assert_eq!(told, cells);
    }
}

fn time(document: &Document) -> String {
    format!("{:.6}", jiff::Timestamp::from_microsecond(document.time_micros).unwrap())
}
