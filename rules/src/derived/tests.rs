use super::*;

fn check(derived: Derived, sources: &[&[&str]], expected: Option<&str>) {
    let made = derived.derive(|source| sources[source].iter().copied()).map(|made| match made {
        Made::Text(text) | Made::Number(text) => text,
    });
    assert_eq!(made.as_deref(), expected, "{derived:?} of {sources:?}");
}

#[test]
fn fields_are_made_of_others() {
    check(Derived::Actor, &[&["carol"], &["admin"]], Some("carol"));
    check(Derived::Actor, &[&[""], &["admin"]], Some("admin"));
    check(Derived::Actor, &[&[], &["admin"]], Some("admin"));
    check(Derived::Actor, &[&[], &[]], None);
    check(Derived::SourceIp, &[&["10.0.0.1", "192.0.2.7"]], Some("192.0.2.7"));
    check(Derived::SourceIp, &[&[]], None);
    check(
        Derived::Duration,
        &[&["2026-11-22T00:42:47.880323Z"], &["2026-11-22T01:42:47.880685+01:00"]],
        Some("0.000362"),
    );
    check(Derived::Duration, &[&["2026-11-22T00:00:00Z"], &["2026-11-22T00:01:30Z"]], Some("90"));
    check(Derived::Duration, &[&["2026-11-22T00:00:00.25Z"], &["2026-11-22T00:00:00Z"]], Some("-0.25"));
    check(Derived::Duration, &[&["2026-11-22T00:00:00Z"], &["later"]], None);
}

#[test]
fn a_command_is_that_of_the_uri() {
    check(Derived::Command, &[&["/exec?command=sh&command=-c"]], Some("sh -c"));
    check(Derived::Command, &[&["/exec"]], None);
}

#[test]
fn a_length_has_its_units() {
    for (seconds, shown) in [
        ("0", "0s"),
        ("0.25", "0.25s"),
        ("90.000001", "1m30.000001s"),
        ("-61", "-1m1s"),
        ("3600", "1h0m0s"),
        ("90061.5", "25h1m1.5s"),
    ] {
        assert_eq!(length(seconds), shown);
    }
}
