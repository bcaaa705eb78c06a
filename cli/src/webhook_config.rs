//! `vedette webhook-config`: the two files that a kube-apiserver of one's own needs.
use std::fmt::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::home::{self, Home};
use crate::outcome::{Failure, Outcome};
use crate::replay::webhook;
use crate::term;

const POLICY_FILE: &str = "audit-policy.yaml";
const WEBHOOK_FILE: &str = "audit-webhook.yaml";
/// Where kube-apiserver's flags look for them, as in KubeSphere's documents.
const APISERVER_DIR: &str = "/etc/kubernetes/audit";

/// Print or write the files with which your own kube-apiserver sends its audit events here
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vedette webhook-config --cluster edge-1                 print both files and the flags
  vedette webhook-config --cluster edge-1 --out audit/    write them
  vedette webhook-config --cluster edge-1 --server https://10.0.0.7:6443 --ca ca.crt --token-file token

By default the webhook of `vedette up` is named, with the certificate that it made. It listens on 127.0.0.1: for an
apiserver elsewhere, start it with --webhook-listen and a token, and name it with --server.")]
pub(crate) struct WebhookConfigCommand {
    /// The cluster's name, an RFC 1123 label: every event is stored under it
    #[arg(long, value_name = "NAME")]
    cluster: String,
    /// The webhook's address, without a path
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8443")]
    server: reqwest::Url,
    /// The certificates that the apiserver verifies the webhook with (PEM) [default: those of `vedette up`]
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_skip_tls_verify")]
    ca: Option<PathBuf>,
    /// Let the apiserver take any certificate, as KubeSphere's documents do
    #[arg(long)]
    insecure_skip_tls_verify: bool,
    /// Bearer token that the apiserver sends
    #[arg(long, env = "VEDETTE_WEBHOOK_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with that token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// What the policy records
    #[arg(long, value_enum, default_value_t = Records::Rules)]
    records: Records,
    /// Write the files into this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    home: Home,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Records {
    /// What the shipped rules read: everything at Metadata, writes of pods and services with the request's body
    Rules,
    /// Everything at Metadata, as KubeSphere's documents have it: rules that read bodies can't decide
    Metadata,
}

impl WebhookConfigCommand {
    /// Runs the command.
    pub(crate) fn run(self) -> Outcome {
        let token = match (&self.token, &self.token_file) {
            (Some(token), _) => Some(token.trim().to_owned()),
            (None, Some(file)) => Some(home::read_token(file)?),
            (None, None) => None,
        };
        let url = webhook::address(self.server.clone(), Some(&self.cluster))?;
        let verify = self.verify()?;
        let kubeconfig = kubeconfig(url.as_str(), &verify, token.as_deref());
        let policy = policy(self.records);
        match &self.out {
            None => {
                let files = format!("# {POLICY_FILE}\n{policy}---\n# {WEBHOOK_FILE}\n{kubeconfig}");
                term::write(files.as_bytes())?;
                eprint!("\n{}", next_steps("the two files above"));
            }
            Some(folder) => {
                let failed = |error| Failure::failed(format!("can't write to `{}`", folder.display())).because(error);
                std::fs::create_dir_all(folder).map_err(failed)?;
                write(&folder.join(POLICY_FILE), &policy, 0o644).map_err(failed)?;
                // It may hold the token.
                write(&folder.join(WEBHOOK_FILE), &kubeconfig, 0o600).map_err(failed)?;
                let wrote = format!("wrote {POLICY_FILE} and {WEBHOOK_FILE} to {}\n\n", folder.display());
                term::write((wrote + &next_steps("them")).as_bytes())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn verify(&self) -> Result<Verify, Failure> {
        if self.insecure_skip_tls_verify {
            return Ok(Verify::Nothing);
        }
        let own = self.home.webhook_ca();
        let file = match &self.ca {
            Some(file) => file,
            None if webhook::is_local(&self.server) && own.exists() => &own,
            None if webhook::is_local(&self.server) => {
                let help = "start `vedette up` once, or give --ca FILE or --insecure-skip-tls-verify";
                return Err(Failure::usage(format!("there is no certificate at `{}`", own.display())).help(help));
            }
            // A certificate that the apiserver's system trusts.
            None => return Ok(Verify::System),
        };
        let pem = std::fs::read(file)
            .map_err(|error| Failure::usage(format!("can't read `{}`", file.display())).because(error))?;
        if !pem.windows(27).any(|part| part == b"-----BEGIN CERTIFICATE-----") {
            return Err(Failure::usage(format!("`{}` holds no certificate", file.display())));
        }
        Ok(Verify::Authority(base64(&pem)))
    }
}

/// How the apiserver verifies the webhook.
#[derive(Debug)]
enum Verify {
    Authority(String),
    System,
    Nothing,
}

fn kubeconfig(server: &str, verify: &Verify, token: Option<&str>) -> String {
    let mut text =
        format!("apiVersion: v1\nkind: Config\nclusters:\n- name: kube-auditing\n  cluster:\n    server: {server}\n");
    match verify {
        Verify::Authority(data) => {
            let _ = writeln!(text, "    certificate-authority-data: {data}");
        }
        Verify::System => {}
        Verify::Nothing => text.push_str("    insecure-skip-tls-verify: true\n"),
    }
    let user = if token.is_some() { "kube-auditing" } else { "\"\"" };
    let _ = write!(
        text,
        "contexts:\n- context:\n    cluster: kube-auditing\n    user: {user}\n  name: default-context\n\
         current-context: default-context\npreferences: {{}}\n"
    );
    match token {
        // A JSON string is a YAML string.
        Some(token) => {
            let token = serde_json::Value::from(token);
            let _ = write!(text, "users:\n- name: kube-auditing\n  user:\n    token: {token}\n");
        }
        None => text.push_str("users: []\n"),
    }
    text
}

fn policy(records: Records) -> String {
    match records {
        Records::Metadata => "# Log all requests at the Metadata level.\n\
                              apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"
            .to_owned(),
        Records::Rules => include_str!("../../deploy/audit-policy.yaml").to_owned(),
    }
}

fn next_steps(files: &str) -> String {
    format!(
        "Put {files} into {APISERVER_DIR} on each control-plane node. In /etc/kubernetes/manifests/kube-apiserver.yaml add\n\
         to the command\n\
         \n    - --audit-policy-file={APISERVER_DIR}/{POLICY_FILE}\
         \n    - --audit-webhook-config-file={APISERVER_DIR}/{WEBHOOK_FILE}\
         \n    - --audit-webhook-batch-max-wait=5s\n\
         \nand to the container and the pod\n\
         \n    volumeMounts:\
         \n    - {{name: k8s-audit, mountPath: {APISERVER_DIR}, readOnly: true}}\
         \n    volumes:\
         \n    - {{name: k8s-audit, hostPath: {{path: {APISERVER_DIR}, type: DirectoryOrCreate}}}}\n\
         \nThe apiserver restarts by itself. Events count where the `Webhook` resource has `k8sAuditingEnabled: true`.\n"
    )
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Records, Verify, kubeconfig, policy};

    #[test]
    fn without_certificate_and_token_it_is_the_file_of_kubespheres_documents() {
        assert_eq!(
            kubeconfig("https://10.0.0.7:6443/audit/webhook/event/edge-1", &Verify::Nothing, None),
            "apiVersion: v1\nkind: Config\nclusters:\n- name: kube-auditing\n  cluster:\n    \
             server: https://10.0.0.7:6443/audit/webhook/event/edge-1\n    insecure-skip-tls-verify: true\n\
             contexts:\n- context:\n    cluster: kube-auditing\n    user: \"\"\n  name: default-context\n\
             current-context: default-context\npreferences: {}\nusers: []\n"
        );
    }

    #[test]
    fn certificate_and_token_take_the_place_of_trusting_anyone() {
        let text = kubeconfig("https://h/p", &Verify::Authority("QUJD".to_owned()), Some("s\"3"));
        assert!(text.contains("    certificate-authority-data: QUJD\n"), "{text}");
        assert!(!text.contains("insecure"), "{text}");
        assert!(text.contains("    user: kube-auditing\n"), "{text}");
        assert!(text.ends_with("users:\n- name: kube-auditing\n  user:\n    token: \"s\\\"3\"\n"), "{text}");
    }

    #[test]
    fn policies_are_kubernetes_policies() {
        for records in [Records::Rules, Records::Metadata] {
            let text = policy(records);
            assert!(text.contains("apiVersion: audit.k8s.io/v1\nkind: Policy\n"), "{text}");
            assert!(text.ends_with("- level: Metadata\n"), "{text}");
        }
    }
}
