use std::collections::BTreeMap;

use vedette_proto::bus::v1::{
    AlertCounts, AlertEntry, ArchiveCounts, ArchiveEntry, Blind, BookEntry, Books, IngestCounts, book_entry::Applied,
};

use super::{CLUSTERS, Ledger, OTHERS};

/// Books of one entry: a batch of ten events, of which one was dropped, three ignored and six archived.
fn archived(cluster: &str, batch: &str) -> Books {
    let dropped = BTreeMap::from([("level_none".to_owned(), 1)]);
    let entry = ArchiveEntry {
        ingest: Some(IngestCounts { received: 10, published: 9, dropped, ..IngestCounts::default() }),
        counts: Some(ArchiveCounts { evaluated: 9, archived: 6, ignored: 3, ..ArchiveCounts::default() }),
        stored: 4,
        duplicate: 1,
        rejected: 1,
        blind: vec![blind("alerting-rule.HostPort", 2)],
    };
    books("archiver", cluster, batch, Applied::Archive(entry))
}

/// The same batch's two alerts, of which one was sent.
fn alerted(cluster: &str, batch: &str) -> Books {
    let counts = AlertCounts { evaluated: 9, alerted: 2, alerts: 2, ..AlertCounts::default() };
    let entry = AlertEntry { counts: Some(counts), sent: 1, unrouted: 0, rejected: 1 };
    books("alerter", cluster, batch, Applied::Alert(entry))
}

fn blind(rule: &str, events: u64) -> Blind {
    let (field, level) = ("RequestObject.spec".to_owned(), "Metadata".to_owned());
    Blind { rule: rule.to_owned(), field, level, events }
}

fn books(service: &str, cluster: &str, batch: &str, applied: Applied) -> Books {
    let entries = vec![BookEntry { batch: batch.to_owned(), applied: Some(applied) }];
    Books { service: service.to_owned(), cluster: cluster.to_owned(), entries }
}

fn ledger(all: impl IntoIterator<Item = Books>) -> Ledger {
    let mut ledger = Ledger::default();
    all.into_iter().for_each(|books| ledger.apply(books));
    ledger
}

#[test]
fn entries_add_up_by_cluster_and_in_all() {
    let ledger = ledger([archived("a", "1"), archived("a", "2"), archived("b", "1"), alerted("a", "1")]);
    assert_eq!(ledger.clusters()["a"].ingest.received, 20);
    assert_eq!(ledger.clusters()["b"].archive.stored, 4);
    let total = ledger.total();
    assert_eq!(total.ingest.received, 30);
    assert_eq!(total.ingest.dropped, BTreeMap::from([("level_none".to_owned(), 3)]));
    assert_eq!((total.archive.batches, total.archive.evaluated, total.archive.archived), (3, 27, 18));
    assert_eq!((total.alert.batches, total.alert.alerts, total.alert.sent), (1, 2, 1));
    assert!(total.equations().iter().all(|equation| equation.holds), "{:#?}", total.equations());
    assert!(!total.settled_equation().holds, "two batches are not alerted on yet");
}

#[test]
fn an_entry_that_is_written_again_counts_once() {
    let ledger = ledger([archived("a", "1"), alerted("a", "1"), archived("a", "1"), alerted("a", "1")]);
    assert_eq!(ledger.total().ingest.received, 10);
    assert_eq!(ledger.total().alert.alerts, 2);
    assert_eq!((ledger.repeated, ledger.messages), (2, 4));
    assert_eq!(ledger.blind()[0].events, 2);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut ledger = Ledger::remembering(2);
    for batch in ["1", "2", "2", "1", "3", "1"] {
        ledger.apply(archived("a", batch));
    }
    assert_eq!(ledger.repeated, 2);
    assert_eq!((ledger.seen.len(), ledger.order.len()), (2, 2));
    assert_eq!(ledger.total().archive.batches, 4, "the first batch was forgotten when the third came");
}

#[test]
fn each_wrong_count_breaks_its_equation() {
    /// Changes one count of a batch and names the equations that no longer hold.
    fn check(change: impl FnOnce(&mut ArchiveEntry, &mut AlertEntry)) -> Vec<String> {
        let (mut archive, mut alert) = (archived("a", "1"), alerted("a", "1"));
        if let (Some(Applied::Archive(archive)), Some(Applied::Alert(alert))) =
            (&mut archive.entries[0].applied, &mut alert.entries[0].applied)
        {
            change(archive, alert);
        }
        let total = ledger([archive, alert]).total();
        let equations = total.equations().into_iter().chain([total.settled_equation()]).collect::<Vec<_>>();
        let equations = equations.into_iter();
        equations.filter(|equation| !equation.holds).map(|equation| equation.name).collect()
    }
    assert_eq!(check(|_, _| {}), [""; 0]);
    let received = "received + requeued = published + dropped + dead-lettered";
    assert_eq!(check(|archive, _| archive.ingest.as_mut().unwrap().received += 1), [received]);
    let archived = "archived + requeued = stored + duplicate + rejected";
    assert_eq!(check(|archive, _| archive.stored -= 1), [archived]);
    let evaluated = "evaluated = archived + alerted only + ignored + dead-lettered";
    assert_eq!(check(|archive, _| archive.counts.as_mut().unwrap().ignored += 1), [evaluated]);
    assert_eq!(check(|_, alert| alert.sent = 0), ["alerts + requeued = sent + unrouted + rejected"]);
    let settled = "evaluated for the archive = evaluated for alerts";
    assert_eq!(check(|_, alert| alert.counts.as_mut().unwrap().evaluated = 8), [settled]);
}

#[test]
fn clusters_without_end_share_one_sum() {
    let ledger = ledger((0..CLUSTERS + 10).map(|cluster| archived(&cluster.to_string(), "1")));
    assert_eq!(ledger.clusters().len(), CLUSTERS + 1);
    assert_eq!(ledger.clusters()[OTHERS].archive.batches, 10);
}
