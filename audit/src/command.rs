//! What an exec runs, as its request's URI says it.
//!
//! Here, and not where rules are held against events, so that the stored command is the one that a rule saw.

/// The `command` values of the query of `…/exec?command=sh&command=-c`, decoded, with spaces between them; `None` if there is none.
///
/// They are read as an apiserver reads them: Go's `url.ParseQuery` leaves out a pair that holds a `;` or an escape that is none, and
/// so must we, or such a pair would hide what runs. What is no UTF-8 becomes U+FFFD.
pub fn of(uri: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let mut words = query.split('&').filter_map(|pair| {
        if pair.contains(';') {
            return None;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name)? == "command").then(|| decode(value))?
    });
    let mut command = words.next()?;
    for word in words {
        command.push(' ');
        command.push_str(&word);
    }
    Some(command)
}

/// A part of a query, its escapes undone; `None` if an escape is none.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            (b'%', _) => return None,
            (byte, _) => bytes.push(*byte),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_decoded() {
        for (uri, expected) in [
            (
                "/api/v1/namespaces/n/pods/p/exec?command=sh&container=c&command=-c&command=cat%20%2Fetc%2Fpasswd+x",
                Some("sh -c cat /etc/passwd x"),
            ),
            ("/exec?co%6dmand=l%73", Some("ls")),
            ("/exec?command=100%&command=%zz&command=%f&command=%ff", Some("\u{fffd}")),
            ("/exec?command=%zz&command=bash", Some("bash")),
            ("/exec?command=a;b&command=bash&comm%and=x", Some("bash")),
            ("/exec?command=%zz", None),
            ("/exec?command", Some("")),
            ("/exec?stdin=true", None),
            ("/exec", None),
        ] {
            assert_eq!(of(uri).as_deref(), expected, "{uri}");
        }
    }
}
