//! An event as the rules see it: the fields that a program names, and nothing else of it.
//!
//! One pass over the bytes follows the program's field tree and skips what is not in it, checking all the same that it is JSON. What
//! is kept borrows from the event. Names are compared without regard to case, and a name with dots counts as the steps that its dots
//! part, as it would in a path. Members that several spellings name are all kept: a comparison holds if it holds for any.

mod json;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::DecideError;
use crate::program::{FieldId, FieldTree};
use crate::value::Number;

use json::Reader;

/// How deep an event may nest.
pub(crate) const DEPTH_LIMIT: usize = 128;

/// A value of an event, with those members of its objects that the program names.
#[derive(Debug, PartialEq)]
pub(crate) enum Value<'e> {
    Null,
    Bool(bool),
    /// The number and its text.
    Number(Number, Cow<'e, str>),
    Text(Cow<'e, str>),
    List(Vec<Value<'e>>),
    /// The members, and the text of the whole.
    Object(Vec<(FieldId, Value<'e>)>, &'e str),
}

/// Reads an event.
pub(crate) fn read<'e>(event: &'e [u8], fields: &FieldTree) -> Result<Value<'e>, DecideError> {
    let text = std::str::from_utf8(event)
        .map_err(|error| DecideError { offset: error.valid_up_to(), message: "the event is not UTF-8".to_owned() })?;
    let mut reader = Reader::new(text);
    reader.space();
    if reader.peek() != Some(b'{') {
        return Err(reader.error("expected an object"));
    }
    let value = value(&mut reader, fields, FieldId::ROOT)?;
    reader.space();
    if reader.peek().is_some() {
        return Err(reader.error("something follows the event"));
    }
    Ok(value)
}

/// Reads the value of `field`.
fn value<'e>(reader: &mut Reader<'e>, fields: &FieldTree, field: FieldId) -> Result<Value<'e>, DecideError> {
    reader.space();
    match reader.peek() {
        Some(b'{') if fields.is_leaf(field) => Ok(Value::Object(Vec::new(), reader.skip()?)),
        Some(b'{') => object(reader, fields, field),
        Some(b'[') => list(reader, fields, field),
        Some(b'"') => reader.string().map(Value::Text),
        Some(b't') => reader.word("true").map(|()| Value::Bool(true)),
        Some(b'f') => reader.word("false").map(|()| Value::Bool(false)),
        Some(b'n') => reader.word("null").map(|()| Value::Null),
        _ => {
            let text = reader.number()?;
            let number = Number::parse(text).ok_or_else(|| reader.error("expected a number"))?;
            Ok(Value::Number(number, Cow::Borrowed(text)))
        }
    }
}

fn object<'e>(reader: &mut Reader<'e>, fields: &FieldTree, field: FieldId) -> Result<Value<'e>, DecideError> {
    let start = reader.at();
    reader.enter()?;
    let mut members = Vec::new();
    let mut first = true;
    while !reader.leave(b'}', first)? {
        first = false;
        let name = reader.string()?;
        reader.space();
        reader.take(b':')?;
        match fields.descendant(field, &name) {
            Some(child) => members.push((child, value(reader, fields, child)?)),
            None => {
                reader.skip()?;
            }
        }
    }
    Ok(Value::Object(members, reader.since(start)))
}

/// The elements of a list are read as the list's field itself: array steps are no part of the field tree.
fn list<'e>(reader: &mut Reader<'e>, fields: &FieldTree, field: FieldId) -> Result<Value<'e>, DecideError> {
    reader.enter()?;
    let mut elements = Vec::new();
    let mut first = true;
    while !reader.leave(b']', first)? {
        first = false;
        elements.push(value(reader, fields, field)?);
    }
    Ok(Value::List(elements))
}
