//! A real OpenSearch with its security plugin: https, users and passwords.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Plan;
use crate::{Process, ports, tools};

const READY: Duration = Duration::from_secs(240);

/// A search server that asks who is there. Its users are the plugin's own for demonstrations, as [`Self::USER`].
#[derive(Debug)]
pub struct SecuredNode {
    address: SocketAddr,
    ca: PathBuf,
    _process: Process,
    _folder: TempDir,
}

impl SecuredNode {
    /// Who may do everything.
    pub const USER: &'static str = "admin";
    /// The same as a password.
    pub const PASSWORD: &'static str = "admin";

    /// Starts one on an empty folder, with a certificate for 127.0.0.1 from an authority of its own. The jars must have
    /// been fetched by `scripts/tools.sh`.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-secured-").tempdir().expect("a folder can be made");
        let certificates = folder.path().join("certificates");
        std::fs::create_dir(&certificates).expect("a folder can be made");
        certify(&certificates);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let build = tools::cache().join("search").join("secured");
        let plan = Plan::new("secured", "/bin/bash", folder.path().join("node.log"))
            .args([tools::repository("e2e/components/secured-search/secured-node.sh").as_path(), Path::new("run")])
            .args([address.port().to_string()])
            .args([folder.path(), certificates.as_path()])
            .env("BUILD", build.to_str().expect("the cache folder's path is text"));
        let mut process = plan.start();
        let ca = certificates.join("ca.pem");
        let url = format!("https://{address}/_cluster/health?wait_for_status=yellow&timeout=1s");
        process.wait_ready(READY, || {
            let who = format!("{}:{}", Self::USER, Self::PASSWORD);
            let curl = Command::new(tools::system("curl", "curl"))
                .args(["-fs", "-o", "/dev/null", "--max-time", "3", "-u", &who, "--cacert"])
                .arg(&ca)
                .arg(&url)
                .status();
            curl.is_ok_and(|status| status.success())
        });
        Self { address, ca, _process: process, _folder: folder }
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file with the authority's certificate.
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

/// Makes `ca.pem`, and `node.pem` and `node.key` of the node.
fn certify(folder: &Path) {
    let openssl = |args: &[&str]| {
        let done = Command::new(tools::system("openssl", "openssl")).args(args).current_dir(folder).output();
        let done = done.expect("openssl can be started");
        assert!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
    };
    let request = ["req", "-newkey", "rsa:2048", "-nodes"];
    openssl(
        &[&request[..], &["-x509", "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem"]]
            .concat(),
    );
    openssl(&[&request[..], &["-subj", "/CN=node", "-keyout", "node.key", "-out", "node.csr"]].concat());
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("a file can be written");
    let sign =
        ["x509", "-req", "-days", "2", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
    openssl(&[&sign[..], &["-in", "node.csr", "-out", "node.pem"]].concat());
}
