use super::*;

fn check(text: Option<&str>, status: ConditionStatus, reason: &str, part: &str) {
    let finding = finding(text);
    assert_eq!((finding.status, finding.reason), (status, reason), "{text:?}");
    assert!(finding.message.contains(part), "{}", finding.message);
}

#[test]
fn kubesphere_says_whether_it_sends_and_the_administrator_is_told_what_to_do() {
    use ConditionStatus::{False, True, Unknown};
    check(Some("auditing:\n  enable: true\n"), True, "Enabled", "sends its own events");
    check(
        Some(
            "auditing:\n  enable: true\n  webhookURL: https://kube-auditing-webhook-svc.kubesphere-logging-system.svc:6443/audit/webhook/event\n",
        ),
        True,
        "Enabled",
        "sends",
    );
    check(
        Some("auditing:\n  enable: true\n  webhookURL: https://elsewhere:6443/\n"),
        False,
        "SentElsewhere",
        "elsewhere",
    );
    check(Some("auditing:\n  enable: false\n"), False, "Disabled", "restart KubeSphere's apiserver");
    check(Some("monitoring: {}\n"), False, "Disabled", "auditing.enable to true");
    check(Some(""), False, "Disabled", "auditing.enable");
    // As KubeSphere's documents write it, where its apiserver does not look.
    check(Some("auditing:\n  enabled: true\n"), False, "NotRead", "set auditing.enable by");
    check(Some("spec:\n  auditing:\n    enabled: true\n"), False, "NotRead", "set auditing.enable by");
    check(Some("auditing: [\n"), Unknown, "Unreadable", "not YAML");
    check(None, Unknown, "NoKubeSphere", "kubesphere-config");
}
