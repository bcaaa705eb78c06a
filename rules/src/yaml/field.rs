//! The name of a place in a resource, as Kubernetes gives it in its own errors: `spec.rules[3].condition`.

use std::fmt::Write;

use super::{NodeId, NodeKind, Tree};

/// The field of the innermost node at byte `at`; empty for a document as a whole.
pub(crate) fn field(tree: &Tree, at: usize) -> String {
    let mut path = String::new();
    let mut here = tree.documents.iter().copied().rev().find(|root| tree.node(*root).span.start <= at);
    while let Some(next) = here.and_then(|id| step(tree, id, at, &mut path)) {
        here = Some(next);
    }
    path
}

/// The node that `path` names, in the last of the documents that have it; the innermost that is there, if not all of it is.
pub(crate) fn find(tree: &Tree, path: &str) -> Option<NodeId> {
    let mut here = tree.documents.last().copied()?;
    let mut rest = path;
    while !rest.is_empty() {
        let Some((next, left)) = descend(tree, here, rest) else { break };
        (here, rest) = (next, left);
    }
    Some(here)
}

/// The child of `id` that the first step of `path` names, and the other steps.
fn descend<'a>(tree: &Tree, id: NodeId, path: &'a str) -> Option<(NodeId, &'a str)> {
    match &tree.node(id).kind {
        NodeKind::Scalar { .. } => None,
        NodeKind::Sequence(items) => {
            let (index, left) = path.strip_prefix('[')?.split_once(']')?;
            Some((*items.get(index.parse::<usize>().ok()?)?, left))
        }
        NodeKind::Mapping(entries) => entries.iter().find_map(|(key, value)| {
            let name = tree.text(*key)?;
            let left = path.strip_prefix(&format!("[{name:?}]"));
            let left = left.or_else(|| path.strip_prefix('.').unwrap_or(path).strip_prefix(name))?;
            (left.is_empty() || left.starts_with(['.', '['])).then_some((*value, left))
        }),
    }
}

/// The child of `id` at byte `at`, whose name is put behind `path`. A key belongs to what it names.
fn step(tree: &Tree, id: NodeId, at: usize, path: &mut String) -> Option<NodeId> {
    match &tree.node(id).kind {
        NodeKind::Scalar { .. } => None,
        NodeKind::Sequence(items) => {
            let index = items.partition_point(|item| tree.node(*item).span.start <= at).checked_sub(1)?;
            let _ = write!(path, "[{index}]");
            items.get(index).copied()
        }
        NodeKind::Mapping(entries) => {
            let (key, value) = entries.iter().rev().find(|(key, _)| tree.node(*key).span.start <= at)?;
            let name = tree.text(*key).unwrap_or_default();
            let plain = name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-');
            let dot = if path.is_empty() { "" } else { "." };
            let _ = if plain { write!(path, "{dot}{name}") } else { write!(path, "[{name:?}]") };
            (tree.node(*value).span.start <= at).then_some(*value)
        }
    }
}
