//! What the names in `${…}` stand for.

use std::collections::HashMap;

use crate::resource::{Body, RuleResource};
use crate::similar;

/// A definition by the places of its resource and of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DefinitionId {
    pub(crate) resource: usize,
    pub(crate) definition: usize,
}

/// Every name that can be referred to.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    rules: &'a [RuleResource],
    /// What each resource defines, besides rules.
    own: Vec<HashMap<&'a str, usize>>,
    resources: HashMap<&'a str, Vec<usize>>,
}

/// Why a name leads nowhere.
#[derive(Debug)]
pub(crate) enum LookupError {
    Unknown,
    Ambiguous(Vec<DefinitionId>),
}

impl<'a> Names<'a> {
    pub(crate) fn new(rules: &'a [RuleResource]) -> Self {
        let mut resources: HashMap<&str, Vec<usize>> = HashMap::new();
        let own = rules.iter().enumerate().map(|(index, resource)| {
            resources.entry(&resource.name).or_default().push(index);
            let mut own = HashMap::new();
            for (definition, it) in resource.definitions.iter().enumerate() {
                if !matches!(it.body, Body::Rule(_) | Body::Broken(Some("rule"))) {
                    own.entry(it.name.as_str()).or_insert(definition);
                }
            }
            own
        });
        Self { rules, own: own.collect(), resources }
    }

    /// What `name` stands for in resource `from`: its own definition; else, for `resource.name`, that of the resource in the own
    /// namespace; else that of the only resource of this name in any other.
    pub(crate) fn lookup(&self, from: usize, name: &str) -> Result<DefinitionId, LookupError> {
        if let Some(id) = self.defined(from, name) {
            return Ok(id);
        }
        let namespace = self.rules.get(from).map(|resource| resource.namespace.as_str());
        let mut near = Vec::new();
        let mut far = Vec::new();
        // Both names may hold dots, so that every dot may be the one between them.
        for (dot, _) in name.match_indices('.') {
            let (Some(resource), Some(definition)) = (name.get(..dot), name.get(dot + 1..)) else { continue };
            for index in self.resources.get(resource).into_iter().flatten() {
                let Some(id) = self.defined(*index, definition) else { continue };
                let own = self.rules.get(*index).map(|resource| resource.namespace.as_str()) == namespace;
                if own { near.push(id) } else { far.push(id) }
            }
        }
        let found = if near.is_empty() { far } else { near };
        match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(LookupError::Unknown),
            _ => Err(LookupError::Ambiguous(found)),
        }
    }

    /// Every definition that is named like another resource's, `resource.name`, which it hides; and what it hides.
    pub(crate) fn shadows(&self) -> Vec<(DefinitionId, DefinitionId)> {
        let mut shadows = Vec::new();
        for (resource, own) in self.own.iter().enumerate() {
            for (name, definition) in own {
                for (dot, _) in name.match_indices('.') {
                    let (Some(other), Some(inner)) = (name.get(..dot), name.get(dot + 1..)) else { continue };
                    let others = self.resources.get(other).into_iter().flatten();
                    let hidden = others.filter_map(|index| self.defined(*index, inner));
                    shadows.extend(hidden.map(|hidden| (DefinitionId { resource, definition: *definition }, hidden)));
                }
            }
        }
        shadows
    }

    fn defined(&self, resource: usize, name: &str) -> Option<DefinitionId> {
        let definition = *self.own.get(resource)?.get(name)?;
        Some(DefinitionId { resource, definition })
    }

    /// What may have been meant by `name`, which is unknown; looks at every name.
    pub(crate) fn suggest(&self, from: usize, name: &str) -> Option<String> {
        if let Some((resource, definition)) = name.rsplit_once('.')
            && let Some(indices) = self.resources.get(resource)
        {
            let names = indices.iter().filter_map(|index| self.own.get(*index)).flat_map(|own| own.keys().copied());
            let near = similar::nearest(definition, names);
            return near.map(|near| format!("did you mean `${{{resource}.{near}}}`?"));
        }
        if let Some(near) = similar::nearest(name, self.own.get(from)?.keys().copied()) {
            return Some(format!("did you mean `${{{near}}}`?"));
        }
        let other = self.rules.iter().zip(&self.own).find(|(_, own)| own.contains_key(name))?;
        Some(format!("`{0}` has one: write `${{{0}.{name}}}`", other.0.name))
    }
}
