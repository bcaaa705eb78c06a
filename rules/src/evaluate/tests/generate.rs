//! Conditions and events that have much to do with each other.

use proptest::prelude::*;

use super::oracle::Json;

/// The aliases of every rule set, and what they stand for.
pub(super) const ALIASES: [(&str, &str); 4] = [
    ("name", "ObjectRef.Name"),
    ("extra", "user.extra.x"),
    ("body", "RequestObject.x"),
    ("answer", "responseObject.y[*]"),
];

/// What is known to be text is compared as text, even where it looks like a timestamp: such words are of use elsewhere.
fn text_word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("ab".to_owned()),
        Just("b.a".to_owned()),
        Just("abcabc".to_owned()),
        Just("aB".to_owned()),
        "[ab]{0,3}",
        "[abcéÉA]{3,5}",
    ]
}

fn address() -> impl Strategy<Value = String> {
    let addresses = ["10.0.0.1", "10.200.3.4", "::ffff:10.1.2.3", "192.0.2.7", "fd00::7", "fe80::1", "unix"];
    prop::sample::select(addresses.to_vec()).prop_map(str::to_owned)
}

fn word() -> impl Strategy<Value = String> {
    let times = prop_oneof![Just("2020-06-12T09:23:28Z"), Just("2020-06-12T10:23:28.0+01:00")];
    prop_oneof![3 => text_word(), 1 => times.prop_map(str::to_owned)]
}

/// Conditions have no exponents.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        (-3..3_i32).prop_map(|it| it.to_string()),
        Just("1.0".to_owned()),
        Just("0.5".to_owned()),
        Just("20".to_owned())
    ]
}

/// A path of which nothing is known, so that any comparison is well typed.
fn path() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        4 => prop_oneof![Just(".x"), Just(".y"), Just(".X")].prop_map(str::to_owned),
        2 => prop_oneof![Just("[*]"), Just("[0]"), Just("[1:]"), Just("[:2]"), Just("[1]"), Just("[0:1]")].prop_map(str::to_owned),
        1 => Just("[\"x.y\"]".to_owned()),
    ];
    let root = prop_oneof![
        2 => Just("RequestObject"),
        2 => Just("responseObject"),
        3 => Just("user.extra"),
        2 => Just("User.Extra.x"),
    ];
    (root, prop::collection::vec(step, 0..4)).prop_map(|(root, steps)| format!("{root}{}", steps.concat()))
}

/// A field that is text, and mostly there.
fn text_path() -> impl Strategy<Value = String> {
    let paths = [
        "Verb",
        "requestURI",
        "objectRef.resource",
        "ObjectRef.Name",
        "user.username",
        "User.groups",
        "user.Groups[*]",
        "sourceIPs[0]",
        "Actor",
        "command",
        "SourceIP",
    ];
    prop::sample::select(paths.to_vec()).prop_map(str::to_owned)
}

fn plain() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => word().prop_map(|it| format!("\"{it}\"")),
        2 => number(),
        1 => any::<bool>().prop_map(|it| it.to_string()),
    ]
}

fn literal() -> impl Strategy<Value = String> {
    let names = prop_oneof![Just("${extra}"), Just("${body}"), Just("${answer}"), Just("${name}")];
    prop_oneof![6 => plain(), 1 => names.prop_map(str::to_owned)]
}

/// One comparison, or one of several fields.
pub(super) fn atom() -> impl Strategy<Value = String> {
    let not = || prop_oneof![2 => Just(""), 1 => Just("not ")];
    let number_or_text = || prop_oneof![word().prop_map(|it| format!("\"{it}\"")), number()];
    let quoted = || text_word().prop_map(|it| format!("\"{it}\""));
    let pattern = || {
        let parts = prop_oneof![
            Just(("contains", "[abc]{0,4}")),
            Just(("startswith", "[abcA]{0,4}")),
            Just(("endswith", "[abcA]{0,4}")),
            Just(("contains", "[abA]{1,2}")),
            Just(("like", "[abc*?]{0,5}")),
            Just(("like", "[*]?[abc]{3,4}[*]?")),
            Just(("regex", "[abc.*+?]{0,4}")),
            Just(("regex", "[abc]{3,4}[.]?[?]?"))
        ];
        let text = parts.prop_flat_map(|(operator, text)| (Just(operator), text));
        text.prop_map(|(operator, text)| match operator {
            "regex" if regex::Regex::new(&text).is_err() => (operator, format!("^[{text}]")),
            _ => (operator, text),
        })
    };
    prop_oneof![
        2 => path(),
        2 => (path(), not()).prop_map(|(path, not)| format!("{path} {not}exists")),
        3 => (path(), prop_oneof![Just("="), Just("!=")], literal()).prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        3 => (path(), prop_oneof![Just("<"), Just("<="), Just(">"), Just(">=")], number_or_text())
            .prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        2 => (path(), not(), prop::collection::vec(plain(), 1..12))
            .prop_map(|(path, not, items)| format!("{path} {not}in ({})", items.join(", "))),
        1 => (path(), not(), prop::collection::vec(literal(), 1..4))
            .prop_map(|(path, not, items)| format!("{path} {not}in ({})", items.join(", "))),
        3 => (path(), not(), pattern()).prop_map(|(path, not, (operator, text))| format!("{path} {not}{operator} \"{text}\"")),
        4 => (text_path(), prop_oneof![Just("="), Just("!="), Just("<")], quoted()).prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        3 => (text_path(), not(), prop::collection::vec(quoted(), 1..12))
            .prop_map(|(path, not, items)| format!("{path} {not}in ({})", items.join(", "))),
        4 => (text_path(), not(), pattern()).prop_map(|(path, not, (operator, text))| format!("{path} {not}{operator} \"{text}\"")),
        1 => Just("objectRef.name = ${body}".to_owned()),
        3 => (prop_oneof![path(), text_path()], not(), pattern())
            .prop_map(|(path, not, (operator, text))| format!("{path} {not}{operator} \"{text}\" nocase")),
        2 => (prop_oneof![path(), text_path()], prop_oneof![Just("="), Just("!=")], quoted())
            .prop_map(|(path, sign, value)| format!("{path} {sign} {value} nocase")),
        2 => (prop_oneof![path(), text_path()], not(), prop::collection::vec(quoted(), 1..12))
            .prop_map(|(path, not, items)| format!("{path} {not}in ({}) nocase", items.join(", "))),
        3 => (prop_oneof![path(), text_path(), Just("SourceIP".to_owned())], not(), prop::collection::vec(network(), 1..4))
            .prop_map(|(path, not, networks)| format!("{path} {not}within ({})", networks.join(", "))),
        2 => (prop_oneof![Just("="), Just("!="), Just("<"), Just("<="), Just(">"), Just(">=")], duration())
            .prop_map(|(sign, length)| format!("Duration {sign} {length}")),
        1 => (not(), prop::collection::vec(duration(), 1..4))
            .prop_map(|(not, items)| format!("Duration {not}in ({})", items.join(", "))),
        1 => (prop_oneof![Just("Duration"), Just("Actor"), Just("Command")], not()).prop_map(|(name, not)| format!("{name} {not}exists")),
        1 => (text_path(), text_path(), not(), pattern())
            .prop_map(|(one, other, not, (operator, text))| format!("({one}, {other}) {not}{operator} \"{text}\"")),
    ]
}

fn network() -> impl Strategy<Value = String> {
    let networks = ["10.0.0.0/8", "10.128.0.0/9", "192.0.2.7", "fd00::/8", "::/0", "192.0.2.0/24", "fe80::1"];
    prop::sample::select(networks.to_vec()).prop_map(|it| format!("\"{it}\""))
}

fn duration() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["0s", "2s", "\"1.5s\"", "90s", "1m30s"]).prop_map(str::to_owned)
}

/// A path with array steps as KubeSphere's engine reads them.
fn their_path() -> impl Strategy<Value = String> {
    let root = prop_oneof![Just("RequestObject"), Just("responseObject"), Just("user.extra"), Just("User.Extra.x")];
    let names = prop::collection::vec(prop_oneof![Just(".x"), Just(".y"), Just(".X")], 0..3);
    let list = prop_oneof![4 => Just(""), 1 => Just("[*]"), 1 => Just("[0]"), 1 => Just("[1]"), 1 => Just("[0:2]"), 1 => Just("[*].x"), 1 => Just("[0:2].x")];
    (root, names, list).prop_map(|(root, names, list)| format!("{root}{}{list}", names.concat()))
}

/// A condition as KubeSphere's engine takes it: no parts of ours, and none of what would make it panic whatever the event.
pub(super) fn their_condition() -> impl Strategy<Value = String> {
    let not = || prop_oneof![2 => Just(""), 1 => Just("not ")];
    let sign = || prop_oneof![2 => Just("="), 2 => Just("!="), 1 => Just("<"), 1 => Just(">="), 1 => Just(">")];
    let quoted = || text_word().prop_map(|it| format!("\"{it}\""));
    let value = || prop_oneof![2 => quoted(), 1 => number()];
    let pattern = || {
        prop_oneof![
            ("[abc]{1,3}").prop_map(|text| format!("contains \"{text}\"")),
            ("[abc*?]{1,4}").prop_map(|text| format!("like \"{text}\"")),
            ("[abc]{1,3}").prop_map(|text| format!("regex \"^{text}?\"")),
        ]
    };
    let text_path = || {
        prop_oneof![
            Just("Verb"),
            Just("objectRef.resource"),
            Just("User.groups"),
            Just("user.Groups[*]"),
            Just("sourceIPs[0]")
        ]
    };
    let atom = prop_oneof![
        1 => their_path(),
        2 => (their_path(), not()).prop_map(|(path, not)| format!("{path} {not}exists")),
        3 => (their_path(), sign(), value()).prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        1 => (their_path(), prop_oneof![Just("="), Just("!=")], any::<bool>()).prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        2 => (their_path(), not(), prop::collection::vec(value(), 1..6))
            .prop_map(|(path, not, items)| format!("{path} {not}in ({})", items.join(", "))),
        2 => (their_path(), not(), pattern()).prop_map(|(path, not, pattern)| format!("{path} {not}{pattern}")),
        2 => (text_path(), sign(), quoted()).prop_map(|(path, sign, value)| format!("{path} {sign} {value}")),
        1 => (text_path(), not(), pattern()).prop_map(|(path, not, pattern)| format!("{path} {not}{pattern}")),
    ];
    atom.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), prop_oneof![Just("and"), Just("or")], inner.clone())
                .prop_map(|(one, word, other)| format!("{one} {word} {other}")),
            inner.clone().prop_map(|it| format!("({it})")),
            inner.prop_map(|it| format!("not ({it})")),
        ]
    })
}

pub(super) fn condition() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            1 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            1 => inner.prop_map(|it| format!("not ({it})")),
        ]
    })
}

pub(super) fn output() -> impl Strategy<Value = Option<String>> {
    let part = prop_oneof![
        Just("${name}"),
        Just("${body}"),
        Just("${answer}"),
        Just(" and "),
        Just("${requestObject}"),
        Just("${user.extra.x[1:]}"),
        Just("${Verb}"),
        Just("${Actor}${SourceIP}"),
        Just("${Command} ${duration}")
    ];
    prop::option::of(prop::collection::vec(part, 1..4).prop_map(|parts| format!("x{}", parts.concat())))
}

fn text() -> impl Strategy<Value = Json> {
    let escapes = prop_oneof![3 => Just(0), 1 => 1..3_usize];
    let text = prop_oneof![5 => word(), 1 => address(), 1 => "[ab\"\\\\\\n\u{1f600}]{0,6}", 1 => "[abc]{60,80}"];
    (text, escapes).prop_map(|(text, escapes)| Json::Text(text, escapes))
}

fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::Bool),
        2 => prop_oneof![4 => number(), 1 => Just("-1e0".to_owned())].prop_map(Json::Number),
        3 => text(),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![6 => Just("x"), 5 => Just("y"), 2 => Just("X"), 1 => Just("z"), 1 => Just("x.y"), 1 => Just("y.x.x"), 1 => Just(""), 1 => Just(".")];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::List),
            prop::collection::vec((name.prop_map(str::to_owned), inner), 0..5).prop_map(Json::Object),
        ]
    })
}

fn time() -> impl Strategy<Value = String> {
    let times = [
        "2026-11-22T00:00:00Z",
        "2026-11-22T00:00:01.5Z",
        "2026-11-22T01:00:02+01:00",
        "2026-11-22T00:01:30.000Z",
        "later",
    ];
    prop::sample::select(times.to_vec()).prop_map(str::to_owned)
}

pub(super) fn event() -> impl Strategy<Value = Json> {
    let level = prop_oneof![
        4 => prop_oneof![Just("Metadata"), Just("Request"), Just("RequestResponse"), Just("?")].prop_map(|it| Json::Text(it.to_owned(), 0)),
        1 => value(),
    ];
    let names = [
        "Verb",
        "requestURI",
        "objectRef.resource",
        "OBJECTREF.NAME",
        "stage",
        "user.extra",
        "requestObject.x",
        "user.extra.x",
        "Level",
        "actor",
        "SourceIP",
        "duration",
        "impersonatedUser.Username",
    ];
    let member = (prop::sample::select(names.to_vec()).prop_map(str::to_owned), prop_oneof![text(), value()]);
    let object = |names: &'static [&'static str]| {
        let name = prop::sample::select(names).prop_map(str::to_owned);
        prop::collection::vec((name, prop_oneof![2 => text(), 1 => value()]), 0..4).prop_map(Json::Object)
    };
    let user = object(&["username", "Groups", "groups", "extra", "uid"]);
    let reference = object(&["resource", "Name", "namespace", "subresource"]);
    let source = prop::collection::vec(
        (prop_oneof![
            (
                Just("requestURI"),
                prop::sample::select(vec![
                    "/x/exec?command=a&x=b&command=bc",
                    "/exec?command=%61b+c&command",
                    "/exec?x=command",
                    ""
                ])
                .prop_map(str::to_owned)
            ),
            (Just("requestReceivedTimestamp"), time()),
            (Just("StageTimestamp"), time()),
        ])
        .prop_map(|(name, text)| (name.to_owned(), Json::Text(text, 0))),
        0..4,
    );
    let addresses = prop::option::of(prop::collection::vec(address().prop_map(|it| Json::Text(it, 0)), 0..3));
    let bodies =
        (source, addresses, prop::option::weighted(0.7, value()), prop::option::weighted(0.7, value()), value());
    let parts = (level, user, reference, bodies, prop::collection::vec(member, 0..5), any::<bool>(), 0..8_usize);
    parts.prop_map(|(level, user, reference, (source, addresses, request, response, extra), others, upper, turn)| {
        let mut members = vec![("level".to_owned(), level), ("objectRef".to_owned(), reference)];
        members.push(("user".to_owned(), user));
        members.push(("User".to_owned(), Json::Object(vec![("extra".to_owned(), extra)])));
        members.extend(request.map(|it| ("requestObject".to_owned(), it)));
        members.extend(response.map(|it| ("ResponseObject".to_owned(), it)));
        members.extend(others);
        members.extend(source);
        members.extend(addresses.map(|it| ("sourceIPs".to_owned(), Json::List(it))));
        let length = members.len();
        members.rotate_left(turn % length);
        if upper {
            members.iter_mut().for_each(|(name, _)| *name = name.to_ascii_uppercase());
        }
        Json::Object(members)
    })
}
