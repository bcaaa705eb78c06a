//! Names of clusters.

/// The rule that a cluster's name must keep, for people.
pub(crate) const RULE: &str = "expected an RFC 1123 label: 1 to 63 lower-case letters, digits and `-`, beginning and \
                               ending with a letter or digit";

/// Whether `name` is an RFC 1123 label.
pub(crate) fn is_label(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let edges = name.bytes().next().is_some_and(plain) && name.bytes().next_back().is_some_and(plain);
    edges && name.len() <= 63 && name.bytes().all(|byte| plain(byte) || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_told_from_other_names() {
        for name in ["a", "0", "member-1", "a--b", &"x".repeat(63)] {
            assert!(is_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a_b", "a b", "\u{e9}", &"x".repeat(64), "a\n", ">", "*"] {
            assert!(!is_label(name), "{name}");
        }
    }
}
