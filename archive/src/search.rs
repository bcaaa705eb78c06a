//! Elasticsearch (7.17 or newer) and OpenSearch (2 or newer), in daily indices that KubeSphere's own console can read.

mod answer;
mod bulk;
mod compile;
mod document;
mod grouping;
mod names;
mod policies;
mod template;
mod transport;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::by::{self, By};
use crate::config::{Mode, SearchConfig};
use crate::day::Day;
use crate::error::{ArchiveError, OpenError, page_too_large, too_many_buckets};
use crate::interval::{Interval, Kind};
use crate::query::{MAX_BUCKETS, MAX_FACETS, MAX_PAGE_BYTES};
use crate::{
    Archive, BatchReport, Bucket, DaySize, Facet, Groups, Health, Hits, Page, Purged, Query, Statistics, WriteBatch,
};

use answer::{Aggregation, Found};
use compile::TIME;
use names::Names;
use policies::Policies;
use transport::{Body, Reason, SHORT, Transport};
use upkeep::Upkeep;

/// Indices whose names go into one request.
const NAMES_IN_A_PATH: usize = 64;

pub(crate) struct Search {
    transport: Transport,
    config: SearchConfig,
    names: Names,
    mode: Mode,
    /// The engine's name and version, once it has told them and, for writing, has the template.
    ready: OnceCell<String>,
    policies: Policies,
    upkeep: Upkeep,
    /// What the last write failed with, if it did.
    trouble: Mutex<Option<String>>,
}

impl Search {
    pub(crate) async fn open(config: &SearchConfig, mode: Mode) -> Result<Self, OpenError> {
        check(config)?;
        let search = Self {
            names: Names::new(&config.index_prefix)?,
            transport: Transport::new(config)?,
            config: config.clone(),
            mode,
            ready: OnceCell::new(),
            policies: Policies::default(),
            upkeep: Upkeep::default(),
            trouble: Mutex::new(None),
        };
        match search.ready().await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = %error, "the archive's engine is away; it is tried again with each request");
            }
            ready => {
                ready.map_err(OpenError::Engine)?;
                for warning in search.warnings().await {
                    tracing::warn!(warning, "the archive's engine has plans of its own");
                }
            }
        }
        Ok(search)
    }

    /// Asks the engine what it is, once, puts the template, and mends what older versions made.
    async fn ready(&self) -> Result<&str, ArchiveError> {
        let ready = self.ready.get_or_try_init(|| async {
            let engine = self.engine().await?;
            if self.mode == Mode::Write {
                upkeep::put_template(self.target()).await?;
                upkeep::mend(self.target(), self.mode).await;
            }
            tracing::info!(engine, "the archive's engine is there");
            Ok(engine)
        });
        ready.await.map(String::as_str)
    }

    /// The engine's name and version.
    async fn engine(&self) -> Result<String, ArchiveError> {
        #[derive(Deserialize)]
        struct Root {
            version: Version,
        }
        #[derive(Deserialize)]
        struct Version {
            number: String,
            #[serde(default)]
            distribution: String,
        }
        let Root { version } = self.transport.json(Method::GET, "", None, SHORT).await?;
        let mut numbers = version.number.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let (name, least) = match version.distribution.as_str() {
            "opensearch" => ("OpenSearch", (2, 0)),
            _ => ("Elasticsearch", (7, 17)),
        };
        if number < least {
            let message = format!("{name} {} is too old: at least {}.{} is needed", version.number, least.0, least.1);
            return Err(ArchiveError::refused(message));
        }
        Ok(format!("{name} {}", version.number))
    }

    /// Asks `_search` of the indices that the query's range has. Without `filter_path`: with it the engine reads and writes
    /// the documents anew, and they don't come back as they were.
    async fn ask(&self, query: &Query, more: Value, limit: usize) -> Result<Found, ArchiveError> {
        query.check()?;
        let mut body = json!({
            "query": compile::compile(query),
            "track_total_hits": true,
            "timeout": format!("{}s", self.config.timeout_seconds.max(1)),
        });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        let path = format!(
            "{}/_search?ignore_unavailable=true&allow_no_indices=true&expand_wildcards=open\
             &allow_partial_search_results=false",
            self.names.of_query(query)
        );
        let answer = self.transport.send(Method::POST, &path, Some(Body::json(&body)), limit).await;
        let answer = match answer {
            Ok(answer) if answer.status.as_u16() == 400 && too_many(&Reason::of(&answer.body)) => {
                return Err(too_many_buckets());
            }
            Err(ArchiveError::Unavailable { message, .. }) if message.contains("too_many_buckets_exception") => {
                return Err(too_many_buckets());
            }
            answer => answer?.success()?,
        };
        let found: Found = answer.parse()?;
        if found.timed_out {
            return Err(ArchiveError::unavailable("the engine did not finish the search in time"));
        }
        Ok(found)
    }

    /// Our daily indices.
    async fn indices(&self) -> Result<Vec<(Day, IndexLine)>, ArchiveError> {
        let path = format!(
            "_cat/indices/{}?format=json&bytes=b&h=index,docs.count,store.size&expand_wildcards=open,closed",
            self.names.pattern()
        );
        let answer = self.transport.send(Method::GET, &path, None, SHORT).await?;
        if answer.status.as_u16() == 404 {
            return Ok(Vec::new());
        }
        let lines: Vec<IndexLine> = answer.success()?.parse()?;
        let day = |line: IndexLine| self.names.day(&line.index).map(|day| (day, line));
        Ok(lines.into_iter().filter_map(day).collect())
    }

    fn target(&self) -> bulk::Target<'_> {
        bulk::Target { transport: &self.transport, config: &self.config, names: &self.names }
    }

    fn note<T>(&self, result: &Result<T, ArchiveError>) {
        let trouble = result.as_ref().err().map(ToString::to_string);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

#[async_trait]
impl Archive for Search {
    async fn write(&self, batches: &[WriteBatch]) -> Result<Vec<BatchReport>, ArchiveError> {
        if self.mode == Mode::Read {
            return Err(ArchiveError::refused("it is open for reading alone"));
        }
        let written = match self.ready().await {
            Ok(_) => match self.upkeep.before(self.target(), batches).await {
                Ok(()) => bulk::write(self.target(), batches).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        if written.is_err() {
            // Whatever comes back need not be what went away.
            self.upkeep.forget();
        }
        self.note(&written);
        written
    }

    async fn search(&self, query: &Query, page: &Page) -> Result<Hits, ArchiveError> {
        page.check()?;
        let order = if page.newest_first { "desc" } else { "asc" };
        let mut body = json!({
            "from": page.from,
            "size": page.size,
            "track_total_hits": page.total,
            // An index that KubeSphere made has milliseconds: `numeric_type` makes them comparable.
            "sort": [
                { TIME: { "order": order, "numeric_type": "date_nanos", "unmapped_type": "date_nanos" } },
                { compile::EVENT_ID: { "order": order, "unmapped_type": "keyword" } },
                // For documents that we did not write, and that have no id.
                { "AuditID.keyword": { "order": order, "unmapped_type": "keyword" } },
                { "Stage.keyword": { "order": order, "unmapped_type": "keyword" } },
                // And for those of them that were written twice.
                { "_seq_no": { "order": "asc" } },
            ],
        });
        if let Some(cursor) = &page.after {
            insert(&mut body, "search_after", cursor.values());
        }
        let found = match self.ask(query, body, MAX_PAGE_BYTES + SHORT).await {
            Err(ArchiveError::Refused { message, .. }) if message.contains("the answer is longer") => {
                return Err(page_too_large());
            }
            found => found?,
        };
        let hits = &found.hits.hits;
        let full = hits.len() as u64 == page.size;
        let next = hits.last().filter(|_| full).and_then(answer::Hit::cursor);
        let documents = hits.iter().map(|hit| document::unwrap(hit.source.get())).collect();
        Ok(Hits { total: if page.total { found.hits.total.value } else { 0 }, documents, next })
    }

    async fn statistics(&self, query: &Query) -> Result<Statistics, ArchiveError> {
        let resources = json!({ "cardinality": { "field": "AuditID.keyword", "precision_threshold": 40_000 } });
        let body = json!({ "size": 0, "aggs": { "resources": resources } });
        let found = self.ask(query, body, SHORT).await?;
        let resources = found.aggregations.get("resources").and_then(|resources| resources.value).unwrap_or(0.0) as u64;
        Ok(Statistics { resources, events: found.hits.total.value })
    }

    async fn histogram(&self, query: &Query, interval: Interval) -> Result<Vec<Bucket>, ArchiveError> {
        let (length, unit) = match interval.0 {
            Kind::Fixed(seconds) => ("fixed_interval", format!("{seconds}s")),
            Kind::Weeks(_) => ("calendar_interval", "1w".to_owned()),
            Kind::Months(_) => ("calendar_interval", "1M".to_owned()),
        };
        let histogram = json!({ "field": TIME, "min_doc_count": 1, length: unit });
        let body = json!({ "size": 0, "aggs": { "times": { "date_histogram": histogram } } });
        let found = self.ask(query, body, SHORT).await?;
        let finer = found.aggregations.get("times").into_iter().flat_map(|times| &times.buckets);
        let finer = finer.filter_map(|bucket| Some(Bucket { time_ms: bucket.key.as_i64()?, count: bucket.doc_count }));
        let buckets = interval.gather(finer);
        if buckets.len() > MAX_BUCKETS { Err(too_many_buckets()) } else { Ok(buckets) }
    }

    async fn facets(&self, query: &Query, by: &[By], limit: usize) -> Result<Vec<Facet>, ArchiveError> {
        by::check(by, MAX_FACETS, limit)?;
        let aggregations = by.iter().enumerate().map(|(at, by)| (at.to_string(), grouping::facet(*by, limit)));
        let aggregations: serde_json::Map<_, _> = aggregations.collect();
        let found = self.ask(query, json!({ "size": 0, "aggs": aggregations }), SHORT).await?;
        let none = Aggregation::default();
        let facet = |at: usize| grouping::read_facet(found.aggregations.get(&at.to_string()).unwrap_or(&none), limit);
        Ok((0..by.len()).map(facet).collect())
    }

    async fn group(&self, query: &Query, by: &[By], limit: usize) -> Result<Groups, ArchiveError> {
        by::check(by, 2, limit)?;
        let (mut groups, mut after) = (grouping::Gathered::default(), None);
        loop {
            let body = json!({ "size": 0, "track_total_hits": false, "aggs": { "groups": grouping::groups(by, after.take()) } });
            let mut found = self.ask(query, body, MAX_PAGE_BYTES).await?;
            let Some(page) = found.aggregations.remove("groups") else { break };
            // A page that is not full is the last one.
            after = page.after_key.clone().filter(|_| page.buckets.len() == grouping::PAGE);
            groups.take(page, by.len())?;
            if after.is_none() {
                break;
            }
        }
        Ok(groups.largest(limit))
    }

    async fn count(&self, query: &Query) -> Result<u64, ArchiveError> {
        Ok(self.ask(query, json!({ "size": 0 }), SHORT).await?.hits.total.value)
    }

    async fn purge(&self, older_than_micros: i64) -> Result<Purged, ArchiveError> {
        let old: Vec<_> =
            self.indices().await?.into_iter().filter(|(day, _)| day.end_micros() <= older_than_micros).collect();
        let days = old.iter().map(|(day, _)| *day).collect::<BTreeSet<_>>().len() as u64;
        let mut purged = Purged { days, events: 0 };
        for part in old.chunks(NAMES_IN_A_PATH) {
            let names: Vec<&str> = part.iter().map(|(_, line)| line.index.as_str()).collect();
            let path = format!("{}?ignore_unavailable=true", names.join(","));
            let _: Value = self.transport.json(Method::DELETE, &path, None, SHORT).await?;
            purged.events += part.iter().map(|(_, line)| line.documents()).sum::<u64>();
        }
        Ok(purged)
    }

    async fn health(&self) -> Health {
        #[derive(Deserialize)]
        struct Cluster {
            status: String,
        }
        let engine = match self.ready().await {
            Ok(engine) => engine,
            Err(error) => return Health { ready: false, detail: error.to_string() },
        };
        let path = "_cluster/health?timeout=1s&filter_path=status";
        match self.transport.json::<Cluster>(Method::GET, path, None, SHORT).await {
            Err(error) => return Health { ready: false, detail: error.to_string() },
            Ok(Cluster { status }) if status == "red" => {
                return Health { ready: false, detail: format!("{engine}: the cluster's health is red") };
            }
            Ok(_) => {}
        }
        let warnings = self.policies.warnings(self.target(), &self.upkeep, self.mode).await;
        match &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(trouble) => Health { ready: false, detail: trouble.clone() },
            None => Health::ready(engine, &warnings),
        }
    }

    async fn warnings(&self) -> Vec<String> {
        match self.ready().await {
            Ok(_) => self.policies.warnings(self.target(), &self.upkeep, self.mode).await,
            Err(_) => Vec::new(),
        }
    }

    async fn days(&self) -> Result<Vec<DaySize>, ArchiveError> {
        let mut days: BTreeMap<Day, DaySize> = BTreeMap::new();
        for (day, line) in self.indices().await? {
            let size = days.entry(day).or_default();
            size.start_micros = day.start_micros();
            size.events += line.documents();
            size.bytes += line.bytes();
        }
        Ok(days.into_values().collect())
    }
}

/// Sets a member of an object.
fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Checks the bounds of requests.
fn check(config: &SearchConfig) -> Result<(), OpenError> {
    if config.bulk_bytes == 0 || config.bulk_documents == 0 {
        return Err(OpenError::Setting { key: "search.bulkBytes", message: "must be above 0".to_owned() });
    }
    if !(1..=16).contains(&config.bulk_in_flight) {
        return Err(OpenError::Setting { key: "search.bulkInFlight", message: "1 to 16".to_owned() });
    }
    Ok(())
}

fn too_many(reason: &Reason) -> bool {
    reason.to_string().contains("too_many_buckets_exception")
        || reason.text.contains("Trying to create too many buckets")
}

/// A line of `_cat/indices`, whose numbers are texts (or null, while an index is being made).
#[derive(Deserialize)]
struct IndexLine {
    index: String,
    #[serde(rename = "docs.count")]
    documents: Option<String>,
    #[serde(rename = "store.size")]
    bytes: Option<String>,
}

impl IndexLine {
    fn documents(&self) -> u64 {
        self.documents.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    fn bytes(&self) -> u64 {
        self.bytes.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}
