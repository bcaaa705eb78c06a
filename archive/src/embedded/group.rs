//! Counting documents by their values: facets and groups.
//!
//! Segments count by the numbers that columns have for values (see [`super::source`]), and tell the texts once at their end.
//! Where every document of a segment matches, its term dictionaries know the facets already.

use std::collections::HashMap;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::collect::{Values, times};
use super::source::{Block, Number, Source, code};
use crate::by::By;
use crate::query::MAX_GROUPS;

/// The most pairs of numbers that are counted in an array.
const MAX_PAIRS: usize = 1 << 17;

/// How often each value occurs, for several fields.
pub(super) struct Facets<'a> {
    pub(super) by: &'a [By],
}

/// Values with their counts, for each field; `None` for more of one than [`MAX_GROUPS`].
pub(super) type Counted = Option<Vec<HashMap<String, u64>>>;

pub(super) struct FacetsOfSegment {
    counts: Vec<Counts>,
    block: Block,
}

struct Counts {
    source: Source,
    dense: Vec<u64>,
    sparse: HashMap<Number, u64>,
}

impl Facets<'_> {
    /// The facets of a segment of which every document matches.
    pub(super) fn of_whole(&self, reader: &SegmentReader) -> tantivy::Result<Counted> {
        let mut all = Vec::with_capacity(self.by.len());
        for by in self.by {
            let inverted = reader.inverted_index(reader.schema().get_field(by.name())?)?;
            if inverted.terms().num_terms() > MAX_GROUPS {
                return Ok(None);
            }
            let mut counts = HashMap::with_capacity(inverted.terms().num_terms() + 1);
            let mut terms = inverted.terms().stream()?;
            while terms.advance() {
                let text = match by {
                    By::Field(_) => String::from_utf8_lossy(terms.key()).into_owned(),
                    By::Code => code(u64::from_be_bytes(terms.key().try_into().unwrap_or_default())).to_string(),
                };
                counts.insert(text, u64::from(terms.value().doc_freq));
            }
            let without = Source::open(*by, reader)?.without(reader.max_doc());
            if without > 0 {
                counts.insert(String::new(), without);
            }
            if counts.len() > MAX_GROUPS {
                return Ok(None);
            }
            all.push(counts);
        }
        Ok(Some(all))
    }
}

impl Collector for Facets<'_> {
    type Fruit = Counted;
    type Child = FacetsOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<FacetsOfSegment> {
        let counts = self.by.iter().map(|by| {
            let source = Source::open(*by, reader)?;
            Ok(Counts { dense: vec![0; source.spread().unwrap_or(1)], source, sparse: HashMap::new() })
        });
        Ok(FacetsOfSegment { counts: counts.collect::<tantivy::Result<_>>()?, block: Block::default() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Counted>>) -> tantivy::Result<Counted> {
        let mut all: Counted = Some(vec![HashMap::new(); self.by.len()]);
        for segment in segments {
            merge(&mut all, segment?);
        }
        Ok(all)
    }
}

/// Adds counts to others.
pub(super) fn merge(all: &mut Counted, more: Counted) {
    let (Some(into), Some(more)) = (all.as_mut(), more) else {
        *all = None;
        return;
    };
    for (into, more) in into.iter_mut().zip(more) {
        for (value, count) in more {
            *into.entry(value).or_default() += count;
        }
    }
    if into.iter().any(|values| values.len() > MAX_GROUPS) {
        *all = None;
    }
}

impl Counts {
    fn add(&mut self, number: Number, count: u64) {
        match usize::try_from(number).ok().and_then(|at| self.dense.get_mut(at)) {
            Some(counted) => *counted += count,
            None => *self.sparse.entry(number).or_default() += count,
        }
    }
}

impl SegmentCollector for FacetsOfSegment {
    type Fruit = tantivy::Result<Counted>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.collect_block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        for counts in &mut self.counts {
            counts.source.read(docs, &mut self.block);
            for number in self.block.numbers() {
                counts.add(*number, 1);
            }
            let without = docs.len() - self.block.documents();
            if without > 0 {
                counts.add(0, without as u64);
            }
        }
    }

    fn harvest(self) -> Self::Fruit {
        let mut all = Vec::with_capacity(self.counts.len());
        for Counts { source, dense, sparse } in self.counts {
            let dense = dense.into_iter().enumerate().map(|(number, count)| (number as u64, count));
            let counts: Vec<_> = dense.chain(sparse).filter(|(_, count)| *count > 0).collect();
            if counts.len() > MAX_GROUPS {
                return Ok(None);
            }
            let mut texts = source.texts(counts.iter().map(|(number, _)| *number))?;
            let text = |(number, count)| (texts.remove(&number).unwrap_or_default(), count);
            all.push(counts.into_iter().map(text).collect());
        }
        Ok(Some(all))
    }
}

/// Documents grouped by one field or two.
pub(super) struct Grouped<'a> {
    pub(super) by: &'a [By],
}

/// How many documents a group has, and the first and the last one's time in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tally {
    pub(super) count: u64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// Groups by their values; `None` for more than [`MAX_GROUPS`].
pub(super) type Tallied = Option<HashMap<Vec<String>, Tally>>;

/// The groups of one segment, by its own numbers.
pub(super) struct Numbered {
    /// What the numbers of each field stand for.
    texts: Vec<HashMap<Number, String>>,
    tallies: Vec<((Number, Number), Tally)>,
}

pub(super) struct GroupedOfSegment {
    sources: Vec<Source>,
    times: Values<i64>,
    blocks: [Block; 2],
    moments: Vec<i64>,
    /// The numbers of the second field, if pairs are counted in the array.
    width: usize,
    /// A tally for each pair of numbers, where there are few enough.
    dense: Vec<Tally>,
    sparse: Option<HashMap<(Number, Number), Tally>>,
}

impl Tally {
    /// Of no document.
    const NONE: Self = Self { count: 0, first: i64::MAX, last: i64::MIN };

    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Collector for Grouped<'_> {
    type Fruit = Tallied;
    type Child = GroupedOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<GroupedOfSegment> {
        let sources = self.by.iter().map(|by| Source::open(*by, reader)).collect::<tantivy::Result<Vec<_>>>()?;
        let spread = |at: usize| sources.get(at).map_or(Some(1), Source::spread);
        let (height, width) = (spread(0), spread(1).unwrap_or(0));
        let pairs = height.and_then(|height| height.checked_mul(width)).filter(|pairs| *pairs <= MAX_PAIRS);
        Ok(GroupedOfSegment {
            sources,
            times: times(reader)?,
            blocks: Default::default(),
            moments: Vec::new(),
            width,
            dense: vec![Tally::NONE; pairs.unwrap_or(0)],
            sparse: Some(HashMap::new()),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    /// Values get numbers for all segments first: adding up numbers is cheap, and texts are many.
    fn merge_fruits(&self, segments: Vec<tantivy::Result<Option<Numbered>>>) -> tantivy::Result<Tallied> {
        let mut known: Vec<HashMap<String, Number>> = vec![HashMap::new(); self.by.len()];
        let mut all: HashMap<(Number, Number), Tally> = HashMap::new();
        for segment in segments {
            let Some(Numbered { texts, tallies }) = segment? else { return Ok(None) };
            let renumber = |(texts, known): (HashMap<Number, String>, &mut HashMap<String, Number>)| {
                let number = |(number, text)| {
                    let next = known.len() as Number;
                    (number, *known.entry(text).or_insert(next))
                };
                texts.into_iter().map(number).collect()
            };
            let numbers: Vec<HashMap<Number, Number>> = texts.into_iter().zip(&mut known).map(renumber).collect();
            let number = |field: usize, of: Number| {
                numbers.get(field).and_then(|numbers| numbers.get(&of)).copied().unwrap_or(0)
            };
            for ((a, b), tally) in tallies {
                all.entry((number(0, a), number(1, b))).or_insert(Tally::NONE).add(tally);
            }
            if all.len() > MAX_GROUPS {
                return Ok(None);
            }
        }
        let mut texts: Vec<HashMap<Number, String>> = Vec::with_capacity(known.len());
        texts.extend(known.into_iter().map(|known| known.into_iter().map(|(text, number)| (number, text)).collect()));
        let row = |((a, b), tally)| {
            let values =
                texts.iter().zip([a, b]).map(|(texts, number)| texts.get(&number).cloned().unwrap_or_default());
            (values.collect(), tally)
        };
        Ok(Some(all.into_iter().map(row).collect()))
    }
}

impl GroupedOfSegment {
    fn count(&mut self, a: Number, b: Number, one: Tally) {
        let at = if self.dense.is_empty() { usize::MAX } else { a as usize * self.width + b as usize };
        if let Some(tally) = self.dense.get_mut(at) {
            tally.add(one);
        } else if let Some(tallies) = self.sparse.as_mut() {
            tallies.entry((a, b)).or_insert(Tally::NONE).add(one);
            if tallies.len() > MAX_GROUPS {
                self.sparse = None;
            }
        }
    }
}

impl SegmentCollector for GroupedOfSegment {
    type Fruit = tantivy::Result<Option<Numbered>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.collect_block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        if self.sparse.is_none() {
            return;
        }
        let (mut blocks, mut moments) = (std::mem::take(&mut self.blocks), std::mem::take(&mut self.moments));
        for (source, block) in self.sources.iter().zip(&mut blocks) {
            source.read(docs, block);
        }
        moments.resize(docs.len(), 0);
        self.times.get_vals(docs, &mut moments);
        let [firsts, seconds] = &blocks;
        let (mut at, mut beside) = (0, 0);
        for (doc, time) in docs.iter().zip(&moments) {
            let one = Tally { count: 1, first: *time, last: *time };
            let second = seconds.next(*doc, &mut beside);
            for a in firsts.next(*doc, &mut at) {
                for b in second {
                    self.count(*a, *b, one);
                }
            }
        }
        (self.blocks, self.moments) = (blocks, moments);
    }

    fn harvest(self) -> Self::Fruit {
        let Some(sparse) = self.sparse else { return Ok(None) };
        let width = self.width.max(1);
        let dense =
            self.dense.into_iter().enumerate().map(|(at, tally)| (((at / width) as u64, (at % width) as u64), tally));
        let tallies: Vec<_> = dense.chain(sparse).filter(|(_, tally)| tally.count > 0).collect();
        if tallies.len() > MAX_GROUPS {
            return Ok(None);
        }
        let mut texts = Vec::with_capacity(self.sources.len());
        for (at, source) in self.sources.iter().enumerate() {
            texts.push(source.texts(tallies.iter().map(|((a, b), _)| if at == 0 { *a } else { *b }))?);
        }
        Ok(Some(Numbered { texts, tallies }))
    }
}
