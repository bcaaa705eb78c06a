//! Counting documents by their values: facets and groups.
//!
//! Segments count by the numbers that columns have for values, and tell the texts once at their end, so that each
//! document costs a few array accesses.

use std::collections::HashMap;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Column, StrColumn};
use tantivy::{DocId, Score, SegmentOrdinal, SegmentReader};

use super::collect::Values;
use super::schema::{CODE, TIME};
use crate::by::By;
use crate::query::MAX_GROUPS;

/// One column to group by.
enum Source {
    /// The segment has no value of it.
    None,
    Texts(StrColumn),
    Codes(Column<i64>),
}

/// What stands for a value within a segment: 0 for none.
type Number = u64;

impl Source {
    fn open(by: By, reader: &SegmentReader) -> tantivy::Result<Self> {
        Ok(match by {
            By::Field(field) => reader.fast_fields().str(field.name())?.map_or(Self::None, Self::Texts),
            By::Code => Self::Codes(reader.fast_fields().i64(CODE)?),
        })
    }

    /// Calls with the number of each value; once with 0 if there is none.
    fn each(&self, doc: DocId, mut with: impl FnMut(Number)) {
        let mut none = true;
        match self {
            Self::None => {}
            Self::Texts(texts) => texts.ords().values_for_doc(doc).for_each(|ord| {
                none = false;
                with(ord + 1);
            }),
            Self::Codes(codes) => codes.values_for_doc(doc).for_each(|code| {
                none = false;
                // In the order of the codes; the least one can't be told from none, and is no code.
                with((code as u64) ^ (1 << 63));
            }),
        }
        if none {
            with(0);
        }
    }

    fn text(&self, number: Number) -> tantivy::Result<String> {
        let mut text = String::new();
        match (self, number) {
            (_, 0) | (Self::None, _) => {}
            (Self::Texts(texts), number) => {
                texts.ord_to_str(number - 1, &mut text)?;
            }
            (Self::Codes(_), number) => text = ((number ^ (1 << 63)) as i64).to_string(),
        }
        Ok(text)
    }

    /// How many values there are, if they are numbered without gaps.
    fn dense(&self) -> Option<usize> {
        match self {
            Self::None => Some(0),
            Self::Texts(texts) => Some(texts.num_terms()),
            Self::Codes(_) => None,
        }
    }
}

/// How often each value occurs, for several fields.
pub(super) struct Facets<'a> {
    pub(super) by: &'a [By],
}

/// Values with their counts, for each field; `None` for more of one than [`MAX_GROUPS`].
pub(super) type Counted = Option<Vec<HashMap<String, u64>>>;

pub(super) struct FacetsOfSegment {
    counts: Vec<Counts>,
}

struct Counts {
    source: Source,
    dense: Vec<u64>,
    sparse: HashMap<Number, u64>,
}

impl Collector for Facets<'_> {
    type Fruit = Counted;
    type Child = FacetsOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<FacetsOfSegment> {
        let counts = self.by.iter().map(|by| {
            let source = Source::open(*by, reader)?;
            let dense = vec![0; source.dense().map_or(0, |terms| terms + 1)];
            Ok(Counts { source, dense, sparse: HashMap::new() })
        });
        Ok(FacetsOfSegment { counts: counts.collect::<tantivy::Result<_>>()? })
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

impl SegmentCollector for FacetsOfSegment {
    type Fruit = tantivy::Result<Counted>;

    fn collect(&mut self, doc: DocId, _: Score) {
        for Counts { source, dense, sparse } in &mut self.counts {
            source.each(doc, |number| match usize::try_from(number).ok().and_then(|at| dense.get_mut(at)) {
                Some(count) => *count += 1,
                None => *sparse.entry(number).or_default() += 1,
            });
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
            let texts = counts.into_iter().map(|(number, count)| Ok((source.text(number)?, count)));
            all.push(texts.collect::<tantivy::Result<_>>()?);
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

pub(super) struct GroupedOfSegment {
    sources: Vec<Source>,
    times: Values<i64>,
    tallies: Option<HashMap<(Number, Number), Tally>>,
}

impl Tally {
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
        Ok(GroupedOfSegment {
            sources: self.by.iter().map(|by| Source::open(*by, reader)).collect::<tantivy::Result<_>>()?,
            times: reader.fast_fields().i64(TIME)?.first_or_default_col(0),
            tallies: Some(HashMap::new()),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Tallied>>) -> tantivy::Result<Tallied> {
        let mut all = Some(HashMap::new());
        for segment in segments {
            tally(&mut all, segment?);
        }
        Ok(all)
    }
}

/// Adds groups to others.
pub(super) fn tally(all: &mut Tallied, more: Tallied) {
    let (Some(into), Some(more)) = (all.as_mut(), more) else {
        *all = None;
        return;
    };
    for (values, found) in more {
        into.entry(values).and_modify(|tally| tally.add(found)).or_insert(found);
    }
    if into.len() > MAX_GROUPS {
        *all = None;
    }
}

impl SegmentCollector for GroupedOfSegment {
    type Fruit = tantivy::Result<Tallied>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let Some(tallies) = self.tallies.as_mut() else { return };
        let time = self.times.get_val(doc);
        let one = Tally { count: 1, first: time, last: time };
        let mut count = |key| {
            tallies.entry(key).and_modify(|tally: &mut Tally| tally.add(one)).or_insert(one);
        };
        match self.sources.as_slice() {
            [source] => source.each(doc, |number| count((number, 0))),
            [first, second] => first.each(doc, |a| second.each(doc, |b| count((a, b)))),
            _ => {}
        }
        if tallies.len() > MAX_GROUPS {
            self.tallies = None;
        }
    }

    fn harvest(self) -> Self::Fruit {
        let Some(tallies) = self.tallies else { return Ok(None) };
        let texts = tallies.into_iter().map(|((a, b), tally)| {
            let numbers = [a, b];
            let values = self.sources.iter().zip(numbers).map(|(source, number)| source.text(number));
            Ok((values.collect::<tantivy::Result<Vec<_>>>()?, tally))
        });
        texts.collect::<tantivy::Result<_>>().map(Some)
    }
}
