//! A real nats-server with JetStream on disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Plan;
use crate::{Process, http, ports, tools};

const READY: Duration = Duration::from_secs(30);

/// A nats-server as Vedette ships it: `sync_interval: always`, `max_payload` 9 MiB. Its data lives as long as this.
#[derive(Debug)]
pub struct NatsServer {
    plan: Plan,
    process: Process,
    port: u16,
    monitor: SocketAddr,
    folder: TempDir,
}

impl NatsServer {
    /// Starts one on an empty folder.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with `extra` lines at the end of its configuration file, which override the lines before.
    pub fn start_with(extra: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-nats-").tempdir().expect("a folder can be made");
        let (port, monitor) = (ports::free(), SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())));
        let data = folder.path().join("data");
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\nhttp: \"{monitor}\"\nserver_name: e2e\nmax_payload: 9437184\n\
             jetstream {{ store_dir: {data:?}, sync_interval: always, max_file: 16GB }}\n{extra}\n"
        );
        let file = folder.path().join("nats.conf");
        std::fs::write(&file, config).expect("the configuration can be written");
        let plan = Plan::new("nats-server", tools::path("nats-server"), folder.path().join("nats.log"))
            .args([Path::new("-c"), &file]);
        let process = plan.start();
        let mut server = Self { plan, process, port, monitor, folder };
        server.wait_ready();
        server
    }

    /// `nats://127.0.0.1:port`, the same after [`start_again`](Self::start_again).
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Where its monitoring pages are (`/jsz`, `/varz`).
    pub fn monitor(&self) -> SocketAddr {
        self.monitor
    }

    /// Where it keeps its files, JetStream's and its configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it where it stands: it holds its connections and says nothing.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Kills it (-9); its data stays as the last synced write left it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port and data, after [`kill`](Self::kill).
    pub fn start_again(&mut self) {
        self.process = self.plan.start();
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let monitor = self.monitor;
        self.process.wait_ready(READY, || http::get(monitor, "/healthz").is_some_and(|(code, _)| code == 200));
    }
}

#[cfg(test)]
mod tests {
    use super::NatsServer;
    use crate::http;

    #[test]
    fn a_killed_server_comes_back_on_its_port_and_an_ended_one_is_gone() {
        let mut server = NatsServer::start();
        let (monitor, url) = (server.monitor(), server.url());
        server.kill();
        assert_eq!(http::get(monitor, "/healthz"), None);
        server.start_again();
        assert_eq!(server.url(), url);
        let (code, page) = http::get(monitor, "/jsz?config=true").expect("the server answers");
        assert_eq!(code, 200);
        assert!(page.contains("\"sync_always\": true"), "{page}");
        drop(server);
        assert_eq!(http::get(monitor, "/healthz"), None);
    }
}
