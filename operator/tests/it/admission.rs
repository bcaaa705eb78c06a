//! What the apiserver lets in.

use vedette_operator::admission::AdmissionConfig;
use vedette_service::tls;

use crate::lab::Lab;
use crate::running::{PATIENCE, Running};

const BROKEN: &str = "
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {name: broken, namespace: default, labels: {type: alerting}}
spec:
  rules:
  - {name: x, type: rule, enable: true, priority: INFO, condition: 'Verb = ('}
  - {name: z, type: rule, enable: true, priority: INFO, condition: 'Verb in ${nothing}'}
";

const DOUBTFUL: &str = "
apiVersion: auditing.kubesphere.io/v1alpha1
kind: Rule
metadata: {name: doubtful, namespace: default, labels: {type: alerting}}
spec:
  rules:
  - {name: x, type: rule, enable: true, priority: INFO, condition: 'Vorb = \"get\"'}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_compile_is_refused_and_doubts_are_warnings() {
    let plane = Lab::start();
    let folder = tempfile::tempdir().unwrap();
    let files = tls::self_signed(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
    let port = vedette_e2e::ports::free();
    let operator = start(&plane, &files, port).await;
    let refused = refused_again(&plane).await;
    for part in [
        "denied the request: it has 2 errors:",
        "spec.rules[0].condition, character 8: error[VR0207]: expected a value after `=`, found `(`",
        "spec.rules[1].condition",
    ] {
        assert!(refused.contains(part), "{part:?} is not in {refused}");
    }
    let taken = plane.kube.kubectl(&["apply", "-f", "-"], Some(DOUBTFUL));
    let warning = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(taken.status.success(), "{warning}");
    assert!(
        warning.contains("Warning: spec.rules[0].condition: warning[VR0403]: no event has a field `Vorb`"),
        "{warning}"
    );

    // What says the same as before gets no worse, and what goes may go.
    plane.kube.kubectl_ok(&["delete", "validatingwebhookconfigurations", "vedette-rules"], None);
    plane.apply(BROKEN);
    let held = [r#"{"metadata":{"finalizers":["example.test/held"]}}"#, r#"{"metadata":{"finalizers":null}}"#];
    plane.kube.kubectl_ok(&["patch", "ar", "broken", "--type=merge", "-p", held[0]], None);
    operator.end().await;
    let operator = start(&plane, &files, port).await;
    refused_again(&plane).await;
    plane.kube.kubectl_ok(&["annotate", "ar", "broken", "a=b"], None);
    plane.kube.kubectl_ok(&["delete", "ar", "broken", "--wait=false"], None);
    plane.kube.kubectl_ok(&["patch", "ar", "broken", "--type=merge", "-p", held[1]], None);

    // Where nobody answers, resources can still be written; the index holds back what is broken.
    operator.end().await;
    plane.apply(BROKEN);
}

async fn start(plane: &Lab, files: &tls::Files, port: u16) -> Running {
    Running::start(plane, "one", |config| {
        config.admission = AdmissionConfig {
            listen: Some(format!("127.0.0.1:{port}").parse().unwrap()),
            certificate: Some(files.certificate.clone()),
            key: Some(files.key.clone()),
            ca: Some(files.ca.clone()),
            url: Some(format!("https://127.0.0.1:{port}")),
            service: None,
        };
    })
    .await
}

/// Waits until the apiserver asks. Gives what it says of the broken rule then.
async fn refused_again(plane: &Lab) -> String {
    let end = std::time::Instant::now() + PATIENCE;
    // Registered a moment after this operator leads; the apiserver takes another one to know it.
    loop {
        let answer =
            plane.kube.kubectl(&["apply", "--dry-run=server", "-f", "-"], Some(&BROKEN.replace("broken", "new")));
        if !answer.status.success() {
            return String::from_utf8_lossy(&answer.stderr).into_owned();
        }
        assert!(std::time::Instant::now() < end, "the webhook is not asked");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
