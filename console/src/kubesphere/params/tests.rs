use vedette_archive::{Page, Query, Terms};

use super::{Operation, Request};

fn parse(query: &str) -> Request {
    Request::parse(query, None).unwrap_or_else(|failure| panic!("{query}: {failure:?}"))
}

/// Reads a query string and compares what it selects.
fn check(query: &str, expected: Query) {
    assert_eq!(parse(query).query, expected, "{query}");
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

#[test]
fn each_parameter_narrows_its_field() {
    let any = Query::default;
    let ab = || strings(&["a", "b"]);
    let exact = || Terms::exact(["a", "b"]);
    let contains = || Terms::contains(["a", "b"]);
    check("", any());
    check("cluster=a,b", Query { clusters: ab(), ..any() });
    check("workspace_filter=a,b", Query { workspaces: exact(), ..any() });
    check("workspace_search=a,b", Query { workspaces: contains(), ..any() });
    check("objectref_namespace_filter=a,b", Query { namespaces: exact(), ..any() });
    check("objectref_namespace_search=a,b", Query { namespaces: contains(), ..any() });
    check("objectref_name_filter=a,b", Query { names: exact(), ..any() });
    check("objectref_name_search=a,b", Query { names: contains(), ..any() });
    check("user_filter=a,b", Query { users: exact(), ..any() });
    check("user_search=a,b", Query { users: contains(), ..any() });
    check("level_filter=a,b", Query { levels: ab(), ..any() });
    check("verb_filter=a,b", Query { verbs: ab(), ..any() });
    check("group_search=a,b", Query { groups_contains: ab(), ..any() });
    check("source_ip_search=a,b", Query { source_ips_contains: ab(), ..any() });
    check("objectref_resource_filter=a,b", Query { resources_prefix: ab(), ..any() });
    check("objectref_subresource_filter=a,b", Query { subresources_prefix: ab(), ..any() });
    check("response_code_filter=200,403", Query { codes: vec![200, 403], ..any() });
    check("response_status_filter=a,b", Query { statuses: ab(), ..any() });
    check("start_time=1700000000", Query { start_micros: Some(1_700_000_000_000_000), ..any() });
    check("end_time=1700000001", Query { end_micros: Some(1_700_000_001_999_999), ..any() });
}

#[test]
fn filter_and_search_of_one_field_go_together() {
    let users = Terms { exact: strings(&["admin"]), contains: strings(&["adm"]) };
    check("user_filter=admin&user_search=adm", Query { users, ..Query::default() });
}

#[test]
fn values_are_decoded_and_empty_ones_passed_over() {
    let users = Terms::exact(["system:serviceaccount:ci:deployer", "a b", "ö"]);
    check("user_filter=system%3Aserviceaccount%3Aci%3Adeployer,a+b,,%C3%B6,", Query { users, ..Query::default() });
    check("user_filter=&verb_filter=,&unknown=x", Query::default());
    check("verb_filter=get&verb_filter=list", Query { verbs: strings(&["get"]), ..Query::default() });
}

#[test]
fn the_cluster_of_the_path_is_the_one_that_counts() {
    let request = Request::parse("cluster=other", Some("member".to_owned())).unwrap();
    assert_eq!(request.query.clusters, ["member"]);
}

#[test]
fn codes_that_are_no_numbers_are_skipped() {
    check("response_code_filter=abc,404,4x4,", Query { codes: vec![404], ..Query::default() });
    check("response_code_filter=abc", Query::default());
}

#[test]
fn operations_are_read_and_anything_else_is_a_query() {
    let operation = |query| parse(query).operation;
    assert_eq!(operation(""), Operation::Query);
    assert_eq!(operation("operation=query"), Operation::Query);
    assert_eq!(operation("operation=statistics"), Operation::Statistics);
    assert_eq!(operation("operation=histogram"), Operation::Histogram);
    assert_eq!(operation("operation=export"), Operation::Export);
    assert_eq!(operation("operation=delete"), Operation::Query);
}

#[test]
fn pages_are_read_leniently() {
    let page = |query| parse(query).page;
    let default = Page { from: 0, size: 10, newest_first: true };
    assert_eq!(page(""), default);
    assert_eq!(page("from=50&size=50&sort=asc"), Page { from: 50, size: 50, newest_first: false });
    assert_eq!(page("size=many"), default);
    assert_eq!(page("size=-1"), default);
    assert_eq!(page("size=99999999999999999999"), default);
    assert_eq!(page("size=0"), Page { size: 0, ..default });
    assert_eq!(page("from=x"), default);
    assert_eq!(page("from=-5"), default);
    assert_eq!(page("sort=ASC"), default);
    assert_eq!(page("from=9990&size=10"), Page { from: 9_990, ..default });
}

#[test]
fn intervals_are_read() {
    let interval = |query: &str| parse(query).interval;
    assert_eq!(interval(""), "15m".parse().unwrap());
    assert_eq!(interval("interval="), "15m".parse().unwrap());
    for text in ["30s", "1m", "6h", "1d", "1w", "1M", "1q", "1y"] {
        assert_eq!(interval(&format!("interval={text}")), text.parse().unwrap());
    }
}

#[test]
fn kubespheres_console_asks_from_the_beginning_of_time() {
    let request = parse("operation=histogram&start_time=0&interval=1d");
    assert_eq!(request.query.start_micros, Some(0));
    assert_eq!(request.interval, "1d".parse().unwrap());
}

#[test]
fn what_cannot_be_answered_is_an_error_that_says_why() {
    let error = |query: &str| match Request::parse(query, None) {
        Ok(request) => panic!("{query} was taken: {request:?}"),
        Err(failure) => failure.to_string(),
    };
    assert!(error("start_time=yesterday").contains("`start_time`"));
    assert!(error("end_time=1700000000.5").contains("`end_time`"));
    assert!(error("end_time=9223372036854775807").contains("`end_time`"), "it is beyond every calendar");
    assert!(error("interval=15").contains("`interval`"));
    assert!(error("interval=0m").contains("`interval`"));
    assert!(error("interval=1x").contains("`interval`"));
    assert!(error("from=9991&size=10").contains("10000"));
    assert!(error("size=10001").contains("export"));
}
