use super::*;
use crate::source::{Locator, values};

/// Each scalar of `text`: its content, and what its place makes of every byte of it.
fn placed(text: &str) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let tree = parse(text, &mut problems);
    assert_eq!(problems, []);
    let scalars = (0..tree.nodes.len()).map(NodeId).filter_map(|id| Some((id, tree.text(id)?.to_owned())));
    scalars
        .map(|(id, content)| {
            let place = place(text, &tree, id);
            let back = content.char_indices().map(|(at, it)| {
                let range = place.range(&(at..at + it.len_utf8()));
                text.get(range).unwrap_or("<?>").to_owned()
            });
            (content.clone(), back.collect())
        })
        .collect()
}

#[test]
fn plain_and_quoted_scalars_map_back_to_the_file() {
    for text in [
        "a: Verb = \"get\"\n",
        "a: 'Verb = \"get\"'\n",
        "# ü\n- \"Verb ü\"\n- ü: plain\r\n",
        "\u{feff}a: b\n",
        "a: |\n  Verb = get\n    and more\n  end\n",
        "a: >-\n  Verb\n  = get\n\n  end\n",
        "a: Verb =\n  get and\n  more\n",
        "a: \"Verb =\n  get\"\n",
        "--- |\n x\n y\n",
        "{a: [b, 'c', \"d\"]}",
    ] {
        for (content, back) in placed(text) {
            let same = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(same(&content), same(&back), "in {text:?}");
        }
    }
}

#[test]
fn escapes_map_to_where_they_start() {
    let text = r#"a: "x = \"y\\z\" and w""#;
    let (content, back) = placed(text).pop().unwrap();
    assert_eq!(content, r#"x = "y\z" and w"#);
    assert_eq!(back, r"x = \y\z\ and w", "an escape maps to its backslash");
    let (content, back) = placed("a: 'x = ''y'''").pop().unwrap();
    assert_eq!((content.as_str(), back.as_str()), ("x = 'y'", "x = 'y'"));
    let text = r#"a: "\u0041 = b""#;
    assert_eq!(placed(text).pop().unwrap().1.trim(), "", "an escape that is not followed leaves the start alone");
}

#[test]
fn aliases_stand_for_their_anchors_and_are_bounded() {
    let mut problems = Vec::new();
    let tree = parse("a: &x [1, 2]\nb: *x\n", &mut problems);
    assert!(problems.is_empty());
    let NodeKind::Mapping(pairs) = &tree.node(tree.documents[0]).kind else { panic!("no mapping") };
    assert_eq!(pairs[0].1, pairs[1].1);

    let check = |text: &str, code| {
        let mut problems = Vec::new();
        parse(text, &mut problems);
        assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), [code], "{problems:?}");
    };
    check("a: &x [*x]\n", codes::YAML);
    check("a: *nowhere\n", codes::YAML);
    let mut laughs = "a0: &a0 [l,l,l,l,l,l,l,l,l,l]\n".to_owned();
    for level in 1..12 {
        let before = level - 1;
        let aliases = vec![format!("*a{before}"); 10].join(",");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    check(&laughs, codes::FILE_LIMIT);
    // Neither does it help to spread it over documents, or to nest by aliases.
    let spread = "a: &a [l,l,l,l,l,l,l,l,l,l]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                  d: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n---\n";
    assert!(values(&spread.repeat(10)).is_ok());
    check(&spread.repeat(100), codes::FILE_LIMIT);
    let nest = |levels: usize, inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
    let nested = |levels| format!("- &a {}\n- {}\n", nest(20, "l"), nest(levels, "*a"));
    assert!(values(&nested(43)).is_ok());
    check(&nested(44), codes::FILE_LIMIT);
    check(&"[".repeat(100), codes::FILE_LIMIT);
    check(&"x".repeat(FILE_LIMIT + 1), codes::FILE_LIMIT);
}

#[test]
fn scalars_have_the_shape_of_the_core_schema() {
    let mut problems = Vec::new();

    let tree = parse("[~, null, yes, true, 'true', 1, -2.5, 1e3, inf, .5, 1.2.3, '1', !!str 1, a b]", &mut problems);
    assert!(problems.is_empty());
    let NodeKind::Sequence(items) = &tree.node(tree.documents[0]).kind else { panic!("no sequence") };
    use Shape::{Bool, Null, Number, Text};
    let shapes: Vec<_> = items.iter().map(|item| tree.shape(*item)).collect();
    assert_eq!(
        shapes,
        [Null, Null, Text, Bool(true), Text, Number, Number, Number, Text, Number, Text, Text, Text, Text]
    );
}

/// Whoever has the field and the offset of a finding, and another text of the resource, finds the place.
#[test]
fn what_is_found_in_one_text_is_located_in_another() {
    let write = |condition: &str, style: &str| {
        format!(
            "# ü\napiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata: {{name: a, annotations: {{\"a.b/c\": d}}}}\n\
             spec:\n  rules:\n  - {{name: m, type: macro, macro: Verb exists}}\n  - name: x\n    type: rule\n    \
             priority: INFO\n    condition: {style}{condition}\n"
        )
    };
    let condition = "Verb = ${ü} and ${nope} or Verb in (a, ${none})";
    let texts = [("", ""), ("|\n      ", ""), (">-\n      ", ""), ("\"", "\""), ("'", "'")]
        .map(|(before, after)| write(&format!("{condition}{after}"), before));
    for text in &texts {
        let file = crate::SourceFile { name: "a".to_owned(), text: text.clone() };
        let found = crate::Policy::build(&[file], 0).map(|_| ()).unwrap_err();
        assert!(found.iter().filter(|it| it.offset > 0).count() >= 2, "{found:?}");
        let locator = Locator::new(text);
        for it in found.iter().filter(|it| it.is_error()) {
            assert_eq!(it.field, "spec.rules[1].condition");
            assert_eq!(locator.locate(&it.field, it.offset), Some((it.line, it.column)), "{it}: {text}");
            assert!(it.end > (it.line, it.column), "{it:?}");
        }
    }
    let text = &texts[0];
    assert_eq!(Locator::new(text).locate("metadata.annotations[\"a.b/c\"]", 0), Some((4, 44)));
    assert_eq!(Locator::new(text).locate("spec.rules[0].macro", 5), Some((7, 40)));
    // What is not there is where it would be; nothing at all is nowhere.
    assert_eq!(Locator::new(text).locate("spec.rules[1].output", 0), Some((8, 5)));
    assert_eq!(Locator::new("").locate("spec", 0), None);
}

/// What is read is what others make of the same text; of what is not, the place is told.
#[test]
fn texts_are_read_as_values() {
    let text = "# ü\na: &x {b: 1, c: [null, ~, yes, true, '1', -2.5, 1e3]}\nd: *x\n---\n---\n- |\n  e\n  f\n";
    let theirs = text.split("---\n").map(|it| serde_yaml_ng::from_str(it).unwrap());
    let theirs: Vec<serde_json::Value> = theirs.filter(|it: &serde_json::Value| !it.is_null()).collect();
    assert_eq!(values(text).unwrap(), theirs);
    let broken = values("a: 1\n---\nb: [c\n").unwrap_err();
    assert_eq!((broken.code, broken.line, broken.before.len()), (codes::YAML.id, 4, 1), "{broken}");
}
