//! A real Alertmanager, alone, without a cluster.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Plan;
use crate::{Process, http, ports, tools};

const READY: Duration = Duration::from_secs(30);

/// An Alertmanager whose alerts are read by its API; it can be killed and started again on the same port and data.
#[derive(Debug)]
pub struct Alertmanager {
    plan: Plan,
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts one that keeps its alerts to itself.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts one that also tells the webhook at this address of each group, a second after its first alert.
    pub fn start_with(webhook: Option<&str>) -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-alerts-").tempdir().expect("a folder can be made");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let (wait, receiver) = match webhook {
            Some(url) => ("1s", format!("  webhook_configs: [{{ url: {url:?}, send_resolved: false }}]\n")),
            None => ("1h", String::new()),
        };
        let config = format!(
            "route: {{ receiver: test, group_by: [namespace, alertname, rule_id], group_wait: {wait}, \
             group_interval: 1h, repeat_interval: 4h }}\nreceivers:\n- name: test\n{receiver}"
        );
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, config).expect("the configuration can be written");
        let program = tools::system("prometheus-alertmanager", "prometheus-alertmanager");
        let plan = Plan::new("alertmanager", program, folder.path().join("alertmanager.log")).args([
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", folder.path().join("data").display()),
            format!("--web.listen-address={address}"),
            "--cluster.listen-address=".to_owned(),
        ]);
        let process = plan.start();
        let mut alertmanager = Self { plan, process, address, _folder: folder };
        alertmanager.wait_ready();
        alertmanager
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it (-9): it forgets the alerts that it had not written down.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port and data.
    pub fn start_again(&mut self) {
        self.process = self.plan.start();
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let address = self.address;
        self.process.wait_ready(READY, || http::get(address, "/-/ready").is_some_and(|(code, _)| code == 200));
    }
}
