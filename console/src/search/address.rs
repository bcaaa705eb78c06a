//! Addresses and their prefixes. Engines keep addresses as texts, so that a prefix is possible where it ends at a dot.

use std::net::IpAddr;

use vedette_archive::{Field, Filter, Pattern, Piece};

use super::error::{SearchError, shown};
use super::term::{Condition, any};
use super::value::Value;

/// Addresses: texts, patterns, or prefixes that end where a part of the text ends.
pub(super) fn addresses(field: Field, values: &[Value<'_>]) -> Result<Condition, SearchError> {
    let mut patterns = Vec::new();
    let mut filters = Vec::new();
    for value in values {
        match value.split_once('/') {
            _ if value.is_empty() => filters.push(Filter::is(field, [""])),
            Some(_) => patterns.push(prefix(value)?),
            None => patterns.push(value.pattern()),
        }
    }
    if !patterns.is_empty() {
        filters.push(Filter::Like(field, patterns));
    }
    Ok(Condition::silent(any(filters)))
}

fn prefix(value: &Value<'_>) -> Result<Pattern, SearchError> {
    let text = value.text();
    let error = |message: &str| {
        SearchError::new(value.span(), format!("`{}` {message}", shown(&text)))
            .help("addresses are compared as texts: write 10.0.0.0/8, /16 or /24 of IPv4, or a pattern as `fd00:*`")
    };
    let (address, length) = text.split_once('/').unwrap_or((&text, ""));
    let address: IpAddr = address.parse().map_err(|_| error("is no address with a prefix's length"))?;
    let IpAddr::V4(address) = address else { return Err(error("is a prefix of IPv6")) };
    let kept = match length {
        "8" => 1,
        "16" => 2,
        "24" => 3,
        "32" => return Ok(Pattern::text(address.to_string())),
        _ => return Err(error("ends within a part of the address")),
    };
    let begin: String = address.octets().iter().take(kept).map(|part| format!("{part}.")).collect();
    Ok(Pattern::new([Piece::Text(begin), Piece::Any]))
}
