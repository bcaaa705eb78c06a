use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::program::Builder;

/// The paths of the whole world here: names with dots between them, `[*]`, `[1]`.
fn layout(paths: &[&str]) -> Layout {
    let mut builder = Builder::new();
    for path in paths {
        let operand = crate::syntax::parse_operand(path, &mut Vec::new()).unwrap();
        builder.path(&operand.steps, path).unwrap();
    }
    let mark = builder.mark();
    let program = builder.finish(mark);
    Layout::new(program.fields, &program.paths, &[], &HashSet::new(), program.derived)
}

/// The values of each path, those in bodies too; `|` between paths.
fn read(event: &[u8], layout: &Layout) -> Result<String, DecideError> {
    let mut reader = Reader::default();
    let text = reader.read(event, layout)?;
    for body in [Body::Request, Body::Response] {
        reader.read_body(text, layout, body)?;
    }
    let shown = |entry| match reader.values.scalar(text, entry) {
        Scalar::Null => "null".to_owned(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Number(text) => text.to_owned(),
        Scalar::Text(text) => format!("{text:?}"),
        Scalar::List(_) => "[]".to_owned(),
        Scalar::Object(text) => format!("<{text}>"),
    };
    let slots = (0..layout.slots()).map(|slot| {
        let values = reader.values.of(SlotId(u32::try_from(slot).unwrap()));
        values.map(shown).collect::<Vec<_>>().join(" ")
    });
    Ok(slots.collect::<Vec<_>>().join(" | "))
}

#[track_caller]
fn check(paths: &[&str], event: &str, expected: &str) {
    let read = read(event.as_bytes(), &layout(paths)).unwrap_or_else(|error| error.to_string());
    assert_eq!(read, expected, "{event}");
}

#[test]
fn only_named_fields_are_kept_in_either_spelling() {
    let paths = ["user.username", "Verb", "requestObject.spec"];
    check(
        &paths,
        r#" {"Verb":"get","x":[{"y":"\u00e9"}],"USER":{"extra":{},"Username":"a"},"RequestObject":{"spec":{"a":[1, 2]}}} "#,
        r#""a" | "get" | <{"a":[1, 2]}>"#,
    );
    check(&paths, r#"{"verb":null,"VERB":[true,-1.5e3,{"q":1}]}"#, r#" | null [] true -1.5e3 <{"q":1}> | "#);
    check(&["a.b.c/d"], r#"{"a.b":{"c/D":1},"a":{"b.c/d":2,"b":{"c":3,"C/d":4}}}"#, "1 2 4");
    check(
        &["requestObject.a", "requestObject"],
        r#"{"requestobject.a":1,"REQUESTOBJECT":{"a":2}}"#,
        r#"1 2 | <{"a":2}>"#,
    );
    check(&["a", "a.b"], r#"{"a":{"b":{"b":1}, "c" : 2 }}"#, r#"<{"b":{"b":1}, "c" : 2 }> | <{"b":1}>"#);
}

#[test]
fn array_steps_take_elements() {
    let paths = ["a.b", "a[*].b", "a[*][*].b", "a[1].b", "a[1:].b", "a[0][1].b", "a[*]"];
    check(
        &paths,
        r#"{"a":[{"b":1},[{"b":2},{"b":3}],{"b":[4]}]}"#,
        r#"1 2 3 [] 4 | 1 2 3 [] 4 | 2 3 | 2 3 | 2 3 [] 4 |  | <{"b":1}> [] <{"b":2}> <{"b":3}> <{"b":[4]}>"#,
    );
    check(&paths, r#"{"a":{"b":1}}"#, "1 |  |  |  |  |  | ");
    check(&paths, r#"{"a.b":[1]}"#, "[] 1 |  |  |  |  |  | ");
    check(&["a[0].b.c[1].d"], r#"{"a":[{"b.c":[{},{"d":1}]},{"b.c":[{"d":2},{"d":3}]}]}"#, "1");
}

#[test]
fn strings_are_decoded() {
    check(&["a"], r#"{"a":"\"\\\/\b\f\n\r\tx\u0041\ud83d\ude00"}"#, r#""\"\\/\u{8}\u{c}\n\r\txA😀""#);
    check(&["a"], r#"{"a":"\ud83d","\u0061":"\ude00x\ud83d\u0041"}"#, "\"\u{fffd}\" \"\u{fffd}x\u{fffd}A\"");
}

#[test]
fn what_is_no_event_is_refused() {
    for (event, expected) in [
        ("", "read the event at byte 0: expected an object"),
        ("[]", "read the event at byte 0: expected an object"),
        ("{} x", "read the event at byte 3: something follows the event"),
        (r#"{"a":1"#, "read the event at byte 6: expected `,`"),
        (r#"{"a":1 "b":2}"#, "read the event at byte 7: expected `,`"),
        (r#"{"a" 1}"#, "read the event at byte 5: expected `:`"),
        ("{a:1}", "read the event at byte 1: expected a name"),
        (r#"{"a":tru}"#, "read the event at byte 5: expected a value"),
        (r#"{"a":]}"#, "read the event at byte 5: expected a value"),
        (r#"{"b":}"#, "read the event at byte 5: expected a value"),
        (r#"{"a":[1,]}"#, "read the event at byte 8: expected a value"),
        (r#"{"b":"x"#, "read the event at byte 7: the event ends in a string"),
        (r#"{"b":[{"x":"]"}"#, "read the event at byte 15: the event ends in a collection"),
        (r#"{"requestObject":{"a":x}}"#, "read the event at byte 22: expected a value"),
    ] {
        check(&["a", "requestObject.a"], event, expected);
    }
    let error = read(b"{\"\xff\":1}", &layout(&["a"])).unwrap_err();
    assert_eq!(error.to_string(), "read the event at byte 2: the event is not UTF-8");
}

#[test]
fn nesting_is_bounded_where_it_is_read_and_where_it_is_skipped() {
    let nested =
        |name: &str, depth: usize| format!("{{\"{name}\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let layout = layout(&["a", "requestObject.a"]);
    for name in ["a", "b", "requestObject"] {
        assert!(read(nested(name, DEPTH_LIMIT).as_bytes(), &layout).is_ok(), "{name}");
        let error = read(nested(name, DEPTH_LIMIT + 1).as_bytes(), &layout).unwrap_err();
        assert_eq!(error.message, "the event nests too deep");
    }
    let objects = format!("{}1{}", r#"{"b":"#.repeat(DEPTH_LIMIT), "}".repeat(DEPTH_LIMIT));
    assert!(read(objects.as_bytes(), &layout).is_ok());
    let million = "[".repeat(1_000_000);
    for name in ["a", "b"] {
        assert!(read(format!("{{\"{name}\":{million}").as_bytes(), &layout).is_err());
    }
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
    /// Whatever is JSON is read if it is an object, indented or not; whatever is broken makes an error or no difference.
    #[test]
    fn every_object_is_read(value in anything(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let layout = layout(&["a.b", "a.a", "b", "b[1].a", "requestObject.b"]);
        for text in [value.to_string(), format!("{value:#}")] {
            prop_assert_eq!(read(text.as_bytes(), &layout).is_ok(), value.is_object());
            let mut broken = text.into_bytes();
            let at = cut.index(broken.len());
            drop(read(&broken[..at], &layout));
            broken[at] = byte;
            drop(read(&broken, &layout));
        }
    }
}
