use proptest::prelude::*;

use super::*;

type Items = Vec<(Dialect, u64, Vec<u8>)>;

/// Cuts a body given in pieces.
fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: Limits) -> (Items, Result<Dialect, ListError>) {
    let mut items = Items::new();
    let mut cutter = Cutter::new(limits);
    for piece in pieces {
        let pushed = cutter.push(piece, &mut |item| items.push((item.dialect, item.offset, item.bytes.to_vec())));
        if let Err(error) = pushed {
            return (items, Err(error));
        }
    }
    (items, cutter.finish())
}

fn whole(body: &str) -> (Items, Result<Dialect, ListError>) {
    cut([body.as_bytes()], Limits::default())
}

#[track_caller]
fn check(body: &str, dialect: Dialect, expected: &[&str]) {
    let (items, result) = whole(body);
    assert_eq!(result, Ok(dialect), "{body}");
    let found: Vec<_> = items.iter().map(|(_, _, bytes)| std::str::from_utf8(bytes).unwrap()).collect();
    assert_eq!(found, expected, "{body}");
    for (_, offset, bytes) in &items {
        let offset = usize::try_from(*offset).unwrap();
        assert_eq!(&body.as_bytes()[offset..offset + bytes.len()], bytes);
    }
}

#[track_caller]
fn check_error(body: &str, code: ListErrorCode, offset: u64, words: &str) {
    let error = whole(body).1.expect_err(body);
    assert_eq!((error.code, error.offset), (code, offset), "{body}: {error}");
    assert!(error.message.contains(words), "{body}: {error}");
}

#[test]
fn cuts_both_spellings() {
    use Dialect::{KubeSphere, Kubernetes};
    check(r#"{"items":[]}"#, Kubernetes, &[]);
    check(r#"{"Items":[{"Verb":"get"}]}"#, KubeSphere, &[r#"{"Verb":"get"}"#]);
    check(
        " {\"kind\" : \"EventList\", \"apiVersion\":\"audit.k8s.io/v1\",\"metadata\":{\"a\":[1,{\"items\":[2]}]},\n\"items\" : [ {\"a\":\"]}\\\"\"} ,\t[1,[2]],\"x,]\" , 1.5, null ] } \n",
        Kubernetes,
        &[r#"{"a":"]}\""}"#, "[1,[2]]", r#""x,]""#, "1.5", "null"],
    );
    check(r#"{"items":[1],"kind":"EventList","x":null}"#, Kubernetes, &["1"]);
    check(r#"{"\u0069tems":[1],"kind":null}"#, Kubernetes, &["1"]);
}

#[test]
fn what_is_no_list_is_refused_with_help() {
    use ListErrorCode::{Empty, NotList, Syntax};
    check_error("", Empty, 0, "empty body");
    check_error(" \n", Empty, 2, "empty body");
    check_error("[]", NotList, 0, "an array alone");
    check_error("\"x\"", NotList, 0, "another value");
    check_error("hello", Syntax, 0, "expected JSON");
    check_error("\u{1f}\u{8b}", Syntax, 0, "Content-Encoding");
    check_error("\u{feff}{}", Syntax, 0, "byte order mark");
    check_error("{}", NotList, 2, "found neither");
    check_error(r#"{"ITEMS":[]}"#, NotList, 12, "found neither");
    check_error(r#"{"items":null}"#, NotList, 9, "to be an array");
    check_error(r#"{"Items":{}}"#, NotList, 9, "to be an array");
    check_error(r#"{"items":[],"items":[]}"#, NotList, 12, "second one");
    check_error(r#"{"items":[],"Items":[]}"#, NotList, 12, "second one");
    check_error(r#"{"kind":"Pod","items":[]}"#, NotList, 8, "found `Pod`");
    check_error(r#"{"items":[],"kind":"Pod"}"#, NotList, 19, "found `Pod`");
    check_error(r#"{"kind":1,"items":[]}"#, NotList, 8, "`kind`");
    check_error(r#"{"kind":"Event","verb":"get"}"#, NotList, 8, "single event");
    check_error(r#"{"Verb":"get","RequestURI":"/"}"#, NotList, 31, "single event");
}

#[test]
fn broken_json_is_refused_where_it_breaks() {
    use ListErrorCode::Syntax;
    check_error(r#"{"items":[1}"#, Syntax, 11, "`]`");
    check_error(r#"{"items":[1 2]}"#, Syntax, 12, "`]`");
    check_error(r#"{"items":[1,]}"#, Syntax, 12, "a value");
    check_error(r#"{"items":[,]}"#, Syntax, 10, "a value");
    check_error(r#"{"items" []}"#, Syntax, 9, "`:`");
    check_error(r#"{"items":[]"#, Syntax, 11, "the body ends");
    check_error(r#"{"items":[{"a":"#, Syntax, 15, "the body ends");
    check_error(r#"{"items":[]]"#, Syntax, 11, "`}`");
    check_error(r#"{"items":[],}"#, Syntax, 12, "name");
    check_error(r#"{items:[]}"#, Syntax, 1, "name");
    check_error(r#"{"items":[]} {"items":[]}"#, Syntax, 13, "nothing after");
    check_error(r#"{"items":[]}x"#, Syntax, 12, "nothing after");
    check_error(r#"{"metadata":{"a":tru},"items":[]}"#, Syntax, 20, "`true`");
    check_error(r#"{"metadata":{"a":[},"items":[]}"#, Syntax, 18, "a value");
    check_error("{\"a\nb\":1,\"items\":[]}", Syntax, 3, "control");
    let deep = format!(r#"{{"metadata":{}{},"items":[]}}"#, "[".repeat(129), "]".repeat(129));
    check_error(&deep, Syntax, 12 + 128, "128 levels");
    let error = cut([b"{\"metadata\":\"\xff\",\"items\":[]}".as_slice()], Limits::default()).1.unwrap_err();
    assert_eq!((error.code, error.offset), (Syntax, 13));
}

#[test]
fn sizes_are_bounded() {
    let limits = Limits { item_bytes: 10, member_bytes: 12 };
    let fits = r#"{"metadata":"xxxxxxxxxx","items":["12345678"]}"#;
    let long_member = r#"{"metadata":"xxxxxxxxxxx","items":["12345678"]}"#;
    for size in [1, 7, 1000] {
        let check =
            |body: &str| cut(body.as_bytes().chunks(size), limits).1.map_err(|error| (error.code, error.offset));
        assert_eq!(check(fits), Ok(Dialect::Kubernetes));
        assert_eq!(check(long_member), Err((ListErrorCode::TooLarge, 12)));
    }
}

#[test]
fn an_item_over_its_limit_is_cut_and_the_others_are_not() {
    let body = r#"{"items":["a",{"x":"123456789"},"12345678",[[[[[[[[]]]]]]]],1]}"#;
    let over = |item: &str| Some(Over { length: item.len(), hash: blake3::hash(item.as_bytes()).into() });
    for size in [1, 3, 7, 1000] {
        let mut cutter = Cutter::new(Limits { item_bytes: 10, member_bytes: 12 });
        let mut items = Vec::new();
        for piece in body.as_bytes().chunks(size) {
            let mut item = |item: Item<'_>| {
                items.push((item.offset, String::from_utf8(item.bytes.to_vec()).unwrap(), item.over, item.length()));
            };
            cutter.push(piece, &mut item).unwrap();
            assert!(cutter.held() <= 12, "{}", cutter.held());
        }
        assert_eq!(cutter.finish(), Ok(Dialect::Kubernetes));
        let expected = [
            (10, "\"a\"".to_owned(), None, 3),
            (14, r#"{"x":"1234"#.to_owned(), over(r#"{"x":"123456789"}"#), 17),
            (32, "\"12345678\"".to_owned(), None, 10),
            (43, "[[[[[[[[]]".to_owned(), over("[[[[[[[[]]]]]]]]"), 16),
            (60, "1".to_owned(), None, 1),
        ];
        assert_eq!(items, expected, "{size}");
    }
}

#[test]
fn an_item_without_an_end_is_held_in_part() {
    let mut cutter = Cutter::new(Limits::default());
    cutter.push(b"{\"items\":[\"", &mut |_| panic!("no item ends")).unwrap();
    for _ in 0..40 {
        cutter.push(&[b'x'; 1 << 20], &mut |_| panic!("no item ends")).unwrap();
        assert!(cutter.held() <= Limits::default().item_bytes, "{}", cutter.held());
    }
    assert_eq!(cutter.held(), MAX_EVENT_BYTES);
    let mut length = 0;
    cutter.push(b"\",1]}", &mut |item| length += item.length()).unwrap();
    assert_eq!((length, cutter.finish()), ((40 << 20) + 2 + 1, Ok(Dialect::Kubernetes)));
}

#[test]
fn items_can_be_counted_without_being_held() {
    let body = format!(r#"{{"Items":[{{"a":"{}"}},[1,2],3]}}"#, "x".repeat(100_000));
    for (size, from) in [(1000, 0), (1000, 50), (7, 3), (200_000, 0)] {
        let (mut cutter, mut items) = (Cutter::new(Limits::default()), 0);
        for (index, piece) in body.as_bytes().chunks(size).enumerate() {
            if index == from {
                cutter.hold_no_items();
            }
            cutter.push(piece, &mut |_| items += 1).unwrap();
            assert!(index < from || cutter.held() <= 64, "{}", cutter.held());
        }
        assert_eq!((items, cutter.finish()), (3, Ok(Dialect::KubeSphere)), "{size} {from}");
    }
}

#[test]
fn a_million_tiny_items_are_cut_without_holding_them() {
    let body = format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(999_999));
    let mut items = 0_usize;
    let mut cutter = Cutter::new(Limits::default());
    for piece in body.as_bytes().chunks(16_384) {
        cutter.push(piece, &mut |_| items += 1).unwrap();
        assert!(cutter.held() <= 8);
    }
    assert_eq!((cutter.finish(), items), (Ok(Dialect::Kubernetes), 1_000_000));
}

proptest! {
    #[test]
    fn however_the_body_is_split_the_outcome_is_the_same(
        items in proptest::collection::vec(
            prop::sample::select(vec![
                r#"{"a":"\\","b":"\"]}"}"#, "[[],{}]", r#""\u00e9\\\"""#, "-1.5e3", "null", " {\"x\" : [ 1 ] } ", "{", "x\"y", "{\"a\":\"",
                "\u{1f600}",
            ]),
            0..5,
        ),
        head in prop::sample::select(vec![
            r#"{"items":["#, r#"{ "kind" : "EventList" , "metadata":{"a":"\"}"},"Items" :["#, r#"{"kind":"Pod","items":["#, r#"{"n":12,"items":["#,
        ]),
        tail in prop::sample::select(vec!["]}", r#" ] , "kind" : "EventList" } "#, r#"],"kind":"Pod"}"#, "", "]}]"]),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let body = format!("{head}{}{tail}", items.join(","));
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        places.extend([0, body.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| &body.as_bytes()[pair[0]..pair[1]]);
        let expected = whole(&body);
        prop_assert_eq!(&cut(pieces, Limits::default()), &expected);
        prop_assert_eq!(&cut(body.as_bytes().chunks(1), Limits::default()), &expected);
    }
}
