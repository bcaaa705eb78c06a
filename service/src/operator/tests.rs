use std::fs;

use super::*;

fn config(url: &str) -> OperatorConfig {
    OperatorConfig { url: url.to_owned(), ..OperatorConfig::default() }
}

fn with_ca(url: &str) -> OperatorConfig {
    OperatorConfig { ca: Some("ca.crt".into()), ..config(url) }
}

#[track_caller]
fn check_refused(config: &OperatorConfig, key: &str) {
    let error = config.validate().unwrap_err().to_string();
    assert!(error.starts_with(&format!("`operator.{key}`: ")), "{error}");
}

#[test]
fn plain_http_goes_to_this_machine_alone() {
    for url in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9:1/"] {
        config(url).validate().unwrap();
    }
    for url in ["http://10.0.0.1:1", "http://operator:1", "http://localhost.example.com:1", "http://[::2]:1"] {
        check_refused(&config(url), "url");
    }
    with_ca("https://operator:9443").validate().unwrap();
    check_refused(&config("https://operator:9443"), "ca");
    check_refused(&with_ca("http://127.0.0.1:1"), "url");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for url in
        ["", "operator", "operator:9443", "/x", "ftp://x:1", "https://x:1/rules", "https://u:p@x:1", "https://:1"]
    {
        check_refused(&with_ca(url), "url");
    }
    let lone = OperatorConfig { certificate: Some("tls.crt".into()), ..with_ca("https://x:1") };
    check_refused(&lone, "certificate");
    for subscriber in [String::new(), "x".repeat(254), "a\nb".to_owned()] {
        check_refused(&OperatorConfig { subscriber: Some(subscriber), ..config("http://[::1]:1") }, "subscriber");
    }
}

#[test]
fn a_subscriber_is_called_like_its_host_unless_told() {
    let name = config("").subscriber();
    assert!(!name.is_empty() && name.trim() == name, "{name:?}");
    assert_eq!(OperatorConfig { subscriber: Some("pod-1".into()), ..config("") }.subscriber(), "pod-1");
}

#[test]
fn files_of_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let file = folder.path().join("file");
        fs::write(&file, text).unwrap();
        file
    };
    let error = pem(&file("no certificate"), "certificate").unwrap_err();
    assert!(matches!(error, OperatorError::Holds { .. }), "{error}");
    for text in ["", " \n", "a\u{7f}b", "two\nlines"] {
        let error = token(&file(text)).unwrap_err();
        assert!(matches!(error, OperatorError::Holds { .. }), "{text:?}: {error}");
    }
    let good = token(&file("secret\n")).unwrap();
    assert_eq!((good.to_str().unwrap(), good.is_sensitive()), ("Bearer secret", true));
    assert!(matches!(token(&folder.path().join("gone")), Err(OperatorError::Read { .. })));
}
