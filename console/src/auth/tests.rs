use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;

/// A connection with a certificate of this common name and these DNS names.
fn peer(common_name: &str, names: &[&str]) -> Peer {
    let mut params = CertificateParams::new(names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Peer::with(Some(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()))
}

fn headers(all: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    all.iter().map(header).collect()
}

async fn authenticator(folder: &std::path::Path) -> Authenticator {
    let file = folder.join("tokens.csv");
    std::fs::write(&file, "anns-token,ann,7,\"dev,dev\"\n").unwrap();
    let proxy =
        ProxyConfig { client_ca_file: "ca".into(), allowed_names: vec!["proxy".into(), "p.example.com".into()] };
    let auth = AuthConfig { tokens_file: Some(file), proxy: Some(proxy), ..AuthConfig::default() };
    Authenticator::new(&Config { token: Some("correct-horse-battery".into()), auth, ..Config::default() })
        .await
        .unwrap()
}

#[tokio::test]
async fn each_way_gives_its_caller_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let authenticator = authenticator(folder.path()).await;
    let (proxy, by_dns, other) = (peer("proxy", &[]), peer("x", &["p.example.com"]), peer("other", &["q.example.com"]));
    let check = async |peer: Option<&Peer>, all: &[(&str, &str)], expected: Option<(&str, &[&str])>| {
        let found = authenticator.caller(&headers(all), peer).await;
        let groups = |it: &Caller| it.groups.iter().filter(|it| *it != AUTHENTICATED).cloned().collect::<Vec<_>>();
        let found = found.ok().map(|it| (it.name.clone(), groups(&it)));
        let owned = |it: &&str| (*it).to_owned();
        let expected = expected.map(|(name, groups)| (name.to_owned(), groups.iter().map(owned).collect::<Vec<_>>()));
        assert_eq!(found, expected, "{all:?}");
    };
    let (own, ann, bad) = ("Bearer correct-horse-battery", "bearer anns-token", "Bearer nobodys");
    check(None, &[("authorization", own)], Some(("vedette:administrator", &[]))).await;
    check(None, &[("authorization", ann)], Some(("ann", &["dev"]))).await;
    for authorization in [bad, "Bearer ", "Bearer", "Basic anns-token", "anns-token"] {
        check(None, &[("authorization", authorization)], None).await;
    }
    check(None, &[], None).await;

    let said = [("x-remote-user", "bob"), ("x-remote-group", "ops"), ("x-remote-group", "dev")];
    check(Some(&proxy), &said, Some(("bob", &["ops", "dev"]))).await;
    check(Some(&by_dns), &said, Some(("bob", &["ops", "dev"]))).await;
    // The same words of anybody else are not believed.
    for peer in [None, Some(&other), Some(&Peer::with(None))] {
        check(peer, &said, None).await;
        check(peer, &[said[0], ("authorization", ann)], Some(("ann", &["dev"]))).await;
    }
    check(Some(&proxy), &[said[0], ("x-remote-user", "eve")], None).await;
    check(Some(&proxy), &[("x-remote-user", " ")], None).await;
    check(Some(&proxy), &[("x-remote-group", "ops")], None).await;
    // A token that is known says who asks; one that is not leaves it to the proxy.
    check(Some(&proxy), &[said[0], ("authorization", ann)], Some(("ann", &["dev"]))).await;
    check(Some(&proxy), &[said[0], ("authorization", bad)], Some(("bob", &[]))).await;
}

#[tokio::test]
async fn whoever_is_known_is_in_the_group_of_all_who_are() {
    let check = |name: &str, groups: &[&str], expected: &[&str]| {
        let groups = groups.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(Caller::new(name.to_owned(), groups, Kind::Proxy).groups, expected);
    };
    check("ann", &["dev", "dev"], &["dev", AUTHENTICATED]);
    check("ann", &[AUTHENTICATED], &[AUTHENTICATED]);
    check(ANONYMOUS, &[], &[]);
    check("ann", &[UNAUTHENTICATED], &[UNAUTHENTICATED]);
}

#[test]
fn settings_that_would_let_in_others_are_refused() {
    let check = |text: &str, tls: bool, expected: Option<&str>| {
        let config: AuthConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.check(tls).err().map(|it| it.key), expected, "{text}");
    };
    check("{}", false, None);
    check(r#"{"oidc":{"issuer":"https://id.example.com","clientId":"v"}}"#, false, None);
    check(r#"{"oidc":{"issuer":"http://127.0.0.1:1","clientId":"v"}}"#, false, None);
    check(r#"{"oidc":{"issuer":"http://[::1]:1","clientId":"v"}}"#, false, None);
    check(r#"{"oidc":{"issuer":"http://id.example.com","clientId":"v"}}"#, false, Some("auth.oidc.issuer"));
    check(r#"{"oidc":{"issuer":"http://127.0.0.1.example.com","clientId":"v"}}"#, false, Some("auth.oidc.issuer"));
    check(r#"{"oidc":{"issuer":"https://id.example.com","clientId":""}}"#, false, Some("auth.oidc.clientId"));
    check(r#"{"proxy":{"clientCaFile":"ca","allowedNames":["p"]}}"#, true, None);
    check(r#"{"proxy":{"clientCaFile":"ca","allowedNames":["p"]}}"#, false, Some("auth.proxy"));
    check(r#"{"proxy":{"clientCaFile":"ca","allowedNames":[]}}"#, true, Some("auth.proxy.allowedNames"));
    check(r#"{"proxy":{"clientCaFile":"ca","allowedNames":[""]}}"#, true, Some("auth.proxy.allowedNames"));
}
