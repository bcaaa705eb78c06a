//! The values of a column as numbers, read for a block of documents at a time.
//!
//! A segment's column numbers its distinct values in their order. Counting by these numbers costs a few array accesses a
//! document, and reading them in blocks one virtual call a block; texts are told once, at the end.

use std::collections::HashMap;

use tantivy::columnar::{Column, ColumnIndex, StrColumn};
use tantivy::{DocId, SegmentReader};

use super::schema::CODE;
use crate::by::By;

/// What stands for a value within a segment: 0 for none.
pub(super) type Number = u64;

/// The most numbers that are counted in an array though no dictionary numbers them.
const MAX_SPREAD: u64 = 1 << 16;

/// One column to group by.
pub(super) struct Source {
    /// None where the segment has no value of it.
    column: Option<Column<u64>>,
    /// The least value: numbers begin with it at 1.
    least: u64,
    /// For a column of texts.
    texts: Option<StrColumn>,
}

/// The numbers of some documents.
#[derive(Default)]
pub(super) struct Block {
    /// The document of each number, in order; documents without a value are left out.
    docs: Vec<DocId>,
    rows: Vec<u32>,
    numbers: Vec<Number>,
}

impl Source {
    pub(super) fn open(by: By, reader: &SegmentReader) -> tantivy::Result<Self> {
        Ok(match by {
            By::Field(field) => {
                let texts = reader.fast_fields().str(field.name())?;
                Self { column: texts.as_ref().map(|texts| texts.ords().clone()), least: 0, texts }
            }
            By::Code => {
                let codes = reader.fast_fields().i64(CODE)?.to_u64_monotonic();
                let column = Some(codes).filter(|codes| codes.values.num_vals() > 0);
                Self { least: column.as_ref().map_or(0, Column::min_value), column, texts: None }
            }
        })
    }

    /// Reads the numbers of these documents, which are in order.
    pub(super) fn read(&self, docs: &[DocId], block: &mut Block) {
        let Some(column) = &self.column else { return *block = Block::default() };
        block.fill(column, docs);
        for number in &mut block.numbers {
            // Two codes as far apart as can be would overflow; neither is one.
            *number = number.wrapping_sub(self.least).wrapping_add(1);
        }
    }

    /// One more than the greatest number, if an array of that length is a fair price for counting.
    pub(super) fn spread(&self) -> Option<usize> {
        match (&self.column, &self.texts) {
            (None, _) => Some(1),
            (_, Some(texts)) => Some(texts.num_terms() + 1),
            (Some(codes), None) => {
                let spread = codes.max_value() - self.least;
                if spread < MAX_SPREAD { usize::try_from(spread + 2).ok() } else { None }
            }
        }
    }

    /// How many of so many documents have no value.
    pub(super) fn without(&self, docs: DocId) -> u64 {
        match self.column.as_ref().map(|column| &column.index) {
            None | Some(ColumnIndex::Empty { .. }) => u64::from(docs),
            Some(ColumnIndex::Full) => 0,
            Some(ColumnIndex::Optional(index)) => u64::from(docs.saturating_sub(index.num_non_nulls())),
            Some(index) => (0..docs).filter(|doc| !index.has_value(*doc)).count() as u64,
        }
    }

    /// The texts of these numbers. A dictionary is read once from front to back: one text alone costs as much as its block.
    pub(super) fn texts(&self, numbers: impl Iterator<Item = Number>) -> tantivy::Result<HashMap<Number, String>> {
        let mut numbers: Vec<Number> = numbers.collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut found = HashMap::with_capacity(numbers.len());
        if numbers.first() == Some(&0) {
            found.insert(numbers.remove(0), String::new());
        }
        match &self.texts {
            Some(texts) => {
                let ords: Vec<u64> = numbers.iter().map(|number| number - 1).collect();
                let mut numbers = numbers.into_iter();
                texts.dictionary().sorted_ords_to_term_cb(&ords, |term| {
                    found.extend(numbers.next().map(|number| (number, String::from_utf8_lossy(term).into_owned())));
                })?;
            }
            None => {
                let text = |number| (number, code(self.least.wrapping_add(number - 1)).to_string());
                found.extend(numbers.into_iter().map(text));
            }
        }
        Ok(found)
    }
}

/// A code from what keeps its order without a sign.
pub(super) fn code(ordered: u64) -> i64 {
    (ordered ^ (1 << 63)) as i64
}

impl Block {
    /// Reads a column's values of these documents, which are in order, instead of what was read before.
    pub(super) fn fill(&mut self, column: &Column<u64>, docs: &[DocId]) {
        self.docs.clear();
        self.rows.clear();
        column.row_ids_for_docs(docs, &mut self.docs, &mut self.rows);
        self.numbers.resize(self.rows.len(), 0);
        column.values.get_vals(&self.rows, &mut self.numbers);
    }

    pub(super) fn numbers(&self) -> &[Number] {
        &self.numbers
    }

    /// How many different documents have a number.
    pub(super) fn documents(&self) -> usize {
        self.docs.chunk_by(|one, next| one == next).count()
    }

    /// The numbers of the next document asked for, which `at` is moved behind; 0 alone if it has none.
    pub(super) fn next(&self, doc: DocId, at: &mut usize) -> &[Number] {
        let start = *at;
        while self.docs.get(*at) == Some(&doc) {
            *at += 1;
        }
        match self.numbers.get(start..*at) {
            None | Some([]) => &[0],
            Some(numbers) => numbers,
        }
    }
}
