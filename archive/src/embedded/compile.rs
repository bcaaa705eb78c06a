//! From a query of ours to Tantivy's.

use std::ops::Bound;
use std::sync::Arc;

use tantivy::Term;
use tantivy::query::{AllQuery, BooleanQuery, Query as TantivyQuery, RangeQuery, TermQuery, TermSetQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::automaton::{Machine, Place, TextQuery};
use super::schema::{Fields, Folded};
use crate::day::Day;
use crate::error::ArchiveError;
use crate::fold::fold;
use crate::query::{Query, Terms};

type Clauses = Vec<Box<dyn TantivyQuery>>;

/// What a query asks of every day alike; the clause on the time comes with the day.
pub(super) struct Compiled {
    clauses: Clauses,
    time: Field,
    start_micros: Option<i64>,
    end_micros: Option<i64>,
}

impl Compiled {
    pub(super) fn new(query: &Query, fields: &Fields) -> Result<Self, ArchiveError> {
        let mut clauses = Clauses::new();
        exact(&mut clauses, fields.cluster, &query.clusters);
        exact(&mut clauses, fields.level, &query.levels);
        exact(&mut clauses, fields.verb, &query.verbs);
        exact(&mut clauses, fields.status, &query.statuses);
        if !query.codes.is_empty() {
            terms(&mut clauses, query.codes.iter().map(|code| Term::from_field_i64(fields.code, *code)).collect());
        }
        both(&mut clauses, fields.workspace, &query.workspaces)?;
        both(&mut clauses, fields.namespace, &query.namespaces)?;
        both(&mut clauses, fields.name, &query.names)?;
        both(&mut clauses, fields.user, &query.users)?;
        text(&mut clauses, fields.groups, &query.groups_contains, Place::Anywhere)?;
        text(&mut clauses, fields.source_ips, &query.source_ips_contains, Place::Anywhere)?;
        text(&mut clauses, fields.resource, &query.resources_prefix, Place::Beginning)?;
        text(&mut clauses, fields.subresource, &query.subresources_prefix, Place::Beginning)?;
        Ok(Self { clauses, time: fields.time, start_micros: query.start_micros, end_micros: query.end_micros })
    }

    /// The query for one day; a time clause only where the asked range cuts the day (and for the first and the last one,
    /// which hold what lies beyond them).
    pub(super) fn for_day(&self, day: Day) -> Box<dyn TantivyQuery> {
        let mut clauses: Clauses = self.clauses.iter().map(|clause| clause.box_clone()).collect();
        let within = day != Day::FIRST && day != Day::LAST;
        let start = self.start_micros.filter(|start| !within || *start > day.start_micros());
        let end = self.end_micros.filter(|end| !within || *end < day.end_micros() - 1);
        if start.is_some() || end.is_some() {
            let bound = |micros: Option<i64>| {
                micros.map_or(Bound::Unbounded, |micros| Bound::Included(Term::from_field_i64(self.time, micros)))
            };
            clauses.push(Box::new(RangeQuery::new(bound(start), bound(end))));
        }
        match clauses.len() {
            0 => Box::new(AllQuery),
            1 => clauses.pop().unwrap_or_else(|| Box::new(AllQuery)),
            _ => Box::new(BooleanQuery::intersection(clauses)),
        }
    }
}

fn both(clauses: &mut Clauses, field: Folded, values: &Terms) -> Result<(), ArchiveError> {
    exact(clauses, field.exact, &values.exact);
    text(clauses, field, &values.contains, Place::Anywhere)
}

fn exact(clauses: &mut Clauses, field: Field, values: &[String]) {
    if !values.is_empty() {
        terms(clauses, values.iter().map(|value| Term::from_field_text(field, value)).collect());
    }
}

fn terms(clauses: &mut Clauses, terms: Vec<Term>) {
    clauses.push(match terms.as_slice() {
        [term] => Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic)),
        _ => Box::new(TermSetQuery::new(terms)),
    });
}

fn text(clauses: &mut Clauses, field: Folded, texts: &[String], place: Place) -> Result<(), ArchiveError> {
    let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).map(|text| fold(text)).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let machine =
        Machine::new(&texts, place).map_err(|_| ArchiveError::invalid("query", "too much text to search for"))?;
    let machine = Arc::new(machine);
    clauses.push(Box::new(BooleanQuery::union(vec![
        Box::new(TextQuery::new(field.exact, Arc::clone(&machine))),
        Box::new(TextQuery::new(field.fold, machine)),
    ])));
    Ok(())
}
