//! From a query of ours to Tantivy's.

use std::cell::Cell;
use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, ExistsQuery, Occur, Query as TantivyQuery, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field as Slot, IndexRecordOption};

use super::schema::{AUDIT, Slots, audit};
use super::stop::Stop;
use super::together::Together;
use super::walk::{Test, Walk};
use crate::error::ArchiveError;
use crate::field::{Field, Number, findable};
use crate::filter::{Filter, folded};
use crate::query::Query;

type Clause = Box<dyn TantivyQuery>;

/// What a query asks of every segment alike; whether the time is asked too depends on the segment.
pub(super) struct Compiled {
    filter: Clause,
    /// The filter holds for every document.
    pub(super) everything: bool,
    /// Whether anybody waits for the answer.
    pub(super) stop: Stop,
    time: Slot,
    start_micros: Option<i64>,
    end_micros: Option<i64>,
}

impl Compiled {
    pub(super) fn new(query: &Query, slots: &Slots, stop: &Stop) -> Result<Self, ArchiveError> {
        let filter = Compiler { slots, stop, walks: Cell::new(0) }.filter(&query.filter)?;
        let everything = filter.is::<AllQuery>();
        let (start_micros, end_micros) = (query.start_micros, query.end_micros);
        Ok(Self { filter, everything, stop: stop.clone(), time: slots.time, start_micros, end_micros })
    }

    /// The filter, and if it is to be `timed` the query's time too.
    pub(super) fn clause(&self, timed: bool) -> Clause {
        if !timed {
            return self.filter.box_clone();
        }
        let range = range(self.time, self.start_micros, self.end_micros);
        if self.everything {
            return range;
        }
        Box::new(BooleanQuery::intersection(vec![self.filter.box_clone(), range]))
    }
}

struct Compiler<'a> {
    slots: &'a Slots,
    stop: &'a Stop,
    /// Walks made so far.
    walks: Cell<usize>,
}

impl Compiler<'_> {
    fn filter(&self, filter: &Filter) -> Result<Clause, ArchiveError> {
        Ok(match filter {
            Filter::All(filters) => {
                let walks = self.walks.get();
                let mut clauses = filters.iter().map(|filter| self.filter(filter)).collect::<Result<Vec<_>, _>>()?;
                match clauses.len() {
                    0 => Box::new(AllQuery),
                    1 => clauses.swap_remove(0),
                    _ if self.walks.get() > walks => Box::new(Together(clauses)),
                    _ => Box::new(BooleanQuery::intersection(clauses)),
                }
            }
            Filter::Any(filters) => {
                union(filters.iter().map(|filter| self.filter(filter)).collect::<Result<Vec<_>, _>>()?)
            }
            Filter::Not(filter) => not(self.filter(filter)?),
            Filter::Is(field, values) => {
                let mut clauses = Vec::new();
                let found: Vec<Term> = values
                    .iter()
                    .filter(|value| findable(value))
                    .map(|value| match self.slots.text(*field) {
                        Some(slot) => Term::from_field_text(slot, value),
                        None => Term::from_field_u64(self.slots.audit, audit(value)),
                    })
                    .collect();
                if !found.is_empty() {
                    clauses.push(terms(found));
                }
                if values.iter().any(String::is_empty) {
                    clauses.push(not(self.exists(*field)));
                }
                union(clauses)
            }
            Filter::Contains(field, texts) => match folded(texts) {
                Some(texts) => self.walk(*field, Test::contains(&texts))?,
                None => Box::new(AllQuery),
            },
            Filter::Begins(field, texts) => match folded(texts) {
                Some(texts) => self.walk(*field, Some(Test::Begins(texts)))?,
                None => Box::new(AllQuery),
            },
            Filter::Like(field, patterns) => self.walk(*field, Test::like(patterns))?,
            Filter::Equals(Number::Code, values) if values.is_empty() => Box::new(EmptyQuery),
            Filter::Equals(Number::Code, values) => {
                terms(values.iter().map(|code| Term::from_field_i64(self.slots.code, *code)).collect())
            }
            Filter::Equals(number, values) => {
                union(values.iter().map(|value| range(self.number(*number), Some(*value), Some(*value))).collect())
            }
            Filter::Within(number, None, None) => Box::new(ExistsQuery::new(number_name(*number).to_owned(), false)),
            Filter::Within(number, min, max) => range(self.number(*number), *min, *max),
            Filter::Since(time) => range(self.slots.time, Some(*time), None),
            Filter::Id(ids) if ids.is_empty() => Box::new(EmptyQuery),
            Filter::Id(ids) => {
                terms(ids.iter().map(|id| Term::from_field_bytes(self.slots.id, id.as_bytes())).collect())
            }
        })
    }

    fn walk(&self, field: Field, test: Option<Test>) -> Result<Clause, ArchiveError> {
        let slot = self.slots.text(field);
        let test = test.ok_or_else(|| ArchiveError::invalid(field.name(), "too much text to search for"))?;
        // The request's id is asked for as a whole alone: `Filter::check` says so.
        Ok(slot.map_or_else(|| Box::new(EmptyQuery) as Clause, |slot| self.walk_of(slot, test)))
    }

    fn walk_of(&self, slot: Slot, test: Test) -> Clause {
        self.walks.set(self.walks.get() + 1);
        Box::new(Walk::new(slot, test, self.stop.clone()))
    }

    /// Documents with a value of the field.
    fn exists(&self, field: Field) -> Clause {
        match (field, self.slots.text(field)) {
            // It has no column.
            (Field::Tenant, Some(slot)) => self.walk_of(slot, Test::Begins(vec![String::new()])),
            (field, Some(_)) => Box::new(ExistsQuery::new(field.name().to_owned(), false)),
            (_, None) => Box::new(ExistsQuery::new(AUDIT.to_owned(), false)),
        }
    }

    fn number(&self, number: Number) -> Slot {
        match number {
            Number::Code => self.slots.code,
            Number::Duration => self.slots.duration,
        }
    }
}

fn number_name(number: Number) -> &'static str {
    match number {
        Number::Code => super::schema::CODE,
        Number::Duration => super::schema::DURATION,
    }
}

fn union(mut clauses: Vec<Clause>) -> Clause {
    match clauses.len() {
        0 => Box::new(EmptyQuery),
        1 => clauses.swap_remove(0),
        _ => Box::new(BooleanQuery::union(clauses)),
    }
}

fn not(clause: Clause) -> Clause {
    Box::new(BooleanQuery::new(vec![(Occur::Must, Box::new(AllQuery) as Clause), (Occur::MustNot, clause)]))
}

fn terms(terms: Vec<Term>) -> Clause {
    match terms.as_slice() {
        [term] => Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic)),
        _ => Box::new(TermSetQuery::new(terms)),
    }
}

fn range(slot: Slot, min: Option<i64>, max: Option<i64>) -> Clause {
    let bound =
        |value: Option<i64>| value.map_or(Bound::Unbounded, |value| Bound::Included(Term::from_field_i64(slot, value)));
    Box::new(RangeQuery::new(bound(min), bound(max)))
}
