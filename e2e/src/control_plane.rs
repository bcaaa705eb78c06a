//! A real etcd and kube-apiserver that sends its audit events to a webhook.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Plan;
use crate::{Process, http, ports, tools};

const ETCD_READY: Duration = Duration::from_secs(30);
const APISERVER_READY: Duration = Duration::from_secs(180);

/// A control plane on 127.0.0.1 with its own certificate authority, RBAC and a kubeconfig for `admin`.
#[derive(Debug)]
pub struct ControlPlane {
    apiserver: Process,
    _etcd: Process,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts one. `webhook` is the kubeconfig file given to `--audit-webhook-config-file`, `policy` the one given to
    /// `--audit-policy-file`; both are passed as they are.
    pub fn start(webhook: &Path, policy: &Path) -> Self {
        Self::with(&[("AUDIT_WEBHOOK_CONFIG", webhook), ("AUDIT_POLICY", policy)])
    }

    /// Starts one that sends its audit events nowhere.
    pub fn bare() -> Self {
        Self::with(&[])
    }

    /// Installs the definitions of `deploy/crds`, and makes the namespace of KubeSphere's auditing.
    pub fn install_definitions(&self) {
        let crds = tools::repository("deploy/crds");
        self.kubectl_ok(&["apply", "--server-side", "-f", crds.to_str().expect("a path is text")], None);
        self.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], None);
        self.kubectl_ok(&["create", "namespace", "kubesphere-logging-system"], None);
    }

    fn with(audit: &[(&str, &Path)]) -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-kube-").tempdir().expect("a folder can be made");
        let dir = folder.path();
        let script = tools::repository("e2e/components/control-plane.sh");
        let bin = tools::path("kube-apiserver");
        let made = Command::new("bash")
            .args([script.as_path(), Path::new("prepare"), dir])
            .env("KUBE_BIN", bin.parent().expect("a program lies in a folder"))
            .envs(audit.iter().copied())
            .env("PORTS", format!("{} {} {}", ports::free(), ports::free(), ports::free()))
            .stdin(Stdio::null())
            .output()
            .expect("bash can be started");
        assert!(made.status.success(), "control-plane.sh prepare: {}", String::from_utf8_lossy(&made.stderr));

        let mut etcd =
            Plan::new("etcd", tools::path("etcd"), dir.join("etcd.log")).args(lines(dir, "etcd.args")).start();
        let address = format!("127.0.0.1:{}", lines(dir, "etcd.port")[0]).parse().expect("an address");
        etcd.wait_ready(ETCD_READY, || http::get(address, "/health").is_some_and(|(code, _)| code == 200));

        let apiserver =
            Plan::new("kube-apiserver", bin, dir.join("kube-apiserver.log")).args(lines(dir, "apiserver.args")).start();
        let mut plane = Self { apiserver, _etcd: etcd, folder };
        let config = plane.kubeconfig();
        plane
            .apiserver
            .wait_ready(APISERVER_READY, || kubectl(&config, &["get", "--raw", "/readyz"], None).status.success());
        plane
    }

    /// The kubeconfig of `admin`, who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("admin.kubeconfig")
    }

    /// A kubeconfig of a service account, with a token made now.
    pub fn kubeconfig_of(&self, namespace: &str, account: &str) -> PathBuf {
        let file = self.folder.path().join(format!("{namespace}-{account}.kubeconfig"));
        std::fs::copy(self.kubeconfig(), &file).expect("a file can be copied");
        let token = format!("--token={}", self.token(namespace, account));
        let user = format!("--user={account}");
        for args in [["set-credentials", account, &token], ["set-context", "--current", &user]] {
            let output = kubectl(&file, &[&["config"], &args[..]].concat(), None);
            assert!(output.status.success(), "kubectl config: {}", String::from_utf8_lossy(&output.stderr));
        }
        file
    }

    /// A token of a service account, made now.
    pub fn token(&self, namespace: &str, account: &str) -> String {
        self.kubectl_ok(&["create", "token", account, "-n", namespace], None).trim().to_owned()
    }

    /// Lets the apiserver answer nobody and close nothing, as a machine that hangs.
    pub fn pause(&self) {
        self.apiserver.pause();
    }

    /// Undoes [`ControlPlane::pause`].
    pub fn resume(&self) {
        self.apiserver.resume();
    }

    /// Runs kubectl as `admin`, with `stdin`.
    pub fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Output {
        kubectl(&self.kubeconfig(), args, stdin)
    }

    /// Runs kubectl and gives what it printed.
    ///
    /// # Panics
    /// If it fails; with what it said.
    pub fn kubectl_ok(&self, args: &[&str], stdin: Option<&str>) -> String {
        let output = self.kubectl(args, stdin);
        assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn kubectl(config: &Path, args: &[&str], stdin: Option<&str>) -> Output {
    let mut child = Command::new(tools::path("kubectl"))
        .arg("--kubeconfig")
        .arg(config)
        .arg("--request-timeout=30s")
        .args(args)
        .env("KUBECACHEDIR", config.with_file_name("kubectl-cache"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl can be started");
    let mut input = child.stdin.take().expect("stdin is a pipe");
    // kubectl may end without reading: what it says about that is in its output.
    let _ = input.write_all(stdin.unwrap_or_default().as_bytes());
    drop(input);
    child.wait_with_output().expect("kubectl can be waited for")
}

fn lines(dir: &Path, file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    text.lines().map(str::to_owned).collect()
}
