//! How indices are named, and which of them a query is about.
//!
//! `<prefix>-YYYY.MM.DD`, where the prefix may name the document's cluster (`{cluster}-auditing`, as KubeSphere 4 has it).
//! Without a query that says which clusters it is about, every cluster's indices are asked, by a pattern.

use std::collections::BTreeSet;

use crate::day::Day;
use crate::error::OpenError;
use crate::field::Field;
use crate::filter::Filter;
use crate::query::Query;

/// What stands for the document's cluster.
const CLUSTER: &str = "{cluster}";
/// Indices that are asked for by name; more are asked for by a pattern.
const NAMED: usize = 31;
/// Characters of a cluster in a name: a label's.
const MAX_CLUSTER: usize = 63;

/// The names of our indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    before: String,
    /// What comes after the cluster, where the name has it.
    after: Option<String>,
}

impl Names {
    pub(super) fn new(prefix: &str) -> Result<Self, OpenError> {
        let (before, after) = match prefix.split_once(CLUSTER) {
            Some((before, after)) => (before, Some(after)),
            None => (prefix, None),
        };
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let fixed = format!("{before}{}", after.unwrap_or_default());
        let starts = prefix.starts_with(CLUSTER)
            || before.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !starts || fixed.is_empty() || prefix.len() > 150 || !fixed.bytes().all(allowed) {
            let message = "lower-case letters, digits, `-`, `_` and `.`, a letter or digit first, at most 150; \
                           `{cluster}` once, beside something else";
            return Err(OpenError::Setting { key: "search.indexPrefix", message: message.to_owned() });
        }
        Ok(Self { before: before.to_owned(), after: after.map(str::to_owned) })
    }

    /// The index of a cluster's day.
    pub(super) fn index(&self, cluster: &str, day: Day) -> String {
        format!("{}-{}", self.of(&label(cluster)), day.name('.'))
    }

    /// A pattern for all indices.
    pub(super) fn pattern(&self) -> String {
        format!("{}-*", self.of("*"))
    }

    /// The template's name, which must not have what a pattern has.
    pub(super) fn template(&self) -> String {
        format!("vedette-{}", self.of("each-cluster"))
    }

    /// Whether each cluster has indices of its own.
    pub(super) fn by_cluster(&self) -> bool {
        self.after.is_some()
    }

    /// The day of an index of ours.
    pub(super) fn day(&self, index: &str) -> Option<Day> {
        // A day's name has ten bytes.
        let (name, day) = index.split_at_checked(index.len().checked_sub(10)?)?;
        let name = name.strip_suffix('-')?;
        let ours = match &self.after {
            None => name == self.before,
            Some(after) => name
                .strip_prefix(self.before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(|cluster| !cluster.is_empty()),
        };
        Day::parse(day, '.').filter(|_| ours)
    }

    /// The indices that a query is about, as a path.
    pub(super) fn of_query(&self, query: &Query) -> String {
        let clusters: Option<BTreeSet<String>> = match &self.after {
            None => Some(BTreeSet::from([String::new()])),
            Some(_) => clusters(&query.filter).map(|clusters| clusters.iter().map(|name| label(name)).collect()),
        };
        let clusters = clusters.filter(|clusters| (1..=NAMED).contains(&clusters.len()));
        let prefixes: Vec<String> = match clusters {
            Some(clusters) => clusters.iter().map(|cluster| self.of(cluster)).collect(),
            None => vec![self.of("*")],
        };
        if let (Some(start), Some(end)) = (query.start_micros, query.end_micros) {
            let most = NAMED / prefixes.len().max(1);
            let days: Vec<Day> = Day::of(start).through(Day::of(end)).take(most + 1).collect();
            if (1..=most).contains(&days.len()) {
                let names = prefixes
                    .iter()
                    .flat_map(|prefix| days.iter().map(move |day| format!("{prefix}-{}", day.name('.'))));
                return names.collect::<Vec<_>>().join(",");
            }
        }
        prefixes.iter().map(|prefix| format!("{prefix}-*")).collect::<Vec<_>>().join(",")
    }

    fn of(&self, cluster: &str) -> String {
        match &self.after {
            None => self.before.clone(),
            Some(after) => format!("{}{cluster}{after}", self.before),
        }
    }
}

/// The clusters that documents must be of to satisfy the filter, as far as it says so at its top.
fn clusters(filter: &Filter) -> Option<&[String]> {
    match filter {
        Filter::Is(Field::Cluster, names) if names.iter().all(|name| !name.is_empty()) => Some(names),
        Filter::All(filters) => filters.iter().find_map(clusters),
        _ => None,
    }
}

/// The cluster as a part of a name, which an index's name must allow whatever a sender says. Two clusters that come out
/// alike share their indices, and are told apart by their documents.
fn label(cluster: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c.to_ascii_lowercase() } else { '-' };
    let label: String = cluster.chars().map(safe).take(MAX_CLUSTER).collect();
    let label = label.trim_start_matches(['-', '_', '.']);
    if label.is_empty() { "default".to_owned() } else { label.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::day::Day;
    use crate::field::Field;
    use crate::filter::Filter;
    use crate::query::Query;

    const DAY: i64 = 86_400_000_000;

    fn check(prefix: &str, filter: Filter, end: Option<i64>, expected: &str) {
        let query = Query { start_micros: end.map(|_| 0), end_micros: end, filter };
        assert_eq!(Names::new(prefix).unwrap().of_query(&query), expected, "{query:?}");
    }

    #[test]
    fn asks_few_days_and_clusters_by_name_and_many_by_pattern() {
        let all = Filter::everything;
        check("p", all(), Some(DAY), "p-1970.01.01,p-1970.01.02");
        check("p", all(), Some(31 * DAY), "p-*");
        check("p", all(), None, "p-*");
        check("p", all(), Some(-DAY), "p-1970.01.01");
        check("p", Filter::is(Field::Cluster, ["a"]), None, "p-*");
        let own = "{cluster}-auditing";
        check(own, all(), None, "*-auditing-*");
        check(own, all(), Some(0), "*-auditing-1970.01.01");
        let some = Filter::is(Field::Cluster, ["a", "B/c"]);
        check(own, some.clone(), None, "a-auditing-*,b-c-auditing-*");
        check(own, some.clone(), Some(0), "a-auditing-1970.01.01,b-c-auditing-1970.01.01");
        check(own, Filter::is(Field::Verb, ["get"]).and(some.clone()), None, "a-auditing-*,b-c-auditing-*");
        // Not what it says of some documents alone, or of those that it leaves out, or of those without a cluster.
        check(own, Filter::Any(vec![some.clone(), all()]), None, "*-auditing-*");
        check(own, Filter::Not(Box::new(some)), None, "*-auditing-*");
        check(own, Filter::is(Field::Cluster, ["a", ""]), None, "*-auditing-*");
        let many = Filter::is(Field::Cluster, (0..100).map(|n| format!("c{n}")));
        check(own, many, Some(0), "*-auditing-1970.01.01");
    }

    #[test]
    fn knows_its_own_indices() {
        let day = Day::of(0);
        let (plain, own) = (Names::new("p").unwrap(), Names::new("x-{cluster}-auditing").unwrap());
        assert_eq!(plain.index("c", day), "p-1970.01.01");
        assert_eq!(own.index("Host_1", day), "x-host_1-auditing-1970.01.01");
        assert_eq!(Names::new("{cluster}-a").unwrap().index("_*,", day), "default-a-1970.01.01");
        for (names, index, ours) in [
            (&plain, "p-1970.01.01", true),
            (&plain, "p-x-1970.01.01", false),
            (&plain, "p-1970.01.01-x", false),
            (&own, "x-c-auditing-1970.01.01", true),
            (&own, "x--auditing-1970.01.01", false),
            (&own, "x-auditing-1970.01.01", false),
            (&own, "x-ü-auditing-197ü.01", false),
        ] {
            assert_eq!(names.day(index), ours.then_some(day), "{index}");
        }
    }

    #[test]
    fn refuses_names_that_no_index_has() {
        for prefix in ["", "A", "-a", "a b", "a,b", "{cluster}", "a-{cluster}-{cluster}", "{Cluster}-a", "_a", "a*"] {
            assert!(Names::new(prefix).is_err(), "{prefix}");
        }
        assert!(Names::new("{cluster}-auditing").is_ok() && Names::new("ks-whizard-auditing").is_ok());
    }
}
