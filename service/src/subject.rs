//! The subject of a client certificate, as kube-apiserver reads it: the common name is the user, organisations are the groups.
//!
//! TLS has verified the certificate, signature and form, before it comes here; what is left is to walk to two kinds of attributes, which
//! is no reason for a parser of everything that X.509 can hold. Whatever is not as expected is no subject.

/// The object identifiers 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const VERSION: u8 = 0xa0;
/// Texts that are read: UTF8String, PrintableString and IA5String, of which all are UTF-8.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];

/// Who a certificate is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The common name, of which there is one.
    pub common_name: String,
    /// The organisations, in their order.
    pub organizations: Vec<String>,
}

/// Of a certificate in DER; `None` without a common name.
pub fn of(certificate: &[u8]) -> Option<Subject> {
    let mut certificate = Der(within(certificate, SEQUENCE)?);
    let mut signed = Der(certificate.take(SEQUENCE)?);
    if signed.0.first() == Some(&VERSION) {
        signed.next()?;
    }
    // Serial number, algorithm, issuer, validity.
    for _ in 0..4 {
        signed.next()?;
    }
    let mut names = Der(signed.take(SEQUENCE)?);
    let (mut common_name, mut organizations) = (None, Vec::new());
    while !names.0.is_empty() {
        let mut attributes = Der(names.take(SET)?);
        while !attributes.0.is_empty() {
            let mut attribute = Der(attributes.take(SEQUENCE)?);
            let (kind, (tag, value)) = (attribute.take(OID)?, attribute.next()?);
            if kind != COMMON_NAME && kind != ORGANIZATION {
                continue;
            }
            // In another alphabet it would be another name than the one that is meant.
            let text = std::str::from_utf8(value).ok().filter(|_| TEXTS.contains(&tag))?.to_owned();
            if kind == ORGANIZATION {
                organizations.push(text);
            } else if common_name.replace(text).is_some() {
                return None;
            }
        }
    }
    Some(Subject { common_name: common_name.filter(|it| !it.is_empty())?, organizations })
}

/// What is left of a sequence of elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element's tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The next element, which has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

fn within(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    Der(bytes).take(tag)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::{Subject, of};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn the_common_name_is_the_user_and_organizations_are_groups() {
        let der = certificate(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "auditors"),
            (DnType::CommonName, "Zoë"),
        ]);
        let expected = Subject { common_name: "Zoë".to_owned(), organizations: vec!["auditors".to_owned()] };
        assert_eq!(of(&der), Some(expected));
        assert_eq!(of(&certificate(&[(DnType::OrganizationName, "auditors")])), None);
    }

    #[test]
    fn what_is_cut_or_changed_is_no_panic() {
        let der = certificate(&[(DnType::CommonName, "x")]);
        for end in 0..der.len() {
            assert_eq!(of(&der[..end]), None);
        }
        for at in 0..der.len() {
            let mut other = der.clone();
            other[at] = 0xff;
            let _ = of(&other);
        }
    }
}
