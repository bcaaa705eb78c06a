//! Counting: statistics, histograms, facets, groups.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Json;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vedette_archive::{Archive, Bucket, By, Field, Filter, Interval, MAX_BUCKETS, MAX_FACETS, MAX_TOP, Number, Query};

use super::coverage::{self, Coverage};
use super::params::{Params, Select};
use super::parts;
use crate::failure::{Failure, Problem};
use crate::scope::Scope;
use crate::search;
use crate::serve::Shared;

/// How many events match.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Statistics {
    /// Events.
    pub events: u64,
    /// Distinct requests; within 2 % where there are more than 131,072, or more than 40,000 in Elasticsearch and OpenSearch.
    pub requests: u64,
}

/// How many events match
#[utoipa::path(
    get, path = "/api/v1/statistics", operation_id = "getStatistics", tag = "counts",
    params(Select),
    responses((status = 200, body = Statistics), (status = 400, body = Problem)),
)]
pub(crate) async fn statistics(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Statistics>, Failure> {
    let select = Select::read(&mut params);
    params.end()?;
    let question = select.question(&scope, Timestamp::now())?;
    let found = shared.archive()?.statistics(&question.query).await?;
    Ok(Json(Statistics { events: found.events, requests: found.resources }))
}

/// Events over time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Histogram {
    /// The earliest time asked for, as the question was understood; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The latest, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Events in all intervals.
    pub total: u64,
    /// What the intervals are cut by, in the order of `counts`; `…` counts the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<String>,
    /// The intervals in order, those without events between others included.
    pub buckets: Vec<Slot>,
}

/// One interval.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Bucket)]
pub struct Slot {
    /// Its beginning.
    pub time: String,
    /// Events in it.
    pub count: u64,
    /// The same for each of the series.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<u64>,
}

/// How events are counted over time.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Cut {
    /// The length of an interval: a number and one of s, m, h, d, w, M, q, y.
    #[param(default = "15m")]
    interval: Option<String>,
    /// A field whose most frequent values are counted apart, `codeClass` (1xx to 5xx), or `priority`: the highest one that a rule in
    /// force has by which the event is kept (WARNING, INFO, DEBUG).
    by: Option<String>,
}

/// Events over time
#[utoipa::path(
    get, path = "/api/v1/histogram", operation_id = "getHistogram", tag = "counts",
    params(Select, Cut),
    responses((status = 200, body = Histogram), (status = 400, body = Problem)),
)]
pub(crate) async fn histogram(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Histogram>, Failure> {
    let select = Select::read(&mut params);
    let interval: Interval = params.parsed("interval")?.unwrap_or(Interval::seconds(900));
    let by = params.text("by");
    params.end()?;
    let question = select.question(&scope, Timestamp::now())?;
    let archive = shared.archive()?;
    let buckets = filled(interval, archive.histogram(&question.query, interval).await?)?;
    let parts = match by {
        Some(by) => parts::of(archive.as_ref(), &question.query, &by, shared.policy().as_deref()).await?,
        None => Vec::new(),
    };
    let mut slots: Vec<Slot> = buckets.iter().map(slot).collect();
    let mut series: Vec<String> = Vec::with_capacity(parts.len());
    for (name, filter) in parts {
        let query = Query { filter: question.query.filter.clone().and(filter), ..question.query.clone() };
        let found = archive.histogram(&query, interval).await?;
        let mut found = found.iter().peekable();
        for (slot, bucket) in slots.iter_mut().zip(&buckets) {
            // What was written between the two questions is passed over.
            while found.next_if(|found| found.time_ms < bucket.time_ms).is_some() {}
            slot.counts.push(found.next_if(|found| found.time_ms == bucket.time_ms).map_or(0, |found| found.count));
        }
        series.push(name);
    }
    if !series.is_empty() {
        series.push("…".to_owned());
        for slot in &mut slots {
            let counted = slot.counts.iter().sum();
            // Events may have come in between the questions.
            slot.count = slot.count.max(counted);
            slot.counts.push(slot.count - counted);
        }
    }
    let total = slots.iter().map(|slot| slot.count).sum();
    let (start, end) = (question.query.start_micros.map(time), question.query.end_micros.map(time));
    Ok(Json(Histogram { start, end, total, series, buckets: slots }))
}

/// The intervals with those without events between them.
pub(crate) fn filled(interval: Interval, buckets: Vec<Bucket>) -> Result<Vec<Bucket>, Failure> {
    let buckets = interval.fill(buckets, MAX_BUCKETS);
    // Too many to be filled up.
    if buckets.windows(2).any(|pair| matches!(pair, [a, b] if interval.next(a.time_ms) != b.time_ms)) {
        return Err(Failure::bad(
            "interval",
            format!("more than {MAX_BUCKETS} intervals: take a longer one, or less time"),
        ));
    }
    Ok(buckets)
}

/// An interval that is not cut by anything.
pub(crate) fn slot(bucket: &Bucket) -> Slot {
    Slot { time: time(bucket.time_ms.saturating_mul(1_000)), count: bucket.count, counts: Vec::new() }
}

/// The most frequent values of some fields.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Facets {
    /// One for each field, in the order asked for.
    pub facets: Vec<Facet>,
}

/// The most frequent values of one field.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Facet {
    /// Its name.
    pub field: String,
    /// The most frequent first; `""` counts the events without a value.
    pub values: Vec<FacetValue>,
    /// How often other values occur.
    pub other: u64,
}

/// A value.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FacetValue {
    /// As it stands in the events.
    pub value: String,
    /// Events with it.
    pub count: u64,
}

/// Which values.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Top {
    /// Fields, with commas between them.
    #[param(default = "actor,verb,resource,code")]
    by: Option<String>,
    /// Values or groups at most.
    #[param(default = 10, minimum = 1, maximum = 1000)]
    top: Option<u64>,
}

/// The most frequent values
#[utoipa::path(
    get, path = "/api/v1/facets", operation_id = "getFacets", tag = "counts",
    params(Select, Top),
    responses((status = 200, body = Facets), (status = 400, body = Problem)),
)]
pub(crate) async fn facets(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Facets>, Failure> {
    let select = Select::read(&mut params);
    let mut by = params.fields("by", MAX_FACETS)?;
    let top = params.number("top", 10, 1..=MAX_TOP as u64)?;
    params.end()?;
    if by.is_empty() {
        by = vec![By::Field(Field::Actor), By::Field(Field::Verb), By::Field(Field::Resource), By::Code];
    }
    let question = select.question(&scope, Timestamp::now())?;
    let limit = usize::try_from(top).unwrap_or(MAX_TOP);
    let found = shared.archive()?.facets(&question.query, &by, limit).await?;
    let facets = by.iter().zip(found).map(|(by, facet)| Facet {
        field: by.name().to_owned(),
        values: facet.values.into_iter().map(|(value, count)| FacetValue { value, count }).collect(),
        other: facet.other,
    });
    Ok(Json(Facets { facets: facets.collect() }))
}

/// Events grouped by their values.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Groups {
    /// What they are grouped by.
    pub by: Vec<String>,
    /// The largest first.
    pub rows: Vec<Group>,
    /// How many groups there are.
    pub total: u64,
    /// From when until `start` groups were looked for to tell what is new: from `newSince`, or from the oldest event that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "newSince")]
    pub new_since: Option<String>,
    /// What is kept of the time asked for.
    pub coverage: Coverage,
}

/// Events of the same values.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// In the order of `by`; `""` where there is none.
    pub values: Vec<String>,
    /// Events.
    pub count: u64,
    /// The first one's time; to the millisecond in Elasticsearch and OpenSearch, as the last one's.
    pub first_seen: String,
    /// The last one's time.
    pub last_seen: String,
    /// Whether it was not there before: see the parameter `newSince`. Absent where nothing is kept of the time before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<bool>,
    /// The same of each of its values alone, with whatever other: a known credential at a new address is not a new credential at a
    /// known one. Absent where `new` is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_values: Vec<bool>,
}

/// How events are grouped.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Grouping {
    /// One field, or two with a comma between them.
    by: String,
    /// Groups at most.
    #[param(default = 10, minimum = 1, maximum = 1000)]
    top: Option<u64>,
}

/// What is new.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by name")]
pub(crate) struct Novelty {
    /// Tells of each group, and of each of its values, whether it is new: whether no event of it is of the time from so long ago (7d, 12h …) until `start`,
    /// which must be given.
    #[param(rename = "newSince")]
    new_since: Option<String>,
}

/// Events grouped by one field or two
#[utoipa::path(
    get, path = "/api/v1/groups", operation_id = "getGroups", tag = "counts",
    params(Select, Grouping, Novelty),
    responses((status = 200, body = Groups), (status = 400, body = Problem)),
)]
pub(crate) async fn groups(
    State(shared): State<Arc<Shared>>,
    Extension(scope): Extension<Arc<Scope>>,
    mut params: Params,
) -> Result<Json<Groups>, Failure> {
    let now = Timestamp::now();
    let select = Select::read(&mut params);
    let by = params.fields("by", 2)?;
    let top = params.number("top", 10, 1..=MAX_TOP as u64)?;
    let since = params.text("newSince");
    params.end()?;
    if by.is_empty() {
        return Err(Failure::bad("by", "one field or two, with a comma between them"));
    }
    let question = select.question(&scope, now)?;
    let archive = shared.archive()?;
    let limit = usize::try_from(top).unwrap_or(MAX_TOP);
    let earlier = since.map(|since| earlier(&since, &question.query, now)).transpose()?;
    let (found, coverage) =
        tokio::join!(archive.group(&question.query, &by, limit), coverage::of(&shared, &scope, &question));
    let (found, coverage) = (found?, coverage?);
    // What is not kept can't be told from what was not there.
    let oldest = coverage.oldest.as_ref().and_then(|oldest| oldest.parse::<Timestamp>().ok());
    let earlier = earlier.zip(oldest).map(|(earlier, oldest)| Query {
        start_micros: earlier.start_micros.max(Some(oldest.as_microsecond())),
        ..earlier
    });
    let earlier = earlier.filter(|earlier| earlier.start_micros <= earlier.end_micros);
    let known = match &earlier {
        Some(earlier) => Some(Known::find(archive.as_ref(), earlier, &by, &found).await?),
        None => None,
    };
    let row = |group: vedette_archive::Group| Group {
        new: known.as_ref().map(|known| !known.groups.contains(&group.values)),
        new_values: known.as_ref().map(|known| known.news(&group.values)).unwrap_or_default(),
        values: group.values,
        count: group.count,
        first_seen: time(group.first_micros),
        last_seen: time(group.last_micros),
    };
    Ok(Json(Groups {
        by: by.iter().map(|by| by.name().to_owned()).collect(),
        total: found.total,
        rows: found.rows.into_iter().map(row).collect(),
        new_since: earlier.and_then(|earlier| earlier.start_micros).map(time),
        coverage,
    }))
}

/// The same question about the time before.
fn earlier(since: &str, query: &Query, now: Timestamp) -> Result<Query, Failure> {
    let bad = |message: &'static str| Failure::bad("newSince", message);
    let start = query.start_micros.ok_or_else(|| bad("needs a time to begin with: `start`, or `last:` in `q`"))?;
    let length = search::length_micros(since).ok_or_else(|| bad("a number and one of s, m, h, d, w, as in `7d`"))?;
    let from = now.as_microsecond().saturating_sub(length);
    if from >= start {
        return Err(bad("must reach further back than the time that is asked for"));
    }
    Ok(Query { start_micros: Some(from), end_micros: Some(start - 1), ..query.clone() })
}

/// What was there before, of the groups that were found.
struct Known {
    groups: HashSet<Vec<String>>,
    /// The values of each field, with whatever values of the other.
    values: Vec<HashSet<String>>,
}

impl Known {
    /// Each is asked for by its values, so that however many others there were, none is taken for new.
    async fn find(
        archive: &dyn Archive,
        earlier: &Query,
        by: &[By],
        found: &vedette_archive::Groups,
    ) -> Result<Self, Failure> {
        let among = |at: usize, by: &By| is_among(*by, found.rows.iter().filter_map(|group| group.values.get(at)));
        let filter = by.iter().enumerate().fold(earlier.filter.clone(), |filter, (at, by)| filter.and(among(at, by)));
        // Of two fields more combinations than those found can be there: at most a square of them.
        let groups = groups_of(archive, earlier, filter, by).await?.into_iter().collect();
        let mut values = Vec::with_capacity(by.len());
        for (at, by) in by.iter().enumerate() {
            let filter = earlier.filter.clone().and(among(at, by));
            values.push(groups_of(archive, earlier, filter, &[*by]).await?.into_iter().flatten().collect());
        }
        Ok(Self { groups, values })
    }

    /// Of each value whether it is new.
    fn news(&self, values: &[String]) -> Vec<bool> {
        values.iter().zip(&self.values).map(|(value, known)| !known.contains(value)).collect()
    }
}

/// That the field has one of these values; `""` is none.
fn is_among<'a>(by: By, values: impl Iterator<Item = &'a String>) -> Filter {
    match by {
        By::Field(field) => Filter::is(field, values),
        By::Code => {
            let (none, some): (Vec<&String>, Vec<&String>) = values.partition(|code| code.is_empty());
            let codes = some.iter().filter_map(|code| code.parse().ok()).collect();
            let mut any = vec![Filter::Equals(Number::Code, codes)];
            if !none.is_empty() {
                any.push(Filter::Not(Box::new(Filter::Within(Number::Code, None, None))));
            }
            Filter::Any(any)
        }
    }
}

async fn groups_of(
    archive: &dyn Archive,
    earlier: &Query,
    filter: Filter,
    by: &[By],
) -> Result<Vec<Vec<String>>, Failure> {
    let query = Query { filter, ..earlier.clone() };
    let found = archive.group(&query, by, MAX_TOP).await?;
    if found.total > MAX_TOP as u64 {
        return Err(Failure::bad(
            "newSince",
            "too many groups were there before: ask for fewer with `top`, or narrow `q`",
        ));
    }
    Ok(found.rows.into_iter().map(|group| group.values).collect())
}

/// RFC 3339.
pub(crate) fn time(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map(|time| format!("{time:.6}")).unwrap_or_default()
}
