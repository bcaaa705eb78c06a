use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// An object of `kind`, with what is given in `more`.
pub(crate) fn object(kind: Kind, namespace: &str, name: &str, more: Value) -> (Kind, DynamicObject) {
    let mut object = json!({"metadata": {
        "name": name, "uid": format!("{name}-uid"), "creationTimestamp": "2026-01-01T00:00:00Z"
    }});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    if let Some(workspace) = more.get("workspace") {
        object["metadata"]["labels"] = json!({WORKSPACE: workspace});
    }
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    (kind, serde_json::from_value(object).unwrap())
}

pub(crate) fn namespace(name: &str, workspace: &str) -> (Kind, DynamicObject) {
    object(Kind::Namespace, "", name, json!({"workspace": workspace}))
}

/// A rule on `events`, by `verbs/groups/resources/names`, each with commas between.
fn rule(text: &str) -> Value {
    let [verbs, groups, resources, names]: [Vec<&str>; 4] =
        text.split('/').map(|it| it.split(',').collect()).collect::<Vec<_>>().try_into().unwrap();
    let names: Vec<_> = names.into_iter().filter(|it| !it.is_empty()).collect();
    json!({"verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names})
}

/// Roles and bindings, a line each: `clusterrole NAME RULE…`, `role NAMESPACE NAME RULE…`, `workspacerole NAME RULE…`,
/// `clusterbinding NAME ROLE SUBJECT…`, `binding NAMESPACE NAME ROLE SUBJECT…`, `workspacebinding WORKSPACE NAME ROLE SUBJECT…`,
/// `namespace NAME [WORKSPACE]`, `workspace NAME`. A role is `Kind:name`, a subject `User:name`, `Group:name`, `ServiceAccount:name`
/// or `ServiceAccount:namespace:name`.
fn read(text: &str) -> Vec<(Kind, DynamicObject)> {
    let rules = |rules: &[&str]| json!({"rules": rules.iter().map(|it| rule(it)).collect::<Vec<_>>()});
    let bound = |role: &str, subjects: &[&str]| {
        let (kind, name) = role.split_once(':').unwrap();
        let subject = |it: &&str| {
            let (kind, name) = it.split_once(':').unwrap();
            match (kind, name.split_once(':')) {
                ("ServiceAccount", Some((namespace, name))) => {
                    json!({"kind": kind, "namespace": namespace, "name": name})
                }
                _ => json!({"kind": kind, "name": name}),
            }
        };
        let subjects: Vec<_> = subjects.iter().map(subject).collect();
        json!({"roleRef": {"kind": kind, "name": name}, "subjects": subjects})
    };
    let line = |line: &str| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["namespace", name] => namespace(name, ""),
        ["namespace", name, workspace] => namespace(name, workspace),
        ["workspace", name] => object(Kind::Workspace, "", name, json!({})),
        ["clusterrole", name, all @ ..] => object(Kind::ClusterRole, "", name, rules(all)),
        ["workspacerole", name, all @ ..] => object(Kind::WorkspaceRole, "", name, rules(all)),
        ["role", namespace, name, all @ ..] => object(Kind::Role, namespace, name, rules(all)),
        ["clusterbinding", name, role, all @ ..] => object(Kind::ClusterRoleBinding, "", name, bound(role, all)),
        ["binding", namespace, name, role, all @ ..] => object(Kind::RoleBinding, namespace, name, bound(role, all)),
        ["workspacebinding", workspace, name, role, all @ ..] => {
            let mut more = bound(role, all);
            more["workspace"] = (*workspace).into();
            object(Kind::WorkspaceRoleBinding, "", name, more)
        }
        other => panic!("{other:?}"),
    };
    text.lines().map(str::trim).filter(|it| !it.is_empty()).map(line).collect()
}

/// Lists `all` as those that there are of `kind`.
pub(crate) fn list(objects: &mut Objects, kind: Kind, all: &[DynamicObject]) {
    all.iter().for_each(|object| objects.set(kind, object));
    objects.retain(kind, &all.iter().map(|object| key(kind, object)).collect());
}

fn objects(text: &str) -> Objects {
    let mut objects = Objects::default();
    for (kind, object) in read(text) {
        objects.set(kind, &object);
    }
    objects
}

/// What `user` with `groups` sees: `*` for all, names of namespaces, and of workspaces with `@` before.
fn seen(objects: &Objects, user: &str, groups: &[&str]) -> Vec<String> {
    let groups: Vec<_> = groups.iter().map(|it| (*it).to_owned()).collect();
    let seen = objects.seen(user, &groups);
    let whole = seen.whole.then(|| "*".to_owned());
    let namespaces = seen.namespaces.iter().map(|it| it.to_string());
    whole.into_iter().chain(namespaces).chain(seen.workspaces.iter().map(|it| format!("@{it}"))).collect()
}

#[test]
fn a_rule_allows_what_kubernetes_says_it_does() {
    let check = |text: &str, expected: bool| {
        let rule: rbac::Rule = serde_json::from_value(rule(text)).unwrap();
        assert_eq!(rule.allows(), expected, "{text}");
    };
    check("list//events/", true);
    check("get,list//pods,events/", true);
    check("*/*/*/", true);
    check("list/*/events/", true);
    check("get,watch//events/", false);
    check("list//pods/", false);
    check("list/events.k8s.io/events/", false);
    check("list/apps,/events/", true);
    check("LIST//events/", false);
    check("list//events/*", false);
    check("list//events/one", false);
    check("list//*,pods/one", false);
}

#[test]
fn bindings_give_what_kubernetes_says_they_give() {
    const PLACES: &str = "
        namespace a
        namespace b
        namespace c
        clusterrole view get,list//pods,events/
        clusterrole pods get,list//pods/
        role a reader list//events/
    ";
    let check = |bindings: &str, (user, groups): (&str, &[&str]), expected: &[&str]| {
        let objects = objects(&format!("{PLACES}{bindings}"));
        assert_eq!(seen(&objects, user, groups), expected, "{bindings}");
    };
    let ann = ("ann", &["dev", "system:authenticated"][..]);
    check("", ann, &[]);
    check("binding a x ClusterRole:view User:ann", ann, &["a"]);
    check("binding a x Role:reader User:ann", ann, &["a"]);
    check("binding b x Role:reader User:ann", ann, &[]);
    check("binding a x ClusterRole:pods User:ann", ann, &[]);
    check("binding a x ClusterRole:missing User:ann", ann, &[]);
    check("binding a x ClusterRole:view User:bob", ann, &[]);
    check("binding a x ClusterRole:view User:bob Group:dev", ann, &["a"]);
    check("binding a x ClusterRole:view User:dev Group:ann", ann, &[]);
    check("binding c x ClusterRole:view Group:system:authenticated", ann, &["c"]);
    check("binding gone x ClusterRole:view User:ann", ann, &[]);
    check("binding a x ClusterRole:view User:ann\nbinding b y ClusterRole:view Group:dev", ann, &["a", "b"]);
    check("clusterbinding x ClusterRole:view User:ann", ann, &["*"]);
    check("clusterbinding x ClusterRole:pods User:ann", ann, &[]);
    check("clusterbinding x Role:reader User:ann", ann, &[]);
    check("", ("ann", &["system:masters"]), &["*"]);
    let account = ("system:serviceaccount:b:robot", &[][..]);
    check("binding a x ClusterRole:view ServiceAccount:b:robot", account, &["a"]);
    check("binding a x ClusterRole:view ServiceAccount:robot", account, &[]);
    check("binding b x ClusterRole:view ServiceAccount:robot", account, &["b"]);
    check("binding a x ClusterRole:view User:system:serviceaccount:b:robot", account, &["a"]);
    check("clusterbinding x ClusterRole:view ServiceAccount:robot", account, &[]);
}

#[test]
fn a_workspace_is_seen_by_its_roles() {
    const PLACES: &str = "
        workspace w
        namespace in w
        namespace out
        workspacerole w-viewer list//events/
        workspacerole w-member get//pods/
        clusterrole view list//events/
    ";
    let check = |bindings: &str, expected: &[&str]| {
        let objects = objects(&format!("{PLACES}{bindings}"));
        assert_eq!(seen(&objects, "ann", &["dev"]), expected, "{bindings}");
        let members: Vec<_> = objects.members("w").map(|it| it.to_string()).collect();
        assert_eq!(members, ["in"]);
    };
    check("workspacebinding w x WorkspaceRole:w-viewer User:ann", &["@w"]);
    check("workspacebinding w x WorkspaceRole:w-viewer Group:dev", &["@w"]);
    check("workspacebinding w x WorkspaceRole:w-member User:ann", &[]);
    check("workspacebinding w x ClusterRole:view User:ann", &[]);
    check("workspacebinding gone x WorkspaceRole:w-viewer User:ann", &[]);
    check("binding in x WorkspaceRole:w-viewer User:ann", &[]);
    check("clusterbinding x WorkspaceRole:w-viewer User:ann", &[]);
}

#[test]
fn what_is_taken_away_is_gone_and_only_changes_count_as_changes() {
    let text = "
        namespace a w
        workspace w
        clusterrole view list//events/
        binding a x ClusterRole:view User:ann
    ";
    let mut objects = objects(text);
    let before = objects.generation();
    for (kind, object) in read(text) {
        objects.set(kind, &object);
        list(&mut objects, kind, &[object]);
    }
    assert_eq!(objects.generation(), before);
    for (kind, object) in read(text).into_iter().filter(|it| it.0 != Kind::Workspace) {
        let generation = objects.generation();
        objects.remove(kind, &object);
        assert_eq!(seen(&objects, "ann", &[]), [""; 0], "{kind:?}");
        assert_ne!(objects.generation(), generation, "{kind:?}");
        objects.set(kind, &object);
        assert_eq!(seen(&objects, "ann", &[]), ["a"], "{kind:?}");
        list(&mut objects, kind, &[]);
        assert_eq!(seen(&objects, "ann", &[]), [""; 0], "{kind:?}");
        list(&mut objects, kind, &[object]);
        assert_eq!(seen(&objects, "ann", &[]), ["a"], "{kind:?}");
    }
    objects.set(Kind::Namespace, &namespace("a", "v").1);
    assert_eq!((objects.members("w").count(), objects.members("v").count()), (0, 1));
    let (kind, role) = object(Kind::ClusterRole, "", "view", json!({"rules": "nonsense"}));
    objects.set(kind, &role);
    assert_eq!(seen(&objects, "ann", &[]), [""; 0], "what can't be read allows nothing");
}

/// The same question, answered from the objects themselves as RBAC is written down.
fn naive(all: &BTreeMap<Key, DynamicObject>, user: &str, groups: &[String], namespace: Option<&str>) -> bool {
    let matches = |binding: &DynamicObject, subject: &Value| match subject["kind"].as_str().unwrap() {
        "User" => subject["name"] == user,
        "Group" => groups.iter().any(|group| subject["name"] == group.as_str()),
        _ => {
            let own = binding.metadata.namespace.clone().unwrap_or_default();
            let of = subject["namespace"].as_str().map_or(own, str::to_owned);
            !of.is_empty() && user == format!("system:serviceaccount:{of}:{}", subject["name"].as_str().unwrap())
        }
    };
    let allows = |binding: &DynamicObject| {
        let (kind, name) = (&binding.data["roleRef"]["kind"], binding.data["roleRef"]["name"].as_str().unwrap());
        let (kind, of) = match kind.as_str().unwrap() {
            "ClusterRole" => (Kind::ClusterRole, ""),
            _ => (Kind::Role, binding.metadata.namespace.as_deref().unwrap_or_default()),
        };
        let Some(role) = all.get(&(kind, of.into(), name.into())) else { return false };
        role.data["rules"].as_array().unwrap().iter().any(|rule| {
            let has = |list: &str, one: &str| rule[list].as_array().unwrap().iter().any(|it| it == "*" || it == one);
            has("verbs", "list")
                && has("apiGroups", "")
                && has("resources", "events")
                && rule["resourceNames"] == json!([])
        })
    };
    all.iter().any(|(key, binding)| {
        let counts = key.0 == Kind::ClusterRoleBinding
            || (key.0 == Kind::RoleBinding && namespace.is_some_and(|it| *it == *key.1));
        counts && binding.data["subjects"].as_array().unwrap().iter().any(|it| matches(binding, it)) && allows(binding)
    })
}

fn any_line() -> impl Strategy<Value = String> {
    let place = prop::sample::select(vec!["a", "b", "c"]);
    let role = prop::sample::select(vec!["ClusterRole:r", "ClusterRole:s", "Role:r", "Role:s"]);
    let subject =
        prop::sample::select(vec!["User:u", "User:v", "Group:g", "Group:h", "ServiceAccount:a:u", "ServiceAccount:u"]);
    let subjects = prop::collection::vec(subject, 0..3).prop_map(|it| it.join(" "));
    let rule = prop::sample::select(vec!["list//events/", "*/*/*/", "get//events/", "list//events/x", "list/apps/*/"]);
    let name = prop::sample::select(vec!["r", "s"]);
    prop_oneof![
        place.clone().prop_map(|place| format!("namespace {place}")),
        (name.clone(), rule.clone()).prop_map(|(name, rule)| format!("clusterrole {name} {rule}")),
        (place.clone(), name.clone(), rule).prop_map(|(place, name, rule)| format!("role {place} {name} {rule}")),
        (name.clone(), role.clone(), subjects.clone()).prop_map(|(n, r, s)| format!("clusterbinding {n} {r} {s}")),
        (place, name, role, subjects).prop_map(|(p, n, r, s)| format!("binding {p} {n} {r} {s}")),
    ]
}

proptest! {
    /// Whatever is set and removed in whatever order, the answer is that of what is left.
    #[test]
    fn answers_are_those_of_a_naive_reading(changes in prop::collection::vec((any_line(), prop::bool::weighted(0.25)), 1..40)) {
        let (mut objects, mut all) = (Objects::default(), BTreeMap::new());
        for (line, remove) in &changes {
            let (kind, object) = read(line).remove(0);
            let key = key(kind, &object);
            if *remove {
                objects.remove(kind, &object);
                all.remove(&key);
            } else {
                objects.set(kind, &object);
                all.insert(key, object);
            }
        }
        let mut listed = Objects::default();
        for kind in Kind::KUBERNETES {
            let of: Vec<_> = all.iter().filter(|(key, _)| key.0 == kind).map(|(_, it)| it.clone()).collect();
            list(&mut listed, kind, &of);
        }
        for user in ["u", "v", "system:serviceaccount:a:u", "nobody"] {
            for groups in [vec![], vec!["g".to_owned()], vec!["g".to_owned(), "h".to_owned()]] {
                let seen = objects.seen(user, &groups);
                prop_assert_eq!(&seen, &listed.seen(user, &groups));
                let whole = naive(&all, user, &groups, None);
                prop_assert_eq!(seen.whole, whole);
                for name in ["a", "b", "c"] {
                    let there = all.contains_key(&(Kind::Namespace, "".into(), name.into()));
                    let expected = !whole && there && naive(&all, user, &groups, Some(name));
                    prop_assert_eq!(seen.namespaces.contains(name), expected, "{} {:?} in {}", user, groups, name);
                }
            }
        }
    }
}
