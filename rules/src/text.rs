//! What a text is besides its letters: the same in capitals, or an address in a network.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Networks that an address may lie in, merged where they touch and sorted by their first addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Networks(Vec<IpNet>);

impl Networks {
    pub(crate) fn new(networks: Vec<IpNet>) -> Self {
        let mut networks = IpNet::aggregate(&networks);
        networks.sort_unstable_by_key(IpNet::network);
        Self(networks)
    }

    /// Whether a text is an address in one of them; `None` if it is no address.
    pub(crate) fn hold(&self, text: &str) -> Option<bool> {
        // An IPv4 address may come in the clothes of IPv6.
        let address = text.parse::<IpAddr>().ok()?.to_canonical();
        // None lies in another, so that only the last one that begins no later can hold it.
        let behind = self.0.partition_point(|network| network.network() <= address);
        Some(behind.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|network| network.contains(&address)))
    }
}

/// Reads a network, or an address as a network of one. One of IPv4 addresses in the clothes of IPv6 is one of IPv4 addresses.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let Ok(network) = text.parse() else {
        return text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
    };
    let IpNet::V6(dressed) = network else { return Some(network) };
    let bare = dressed.network().to_ipv4_mapped().zip(dressed.prefix_len().checked_sub(96));
    Some(bare.and_then(|(base, length)| Ipv4Net::new(base, length).ok()).map_or(network, IpNet::V4))
}

/// The text in small letters.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_networks() {
        let networks = Networks::new(
            ["fd00::/8", "10.128.0.0/9", "10.0.0.0/9", "10.1.0.0/16", "::ffff:192.0.2.1", "::ffff:198.51.100.0/120"]
                .into_iter()
                .filter_map(network)
                .collect(),
        );
        assert_eq!(networks.0.len(), 4);
        for (text, expected) in [
            ("10.1.2.3", Some(true)),
            ("10.200.0.1", Some(true)),
            ("::ffff:10.1.2.3", Some(true)),
            ("11.0.0.0", Some(false)),
            ("fd12::1", Some(true)),
            ("::1", Some(false)),
            ("192.0.2.1", Some(true)),
            ("192.0.2.2", Some(false)),
            ("198.51.100.9", Some(true)),
            ("::ffff:198.51.100.9", Some(true)),
            ("198.51.101.9", Some(false)),
            ("", None),
            ("10.1.2.3:443", None),
        ] {
            assert_eq!(networks.hold(text), expected, "{text}");
        }
        for text in ["10.0.0.0/33", "10.0.0", "example.test", "10.0.0.0/255.0.0.0"] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
