//! Rule sets to measure with, as the files that an administrator would write.

use std::fmt::Write;
use std::path::Path;

use vedette_e2e::tools;
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

/// Rules of `data/bench-rules.md`, which the peers' figures were measured with: five conditions that share most of
/// their predicates.
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

/// Rules that differ throughout, as a security team would write them.
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
fn file(name: &str, conditions: impl Iterator<Item = String>) -> SourceFile {
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

/// The `Webhook` that lets everything through, with these receivers (the text of a YAML list).
pub(crate) fn webhook(receivers: &str) -> SourceFile {
    SourceFile {
        name: "webhook.yaml".to_owned(),
        text: format!(
            "apiVersion: auditing.kubesphere.io/v1alpha1\nkind: Webhook\nmetadata:\n  name: kube-auditing-webhook\nspec:\n  \
             auditLevel: RequestResponse\n  k8sAuditingEnabled: true\n  receivers: {receivers}\n"
        ),
    }
}

/// A rule that stores every event.
pub(crate) fn archive_all() -> SourceFile {
    file("everything", std::iter::once(r#"verb exists or requestURI exists"#.to_owned()))
}

/// The rules that are shipped: KubeSphere's defaults and the evidence rule.
pub(crate) fn shipped() -> Vec<SourceFile> {
    let folder = tools::repository("deploy/rules");
    let mut files: Vec<SourceFile> = std::fs::read_dir(folder)
        .expect("the shipped rules can be listed")
        .map(|entry| entry.expect("an entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| SourceFile {
            name: path.file_name().expect("a file has a name").to_string_lossy().into_owned(),
            text: std::fs::read_to_string(&path).expect("a rule file can be read"),
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

/// Writes them into a folder.
pub(crate) fn write(folder: &Path, files: &[SourceFile]) {
    std::fs::create_dir_all(folder).expect("the folder of rules can be made");
    for file in files {
        std::fs::write(folder.join(&file.name), &file.text).expect("a rule file can be written");
    }
}
