//! Twenty years pass here in a second.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;

const START: i64 = 1_795_000_000;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(START + day * DAY).unwrap()
}

fn server() -> Subject {
    let names = ["audit.logging.svc", "10.96.0.7", "fd00::7"].map(str::to_owned).to_vec();
    Subject { name: "audit".to_owned(), names, side: Side::Server }
}

fn client() -> Subject {
    Subject { name: "evaluator".to_owned(), names: Vec::new(), side: Side::Client }
}

fn roots(bundle: &str) -> Arc<rustls::RootCertStore> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    Arc::new(roots)
}

/// Whether whoever trusts `bundle` takes the certificate at that time, as rustls judges.
fn trusted(bundle: &str, issued: &Issued, subject: &Subject, now: Timestamp) -> bool {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap()));
    match subject.side {
        Side::Server => {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots(bundle), provider).build().unwrap();
            let names = if subject.names.is_empty() { vec![subject.name.clone()] } else { subject.names.clone() };
            names.iter().all(|name| {
                let name = ServerName::try_from(name.as_str()).unwrap();
                verifier.verify_server_cert(&certificate, &[], &name, &[], time).is_ok()
            })
        }
        Side::Client => {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots(bundle), provider).build().unwrap();
            verifier.verify_client_cert(&certificate, &[], time).is_ok()
        }
    }
}

fn authority(now: Timestamp) -> Authority {
    let mut authority = Authority::read(&BTreeMap::new()).unwrap();
    assert!(authority.renew(now).unwrap());
    authority
}

#[test]
fn what_is_issued_is_trusted_for_its_names_and_its_side() {
    let authority = authority(at(0));
    for subject in [server(), client()] {
        let issued = authority.issue(&subject, at(0)).unwrap();
        assert!(trusted(&authority.bundle(), &issued, &subject, at(0)));
        assert_eq!(authority.serves(&issued, &subject, at(0)), Ok(()));
        let other = Subject { side: if subject.side == Side::Server { Side::Client } else { Side::Server }, ..subject };
        assert!(!trusted(&authority.bundle(), &issued, &other, at(0)));
        assert_eq!(authority.serves(&issued, &other, at(0)), Err(Due::Names));
    }
}

#[test]
fn a_certificate_is_issued_again_after_two_thirds_of_its_life_or_for_a_reason() {
    let authority = authority(at(0));
    let issued = authority.issue(&server(), at(0)).unwrap();
    assert_eq!(authority.serves(&issued, &server(), at(59)), Ok(()));
    assert_eq!(authority.serves(&issued, &server(), at(60)), Err(Due::Age));
    // The Service got another address.
    let mut moved = server();
    moved.names[1] = "10.96.0.8".to_owned();
    assert_eq!(authority.serves(&issued, &moved, at(1)), Err(Due::Names));
    let other = authority.issue(&server(), at(0)).unwrap();
    let mixed = Issued { key: other.key, ..issued.clone() };
    assert_eq!(authority.serves(&mixed, &server(), at(1)), Err(Due::Unreadable));
    let broken = Issued { certificate: "-----BEGIN CERTIFICATE-----\n".to_owned(), ..issued.clone() };
    assert_eq!(authority.serves(&broken, &server(), at(1)), Err(Due::Unreadable));
    let stranger = super::tests::authority(at(1));
    assert_eq!(stranger.serves(&issued, &server(), at(1)), Err(Due::Stranger));
}

/// A pass a week for twenty years, the Secret read anew each time. Whoever has the bundle or the certificate of the week before
/// (a kubelet takes its time) still gets along with who has this week's.
#[test]
fn authorities_follow_each_other_without_a_gap() {
    let mut data = BTreeMap::new();
    let mut last: Option<(String, [Issued; 2])> = None;
    let (mut authorities, mut renewals, mut most) = (1, 0, 0);
    for week in 0..(20 * 52) {
        let now = at(week * 7);
        let mut authority = Authority::read(&data).unwrap();
        if authority.renew(now).unwrap() {
            data = authority.data();
        }
        let bundle = authority.bundle();
        let count = bundle.matches("BEGIN CERTIFICATE").count();
        most = most.max(count);
        let subjects = [server(), client()];
        let issued = [0, 1].map(|side: usize| match &last {
            Some((_, before)) if authority.serves(&before[side], &subjects[side], now).is_ok() => before[side].clone(),
            _ => {
                renewals += 1;
                authority.issue(&subjects[side], now).unwrap()
            }
        });
        for side in 0..2 {
            assert!(trusted(&bundle, &issued[side], &subjects[side], now), "week {week}");
            if let Some((bundle_before, before)) = &last {
                assert!(trusted(bundle_before, &issued[side], &subjects[side], now), "week {week}: the old bundle");
                assert!(trusted(&bundle, &before[side], &subjects[side], now), "week {week}: the old certificate");
            }
        }
        // A certificate ends before the authority that signed it.
        let leaf = Certificate::read(&issued[0].certificate).unwrap();
        let signer = authority.known.iter().find(|it| leaf.is_signed_by(&it.certificate)).unwrap();
        assert!(leaf.ends() < signer.ends());
        if let Some((before, _)) = &last {
            authorities += usize::from(!before.contains(authority.known[0].certificate.pem()));
        }
        last = Some((bundle, issued));
    }
    // Made at once, after 8 years and after 16; never more than two are trusted.
    assert_eq!((authorities, most), (3, 2));
    // Every ninth week, of the two.
    assert!((220..=240).contains(&renewals), "{renewals}");
}

#[test]
fn the_next_authority_waits_a_year_before_it_signs_and_then_the_old_key_is_gone() {
    let mut authority = authority(at(0));
    let first = authority.known[0].certificate.clone();
    let signed_by = |authority: &Authority, day| {
        let issued = authority.issue(&client(), at(day)).unwrap();
        Certificate::read(&issued.certificate).unwrap().is_signed_by(&first)
    };
    assert!(!authority.renew(at(2919)).unwrap());
    assert!(authority.renew(at(2920)).unwrap());
    assert_eq!(authority.known.len(), 2);
    assert!(signed_by(&authority, 2920), "the new one signs before anybody can know it");
    assert!(!authority.renew(at(3284)).unwrap());
    assert!(authority.renew(at(3285)).unwrap());
    assert!(!signed_by(&authority, 3285));
    assert_eq!(authority.data()[KEYS].matches("BEGIN").count(), 1, "a key that signs no more is kept");
    assert!(authority.bundle().contains(first.pem()), "what it signed is still in use");
    assert!(!authority.renew(at(3285 + 89)).unwrap());
    assert!(authority.renew(at(3285 + 91)).unwrap());
    assert!(!authority.bundle().contains(first.pem()));
}

#[test]
fn a_lost_key_makes_a_new_authority_and_the_old_stays_trusted() {
    let old = authority(at(0));
    let issued = old.issue(&server(), at(0)).unwrap();
    let mut data = old.data();
    data.remove(KEYS);
    let mut authority = Authority::read(&data).unwrap();
    assert!(authority.renew(at(1)).unwrap());
    assert!(trusted(&authority.bundle(), &issued, &server(), at(1)));
    authority.issue(&server(), at(1)).unwrap();
}

#[test]
fn what_cannot_be_read_is_not_replaced() {
    let authority = authority(at(0));
    for (part, text) in [
        (BUNDLE, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        (KEYS, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
    ] {
        let mut data = authority.data();
        data.insert(part.to_owned(), text.to_owned());
        assert!(matches!(Authority::read(&data), Err(AuthorityError::Read { .. })), "{part}");
    }
}

#[test]
fn keys_are_not_shown() {
    let issued = authority(at(0)).issue(&client(), at(0)).unwrap();
    assert!(!format!("{issued:?}").contains("PRIVATE"));
}
