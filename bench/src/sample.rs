//! The real events that everything is measured on, and endless distinct POSTs made of them.

use std::borrow::Cow;
use std::io::Read;

use bytes::Bytes;
use vedette_e2e::tools;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::table::grouped;

/// Events of one POST, as kube-apiserver batches by default.
pub(crate) const BATCH: usize = 400;

const FILE: &str = "e2e/testdata/kube-apiserver-eventlists.ndjson.gz";
const HEAD: &[u8] = br#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;
const TAIL: &[u8] = b"]}\n";
const KEY: &[u8] = br#""auditID":""#;
/// Characters of an `auditID`: a UUID.
const UUID: usize = 36;

/// What a kube-apiserver sent.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The lists as they came, with the number of their events.
    pub(crate) lists: Vec<(Vec<u8>, usize)>,
    /// Every event, in order.
    pub(crate) events: Vec<Vec<u8>>,
}

impl Sample {
    pub(crate) fn read() -> Self {
        let file = std::fs::File::open(tools::repository(FILE)).expect("the sample can be opened");
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut text).expect("the sample can be read");
        let mut sample = Self { lists: Vec::new(), events: Vec::new() };
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let items = sonic_rs::get_from_slice(line, ["items"]).expect("a line is a list of events");
            let before = sample.events.len();
            for item in items.into_array_iter().expect("items are an array") {
                sample.events.push(item.expect("an item is JSON").as_raw_str().as_bytes().to_vec());
            }
            sample.lists.push((line.to_vec(), sample.events.len() - before));
        }
        sample
    }

    /// Bytes of all events.
    pub(crate) fn bytes(&self) -> usize {
        self.events.iter().map(Vec::len).sum()
    }

    pub(crate) fn facts(&self) -> String {
        format!(
            "sample: {} events of {} B on average, in {} lists",
            grouped(self.events.len() as f64),
            self.bytes() / self.events.len(),
            self.lists.len()
        )
    }

    /// POSTs of [`BATCH`] events: the lists joined to that size. What is left over is not sent.
    pub(crate) fn joined(&self) -> Shapes {
        let bodies = self.events.chunks_exact(BATCH).map(|events| Shape::new(list(events), events.len()));
        Shapes { shapes: bodies.collect() }
    }

    /// POSTs as they were sent.
    pub(crate) fn as_sent(&self) -> Shapes {
        Shapes { shapes: self.lists.iter().map(|(list, events)| Shape::new(list.clone(), *events)).collect() }
    }
}

/// One POST.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) body: Bytes,
    pub(crate) events: usize,
}

impl Post {
    /// The audit ids of its events.
    pub(crate) fn audit_ids(&self) -> impl Iterator<Item = String> {
        memchr::memmem::find_iter(&self.body, KEY)
            .filter_map(|at| self.body.get(at + KEY.len()..at + KEY.len() + UUID))
            .map(|id| String::from_utf8_lossy(id).into_owned())
    }
}

/// Bodies to make distinct POSTs from.
#[derive(Debug)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
}

/// One body and where its audit ids stand.
#[derive(Debug)]
struct Shape {
    body: Vec<u8>,
    ids: Vec<usize>,
    events: usize,
}

impl Shapes {
    /// POSTs with at least `events` events in all, no event of which was ever made with another `seed`: each audit id is
    /// replaced by one that follows from it, so that the stages of a request keep theirs in common.
    pub(crate) fn make(&self, events: usize, seed: u32) -> Vec<Post> {
        let (mut made, mut turn, mut posts) = (0, 0, Vec::new());
        while made < events {
            for shape in &self.shapes {
                if made >= events {
                    break;
                }
                posts.push(shape.vary(u64::from(seed) << 32 | turn));
                made += shape.events;
            }
            turn += 1;
        }
        posts
    }
}

impl Shape {
    fn new(body: Vec<u8>, events: usize) -> Self {
        let ids = memchr::memmem::find_iter(&body, KEY).map(|at| at + KEY.len()).collect();
        Self { body, ids, events }
    }

    fn vary(&self, seed: u64) -> Post {
        let mut body = self.body.clone();
        for at in &self.ids {
            let Some(id) = body.get_mut(*at..at + UUID) else { continue };
            let digits = format!("{:032x}", xxh3_128_with_seed(id, seed));
            let mut digits = digits.bytes();
            for byte in id.iter_mut().filter(|byte| byte.is_ascii_hexdigit()) {
                *byte = digits.next().unwrap_or(b'0');
            }
        }
        Post { body: body.into(), events: self.events }
    }
}

/// A list of these events as a kube-apiserver writes it.
fn list(events: &[Vec<u8>]) -> Vec<u8> {
    let mut body = HEAD.to_vec();
    body.extend(events.join(&b','));
    body.extend_from_slice(TAIL);
    body
}

/// The single events of POSTs.
pub(crate) fn events_of(post: &Post) -> Vec<&[u8]> {
    let items = sonic_rs::get_from_slice(&post.body[..], ["items"]).expect("a POST is a list of events");
    let items = items.into_array_iter().expect("items are an array");
    items
        .map(|item| match item.expect("an item is JSON").as_raw_cow() {
            Cow::Borrowed(text) => text.as_bytes(),
            Cow::Owned(_) => unreachable!("the list is borrowed"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{BATCH, Sample, events_of};

    #[test]
    fn the_sample_is_whole_and_posts_are_distinct() {
        let sample = Sample::read();
        assert_eq!((sample.lists.len(), sample.events.len()), (168, 15_459));
        let posts = sample.joined().make(3 * 15_459, 7);
        assert!(posts.iter().all(|post| post.events == BATCH));
        let mut seen = HashSet::new();
        for post in &posts {
            let events = events_of(post);
            assert_eq!(events.len(), BATCH);
            assert!(events.into_iter().all(|event| seen.insert(event.to_vec())));
        }
        let sent = sample.as_sent().make(15_459, 1);
        assert_eq!(sent.iter().map(|post| post.events).sum::<usize>(), 15_459);
        let sizes = |events: &[Vec<u8>]| events.iter().map(Vec::len).collect::<Vec<_>>();
        let cut: Vec<Vec<u8>> =
            sent.iter().flat_map(|post| events_of(post).into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>()).collect();
        assert_eq!(sizes(&cut), sizes(&sample.events));
    }
}
