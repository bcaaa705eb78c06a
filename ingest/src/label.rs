//! Names of clusters, for people.

/// The rule that a cluster's name must keep: see [`vedette_bus::is_label`].
pub(crate) const RULE: &str = "expected an RFC 1123 label: 1 to 63 lower-case letters, digits and `-`, beginning and \
                               ending with a letter or digit";
