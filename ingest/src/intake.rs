//! What becomes of a body, event by event, while it streams in. No I/O.
//!
//! Events are collected into parts. Where a part ends is decided by bytes as received alone, and a part is named after
//! the ids of everything cut into it, dropped and bad events included: so the sender's retry makes the same parts under
//! the same names, whatever the settings have become in between. A finished part is held compressed.

mod part;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use vedette_audit::{
    Dialect, Event, EventId, Level, MAX_EVENT_BYTES, Redactor,
    event::{BadCode, EventErrorKind, Placed},
    list::{self, Cutter, Item, ListError},
};
use vedette_service::namespaces::Cluster;

use part::Part;
pub(crate) use part::{Finished, Letter};

/// The bytes of events, as received, above which a list is cut.
pub(crate) const PART_BYTES: usize = 1024 * 1024;

const K8S_AUDITING_DISABLED: &str = "k8s_auditing_disabled";
const LEVEL_NONE: &str = "level_none";

/// Why events are dropped.
pub(crate) const DROP_REASONS: [&str; 2] = [K8S_AUDITING_DISABLED, LEVEL_NONE];

/// What holds for one body from its first byte to its last.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) cluster: Arc<str>,
    /// When the request came, in nanoseconds since the Unix epoch.
    pub(crate) received_unix_nanos: i64,
    /// The policy's generation and what it says.
    pub(crate) generation: u64,
    pub(crate) audit_level: Level,
    pub(crate) k8s_auditing_enabled: bool,
    /// The cluster's namespaces, with the workspaces that they belong to.
    pub(crate) namespaces: Cluster,
    /// What replaces secrets; nothing does, if there is none.
    pub(crate) redactor: Option<Arc<Redactor>>,
}

/// One body that is coming in.
#[derive(Debug)]
pub(crate) struct Intake {
    cutter: Cutter,
    /// The body is refused for what stands in it: what is still to come of it means nothing.
    spent: bool,
    work: Work,
}

#[derive(Debug)]
struct Work {
    terms: Terms,
    part: Part,
    finished: Vec<Finished>,
    /// The first item that is no JSON.
    error: Option<ListError>,
    dialect: Option<Dialect>,
    seen: u64,
    letters: usize,
}

impl Intake {
    pub(crate) fn new(terms: Terms, limits: list::Limits) -> Self {
        let work = Work {
            part: Part::new(&terms),
            terms,
            finished: Vec::new(),
            error: None,
            dialect: None,
            seen: 0,
            letters: 0,
        };
        Self { cutter: Cutter::new(limits), spent: false, work }
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// As soon as the whole body must be refused.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), ListError> {
        let work = &mut self.work;
        let cut = self.cutter.push(chunk, &mut |item| work.item(&item));
        // An item before the place where cutting failed comes first.
        let result = match work.error.take() {
            Some(error) => Err(error),
            None => cut,
        };
        self.spent = result.is_err();
        result
    }

    /// The cutter of a body that is refused for something else, to count what is still to come of it.
    pub(crate) fn rest(self) -> Option<Cutter> {
        (!self.spent).then_some(self.cutter)
    }

    /// The bytes of memory held.
    pub(crate) fn held(&self) -> usize {
        self.cutter.held() + self.work.part.held() + self.work.finished.iter().map(Finished::held).sum::<usize>()
    }

    /// How the list is spelled, once that is known, and how many of its items were read.
    pub(crate) fn seen(&self) -> (Option<Dialect>, u64) {
        (self.work.dialect, self.work.seen)
    }

    /// Takes the body's end; returns its parts in order, none for an empty list.
    ///
    /// # Errors
    /// If the body was no list of events.
    pub(crate) fn finish(mut self) -> Result<Vec<Finished>, ListError> {
        self.cutter.finish()?;
        self.work.close_part();
        Ok(self.work.finished)
    }
}

impl Work {
    fn item(&mut self, item: &Item<'_>) {
        if self.error.is_some() {
            return;
        }
        self.dialect = Some(item.dialect);
        self.seen += 1;
        if !self.part.is_empty() && self.part.received_bytes() + item.length() > PART_BYTES {
            self.close_part();
        }
        if let Some(over) = item.over {
            self.part.receive(EventId::of_over(&self.terms.cluster, &over.hash), over.length);
            self.letter(BadCode::TooLarge, "the event is larger than one may be", item.bytes, over.length);
            return;
        }
        match Event::parse(item.bytes) {
            Ok(event) => self.event(&event, item.dialect),
            Err(error) => match error.kind {
                EventErrorKind::Bad { code, .. } => {
                    let id = EventId::of_bad(&self.terms.cluster, item.bytes);
                    self.part.receive(id, item.bytes.len());
                    self.letter(code, &error.to_string(), item.bytes, item.bytes.len());
                }
                EventErrorKind::Syntax { .. } => self.error = Some(ListError::in_item(item.offset, &error)),
            },
        }
    }

    fn event(&mut self, event: &Event<'_>, dialect: Dialect) {
        let id = event.id(&self.terms.cluster);
        self.part.receive(id, event.bytes().len());
        if let Some(reason) = self.drop_reason(event, dialect) {
            self.part.drop_event(reason);
            return;
        }
        let (level, bytes) = (self.terms.audit_level, event.bytes());
        if event.kept_bytes(level) > MAX_EVENT_BYTES {
            self.letter(BadCode::TooLarge, "the event is over 8 MiB without its bodies", bytes, bytes.len());
            return;
        }
        let placed = placed(event, &self.terms.namespaces);
        let redactor = self.terms.redactor.as_deref();
        let write = |out: &mut Vec<u8>| event.rewrite_in(level, &self.terms.cluster, placed, redactor, out);
        self.part.publish(id, bytes.len(), write);
    }

    fn drop_reason(&self, event: &Event<'_>, dialect: Dialect) -> Option<&'static str> {
        if dialect == Dialect::Kubernetes && !self.terms.k8s_auditing_enabled {
            Some(K8S_AUDITING_DISABLED)
        } else if self.terms.audit_level == Level::None || event.recorded_level() == Some(Level::None) {
            Some(LEVEL_NONE)
        } else {
            None
        }
    }

    /// The item just received, of this length, is a bad event; `item` is it or its beginning.
    fn letter(&mut self, code: BadCode, detail: &str, item: &[u8], length: usize) {
        self.letters += 1;
        self.part.dead_letter(code, detail, item, length, self.letters);
    }

    fn close_part(&mut self) {
        if !self.part.is_empty() {
            let part = std::mem::replace(&mut self.part, Part::new(&self.terms));
            self.finished.push(part.finish());
        }
    }
}

/// Where what an event is about belongs: the sender of Kubernetes' events knows nothing of workspaces, and none knows uids. It is told
/// by the namespace; requests about a namespace itself may carry its name alone.
///
/// An event from before the namespace was made is of an earlier one of its name, of which nothing is known. One of the very second may
/// be: Kubernetes says no more of a creation than its second.
fn placed<'a>(event: &Event<'_>, namespaces: &'a Cluster) -> Placed<'a> {
    if namespaces.is_empty() {
        return Placed::default();
    }
    let mut name = event.namespace();
    if name.is_empty() && event.resource() == "namespaces" && event.api_group().is_empty() {
        name = event.name();
    }
    let Some(namespace) = (if name.is_empty() { None } else { namespaces.namespace(&name) }) else {
        return Placed::default();
    };
    if event.time().is_some_and(|time| time.second() <= namespace.created_unix_seconds) {
        return Placed::default();
    }
    Placed { workspace: namespace.workspace.as_deref(), namespace_uid: Some(&namespace.uid) }
}
