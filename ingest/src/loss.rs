//! What a sender loses that never sends again.
//!
//! KubeSphere's sender waits three seconds for an answer and forgets the list whatever it is. Whether it hangs up, is
//! refused at the first byte or is told too late: events of its lists that the broker has not stored are counted as lost,
//! as far as they were read. A refused body is read on for that.

use prometheus::IntCounter;
use vedette_audit::{Dialect, list::Cutter};

/// One body's events that the broker has not stored, counted as lost when this is dropped.
#[derive(Debug)]
pub(crate) struct Loss {
    lost: IntCounter,
    dialect: Option<Dialect>,
    events: u64,
    /// Counts the events of what is still to come of a refused body.
    cutter: Option<Cutter>,
}

impl Loss {
    pub(crate) fn new(lost: IntCounter) -> Self {
        Self { lost, dialect: None, events: 0, cutter: None }
    }

    /// So many events of a list spelled so have been read.
    pub(crate) fn seen(&mut self, (dialect, events): (Option<Dialect>, u64)) {
        (self.dialect, self.events) = (dialect, events);
    }

    /// What is still to come of the body is counted by this cutter, or can't be.
    pub(crate) fn go_on_with(&mut self, cutter: Option<Cutter>) {
        self.cutter = cutter.map(|mut cutter| {
            cutter.hold_no_items();
            cutter
        });
    }

    /// The next piece of a refused body.
    pub(crate) fn read(&mut self, chunk: &[u8]) {
        let (dialect, events) = (&mut self.dialect, &mut self.events);
        let pushed = self.cutter.as_mut().map(|cutter| {
            cutter.push(chunk, &mut |item| {
                *dialect = Some(item.dialect);
                *events += 1;
            })
        });
        if let Some(Err(_)) = pushed {
            self.cutter = None;
        }
    }

    /// The broker has so many of them.
    pub(crate) fn stored(&mut self, events: u64) {
        self.events = self.events.saturating_sub(events);
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        if self.dialect == Some(Dialect::KubeSphere) {
            self.lost.inc_by(self.events);
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_audit::list::Limits;

    use super::*;

    fn lost(tell: impl FnOnce(&mut Loss)) -> u64 {
        let lost = IntCounter::new("lost", "lost").unwrap();
        let mut loss = Loss::new(lost.clone());
        tell(&mut loss);
        assert_eq!(lost.get(), 0, "nothing is lost before the end");
        drop(loss);
        lost.get()
    }

    #[test]
    fn kubespheres_events_are_lost_but_for_those_that_are_stored() {
        assert_eq!(lost(|loss| loss.seen((Some(Dialect::KubeSphere), 7))), 7);
        assert_eq!(lost(|loss| loss.seen((Some(Dialect::Kubernetes), 7))), 0, "a kube-apiserver sends them again");
        let in_part = |loss: &mut Loss| {
            loss.seen((Some(Dialect::KubeSphere), 7));
            loss.stored(5);
        };
        assert_eq!(lost(in_part), 2);
    }

    #[test]
    fn what_comes_after_the_refusal_counts_too() {
        let body = br#"{"Items":[{"a":"x"},{},[1]]}"#;
        for from in 0..body.len() {
            let read = |loss: &mut Loss| {
                let (mut cutter, mut events) = (Cutter::new(Limits::default()), 0);
                cutter.push(&body[..from], &mut |_| events += 1).unwrap();
                loss.seen(((events > 0).then_some(Dialect::KubeSphere), events));
                loss.go_on_with(Some(cutter));
                body[from..].chunks(3).for_each(|chunk| loss.read(chunk));
            };
            assert_eq!(lost(read), 3, "{from}");
        }
        let garbage = |loss: &mut Loss| {
            loss.go_on_with(Some(Cutter::new(Limits::default())));
            loss.read(br#"{"Items":[1,2}"#);
            loss.read(b",3,4]}");
        };
        assert_eq!(lost(garbage), 2);
    }
}
