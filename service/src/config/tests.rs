use serde::Deserialize;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Settings {
    listen: Option<std::net::SocketAddr>,
    publish_timeout_seconds: u64,
    token: Option<String>,
    names: Vec<String>,
    nats: Nats,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Nats {
    url: String,
    credentials_file: Option<PathBuf>,
    limits: Limits,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Limits {
    events_bytes: i64,
}

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables.iter().map(|(name, value)| (format!("VEDETTE_TEST_{name}"), (*value).to_owned()));
    resolve(Some(("test.yaml".to_owned(), text.to_owned())), "VEDETTE_TEST_", variables)
        .map_err(|error| error.to_string())
}

#[test]
fn variables_override_the_file_key_by_key() {
    let text = "publishTimeoutSeconds: 2\nnats:\n  url: nats://a:1\n  limits: {eventsBytes: 5}\n";
    let settings = with(
        text,
        &[
            ("NATS__URL", "nats://b:2"),
            ("NATS__CREDENTIALS_FILE", "/etc/nats.creds"),
            ("LISTEN", "127.0.0.1:8443"),
            ("NAMES", "[a, b]"),
        ],
    )
    .unwrap();
    assert_eq!(settings.publish_timeout_seconds, 2);
    assert_eq!(settings.nats.url, "nats://b:2");
    assert_eq!(settings.nats.credentials_file.as_deref(), Some(Path::new("/etc/nats.creds")));
    assert_eq!(settings.nats.limits.events_bytes, 5);
    assert_eq!(settings.listen, Some("127.0.0.1:8443".parse().unwrap()));
    assert_eq!(settings.names, ["a", "b"]);
}

#[test]
fn variables_hold_lists_of_maps_as_json() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Service {
        clusters: Vec<std::collections::BTreeMap<String, String>>,
    }
    let read = |text: &str| {
        let variable = ("VEDETTE_TEST_CLUSTERS".to_owned(), text.to_owned());
        resolve::<Service>(None, "VEDETTE_TEST_", std::iter::once(variable)).map_err(|error| error.to_string())
    };
    let one = |key: &str, value: &str| std::iter::once((key.to_owned(), value.to_owned())).collect();
    let expected = Service { clusters: vec![one("name", "a=b, \"c\""), one("name", "1")] };
    assert_eq!(read(r#"[{"name": "a=b, \"c\""}, {"name": "1"}]"#), Ok(expected));
    assert_eq!(read("[{name = d}]"), Ok(Service { clusters: vec![one("name", "d")] }));
    read("[{\"name\": ").unwrap_err();
}

#[test]
fn variables_alone_say_where_the_operator_is() {
    #[derive(Deserialize)]
    struct Service {
        policy: crate::policy::PolicyConfig,
    }
    let variables = [
        ("URL", "https://operator.vedette:9443"),
        ("CA", "/tls/ca.crt"),
        ("CERTIFICATE", "/tls/tls.crt"),
        ("KEY", "/tls/tls.key"),
        ("TOKEN_FILE", "/token"),
        ("SUBSCRIBER", "007"),
    ];
    let variables =
        variables.map(|(name, value)| (format!("VEDETTE_EVALUATOR_POLICY__OPERATOR__{name}"), value.to_owned()));
    let service: Service = resolve(None, &prefix("evaluator"), variables.into_iter()).unwrap();
    service.policy.validate().unwrap();
    let operator = service.policy.operator.unwrap();
    assert_eq!((&*operator.url, operator.subscriber.as_deref()), ("https://operator.vedette:9443", Some("007")));
    let files = [operator.ca, operator.certificate, operator.key, operator.token_file].map(Option::unwrap);
    assert_eq!(files.map(|file| file.display().to_string()), ["/tls/ca.crt", "/tls/tls.crt", "/tls/tls.key", "/token"]);
}

#[test]
fn a_variable_of_digits_is_text_where_text_is_wanted() {
    let settings = with("", &[("TOKEN", "0123"), ("PUBLISH_TIMEOUT_SECONDS", "7"), ("NATS__URL", "true")]).unwrap();
    assert_eq!(settings.token.as_deref(), Some("0123"));
    assert_eq!(settings.publish_timeout_seconds, 7);
    assert_eq!(settings.nats.url, "true");
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let error = with("nats:\n  ulr: nats://a:1\n", &[]).unwrap_err();
    assert_eq!(error, "test.yaml: `nats.ulr`: unknown key, expected one of `url`, `credentialsFile`, `limits`");
    let error = with("", &[("NATS__LIMITS__EVENT_BYTES", "5")]).unwrap_err();
    assert_eq!(
        error,
        "VEDETTE_TEST_NATS__LIMITS__EVENT_BYTES: `nats.limits.eventBytes`: unknown key, expected one of `eventsBytes`"
    );
}

#[test]
fn a_wrong_value_is_named_and_not_repeated() {
    let error = with("publishTimeoutSeconds: hunter2\n", &[]).unwrap_err();
    assert_eq!(error, "test.yaml: `publishTimeoutSeconds`: expected u64, found text");
    let error = with("", &[("PUBLISH_TIMEOUT_SECONDS", "hunter2")]).unwrap_err();
    assert!(error.starts_with("VEDETTE_TEST_PUBLISH_TIMEOUT_SECONDS: `publishTimeoutSeconds`: expected"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    let error = with("nats: [", &[]).unwrap_err();
    assert!(error.starts_with("test.yaml: ") && error.contains("line"), "{error}");
    let error = with("- a\n", &[]).unwrap_err();
    assert!(error.starts_with("test.yaml: "), "{error}");
}

#[test]
fn a_file_of_comments_alone_is_a_configuration() {
    assert_eq!(with("# nothing yet\n\n---\n", &[]).unwrap(), Settings::default());
    assert_eq!(with("", &[]).unwrap(), Settings::default());
}

#[test]
fn variables_of_kubernetes_services_are_not_ours() {
    let links = [
        ("SERVICE_HOST", "10.0.0.1"),
        ("SERVICE_PORT", "443"),
        ("SERVICE_PORT_HTTPS", "443"),
        ("PORT", "tcp://10.0.0.1:443"),
        ("PORT_443_TCP", "tcp://10.0.0.1:443"),
        ("PORT_443_TCP_ADDR", "10.0.0.1"),
        ("CONFIG", "/etc/vedette.yaml"),
    ];
    assert_eq!(with("", &links).unwrap(), Settings::default());
    assert!(with("", &[("PORT", "443")]).is_err(), "that one is no link");
}

#[test]
fn a_file_is_read_and_a_missing_one_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.yaml");
    std::fs::write(&file, "token: abc\n").unwrap();
    assert_eq!(load::<Settings>("VEDETTE_NOBODY_", Some(&file)).unwrap().token.as_deref(), Some("abc"));
    let missing = folder.path().join("none.yaml");
    let error = load::<Settings>("VEDETTE_NOBODY_", Some(&missing)).unwrap_err();
    assert_eq!(error.to_string(), format!("read the configuration file {}", missing.display()));
    std::fs::write(&file, vec![b'#'; 2 << 20]).unwrap();
    assert!(matches!(load::<Settings>("VEDETTE_NOBODY_", Some(&file)), Err(ConfigError::TooLarge { .. })));
}
