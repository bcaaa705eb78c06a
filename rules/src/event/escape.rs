//! Escapes in strings. Decoding is total: an escape that does not exist stands for the character behind its backslash.

/// Appends `raw`, decoded; half of a surrogate pair becomes U+FFFD.
pub(super) fn decode(raw: &str, into: &mut String) {
    let mut rest = raw;
    while let Some((before, escape)) = rest.split_once('\\') {
        into.push_str(before);
        let Some(first) = escape.chars().next() else { return };
        let (it, length) = match first {
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'n' => ('\n', 1),
            'r' => ('\r', 1),
            't' => ('\t', 1),
            'u' => unicode(escape),
            other => (other, other.len_utf8()),
        };
        into.push(it);
        rest = escape.get(length..).unwrap_or_default();
    }
    into.push_str(rest);
}

/// The character of `uXXXX` or `uXXXX\uXXXX` and the length of that.
fn unicode(escape: &str) -> (char, usize) {
    let Some(first) = hex(escape.get(1..5)) else { return ('u', 1) };
    if (0xd800..0xdc00).contains(&first)
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xdc00..0xe000) = hex(escape.get(7..11))
    {
        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 11);
    }
    (char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 5)
}

fn hex(digits: Option<&str>) -> Option<u32> {
    let digits = digits.filter(|digits| digits.bytes().all(|it| it.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn escapes_are_decoded_and_nonsense_is_harmless() {
        for (raw, expected) in [
            (r#"\"\\\/\b\f\n\r\tx\u0041\ud83d\ude00"#, "\"\\/\u{8}\u{c}\n\r\txA😀"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00x\ud83d\u0041", "\u{fffd}x\u{fffd}A"),
            (r"\é\q\u12\u", "équ12u"),
            ("a\\", "a"),
            ("", ""),
        ] {
            let mut decoded = String::new();
            decode(raw, &mut decoded);
            assert_eq!(decoded, expected, "{raw}");
        }
    }
}
