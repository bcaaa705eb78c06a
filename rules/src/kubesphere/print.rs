//! What Go's `fmt.Sprint` prints of a decoded JSON value.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value as Json;

/// The text of a value: `[a b]` for a list, `map[a:1 b:2]` for an object.
pub(super) fn print(value: &Json) -> Cow<'_, str> {
    match value {
        Json::String(text) => Cow::Borrowed(text),
        value => {
            let mut out = String::new();
            append(value, &mut out);
            Cow::Owned(out)
        }
    }
}

fn append(value: &Json, out: &mut String) {
    match value {
        Json::Null => out.push_str("<nil>"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        // Every number is a double there, whatever it was.
        Json::Number(number) => append_double(number.as_f64().unwrap_or(f64::NAN), out),
        Json::String(text) => out.push_str(text),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                append(element, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.push_str("map[");
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                out.push_str(name);
                out.push(':');
                append(value, out);
            }
            out.push(']');
        }
    }
}

/// The fewest digits that give the number back; with an exponent from a million on, and below a ten thousandth.
fn append_double(number: f64, out: &mut String) {
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a string cannot fail.
    let _ = if (-4..6).contains(&exponent) || number == 0.0 {
        write!(out, "{number}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    };
}
