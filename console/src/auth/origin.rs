//! Origins of an identity provider, fit for the policy of a page.
//!
//! **Invariant.** An [`Origin`] names one scheme, one host and one port, and nothing in it means anything else to a policy or a header: no
//! wildcard, no blank, no semicolon. What a provider says is not trusted with that: hosts with such signs in them are URLs, too.

use std::fmt;

use reqwest::Url;

use super::config::secure;

/// No name of a host is longer; the rest is the scheme and the port.
const LONGEST: usize = 253 + "https://:65535".len();

/// Whom a page may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The origin of a URL that pages may ask because of this issuer: over `https`, or over `http` on loopback where the issuer is itself asked so.
pub(super) fn askable(url: &str, issuer: &str) -> Option<Origin> {
    let [url_read, issuer_read] = [url, issuer].map(|it| Url::parse(it).ok());
    let (url_read, issuer_read) = (url_read?, issuer_read?);
    if !secure(url) || (url_read.scheme() != "https" && issuer_read.scheme() != url_read.scheme()) {
        return None;
    }
    let origin = url_read.origin().ascii_serialization();
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-._:/[]".contains(sign);
    (origin.len() <= LONGEST && origin.chars().all(plain)).then_some(Origin(origin))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(url: &str, issuer: &str, expected: Option<&str>) {
        assert_eq!(askable(url, issuer).map(|it| it.0).as_deref(), expected, "{url}");
    }

    #[test]
    fn only_one_host_is_an_origin() {
        let issuer = "https://accounts.example.com";
        check("https://oauth2.example.com/token", issuer, Some("https://oauth2.example.com"));
        check("https://oauth2.example.com:443/token?a=b#c", issuer, Some("https://oauth2.example.com"));
        check("https://user:secret@oauth2.example.com:8443/", issuer, Some("https://oauth2.example.com:8443"));
        check("https://OAUTH2.Example.com/", issuer, Some("https://oauth2.example.com"));
        check("https://münchen.example/", issuer, Some("https://xn--mnchen-3ya.example"));
        check("https://[2001:DB8::1]:8443/", issuer, Some("https://[2001:db8::1]:8443"));
        check("https://id_a.example.com/", issuer, Some("https://id_a.example.com"));
        for hostile in [
            "",
            "token",
            "//oauth2.example.com/token",
            "https://",
            "https:///",
            "javascript:alert(1)",
            "data:text/plain,a",
            "blob:https://a.example/1",
            "ftp://a.example/",
            "wss://a.example/",
            "file:///etc/passwd",
            "http://oauth2.example.com/token",
            "http://127.0.0.1:8090/token",
            "http://localhost/token",
            "https://*/",
            "https://*.example.com/",
            "https://a.example.com:*/",
            "https://a;script-src/",
            "https://a,b/",
            "https://a'self'/",
            "https://a\"b/",
            "https://a b/",
            "https://a\r\nx: y/",
            "https://(a)/",
            "https://a$b/",
            "https://a=b/",
            "https://{a}/",
        ] {
            check(hostile, issuer, None);
        }
        check(&format!("https://{}/", "a.".repeat(200)), issuer, None);
    }

    #[test]
    fn plain_http_is_for_providers_of_this_machine() {
        for issuer in ["http://127.0.0.1:8090", "http://localhost", "http://[::1]:8090/realms/a"] {
            check("http://127.0.0.1:8091/token", issuer, Some("http://127.0.0.1:8091"));
            check("http://[::1]/token", issuer, Some("http://[::1]"));
            check("https://id.example.com/token", issuer, Some("https://id.example.com"));
            check("http://id.example.com/token", issuer, None);
        }
    }

    proptest! {
        #[test]
        fn no_url_says_anything_else_to_a_policy(host in r#"[ -~]{1,24}"#, path in "(/[ -~]{0,8})?") {
            if let Some(Origin(origin)) = askable(&format!("https://{host}{path}"), "https://id.example.com") {
                prop_assert!(origin.starts_with("https://"));
                prop_assert!(!origin.contains([' ', ';', ',', '*', '\'', '"', '\t', '\r', '\n']));
                prop_assert_eq!(origin.matches('/').count(), 2);
            }
        }
    }
}
