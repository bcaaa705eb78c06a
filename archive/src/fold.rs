//! Case folding, one way for every engine.
//!
//! Character by character, each to one: what Elasticsearch's `lowercase` normalizer does (Java's
//! `Character.toLowerCase`), so that an embedded archive finds what a search engine finds. The few characters whose lower
//! case is longer than one keep only the first of it.

/// The text without regard to case.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn folds_each_character_to_one() {
        assert_eq!(fold("Kube-System"), "kube-system");
        assert_eq!(fold("ÄRGER"), "ärger");
        assert_eq!(fold("İstanbul"), "istanbul");
        assert_eq!(fold("ΟΔΟΣ"), "οδοσ");
    }
}
