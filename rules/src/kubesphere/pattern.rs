//! A pattern as Go's regular expressions read it, put into the words of this crate's.
//!
//! The two are of one family. In Go `\d`, `\w`, `\s` and `\b` are ASCII; a class takes `[`, `&` and `~` for themselves; a brace that
//! is no repetition stands for itself; and `\Q…\E` quotes.

/// What KubeSphere's engine makes of a `like`: a regular expression for any part of the text, in which all but `*` and `?` keeps its
/// meaning.
pub(crate) fn like(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut last = None;
    for it in pattern.chars() {
        match it {
            '?' => out.push('.'),
            '*' if last == Some('*') => {}
            '*' => out.push_str("(.*)"),
            it => out.push(it),
        }
        last = Some(it);
    }
    regex(&out)
}

/// A regular expression of Go's as one of ours.
pub(crate) fn regex(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(it) = rest.chars().next() {
        let after = rest.get(it.len_utf8()..).unwrap_or_default();
        rest = after;
        match it {
            '\\' => rest = escape(after, in_class, &mut out),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket that closes stands for itself at the start.
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str(r"\]");
                    rest = after;
                }
            }
            '[' => match rest.strip_prefix(':').and_then(|name| name.split_once(":]")) {
                Some((name, after)) if name.chars().all(|it| it.is_ascii_alphabetic() || it == '^') => {
                    out.push_str("[:");
                    out.push_str(name);
                    out.push_str(":]");
                    rest = after;
                }
                _ => out.push_str(r"\["),
            },
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(it);
            }
            '{' if !in_class && !is_repetition(rest) => out.push_str(r"\{"),
            '}' if !in_class && !out_is_repetition(&out) => out.push_str(r"\}"),
            it => out.push(it),
        }
    }
    out
}

/// Puts what follows a backslash; gives what is left.
fn escape<'p>(after: &'p str, in_class: bool, out: &mut String) -> &'p str {
    let Some(it) = after.chars().next() else {
        out.push('\\');
        return after;
    };
    let rest = after.get(it.len_utf8()..).unwrap_or_default();
    let word = match (it, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', false) => r"[\t\n\f\r ]",
        ('s', true) => r"\t\n\f\r ",
        ('S', _) => r"[^\t\n\f\r ]",
        ('b', false) => r"(?-u:\b)",
        ('B', false) => r"(?-u:\B)",
        ('Q', false) => {
            let (quoted, rest) = rest.split_once(r"\E").unwrap_or((rest, ""));
            out.push_str(&regex_syntax::escape(quoted));
            return rest;
        }
        _ => {
            out.push('\\');
            out.push(it);
            return rest;
        }
    };
    out.push_str(word);
    rest
}

/// Whether `{` before `rest` begins a repetition: `2}`, `2,}`, `2,3}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else { return false };
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    !from.is_empty() && from.bytes().chain(to.bytes()).all(|it| it.is_ascii_digit())
}

/// Whether `}` behind `out` ends a repetition, or a name as in `\pN` or `\x{10FFFF}`.
fn out_is_repetition(out: &str) -> bool {
    out.rfind('{').is_some_and(|open| {
        let inside = out.get(open + 1..).unwrap_or_default();
        !out.get(..open).unwrap_or_default().ends_with('\\') && !inside.contains('}')
    })
}
