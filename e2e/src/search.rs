//! A real Elasticsearch or OpenSearch, one node.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Plan;
use crate::{Process, http, ports, tools};

const READY: Duration = Duration::from_secs(180);

/// Which engine, in the version that `e2e/components/search/pom.xml` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Elasticsearch 7.
    Es7,
    /// Elasticsearch 9.
    Es9,
    /// OpenSearch 3.
    OpenSearch,
}

impl Engine {
    /// Its name in `search-node.sh` and in the cache folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es7 => "es7",
            Self::Es9 => "es9",
            Self::OpenSearch => "opensearch",
        }
    }
}

/// A search server whose data lives as long as this.
#[derive(Debug)]
pub struct SearchNode {
    plan: Plan,
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl SearchNode {
    /// Starts one on an empty folder. The jars must have been fetched by `scripts/tools.sh`.
    pub fn start(engine: Engine) -> Self {
        let folder = tempfile::Builder::new().prefix("vedette-search-").tempdir().expect("a folder can be made");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let script = tools::repository("e2e/components/search/search-node.sh");
        let build = tools::cache().join("search").join(engine.name());
        let plan = Plan::new(engine.name(), "/bin/bash", folder.path().join("node.log"))
            .args([script.as_path(), Path::new("run")])
            .args([address.port().to_string()])
            .args([folder.path()])
            .env("ENGINE", engine.name())
            .env("HEAP", "512m")
            .env("BUILD", build.to_str().expect("the cache folder's path is text"));
        let process = plan.start();
        let mut node = Self { plan, process, address, _folder: folder };
        node.wait_ready();
        node
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id, for measuring.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it (-9).
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
        self.process.wait_ready(READY, || {
            let path = "/_cluster/health?wait_for_status=yellow&timeout=1s";
            http::get(address, path).is_some_and(|(code, _)| code == 200)
        });
    }
}
