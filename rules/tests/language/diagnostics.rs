//! Diagnostics as users see them, and that every code can be had.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::json;
use vedette_rules::render::{Style, render};
use vedette_rules::{Policy, Severity, SourceFile};

use crate::{codes, diagnosed, files, golden, listed, source};

/// Every file of the folder as the only one of its set; a line `---- NAME` begins another file of the same set.
fn sources(text: &str) -> Vec<SourceFile> {
    let mut parts: Vec<(String, String)> = vec![("rules.yaml".to_owned(), String::new())];
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ") {
            parts.push((name.to_owned(), String::new()));
        } else if let Some((_, text)) = parts.last_mut() {
            writeln!(text, "{line}").unwrap();
        }
    }
    parts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| source(&name, text)).collect()
}

#[test]
fn every_code_is_rendered_as_written() {
    let mut seen = BTreeSet::new();
    for path in files("diagnostics", "yaml") {
        let sources = sources(&std::fs::read_to_string(&path).unwrap());
        let diagnostics = match Policy::build(&sources, 1) {
            Ok(built) => built.warnings,
            Err(diagnostics) => diagnostics,
        };
        let mut out = String::new();
        for diagnostic in &diagnostics {
            seen.insert(diagnostic.code);
            writeln!(out, "{}", render(diagnostic, &sources, Style::Plain)).unwrap();
        }
        golden(&path.with_extension("txt"), &out);
    }
    // What takes megabytes, and what is wrong with users' tests, is in tests of its own.
    let elsewhere = BTreeSet::from(["VR0002", "VR0212", "VR0407", "VR0601", "VR0602"]);
    let missing: Vec<_> = vedette_rules::codes::ALL
        .iter()
        .filter(|code| !seen.contains(code.id) && !elsewhere.contains(code.id))
        .map(|code| format!("{} {}", code.id, code.title))
        .collect();
    assert!(missing.is_empty(), "not shown by any file: {missing:#?}");
}

/// Two wrong fields, a name that is none, and a wrong character in the middle of a folded condition.
const MISTAKES: &str = r#"
kind: List
apiVersion: v1
items:
- apiVersion: auditing.kubesphere.io/v1alpha1
  kind: Rule
  metadata:
    name: r
    namespace: n
    labels: {type: archiving, a.b/c: 7}
  spec:
    rules:
    - {name: m, type: list, list: [x]}
    - name: a/b
      type: rule
      priority: INFO
      condition: >-
        Verb = "get" and
        Vorb = "x"
      enable: yes
"#;

#[test]
fn a_finding_names_its_field() {
    let found = Policy::build(&[source("r.yaml", MISTAKES)], 1).unwrap_err();
    let found: Vec<_> = found.iter().map(|it| (it.code, it.field.as_str(), it.offset)).collect();
    let expected = [
        ("VR0007", "items[0].metadata.labels[\"a.b/c\"]", 0),
        ("VR0118", "items[0].spec.rules[1].name", 0),
        ("VR0403", "items[0].spec.rules[1].condition", 17),
        ("VR0007", "items[0].spec.rules[1].enable", 0),
    ];
    assert_eq!(found, expected);
}

#[test]
fn limits_are_said_and_kept() {
    let rule = |condition: &str| {
        let entry = format!(
            "{{name: x, type: rule, enable: true, priority: INFO, condition: {}}}",
            serde_json::json!(condition)
        );
        crate::resource("r", "archiving", &[&entry])
    };
    for (text, code) in [
        ("x".repeat(4 * 1024 * 1024 + 1), "VR0002"),
        (format!("{}{}", "[".repeat(100), "]".repeat(100)), "VR0002"),
        // Its aliases unfolded, the text takes 30 gigabytes.
        (format!("a: &a {}\nb: [{}]", "x".repeat(3_000_000), vec!["*a"; 10_000].join(", ")), "VR0002"),
        (rule(&format!("Verb = \"{}\"", "x".repeat(70_000))), "VR0212"),
        (rule(&format!("{}Verb exists{}", "(".repeat(70), ")".repeat(70))), "VR0211"),
        (rule(&format!("{}Verb exists", "not ".repeat(70))), "VR0211"),
        (rule(&format!("{}Verb exists", "!".repeat(60_000))), "VR0211"),
        (rule(&format!("RequestObject{} exists", ".x".repeat(70))), "VR0204"),
    ] {
        let diagnostics = diagnosed(&text);
        assert!(codes(&diagnostics).contains(&code), "{code}: {}", listed(&diagnostics));
        assert!(diagnostics.len() < 60, "{}", diagnostics.len());
    }
}

/// Macros in macros double what they hold with each step; here that costs nothing, and depth is bounded.
#[test]
fn macros_in_macros_do_not_explode() {
    let chain = |length: usize, backwards: bool| {
        let mut entries: Vec<String> = (1..length)
            .map(|index| {
                format!(
                    "{{name: m{index}, type: macro, macro: \"${{m{0}}} and ${{m{0}}} or Verb = v{index}\"}}",
                    index - 1
                )
            })
            .collect();
        entries.push("{name: m0, type: macro, macro: Verb = create}".to_owned());
        entries.push(format!(
            "{{name: x, type: rule, enable: true, priority: INFO, condition: \"${{m{}}}\"}}",
            length - 1
        ));
        if backwards {
            entries.reverse();
        }
        crate::resource("r", "archiving", &entries.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for backwards in [false, true] {
        let built = crate::built(&chain(60, backwards));
        assert!(built.policy.rules.decide(br#"{"verb":"create"}"#).unwrap().archive);
        assert!(built.policy.rules.predicates() <= 60);
        let explainer = vedette_rules::Explainer::new(&[source("rules.yaml", chain(60, backwards))], "x", |_| {});
        let Err(vedette_rules::ExplainError::Broken(diagnostics)) = explainer else { panic!("{explainer:?}") };
        assert_eq!(codes(&diagnostics), ["VR0407"]);
        let diagnostics = diagnosed(&chain(1000, backwards));
        assert!(diagnostics.iter().any(|it| it.code == "VR0407"), "{}", listed(&diagnostics));
    }
}

/// What a macro's clients write and what it asks for is known wherever it is named, and said once.
#[test]
fn what_macros_say_of_their_fields_does_not_explode() {
    let mut entries =
        vec!["{name: m0, type: macro, macro: 'Verb = create and UserAgent != \"x\" and Verb = get'}".to_owned()];
    entries.extend((1..60).map(|index| {
        format!("{{name: m{index}, type: macro, macro: '${{m{0}}} and ${{m{0}}} and UserAgent != \"y\"'}}", index - 1)
    }));
    entries.extend((0..100).map(|index| {
        format!(
            "{{name: x{index}, type: rule, enable: true, priority: INFO, condition: '${{m59}} or Verb = v{index}'}}"
        )
    }));
    let text = crate::resource("r", "alerting", &entries.iter().map(String::as_str).collect::<Vec<_>>());
    let built = crate::built(&text);
    let codes = codes(&built.warnings);
    let count = |code: &str| codes.iter().filter(|it| **it == code).count();
    assert_eq!((count("VR0411"), count("VR0406")), (60, 60), "{codes:?}");
}

/// Compiling recurses over conditions and the macros in them, on whatever stack its caller has.
#[test]
fn deep_macros_in_macros_do_not_overflow_the_stack() {
    // Each text leads on to the next at its deepest place.
    let chain = |nesting: usize| {
        let nested =
            |inner: &str| format!("{}{inner}{}", "Verb = a or Verb = b and (".repeat(nesting), ")".repeat(nesting));
        let mut entries =
            vec![format!("{{name: x, type: rule, enable: true, priority: INFO, condition: '{}'}}", nested("${m0}"))];
        for index in 0..60 {
            let next = format!("${{m{}}}", index + 1);
            entries.push(format!("{{name: m{index}, type: macro, macro: '{}'}}", nested(&next)));
        }
        entries.push("{name: m60, type: macro, macro: Verb exists}".to_owned());
        crate::resource("r", "archiving", &entries.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let on_a_thread = |text: String| {
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
        let build =
            move || Policy::build(&[source("rules.yaml", text)], 1).map(|built| built.policy.rules.decide(b"{}"));
        thread.spawn(build).unwrap().join().unwrap()
    };
    assert!(on_a_thread(chain(3)).unwrap().unwrap().matched.is_empty());
    let diagnostics = on_a_thread(chain(63)).unwrap_err();
    assert!(diagnostics.iter().any(|it| it.code == "VR0407"), "{}", listed(&diagnostics));
}

/// A list of `lines` items in block style, as an entry of `spec.rules`.
fn list(name: &str, item: &str, lines: usize) -> String {
    format!("name: {name}\n    type: list\n    list:{}", format!("\n    - {item}").repeat(lines))
}

fn too_big(entries: &[&str]) {
    let diagnostics = diagnosed(&crate::resource("r", "alerting", entries));
    assert_eq!(codes(&diagnostics), ["VR0407"]);
}

#[test]
fn lists_in_lists_are_not_unfolded_beyond_their_limit() {
    // 2 * 10^9 items if it were first unfolded.
    too_big(&[&list("small", "x", 20_000), &list("big", "${small}", 100_000)]);
}

#[test]
fn conditions_do_not_compare_with_items_beyond_their_limit() {
    let rule = |name: &str, times: usize| {
        let references = vec!["${l}"; times].join(", ");
        format!("{{name: {name}, type: rule, enable: true, priority: INFO, condition: 'Verb in ({references})'}}")
    };
    // 10^9 items in one condition; 3 * 10^6 in several that each have few.
    too_big(&[&list("l", "x", 100_000), &rule("x", 10_000)]);
    let several: Vec<String> = (0..31).map(|index| rule(&format!("r{index}"), 1)).collect();
    let list = list("l", "x", 100_000);
    let entries: Vec<&str> = std::iter::once(list.as_str()).chain(several.iter().map(String::as_str)).collect();
    too_big(&entries);
    assert!(diagnosed(&crate::resource("r", "alerting", &entries[..21])).is_empty());
}

#[test]
fn regular_expressions_share_one_limit() {
    let rules = |count: usize, pattern: &dyn Fn(usize) -> String| {
        let rule = |index: usize| {
            format!(
                "{{name: r{index}, type: rule, enable: true, priority: INFO, condition: 'Verb regex \"{}\"'}}",
                pattern(index)
            )
        };
        (0..count).map(rule).collect::<Vec<_>>()
    };
    let diagnosed = |rules: &[String]| {
        diagnosed(&crate::resource("r", "alerting", &rules.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    let big = |index: usize| format!("a{{20000}}b{{{index}}}");
    let found = diagnosed(&rules(1000, &big));
    assert_eq!(codes(&found), ["VR0407"], "it is said once");
    assert_eq!(found[0].message, "the regular expressions together take too much memory");
    assert!(diagnosed(&rules(100, &big)).is_empty());
    assert!(diagnosed(&rules(1000, &|_| big(1))).is_empty(), "the same one is compiled once");
    let small = |index: usize| format!("^(pod|job)-{index}-[a-z0-9.-]+$");
    assert!(diagnosed(&rules(10_000, &small)).is_empty());
}

#[test]
fn macros_are_not_read_beyond_their_limit() {
    let reads: Vec<String> = (0..2000).map(|index| format!("RequestObject.x{index}")).collect();
    let entry = |name: &str, body: &str| format!("{{name: {name}, type: {body}}}");
    let library = entry("m", &format!("macro, macro: {}", reads.join(" or ")));
    let rule = |times: usize| {
        let references = vec!["${m}"; times].join(" or ");
        entry("x", &format!("rule, enable: true, priority: INFO, condition: '{references}'"))
    };
    too_big(&[&library, &rule(501)]);
    let built = crate::built(&crate::resource("r", "alerting", &[&library, &rule(499)]));
    assert_eq!(codes(&built.warnings), ["VR0405"; 1000], "each field is said once");
    assert!(built.warnings[999].help.as_ref().unwrap().contains("1000 more findings"));
}

/// What may have been meant is looked for among all names: only for a name that is unknown, and shown.
#[test]
fn names_are_compared_where_a_suggestion_is_shown() {
    let mut entries: Vec<String> =
        (0..20_000).map(|index| format!("{{name: Verb{index:05}, type: alias, alias: Verb}}")).collect();
    let output = "${Verb} ${User.Username}".repeat(600);
    let rule = |index: usize, output: &str| {
        format!(
            "{{name: r{index}, type: rule, enable: true, priority: INFO, condition: '${{Verb00000}} = a', output: '{output}'}}"
        )
    };
    entries.extend((0..20).map(|index| rule(index, &output)));
    let text =
        |entries: &[String]| crate::resource("r", "alerting", &entries.iter().map(String::as_str).collect::<Vec<_>>());
    let started = std::time::Instant::now();
    let diagnostics = diagnosed(&text(&entries));
    assert!(diagnostics.iter().all(|it| it.code == "VR0305"), "they are unused, and nothing else");
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
    entries.truncate(20_000);
    entries.push(rule(0, "${Verbx00000}"));
    let help = diagnosed(&text(&entries))[0].help.clone();
    assert_eq!(help.as_deref(), Some("did you mean `${Verb00000}`?"));
}

/// Finding the place of a part of a folded text takes as long as the text: it is found only for what is shown.
#[test]
fn places_are_looked_for_where_they_are_shown() {
    let reads = vec!["RequestObject.x"; 3000].join("\n        or ");
    let rule = |index: usize| {
        format!(
            "name: r{index}\n    type: rule\n    enable: true\n    priority: INFO\n    condition: >\n        {reads}"
        )
    };
    let rules: Vec<String> = (0..40).map(rule).collect();
    let text = crate::resource("r", "alerting", &rules.iter().map(String::as_str).collect::<Vec<_>>());
    let started = std::time::Instant::now();
    let places: Vec<_> = crate::built(&text).warnings.iter().map(|it| (it.line, it.column)).collect();
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
    assert_eq!((places.len(), places[0], places[1]), (40, (14, 9), (3019, 9)));
}

#[test]
fn all_findings_of_all_files_come_in_order() {
    let broken =
        crate::resource("a", "archiving", &["{name: x, type: rule, condition: Verb =, priority: LOW}", "{name: y}"]);
    let files = [source("b.yaml", &*broken), source("a.yaml", "kind: [")];
    let diagnostics = Policy::build(&files, 1).unwrap_err();
    let places: Vec<_> = diagnostics.iter().map(|it| (it.file.as_str(), it.line, it.severity)).collect();
    use Severity::{Error, Note};
    assert_eq!(
        places,
        [("b.yaml", 9, Note), ("b.yaml", 9, Error), ("b.yaml", 9, Error), ("b.yaml", 10, Error), ("a.yaml", 1, Error),],
        "{}",
        listed(&diagnostics)
    );
}

#[test]
fn a_flood_of_findings_is_bounded() {
    let entries = vec!["{name: x, type: nothing}"; 3000];
    let diagnostics = diagnosed(&crate::resource("a", "archiving", &entries));
    assert_eq!(diagnostics.len(), 1000);
    assert!(diagnostics.last().unwrap().help.as_ref().unwrap().contains("more findings"));
}

#[test]
fn an_error_is_never_lost_among_lesser_findings() {
    let mut entries = vec![String::new(); 1500];
    for (index, entry) in entries.iter_mut().enumerate() {
        *entry = format!("{{name: r{index}, type: rule, priority: INFO, condition: Verb exists}}");
    }
    let notes =
        |entries: &[String]| crate::resource("a", "archiving", &entries.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(crate::built(&notes(&entries)).warnings.len(), 1000);
    let read = "{name: x, type: nothing}";
    let compiled = "{name: x, type: rule, enable: true, priority: INFO, condition: '${nobody}'}";
    for (entry, code) in [(read, "VR0101"), (compiled, "VR0301")] {
        let mut entries = entries.clone();
        entries[1400] = entry.to_owned();
        let diagnostics = Policy::build(&[source("rules.yaml", notes(&entries))], 1).unwrap_err();
        assert_eq!(diagnostics.len(), 1000);
        let errors: Vec<_> = diagnostics.iter().filter(|it| it.severity == Severity::Error).collect();
        assert!(matches!(errors.as_slice(), [only] if only.code == code), "{errors:?}");
        assert!(diagnostics.last().unwrap().help.as_ref().unwrap().contains("500 more findings"));
    }
    entries.extend(std::iter::repeat_n(read.to_owned(), 3000));
    let diagnostics = Policy::build(&[source("rules.yaml", notes(&entries))], 1).unwrap_err();
    assert_eq!(diagnostics.len(), 1000);
    assert!(diagnostics.iter().all(|it| it.severity == Severity::Error));
}

#[test]
fn colours_are_only_written_where_asked_for() {
    let sources = [source("r.yaml", "kind: Rule\n")];
    let diagnostics = Policy::build(&sources, 1).unwrap_err();
    let plain = render(&diagnostics[0], &sources, Style::Plain);
    let coloured = render(&diagnostics[0], &sources, Style::Colour);
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[1;31m"), "{coloured}");
    let hostile = [source("r\u{1b}[2J.yaml", "kind: \"Ru\\x1b[2Jle\"\n")];
    let diagnostics = match Policy::build(&hostile, 1) {
        Ok(built) => built.warnings,
        Err(diagnostics) => diagnostics,
    };
    assert!(!render(&diagnostics[0], &hostile, Style::Plain).contains('\u{1b}'), "control characters stay in the file");
}

/// The resources of `testdata`, some bytes of them replaced.
fn damaged() -> impl Strategy<Value = String> {
    let texts: Vec<String> = ["diagnostics", "seeds"]
        .iter()
        .flat_map(|folder| files(folder, "yaml"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let piece = prop_oneof![
        Just(""),
        Just("\n"),
        Just(" "),
        Just(":"),
        Just("- "),
        Just("&a"),
        Just("*a"),
        Just("!!str "),
        Just("|\n"),
        Just(">-\n"),
        Just("{"),
        Just("}"),
        Just("["),
        Just("'"),
        Just("\""),
        Just("${"),
        Just("---\n"),
        Just("...\n"),
        Just("\t"),
        Just("\r"),
        Just("é"),
        Just("\u{feff}"),
        Just("%YAML 1.2\n"),
        Just("? "),
        Just("#"),
        Just("\0"),
        Just("<<: *a"),
        Just("\\x"),
        Just("(")
    ];
    let damage = (any::<prop::sample::Index>(), 0..12_usize, piece);
    (prop::sample::select(texts), prop::collection::vec(damage, 1..5)).prop_map(|(mut text, damage)| {
        for (at, length, piece) in damage {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, piece);
        }
        text
    })
}

/// Tokens of conditions, outputs and references in any order: much of it parses, and some of it compiles.
fn tokens() -> impl Strategy<Value = String> {
    let fields = prop::sample::select(vec![
        "Verb",
        "ResponseStatus.code",
        "RequestReceivedTimestamp",
        "User.Groups",
        "User.groups[0]",
        "SourceIPs[*]",
        "RequestObject.x",
        "RequestObject.x[1:]",
        "RequestObject[:2].y",
        "responseObject",
        "Annotations.a.b",
        "ObjectRef",
        "Nothing.x",
    ]);
    let references = prop::sample::select(vec![
        "${m}", "${l}", "${a}", "${n}", "${a}.x", "${r.m}", "${r.l}", "${s.m}", "${ a }", "${}", "${Verb}", "${a", "$",
        "${r.}", "${.}",
    ]);
    let operators = "= == != < <= > >= in contains like regex exists".split(' ').collect::<Vec<_>>();
    let operators = prop::sample::select(operators);
    let connectors = prop::sample::select(vec!["and", "or", "not", "!", "(", ")", ",", "AND", "&&"]);
    let values = prop::sample::select(vec![
        "\"a\"",
        "\"\"",
        "\"2020-06-12T09:23:28Z\"",
        "404",
        "-1",
        "1.5",
        "99999999999999999999999999999999999999999",
        "true",
        "FALSE",
        "word",
        "\"(\"",
        "\"a*?\"",
        "(1, \"a\")",
        "(${l}, ${a})",
        "()",
        "\"\\\"",
        "\"open",
        "é",
        "\0",
        "\u{2028}",
    ]);
    let pieces = prop_oneof![3 => fields, 2 => references, 3 => operators, 3 => connectors, 3 => values];
    let pieces = prop::collection::vec(pieces, 0..12);
    (pieces, prop::sample::select(vec![" ", "", "\n"])).prop_map(|(pieces, between)| pieces.join(between))
}

/// Conditions whose tests are such, whatever their types and names.
fn chain() -> impl Strategy<Value = String> {
    let test = (
        prop::sample::select(vec![
            "Verb",
            "RequestObject.x",
            "${a}",
            "RequestReceivedTimestamp",
            "ResponseStatus.code",
        ]),
        prop::sample::select(vec!["=", "in", ">=", "contains", "not like", "regex", "!="]),
        prop::sample::select(vec![
            "\"a\"",
            "${l}",
            "3",
            "(${l}, ${a}, 1)",
            "\"2020-06-12T09:23:28Z\"",
            "true",
            "${a}",
            "\"a*?\"",
        ]),
    );
    let test = test.prop_map(|(field, operator, value)| format!("{field} {operator} {value}"));
    let test = prop_oneof![4 => test, 1 => Just("RequestObject.x exists".to_owned()), 1 => Just("${m}".to_owned())];
    let joined = (test, prop::sample::select(vec![" and ", " or ", " and not "]));
    prop::collection::vec(joined, 1..4).prop_map(|tests| {
        let text: String = tests.iter().map(|(test, join)| format!("{test}{join}")).collect();
        format!("{text}Verb exists")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_give_diagnostics_that_lie_in_them(text in damaged()) {
        let sources = [source("rules.yaml", &*text)];
        let diagnostics = match Policy::build(&sources, 1) {
            Ok(built) => built.warnings,
            Err(diagnostics) => {
                prop_assert!(diagnostics.iter().any(|it| it.severity == Severity::Error));
                diagnostics
            }
        };
        for diagnostic in &diagnostics {
            prop_assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic} at {:?}", diagnostic.span);
            prop_assert!(!render(diagnostic, &sources, Style::Plain).is_empty());
        }
    }

    #[test]
    fn any_text_is_no_reason_to_panic(text in any::<String>()) {
        let _ = Policy::build(&[source("rules.yaml", text)], 1);
    }

    #[test]
    fn any_tokens_are_no_reason_to_panic(
        (rule, macro_) in (prop_oneof![tokens(), chain()], prop_oneof![tokens(), chain()]),
        (alias, output) in (tokens(), tokens()),
        list in prop::collection::vec(tokens(), 0..4),
        broken in prop::collection::vec(prop::bool::weighted(0.3), 5),
        level in 0..4_usize,
    ) {
        // Most parts are as they should be, so that the others are looked at.
        let or = |index: usize, text: String, sound: &str| if broken[index] { text } else { sound.to_owned() };
        let entries = json!([
            {"name": "m", "type": "macro", "macro": or(0, macro_, "Verb in ${l} and ${a} = 3")},
            {"name": "l", "type": "list", "list": if broken[4] { list } else { vec!["3".to_owned(), "${a}".to_owned()] }},
            {"name": "a", "type": "alias", "alias": or(1, alias, "RequestObject.x")},
            {"name": "x", "type": "rule", "enable": true, "priority": "WARNING", "condition": or(2, rule, "${m}"),
                "output": or(3, output, "${a} ${l} ${Verb}")},
        ]);
        let resource = json!({"apiVersion": "auditing.kubesphere.io/v1alpha1", "kind": "Rule",
            "metadata": {"name": "r", "labels": {"type": "alerting"}}, "spec": {"rules": entries}});
        let sources = [source("rules.yaml", resource.to_string())];
        let level = ["None", "Metadata", "Request", "RequestResponse"][level];
        match Policy::build_with(&sources, 1, |settings| settings.audit_level = level.parse().unwrap()) {
            Ok(built) => {
                prop_assert!(built.warnings.iter().all(|it| it.severity != Severity::Error));
                for event in [
                    "{}",
                    r#"{"level":"RequestResponse","verb":"a","user":{"groups":["a",null]},"requestObject":{"x":[3,"a",{"y":true}]},
                        "responseStatus":{"code":404},"requestReceivedTimestamp":"2020-06-12T09:23:28Z","annotations":{"a.b":"a"}}"#,
                    r#"{"level":"Metadata","verb":"a","objectRef":{"resource":"pods"},"requestReceivedTimestamp":5}"#,
                ] {
                    prop_assert!(built.policy.rules.decide(event.as_bytes()).is_ok());
                }
            }
            Err(diagnostics) => {
                prop_assert!(diagnostics.iter().any(|it| it.severity == Severity::Error));
                for diagnostic in &diagnostics {
                    prop_assert!(sources[0].text.get(diagnostic.span.clone()).is_some(), "{diagnostic}");
                }
            }
        }
    }
}
