//! The reader against golden cases, serde_json and the real sample.

mod against_serde;
mod sample;

use super::*;
use crate::level::Level;

/// Puts white space between the tokens of compact JSON, by `pattern` over and over.
pub(crate) fn respaced(json: &str, pattern: &[usize]) -> String {
    const SPACES: [&str; 6] = ["", " ", "\n", "\t\t", "\r\n ", "  "];
    let mut out = String::new();
    let mut spaces = pattern.iter().cycle().map(|index| SPACES[index % SPACES.len()]);
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            out.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if "{}[],:\"".contains(character) {
            out.push_str(spaces.next().unwrap());
            out.push(character);
            in_string = character == '"';
            if !in_string {
                out.push_str(spaces.next().unwrap());
            }
        } else {
            out.push(character);
        }
    }
    out
}

fn parse(json: &str) -> Event<'_> {
    Event::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[track_caller]
fn check_bad(json: &[u8], code: BadCode, offset: usize) {
    let error = Event::parse(json).expect_err("a bad event");
    match error.kind {
        EventErrorKind::Bad { code: found, .. } => assert_eq!((found, error.offset), (code, offset), "{error}"),
        EventErrorKind::Syntax { .. } => panic!("a syntax error: {error}"),
    }
    assert_eq!(error.code(), code.as_str());
}

#[track_caller]
fn check_syntax(json: &[u8], offset: usize) {
    let error = Event::parse(json).expect_err("no JSON");
    assert!(matches!(error.kind, EventErrorKind::Syntax { .. }), "{error}");
    assert_eq!(error.offset, offset, "{error}");
    assert_eq!(error.code(), "syntax");
}

#[track_caller]
fn check_rewrite(json: &str, level: Level, expected: &str) {
    let mut out = b"before".to_vec();
    let rewritten = parse(json).rewrite(level, "c1", &mut out);
    assert_eq!(String::from_utf8(out.split_off(6)).unwrap(), expected, "{json}");
    assert_eq!(rewritten, Rewritten::default());
    parse(expected);
}

#[test]
fn reads_a_kube_apiservers_event() {
    let event = parse(include_str!("../../testdata/event-kubernetes.json"));
    assert_eq!(event.level(), "RequestResponse");
    assert_eq!(event.recorded_level(), Some(Level::RequestResponse));
    assert_eq!(event.audit_id(), "5f1f6a52-7c2e-4a55-a9b3-7e3d2f0c9a11");
    assert_eq!(event.stage(), "ResponseComplete");
    assert_eq!(event.request_uri(), "/api/v1/namespaces/shop/pods/web-0/binding?fieldManager=a\u{26}b");
    assert_eq!(event.verb(), "create");
    assert_eq!(event.username(), "admin");
    assert_eq!(event.impersonated_username(), "zo\u{eb}");
    assert_eq!(event.actor(), "zo\u{eb}");
    assert_eq!(event.groups().collect::<Vec<_>>(), ["system:masters", "a \"quoted\" group"]);
    assert_eq!(event.source_ips().collect::<Vec<_>>(), ["203.0.113.7", "10.0.0.4"]);
    assert_eq!(event.source_ip(), "10.0.0.4");
    assert_eq!(event.user_agent(), "kubectl/v1.36.3");
    assert_eq!(event.resource(), "pods");
    assert_eq!(event.namespace(), "shop");
    assert_eq!(event.name(), "web-0");
    assert_eq!(event.subresource(), "binding");
    assert_eq!(event.api_group(), "");
    assert_eq!(event.code(), Some(409));
    assert_eq!(event.status(), "Failure");
    assert_eq!(event.reason(), "Conflict");
    assert_eq!(event.request_received_timestamp(), "2026-11-22T00:40:42.175190Z");
    assert_eq!(event.stage_timestamp(), "2026-11-22T00:40:42.194355Z");
    assert_eq!((event.workspace(), event.devops(), event.cluster()), ("".into(), "".into(), "".into()));
    assert_eq!(event.request_object(), Some(br#"{"kind":"Binding","apiVersion":"v1"}"#.as_slice()));
    assert_eq!(event.response_object(), Some(br#"[{"kind":"Status"}]"#.as_slice()));
}

#[test]
fn reads_kubespheres_event() {
    let event = parse(include_str!("../../testdata/event-kubesphere-workspace-devops-cluster.json"));
    assert_eq!(event.workspace(), "demo-workspace");
    assert_eq!(event.devops(), "demo-devops8rl2k");
    assert_eq!(event.cluster(), "host");
    assert_eq!(event.level(), "Metadata");
    assert_eq!(event.audit_id(), "b8a4c3d0-63a2-4c4d-8d2f-0a4f6f4f2a77");
    assert_eq!(event.verb(), "create");
    assert_eq!(event.username(), "project-admin");
    assert_eq!(event.actor(), "project-admin");
    assert_eq!(event.groups().collect::<Vec<_>>(), ["system:authenticated"]);
    assert_eq!(event.source_ip(), "192.168.9.2");
    assert_eq!(event.resource(), "pipelines");
    assert_eq!(event.api_group(), "devops.kubesphere.io");
    assert_eq!(event.code(), Some(201));
    assert_eq!(event.request_object(), None);
    assert_eq!(event.request_received_timestamp(), "2026-11-22T08:40:42.175190123+08:00");
}

#[test]
fn spelling_escapes_and_duplicates() {
    let event = parse(
        r#"{"VERB":"a","v\u0065rb":"get","USER":{"uSERNAME":"x","groups":["a"]},"user":{"UserName":"y"},
            "objectref":{"Name":"a","NAME":"b","apigroup":"apps"},"requestUri":"/","Verb":null,"verb":"list"}"#,
    );
    assert_eq!(event.verb(), "list");
    assert_eq!(event.username(), "y");
    assert_eq!(event.groups().count(), 0, "the last object wins as a whole");
    assert_eq!(event.name(), "b");
    assert_eq!(event.api_group(), "apps");
}

#[test]
fn null_is_absent() {
    let event = parse(
        r#"{"verb":"get","user":null,"objectRef":null,"responseStatus":{"code":null,"reason":null},"sourceIPs":null,
            "level":null,"annotations":null,"requestObject":null,"impersonatedUser":{"username":null,"groups":null}}"#,
    );
    assert_eq!((event.username(), event.resource(), event.level()), ("".into(), "".into(), "".into()));
    assert_eq!((event.code(), event.recorded_level(), event.request_object()), (None, None, None));
    assert_eq!((event.source_ip(), event.groups().count()), ("".into(), 0));
    check_bad(br#" {"verb":null,"requestURI":null}"#, BadCode::NoVerbOrUri, 1);
    check_bad(b"{}", BadCode::NoVerbOrUri, 0);
    parse(r#"{"requestURI":"/"}"#);
}

#[test]
fn bad_events_have_a_code_and_a_place() {
    for (json, code, offset) in [
        (r#"[{"verb":"get"}]"#, BadCode::NotObject, 0),
        (r#"  "verb""#, BadCode::NotObject, 2),
        ("null", BadCode::NotObject, 0),
        ("-1.5e3", BadCode::NotObject, 0),
        (r#"{"verb":1}"#, BadCode::WrongType, 8),
        (r#"{"verb":"get","user":"admin"}"#, BadCode::WrongType, 21),
        (r#"{"verb":"get","user":{"username":["x"]}}"#, BadCode::WrongType, 33),
        (r#"{"verb":"get","user":{"groups":["x", null]}}"#, BadCode::WrongType, 37),
        (r#"{"verb":"get","user":{"extra":[]}}"#, BadCode::WrongType, 30),
        (r#"{"verb":"get","sourceIPs":"10.0.0.1"}"#, BadCode::WrongType, 26),
        (r#"{"verb":"get","objectRef":{"name":7}}"#, BadCode::WrongType, 34),
        (r#"{"verb":"get","responseStatus":200}"#, BadCode::WrongType, 31),
        (r#"{"verb":"get","responseStatus":{"code":"200"}}"#, BadCode::WrongType, 39),
        (r#"{"verb":"get","responseStatus":{"code":200.5}}"#, BadCode::WrongType, 39),
        (r#"{"verb":"get","responseStatus":{"code":99999999999999999999}}"#, BadCode::WrongType, 39),
        (r#"{"verb":"get","annotations":[]}"#, BadCode::WrongType, 28),
        (r#"{"verb":"get","stageTimestamp":1700000000}"#, BadCode::WrongType, 31),
    ] {
        check_bad(json.as_bytes(), code, offset);
    }
    check_bad(b"{\"verb\":\"\xff\"}", BadCode::NotUtf8, 9);
    check_bad(b"{\"verb\":\"\xed\xa0\x80\"}", BadCode::NotUtf8, 9);
}

#[test]
fn bodies_may_be_any_json() {
    for body in ["1", "\"x\"", "[]", "{}", "true", "[[{\"a\":[null]}]]", "1e999"] {
        let json = format!(r#"{{"verb":"get","requestObject":{body},"unknown":{body}}}"#);
        assert_eq!(parse(&json).request_object(), Some(body.as_bytes()));
    }
}

#[test]
fn broken_json_is_told_from_bad_events() {
    for (json, offset) in [
        ("", 0),
        ("{", 1),
        (r#"{"verb":1,}"#, 10),
        (r#"{"verb" "get"}"#, 8),
        (r#"{verb:"get"}"#, 1),
        (r#"{"verb":"get"]"#, 13),
        (r#"{"verb":"get"} x"#, 15),
        (r#"{"verb":"get","a":01}"#, 19),
        (r#"{"verb":"get","a":+1}"#, 18),
        (r#"{"verb":"get","a":1.}"#, 20),
        (r#"{"verb":"get","a":nul}"#, 21),
        (r#"{"verb":"get","a":"\x"}"#, 20),
        (r#"{"verb":"get","a":"\u12g4"}"#, 23),
        (r#"{"verb":"get","a":"\ud83d\u12"}"#, 29),
        ("{\"verb\":\"get\",\"a\":\"\n\"}", 19),
        ("{\"verb\":\"get\",\"a\":\"\u{1f}\"}", 19),
        (r#"{"verb":"get","a":[1 2]}"#, 21),
        (r#"{"verb":"get","a":[1,]}"#, 21),
        (r#"{"verb":"get","a":{"b":1]}}"#, 24),
        ("garbage", 0),
        ("tru", 3),
        ("\u{a0}{}", 0),
    ] {
        check_syntax(json.as_bytes(), offset);
    }
}

#[test]
fn depth_is_bounded_exactly() {
    let nested =
        |levels: usize| format!(r#"{{"verb":"get","a":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1));
    parse(&nested(128));
    check_bad(nested(129).as_bytes(), BadCode::TooDeep, 18 + 127);
    let objects = format!(r#"{{"verb":"get","a":{}1{}}}"#, "{\"a\":".repeat(127), "}".repeat(127));
    parse(&objects);
    check_bad("[".repeat(2_000_000).as_bytes(), BadCode::TooDeep, 128);
}

#[test]
fn rewriting_sets_the_cluster_and_strips_to_the_level() {
    let full = r#"{"level":"RequestResponse","objectRef":{"resource":"r"},"requestObject":{"a":1},"responseObject":[2],"verb":"get"}"#;
    check_rewrite(
        full,
        Level::RequestResponse,
        r#"{"Cluster":"c1","level":"RequestResponse","objectRef":{"resource":"r"},"requestObject":{"a":1},"responseObject":[2],"verb":"get"}"#,
    );
    check_rewrite(
        full,
        Level::Request,
        r#"{"Cluster":"c1","level":"Request","objectRef":{"resource":"r"},"requestObject":{"a":1},"verb":"get"}"#,
    );
    check_rewrite(
        full,
        Level::Metadata,
        r#"{"Cluster":"c1","level":"Metadata","objectRef":{"resource":"r"},"verb":"get"}"#,
    );
}

#[test]
fn rewriting_fills_in_a_workspace_where_there_is_none() {
    for (json, expected) in [
        (r#"{"verb":"get"}"#, r#"{"Cluster":"c1","Workspace":"w","verb":"get"}"#),
        (r#"{"workspace":"","verb":"get"}"#, r#"{"Cluster":"c1","Workspace":"w","verb":"get"}"#),
        (r#"{"verb":"get","Workspace":null}"#, r#"{"Cluster":"c1","Workspace":"w","verb":"get"}"#),
        (
            r#"{"Workspace":"own","verb":"get","WORKSPACE":"","cluster":"x"}"#,
            r#"{"Cluster":"c1","Workspace":"w","verb":"get"}"#,
        ),
        (r#"{"Workspace":"own","verb":"get"}"#, r#"{"Cluster":"c1","Workspace":"own","verb":"get"}"#),
        (
            r#"{"Workspace":"","verb":"get","workspace":"own"}"#,
            r#"{"Cluster":"c1","Workspace":"","verb":"get","workspace":"own"}"#,
        ),
    ] {
        let mut out = Vec::new();
        let placed = |workspace| Placed { workspace, ..Placed::default() };
        parse(json).rewrite_in(Level::Metadata, "c1", placed(Some("w")), None, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{json}");
        let event = parse(expected);
        assert_eq!((event.workspace().is_empty(), event.cluster()), (false, "c1".into()));
        // Nothing is no workspace.
        for none in [None, Some("")] {
            let (mut filled, mut plain) = (Vec::new(), Vec::new());
            parse(json).rewrite_in(Level::Metadata, "c1", placed(none), None, &mut filled);
            parse(json).rewrite(Level::Metadata, "c1", &mut plain);
            assert_eq!(filled, plain);
        }
    }
}

#[test]
fn rewriting_puts_the_namespaces_uid_in_place_of_whatever_a_sender_says() {
    let verb = r#""verb":"get""#;
    for json in [
        r#"{"verb":"get"}"#,
        r#"{"Vedette":{"NamespaceUID":"forged"},"verb":"get"}"#,
        r#"{"verb":"get","vedette":{"namespaceUID":"forged"}}"#,
        r#"{"verb":"get","V\u0065DETTE":{"N\u0061mespaceUID":"forged"}}"#,
        r#"{"Vedette":{"NamespaceUID":"forged"},"verb":"get","VEDETTE":1,"vedette":{"NamespaceUID":"forged"}}"#,
        r#"{"Vedette":{"NamespaceUID":"a","NamespaceUID":"b"},"vedette":[{"NamespaceUID":"c"}],"verb":"get"}"#,
        r#"{"Vedette":null,"Vedette":"forged","verb":"get"}"#,
    ] {
        for uid in [None, Some(""), Some("u-1")] {
            let mut out = Vec::new();
            let placed = Placed { namespace_uid: uid, ..Placed::default() };
            parse(json).rewrite_in(Level::Metadata, "c1", placed, None, &mut out);
            let text = String::from_utf8(out).unwrap();
            let expected = match uid {
                Some("u-1") => format!(r#"{{"Cluster":"c1","Vedette":{{"NamespaceUID":"u-1"}},{verb}}}"#),
                _ => format!(r#"{{"Cluster":"c1",{verb}}}"#),
            };
            assert_eq!(text, expected, "{json}");
            assert_eq!(parse(&text).namespace_uid(), uid.unwrap_or_default());
            assert_eq!(parse(json).kept_bytes(Level::Metadata), r#"{"verb":"get"}"#.len(), "{json}");
        }
    }
}

#[test]
fn levels_with_bodies_do_not_apply_to_requests_about_no_resource() {
    for object in ["", r#""objectRef":null,"#, r#""ObjectRef":{"Name":"x"},"#, r#""objectRef":{"resource":""},"#] {
        let json = format!(
            r#"{{"level":"LEVEL",{object}"requestObject":{{"password":"x"}},"responseObject":1,"verb":"post"}}"#
        );
        for (recorded, level) in [
            ("Request", Level::Request),
            ("RequestResponse", Level::Request),
            ("RequestResponse", Level::RequestResponse),
            ("Metadata", Level::RequestResponse),
        ] {
            let expected = format!(r#"{{"Cluster":"c1","level":"Metadata",{object}"verb":"post"}}"#);
            check_rewrite(&json.replace("LEVEL", recorded), level, &expected);
        }
    }
}

#[test]
fn rewriting_never_raises_a_level() {
    check_rewrite(
        r#"{"level":"Metadata","verb":"get"}"#,
        Level::RequestResponse,
        r#"{"Cluster":"c1","level":"Metadata","verb":"get"}"#,
    );
    check_rewrite(r#"{"verb":"get"}"#, Level::Metadata, r#"{"Cluster":"c1","verb":"get"}"#);
    check_rewrite(
        r#"{"level":"Everything","verb":"get","objectRef":{"resource":"r"}}"#,
        Level::Request,
        r#"{"Cluster":"c1","level":"Request","verb":"get","objectRef":{"resource":"r"}}"#,
    );
    check_rewrite(r#"{"verb":"get","level":null}"#, Level::Metadata, r#"{"Cluster":"c1","verb":"get","level":null}"#);
}

#[test]
fn rewriting_knows_every_spelling_and_occurrence() {
    check_rewrite(
        r#"{"Cluster":"a","RequestObject":1,"cluster":"b","r\u0065questobject":{"x":2},"Level":"Request","RESPONSEOBJECT":null,
"Verb":"get","LEVEL":"RequestResponse","Cluster":"c"}  "#,
        Level::Metadata,
        "{\"Cluster\":\"c1\",\"Level\":\"Metadata\",\n\"Verb\":\"get\",\"LEVEL\":\"Metadata\"}",
    );
    check_rewrite(
        r#"{"requestObject":1,"responseObject":2 , "verb":"get"}"#,
        Level::Metadata,
        r#"{"Cluster":"c1" , "verb":"get"}"#,
    );
    check_rewrite(r#"{ "verb":"get" , "Cluster" : "x" }"#, Level::Metadata, r#"{"Cluster":"c1", "verb":"get"  }"#);
    let many = r#""requestObject":1,"#.repeat(50);
    check_rewrite(
        &format!(r#"{{{many}"kind":"Event","verb":"get"}}"#),
        Level::Metadata,
        r#"{"Cluster":"c1","kind":"Event","verb":"get"}"#,
    );
    // Nested members of those names are somebody else's.
    let nested = r#"{"verb":"get","a":{"requestObject":1,"level":"Request","Cluster":"x"}}"#;
    check_rewrite(
        nested,
        Level::Metadata,
        r#"{"Cluster":"c1","verb":"get","a":{"requestObject":1,"level":"Request","Cluster":"x"}}"#,
    );
}

#[test]
fn rewriting_mends_lone_surrogates() {
    check_rewrite(
        r#"{"verb":"get","objectRef":{"resource":"r"},"requestObject":{"a":"\ud800","b":"\ud83d\ude00"}}"#,
        Level::Request,
        r#"{"Cluster":"c1","verb":"get","objectRef":{"resource":"r"},"requestObject":{"a":"\ufffd","b":"\ud83d\ude00"}}"#,
    );
}

#[test]
fn a_member_that_is_named_again_and_again_makes_no_event() {
    let named = |name: &str, times: usize| format!(r#"{{"verb":"get"{}}}"#, format!(r#","{name}":null"#).repeat(times));
    for name in [
        "kind",
        "apiVersion",
        "level",
        "cluster",
        "requestObject",
        "responseObject",
        "annotations",
        "workspace",
        "vedette",
    ] {
        let most = named(name, 64);
        // What goes on is read again.
        let mut out = Vec::new();
        parse(&most).rewrite(Level::Request, "c1", &mut out);
        parse(std::str::from_utf8(&out).unwrap());
        check_bad(named(name, 65).as_bytes(), BadCode::WrongType, most.len() - 1);
        check_bad(named(name, 100_000).as_bytes(), BadCode::WrongType, most.len() - 1);
    }
}

#[test]
fn what_is_kept_is_known_before_it_is_written() {
    for (json, kept) in [
        (r#"{"verb":"get","requestObject":{"a":1}}"#, r#"{"verb":"get"}"#),
        (
            r#"{"cluster":"c0","responseObject":1,"verb":"get","level":"Request"}"#,
            r#","verb":"get","level":"Request"}"#,
        ),
    ] {
        assert_eq!(parse(json).kept_bytes(Level::Metadata), kept.len(), "{json}");
    }
    let (json, kept) = (oversize(""), r#"{"level":"RequestResponse","objectRef":{"resource":"r"},"verb":"get"}"#);
    assert_eq!(parse(&json).kept_bytes(Level::RequestResponse), kept.len());
    let of_no_resource = parse(r#"{"verb":"post","requestObject":{"a":1}}"#).kept_bytes(Level::RequestResponse);
    assert_eq!(of_no_resource, r#"{"verb":"post"}"#.len());
}

/// An event whose response body makes it one byte over the limit.
fn oversize(annotations: &str) -> String {
    let rest = format!(
        r#"{{"level":"RequestResponse","objectRef":{{"resource":"r"}},"verb":"get","requestObject":1,"responseObject":""{annotations}}}"#
    );
    let body = "x".repeat(crate::MAX_EVENT_BYTES + 1 - rest.len());
    rest.replace(r#""responseObject":"""#, &format!(r#""responseObject":"{body}""#))
}

#[test]
fn an_oversize_event_loses_its_bodies_and_says_so() {
    for (annotations, expected) in [
        (
            "",
            r#"{"Cluster":"c1","Annotations":{"vedette.dev/oversize":"true"},"level":"Metadata","objectRef":{"resource":"r"},"verb":"get"}"#,
        ),
        (
            r#","annotations":{}"#,
            r#"{"Cluster":"c1","level":"Metadata","objectRef":{"resource":"r"},"verb":"get","annotations":{"vedette.dev/oversize":"true"}}"#,
        ),
        (
            r#","Annotations":null"#,
            r#"{"Cluster":"c1","level":"Metadata","objectRef":{"resource":"r"},"verb":"get","Annotations":{"vedette.dev/oversize":"true"}}"#,
        ),
        (
            r#","annotations":{"a":"b"},"z":1"#,
            r#"{"Cluster":"c1","level":"Metadata","objectRef":{"resource":"r"},"verb":"get","annotations":{"a":"b","vedette.dev/oversize":"true"},"z":1}"#,
        ),
    ] {
        let json = oversize(annotations);
        let mut out = Vec::new();
        let rewritten = parse(&json).rewrite(Level::RequestResponse, "c1", &mut out);
        assert_eq!((String::from_utf8(out).unwrap(), rewritten.oversize), (expected.to_owned(), true));
    }
    let mut json = oversize("");
    json.remove(json.rfind('x').unwrap());
    assert_eq!(json.len(), crate::MAX_EVENT_BYTES);
    let mut out = Vec::new();
    assert!(!parse(&json).rewrite(Level::RequestResponse, "c1", &mut out).oversize);
    assert!(out.len() > crate::MAX_EVENT_BYTES);
}
