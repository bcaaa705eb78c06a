//! The query API's filters, as flags.
use clap::Args;
use jiff::Timestamp;

use super::time;
use crate::outcome::Failure;

/// What to look for.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filters {
    /// Caller
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    user: Vec<String>,
    /// Part of the caller
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    user_search: Vec<String>,
    /// Part of a group of the caller
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    group: Vec<String>,
    /// get, list, watch, create, update, patch, delete …
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verb: Vec<String>,
    /// Namespace of the object
    #[arg(long, short, value_name = "NAME", value_delimiter = ',')]
    namespace: Vec<String>,
    /// Part of the namespace
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    namespace_search: Vec<String>,
    /// KubeSphere's workspace
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    workspace: Vec<String>,
    /// Part of the workspace
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    workspace_search: Vec<String>,
    /// Beginning of the kind: pods, secrets …
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    resource: Vec<String>,
    /// Beginning of the subresource: exec, status …
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    subresource: Vec<String>,
    /// Name of the object
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    name: Vec<String>,
    /// Part of the name
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    name_search: Vec<String>,
    /// HTTP status of the answer
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    code: Vec<u16>,
    /// Success or Failure, where the answer said so
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<String>,
    /// Part of an address that the request came from
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    source_ip: Vec<String>,
    /// Cluster that sent the event
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    cluster: Vec<String>,
    /// Metadata, Request or RequestResponse
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    level: Vec<String>,
    /// From so long ago until now: 30m, 12h, 7d …
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["since", "until"])]
    last: Option<String>,
    /// From this moment: 2026-11-22T14:05:00Z, 2026-11-22 14:05, 2026-11-22 (UTC), or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until this moment, written likewise
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Filters {
    /// The query API's parameters.
    pub(crate) fn parameters(&self, now: Timestamp) -> Result<Vec<(&'static str, String)>, Failure> {
        let codes: Vec<String> = self.code.iter().map(ToString::to_string).collect();
        let lists: [(&'static str, &[String]); 17] = [
            ("user_filter", &self.user),
            ("user_search", &self.user_search),
            ("group_search", &self.group),
            ("verb_filter", &self.verb),
            ("objectref_namespace_filter", &self.namespace),
            ("objectref_namespace_search", &self.namespace_search),
            ("workspace_filter", &self.workspace),
            ("workspace_search", &self.workspace_search),
            ("objectref_resource_filter", &self.resource),
            ("objectref_subresource_filter", &self.subresource),
            ("objectref_name_filter", &self.name),
            ("objectref_name_search", &self.name_search),
            ("response_code_filter", &codes),
            ("response_status_filter", &self.status),
            ("source_ip_search", &self.source_ip),
            ("cluster", &self.cluster),
            ("level_filter", &self.level),
        ];
        let mut parameters: Vec<_> = lists
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| (name, values.join(",")))
            .collect();
        let start = match (&self.last, &self.since) {
            (Some(last), _) => Some(time::ago(last, now).map_err(|error| error.of("--last"))?),
            (None, Some(since)) => Some(time::moment(since, now).map_err(|error| error.of("--since"))?),
            (None, None) => None,
        };
        let end = self.until.as_ref().map(|until| time::moment(until, now).map_err(|error| error.of("--until")));
        let end = end.transpose()?;
        if let (Some(start), Some(end)) = (start, end)
            && start > end
        {
            return Err(Failure::usage(format!("--since ({start}) is after --until ({end})")));
        }
        // Whole seconds, both of them belonging to the answer.
        parameters.extend(start.map(|start| ("start_time", start.as_second().to_string())));
        parameters.extend(end.map(|end| ("end_time", end.as_second().to_string())));
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Filters;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        filters: Filters,
    }

    fn check(arguments: &[&str], expected: Result<&[(&str, &str)], &str>) {
        let now = "2026-11-22T12:00:00.5Z".parse().unwrap();
        let line = Line::try_parse_from(["x"].iter().chain(arguments)).unwrap();
        match (line.filters.parameters(now), expected) {
            (Ok(got), Ok(expected)) => {
                let got: Vec<_> = got.iter().map(|(name, value)| (*name, value.as_str())).collect();
                assert_eq!(got, expected);
            }
            (Err(got), Err(expected)) => assert!(got.render(false).contains(expected), "{}", got.render(false)),
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn each_flag_is_a_parameter_and_several_values_are_a_list() {
        check(&[], Ok(&[]));
        check(
            &["--verb", "get,list", "--verb", "watch", "-n", "payments", "--code", "403", "--user-search", "ci"],
            Ok(&[
                ("user_search", "ci"),
                ("verb_filter", "get,list,watch"),
                ("objectref_namespace_filter", "payments"),
                ("response_code_filter", "403"),
            ]),
        );
    }

    #[test]
    fn time_is_in_whole_seconds() {
        check(&["--last", "12h"], Ok(&[("start_time", "1795305600")]));
        check(
            &["--since", "2026-11-22 10:00", "--until", "30m"],
            Ok(&[("start_time", "1795341600"), ("end_time", "1795347000")]),
        );
        check(&["--since", "1h", "--until", "2h"], Err("is after --until"));
        check(&["--last", "soon"], Err("--last"));
    }
}
