use vedette_service::config::parse;

use super::*;

fn load(text: &str) -> Config {
    parse("test.yaml", text).unwrap()
}

#[track_caller]
fn check_invalid(text: &str, expected: &str) {
    assert_eq!(load(text).validate().unwrap_err().to_string(), expected, "{text}");
}

#[test]
fn the_example_is_valid_and_says_the_defaults() {
    let example = load(include_str!("../../config.example.yaml"));
    example.validate().unwrap();
    let hide = |config: &Config| format!("{config:?}");
    let defaults = Config { nats: example.nats.clone(), policy: example.policy.clone(), ..Config::default() };
    let stated = Config {
        tokens: BTreeMap::new(),
        token_files: BTreeMap::new(),
        admin: AdminConfig::default(),
        monitor_url: None,
        durability: Durability::default(),
        ..example
    };
    assert_eq!(hide(&stated), hide(&defaults));
}

#[test]
fn nothing_at_all_is_valid() {
    Config::default().validate().unwrap();
    assert_eq!(Config::default().tls.mode(), TlsMode::SelfSigned);
    let limits = Limits::default();
    assert_eq!((limits.body_bytes, limits.in_flight_bytes), (48 << 20, 24 << 20), "what the documents promise");
}

#[test]
fn addresses_are_one_or_many() {
    let addresses = |text| load(text).listen.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(addresses("listen: 0.0.0.0:443"), ["0.0.0.0:443"]);
    assert_eq!(addresses("listen: '0.0.0.0:443, [::]:6443'"), ["0.0.0.0:443", "[::]:6443"]);
    assert_eq!(addresses("listen: ['0.0.0.0:443', '0.0.0.0:6443']"), ["0.0.0.0:443", "0.0.0.0:6443"]);
    assert!(parse::<Config>("test.yaml", "listen: everywhere").is_err());
}

#[test]
fn what_makes_no_sense_is_named() {
    check_invalid("listen: []", "`listen`: expected at least one address");
    check_invalid("cluster: No_Label", &format!("`cluster`: {}", label::RULE));
    check_invalid("tokens: {a.b: x}", &format!("`tokens.a.b`: {}", label::RULE));
    check_invalid("tokens: {default: ' '}", "`tokens.default`: expected a token that is not empty");
    check_invalid("tls: {key: k.pem}", "`tls`: expected `certificate` and `key` together");
    check_invalid("tls: {mode: files}", "`tls.mode`: `files` needs `certificate` and `key`");
    check_invalid(
        "tls: {mode: 'off', clientCa: ca.pem}",
        "`tls.clientCa`: senders show certificates over TLS alone, and `mode` is `off`",
    );
    check_invalid("tls: {mode: 'off', key: k, certificate: c}", "`tls.certificate`: is not used in this `mode`");
    check_invalid(
        "limits: {inFlightBytes: 1000}",
        "`limits.eventBytes`: expected at most seven eighths of `inFlightBytes`",
    );
    check_invalid("limits: {idleSeconds: 0}", "`limits.idleSeconds`: expected more than 0");
}

#[test]
fn tokens_and_keys_are_not_shown() {
    let config = load("{tokens: {member-1: hush}, redaction: {key: '00hush00'}}");
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn fields_to_redact_are_of_a_group_or_any() {
    let config = load(
        "redaction: {keyFile: /k, fields: [{resource: databases, fields: [spec.password]}, {group: '', resource: configmaps, fields: ['data.*']}]}",
    );
    assert!(config.redaction.enabled && config.redaction.key_file.ends_with("k"));
    let groups: Vec<_> = config.redaction.fields.iter().map(|rule| rule.group.as_deref()).collect();
    assert_eq!(groups, [None, Some("")]);
    assert!(parse::<Config>("test.yaml", "redaction: {fields: [{resource: a}]}").is_err());
}
