//! The webhook's address: where the cluster's name goes.
use reqwest::Url;

use crate::outcome::Failure;

/// The path on which lists are taken.
pub(crate) const PATH: &str = "/audit/webhook/event";

/// The address to post to, for `cluster` if one is named.
pub(crate) fn address(mut url: Url, cluster: Option<&str>) -> Result<Url, Failure> {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Failure::usage(format!("`{url}` is no address of a webhook")).help("it begins with https://"));
    }
    let path = match url.path().trim_end_matches('/') {
        "" => PATH.to_owned(),
        path => path.to_owned(),
    };
    let Some(cluster) = cluster else {
        url.set_path(&path);
        return Ok(url);
    };
    check_cluster(cluster)?;
    if !path.ends_with("/event") {
        let help = "leave either --cluster or the path away";
        return Err(Failure::usage(format!("`{url}` does not end in /event, so no cluster fits behind it")).help(help));
    }
    url.set_path(&format!("{path}/{cluster}"));
    Ok(url)
}

/// A cluster's name is an RFC 1123 label.
pub(crate) fn check_cluster(name: &str) -> Result<(), Failure> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(());
    }
    let help = "small letters, digits and `-` inside, 63 at most, as `edge-1` (an RFC 1123 label)";
    Err(Failure::usage(format!("`{name}` can't be a cluster's name")).help(help))
}

/// Whether the address is this machine's own.
pub(crate) fn is_local(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::{address, check_cluster, is_local};

    fn check(url: &str, cluster: Option<&str>, expected: Result<&str, &str>) {
        let got = address(url.parse().unwrap(), cluster).map(String::from).map_err(|failure| failure.render(false));
        match (got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected),
            (Err(got), Err(part)) => assert!(got.contains(part), "{got}"),
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_cluster_goes_behind_the_path() {
        check("https://host", None, Ok("https://host/audit/webhook/event"));
        check("https://host/", Some("edge-1"), Ok("https://host/audit/webhook/event/edge-1"));
        check("https://host/audit/webhook/event/", Some("a"), Ok("https://host/audit/webhook/event/a"));
        check("https://host/audit/webhook/event/a", None, Ok("https://host/audit/webhook/event/a"));
        check("https://host/audit/webhook/event/a", Some("b"), Err("does not end in /event"));
        check("https://host", Some("Edge"), Err("RFC 1123"));
        check("ftp://host", None, Err("no address of a webhook"));
    }

    #[test]
    fn clusters_are_rfc_1123_labels() {
        for good in ["a", "9", "edge-1", &"x".repeat(63)] {
            assert!(check_cluster(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "ä", &"x".repeat(64)] {
            assert!(check_cluster(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn loopback_is_local() {
        for (url, local) in [
            ("https://127.0.0.1:8443", true),
            ("https://[::1]:8443", true),
            ("https://localhost", true),
            ("https://10.0.0.1", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(is_local(&url.parse().unwrap()), local, "{url}");
        }
    }
}
