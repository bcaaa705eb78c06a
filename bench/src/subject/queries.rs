//! Questions asked of a week of events in the embedded archive.
//!
//! Filling the archive takes minutes: it is done by a process of its own, in a folder that later runs find again, and this
//! process opens it for reading alone, as a console does, so that its memory is what questions take.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use vedette_archive::{Archive, By, Config, Field, Filter, Interval, Mode, Page, Query, WriteBatch};
use vedette_e2e::tools;

use crate::Effort;
use crate::broker::runtime;
use crate::measure::{median, peak_resident, process_time, quantile};
use crate::sample::{BATCH, Sample};
use crate::services::ENGINE_MEMORY;
use crate::table::{Bar, Quantity, Row, Table, Unit, grouped};
use crate::week::{DAY, DAYS, START, VERSION, Week};

/// The variable that makes this program fill a folder.
pub(crate) const FILL: &str = "VEDETTE_BENCH_FILL";
/// Documents of one commit while filling.
const COMMIT: usize = 50_000;
/// What is asked at least, and at most, of one question: p99 is the slowest but one of the most.
const LEAST: usize = 20;
const MOST: usize = 200;
const HALF_DAY: i64 = DAY / 2;

/// A span of time, both ends inclusive.
type Span = (i64, i64);

pub(crate) fn run(sample: &Sample, effort: &Effort) -> Table {
    let folder = filled(effort.events);
    let mut table = Table::default();
    let runtime = runtime();
    let config = Config::embedded(&folder);
    let archive = runtime.block_on(vedette_archive::open(&config, Mode::Read)).expect("the archive can be opened");
    let size = runtime.block_on(archive.size()).expect("the archive answers");
    assert_eq!(size.events, effort.events, "the archive holds the whole week");
    let asked = Asked { runtime: &runtime, archive: &archive, time: Duration::from_secs(u64::from(effort.seconds)) };
    for question in questions() {
        for whole in [false, true] {
            let (latency, cpu) = asked.often(&question, whole);
            // A search by parts has one bar, whatever the time.
            let bar = if whole || question.parts { 300.0 } else { 100.0 };
            let span = if whole { "7 days" } else { "12 h" };
            let row = Row::new(
                format!("{}, {span}, p99", question.what),
                quantile(latency.clone(), 0.99),
                Unit::Milliseconds,
            );
            let row = row.bar(Bar::below(bar).later());
            let beside = format!("median {:.1} ms; CPU time", median(latency));
            table.push(row.beside(beside, Quantity(median(cpu), Unit::Milliseconds)));
        }
    }
    let resident = peak_resident(std::process::id());
    let row = Row::new("this process's memory at its peak", resident, Unit::Mebibytes);
    table.push(row.bar(Bar::below(ENGINE_MEMORY).later()).beside("of it the heap", Quantity(heap(), Unit::Mebibytes)));
    table.push(Row::new("on disk", size.bytes as f64 / size.events as f64, Unit::BytesPerEvent));
    table.note(format!(
        "{} events over {DAYS} days of {} shapes; 12 h begin at another hour each time; {LEAST} to {MOST} times each; memory counts \
         the mapped pages of the files that were read",
        grouped(size.events as f64),
        sample.events.len()
    ));
    table
}

/// One question.
struct Question {
    what: &'static str,
    parts: bool,
    ask: Ask,
}

enum Ask {
    Page(Filter, Page),
    /// The page after a cursor in the middle of the span.
    Deep(Filter),
    Histogram(Filter),
    Facets(Filter),
    Group(Filter),
    Statistics(Filter),
    Count(Filter),
}

fn questions() -> Vec<Question> {
    let newest = || Page { size: 50, ..Page::default() };
    let filter = || Filter::is(Field::Verb, ["update", "patch", "create"]).and(Filter::is(Field::Resource, ["leases"]));
    let parts = |needle: &str| Filter::contains(Field::Name, [needle]);
    let question = |what, ask| Question { what, parts: false, ask };
    let by_parts = |what, ask| Question { what, parts: true, ask };
    vec![
        question("newest 50 and how many, everything", Ask::Page(Filter::everything(), newest())),
        question("newest 50 and how many, verb and resource", Ask::Page(filter(), newest())),
        question("50 after a cursor halfway, verb and resource", Ask::Deep(filter())),
        question("count, verb and resource", Ask::Count(filter())),
        question("histogram of 30 min, everything", Ask::Histogram(Filter::everything())),
        question("histogram of 30 min, verb and resource", Ask::Histogram(filter())),
        question("facets of actor, verb, resource, code", Ask::Facets(Filter::everything())),
        question("the same, verb and resource", Ask::Facets(filter())),
        question("groups of actor and verb", Ask::Group(Filter::everything())),
        question("statistics (distinct requests)", Ask::Statistics(Filter::everything())),
        by_parts("part of a name, rare: newest 50 and how many", Ask::Page(parts("7F3"), newest())),
        by_parts("part of a name, frequent: newest 50 and how many", Ask::Page(parts("SYSTEM"), newest())),
        by_parts(
            "part of a name or a user or a path: newest 50 and how many",
            Ask::Page(
                Filter::Any(
                    [Field::Name, Field::User, Field::Path].map(|field| Filter::contains(field, ["er-1"])).into(),
                ),
                newest(),
            ),
        ),
    ]
}

struct Asked<'a> {
    runtime: &'a Runtime,
    archive: &'a Arc<dyn Archive>,
    /// How long to ask one question.
    time: Duration,
}

impl Asked<'_> {
    /// Wall-clock and CPU times, in milliseconds.
    fn often(&self, question: &Question, whole: bool) -> (Vec<f64>, Vec<f64>) {
        let (mut latency, mut cpu) = (Vec::new(), Vec::new());
        // Once before, as a page that is opened again finds the files in memory.
        self.once(question, span(whole, 0));
        let begun = Instant::now();
        for turn in 0..MOST {
            if turn >= LEAST && begun.elapsed() > self.time {
                break;
            }
            let (wall, spent) = (Instant::now(), process_time());
            self.once(question, span(whole, turn));
            latency.push(wall.elapsed().as_secs_f64() * 1e3);
            cpu.push(process_time().saturating_sub(spent).as_secs_f64() * 1e3);
        }
        (latency, cpu)
    }

    fn once(&self, question: &Question, (start, end): Span) {
        let query =
            |filter: &Filter| Query { filter: filter.clone(), start_micros: Some(start), end_micros: Some(end) };
        let archive = self.archive;
        let found = self.runtime.block_on(async {
            match &question.ask {
                Ask::Page(filter, page) => archive.search(&query(filter), page).await.map(|hits| hits.total),
                Ask::Deep(filter) => {
                    let after =
                        vedette_archive::Cursor::at(start.midpoint(end), vedette_audit::EventId::from_bytes([0; 16]));
                    let page = Page { size: 50, after: Some(after), total: false, ..Page::default() };
                    archive.search(&query(filter), &page).await.map(|hits| hits.documents.len() as u64)
                }
                Ask::Histogram(filter) => {
                    let buckets = archive.histogram(&query(filter), Interval::seconds(1_800)).await;
                    buckets.map(|buckets| buckets.iter().map(|bucket| bucket.count).sum())
                }
                Ask::Facets(filter) => {
                    let by = [By::Field(Field::Actor), By::Field(Field::Verb), By::Field(Field::Resource), By::Code];
                    archive.facets(&query(filter), &by, 10).await.map(|facets| facets.len() as u64)
                }
                Ask::Group(filter) => {
                    let by = [By::Field(Field::Actor), By::Field(Field::Verb)];
                    archive.group(&query(filter), &by, 100).await.map(|groups| groups.total)
                }
                Ask::Statistics(filter) => archive.statistics(&query(filter)).await.map(|counted| counted.resources),
                Ask::Count(filter) => archive.count(&query(filter)).await,
            }
        });
        assert!(found.expect("the archive answers") > 0, "{}: nothing is found", question.what);
    }
}

/// The whole week, or twelve hours of it that begin at an hour of this turn's.
fn span(whole: bool, turn: usize) -> Span {
    if whole {
        return (START, START + DAYS * DAY - 1);
    }
    let hours = (DAYS * 24 - 12) as usize;
    let start = START + (turn * 37 % hours) as i64 * (DAY / 24);
    (start, start + HALF_DAY - 1)
}

/// The process's own memory now, without files, in MiB.
fn heap() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}

/// The folder of a week of so many events, filled unless an earlier run did.
fn filled(events: u64) -> PathBuf {
    let folder = tools::cache().join("bench").join(format!("week-{events}"));
    let stamp = folder.join("stamp");
    let wanted = format!("version {VERSION}, {events} events");
    let opened = || {
        let archive = runtime().block_on(vedette_archive::open(&Config::embedded(folder.join("days")), Mode::Read));
        archive.is_ok()
    };
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == wanted) && opened() {
        return folder.join("days");
    }
    println!("making {} events, once", grouped(events as f64));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder can be made");
    let this = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(this);
    command.args(["queries", "--events", &events.to_string()]).env(FILL, folder.join("days"));
    let status = command.status().expect("this program can be started");
    assert!(status.success(), "the archive could not be filled: {status}");
    fs::write(&stamp, wanted).expect("the stamp can be written");
    folder.join("days")
}

/// Fills an archive with a week of events.
pub(crate) fn fill(folder: &Path, events: u64) {
    let week = Arc::new(Week::new(&Sample::read(), events));
    let mut config = Config::embedded(folder);
    // One day after the other, with large segments: what merging leaves in the end is about the same, and comes sooner.
    (config.embedded.open_days, config.embedded.writer_memory_bytes) = (1, 512 << 20);
    let (sender, receiver) = mpsc::sync_channel::<Vec<WriteBatch>>(1);
    let maker = thread::spawn(move || {
        for first in (0..week.len()).step_by(COMMIT) {
            let last = (first + COMMIT as u64).min(week.len());
            let batch = |first: u64| WriteBatch {
                key: format!("{first:032x}"),
                documents: (first..(first + BATCH as u64).min(last)).map(|number| week.document(number)).collect(),
            };
            if sender.send((first..last).step_by(BATCH).map(batch).collect()).is_err() {
                return;
            }
        }
    });
    let (begun, mut done) = (Instant::now(), 0);
    runtime().block_on(async {
        let archive = vedette_archive::open(&config, Mode::Write).await.expect("the archive can be opened");
        for batches in receiver {
            archive.write(&batches).await.expect("the archive takes documents");
            done += batches.iter().map(|batch| batch.documents.len()).sum::<usize>();
            if done.is_multiple_of(COMMIT * 20) {
                println!("  {} after {:.0} s", grouped(done as f64), begun.elapsed().as_secs_f64());
            }
        }
    });
    maker.join().expect("documents are made");
}
