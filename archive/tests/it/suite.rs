//! What every engine has to do.

use std::future::Future;
use std::sync::Arc;

use proptest::test_runner::{Config, RngSeed, TestRunner};
use tokio::runtime::Runtime;
use vedette_archive::{
    Archive, ArchiveError, By, Field, Filter, Groups, Interval, MAX_CONDITIONS, MAX_PARTS, MAX_WINDOW, Page, Pattern,
    Piece, Query, Rejected, WriteBatch,
};
use vedette_audit::document::Document;

use crate::{corpus, oracle, questions};

/// An engine with an empty archive.
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) archive: Arc<dyn Archive>,
    pub(crate) runtime: &'a Runtime,
    /// Makes what was written visible, where that is not so at once.
    pub(crate) refresh: Box<dyn Fn() + 'a>,
    /// How far the number of distinct audit ids may be off, in hundredths.
    pub(crate) off_by: u64,
    /// Random queries.
    pub(crate) cases: u32,
}

const DAY: i64 = 86_400_000_000;

impl Subject<'_> {
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Everything, in an order in which one step uses what the one before left.
    pub(crate) fn conforms(&self) {
        self.answers_where_there_is_nothing();
        self.stores_each_event_once();
        self.gives_back_what_it_got();
        self.finds_by_each_field();
        self.takes_hostile_values_for_data();
        self.finds_what_a_view_lets_through();
        self.finds_what_a_filter_finds();
        self.pages_through_everything();
        self.goes_on_from_a_cursor();
        self.groups_and_counts_values();
        self.counts_by_time();
        self.refuses_questions_out_of_bounds();
        self.drops_old_days();
    }

    fn answers_where_there_is_nothing(&self) {
        let query = Query { start_micros: Some(0), end_micros: Some(DAY), ..Query::default() };
        for query in [Query::default(), query] {
            assert_eq!(self.wait(self.archive.count(&query)).unwrap(), 0);
            assert_eq!(self.wait(self.archive.search(&query, &Page::default())).unwrap().documents.len(), 0);
            assert_eq!(self.wait(self.archive.statistics(&query)).unwrap().resources, 0);
            assert_eq!(self.wait(self.archive.histogram(&query, Interval::seconds(60))).unwrap(), []);
        }
        assert_eq!(self.wait(self.archive.purge(i64::MAX)).unwrap().days, 0);
        let health = self.wait(self.archive.health());
        assert!(health.ready, "{health:?}");
    }

    fn stores_each_event_once(&self) {
        let batches = corpus::batches("first");
        for _ in 0..2 {
            // Written again, whole or together with others, a batch reports the same.
            for some in batches.chunks(16) {
                let reports = self.wait(self.archive.write(some)).unwrap();
                for (batch, report) in some.iter().zip(&reports) {
                    let expected = (batch.documents.len() as u64, 0, &[] as &[Rejected]);
                    assert_eq!(
                        (report.stored, report.duplicate, report.rejected.as_slice()),
                        expected,
                        "{}",
                        batch.key
                    );
                }
            }
        }
        let again: Vec<WriteBatch> = corpus::batches("again").into_iter().step_by(10).collect();
        for (batch, report) in again.iter().zip(self.wait(self.archive.write(&again)).unwrap()) {
            assert_eq!((report.stored, report.duplicate), (0, batch.documents.len() as u64), "{}", batch.key);
        }
        self.tells_duplicates_within_a_call();
        (self.refresh)();
        let size = self.wait(self.archive.size()).unwrap();
        assert_eq!(size.events, corpus::documents().len() as u64 + 2);
        assert!(size.bytes > 0 && size.days >= 7, "{size:?}");
        println!("{}: {} bytes an event", self.name, size.bytes / size.events);
    }

    /// Twice in a batch, in two batches, in a batch that comes twice.
    fn tells_duplicates_within_a_call(&self) {
        let one =
            corpus::document(r#"{"verb":"get","auditID":"one","requestReceivedTimestamp":"2026-11-10T00:00:00Z"}"#);
        let two =
            corpus::document(r#"{"verb":"get","auditID":"two","requestReceivedTimestamp":"2026-11-09T00:00:00Z"}"#);
        let batch = |key: &str, documents: &[&Document]| WriteBatch {
            key: key.to_owned(),
            documents: documents.iter().map(|document| (*document).clone()).collect(),
        };
        let calls = [batch("x", &[&one, &one]), batch("y", &[&one, &two]), batch("x", &[&one, &one])];
        for _ in 0..2 {
            let reports = self.wait(self.archive.write(&calls)).unwrap();
            let counts: Vec<_> = reports.iter().map(|report| (report.stored, report.duplicate)).collect();
            assert_eq!(counts, [(1, 1), (1, 1), (1, 1)]);
        }
        (self.refresh)();
        let query = Query { end_micros: Some(one.time_micros), ..Query::default() };
        let found = self.wait(self.archive.search(&query, &Page { newest_first: false, ..Page::default() })).unwrap();
        assert_eq!(found.documents, [two.json, one.json]);
    }

    fn gives_back_what_it_got(&self) {
        for event in corpus::odd() {
            let document = corpus::document(&event);
            let query = Query {
                start_micros: Some(document.time_micros),
                end_micros: Some(document.time_micros),
                ..Query::default()
            };
            let hits = self.wait(self.archive.search(&query, &Page::default())).unwrap();
            let shown = String::from_utf8_lossy(&document.json);
            let found = hits.documents.iter().any(|hit| flat(hit) == flat(&document.json));
            assert!(found, "{}", shown.chars().take(500).collect::<String>());
        }
    }

    fn finds_by_each_field(&self) {
        for (name, query) in questions::each_field() {
            let query = Query { start_micros: Some(query.start_micros.unwrap_or(1_794_300_000_000_000)), ..query };
            let found = self.agrees(&query, &Page { size: 50, ..Page::default() });
            assert!(found > 0, "{name} finds nothing");
            assert!(found < corpus::documents().len(), "{name} finds everything");
        }
    }

    fn takes_hostile_values_for_data(&self) {
        for text in corpus::hostile() {
            for field in [Field::User, Field::Name, Field::Group, Field::Reason] {
                let pattern = |pieces: &[Piece]| Filter::Like(field, vec![Pattern::new(pieces.iter().cloned())]);
                let piece = || Piece::Text(text.to_owned());
                for filter in [
                    Filter::is(field, [text]),
                    Filter::contains(field, [text]),
                    Filter::Begins(field, vec![text.to_owned()]),
                    pattern(&[piece()]),
                    pattern(&[piece(), Piece::Any]),
                    pattern(&[Piece::Any, piece(), Piece::Any]),
                ] {
                    let found = self.agrees_in_count(&Query::of(filter.clone()));
                    assert!(0 < found && found < 200, "{}: {filter:?} finds {found}", self.name);
                }
            }
        }
    }

    /// The filter of a caller who sees ten thousand namespaces, and documents of them that nobody gave a tenant.
    fn finds_what_a_view_lets_through(&self) {
        let many = |name: &str| (0..10_000).map(|n| format!("{name}-{n}")).collect::<Vec<_>>();
        let tenants = many("default/00000000-0000-4000-8000");
        let names = [many("tenant"), vec!["kube-system".to_owned()]].concat();
        let untold = |cluster: &str, more: Filter| {
            Filter::is(Field::Tenant, [""]).and(Filter::is(Field::Cluster, [cluster])).and(more)
        };
        let since = Filter::Since(1_794_900_000_000_000);
        let view = Filter::Any(vec![
            Filter::Is(Field::Tenant, tenants),
            untold("default", Filter::Is(Field::Namespace, names)),
            untold("default", Filter::is(Field::Namespace, ["default"]).and(since)),
            untold("member-1", Filter::Is(Field::Workspace, many("workspace"))),
            Filter::is(Field::Namespace, [""]).and(Filter::is(Field::Verb, ["delete"])),
        ]);
        let found = self.agrees_in_count(&Query::of(view.clone()));
        assert!(0 < found && found < corpus::documents().len(), "{found}");
        self.agrees(&Query { start_micros: Some(1_794_900_000_000_000), ..Query::of(view.clone()) }, &Page::default());
        self.agrees_in_count(&Query::of(Filter::Not(Box::new(view))));
        // As many conditions as there may be.
        let each = (0..MAX_CONDITIONS - 1).map(|n| Filter::is(Field::Name, [format!("pod-{n}")])).collect();
        self.agrees_in_count(&Query::of(Filter::Any(each)));
        let parts = |at| Filter::contains(Field::Name, (0..MAX_PARTS).map(|n| format!("{at}x{n}")));
        self.agrees_in_count(&Query::of(Filter::Any((0..3).map(parts).collect())));
    }

    fn agrees_in_count(&self, query: &Query) -> usize {
        let query = &Query { start_micros: Some(1_794_300_000_000_000), ..query.clone() };
        let expected = oracle::matching(corpus::documents(), query).len();
        let found = self.wait(self.archive.count(query)).unwrap();
        let shown = || format!("{query:?}").chars().take(400).collect::<String>();
        assert_eq!(found, expected as u64, "{}: {}", self.name, shown());
        expected
    }

    fn finds_what_a_filter_finds(&self) {
        let config =
            Config { cases: self.cases, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..Config::default() };
        let mut found = 0;
        let found = std::cell::Cell::from_mut(&mut found);
        let strategy = (questions::queries(), questions::pages());
        let result = TestRunner::new(config).run(&strategy, |(mut query, page)| {
            query.start_micros = query.start_micros.or(Some(1_794_300_000_000_000));
            found.set(found.get() + usize::from(self.agrees(&query, &page) > 0));
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert!(found.get() * 10 > self.cases as usize, "only {} of {} queries find anything", found.get(), self.cases);
    }

    /// Compares every answer about a query with the filter's; returns how many documents match.
    fn agrees(&self, query: &Query, page: &Page) -> usize {
        let expected = oracle::matching(corpus::documents(), query);
        let hits = self.wait(self.archive.search(query, page)).unwrap();
        assert_eq!(hits.total, expected.len() as u64, "{}: {query:?}", self.name);
        let documents = oracle::page(&expected, page);
        assert!(alike(&hits.documents, &documents), "{}: another page: {query:?} {page:?}", self.name);
        assert_eq!(self.wait(self.archive.count(query)).unwrap(), expected.len() as u64);
        let statistics = self.wait(self.archive.statistics(query)).unwrap();
        assert_eq!(statistics.events, expected.len() as u64);
        let resources = oracle::resources(&expected);
        let off = statistics.resources.abs_diff(resources);
        assert!(off * 100 <= self.off_by * resources, "{}: {} for {resources}", self.name, statistics.resources);
        let hours = Interval::seconds(3_600);
        assert_eq!(self.wait(self.archive.histogram(query, hours)).unwrap(), oracle::histogram(&expected, hours));
        expected.len()
    }

    fn pages_through_everything(&self) {
        let query = Query::of(Filter::is(Field::Verb, ["delete"]));
        let expected = oracle::matching(corpus::documents(), &query);
        for newest_first in [true, false] {
            let whole = Page { size: MAX_WINDOW, newest_first, ..Page::default() };
            let mut documents = Vec::new();
            for from in (0..expected.len() as u64).step_by(70) {
                let page = Page { from, size: 70, newest_first, ..Page::default() };
                documents.extend(self.wait(self.archive.search(&query, &page)).unwrap().documents);
            }
            assert!(alike(&documents, &oracle::page(&expected, &whole)), "{}", self.name);
        }
    }

    /// Whatever is written or asked meanwhile, a cursor goes on behind the last document.
    fn goes_on_from_a_cursor(&self) {
        let query = Query::of(Filter::is(Field::Verb, ["delete", "patch", "update"]));
        let expected = oracle::matching(corpus::documents(), &query);
        for newest_first in [true, false] {
            let mut page = Page { size: 37, newest_first, ..Page::default() };
            let mut documents = Vec::new();
            loop {
                let hits = self.wait(self.archive.search(&query, &page)).unwrap();
                assert_eq!(hits.total, if page.total { expected.len() as u64 } else { 0 });
                documents.extend(hits.documents);
                let Some(next) = hits.next else { break };
                // Written down and read again, as clients do.
                page.after = Some(next.to_string().parse().unwrap());
                page.total = documents.len() < 200;
            }
            let whole = Page { size: expected.len() as u64, newest_first, ..Page::default() };
            assert!(alike(&documents, &oracle::page(&expected, &whole)), "{}", self.name);
        }
    }

    fn groups_and_counts_values(&self) {
        let config = Config { cases: 40, failure_persistence: None, rng_seed: RngSeed::Fixed(2), ..Config::default() };
        let strategy = (questions::queries(), questions::groupings(), 0..20_usize);
        let result = TestRunner::new(config).run(&strategy, |(mut query, by, limit)| {
            query.start_micros = query.start_micros.or(Some(1_794_300_000_000_000));
            let expected = oracle::matching(corpus::documents(), &query);
            let groups = self.wait(self.archive.group(&query, &by, limit)).unwrap();
            self.groups_alike(&groups, &oracle::groups(&expected, &by, limit), &format!("{query:?} {by:?}"));
            let facets = self.wait(self.archive.facets(&query, &by, limit)).unwrap();
            let wanted: Vec<_> = by.iter().map(|by| oracle::facet(&expected, *by, limit)).collect();
            assert_eq!(facets, wanted, "{}: {query:?} {by:?}", self.name);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let refused = self.wait(self.archive.group(&Query::default(), &[By::Field(Field::AuditId)], 1));
        assert!(matches!(refused, Err(ArchiveError::Invalid { parameter: "by", .. })), "{refused:?}");
    }

    /// Alike but for the fractions of a millisecond that search engines don't tell: what they tell reaches further.
    fn groups_alike(&self, found: &Groups, expected: &Groups, what: &str) {
        assert_eq!(found.total, expected.total, "{}: {what}", self.name);
        assert_eq!(found.rows.len(), expected.rows.len(), "{}: {what}", self.name);
        for (found, expected) in found.rows.iter().zip(&expected.rows) {
            let reaches = |less: i64, more: i64| (0..1_000).contains(&(more - less));
            assert!(
                found.values == expected.values
                    && found.count == expected.count
                    && reaches(found.first_micros, expected.first_micros)
                    && reaches(expected.last_micros, found.last_micros),
                "{}: {found:?} for {expected:?} in {what}",
                self.name
            );
        }
    }

    fn counts_by_time(&self) {
        let query = Query { start_micros: Some(1_794_300_000_000_000), ..Query::default() };
        let expected = oracle::matching(corpus::documents(), &query);
        for interval in ["10s", "15m", "1h", "1d", "3d", "1w", "2w", "1M", "1q", "5y"] {
            let interval: Interval = interval.parse().unwrap();
            let found = self.wait(self.archive.histogram(&query, interval)).unwrap();
            assert_eq!(found, oracle::histogram(&expected, interval), "{}: {interval:?}", self.name);
        }
    }

    fn refuses_questions_out_of_bounds(&self) {
        let page = Page { from: MAX_WINDOW, size: 1, ..Page::default() };
        let refused = self.wait(self.archive.search(&Query::default(), &page));
        assert!(matches!(refused, Err(ArchiveError::Invalid { parameter: "size", .. })), "{refused:?}");
        let query = Query::of(Filter::contains(Field::User, ["x".repeat(9_000)]));
        let refused = self.wait(self.archive.count(&query));
        assert!(matches!(refused, Err(ArchiveError::Invalid { parameter: "user", .. })), "{refused:?}");
    }

    fn drops_old_days(&self) {
        let before = self.wait(self.archive.size()).unwrap();
        // The 18th ends when the 19th begins, and not before.
        let end: i64 = 1_795_046_400_000_000;
        let eighteenth = Query { start_micros: Some(end - DAY), end_micros: Some(end - 1), ..Query::default() };
        self.wait(self.archive.purge(end - 1)).unwrap();
        assert!(self.wait(self.archive.count(&eighteenth)).unwrap() > 0);
        let purged = self.wait(self.archive.purge(end)).unwrap();
        assert_eq!(purged.days, 1, "{purged:?}");
        assert_eq!(self.wait(self.archive.count(&eighteenth)).unwrap(), 0);
        let after = Query { start_micros: Some(end), ..Query::default() };
        let left = oracle::matching(corpus::documents(), &after).len() as u64;
        assert_eq!(self.wait(self.archive.count(&Query::default())).unwrap(), left);
        let size = self.wait(self.archive.size()).unwrap();
        assert!(size.events == left && size.days < before.days && size.bytes < before.bytes, "{size:?}");
        self.wait(self.archive.purge(i64::MAX)).unwrap();
        assert_eq!(self.wait(self.archive.count(&Query::default())).unwrap(), 0);
        // And a dropped day can be written again.
        let batch = corpus::batches("after").swap_remove(0);
        let stored = batch.documents.len() as u64;
        assert_eq!(self.wait(self.archive.write(&[batch])).unwrap()[0].stored, stored);
    }
}

/// Alike but for what [`flat`] passes over.
fn alike(found: &[Vec<u8>], expected: &[Vec<u8>]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(found, expected)| flat(found) == flat(expected))
}

/// A bulk request is lines of JSON: what stands for a line break in a body, white space as it is, may be a space.
fn flat(json: &[u8]) -> Vec<u8> {
    json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}
