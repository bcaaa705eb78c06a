//! Reading the query string.
//!
//! As lenient as KubeSphere's apiserver, whose clients count on it: an operation that is none is `query`, a `size` or `from`
//! that is no number is the default, a status code that is none is passed over, any `sort` but `asc` is `desc`, and a
//! parameter that is given twice counts once. What it would hand to Elasticsearch, and answer with an error from there, is
//! an error here too: a bad time or interval, a page beyond the first 10,000 records.

use std::borrow::Cow;

use vedette_archive::{Field, Filter, Interval, MAX_WINDOW, Number, Page, Query};

use crate::failure::Failure;

const SIZE: u64 = 10;
const MICROS: i64 = 1_000_000;

/// A condition on a field's values.
type Condition = fn(Field, Vec<String>) -> Filter;

/// Which parameter asks what of which field.
const FILTERS: [(&str, Condition, Field); 15] = [
    ("workspace_filter", Filter::Is, Field::Workspace),
    ("workspace_search", Filter::Contains, Field::Workspace),
    ("objectref_namespace_filter", Filter::Is, Field::Namespace),
    ("objectref_namespace_search", Filter::Contains, Field::Namespace),
    ("objectref_name_filter", Filter::Is, Field::Name),
    ("objectref_name_search", Filter::Contains, Field::Name),
    ("user_filter", Filter::Is, Field::User),
    ("user_search", Filter::Contains, Field::User),
    ("level_filter", Filter::Is, Field::Level),
    ("verb_filter", Filter::Is, Field::Verb),
    ("group_search", Filter::Contains, Field::Group),
    ("source_ip_search", Filter::Contains, Field::SourceIp),
    ("objectref_resource_filter", Filter::Begins, Field::Resource),
    ("objectref_subresource_filter", Filter::Begins, Field::Subresource),
    ("response_status_filter", Filter::Is, Field::Status),
];

/// A question, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) operation: Operation,
    pub(crate) query: Query,
    pub(crate) page: Page,
    pub(crate) interval: Interval,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Query,
    Statistics,
    Histogram,
    Export,
}

/// The parameters by name; of one that is given twice, the first.
struct Params<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Request {
    /// Reads a query string; `cluster` is the one in the path.
    pub(crate) fn parse(query: &str, cluster: Option<String>) -> Result<Self, Failure> {
        let params = Params(form_urlencoded::parse(query.as_bytes()).collect());
        let operation = match params.get("operation") {
            "statistics" => Operation::Statistics,
            "histogram" => Operation::Histogram,
            "export" => Operation::Export,
            _ => Operation::Query,
        };
        let page = Page {
            from: params.get("from").parse().ok().and_then(|from: i64| u64::try_from(from).ok()).unwrap_or(0),
            size: params.get("size").parse().ok().and_then(|size: i64| u64::try_from(size).ok()).unwrap_or(SIZE),
            newest_first: params.get("sort") != "asc",
            ..Page::default()
        };
        if operation == Operation::Query && page.from.saturating_add(page.size) > MAX_WINDOW {
            return Err(Failure::bad_request(format!(
                "`from` + `size` may be at most {MAX_WINDOW}: narrow the time, or use operation=export"
            )));
        }
        let interval = match params.get("interval") {
            "" => "15m",
            interval => interval,
        };
        let interval = interval.parse().map_err(|error| Failure::bad_request(format!("bad `interval`: {error}")))?;
        let mut filters = Vec::new();
        let mut add = |filter: Condition, field, values: Vec<String>| {
            if !values.is_empty() {
                filters.push(filter(field, values));
            }
        };
        add(Filter::Is, Field::Cluster, cluster.map_or_else(|| params.list("cluster"), |cluster| vec![cluster]));
        for (parameter, filter, field) in FILTERS {
            add(filter, field, params.list(parameter));
        }
        let codes: Vec<i64> = params.list("response_code_filter").iter().filter_map(|code| code.parse().ok()).collect();
        if !codes.is_empty() {
            filters.push(Filter::Equals(Number::Code, codes));
        }
        let query = Query {
            filter: Filter::All(filters),
            start_micros: params.time("start_time")?,
            // A second is in the answer whole, as it is in Elasticsearch, which fills up what a time leaves out.
            end_micros: params.time("end_time")?.map(|end| end.saturating_add(MICROS - 1)),
        };
        Ok(Self { operation, query, page, interval })
    }
}

impl Params<'_> {
    /// The value of a parameter, empty where there is none.
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The values of a list, without empty ones.
    fn list(&self, name: &str) -> Vec<String> {
        self.get(name).split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// An instant in seconds since the Unix epoch, in microseconds.
    fn time(&self, name: &str) -> Result<Option<i64>, Failure> {
        match self.get(name) {
            "" => Ok(None),
            text => {
                let micros = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(MICROS));
                let bad = || Failure::bad_request(format!("`{name}` is in whole seconds since 1970, as in 1700000000"));
                micros.map(Some).ok_or_else(bad)
            }
        }
    }
}

#[cfg(test)]
mod tests;
