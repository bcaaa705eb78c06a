//! The name that was probably meant.

/// The candidate nearest to `name`, if one is near enough to be a slip of the pen.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase(), allowed), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *candidate != name)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance; anything above `limit` may be reported as `limit + 1`.
fn distance(left: &str, right: &str, limit: usize) -> usize {
    let right: Vec<char> = right.chars().collect();
    let count = left.chars().count();
    if count.abs_diff(right.len()) > limit || count > 200 {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut last = index + 1;
        next.push(last);
        for ((to, diagonal), above) in right.iter().zip(&row).zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(from != *to);
            last = replaced.min(above + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        assert_eq!(nearest("conditon", ["condition", "output"]), Some("condition"));
        assert_eq!(nearest("WARNNING", ["DEBUG", "INFO", "WARNING"]), Some("WARNING"));
        assert_eq!(nearest("warning", ["DEBUG", "INFO", "WARNING"]), Some("WARNING"));
        assert_eq!(nearest("Verv", ["Verb", "Level"]), Some("Verb"));
        assert_eq!(nearest("x", ["condition", "output"]), None);
        assert_eq!(nearest("", ["a"]), Some("a"));
        assert_eq!(nearest("kind", ["kind"]), None);
    }
}
