use serde_json::json;

use super::*;
use crate::program::Builder;

#[test]
fn values_are_printed_as_go_prints_them() {
    for (value, expected) in [
        (json!("a b"), "a b"),
        (json!(403), "403"),
        (json!(403.0), "403"),
        (json!(-1.5), "-1.5"),
        (json!(999_999.5), "999999.5"),
        (json!(1_000_000), "1e+06"),
        (json!(12_345_678), "1.2345678e+07"),
        (json!(1e20), "1e+20"),
        (json!(0.0001), "0.0001"),
        (json!(0.00001), "1e-05"),
        (json!(0), "0"),
        (json!(true), "true"),
        (json!([]), "[]"),
        (json!(["a", 1, null, false, {"b": 1, "a": [], "A": "x"}]), "[a 1 <nil> false map[A:x a:[] b:1]]"),
    ] {
        assert_eq!(print::print(&value), expected);
    }
}

#[test]
fn patterns_mean_what_they_mean_in_go() {
    let matches = |pattern: &str, text: &str| {
        Builder::new().regex(pattern).unwrap().unwrap_or_else(|error| panic!("{pattern}: {error}")).is_match(text)
    };
    for (pattern, yes, no) in [
        (r"^\d$", "7", "٧"),
        (r"^[\d-]$", "-", "٧"),
        (r"^\w+$", "a_1", "ü"),
        (r"^[^\W]$", "a", "-"),
        (r"^\s$", " ", "\u{a0}"),
        ("^a{$", "a{", "a"),
        ("^a{2}$", "aa", "a{2}"),
        ("^a{2,}b}$", "aab}", "ab}"),
        ("^a}$", "a}", "a"),
        ("^[[]$", "[", "]"),
        ("^[]a]$", "]", "b"),
        ("^[^]a]$", "b", "]"),
        ("^[a&&b~~]$", "&", "c"),
        ("^[[:alpha:]]$", "x", "1"),
        (r"^\Qa.b\E$", "a.b", "axb"),
        (r"^\x{41}$", "A", "B"),
        (r"\bü", "aü", "ü"),
    ] {
        let ours = regex(pattern);
        assert!(matches(&ours, yes) && !matches(&ours, no), "{pattern} became {ours}");
    }
    for (pattern, yes, no) in
        [("a.c", "xabcx", "ac"), ("a?c", "xabc", "ac"), ("^a**$", "abc", "ba"), ("*", "", "\n\n\n\n?")]
    {
        let ours = like(pattern);
        assert!(matches(&ours, yes), "{pattern} became {ours}");
        assert!(pattern == "*" || !matches(&ours, no), "{pattern} became {ours}");
    }
}

/// `None` where KubeSphere's engine panics.
#[test]
fn arrays_are_walked_in_its_own_way() {
    let two = json!([{"n": "a", "p": [{"h": 1}, {"h": 0}]}, {"n": "b", "p": []}, {"p": [{"h": 5}]}]);
    let key = |name: &str| Step::Key(name.to_owned());
    let equal = |text: &str| Question::Text(Comparison::Equal, text.to_owned());
    let above = |it: i128| Question::Number(Comparison::Greater, Number::Whole(it));
    let names = |step| vec![step, key("n")];
    let ports = |step, inner| vec![step, key("p"), inner, key("h")];
    for (steps, negated, question, expected) in [
        (names(Step::Any), false, equal("b"), Some(true)),
        (names(Step::Any), true, equal("a"), Some(true)),
        (names(Step::Index(0)), true, equal("a"), Some(false)),
        (names(Step::Index(2)), false, equal("a"), Some(false)),
        (names(Step::Index(9)), true, equal("a"), Some(false)),
        (names(Step::Range(0, Some(2))), true, equal("c"), Some(true)),
        (names(Step::Range(0, None)), true, equal("c"), Some(false)),
        (names(Step::Any), false, Question::Exists, Some(true)),
        (names(Step::Any), true, Question::Exists, Some(true)),
        (names(Step::Index(2)), true, Question::Exists, Some(false)),
        (names(Step::Any), true, Question::Contains("a".to_owned()), Some(true)),
        (names(Step::Index(0)), false, above(1), None),
        (ports(Step::Any, Step::Any), false, above(0), Some(true)),
        (ports(Step::Any, Step::Any), false, above(4), Some(false)),
        (ports(Step::Any, Step::Range(0, None)), false, above(4), Some(false)),
        (ports(Step::Index(2), Step::Index(0)), false, above(4), Some(true)),
        (vec![Step::Any, key("n"), Step::Any], false, equal("a"), None),
    ] {
        let judgement = Judgement { steps, negated, question };
        assert_eq!(
            judgement.holds(Given::Json(&two, printed(&two).as_deref()), &Matcher::None),
            expected,
            "{judgement:?}"
        );
    }
    let judgement = Judgement { steps: vec![Step::Any], negated: false, question: equal("a") };
    assert_eq!(judgement.holds(Given::Text("a"), &Matcher::None), None);
}
