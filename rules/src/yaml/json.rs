//! A node as a JSON value.

use serde_json::{Map, Number, Value};

use super::{NodeId, NodeKind, Shape, Tree};

impl Tree {
    /// The node as JSON; of keys that stand twice the last one counts, and a key that is no scalar is left out.
    pub(crate) fn json(&self, id: NodeId) -> Value {
        match (&self.node(id).kind, self.shape(id)) {
            (NodeKind::Sequence(items), _) => items.iter().map(|item| self.json(*item)).collect(),
            (NodeKind::Mapping(pairs), _) => {
                let pairs =
                    pairs.iter().filter_map(|(key, value)| Some((self.text(*key)?.to_owned(), self.json(*value))));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
            (NodeKind::Scalar { .. }, Shape::Null) => Value::Null,
            (NodeKind::Scalar { .. }, Shape::Bool(value)) => Value::Bool(value),
            (NodeKind::Scalar { text, .. }, Shape::Number) => number(text),
            (NodeKind::Scalar { text, .. }, _) => Value::String(text.clone()),
        }
    }
}

/// A number as JSON writes it: exact where it can be.
fn number(text: &str) -> Value {
    let whole = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    let number = whole.ok().or_else(|| text.parse().ok().and_then(Number::from_f64));
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}
