//! The variables that a Deployment gives a service are those that the service knows.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use vedette_e2e::tools;
use vedette_operator::api::Webhook;
use vedette_operator::reconcile::Settings;
use vedette_operator::reconcile::component::Component;
use vedette_operator::reconcile::objects::{Kind, Observed, wanted};

use crate::lab::SEEDS;

/// How a service ends that does not understand its configuration.
const MISCONFIGURED: i32 = 2;

#[test]
fn services_understand_what_their_deployments_tell_them() {
    let webhook: Webhook = serde_yaml_ng::from_str(SEEDS[0].1).unwrap();
    let settings = Settings {
        // Nobody answers there.
        nats: json!({"url": "nats://127.0.0.1:1", "connectTimeoutSeconds": 1}),
        archive: json!({"engine": "search", "search": {"urls": ["http://127.0.0.1:1"], "indexPrefix": "a"}, "retentionDays": 3}),
        monitor_url: Some("http://127.0.0.1:1".to_owned()),
        console_url: Some("https://console.example.com".to_owned()),
        console: json!({
            "auth": {
                "oidc": {"issuer": "https://id.example.com", "clientId": "vedette", "groupsPrefix": "id:"},
                "proxy": {"clientCaFile": "/etc/vedette/console/ca.pem", "allowedNames": ["front"]},
            },
            "tenancy": {
                "clusters": [{"name": "default"}, {"name": "b", "kubeconfig": "/etc/vedette/console/b"}],
                "administrators": {"groups": ["auditors"]},
            },
            "limits": {"concurrent": 8},
        })
        .as_object()
        .unwrap()
        .clone(),
        ..Settings::default()
    };
    let made = wanted(&webhook, &settings, &Observed::default());
    for component in Component::ALL {
        let program = component.program();
        let deployment = made.objects.iter().find(|it| it.kind == Kind::Deployment && it.name == program).unwrap();
        let container = &deployment.body["spec"]["template"]["spec"]["containers"][0];
        let env = container["env"].as_array().unwrap().iter().map(|it| {
            let of = |key: &str| it[key].as_str().unwrap().to_owned();
            // Every port of this machine is somebody's; a pod's are its own.
            let value = if of("name").ends_with("LISTEN") { "127.0.0.1:0".to_owned() } else { of("value") };
            (of("name"), value)
        });
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut child = Command::new(tools::built(&program))
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // One that understands goes on to look for certificates and the broker, which are not here.
        let end = Instant::now() + Duration::from_secs(5);
        let said = || std::fs::read_to_string(&log).unwrap();
        let code = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if Instant::now() > end || said().contains("starting") => break None,
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        assert_ne!(code, Some(MISCONFIGURED), "{program}: {}", said());
        assert!(said().contains("starting"), "{program}: {code:?}: {}", said());
    }
}
