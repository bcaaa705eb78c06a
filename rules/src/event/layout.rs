//! Where the values go that rules ask for: paths compiled to slots that hang on the fields of the tree of names.
//!
//! Whoever walks an event follows names alone, and takes a value into every slot of its field. That is all there is to a path without
//! array steps, which takes the elements of any list on its way. The others differ from it only in which elements they take, and in
//! which dots of a name are their own: a filter holds that against the way that led to the value. Were array steps states of the walk
//! instead, `n` paths that differ in one `[*]` each could make 2ⁿ of them.

use std::collections::HashSet;

use crate::derived::Derived;
use crate::program::{DerivedPath, FieldId, FieldTree, Path, PathId, PathStep};

use super::names::Names;
use super::shapes::Owner;

/// A place for the values at a path. Those of the program's paths come first, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SlotId(pub(crate) u32);

/// One of the two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Request,
    Response,
}

/// A path with a range in it, all elements of which must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Universal {
    pub(crate) path: PathId,
    /// The place of its first range among its steps.
    pub(crate) start: usize,
}

/// The fields of an event that are read, and where their values go.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(super) names: Names,
    pub(super) owner: Owner,
    fields: Vec<Field>,
    /// The slots of all fields, those of one together.
    places: Vec<Place>,
    filters: Vec<Filter>,
    /// The body that the values of each slot stand in.
    bodies: Vec<Option<Body>>,
    /// What is made once the event has been read.
    pub(super) derived: Vec<DerivedPath>,
}

/// What becomes of a field's values.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Field {
    /// Whether members of it are read.
    pub(super) inner: bool,
    /// The body that it is, or is in.
    pub(super) body: Option<Body>,
    /// Whether it is that body itself.
    pub(super) whole: bool,
    first: u32,
    end: u32,
}

/// A slot of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) slot: SlotId,
    /// A place in `filters`.
    filter: Option<u32>,
}

/// Which of a field's values a slot takes.
#[derive(Debug)]
struct Filter {
    steps: Box<[FilterStep]>,
    lists: Lists,
}

/// Which lists that no step goes into a value may be an element of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lists {
    All,
    /// Those that stand before the last step.
    Before,
    None,
}

#[derive(Debug, Clone, Copy)]
enum FilterStep {
    /// A member by a name of so many parts.
    Key(usize),
    Any,
    Index(usize),
    Range(usize, Option<usize>),
}

/// A step of the way to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trail {
    /// A member, by a name of so many parts.
    Member(usize),
    /// An element of a list, and how many lists in each other lead to that list, of which it is an element itself.
    Element { index: usize, around: usize },
}

impl SlotId {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// The slot that takes every value at a path.
    pub(crate) fn of(path: PathId) -> Self {
        Self(path.0)
    }
}

impl Layout {
    /// The slots of `paths`, then one for the list at the start of each of `universals`. Those of paths that are `unread` take nothing.
    pub(crate) fn new(
        tree: FieldTree,
        paths: &[Path],
        universals: &[Universal],
        unread: &HashSet<PathId>,
        derived: Vec<DerivedPath>,
    ) -> Self {
        let count = tree.len();
        let names = Names::new(tree);
        let mut layout = Self {
            fields: vec![Field::default(); count],
            places: Vec::new(),
            filters: Vec::new(),
            bodies: vec![None; paths.len() + universals.len()],
            names,
            owner: Owner::new(),
            derived,
        };
        let parts = layout.outline();
        let all = paths.iter().map(|path| (&*path.steps, if path.whole { Lists::None } else { Lists::All }));
        let starts = universals.iter().map(|it| {
            let steps = paths.get(it.path.index()).map(|path| &*path.steps).unwrap_or_default();
            (steps.get(..it.start).unwrap_or_default(), Lists::Before)
        });
        let mut places: Vec<(FieldId, Place)> = Vec::with_capacity(layout.slots());
        for ((steps, lists), slot) in all.chain(starts).zip(0..) {
            let field = steps.iter().rev().find_map(|step| match step {
                PathStep::Key(field) => Some(*field),
                _ => None,
            });
            if unread.contains(&PathId(slot)) {
                continue;
            }
            // Nothing but an object is an event, so that a path that begins with an array step leads nowhere.
            let (Some(field), Some(PathStep::Key(_))) = (field, steps.first()) else { continue };
            let filter = layout.filter(steps, lists, &parts);
            places.push((field, Place { slot: SlotId(slot), filter }));
        }
        places.sort_by_key(|(field, _)| *field);
        for (field, place) in places {
            let at = u32::try_from(layout.places.len()).unwrap_or(u32::MAX);
            if let Some(field) = layout.fields.get_mut(field.index()) {
                if field.end == 0 {
                    field.first = at;
                }
                field.end = at + 1;
                if let Some(body) = layout.bodies.get_mut(place.slot.index()) {
                    *body = field.body;
                }
            }
            layout.places.push(place);
        }
        layout
    }

    /// Notes which fields have members and which are in a body; gives how many parts lead to each.
    fn outline(&mut self) -> Vec<usize> {
        let mut parts = vec![0; self.fields.len()];
        for (parent, name, field) in self.names.all() {
            let above: usize = parts.get(parent.index()).copied().unwrap_or(0);
            if let Some(own) = parts.get_mut(field.index()) {
                *own = above + 1;
            }
            let (body, whole) = match (parent, name) {
                (FieldId::ROOT, b"requestobject") => (Some(Body::Request), true),
                (FieldId::ROOT, b"responseobject") => (Some(Body::Response), true),
                _ => (self.fields.get(parent.index()).and_then(|parent| parent.body), false),
            };
            if let Some(parent) = self.fields.get_mut(parent.index()) {
                parent.inner = true;
            }
            if let Some(field) = self.fields.get_mut(field.index()) {
                (field.body, field.whole) = (body, whole);
            }
        }
        parts
    }

    /// The filter of a path, if it needs one.
    fn filter(&mut self, steps: &[PathStep], lists: Lists, parts: &[usize]) -> Option<u32> {
        let mut before = 0;
        let steps: Box<[FilterStep]> = steps
            .iter()
            .map(|step| match step {
                PathStep::Key(field) => {
                    let after = parts.get(field.index()).copied().unwrap_or(0);
                    FilterStep::Key(after - std::mem::replace(&mut before, after))
                }
                PathStep::Any => FilterStep::Any,
                PathStep::Index(index) => FilterStep::Index(*index),
                PathStep::Range(from, to) => FilterStep::Range(*from, *to),
            })
            .collect();
        if lists == Lists::All && steps.iter().all(|step| matches!(step, FilterStep::Key(1))) {
            return None;
        }
        self.filters.push(Filter { steps, lists });
        u32::try_from(self.filters.len() - 1).ok()
    }

    /// Whether the values at a path are durations.
    pub(crate) fn is_duration(&self, path: PathId) -> bool {
        self.derived.iter().any(|it| it.path == path && it.derived == Derived::Duration)
    }

    /// How many fields there are.
    pub(super) fn fields(&self) -> usize {
        self.fields.len()
    }

    /// How many slots there are.
    pub(crate) fn slots(&self) -> usize {
        self.bodies.len()
    }

    /// The body that the values of a slot stand in.
    pub(crate) fn body(&self, slot: SlotId) -> Option<Body> {
        self.bodies.get(slot.index()).copied().flatten()
    }

    #[inline]
    pub(super) fn field(&self, field: FieldId) -> Field {
        self.fields.get(field.index()).copied().unwrap_or_default()
    }

    #[inline]
    pub(super) fn places(&self, field: Field) -> &[Place] {
        self.places.get(field.first as usize..field.end as usize).unwrap_or_default()
    }

    /// Whether a slot takes a value that `trail` led to.
    #[inline]
    pub(super) fn takes(&self, place: Place, trail: &[Trail]) -> bool {
        let Some(filter) = place.filter else { return true };
        self.filters.get(filter as usize).is_some_and(|filter| filter.takes(trail))
    }
}

impl Filter {
    /// From the end of the way to its start, a member and the lists in it at a time: what lists in lists cost depends on the steps, not
    /// on how many an event puts there.
    fn takes(&self, trail: &[Trail]) -> bool {
        let (mut steps, mut trail) = (&*self.steps, trail);
        let mut more = self.lists == Lists::All;
        while let Some(last) = trail.last() {
            let own = steps.iter().rev().take_while(|step| !matches!(step, FilterStep::Key(_))).count();
            let elements = match last {
                Trail::Element { around, .. } => around + 1,
                Trail::Member(_) => 0,
            };
            let (Some((keys, into)), Some((before, elements))) =
                (steps.split_at_checked(steps.len() - own), trail.split_at_checked(trail.len().wrapping_sub(elements)))
            else {
                return false;
            };
            let Some((Trail::Member(parts), before)) = before.split_last() else { return false };
            if elements.len() < own || elements.len() > own && !more {
                return false;
            }
            if !into.iter().zip(elements).all(|(step, element)| step.takes(*element)) {
                return false;
            }
            let Some(keys) = without(keys, *parts) else { return false };
            (steps, trail) = (keys, before);
            more = self.lists != Lists::None;
        }
        steps.is_empty()
    }
}

impl FilterStep {
    fn takes(self, element: Trail) -> bool {
        let Trail::Element { index, .. } = element else { return false };
        match self {
            Self::Key(_) => false,
            Self::Any => true,
            Self::Index(own) => index == own,
            Self::Range(from, to) => index >= from && to.is_none_or(|to| index < to),
        }
    }
}

/// The steps before those that a name of so many parts takes at their end.
fn without(mut steps: &[FilterStep], mut parts: usize) -> Option<&[FilterStep]> {
    while parts > 0 {
        let (FilterStep::Key(own), before) = steps.split_last()? else { return None };
        parts = parts.checked_sub(*own)?;
        steps = before;
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition: from the start of the way to its end, an element at a time.
    fn naive(filter: &Filter, trail: &[Trail]) -> bool {
        let mut steps = &*filter.steps;
        for step in trail {
            match *step {
                Trail::Member(mut parts) => {
                    while parts > 0 {
                        let Some((FilterStep::Key(own), rest)) = steps.split_first() else { return false };
                        if *own > parts {
                            return false;
                        }
                        parts -= own;
                        steps = rest;
                    }
                }
                Trail::Element { .. } => match steps.first() {
                    Some(FilterStep::Key(_)) if filter.lists != Lists::None => continue,
                    None if filter.lists == Lists::All => continue,
                    Some(own) if own.takes(*step) => steps = &steps[1..],
                    _ => return false,
                },
            }
        }
        steps.is_empty()
    }

    fn step() -> impl Strategy<Value = FilterStep> {
        prop_oneof![
            3 => (1..3_usize).prop_map(FilterStep::Key),
            1 => Just(FilterStep::Any),
            1 => (0..2_usize).prop_map(FilterStep::Index),
            1 => (0..2_usize, proptest::option::of(1..3_usize)).prop_map(|(from, to)| FilterStep::Range(from, to)),
        ]
    }

    proptest! {
        #[test]
        fn a_filter_takes_what_is_defined(
            steps in prop::collection::vec(step(), 0..5),
            ways in prop::collection::vec((1..4_usize, prop::collection::vec(0..3_usize, 0..4)), 0..4),
            lists in prop_oneof![Just(Lists::All), Just(Lists::Before), Just(Lists::None)],
        ) {
            let filter = Filter { steps: steps.into(), lists };
            let mut trail = Vec::new();
            for (parts, elements) in ways {
                trail.push(Trail::Member(parts));
                trail.extend(elements.into_iter().enumerate().map(|(around, index)| Trail::Element { index, around }));
            }
            prop_assert_eq!(filter.takes(&trail), naive(&filter, &trail));
        }
    }
}
