//! Vedette's own services, each as its own release process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use tempfile::TempDir;
use vedette_e2e::{Service, ports};
use vedette_rules::SourceFile;

use crate::policy;

/// What a service may have resident, in MiB.
pub(crate) const SERVICE_MEMORY: f64 = 64.0;
/// What a service with an archive engine inside may have resident, in MiB.
pub(crate) const ENGINE_MEMORY: f64 = 512.0;

/// A gateway and where it takes POSTs.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) service: Service,
    pub(crate) url: String,
}

/// A folder of rules that lives as long as this.
#[derive(Debug)]
pub(crate) struct Rules {
    folder: TempDir,
}

impl Rules {
    pub(crate) fn new(files: &[SourceFile]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        policy::write(folder.path(), files);
        Self { folder }
    }

    fn section(&self) -> String {
        format!("policy: {{ dir: {:?} }}\n", self.folder.path())
    }
}

/// HTTPS with a certificate of its own making, anonymous senders, everything else as by default.
pub(crate) fn ingest(broker: &str, rules: &Rules) -> Gateway {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let config = format!(
        "listen: \"{listen}\"\ntls: {{ directory: tls }}\nredaction: {{ keyFile: redaction.key }}\n{}{}",
        nats(broker),
        rules.section()
    );
    let service = Service::start("vedette-ingest", &config);
    Gateway { service, url: format!("https://{listen}/audit/webhook/event") }
}

pub(crate) fn evaluator(broker: &str, rules: &Rules) -> Service {
    Service::start("vedette-evaluator", &format!("{}{}", nats(broker), rules.section()))
}

pub(crate) fn embedded_archiver(broker: &str, folder: &Path) -> Service {
    // The sample is older than the retention of a real installation.
    let archive = format!("archive: {{ engine: embedded, embedded: {{ dir: {folder:?} }}, retentionDays: 0 }}\n");
    Service::start("vedette-archiver", &format!("{}{archive}", nats(broker)))
}

pub(crate) fn search_archiver(broker: &str, search: &str) -> Service {
    let archive = format!("archive: {{ engine: search, search: {{ urls: [{search:?}] }}, retentionDays: 0 }}\n");
    Service::start("vedette-archiver", &format!("{}{archive}", nats(broker)))
}

/// Without the bound on sets of labels: a bound would make the figures better, not worse.
pub(crate) fn alerter(broker: &str, rules: &Rules) -> Service {
    Service::start("vedette-alerter", &format!("{}{}labelSetsPerMinute: 0\n", nats(broker), rules.section()))
}

fn nats(broker: &str) -> String {
    format!("nats: {{ url: {broker:?} }}\n")
}
