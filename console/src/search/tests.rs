//! What queries find, what they are refused for, and what they say about time and coverage.

mod random;

use jiff::Timestamp;
use vedette_archive::{Field, Filter, Pattern};
use vedette_audit::document::Document;
use vedette_audit::identity::EventId;

use super::{Asked, Search, SearchError, quote};

const NOW: &str = "2026-11-22T12:00:00Z";

pub(super) fn parse(text: &str) -> Result<Search, SearchError> {
    Search::parse(text, NOW.parse().unwrap())
}

fn document(id: u8, event: &str, change: impl FnOnce(&mut Document)) -> Document {
    let rules = ["evidence-rule.reads".to_owned()];
    let mut document = Document::build(EventId::from_bytes([id; 16]), event.as_bytes(), &rules, 1_000).unwrap();
    change(&mut document);
    document
}

/// A few events; their ids are their places in the list.
pub(super) fn documents() -> Vec<Document> {
    let events = [
        // 0: reads a secret by name.
        r#"{"level":"Metadata","auditID":"Aa","stage":"ResponseComplete","verb":"get","user":{"username":"alice","groups":["dev","ops"]},
            "sourceIPs":["203.0.113.7","10.1.2.3"],"userAgent":"kubectl/v1.31","requestReceivedTimestamp":"2026-11-22T11:00:00Z",
            "objectRef":{"resource":"secrets","namespace":"payments","name":"db","apiVersion":"v1"},"responseStatus":{"code":200}}"#,
        // 1: lists the secrets of all namespaces, and is denied.
        r#"{"level":"Metadata","auditID":"b","stage":"ResponseComplete","verb":"list","user":{"username":"Bob"},"sourceIPs":["10.2.0.1"],
            "objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403,"status":"Failure","reason":"Forbidden"}}"#,
        // 2: executes in a pod.
        r#"{"level":"Request","auditID":"c","stage":"ResponseStarted","verb":"create","user":{"username":"system:serviceaccount:ci:deployer"},
            "impersonatedUser":{"username":"alice"},"objectRef":{"resource":"pods","namespace":"payments","name":"web-1","subresource":"exec"},
            "responseStatus":{"code":101}}"#,
        // 3: changes a deployment.
        r#"{"level":"Request","auditID":"d","stage":"ResponseComplete","verb":"patch","user":{"username":"alice"},"sourceIPs":["192.168.0.9"],
            "objectRef":{"resource":"deployments","apiGroup":"apps","namespace":"shop","name":"front"},"responseStatus":{"code":200}}"#,
        // 4: names no resource; its response is not there yet.
        r#"{"level":"Metadata","auditID":"e","stage":"RequestReceived","verb":"get","user":{"username":"system:anonymous"},
            "requestURI":"/healthz"}"#,
        // 5: watches one other secret by a field selector.
        r#"{"level":"Metadata","auditID":"f","stage":"ResponseComplete","verb":"watch","user":{"username":"kubelet"},
            "objectRef":{"resource":"secrets","namespace":"payments","name":"other"},"responseStatus":{"code":200}}"#,
        // 6: asks whether it may.
        r#"{"level":"Metadata","auditID":"g","stage":"ResponseComplete","verb":"create","user":{"username":"kubelet"},
            "objectRef":{"resource":"subjectaccessreviews","apiGroup":"authorization.k8s.io"},"responseStatus":{"code":201}}"#,
        // 7: deletes all secrets of a namespace.
        r#"{"level":"Metadata","auditID":"h","stage":"ResponseComplete","verb":"deletecollection","user":{"username":"carol"},
            "objectRef":{"resource":"secrets","namespace":"payments"},"responseStatus":{"code":200}}"#,
    ];
    let numbered = (0_u8..).zip(events);
    let own = |id: u8| {
        move |document: &mut Document| match id {
            2 => {
                document.fields.command = "cat /etc/passwd".to_owned();
                document.fields.credential = "X509SHA256=0a".to_owned();
                document.fields.duration_micros = Some(1_500_000);
            }
            4 => document.fields.path = "/healthz".to_owned(),
            _ => document.fields.duration_micros = Some(250_000),
        }
    };
    numbered.map(|(id, event)| document(id, event, own(id))).collect()
}

#[track_caller]
fn finds(text: &str, expected: &[usize]) {
    let filter = parse(text).unwrap_or_else(|error| panic!("{}", error.render(text))).filter;
    let documents = documents();
    let found: Vec<usize> = (0..documents.len()).filter(|at| filter.matches(&documents[*at])).collect();
    assert_eq!(found, expected, "{text}: {filter:?}");
}

#[test]
fn terms_find_whole_values() {
    finds("", &[0, 1, 2, 3, 4, 5, 6, 7]);
    finds("user:ALICE", &[0, 3]);
    finds("user:bob", &[1]);
    finds("user:=bob", &[]);
    finds("user:=Bob", &[1]);
    finds("user:ali", &[]);
    finds("user~ALI", &[0, 3]);
    finds("user:~ali*e", &[0, 3]);
    finds("user:\"a*\"", &[]);
    finds("user:a\\*", &[]);
    finds("user:a*,b?b", &[0, 1, 3]);
    finds("actor:alice", &[0, 2, 3]);
    finds("group:ops", &[0]);
    finds("-group:dev", &[1, 2, 3, 4, 5, 6, 7]);
    finds("ns:\"\"", &[1, 4, 6]);
    finds("ns:*", &[0, 2, 3, 5, 7]);
    finds("ns:shop,\"\"", &[1, 3, 4, 6]);
    finds("user:system:serviceaccount:ci:deployer", &[2]);
    finds("cmd:\"cat /etc/passwd\"", &[2]);
    finds("audit:Aa", &[0]);
    finds("auditid:aa", &[]);
    finds("id:02020202020202020202020202020202", &[2]);
    finds("status:failure reason:forbidden", &[1]);
    finds("rule:evidence-rule.* level:request", &[2, 3]);
}

#[test]
fn terms_hold_together() {
    finds("user:alice ns:shop", &[3]);
    finds("user:alice and ns:shop", &[3]);
    finds("user:bob or user:alice ns:shop", &[1, 3]);
    finds("(user:bob OR user:alice) ns:shop", &[3]);
    finds("-(user:bob or user:alice) resource:secrets", &[5, 7]);
    finds("not not user:bob", &[1]);
    finds("!user:bob -user:alice not ns:\"\"", &[2, 5, 7]);
    finds("not -user:bob", &[1]);
    finds("user:alice(ns:shop)", &[3]);
}

#[test]
fn words_are_found_anywhere() {
    finds("passwd", &[2]);
    finds("healthz", &[4]);
    finds("x509*0a", &[2]);
    finds("\"serviceaccount:ci\"", &[2]);
    finds("front,web", &[2, 3]);
    finds("-alice", &[1, 4, 5, 6, 7]);
    finds("\"or\"", &[]);
    finds("10.1.2", &[0]);
    finds("203.0", &[]);
    finds("image=x", &[]);
}

#[test]
fn numbers_have_ranges() {
    finds("code:403", &[1]);
    finds("code:4xx,101", &[1, 2]);
    finds("code:>=400", &[1]);
    finds("code>=400", &[1]);
    finds("code:<200", &[2]);
    finds("code:>200 code:<=4xx", &[1, 6]);
    finds("code:200..201", &[0, 3, 5, 6, 7]);
    finds("code:..200", &[0, 2, 3, 5, 7]);
    finds("code:\"\"", &[4]);
    finds("-code:*", &[4]);
    finds("code:20x", &[0, 3, 5, 6, 7]);
    finds("duration:>1s", &[2]);
    finds("duration:<=250ms", &[0, 1, 3, 5, 6, 7]);
    finds("duration:<250ms", &[]);
    finds("duration:1s..1.5s", &[2]);
    finds("duration:\"\"", &[4]);
    finds("is:denied", &[1]);
    finds("is:failed,write", &[1, 2, 3, 6, 7]);
    finds("is:read -is:failed", &[0, 4, 5]);
}

#[test]
fn addresses_have_prefixes_at_dots() {
    finds("ip:10.0.0.0/8", &[0, 1]);
    finds("ip:10.1.0.0/16", &[0]);
    finds("ip:192.168.0.0/24,10.2.0.1/32", &[1, 3]);
    finds("ip:203.0.113.7", &[]);
    finds("anyip:203.0.113.7", &[0]);
    finds("ip:10.*", &[0, 1]);
    finds("ip~168", &[3]);
}

#[test]
fn resources_have_short_names() {
    finds("resource:deploy", &[3]);
    finds("kind:Deployment.apps", &[3]);
    finds("resource:deployments.batch", &[]);
    finds("resource:\"deploy\"", &[]);
    finds("res:pods/exec", &[2]);
    finds("resource:po sub:\"\"", &[]);
    finds("resource:secret*,pod", &[0, 1, 2, 5, 7]);
    finds("resource:\"\"", &[4]);
    finds("resource:*.apps", &[3]);
    finds("resource~review", &[6]);
}

#[test]
fn reads_and_changes_are_of_objects() {
    // A list that was refused shows nothing.
    finds("resource:secrets verb:list code:403", &[1]);
    finds("reads:payments/secrets/db", &[0]);
    finds("reads:payments/secret/*", &[0, 5]);
    finds("reads:secrets/other", &[5]);
    finds("reads:/secrets/db", &[]);
    finds("reads:pay*/secrets/db", &[0]);
    finds("reads:shop/deploy.apps/front", &[]);
    finds("change:yes", &[3, 7]);
    finds("change:no", &[0, 1, 2, 4, 5, 6]);
    finds("change:payments/secrets/db", &[7]);
    finds("change:deploy/front", &[3]);
    finds("sub:exec,attach,portforward", &[2]);
}

#[track_caller]
fn lasts(text: &str, start: &str, end: &str) {
    let search = parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
    assert_eq!(search.filter, Filter::everything(), "{text}");
    let shown = |micros: Option<i64>| {
        micros.map_or_else(String::new, |micros| Timestamp::from_microsecond(micros).unwrap().to_string())
    };
    assert_eq!((shown(search.start_micros).as_str(), shown(search.end_micros).as_str()), (start, end), "{text}");
}

#[test]
fn times_are_in_utc_and_end_whole() {
    lasts("", "", "");
    lasts("last:12h", "2026-11-22T00:00:00Z", "");
    lasts("last:1h30m", "2026-11-22T10:30:00Z", "");
    lasts("last:2w", "2026-11-08T12:00:00Z", "");
    lasts("since:2h", "2026-11-22T10:00:00Z", "");
    lasts("since:2h until:1h", "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z");
    lasts("(until:2026-11-22T14:05:00+02:00)", "", "2026-11-22T12:05:00.999999Z");
    lasts("until:2026-11-22T12:05:00.25Z", "", "2026-11-22T12:05:00.25Z");
    lasts("2026-11-20..2026-11-21", "2026-11-20T00:00:00Z", "2026-11-21T23:59:59.999999Z");
    lasts("2026-11-20T14:05:00Z..", "2026-11-20T14:05:00Z", "");
}

#[test]
fn a_time_of_day_is_the_last_that_was() {
    lasts("09:05..11:05", "2026-11-22T09:05:00Z", "2026-11-22T11:05:00.999999Z");
    lasts("11:05..14:05", "2026-11-22T11:05:00Z", "2026-11-22T14:05:00.999999Z");
    lasts("12:05..14:05", "2026-11-21T12:05:00Z", "2026-11-21T14:05:00.999999Z");
    lasts("22:00..02:00", "2026-11-21T22:00:00Z", "2026-11-22T02:00:00.999999Z");
    lasts("..14:05", "", "2026-11-21T14:05:00.999999Z");
    lasts("..11:05:30", "", "2026-11-22T11:05:30.999999Z");
    lasts("since:14:05", "2026-11-21T14:05:00Z", "");
    lasts("since:09:05 until:11:05", "2026-11-22T09:05:00Z", "2026-11-22T11:05:00.999999Z");
    lasts("2026-11-20T22:00..23:00", "2026-11-20T22:00:00Z", "2026-11-20T23:00:00.999999Z");
    lasts("2026-11-20T22:00..02:00", "2026-11-20T22:00:00Z", "2026-11-21T02:00:00.999999Z");
    lasts("22:00..2026-11-20T02:00", "2026-11-19T22:00:00Z", "2026-11-20T02:00:00.999999Z");
    lasts("22:00..2026-11-20", "2026-11-20T22:00:00Z", "2026-11-20T23:59:59.999999Z");
    lasts("around:11:00/15m", "2026-11-22T10:45:00Z", "2026-11-22T11:15:00.999999Z");
    lasts("around:14:05", "2026-11-21T13:50:00Z", "2026-11-21T14:20:00.999999Z");
    lasts("around:2026-11-20T14:05:00Z±1h", "2026-11-20T13:05:00Z", "2026-11-20T15:05:00.999999Z");
}

/// `place` is the part of the text that the error points at.
#[track_caller]
fn refused(text: &str, place: &str, expected: &str) {
    let error = parse(text).expect_err(text);
    assert_eq!(error.to_string(), expected, "{text}");
    assert_eq!(text.get(error.start..error.end), Some(place), "{text}");
}

#[test]
fn errors_point_at_the_place() {
    let keys = "`user`, `actor`, `ns`, `resource`, `name`, `verb`, `sub`, `code`, `ip`, `reads`, `change`, `last`";
    refused(
        "a:b vrb:get",
        "a",
        &format!("unknown key `a` at 1: keys are {keys}; put a text that has a colon in quotes"),
    );
    refused("foo vrb:get", "vrb", &format!("unknown key `vrb` at 5: did you mean `verb`? Others are {keys}"));
    refused(
        "é namspace:x",
        "namspace",
        &format!("unknown key `namspace` at 4: did you mean `namespace`? Others are {keys}"),
    );
    refused("user:", "", "`user` has no value at 6: `user:\"\"` finds what has none, `user:*` what has one");
    refused("user:a,,b", "", "a value is missing beside the comma at 8: write a comma itself in quotes");
    refused("user=alice", "user=alice", "`user` needs a colon at 1: write `user:value`");
    refused("(a (b)", "(", "the parenthesis is not closed at 1");
    refused("a)", ")", "nothing is open that `)` could close at 2");
    refused("()", ")", "a term is missing at 2");
    refused("a or", "", "a term is missing at 5");
    refused("or a", "or", "a term is missing at 1: put the word itself in quotes");
    refused("a and", "", "a term is missing at 6");
    refused("not", "", "a term is missing at 4");
    refused("- a", "-", "nothing follows that could be negated at 1: write `-key:value`, without white space");
    refused("--last 12h", "--last", "negated twice at 1: put a text that begins so in quotes");
    refused("a \"b", "\"", "the quotes are not closed at 3: write `\\\"` for a quotation mark itself");
    refused("a\\", "\\", "nothing follows the backslash at 2: write `\\\\` for a backslash");
    refused(
        r#""C:\x""#,
        "\\x",
        "`\\x` means nothing in quotes at 4: write `\\\\` for a backslash, `\\\"` for a quotation mark",
    );
    refused(":x", ":x", "a key is missing at 1: put a text that begins so in quotes");
    refused("code:4y", "4y", "`4y` is no status code at 6: write `404`, `4xx`, `>=400`, `<500` or `400..499`");
    refused("code:500..400", "500..400", "the range ends before it begins at 6");
    refused("code~4", "code~4", "`code` is no text: `~` and `=` say nothing about it at 1: write `code:value`");
    refused(
        "duration:1s",
        "1s",
        "`1s` is no range of durations at 10: write `>1s`, `<=250ms` or `1s..5s`; units are us, ms, s, m and h",
    );
    refused("audit~x", "audit~x", "`audit` is found by whole values alone at 1: write it without `~` and wildcards");
    refused("id:7", "7", "`7` is no event's id at 4: an id has 32 hexadecimal digits");
    refused("is:odd", "odd", "nothing is `odd` at 4: write `is:read`, `is:write`, `is:denied` or `is:failed`");
    refused(
        "change:maybe",
        "maybe",
        "`maybe` is no object at 8: write `change:yes`, `change:no` or `change:payments/secrets/db`",
    );
    let object = "write NAMESPACE/RESOURCE/NAME, as `payments/secrets/db`, or RESOURCE/NAME; `*` is any";
    refused("reads:secrets", "secrets", &format!("`secrets` is no object at 7: {object}"));
    refused("reads:a/b/", "a/b/", "the object's name is missing at 7: any name is written `*`");
    let addresses = "addresses are compared as texts: write 10.0.0.0/8, /16 or /24 of IPv4, or a pattern as `fd00:*`";
    refused(
        "ip:10.0.0.0/12",
        "10.0.0.0/12",
        &format!("`10.0.0.0/12` ends within a part of the address at 4: {addresses}"),
    );
    refused("ip:fd00::/8", "fd00::/8", &format!("`fd00::/8` is a prefix of IPv6 at 4: {addresses}"));
}

#[test]
fn a_query_has_one_time() {
    let twice = "a query has one range of times; `since:` and `until:` make one together";
    refused("last:1h since:2h", "since:2h", &format!("the time is given twice at 9: {twice}"));
    refused("since:1h since:2h", "since:2h", &format!("the time is given twice at 10: {twice}"));
    let whole = "it can't be negated or be one of several";
    refused("-last:1h", "last:1h", &format!("a time holds for the whole query at 2: {whole}"));
    refused("a or last:1h", "last:1h", &format!("a time holds for the whole query at 6: {whole}"));
    refused("2026-11-22..2026-11-20", "2026-11-22..2026-11-20", "the range of times ends before it begins at 1");
    refused("since:1h until:2h", "until:2h", "the range of times ends before it begins at 10");
    let moments =
        "write 2026-11-22T14:05:00Z, 2026-11-22T14:05, 2026-11-22 or 14:05 (all UTC), or 2h for two hours ago";
    refused("since:yesterday", "yesterday", &format!("`yesterday` is no moment at 7: {moments}"));
    refused("1..5", "1..5", &format!("`1` is no moment at 1: {moments}"));
    refused("last:5", "5", "`5` is no duration at 6: write a duration, as 90s, 30m, 12h, 7d, 2w or 1h30m");
    refused(
        "last:99999999999999999w",
        "99999999999999999w",
        "`99999999999999999w` is no duration at 6: write a duration, as 90s, 30m, 12h, 7d, 2w or 1h30m",
    );
}

#[test]
fn a_query_has_bounds() {
    assert!(parse(&"x".repeat(8_191)).is_ok());
    assert!(parse(&"x".repeat(8_192)).unwrap_err().message.contains("longer than"));
    assert!(parse(&format!("user:{}", vec!["a"; 256].join(","))).is_ok());
    assert!(parse(&format!("user:{}", vec!["a"; 257].join(","))).unwrap_err().message.contains("256 values"));
    assert!(parse(&vec!["user:b"; 257].join(" ")).unwrap_err().message.contains("256 values"));
    assert!(parse(&vec!["a"; 200].join(" ")).unwrap_err().message.contains("too much"));
    assert!(parse(&format!("{}a{}", "(".repeat(8), ")".repeat(8))).is_ok());
    assert!(parse(&format!("{}a{}", "(".repeat(9), ")".repeat(9))).unwrap_err().message.contains("parentheses"));
    assert!(parse(&"x?*".repeat(16)).is_ok());
    assert!(parse(&format!("name:{}", "x*".repeat(33))).unwrap_err().message.contains("32 wildcards"));
    assert!(parse(&format!("name:\"{}\"", "x*".repeat(33))).is_ok());
    assert!(parse(&"(".repeat(8_000)).is_err());
    assert!(parse(&"not ".repeat(2_000)).is_err());
    let deep = format!("{}x{}", "a -(b or c -(".repeat(4), "))".repeat(4));
    assert!(parse(&deep).unwrap_err().message.contains("nested too deep"));
}

#[test]
fn an_error_is_shown_with_its_place() {
    let text = "user:alice vrb:get";
    let shown = parse(text).unwrap_err().render(text);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[..3], ["unknown key `vrb`", "  | user:alice vrb:get", "  |            ^^^"]);
    assert!(lines[3].starts_with("  = help: did you mean `verb`?"), "{shown}");
    let long = format!("{} a:\u{1b}[31m\u{202e} {}", "é".repeat(300), "y".repeat(300));
    let shown = parse(&long).unwrap_err().render(&long);
    assert!(shown.lines().all(|line| line.chars().count() < 220), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
}

#[test]
fn what_is_typed_becomes_few_conditions() {
    let like = |field, text: &str| Filter::Like(field, vec![Pattern::text(text)]);
    let filter = |text: &str| parse(text).unwrap().filter;
    assert_eq!(filter("user:alice"), like(Field::User, "alice"));
    assert_eq!(filter("(((user:alice)))"), like(Field::User, "alice"));
    assert_eq!(
        filter("user:a (ns:b (name:c))"),
        Filter::All(vec![like(Field::User, "a"), like(Field::Namespace, "b"), like(Field::Name, "c"),])
    );
    assert_eq!(filter("user:=a,b"), Filter::is(Field::User, ["a", "b"]));
}

#[track_caller]
fn asks(text: &str, expected: &[&[(&str, &str)]]) {
    let shown = |asked: &Asked| {
        let values = [
            ("verb", &asked.verb),
            ("resource", &asked.resource),
            ("group", &asked.api_group),
            ("sub", &asked.subresource),
            ("ns", &asked.namespace),
            ("name", &asked.name),
            ("user", &asked.user),
            ("actor", &asked.actor),
            ("code", &asked.code),
        ];
        let named = values.into_iter().filter_map(|(key, value)| value.clone().map(|value| (key, value)));
        named.collect::<Vec<(&str, String)>>()
    };
    let asked: Vec<_> = parse(text).unwrap().asked.iter().map(shown).collect();
    let expected: Vec<Vec<(&str, String)>> =
        expected.iter().map(|one| one.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()).collect();
    assert_eq!(asked, expected, "{text}");
}

#[test]
fn a_query_names_the_events_it_asks_for() {
    asks("", &[]);
    asks("last:12h nginx -user:alice user~b ns:a* (verb:get or verb:list)", &[]);
    asks("user:Alice verb:GET,list", &[&[("verb", "get"), ("user", "Alice")], &[("verb", "list"), ("user", "Alice")]]);
    asks("verb:get verb:list", &[]);
    asks("ns:\"\" resource:deploy.apps", &[&[("resource", "deployments"), ("group", "apps"), ("ns", "")]]);
    asks("resource:pods/exec code:403,5xx", &[&[("resource", "pods"), ("sub", "exec")]]);
    asks("is:denied actor:a", &[&[("actor", "a"), ("code", "401")], &[("actor", "a"), ("code", "403")]]);
    asks(
        "reads:payments/secret/db",
        &[
            &[("verb", "get"), ("resource", "secrets"), ("sub", ""), ("ns", "payments"), ("name", "db")],
            &[("verb", "list"), ("resource", "secrets"), ("sub", ""), ("ns", "payments"), ("name", "")],
            &[("verb", "watch"), ("resource", "secrets"), ("sub", ""), ("ns", "payments"), ("name", "")],
        ],
    );
    asks(
        "sub:exec,attach verb:get,list,watch,create,update,patch,delete,post,put",
        &[&[("sub", "exec")], &[("sub", "attach")]],
    );
}

#[test]
fn common_values_need_no_quotes() {
    for value in ["alice", "system:serviceaccount:ci:deployer", "10.0.0.1", "web-1", "403", "a@b"] {
        assert_eq!(quote(value), value);
    }
    for (value, quoted) in [
        ("", "\"\""),
        ("po", "\"po\""),
        ("OR", "\"OR\""),
        ("a.b", "\"a.b\""),
        ("1..2", "\"1..2\""),
        ("-a", "\"-a\""),
        ("a\"\\b", "\"a\\\"\\\\b\""),
    ] {
        assert_eq!(quote(value), quoted);
    }
}

#[test]
fn the_manual_is_true() {
    let manual = include_str!("../../../docs/search.md");
    let mut examples = 0;
    for block in manual.split("```search\n").skip(1) {
        for example in block.split("```").next().unwrap().lines() {
            parse(example).unwrap_or_else(|error| panic!("{}", error.render(example)));
            examples += 1;
        }
    }
    assert!(examples > 50, "{examples}");
    for (_, names) in super::key::KEYS {
        assert!(names.iter().all(|name| manual.contains(&format!("`{name}`"))), "{names:?}");
    }
    for line in manual.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 2) {
        let example = line.trim_end_matches(" |").rsplit(" | ").next().unwrap().trim_matches('`');
        parse(example).unwrap_or_else(|error| panic!("{}", error.render(example)));
    }
}
