use vedette_archive::{Field, Filter, Number, Page, Query};

use super::{Operation, Request};

fn parse(query: &str) -> Request {
    Request::parse(query, None).unwrap_or_else(|failure| panic!("{query}: {failure:?}"))
}

/// Reads a query string and compares what it selects.
fn check(query: &str, filters: Vec<Filter>) {
    assert_eq!(parse(query).query, Query::of(Filter::All(filters)), "{query}");
}

#[test]
fn each_parameter_narrows_its_field() {
    check("", vec![]);
    check("cluster=a,b", vec![Filter::is(Field::Cluster, ["a", "b"])]);
    for (parameter, filter, field) in [
        ("workspace_filter", Filter::is as fn(Field, [&'static str; 2]) -> Filter, Field::Workspace),
        ("workspace_search", Filter::contains, Field::Workspace),
        ("objectref_namespace_filter", Filter::is, Field::Namespace),
        ("objectref_namespace_search", Filter::contains, Field::Namespace),
        ("objectref_name_filter", Filter::is, Field::Name),
        ("objectref_name_search", Filter::contains, Field::Name),
        ("user_filter", Filter::is, Field::User),
        ("user_search", Filter::contains, Field::User),
        ("level_filter", Filter::is, Field::Level),
        ("verb_filter", Filter::is, Field::Verb),
        ("group_search", Filter::contains, Field::Group),
        ("source_ip_search", Filter::contains, Field::SourceIp),
        ("response_status_filter", Filter::is, Field::Status),
    ] {
        check(&format!("{parameter}=a,b"), vec![filter(field, ["a", "b"])]);
    }
    let begins = |field| vec![Filter::Begins(field, vec!["a".to_owned(), "b".to_owned()])];
    check("objectref_resource_filter=a,b", begins(Field::Resource));
    check("objectref_subresource_filter=a,b", begins(Field::Subresource));
    check("response_code_filter=200,403", vec![Filter::Equals(Number::Code, vec![200, 403])]);
    let query = parse("start_time=1700000000&end_time=1700000001").query;
    assert_eq!(query.start_micros, Some(1_700_000_000_000_000));
    assert_eq!(query.end_micros, Some(1_700_000_001_999_999));
}

#[test]
fn filter_and_search_of_one_field_go_together() {
    let users = vec![Filter::is(Field::User, ["admin"]), Filter::contains(Field::User, ["adm"])];
    check("user_filter=admin&user_search=adm", users);
}

#[test]
fn values_are_decoded_and_empty_ones_passed_over() {
    let users = Filter::is(Field::User, ["system:serviceaccount:ci:deployer", "a b", "ö"]);
    check("user_filter=system%3Aserviceaccount%3Aci%3Adeployer,a+b,,%C3%B6,", vec![users]);
    check("user_filter=&verb_filter=,&unknown=x", vec![]);
    check("verb_filter=get&verb_filter=list", vec![Filter::is(Field::Verb, ["get"])]);
}

#[test]
fn the_cluster_of_the_path_is_the_one_that_counts() {
    let request = Request::parse("cluster=other", Some("member".to_owned())).unwrap();
    assert_eq!(request.query.filter, Filter::All(vec![Filter::is(Field::Cluster, ["member"])]));
}

#[test]
fn codes_that_are_no_numbers_are_skipped() {
    check("response_code_filter=abc,404,4x4,", vec![Filter::Equals(Number::Code, vec![404])]);
    check("response_code_filter=abc", vec![]);
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
    let default = Page::default();
    assert_eq!(page(""), default);
    assert_eq!(page("from=50&size=50&sort=asc"), Page { from: 50, size: 50, newest_first: false, ..default.clone() });
    assert_eq!(page("size=many"), default);
    assert_eq!(page("size=-1"), default);
    assert_eq!(page("size=99999999999999999999"), default);
    assert_eq!(page("size=0"), Page { size: 0, ..default.clone() });
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
