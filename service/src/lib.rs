//! The chassis that each service stands on: configuration, telemetry, health, metrics, TLS, the watched policy, shutdown.
//!
//! A service's crate holds what the service does; everything that all services do alike is here, so that an administrator who
//! knows one knows all: the same way of configuring, the same `/readyz`, the same exit codes. A service's whole program is
//!
//! ```no_run
//! # use serde::Deserialize;
//! # #[derive(Default, Deserialize)]
//! # #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
//! # struct Config { admin: vedette_service::admin::AdminConfig }
//! # impl vedette_service::Settings for Config {
//! #     fn admin(&self) -> &vedette_service::admin::AdminConfig { &self.admin }
//! # }
//! # #[derive(Debug, thiserror::Error)]
//! # enum Error {}
//! # async fn run(_: Config, _: vedette_service::Context) -> Result<(), Error> { Ok(()) }
//! fn main() -> std::process::ExitCode {
//!     vedette_service::main("example", run)
//! }
//! ```
//!
//! where `run` is an `async fn(Config, Context) -> Result<(), Error>` that returns once [`Context::shutdown`] is cancelled and
//! what it had in hand is done.

pub mod admin;
mod blocking;
pub mod config;
pub mod context;
pub mod error;
pub mod health;
pub mod host;
pub mod kept;
pub mod manifest;
pub mod metrics;
pub mod namespaces;
pub mod operator;
pub mod place;
pub mod policy;
pub mod program;
pub mod secret;
pub mod snapshot;
pub mod subject;
pub mod telemetry;
pub mod tls;

pub use context::Context;
pub use error::chain;
pub use health::{Component, Health};
pub use program::{Settings, main};
