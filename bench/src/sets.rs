//! The rule sets that figures are about.
//!
//! **Shared**: five conditions, in the wire's spelling,
//!
//! 1. the verb is none of `get`, `list` and `watch`;
//! 2. the verb is one of `create`, `delete`, `update` and `patch`;
//! 3. a pod is created that is on the host's network;
//! 4. a service of type `NodePort` is created;
//! 5. an `exec` or `attach` is created of a pod;
//!
//! of which rule `i` of `n`, counted from 0, is number `i mod 5`, from the sixth on with an exception of its own behind it: the user is
//! not `user-<i>`. The peers have the same rules in their languages (`peers`), compiled once; the figures of KubeSphere's engine that
//! the bars quote, 520 events a second, were measured with the first hundred of them. Such rules share most of what they ask.
//!
//! **Diverse**: eight kinds of rule, as a security team writes them, over resources, verbs, namespaces, users, paths into bodies, globs,
//! regular expressions and lists, each with words of its own: hardly a predicate is asked twice.
//!
//! Every rule archives, every event is held against all of them, and bodies are in sight.

use std::fmt::Write;

use vedette_rules::{Policy, RuleSet, SourceFile};

/// Words for rules that differ throughout; lists of different prime lengths keep two rules from drawing the same.
const RESOURCES: [&str; 13] = [
    "pods",
    "secrets",
    "configmaps",
    "services",
    "deployments",
    "roles",
    "rolebindings",
    "clusterroles",
    "nodes",
    "serviceaccounts",
    "ingresses",
    "persistentvolumes",
    "customresourcedefinitions",
];
const VERBS: [&str; 7] = ["create", "delete", "update", "patch", "get", "list", "deletecollection"];
const PATHS: [&str; 11] = [
    "spec.hostPID",
    "spec.hostIPC",
    "spec.hostNetwork",
    "spec.serviceAccountName",
    "spec.type",
    "metadata.labels.app",
    "spec.template.spec.hostNetwork",
    "spec.containers[*].securityContext.privileged",
    "spec.nodeName",
    "spec.volumes[*].hostPath.path",
    "roleRef.name",
];

/// Rules of the shared set.
pub(crate) fn shared(count: usize) -> SourceFile {
    let conditions = [
        r#"verb not in ("get", "list", "watch")"#,
        r#"verb in ("create", "delete", "update", "patch")"#,
        r#"objectRef.resource = "pods" and verb = "create" and requestObject.spec.hostNetwork = true"#,
        r#"objectRef.resource = "services" and verb = "create" and requestObject.spec.type = "NodePort""#,
        r#"objectRef.resource = "pods" and verb = "create" and objectRef.subresource in ("exec", "attach")"#,
    ];
    let rules = (0..count).map(|index| {
        let condition = conditions[index % conditions.len()];
        if index < conditions.len() {
            condition.to_owned()
        } else {
            format!(r#"{condition} and user.username != "user-{index}""#)
        }
    });
    file("shared", rules)
}

/// Rules of the diverse set.
pub(crate) fn diverse(count: usize) -> SourceFile {
    let rules = (0..count).map(|n| {
        let resource = RESOURCES[n % RESOURCES.len()];
        let verb = VERBS[n % VERBS.len()];
        let other = VERBS[(n + 3) % VERBS.len()];
        let path = PATHS[n % PATHS.len()];
        match n % 8 {
            0 => format!(r#"objectRef.resource = "{resource}" and verb = "{verb}" and objectRef.namespace = "team-{n}""#),
            1 => format!(r#"verb in ("{verb}", "{other}") and user.username like "system:serviceaccount:team-{n}:*""#),
            2 => format!(r#"objectRef.resource = "{resource}" and requestObject.{path} = "value-{n}""#),
            3 => format!(r#"requestURI regex "^/api(s/[a-z.]+)?/v1/namespaces/team-{n}/{resource}(/|$)""#),
            4 => format!(
                r#"objectRef.namespace in ("prod-{n}", "stage-{n}", "kube-system") and objectRef.resource = "{resource}" and not (user.groups = "team-{n}")"#
            ),
            5 => format!(r#"responseStatus.code >= {} and userAgent contains "tool-{n}/""#, 400 + n % 100),
            6 => format!(
                r#"objectRef.name like "*-{n}" and verb = "{verb}" and sourceIPs != "10.{}.{}.1""#,
                n / 250 % 250,
                n % 250
            ),
            _ => format!(
                r#"objectRef.apiGroup = "group-{n}.example.com" and objectRef.subresource = "status" or verb = "{verb}" and objectRef.name = "object-{n}""#
            ),
        }
    });
    file("diverse", rules)
}

/// A rule for each condition, all of them archiving, in one `Rule` resource.
pub(crate) fn file(name: &str, conditions: impl Iterator<Item = String>) -> SourceFile {
    let mut text = format!(
        "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Rule\nmetadata:\n  name: {name}\n  labels:\n    type: archiving\n\
         spec:\n  rules:\n"
    );
    for (index, condition) in conditions.enumerate() {
        writeln!(
            text,
            "  - name: rule-{index}\n    type: rule\n    enable: true\n    priority: INFO\n    condition: '{condition}'"
        )
        .expect("text can be written");
    }
    SourceFile { name: format!("{name}.yaml"), text }
}

/// Compiles them, with all of an event's bodies in sight.
pub(crate) fn compile(files: &[SourceFile]) -> RuleSet {
    let built = Policy::build_with(files, 1, |settings| settings.audit_level = vedette_audit::Level::RequestResponse);
    match built {
        Ok(built) => built.policy.rules,
        Err(diagnostics) => {
            panic!("{}", diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect::<String>())
        }
    }
}
