//! The bundled sample: real audit events, moved before now and sent once.
//!
//! It has three parts: traffic of all kinds, spread over the last twelve hours; a list in KubeSphere's spelling, spread likewise;
//! and incidents, of which each request has a place of its own, up to eight days back, so that there is a past to ask about.
//!
//! Where in time they go is written down before the first one is sent, so that every later start makes the same bytes of
//! them: the same events then have the same identities, and sending one again adds nothing. Which lists were taken is
//! written down too, so that a later start sends the others alone; that note may be behind, never ahead.
mod moved;
mod places;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::outcome::Failure;
use crate::replay::{List, Lists};
use crate::values::{self, Values};

use moved::{Moved, Spread, Times};
use places::Places;

/// What is sent unless another file is named.
static TRAFFIC: &[u8] = include_bytes!("../../../e2e/testdata/kube-apiserver-eventlists.ndjson.gz");
static KUBESPHERE: &[u8] = include_bytes!("../../../e2e/testdata/kubesphere-eventlists.json");
static INCIDENTS: &[u8] = include_bytes!("../../../e2e/testdata/incidents-eventlists.ndjson.gz");
static PLACES: &[u8] = include_bytes!("../../../e2e/testdata/incidents-places.json");

/// Over how much time the requests are spread, up to [`LAST`] before the start.
pub(crate) const HOURS: i64 = 12;
/// How far back the incidents reach.
pub(crate) const DAYS: i64 = 8;
/// The first request is so much younger than twelve hours that `last:12h` finds it for a while.
const FIRST: SignedDuration = SignedDuration::from_mins(HOURS * 60 - 15);
/// No stage of a request may lie in the future: those of the bundled sample end within three minutes.
const LAST: SignedDuration = SignedDuration::from_mins(5);
/// Single events in a list, for a sample that has them.
const BATCH: usize = 400;

/// A sample in a data folder.
#[derive(Debug)]
pub(crate) struct Sample {
    folder: PathBuf,
    plan: Plan,
    sent: Vec<bool>,
    parts: Vec<Part>,
}

/// Lists that are moved in one way.
#[derive(Debug)]
struct Part {
    raw: Bytes,
    /// As it is written, for the digest.
    table: &'static [u8],
    /// Where its requests go; without them, they are spread.
    places: Option<Places>,
}

/// Where a sample goes in time, and for which archive. Written once.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plan {
    /// BLAKE3 of the sample, unpacked.
    digest: String,
    lists: usize,
    events: u64,
    /// The moment that it is laid before.
    anchor: Timestamp,
    /// Which archive it went to, for people.
    archive: String,
}

/// A list to send.
#[derive(Debug)]
pub(crate) struct Due {
    /// Its place in the sample.
    pub(crate) index: usize,
    pub(crate) body: Bytes,
    pub(crate) events: u64,
}

impl Sample {
    /// Finds what an earlier start wrote down in `folder`, or lays the sample (`file`, else the bundled one) before now.
    pub(crate) fn open(folder: &Path, file: Option<&Path>, archive: &str, now: Timestamp) -> Result<Self, Failure> {
        let parts = parts(file)?;
        let plan_file = folder.join("plan.json");
        let plan = match read_plan(&plan_file)? {
            Some(plan) => plan,
            None => {
                let plan = Plan::lay(&parts, archive, now)?;
                fs::create_dir_all(folder).and_then(|()| write_plan(folder, &plan_file, &plan)).map_err(|error| {
                    Failure::failed("can't write down where the sample goes in time").because(error)
                })?;
                plan
            }
        };
        let sent = read_sent(&folder.join("sent"), plan.lists)
            .map_err(|error| Failure::failed("can't read which lists of the sample were sent").because(error))?;
        let sample = Self { folder: folder.to_owned(), plan, sent, parts };
        if !sample.complete() && sample.plan.digest != digest(&sample.parts) {
            let help =
                "start once more with the sample that it was begun with, or with --no-sample, or with a new --data-dir";
            return Err(Failure::failed("the sample in the data folder was begun with another file").help(help));
        }
        Ok(sample)
    }

    /// Whether every list was taken.
    pub(crate) fn complete(&self) -> bool {
        self.sent.iter().all(|&sent| sent)
    }

    /// Whether any list was.
    pub(crate) fn begun(&self) -> bool {
        self.sent.iter().any(|&sent| sent)
    }

    pub(crate) fn events(&self) -> u64 {
        self.plan.events
    }

    /// The moment before which it lies.
    pub(crate) fn anchor(&self) -> Timestamp {
        self.plan.anchor
    }

    /// Where its first request was laid.
    pub(crate) fn since(&self) -> Timestamp {
        let placed = self.parts.iter().flat_map(|part| &part.places).flat_map(|places| places.before(self.plan.anchor));
        placed.map(|(_, received)| received).fold(self.plan.anchor - FIRST, Timestamp::min)
    }

    /// Whether it has incidents.
    pub(crate) fn incidents(&self) -> bool {
        self.parts.iter().any(|part| part.places.is_some())
    }

    /// The archive that it was sent to first.
    pub(crate) fn archive(&self) -> &str {
        &self.plan.archive
    }

    /// The lists not taken yet, moved.
    pub(crate) fn due(&self) -> Result<Vec<Due>, Failure> {
        if self.complete() {
            return Ok(Vec::new());
        }
        let mut due = Vec::new();
        let mut sent = self.sent.iter().enumerate();
        for part in &self.parts {
            let lists = lists(&part.raw)?;
            let moved = part.moved(&lists, self.plan.anchor)?;
            for (list, (index, sent)) in lists.into_iter().zip(&mut sent) {
                if !sent {
                    let body = moved.list(&list.body).map_err(|error| broken().because(error))?;
                    due.push(Due { index, body: body.into(), events: list.events });
                }
            }
        }
        Ok(due)
    }

    /// Where to note the lists that were taken.
    pub(crate) fn notes(&self) -> io::Result<Notes> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(self.folder.join("sent"))?;
        // A line that was cut off must not become the beginning of the next one.
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        Ok(Notes(file))
    }
}

/// The lists that were taken, one number a line.
#[derive(Debug)]
pub(crate) struct Notes(File);

impl Notes {
    /// The list `index` was taken.
    pub(crate) fn taken(&mut self, index: usize) -> io::Result<()> {
        // In one write: a line is there or it is not. It need not reach the disk; a list that is sent again adds nothing.
        self.0.write_all(format!("{index}\n").as_bytes())
    }
}

impl Part {
    fn moved(&self, lists: &[List], anchor: Timestamp) -> Result<Moved<'_>, Failure> {
        if let Some(places) = &self.places {
            return Ok(Moved::Placed(places.before(anchor)));
        }
        let times = Times::of(lists.iter().map(|list| &list.body[..])).map_err(|error| broken().because(error))?;
        Ok(Moved::Spread(Spread::new(times, anchor - FIRST, anchor - LAST)))
    }
}

impl Plan {
    fn lay(parts: &[Part], archive: &str, now: Timestamp) -> Result<Self, Failure> {
        let lists = parts.iter().map(|part| lists(&part.raw)).collect::<Result<Vec<_>, _>>()?.concat();
        let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Ok(Self {
            digest: digest(parts),
            lists: lists.len(),
            events: lists.iter().map(|list| list.events).sum(),
            anchor: seconds,
            archive: archive.to_owned(),
        })
    }
}

fn broken() -> Failure {
    Failure::failed("the sample can't be read")
}

fn digest(parts: &[Part]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&part.raw).update(part.table);
    }
    hasher.finalize().to_hex().to_string()
}

fn parts(file: Option<&Path>) -> Result<Vec<Part>, Failure> {
    let spread = |raw| Part { raw, table: &[], places: None };
    let Some(file) = file else {
        let places = Places::read(PLACES).map_err(|error| broken().because(error))?;
        let incidents = Part { raw: unpack(INCIDENTS)?, table: PLACES, places: Some(places) };
        return Ok(vec![spread(unpack(TRAFFIC)?), spread(Bytes::from_static(KUBESPHERE)), incidents]);
    };
    let missing =
        |error: io::Error| Failure::usage(format!("can't read the sample `{}`", file.display())).because(error);
    let mut raw = Vec::new();
    values::reader(file).map_err(missing)?.read_to_end(&mut raw).map_err(missing)?;
    Ok(vec![spread(raw.into())])
}

fn unpack(packed: &[u8]) -> Result<Bytes, Failure> {
    let mut raw = Vec::new();
    MultiGzDecoder::new(packed).read_to_end(&mut raw).map_err(|error| broken().because(error))?;
    Ok(raw.into())
}

fn lists(raw: &Bytes) -> Result<Vec<List>, Failure> {
    Lists::new(Values::new(BufReader::new(&raw[..])), BATCH)
        .collect::<Result<_, _>>()
        .map_err(|error| broken().because(error))
}

fn read_plan(file: &Path) -> Result<Option<Plan>, Failure> {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| Failure::failed(format!("`{}` is damaged", file.display())).because(error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("can't read `{}`", file.display())).because(error)),
    }
}

/// On the disk when it returns, or not there at all.
fn write_plan(folder: &Path, file: &Path, plan: &Plan) -> io::Result<()> {
    let draft = file.with_extension("new");
    let mut out = File::create(&draft)?;
    out.write_all(&serde_json::to_vec_pretty(plan).map_err(io::Error::other)?)?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(folder)?.sync_all()
}

fn read_sent(file: &Path, lists: usize) -> io::Result<Vec<bool>> {
    let mut sent = vec![false; lists];
    match fs::read_to_string(file) {
        Ok(text) => {
            // Without its end, a last number may be the beginning of a longer one.
            for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
                if let Some(entry) = line.parse::<usize>().ok().and_then(|index| sent.get_mut(index)) {
                    *entry = true;
                }
            }
            Ok(sent)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(sent),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
