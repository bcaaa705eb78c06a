//! JSON strings: decoding what was scanned, encoding what we add.

use std::borrow::Cow;

/// The text of a JSON string's raw content that the scanner accepted. A lone surrogate becomes U+FFFD.
pub(crate) fn decode(raw: &[u8], escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return String::from_utf8_lossy(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(slash) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escape) = rest.split_at(slash);
        out.push_str(&String::from_utf8_lossy(plain));
        let (decoded, length) = unescape(escape);
        out.push(decoded);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(&String::from_utf8_lossy(rest));
    Cow::Owned(out)
}

/// The character of the escape that `bytes` begin with, and the escape's length.
fn unescape(bytes: &[u8]) -> (char, usize) {
    let plain = match bytes.get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let high = u32::from(unit(bytes).unwrap_or(0xFFFD));
            let low = match bytes.get(6..8) {
                Some(b"\\u") if (0xD800..0xDC00).contains(&high) => {
                    bytes.get(6..).and_then(unit).map(u32::from).filter(|low| (0xDC00..0xE000).contains(low))
                }
                _ => None,
            };
            return match low {
                Some(low) => {
                    let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
                }
                None => (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
            };
        }
        Some(byte) => char::from(*byte),
        None => char::REPLACEMENT_CHARACTER,
    };
    (plain, 2)
}

/// The code unit of the `\uXXXX` that `bytes` begin with.
fn unit(bytes: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(bytes.get(2..6)?).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                for digit in [byte >> 4, byte & 15] {
                    out.push(HEX.get(usize::from(digit)).copied().unwrap_or(b'0'));
                }
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Replaces, in valid JSON, each escaped surrogate that lacks its other half by U+FFFD, as Go's decoder does. What many
/// readers refuse, and a client can put into a patch, must not keep an event from being matched or stored.
pub(crate) fn mend_surrogates(json: &mut [u8]) {
    let mut at = 0;
    while let Some(rest) = json.get(at..) {
        let Some(slash) = rest.iter().position(|byte| *byte == b'\\') else { break };
        let escape = rest.get(slash..).unwrap_or_default();
        let (decoded, length) = unescape(escape);
        let start = at + slash;
        if decoded == char::REPLACEMENT_CHARACTER
            && length == 6
            && let Some(escape) = json.get_mut(start..start + 6)
        {
            escape.copy_from_slice(b"\\ufffd");
        }
        at = start + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_every_escape() {
        let raw = br#"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83dx\udc00"#;
        assert_eq!(decode(raw, true), "\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}\u{fffd}x\u{fffd}");
    }

    #[test]
    fn encodes_what_serde_json_reads_back() {
        let text = "quote \" slash \\ tab \t nul \0 e\u{301} \u{1f600}";
        let mut out = Vec::new();
        push_string(&mut out, text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }

    #[test]
    fn mends_only_lone_surrogates() {
        let mut json = br#"{"a":"\ud83d\ude00","b":"\ud83d","c":"\\ud83d","d":"\ude00\ud83d"}"#.to_vec();
        mend_surrogates(&mut json);
        assert_eq!(json, br#"{"a":"\ud83d\ude00","b":"\ufffd","c":"\\ud83d","d":"\ufffd\ufffd"}"#);
    }
}
