//! Reading the query string.
//!
//! As lenient as KubeSphere's apiserver, whose clients count on it: an operation that is none is `query`, a `size` or `from`
//! that is no number is the default, a status code that is none is passed over, any `sort` but `asc` is `desc`, and a
//! parameter that is given twice counts once. What it would hand to Elasticsearch, and answer with an error from there, is
//! an error here too: a bad time or interval, a page beyond the first 10,000 records.

use std::borrow::Cow;

use vedette_archive::{Interval, MAX_WINDOW, Page, Query, Terms};

use crate::failure::Failure;

const SIZE: u64 = 10;
const MICROS: i64 = 1_000_000;

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
        let query = Query {
            clusters: cluster.map_or_else(|| params.list("cluster"), |cluster| vec![cluster]),
            workspaces: params.terms("workspace_filter", "workspace_search"),
            namespaces: params.terms("objectref_namespace_filter", "objectref_namespace_search"),
            names: params.terms("objectref_name_filter", "objectref_name_search"),
            users: params.terms("user_filter", "user_search"),
            levels: params.list("level_filter"),
            verbs: params.list("verb_filter"),
            groups_contains: params.list("group_search"),
            source_ips_contains: params.list("source_ip_search"),
            resources_prefix: params.list("objectref_resource_filter"),
            subresources_prefix: params.list("objectref_subresource_filter"),
            codes: params.list("response_code_filter").iter().filter_map(|code| code.parse().ok()).collect(),
            statuses: params.list("response_status_filter"),
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

    fn terms(&self, filter: &str, search: &str) -> Terms {
        Terms { exact: self.list(filter), contains: self.list(search) }
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
