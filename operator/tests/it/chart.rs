//! The Helm chart: that it is what the code says, that an API server takes it, and that it grants what is needed and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};
use vedette_e2e::tools;
use vedette_operator::api::NAMESPACE;
use vedette_operator::reconcile::Settings;
use vedette_operator::reconcile::component::Component;
use vedette_operator::reconcile::permissions::{self, CONSOLE, NEEDED, OPERATOR, Permission, Scope};

use crate::lab::{Lab, SEEDS, eventually};
use crate::reconcile::Running;

const CHART: &str = "deploy/chart/vedette";
/// Of the control plane; where helm has none to ask, it takes the oldest that it knows.
const KUBERNETES: &str = "1.36";

fn helm(args: &[&str]) -> String {
    let output = Command::new(tools::path("helm")).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {args:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn render(set: &[&str]) -> String {
    let chart = tools::repository(CHART);
    let chart = chart.to_str().unwrap();
    let mut args = vec!["template", "vedette", chart, "--namespace", NAMESPACE, "--kube-version", KUBERNETES];
    args.extend(set.iter().flat_map(|it| ["--set", it]));
    helm(&args)
}

fn documents(text: &str) -> Vec<Value> {
    let all = serde_yaml_ng::Deserializer::from_str(text).map(|it| Value::deserialize(it).unwrap());
    all.filter(|it| !it.is_null()).collect()
}

fn find<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = all.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// A role of the operator.
fn role(all: &[Value], scope: Scope) -> &Value {
    find(all, if scope == Scope::Cluster { "ClusterRole" } else { "Role" }, "vedette-operator")
}

/// The operator's permissions of a scope.
fn operators(scope: Scope) -> impl Iterator<Item = &'static Permission> {
    NEEDED.iter().chain(OPERATOR).filter(move |it| it.scope == scope)
}

/// `UPDATE=1 cargo test -p vedette-operator` writes the files.
fn is_up_to_date(file: &str, text: &str) {
    let path = tools::repository(CHART).join(file);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "{file} of the chart is out of date");
}

/// The rules of a role, as few as the table allows.
fn rules(table: impl Iterator<Item = &'static Permission>) -> String {
    let mut grouped: BTreeMap<(&str, Vec<&str>, &str), BTreeSet<&str>> = BTreeMap::new();
    for it in table {
        grouped.entry((it.group, it.names.to_vec(), it.resource)).or_default().insert(it.verb);
    }
    let rules: Vec<_> = grouped
        .into_iter()
        .map(|((group, names, resource), verbs)| {
            let mut rule = json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
            if !names.is_empty() {
                rule["resourceNames"] = json!(names);
            }
            rule
        })
        .collect();
    let head = "# Made of operator/src/reconcile/permissions.rs by `UPDATE=1 cargo test -p vedette-operator`.\n";
    format!("{head}{}", serde_yaml_ng::to_string(&rules).unwrap())
}

#[test]
fn chart_holds_the_definitions_the_rules_and_the_permissions() {
    for (from, to) in [("deploy/crds", "crds"), ("deploy/rules", "rules")] {
        let mut names = Vec::new();
        for entry in fs::read_dir(tools::repository(from)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            is_up_to_date(&format!("{to}/{name}"), &fs::read_to_string(entry.path()).unwrap());
            names.push(name);
        }
        assert_eq!(fs::read_dir(tools::repository(CHART).join(to)).unwrap().count(), names.len(), "{to}");
    }
    is_up_to_date("rbac/cluster.yaml", &rules(operators(Scope::Cluster)));
    is_up_to_date("rbac/namespace.yaml", &rules(operators(Scope::Namespace)));
    is_up_to_date("rbac/console.yaml", &rules(CONSOLE.iter()));
}

/// What a role grants: group, resource, verb and name.
fn granted(role: &Value) -> BTreeSet<[String; 4]> {
    let mut granted = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        let of = |key: &str| {
            rule[key].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let names = if rule["resourceNames"].is_null() { vec![String::new()] } else { of("resourceNames") };
        for (group, resource, verb, name) in of("apiGroups").iter().flat_map(|group| {
            let (names, verbs) = (&names, of("verbs"));
            of("resources").into_iter().flat_map(move |resource| {
                let verbs = verbs.clone();
                verbs.into_iter().flat_map(move |verb| {
                    let resource = resource.clone();
                    names.iter().map(move |name| (group.clone(), resource.clone(), verb.clone(), name.clone()))
                })
            })
        }) {
            assert!(![&group, &resource, &verb].iter().any(|it| it.contains('*')), "{rule}");
            granted.insert([group, resource, verb, name]);
        }
    }
    granted
}

fn listed<'a>(table: impl Iterator<Item = &'a Permission>) -> BTreeSet<[String; 4]> {
    let each = table.flat_map(|it| {
        let names = if it.names.is_empty() { &[""] } else { it.names };
        names.iter().map(|name| [it.group, it.resource, it.verb, name].map(str::to_owned))
    });
    each.collect()
}

#[test]
fn chart_grants_what_the_table_says_and_no_more() {
    let all = documents(&render(&["namespace=elsewhere"]));
    for scope in [Scope::Cluster, Scope::Namespace] {
        assert_eq!(granted(role(&all, scope)), listed(operators(scope)), "{scope:?}");
    }
    assert_eq!(granted(find(&all, "ClusterRole", "vedette-console")), listed(CONSOLE.iter()));
    // To the account that the operator makes, which is not of the chart.
    let subject = json!({"kind": "ServiceAccount", "name": Component::Console.program(), "namespace": "elsewhere"});
    assert_eq!(find(&all, "ClusterRoleBinding", "vedette-console")["subjects"], json!([subject]));
    assert!(!render(&["rbac.create=false"]).contains("kind: ClusterRole"));
}

/// Who runs the console elsewhere copies the role from the manual.
#[test]
fn manual_prints_the_role_that_the_chart_grants_the_console() {
    let text = fs::read_to_string(tools::repository("docs/access.md")).unwrap();
    let blocks = text.split("```").filter_map(|it| it.strip_prefix("yaml\n"));
    let role = blocks.map(|it| serde_yaml_ng::from_str::<Value>(it).unwrap()).find(|it| it["kind"] == "ClusterRole");
    assert_eq!(granted(&role.unwrap()), listed(CONSOLE.iter()));
}

#[test]
fn chart_is_linted_and_its_configuration_is_the_operators() {
    let chart = tools::repository(CHART);
    helm(&["lint", "--strict", chart.to_str().unwrap()]);
    let config = |set: &[&str]| {
        let all = documents(&render(set));
        let text = find(&all, "ConfigMap", "vedette-operator")["data"]["operator.yaml"].as_str().unwrap().to_owned();
        serde_yaml_ng::from_str::<Value>(&text).unwrap()
    };
    let plain: Settings = serde_json::from_value(config(&[])["reconcile"].clone()).unwrap();
    assert_eq!(plain.image, format!("vedette/vedette-{{component}}:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(plain.archive["search"]["indexPrefix"], "ks-whizard-auditing");
    let set = [
        "natsSecret=n",
        "archiveSecret=a",
        "consoleUrl=https://c",
        "monitorUrl=http://m",
        "namespace=elsewhere",
        "image.tag=v9",
    ];
    let full: Settings = serde_json::from_value(config(&set)["reconcile"].clone()).unwrap();
    assert_eq!((full.namespace.as_str(), full.operator.namespace.as_str()), ("elsewhere", "elsewhere"));
    assert_eq!((full.nats_secret.as_deref(), full.console_url.as_deref()), (Some("n"), Some("https://c")));
    assert!(full.image.ends_with(":v9"));
    let set = [
        "consoleSecret=c",
        "console.tenancy.clusters[0].name=a",
        "console.tenancy.clusters[1].name=b",
        "console.tenancy.clusters[1].kubeconfig=/etc/vedette/console/b",
        "console.auth.kubernetes=null",
        "console.auth.proxy.allowedNames={front}",
    ];
    let console: Settings = serde_json::from_value(config(&set)["reconcile"].clone()).unwrap();
    assert_eq!(console.console_secret.as_deref(), Some("c"));
    let clusters = json!([{"name": "a"}, {"name": "b", "kubeconfig": "/etc/vedette/console/b"}]);
    assert_eq!(console.console["tenancy"], json!({"clusters": clusters}));
    assert_eq!(console.console["auth"], json!({"kubernetes": null, "proxy": {"allowedNames": ["front"]}}));
    // What makes no sense is refused before anything is installed.
    let bad =
        ["archive.engine=embedded", "operator.logFormat=xml", "imag.tag=1", "operator.replicas=two", "console.x.y=1"];
    for bad in bad {
        let output = Command::new(tools::path("helm"))
            .args(["template", chart.to_str().unwrap(), "--kube-version", KUBERNETES, "--set", bad])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("values don't meet"), "{bad}: {said}");
    }
}

/// A role without one permission.
fn without(role: &Value, permission: &Permission) -> Value {
    let mut rules = Vec::new();
    for rule in role["rules"].as_array().unwrap() {
        let names: Vec<_> = rule["resourceNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let same = rule["apiGroups"][0] == permission.group
            && rule["resources"][0] == permission.resource
            && names == permission.names;
        let mut rule = rule.clone();
        if same {
            rule["verbs"].as_array_mut().unwrap().retain(|verb| verb != permission.verb);
        }
        if rule["verbs"].as_array().is_some_and(|it| !it.is_empty()) {
            rules.push(rule);
        }
    }
    let mut role = role.clone();
    role["rules"] = json!(rules);
    role
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chart_is_taken_by_an_apiserver_and_every_permission_is_needed_and_missed() {
    let plane = Lab::empty();
    plane.kube.kubectl_ok(&["create", "namespace", NAMESPACE], None);
    let crds = tools::repository(CHART).join("crds");
    plane.kube.kubectl_ok(&["apply", "--server-side", "-f", crds.to_str().unwrap()], None);
    plane.established();
    let rendered = render(&["webhook.create=true", "webhook.spec.auditLevel=Metadata"]);
    let strict = ["--validate=strict", "-f", "-"];
    plane.kube.kubectl_ok(&[&["apply", "--server-side", "--dry-run=server"][..], &strict].concat(), Some(&rendered));
    plane.kube.kubectl_ok(&[&["apply", "--server-side"][..], &strict].concat(), Some(&rendered));
    let rules = plane.kubectl(&["get", "ar", "-o", "name"]);
    assert_eq!(rules.lines().count(), 3, "{rules}");
    assert!(plane.get("deployments/vedette-operator").is_some());
    plane.kubectl(&["delete", "awh", "--all"]);

    // As the operator's own account.
    let client = plane.client_of("vedette-operator").await;
    let running = Running::start(client.clone(), true);
    plane.apply(SEEDS[0].1);
    eventually("reconciled by the chart's account", || plane.is("Reconciled", "Applied")).await;
    plane.kubectl(&["delete", "--wait=false", "awh", "--all"]);
    eventually("cleaned up by the chart's account", || plane.kubectl(&["get", "awh", "-o", "name"]).is_empty()).await;
    running.stop().await;

    // Each permission taken away alone is missed, and named.
    let all = documents(&rendered);
    let needed = permissions::all();
    let ask = async || permissions::missing(&client, NAMESPACE, &needed).await.unwrap();
    assert_eq!(ask().await, []);
    for permission in &needed {
        let role = role(&all, permission.scope);
        // Another part may need the same: it is taken from the role as a whole.
        let less = without(role, permission);
        plane.kube.kubectl_ok(&["replace", "-f", "-"], Some(&less.to_string()));
        let mut missing = Vec::new();
        for _ in 0..100 {
            missing = ask().await;
            if missing == [*permission] {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(missing, [*permission]);
        plane.kube.kubectl_ok(&["replace", "-f", "-"], Some(&role.to_string()));
    }

    // It is said where an administrator looks, and all is well again once it is granted.
    let role = role(&all, Scope::Namespace);
    let patching = NEEDED.iter().find(|it| it.resource == "deployments" && it.verb == "patch").unwrap();
    plane.kube.kubectl_ok(&["replace", "-f", "-"], Some(&without(role, patching).to_string()));
    plane.apply(SEEDS[0].1);
    let running = Running::start(client, true);
    eventually("the missing permission is named", || plane.is("Reconciled", "Forbidden")).await;
    let (_, _, message) = plane.condition("Reconciled").unwrap();
    assert!(message.contains("missing: patch deployments.apps"), "{message}");
    assert!(plane.get("services/vedette-console").is_some(), "what may be done is done");
    plane.kube.kubectl_ok(&["replace", "-f", "-"], Some(&role.to_string()));
    eventually("it is granted again", || plane.is("Reconciled", "Applied")).await;
    running.stop().await;
}
