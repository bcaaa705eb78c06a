use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::program::Builder;
use crate::syntax::ast::Step;

fn fields(paths: &[&str]) -> FieldTree {
    let mut builder = Builder::new();
    for path in paths {
        let steps: Vec<_> = path.split('.').map(|name| Step::Key(name.to_owned())).collect();
        builder.path(&steps, path).unwrap();
    }
    let mark = builder.mark();
    builder.finish(mark).fields
}

/// The value with its members by their numbers, in a form that is easy to write down.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_, text) => text.clone().into_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Object(members, text) if members.is_empty() => format!("<{text}>"),
        Value::Object(members, _) => {
            let members: Vec<_> = members.iter().map(|(id, value)| format!("{}:{}", id.0, shown(value))).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

fn check(paths: &[&str], event: &str, expected: &str) {
    let fields = fields(paths);
    let read = match read(event.as_bytes(), &fields) {
        Ok(value) => shown(&value),
        Err(error) => error.to_string(),
    };
    assert_eq!(read, expected, "{event}");
}

#[test]
fn only_named_fields_are_kept_in_either_spelling() {
    let paths = ["user.username", "Verb", "requestObject.spec"];
    check(
        &paths,
        r#" {"Verb":"get","x":[{"y":"\u00e9"}],"USER":{"extra":{},"Username":"a"},"RequestObject":{"spec":{"a":[1, 2]}}} "#,
        r#"{3:"get",1:{2:"a"},4:{5:<{"a":[1, 2]}>}}"#,
    );
    check(&paths, r#"{"verb":null,"VERB":[true,-1.5e3,{"q":1}]}"#, r#"{3:null,3:[true,-1.5e3,<{"q":1}>]}"#);
    check(&["a.b.c/d"], r#"{"a.b":{"c/D":1},"a":{"b.c/d":2,"b":{"c":3}}}"#, r#"{2:{3:1},1:{3:2,2:<{"c":3}>}}"#);
}

#[test]
fn strings_are_decoded() {
    check(&["a"], r#"{"a":"\"\\\/\b\f\n\r\tx\u0041\ud83d\ude00"}"#, r#"{1:"\"\\/\u{8}\u{c}\n\r\txA😀"}"#);
    check(&["a"], r#"{"a":"\ud83d","\u0061":"\ude00x\ud83d\u0041"}"#, "{1:\"\u{fffd}\",1:\"\u{fffd}x\u{fffd}A\"}");
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    for (event, expected) in [
        ("", "read the event at byte 0: expected an object"),
        ("[]", "read the event at byte 0: expected an object"),
        ("{} x", "read the event at byte 3: something follows the event"),
        (r#"{"a":1,}"#, "read the event at byte 7: expected `\"`"),
        (r#"{"a":[1,]}"#, "read the event at byte 8: expected a value"),
        (r#"{"b":[1,]}"#, "read the event at byte 8: expected a value"),
        (r#"{"b":{"c":1,}}"#, "read the event at byte 12: expected `\"`"),
        (r#"{"b":{"c" 1}}"#, "read the event at byte 10: expected `:`"),
        (r#"{"b":[1 2]}"#, "read the event at byte 8: expected `,`"),
        (r#"{"a":[1 2]}"#, "read the event at byte 8: expected `,`"),
        (r#"{"b":01}"#, "read the event at byte 7: a number has no leading zero"),
        (r#"{"b":-}"#, "read the event at byte 5: expected a value"),
        (r#"{"b":1.}"#, "read the event at byte 7: expected a digit"),
        (r#"{"b":1e}"#, "read the event at byte 7: expected a digit"),
        (r#"{"b":truth}"#, "read the event at byte 5: expected a value"),
        (r#"{"b":"\x"}"#, "read the event at byte 7: this escape does not exist"),
        (r#"{"b":"\u12"#, "read the event at byte 7: this escape does not exist"),
        (r#"{"b":"#, "read the event at byte 5: expected a value"),
        (r#"{"b":"x"#, "read the event at byte 7: the event ends in a string"),
        ("{\"b\":\"\n\"}", "read the event at byte 6: a control character stands in a string"),
        (r#"{"b":]}"#, "read the event at byte 5: expected a value"),
    ] {
        check(&["a"], event, expected);
    }
    let error = read(b"{\"\xff\":1}", &fields(&["a"])).unwrap_err();
    assert_eq!(error.to_string(), "read the event at byte 2: the event is not UTF-8");
}

#[test]
fn nesting_is_bounded_where_it_is_read_and_where_it_is_skipped() {
    let nested =
        |name: &str, depth: usize| format!("{{\"{name}\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    for name in ["a", "b"] {
        let deepest = nested(name, DEPTH_LIMIT);
        assert!(read(deepest.as_bytes(), &fields(&["a"])).is_ok(), "{name}");
        let error = read(nested(name, DEPTH_LIMIT + 1).as_bytes(), &fields(&["a"])).unwrap_err();
        assert_eq!(error.message, "the event nests too deep");
    }
    let objects = format!("{}1{}", r#"{"b":"#.repeat(DEPTH_LIMIT), "}".repeat(DEPTH_LIMIT));
    assert!(read(objects.as_bytes(), &fields(&["a"])).is_ok());
    let million = "[".repeat(1_000_000);
    assert!(read(format!("{{\"b\":{million}").as_bytes(), &fields(&["a"])).is_err());
}

fn anything() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|it| json!(it)),
        any::<i64>().prop_map(|it| json!(it)),
        any::<f64>().prop_map(|it| json!(it)),
        any::<String>().prop_map(|it| json!(it)),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let name = prop_oneof![Just("a".to_owned()), Just("B".to_owned()), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|it| json!(it)),
            prop::collection::vec((name, inner), 0..5).prop_map(|it| it.into_iter().collect()),
        ]
    })
}

proptest! {
    /// Whatever another implementation calls an object is read, indented or not, and nothing else is.
    #[test]
    fn agrees_with_serde_json_on_what_is_json(value in anything(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let fields = fields(&["a.b", "a.a", "b"]);
        for text in [value.to_string(), format!("{value:#}")] {
            prop_assert_eq!(read(text.as_bytes(), &fields).is_ok(), value.is_object());
            let mut broken = text.into_bytes();
            let at = cut.index(broken.len());
            broken[at] = byte;
            // Half a surrogate pair, which serde_json refuses, is the one thing that is taken here.
            let surrogate = broken.windows(3).any(|it| it.starts_with(b"\\ud") || it.starts_with(b"\\uD"));
            if !surrogate {
                let theirs = serde_json::from_slice::<serde_json::Value>(&broken).is_ok_and(|it| it.is_object());
                // It refuses numbers beyond its doubles as well.
                let ours = read(&broken, &fields).is_ok();
                prop_assert!(ours == theirs || ours && String::from_utf8_lossy(&broken).contains(['e', 'E']), "{:?}", String::from_utf8_lossy(&broken));
            }
        }
    }
}
