//! One of Vedette's own services as its own process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Plan;
use crate::{Process, http, ports, tools};

const READY: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(60);

/// A service from the target folder, with a configuration file of its own.
///
/// Where its pages for administrators are is set by its variable (`VEDETTE_INGEST_ADMIN__LISTEN`), so a test's file need
/// not say it.
#[derive(Debug)]
pub struct Service {
    plan: Plan,
    process: Process,
    admin: SocketAddr,
    _folder: TempDir,
}

impl Service {
    /// Starts `program` (as `vedette-ingest`) with the text of its configuration file, and waits until it is ready.
    pub fn start(program: &str, config: &str) -> Self {
        let mut service = Self::spawn(program, config, &[]);
        service.wait_ready();
        service
    }

    /// The same without waiting, and with variables of the environment.
    pub fn spawn(program: &str, config: &str, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("{program}-")).tempdir().expect("a folder can be made");
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, config).expect("the configuration can be written");
        let prefix = program.to_uppercase().replace('-', "_");
        let mut plan = Plan::new(program, tools::built(program), folder.path().join("service.log"))
            .args([Path::new("--config"), &file])
            .folder(folder.path())
            .env(format!("{prefix}_ADMIN__LISTEN"), admin.to_string())
            .env("NO_COLOR", "1");
        for (name, value) in env {
            plan = plan.env(*name, *value);
        }
        let process = plan.start();
        Self { plan, process, admin, _folder: folder }
    }

    /// Waits until `/readyz` answers 200.
    pub fn wait_ready(&mut self) {
        let admin = self.admin;
        self.process.wait_ready(READY, || http::get(admin, "/readyz").is_some_and(|(code, _)| code == 200));
    }

    /// Where `/healthz`, `/readyz` and `/metrics` are.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The sum of a metric's samples whose labels hold all of `labels` (as `reason="level_none"`); 0 where there is none.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, page) = http::get(self.admin, "/metrics").expect("the service answers");
        page.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .filter(|(sample, _)| sample.split('{').next() == Some(name) && labels.iter().all(|l| sample.contains(l)))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it in good order.
    ///
    /// # Panics
    /// If it does not end in time, or not with success.
    pub fn stop(&mut self) {
        let status = self.process.stop(END);
        assert!(status.success(), "the service ended with {status}");
    }

    /// Kills it (-9).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with the same configuration, without waiting.
    pub fn start_again(&mut self) {
        self.process = self.plan.start();
    }
}
