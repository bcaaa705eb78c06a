//! Ingest's counts as the header of the message that they count: `r=400;p=398;d.level_none=2`.
//!
//! Compact text, since it rides with every message; parsed strictly and with limits, since a count that is guessed is worse
//! than one that is missing. What was requeued has a header of its own, `1` or `1;a=1`: a service of an earlier version, which
//! would take another entry of the counts for a broken message, passes over that and does its work.

use std::fmt::Write as _;

use vedette_proto::bus::v1::IngestCounts;

const MAX_BYTES: usize = 4096;
const MAX_REASON_BYTES: usize = 64;

/// Why a header holds no counts.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CountsError {
    /// Longer than 4 KiB.
    #[error("the counts are longer than {MAX_BYTES} bytes")]
    TooLong,
    /// An entry is not `key=number`, or its key is unknown or given twice.
    #[error("entry {index} of the counts is malformed, unknown or given twice")]
    Entry {
        /// The entry, counted from 0.
        index: usize,
    },
    /// A reason is not of lower-case letters, digits and `_`, or is too long.
    #[error("a reason of the counts is not of at most {MAX_REASON_BYTES} lower-case letters, digits and `_`")]
    Reason,
}

/// The counts as a header, without what was requeued.
///
/// # Errors
/// If a reason is no word of lower-case letters, digits and `_`, or there are too many.
pub fn format_counts(counts: &IngestCounts) -> Result<String, CountsError> {
    let mut text = format!("r={};p={}", counts.received, counts.published);
    if counts.oversize > 0 {
        let _ = write!(text, ";o={}", counts.oversize);
    }
    for (prefix, reasons) in [('d', &counts.dropped), ('x', &counts.dead_lettered)] {
        for (reason, count) in reasons {
            if !is_reason(reason) {
                return Err(CountsError::Reason);
            }
            let _ = write!(text, ";{prefix}.{reason}={count}");
        }
    }
    if text.len() > MAX_BYTES { Err(CountsError::TooLong) } else { Ok(text) }
}

/// Reads what [`format_counts`] wrote.
///
/// # Errors
/// If it is anything else.
pub fn parse_counts(text: &str) -> Result<IngestCounts, CountsError> {
    if text.len() > MAX_BYTES {
        return Err(CountsError::TooLong);
    }
    let (mut received, mut published, mut oversize) = (None, None, None);
    let mut counts = IngestCounts::default();
    for (index, entry) in text.split(';').enumerate() {
        let malformed = CountsError::Entry { index };
        let Some((key, number)) = entry.split_once('=') else { return Err(malformed) };
        let Some(number) = parse_number(number) else { return Err(malformed) };
        let fresh = match key.split_once('.') {
            None if key == "r" => received.replace(number).is_none(),
            None if key == "p" => published.replace(number).is_none(),
            None if key == "o" => oversize.replace(number).is_none(),
            Some(("d", reason)) if is_reason(reason) => counts.dropped.insert(reason.to_owned(), number).is_none(),
            Some(("x", reason)) if is_reason(reason) => {
                counts.dead_lettered.insert(reason.to_owned(), number).is_none()
            }
            _ => false,
        };
        if !fresh {
            return Err(malformed);
        }
    }
    let (Some(received), Some(published)) = (received, published) else { return Err(CountsError::Entry { index: 0 }) };
    Ok(IngestCounts { received, published, oversize: oversize.unwrap_or(0), ..counts })
}

/// What was requeued, as a header; none where nothing was.
pub(crate) fn format_requeued(counts: &IngestCounts) -> Option<String> {
    match (counts.requeued, counts.requeued_alert_only) {
        (0, _) => None,
        (requeued, 0) => Some(requeued.to_string()),
        (requeued, alert_only) => Some(format!("{requeued};a={alert_only}")),
    }
}

/// Reads what [`format_requeued`] wrote into the counts.
///
/// # Errors
/// If it is anything else.
pub(crate) fn parse_requeued(text: &str, counts: IngestCounts) -> Result<IngestCounts, CountsError> {
    let (requeued, alert_only) = text.split_once(";a=").unwrap_or((text, "0"));
    let requeued = parse_number(requeued).ok_or(CountsError::Entry { index: 0 })?;
    let alert_only = parse_number(alert_only).ok_or(CountsError::Entry { index: 1 })?;
    Ok(IngestCounts { requeued, requeued_alert_only: alert_only, ..counts })
}

/// Digits alone: `str::parse` would also take a sign.
fn parse_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

pub(crate) fn is_reason(text: &str) -> bool {
    (1..=MAX_REASON_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> IngestCounts {
        IngestCounts {
            received: 400,
            published: 390,
            dropped: [("level_none".to_owned(), 7)].into(),
            dead_lettered: [("not_utf8".to_owned(), 1), ("too_deep".to_owned(), 2)].into(),
            oversize: 3,
            requeued: 0,
            requeued_alert_only: 0,
        }
    }

    #[test]
    fn counts_read_back_as_they_were_written() {
        let text = format_counts(&counts()).unwrap();
        assert_eq!(text, "r=400;p=390;o=3;d.level_none=7;x.not_utf8=1;x.too_deep=2");
        assert_eq!(parse_counts(&text), Ok(counts()));
        let none = IngestCounts::default();
        assert_eq!(parse_counts(&format_counts(&none).unwrap()), Ok(none));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "r=1",
            "p=1",
            "r=1;p=1;",
            "r=1;p=1;r=1",
            "r=+1;p=1",
            "r=-1;p=1",
            "r=1;p=1;z=1",
            "r=1;p=1;q=1",
            "r=1;p=1;d.=1",
            "r=1;p=1;d.A=1",
            "r=1;p=1;d.a=1;d.a=1",
            "r=1;p= 1",
            "r=18446744073709551616;p=1",
            "r=;p=1",
        ] {
            assert!(parse_counts(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(parse_counts(&"r".repeat(MAX_BYTES + 1)), Err(CountsError::TooLong));
    }

    #[test]
    fn what_was_requeued_reads_back_from_a_header_of_its_own() {
        for (requeued, requeued_alert_only, text) in [(0, 0, None), (1, 0, Some("1")), (3, 2, Some("3;a=2"))] {
            let all = IngestCounts { requeued, requeued_alert_only, ..counts() };
            assert_eq!(format_counts(&all), format_counts(&counts()), "an older service reads the same as ever");
            assert_eq!(format_requeued(&all).as_deref(), text);
            if let Some(text) = text {
                assert_eq!(parse_requeued(text, counts()), Ok(all));
            }
        }
        for bad in ["", "x", "-1", "1;a=", "1;b=1", "1;a=1;a=1"] {
            assert!(parse_requeued(bad, counts()).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_reason_that_would_break_the_header_is_not_written() {
        let bad = IngestCounts { dropped: [("a;r=9".to_owned(), 1)].into(), ..IngestCounts::default() };
        assert_eq!(format_counts(&bad), Err(CountsError::Reason));
        let many = (0..1000).map(|n| (format!("reason_{n}"), 1)).collect();
        let long = IngestCounts { dropped: many, ..IngestCounts::default() };
        assert_eq!(format_counts(&long), Err(CountsError::TooLong));
    }
}
