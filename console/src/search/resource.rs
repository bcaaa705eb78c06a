//! Kinds of resources and objects as people name them, and what it is to read or to change one.

use vedette_archive::{Field, Filter, Number, Pattern};

use super::asked::{Asked, combine};
use super::error::{SearchError, shown};
use super::term::{Condition, all, any};
use super::value::Value;

/// Singular and short names of the kinds that people ask for most.
const NAMES: &[(&str, &[&str])] = &[
    ("pods", &["pod", "po"]),
    ("services", &["service", "svc"]),
    ("secrets", &["secret"]),
    ("configmaps", &["configmap", "cm"]),
    ("serviceaccounts", &["serviceaccount", "sa"]),
    ("namespaces", &["namespace", "ns"]),
    ("nodes", &["node", "no"]),
    ("events", &["event", "ev"]),
    ("endpoints", &["endpoint", "ep"]),
    ("persistentvolumes", &["persistentvolume", "pv"]),
    ("persistentvolumeclaims", &["persistentvolumeclaim", "pvc"]),
    ("deployments", &["deployment", "deploy"]),
    ("replicasets", &["replicaset", "rs"]),
    ("statefulsets", &["statefulset", "sts"]),
    ("daemonsets", &["daemonset", "ds"]),
    ("jobs", &["job"]),
    ("cronjobs", &["cronjob", "cj"]),
    ("ingresses", &["ingress", "ing"]),
    ("networkpolicies", &["networkpolicy", "netpol"]),
    ("roles", &["role"]),
    ("rolebindings", &["rolebinding"]),
    ("clusterroles", &["clusterrole"]),
    ("clusterrolebindings", &["clusterrolebinding"]),
    ("storageclasses", &["storageclass", "sc"]),
    ("customresourcedefinitions", &["customresourcedefinition", "crd", "crds"]),
    ("horizontalpodautoscalers", &["horizontalpodautoscaler", "hpa"]),
    ("leases", &["lease"]),
    ("workspaces", &["workspace"]),
];

/// What answers a read with the object itself: the others (`log`, `exec`, `scale` …) show something else.
const WHOLE: [&str; 4] = ["", "status", "ephemeralcontainers", "resize"];
/// Subresources that are created and change nothing that is kept.
const TRANSIENT: [&str; 5] = ["exec", "attach", "portforward", "proxy", "token"];
/// Resources that are created only to ask a question.
const QUESTIONS: [&str; 6] = [
    "tokenreviews",
    "subjectaccessreviews",
    "localsubjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
];
/// Verbs that change objects.
pub(super) const CHANGES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// The plural that a singular or short name stands for.
pub(super) fn plural(name: &str) -> Option<&'static str> {
    let names = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    NAMES.iter().find(|(_, short)| names(short)).map(|(plural, _)| *plural)
}

/// `RESOURCE`, `RESOURCE.GROUP`, `RESOURCE/SUBRESOURCE`, `RESOURCE.GROUP/SUBRESOURCE`.
pub(super) fn resource(value: &Value<'_>) -> Result<Condition, SearchError> {
    match value.split_once('/') {
        Some((_, sub)) if sub.is_missing() => {
            Err(SearchError::new(value.span(), "the subresource is missing").help("write `pods/exec`, or `pods` alone"))
        }
        Some((kind, sub)) => Ok(self::kind(&kind)?.and(text(Field::Subresource, &sub))),
        None => kind(value),
    }
}

/// `RESOURCE` or `RESOURCE.GROUP`.
fn kind(value: &Value<'_>) -> Result<Condition, SearchError> {
    // Names of resources begin with a letter: `1.2` is no resource with a group.
    let divided = value.first().is_some_and(|c| !c.is_ascii_digit()).then(|| value.split_once('.')).flatten();
    let (name, group) = divided.map_or((*value, None), |(name, group)| (name, Some(group)));
    if name.is_missing() {
        return Err(SearchError::new(value.span(), "the resource is missing").help("any resource is written `*`"));
    }
    let condition = match plural(&name.text()).filter(|_| name.is_bare()) {
        Some(plural) => Condition {
            filter: Filter::Like(Field::Resource, vec![Pattern::text(plural)]),
            asked: Asked::each(Field::Resource, [plural]),
        },
        None => text(Field::Resource, &name),
    };
    match group {
        Some(group) if group.is_missing() => Err(SearchError::new(value.span(), "the API group is missing")
            .help("the core group is written `apigroup:\"\"`")),
        Some(group) => Ok(condition.and(text(Field::ApiGroup, &group))),
        None => Ok(condition),
    }
}

/// A field's whole value; nothing, or `""`, is no value.
fn text(field: Field, value: &Value<'_>) -> Condition {
    if value.is_empty() {
        return Condition { filter: Filter::is(field, [""]), asked: Asked::each(field, [""]) };
    }
    let filter = Filter::Like(field, vec![value.pattern()]);
    let plain = value.is_plain().then(|| value.text());
    Condition { filter, asked: Asked::each(field, plain.as_deref()) }
}

/// An object: `NAMESPACE/RESOURCE/NAME`, or `RESOURCE/NAME` in whatever namespace, also in none.
struct Object {
    namespace: Option<Condition>,
    resource: Condition,
    name: Condition,
}

impl Object {
    fn read(value: &Value<'_>) -> Result<Self, SearchError> {
        let parts = value.split('/');
        let (namespace, resource, name) = match parts.as_slice() {
            [resource, name] => (None, resource, name),
            [namespace, resource, name] => (Some(text(Field::Namespace, namespace)), resource, name),
            _ => {
                let message = format!("`{}` is no object", shown(&value.text()));
                return Err(SearchError::new(value.span(), message)
                    .help("write NAMESPACE/RESOURCE/NAME, as `payments/secrets/db`, or RESOURCE/NAME; `*` is any"));
            }
        };
        if name.is_empty() {
            return Err(SearchError::new(value.span(), "the object's name is missing").help("any name is written `*`"));
        }
        Ok(Self { namespace, resource: kind(resource)?, name: text(Field::Name, name) })
    }

    /// The object by its name.
    fn named(&self) -> Condition {
        self.of(self.name.clone())
    }

    /// All objects of its kind in its namespace.
    fn collection(&self) -> Condition {
        self.of(Condition { filter: Filter::is(Field::Name, [""]), asked: Asked::each(Field::Name, [""]) })
    }

    fn of(&self, name: Condition) -> Condition {
        let condition = self.resource.clone().and(name);
        self.namespace.iter().fold(condition, |condition, namespace| condition.and(namespace.clone()))
    }
}

/// Who was shown the object, or may have been: `get` of it; `list` and `watch` of its kind that were not about another object, in its
/// namespace or over all of them.
pub(super) fn reads(value: &Value<'_>) -> Result<Condition, SearchError> {
    let object = Object::read(value)?;
    let whole = Filter::is(Field::Subresource, WHOLE);
    let get = object.named().and(verbs(&["get"])).and(Condition::silent(whole));
    let or_none = |condition: &Condition, field| any(vec![condition.filter.clone(), Filter::is(field, [""])]);
    let mut all_of =
        vec![like(Field::Verb, &["list", "watch"]), object.resource.filter.clone(), or_none(&object.name, Field::Name)];
    all_of.extend(object.namespace.iter().map(|namespace| or_none(namespace, Field::Namespace)));
    let collection = object.collection().and(verbs(&["list", "watch"]));
    // What is read is the object itself.
    let itself = Asked::each(Field::Subresource, [""]);
    let asked = [get.asked, collection.asked].into_iter().flat_map(|asked| combine([asked, itself.clone()])).collect();
    Ok(Condition { filter: all(vec![done(), any(vec![get.filter, all(all_of)])]), asked })
}

/// That the request was not refused and did not fail. What was only received may still be.
fn done() -> Filter {
    let none = |filter| Filter::Not(Box::new(filter));
    all(vec![none(Filter::Within(Number::Code, Some(400), None)), none(Filter::is(Field::Stage, ["RequestReceived"]))])
}

/// What changed objects: a verb that changes, done and without failure, and not a request that only asks or opens a stream. Earlier
/// stages of a request don't say yet how it ends.
pub(super) fn changes() -> Condition {
    let none = |filter| Filter::Not(Box::new(filter));
    verbs(&CHANGES)
        .and(Condition::silent(done()))
        .and(Condition::silent(none(like(Field::Subresource, &TRANSIENT))))
        .and(Condition::silent(none(like(Field::Resource, &QUESTIONS))))
}

/// Changes of the object, and deletions of all of its kind in its namespace.
pub(super) fn changes_of(value: &Value<'_>) -> Result<Condition, SearchError> {
    let object = Object::read(value)?;
    let (named, collection) = (object.named(), object.collection().and(verbs(&["deletecollection"])));
    let (change, single) = (changes(), ["create", "update", "patch", "delete"]);
    let mut asked = named.clone().and(verbs(&single)).asked;
    asked.extend(collection.asked);
    Ok(Condition { filter: all(vec![change.filter, any(vec![named.filter, collection.filter])]), asked })
}

/// One of these verbs.
pub(super) fn verbs(verbs: &[&'static str]) -> Condition {
    Condition { filter: like(Field::Verb, verbs), asked: Asked::each(Field::Verb, verbs.iter().copied()) }
}

fn like(field: Field, texts: &[&'static str]) -> Filter {
    Filter::Like(field, texts.iter().map(|text| Pattern::text(*text)).collect())
}
