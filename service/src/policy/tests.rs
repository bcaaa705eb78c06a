use super::*;

fn parse(text: &str) -> PolicyConfig {
    crate::config::parse("policy.yaml", text).unwrap()
}

#[test]
fn rules_come_from_one_place() {
    let operator = "operator: {url: 'http://127.0.0.1:9443'}\n";
    for (more, fine) in
        [("", true), ("dir: /etc/vedette/rules", true), ("dir: /rules", false), ("more: [/rules]", false)]
    {
        let validated = parse(&format!("{operator}{more}")).validate();
        assert_eq!(validated.is_ok(), fine, "{more}");
        assert!(fine || matches!(validated, Err(PolicyError::TwoSources)));
    }
    parse("dir: /rules\nmore: [/others]").validate().unwrap();
    let error = parse("operator: {url: 'http://operator:9443'}").validate().unwrap_err();
    assert!(crate::chain(&error).to_string().contains("plain http goes to this machine alone"), "{error}");
}

#[test]
fn what_is_misspelt_is_an_error() {
    let error = crate::config::parse::<PolicyConfig>("p.yaml", "operator: {uri: x}").unwrap_err().to_string();
    assert!(error.contains("uri"), "{error}");
    assert!(crate::config::parse::<PolicyConfig>("p.yaml", "operator: {ca: x}").is_err());
}
