use std::{collections::BTreeMap, net::Ipv4Addr};

use rcgen::{CertificateParams, KeyPair};

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

fn config(tokens: &[(&str, &str)]) -> Config {
    let tokens: BTreeMap<_, _> =
        tokens.iter().map(|(cluster, token)| ((*cluster).to_owned(), (*token).to_owned().into())).collect();
    Config { tokens, ..Config::default() }
}

fn peer(address: IpAddr) -> Peer {
    Peer { address, certificate: None }
}

/// The status of the answer, 200 where the sender may go on.
fn check(guard: &Guard, path: (&str, bool), peer: &Peer, authorization: Option<&str>) -> u16 {
    let header = authorization.map(|text| HeaderValue::from_str(text).unwrap());
    guard.check(path.0, path.1, peer, header.as_ref()).map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
}

#[test]
fn with_nothing_configured_only_the_unnamed_path_is_open() {
    let guard = Guard::new(&config(&[])).unwrap();
    assert_eq!(guard.method(), "none");
    assert_eq!(check(&guard, ("default", false), &peer(ELSEWHERE), None), 200);
    assert_eq!(check(&guard, ("member-1", true), &peer(ELSEWHERE), None), 401);
    assert_eq!(check(&guard, ("member-1", true), &peer(ELSEWHERE), Some("Bearer x")), 401);
    assert_eq!(check(&guard, ("member-1", true), &peer(HERE), None), 200);
    assert_eq!(check(&guard, ("member-1", true), &peer("::ffff:127.0.0.1".parse().unwrap()), None), 200);
    assert_eq!(check(&guard, ("member-1", true), &peer("::ffff:192.0.2.1".parse().unwrap()), None), 401);
}

#[test]
fn a_token_opens_its_own_cluster_alone() {
    let guard = Guard::new(&config(&[("default", "one"), ("member-1", "two")])).unwrap();
    assert_eq!(guard.method(), "token");
    for (path, authorization, status) in [
        (("default", false), None, 401),
        (("default", false), Some("Bearer one"), 200),
        (("default", false), Some("bearer  one "), 200),
        (("default", false), Some("Bearer two"), 403),
        (("default", false), Some("Bearer three"), 401),
        (("default", false), Some("Bearer "), 401),
        (("default", false), Some("Basic one"), 401),
        (("default", false), Some("one"), 401),
        (("member-1", true), Some("Bearer two"), 200),
        (("member-1", true), Some("Bearer one"), 403),
        (("member-2", true), Some("Bearer one"), 403),
        (("member-2", true), None, 401),
    ] {
        for address in [HERE, ELSEWHERE] {
            assert_eq!(check(&guard, path, &peer(address), authorization), status, "{path:?} {authorization:?}");
        }
    }
}

#[test]
fn a_token_may_be_for_several_clusters() {
    let guard = Guard::new(&config(&[("a", "same"), ("b", "same")])).unwrap();
    for cluster in ["a", "b"] {
        assert_eq!(check(&guard, (cluster, true), &peer(ELSEWHERE), Some("Bearer same")), 200);
    }
}

#[test]
fn a_certificate_is_for_the_clusters_that_it_names() {
    let mut config = config(&[]);
    config.tls.client_ca = Some("ca.crt".into());
    let guard = Guard::new(&config).unwrap();
    assert_eq!(guard.method(), "mtls");
    let key = KeyPair::generate().unwrap();
    let names = ["member-1".to_owned(), "member-2".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let certificate = Arc::new(certificate.der().clone());
    let peer = Peer { address: ELSEWHERE, certificate: Some(certificate) };
    assert_eq!(check(&guard, ("member-1", true), &peer, None), 200);
    assert_eq!(check(&guard, ("member-2", true), &peer, None), 200);
    assert_eq!(check(&guard, ("member-3", true), &peer, None), 403);
    assert_eq!(check(&guard, ("default", false), &peer, None), 403);
    assert_eq!(check(&guard, ("default", false), &super::tests::peer(ELSEWHERE), None), 401);
}

#[test]
fn files_hold_several_tokens_and_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let mut config = config(&[]);
    config.token_files.insert("member-1".to_owned(), file.clone());
    assert!(matches!(Guard::new(&config), Err(TokenError::Read { .. })));
    std::fs::write(&file, "\n \n").unwrap();
    assert!(matches!(Guard::new(&config), Err(TokenError::Empty { .. })));
    std::fs::write(&file, "old\n\nnew\n").unwrap();
    let guard = Guard::new(&config).unwrap();
    let status = |token: &str| check(&guard, ("member-1", true), &peer(ELSEWHERE), Some(&format!("Bearer {token}")));
    assert_eq!((status("old"), status("new"), status("newer")), (200, 200, 401));
    std::fs::write(&file, "new\nnewer\n").unwrap();
    guard.reload();
    assert_eq!((status("old"), status("new"), status("newer")), (401, 200, 200));
    std::fs::write(&file, "").unwrap();
    guard.reload();
    assert_eq!((status("old"), status("new"), status("newer")), (401, 200, 200), "an empty file changes nothing");
}
