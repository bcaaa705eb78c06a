//! What a file has, as lists to post: lists go as they are, single events are gathered into lists.
use std::io::BufRead;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use vedette_audit::Dialect;
use vedette_audit::list::{Cutter, Limits, ListErrorCode};

use crate::values::{MAX_VALUE_BYTES, Value, Values, ValuesError};

/// A gathered list is posted before it grows over this, in bytes.
const GATHERED_BYTES: usize = 8 * 1024 * 1024;

/// One list to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// The body.
    pub(crate) body: Bytes,
    /// How many items it has.
    pub(crate) events: u64,
}

/// Why a file can't be posted to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListsError {
    #[error(transparent)]
    Values(#[from] ValuesError),
    #[error("line {line}: not JSON: {message}")]
    Syntax { line: u64, message: String },
}

/// The lists of a file.
pub(crate) struct Lists<R> {
    values: Values<R>,
    batch: usize,
    gathered: Option<Gathered>,
    ready: Option<List>,
    over: bool,
}

/// Single events that wait for more.
struct Gathered {
    dialect: Dialect,
    body: Vec<u8>,
    events: u64,
}

enum Kind {
    List { events: u64 },
    Event(Dialect),
}

impl<R: BufRead> Lists<R> {
    /// Lists out of `values`; `batch` single events make a list.
    pub(crate) fn new(values: Values<R>, batch: usize) -> Self {
        Self { values, batch: batch.max(1), gathered: None, ready: None, over: false }
    }

    fn read(&mut self) -> Result<Option<List>, ListsError> {
        if let Some(list) = self.ready.take() {
            return Ok(Some(list));
        }
        loop {
            let Some(value) = self.values.next().transpose()? else {
                return Ok(self.gathered.take().map(Gathered::close));
            };
            match kind(&value)? {
                Kind::List { events } => {
                    let list = List { body: value.bytes.into(), events };
                    // What was gathered before it goes before it.
                    return Ok(Some(match self.gathered.take() {
                        None => list,
                        Some(gathered) => {
                            self.ready = Some(list);
                            gathered.close()
                        }
                    }));
                }
                Kind::Event(dialect) => {
                    if let Some(list) = self.gather(dialect, &value.bytes) {
                        return Ok(Some(list));
                    }
                }
            }
        }
    }

    /// Adds an event; gives the list that it completes or that it does not fit into.
    fn gather(&mut self, dialect: Dialect, event: &[u8]) -> Option<List> {
        let fits =
            |gathered: &Gathered| gathered.dialect == dialect && gathered.body.len() + event.len() <= GATHERED_BYTES;
        let (mut gathered, full) = match self.gathered.take() {
            Some(gathered) if fits(&gathered) => (gathered, None),
            other => (Gathered::open(dialect), other.map(Gathered::close)),
        };
        gathered.push(event);
        if full.is_none() && gathered.events >= self.batch as u64 {
            return Some(gathered.close());
        }
        self.gathered = Some(gathered);
        full
    }
}

impl<R: BufRead> Iterator for Lists<R> {
    type Item = Result<List, ListsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = match self.read() {
            // What was good before the error is still posted.
            Err(error) => {
                self.over = true;
                return Some(Err(error));
            }
            Ok(next) => next,
        };
        self.over = next.is_none();
        next.map(Ok)
    }
}

impl Gathered {
    fn open(dialect: Dialect) -> Self {
        let head: &[u8] = match dialect {
            Dialect::Kubernetes => br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#,
            Dialect::KubeSphere => br#"{"Items":["#,
        };
        Self { dialect, body: head.to_vec(), events: 0 }
    }

    fn push(&mut self, event: &[u8]) {
        if self.events > 0 {
            self.body.push(b',');
        }
        self.body.extend_from_slice(event);
        self.events += 1;
    }

    fn close(mut self) -> List {
        self.body.extend_from_slice(b"]}");
        List { body: self.body.into(), events: self.events }
    }
}

fn kind(value: &Value) -> Result<Kind, ListsError> {
    let limits = Limits { item_bytes: MAX_VALUE_BYTES, member_bytes: MAX_VALUE_BYTES };
    let mut cutter = Cutter::new(limits);
    let mut events = 0;
    match cutter.push(&value.bytes, &mut |_| events += 1).and_then(|()| cutter.finish()) {
        Ok(_) => Ok(Kind::List { events }),
        Err(error) if error.code == ListErrorCode::NotList => {
            // Whether another kind of list is taken is for the webhook to say.
            let probe: Probe = serde_json::from_slice(&value.bytes)
                .map_err(|error| ListsError::Syntax { line: value.line, message: error.to_string() })?;
            if probe.items.is_some() || probe.other_items.is_some() {
                return Ok(Kind::List { events });
            }
            let kubesphere = probe.audit_id.is_some() || probe.verb.is_some() || probe.request_uri.is_some();
            Ok(Kind::Event(if kubesphere { Dialect::KubeSphere } else { Dialect::Kubernetes }))
        }
        Err(error) => Err(ListsError::Syntax { line: value.line, message: error.message }),
    }
}

/// Members that tell what a value is: a list, an event as only KubeSphere spells it, or any other event.
#[derive(Deserialize)]
struct Probe {
    items: Option<IgnoredAny>,
    #[serde(rename = "Items")]
    other_items: Option<IgnoredAny>,
    #[serde(rename = "AuditID")]
    audit_id: Option<IgnoredAny>,
    #[serde(rename = "Verb")]
    verb: Option<IgnoredAny>,
    #[serde(rename = "RequestURI")]
    request_uri: Option<IgnoredAny>,
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::Lists;
    use crate::values::Values;

    fn check(input: &str, batch: usize, expected: &[&str]) {
        let got: Vec<String> = Lists::new(Values::new(input.as_bytes()), batch)
            .map(|list| match list {
                Ok(list) => format!("{} {}", list.events, String::from_utf8_lossy(&list.body)),
                Err(error) => format!("! {error}"),
            })
            .collect();
        assert_eq!(got, expected);
    }

    const HEAD: &str = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;

    #[test]
    fn lists_stay_as_they_are() {
        check(
            "{\"items\": [{\"verb\":\"get\"}, {}] }\n{\"Items\":[]}",
            1,
            &["2 {\"items\": [{\"verb\":\"get\"}, {}] }", "0 {\"Items\":[]}"],
        );
        check("{\"kind\":\"PodList\",\"items\":[]}", 1, &["0 {\"kind\":\"PodList\",\"items\":[]}"]);
    }

    #[test]
    fn single_events_are_gathered_by_number_and_spelling_in_order() {
        check(
            "{\"verb\":\"a\"}{\"verb\":\"b\"}{\"verb\":\"c\"}",
            2,
            &[&format!("2 {HEAD}{{\"verb\":\"a\"}},{{\"verb\":\"b\"}}]}}"), &format!("1 {HEAD}{{\"verb\":\"c\"}}]}}")],
        );
        check(
            "{\"verb\":\"a\"}{\"Verb\":\"b\"}{\"items\":[]}{\"verb\":\"c\"}",
            9,
            &[
                &format!("1 {HEAD}{{\"verb\":\"a\"}}]}}"),
                "1 {\"Items\":[{\"Verb\":\"b\"}]}",
                "0 {\"items\":[]}",
                &format!("1 {HEAD}{{\"verb\":\"c\"}}]}}"),
            ],
        );
    }

    #[test]
    fn a_batch_of_one_posts_every_event_alone() {
        check(
            "{\"verb\":\"a\"}{\"verb\":\"b\"}",
            1,
            &[&format!("1 {HEAD}{{\"verb\":\"a\"}}]}}"), &format!("1 {HEAD}{{\"verb\":\"b\"}}]}}")],
        );
    }

    #[test]
    fn a_large_single_event_is_an_event() {
        let mut event = String::from("{\"verb\":\"create\",\"requestObject\":\"");
        for _ in 0..20_000 {
            let _ = write!(event, "0123456789");
        }
        event.push_str("\"}");
        check(&event, 9, &[&format!("1 {HEAD}{event}]}}")]);
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_line() {
        let got: Vec<_> = Lists::new(Values::new("{\"items\":[]}\n\n{\"items\":[}]}".as_bytes()), 1).collect();
        assert!(got[0].is_ok());
        let error = got[1].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("line 3: not JSON: "), "{error}");
        assert_eq!(got.len(), 2);
    }
}
