//! The kit that starts the real components for tests: nats-server, Elasticsearch, OpenSearch, Alertmanager, etcd with
//! kube-apiserver, and Vedette's own services, each as its own process on a port of 127.0.0.1.
//!
//! A test must leave nothing behind, also when it is killed: every process is killed with its whole process group when
//! its handle is dropped, and by the kernel when the process of the test ends in any other way ([`Process`]). A test must end: every
//! wait has a limit, and says what it waited for. A test that failed must tell why: the end of each log is printed.
//!
//! The kit knows nothing of Vedette's crates, so that each of them may use it for its own tests. Its functions panic
//! instead of returning errors, since a test has nothing better to do with one. They block: start components before
//! what depends on the runtime's being free.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "used by tests alone, where a panic is how a failure is reported"
)]

pub use crate::alertmanager::Alertmanager;
pub use crate::control_plane::ControlPlane;
pub use crate::deployed::Deployed;
pub use crate::nats::NatsServer;
pub use crate::process::Process;
pub use crate::search::{Engine, SearchNode};
pub use crate::secured::SecuredNode;
pub use crate::service::Service;

pub mod alertmanager;
pub mod browser;
pub mod control_plane;
pub mod deployed;
pub mod http;
pub mod nats;
pub mod ports;
pub mod process;
pub mod search;
pub mod secured;
pub mod service;
pub mod tools;
pub mod wait;
