use proptest::prelude::*;

use super::ast::{Expr, ExprKind, Literal, LiteralKind, Operand, Operator, Right, Step, Test};
use super::*;
use crate::codes;

/// The text as the parser understood it, each chain in parentheses; problems by their codes.
fn check(text: &str, expected: &str) {
    let Parsed { expr, problems } = parse_condition(text, Dialect::Vedette);
    let mut shown = nested(&expr);
    for problem in &problems {
        shown.push_str(&format!(" !{}@{:?}", problem.code.id, problem.span));
    }
    assert_eq!(shown, expected, "{text}");
}

fn nested(expr: &Expr) -> String {
    let chain = |operands: &[Expr], word: &str| {
        let operands: Vec<_> = operands.iter().map(nested).collect();
        format!("({})", operands.join(word))
    };
    match &expr.kind {
        ExprKind::And(operands) => chain(operands, " and "),
        ExprKind::Or(operands) => chain(operands, " or "),
        ExprKind::Not(operand) => format!("not {}", nested(operand)),
        _ => expr.to_string(),
    }
}

#[test]
fn operators_bind_as_they_should() {
    check("a", "a");
    check("a and b and c", "(a and b and c)");
    check("a or b or c", "(a or b or c)");
    check("a and b or c and d", "((a and b) or (c and d)) !VR0213@11..18");
    check("(a or b) and c", "((a or b) and c)");
    check("not a", "not a");
    check("not not !a", "not not not a");
    check("a and not b", "(a and not b)");
    check("not a and b", "(not a and b) !VR0213@0..5");
    check("not (a and b)", "not (a and b)");
    check("((a))", "a");
    check("a = 1 and b != 2", "(a = 1 and b != 2)");
}

#[test]
fn values_are_what_they_look_like() {
    let kind = |text: &str| match parse_condition(&format!("a = {text}"), Dialect::Vedette).expr.kind {
        ExprKind::Test(Test { right: Right::Value(value), .. }) => value.kind,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(kind("\"x\""), LiteralKind::Text("x".to_owned()));
    assert_eq!(kind(r#""a\"b\\c\d""#), LiteralKind::Text("a\"b\\c\\d".to_owned()));
    assert_eq!(kind("\"a\nb\""), LiteralKind::Text("a\nb".to_owned()));
    assert_eq!(kind("pods"), LiteralKind::Word("pods".to_owned()));
    assert_eq!(kind("10.0.0.1/8"), LiteralKind::Word("10.0.0.1/8".to_owned()));
    assert_eq!(kind("2020-06-12T09:23:28.359896Z"), LiteralKind::Word("2020-06-12T09:23:28.359896Z".to_owned()));
    assert_eq!(
        kind("system:serviceaccount:ci:deployer"),
        LiteralKind::Word("system:serviceaccount:ci:deployer".to_owned())
    );
    assert_eq!(kind("-1.5"), LiteralKind::Number("-1.5".to_owned()));
    assert_eq!(kind("007"), LiteralKind::Number("007".to_owned()));
    assert_eq!(kind("1."), LiteralKind::Word("1.".to_owned()));
    for text in ["true", "True", "TRUE"] {
        assert_eq!(kind(text), LiteralKind::Bool(true));
    }
    for text in ["false", "False", "FALSE"] {
        assert_eq!(kind(text), LiteralKind::Bool(false));
    }
    assert_eq!(kind("tRUE"), LiteralKind::Word("tRUE".to_owned()));
    assert_eq!(kind("${a.b-c}"), LiteralKind::Reference("a.b-c".to_owned()));
}

#[test]
fn paths_have_steps() {
    let steps = |text: &str| match parse_condition(text, Dialect::Vedette).expr.kind {
        ExprKind::Bare(operand) => (operand.reference, operand.steps),
        other => panic!("{text}: {other:?}"),
    };
    let key = |name: &str| Step::Key(name.to_owned());
    assert_eq!(
        steps("a.b-c[*].d[3][1:5]"),
        (None, vec![key("a"), key("b-c"), Step::Any, key("d"), Step::Index(3), Step::Range(1, Some(5))])
    );
    assert_eq!(
        steps("a[:5][1:][:]"),
        (None, vec![key("a"), Step::Range(0, Some(5)), Step::Range(1, None), Step::Range(0, None)])
    );
    assert_eq!(steps("${a}.b"), (Some("a".to_owned()), vec![key("b")]));
    assert_eq!(steps("${a}[0].b"), (Some("a".to_owned()), vec![Step::Index(0), key("b")]));
    assert_eq!(steps("${ a }"), (Some("a".to_owned()), vec![]));
}

#[test]
fn names_may_stand_in_quotes() {
    let steps = |text: &str| match parse_condition(text, Dialect::Vedette).expr.kind {
        ExprKind::Bare(operand) => operand.steps,
        other => panic!("{text}: {other:?}"),
    };
    let key = |name: &str| Step::Key(name.to_owned());
    assert_eq!(steps(r#"a["k8s.io/x"]"#), vec![key("a"), key("k8s.io/x")]);
    assert_eq!(steps(r#"a["b c"][0].d"#), vec![key("a"), key("b c"), Step::Index(0), key("d")]);
    assert_eq!(steps(r#"a["\"]\\"]["*"]"#), vec![key("a"), key("\"]\\"), key("*")]);
    check(r#"a["k8s.io/x"] = 1 and ${b}["c"]"#, r#"(a["k8s.io/x"] = 1 and ${b}.c)"#);
    check(r#"a["b"] = 1"#, "a.b = 1");
    check(r#"a[""] = 1"#, r#"<error> !VR0204@0..5"#);
    check(r#"a["b = 1"#, r#"<error> !VR0204@0..8"#);
    check(r#"a["b"c] = 1"#, r#"<error> !VR0204@0..6 !VR0201@6..7"#);
}

#[test]
fn several_fields_are_any_of_them() {
    check(r#"(a, b.c, ${d}) contains "x""#, r#"(a contains "x" or b.c contains "x" or ${d} contains "x")"#);
    check(r#"(a, b) not in (1, 2) and c"#, "(not (a in (1, 2) or b in (1, 2)) and c)");
    check("(a, b) != x nocase", "not (a = x nocase or b = x nocase)");
    check("(a, b)", "<error> !VR0206@0..6");
    check("(a, ) = 1", "a = 1 !VR0205@4..5");
    check("(a, b = 1", "<error> !VR0208@0..1");
    check("(a) = 1", "a !VR0209@4..7");
}

#[test]
fn after_a_problem_the_rest_is_still_read() {
    check("", "<error> !VR0205@0..0");
    check("a = and b = 2", "(<error> and b = 2) !VR0207@4..7");
    check("a = 1 b = 2 and c", "a = 1 !VR0209@6..17");
    check("a = 1) and b = ", "a = 1 !VR0208@5..6 !VR0207@15..15");
    check("(a = 1 and b", "(a = 1 and b) !VR0208@0..1");
    check("a in (1, 2 and b", "(<error> and b) !VR0208@11..14");
    check("a & b", "a !VR0201@2..3");
    check("and", "(<error> and <error>) !VR0205@0..3 !VR0205@3..3");
    check("a == == b and not", "(<error> and not <error>) !VR0207@5..7 !VR0205@17..17");
}

#[test]
fn pathological_texts_are_quick() {
    for text in [
        "(".repeat(TEXT_LIMIT),
        "not ".repeat(TEXT_LIMIT / 4),
        "a and ".repeat(TEXT_LIMIT / 6),
        "a or a and ".repeat(TEXT_LIMIT / 11),
        "not a or ".repeat(TEXT_LIMIT / 9),
        "\"".repeat(TEXT_LIMIT),
        "$".repeat(TEXT_LIMIT),
        "a[".repeat(TEXT_LIMIT / 2),
        ") ".repeat(TEXT_LIMIT / 2),
        "a in (".repeat(TEXT_LIMIT / 6),
        "${".repeat(TEXT_LIMIT / 2),
    ] {
        for dialect in [Dialect::Vedette, Dialect::KubeSphere] {
            let parsed = parse_condition(&text, dialect);
            assert!((1..=PROBLEM_LIMIT).contains(&parsed.problems.len()));
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_ü][a-zA-Z0-9_-]{0,5}(/[a-z0-9]{1,3})?".prop_filter("no keyword", |word| {
        !matches!(
            word.to_ascii_lowercase().as_str(),
            "and"
                | "or"
                | "not"
                | "true"
                | "false"
                | "contains"
                | "in"
                | "like"
                | "regex"
                | "regexp"
                | "exists"
                | "within"
        )
    })
}

fn operand() -> impl Strategy<Value = Operand> {
    let step = || {
        prop_oneof![
            4 => name().prop_map(Step::Key),
            1 => ".{1,6}".prop_map(Step::Key),
            1 => Just(Step::Any),
            1 => (0_usize..99).prop_map(Step::Index),
            1 => (0_usize..9, prop::option::of(10_usize..99)).prop_map(|(from, to)| Step::Range(from, to)),
        ]
    };
    let steps = || prop::collection::vec(step(), 0..4);
    prop_oneof![
        (name(), steps()).prop_map(|(first, rest)| {
            let steps = std::iter::once(Step::Key(first)).chain(rest).collect();
            Operand { reference: None, steps, span: 0..0 }
        }),
        ("[a-z]{1,3}(\\.[a-z-]{1,4})?", steps()).prop_map(|(name, steps)| Operand {
            reference: Some(name),
            steps,
            span: 0..0
        }),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(LiteralKind::Text),
        name().prop_map(LiteralKind::Word),
        "-?[0-9]{1,5}(\\.[0-9]{1,3})?".prop_map(LiteralKind::Number),
        any::<bool>().prop_map(LiteralKind::Bool),
        "[a-z]{1,3}(\\.[a-z-]{1,4})?".prop_map(LiteralKind::Reference),
    ]
    .prop_map(|kind| Literal { kind, span: 0..0 })
}

fn test() -> impl Strategy<Value = ExprKind> {
    let signs = prop_oneof![
        Just(Operator::Equal),
        Just(Operator::NotEqual),
        Just(Operator::Greater),
        Just(Operator::Less),
        Just(Operator::GreaterEqual),
        Just(Operator::LessEqual),
    ];
    let words = prop_oneof![
        Just(Operator::Contains),
        Just(Operator::Like),
        Just(Operator::Regex),
        Just(Operator::StartsWith),
        Just(Operator::EndsWith),
    ];
    prop_oneof![
        operand().prop_map(ExprKind::Bare),
        (operand(), signs, literal(), any::<bool>()).prop_map(|(operand, operator, value, nocase)| {
            ExprKind::Test(Test { operand, negated: false, operator, right: Right::Value(value), nocase })
        }),
        (operand(), any::<bool>(), words, literal(), any::<bool>()).prop_map(
            |(operand, negated, operator, value, nocase)| {
                ExprKind::Test(Test { operand, negated, operator, right: Right::Value(value), nocase })
            }
        ),
        (operand(), any::<bool>(), prop::collection::vec(literal(), 1..4)).prop_map(|(operand, negated, items)| {
            let (operator, right) = (Operator::Within, Right::Items(items));
            ExprKind::Test(Test { operand, negated, operator, right, nocase: false })
        }),
        (operand(), any::<bool>(), prop::collection::vec(literal(), 1..4)).prop_map(|(operand, negated, items)| {
            ExprKind::Test(Test { operand, negated, operator: Operator::In, right: Right::Items(items), nocase: false })
        }),
        (operand(), any::<bool>()).prop_map(|(operand, negated)| {
            ExprKind::Test(Test { operand, negated, operator: Operator::Exists, right: Right::Nothing, nocase: false })
        }),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let whole = |kind| Expr { kind, span: 0..0 };
    test().prop_map(whole).prop_recursive(5, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |it| whole(ExprKind::And(it))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |it| whole(ExprKind::Or(it))),
            inner.prop_map(move |it| whole(ExprKind::Not(Box::new(it)))),
        ]
    })
}

/// Every span lies in the text, on the borders of characters, and inside that of its parent.
fn spans_are_inside(expr: &Expr, text: &str, outer: &std::ops::Range<usize>) {
    let span = &expr.span;
    assert!(
        text.get(span.clone()).is_some() && outer.start <= span.start && span.end <= outer.end,
        "{span:?} in {outer:?} of {text:?}"
    );
    match &expr.kind {
        ExprKind::And(operands) | ExprKind::Or(operands) => {
            operands.iter().for_each(|it| spans_are_inside(it, text, span))
        }
        ExprKind::Not(operand) => spans_are_inside(operand, text, span),
        ExprKind::Bare(operand) => assert!(text.get(operand.span.clone()).is_some()),
        ExprKind::Test(test) => assert!(text.get(test.operand.span.clone()).is_some()),
        ExprKind::Error => {}
    }
}

fn is_sound(text: &str) {
    for dialect in [Dialect::Vedette, Dialect::KubeSphere] {
        is_sound_in(text, dialect);
    }
}

fn is_sound_in(text: &str, dialect: Dialect) {
    let Parsed { expr, problems } = parse_condition(text, dialect);
    spans_are_inside(&expr, text, &(0..text.len()));
    assert!(problems.iter().all(|problem| text.get(problem.span.clone()).is_some()), "{problems:?} of {text:?}");
    let broken = problems.iter().any(|problem| problem.code.severity == crate::Severity::Error);
    assert!(broken || !expr.to_string().contains("<error>"), "{text:?}");
}

proptest! {
    #[test]
    fn a_printed_tree_parses_to_itself(expr in expr()) {
        let text = expr.to_string();
        let parsed = parse_condition(&text, Dialect::Vedette);
        let errors: Vec<_> = parsed.problems.iter().filter(|problem| problem.code != codes::READS_OTHERWISE).collect();
        prop_assert!(errors.is_empty(), "{text}: {errors:?}");
        prop_assert_eq!(parsed.expr, expr, "{}", text);
    }

    #[test]
    fn any_text_gives_a_tree_and_spans_inside_it(text in any::<String>()) {
        is_sound(&text);
    }

    #[test]
    fn any_tokens_give_a_tree_and_spans_inside_it(tokens in prop::collection::vec(prop_oneof![
        Just("and"), Just("or"), Just("not"), Just("!"), Just("("), Just(")"), Just(","), Just("="), Just("!="), Just(">="), Just("in"),
        Just("like"), Just("exists"), Just("a.b"), Just("a[*]"), Just("[1:"), Just("\"x\""), Just("\""), Just("1"), Just("${m}"),
        Just("${"), Just("}"), Just("[\""), Just("\"]"), Just("nocase"), Just("within"), Just("(a,"), Just("é"), Just("\\"), Just(" "), Just("AND"), Just("true"),
    ], 0..20), space in any::<bool>()) {
        is_sound(&tokens.join(if space { " " } else { "" }));
    }
}
