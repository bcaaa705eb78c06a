//! A program started as a Deployment says, where there is no kubelet: with its variables, the Secrets that it mounts as files, and a
//! token of its account if its pods get one.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{ControlPlane, Service};

/// Where a pod's Secrets are mounted, each in a folder of its volume's name.
const MOUNTS: &str = "/etc/vedette";
/// What the pod keeps for itself.
const STATE: &str = "/var/lib/vedette";

/// What a Deployment's pods would get.
#[derive(Debug)]
pub struct Deployed {
    program: String,
    env: Vec<(String, String)>,
    folder: TempDir,
}

impl Deployed {
    /// Reads the Deployment `program` of `namespace`, and what it mounts.
    pub fn read(plane: &ControlPlane, namespace: &str, program: &str) -> Self {
        let get = |object: &str, template: &str| {
            let template = format!("go-template={template}");
            plane.kubectl_ok(&["get", "-n", namespace, object, "-o", &template], None)
        };
        let deployment = format!("deployments/{program}");
        let pod = |template: &str| get(&deployment, &format!("{{{{with .spec.template.spec}}}}{template}{{{{end}}}}"));
        let folder = tempfile::Builder::new().prefix(&format!("{program}-")).tempdir().expect("a folder can be made");

        let secrets = r#"{{range .volumes}}{{if .secret}}{{.name}}={{.secret.secretName}}{{"\n"}}{{end}}{{end}}"#;
        for (volume, secret) in pairs(&pod(secrets)) {
            let (secret, mounted) = (format!("secrets/{secret}"), folder.path().join(volume));
            std::fs::create_dir_all(&mounted).expect("a folder can be made");
            for key in get(&secret, r#"{{range $key, $_ := .data}}{{$key}}{{"\n"}}{{end}}"#).lines() {
                let text = get(&secret, &format!(r#"{{{{index .data "{key}" | base64decode}}}}"#));
                std::fs::write(mounted.join(key), text).expect("a file can be written");
            }
        }

        let variables = r#"{{range (index .containers 0).env}}{{.name}}={{.value}}{{"\n"}}{{end}}"#;
        let here = |value: &str| {
            let state = folder.path().join("state");
            let moved = value.strip_prefix(STATE).map(|rest| format!("{}{rest}", state.display()));
            let moved = moved.or_else(|| Some(format!("{}{}", folder.path().display(), value.strip_prefix(MOUNTS)?)));
            moved.unwrap_or_else(|| value.to_owned())
        };
        // Every port of this machine is somebody's; a pod's are its own.
        let ours = |name: &str| !name.ends_with("_ADMIN__LISTEN");
        let listed = pod(variables);
        let mut env: Vec<_> =
            pairs(&listed).filter(|(name, _)| ours(name)).map(|(name, value)| (name.to_owned(), here(value))).collect();
        // A pod finds the API server by variables and files of the node's; without a token it is nobody there.
        let account = pod("{{if .automountServiceAccountToken}}{{.serviceAccountName}}{{end}}");
        let kubeconfig = match account.is_empty() {
            true => folder.path().join("none"),
            false => plane.kubeconfig_of(namespace, &account),
        };
        env.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
        Self { program: program.to_owned(), env, folder }
    }

    /// A variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Where a volume with a Secret is mounted.
    pub fn mounted(&self, volume: &str) -> PathBuf {
        self.folder.path().join(volume)
    }

    /// Starts it, without waiting. Its folder must outlive it.
    pub fn spawn(&self) -> Service {
        let env: Vec<_> = self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Service::spawn(&self.program, "", &env)
    }

    /// The text of a mounted file.
    pub fn text(&self, file: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).expect("the file is mounted")
    }
}

fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().filter_map(|line| line.split_once('='))
}
