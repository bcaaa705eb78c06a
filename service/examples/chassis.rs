//! The smallest service: it says hello, is ready, and stops when told to.

use std::process::ExitCode;

use serde::Deserialize;
use vedette_service::{Context, Settings, admin::AdminConfig};

/// Its configuration: `examples/chassis.yaml`, or variables `VEDETTE_CHASSIS_…`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Config {
    /// What it says.
    greeting: String,
    /// How it ends: `well`, `badly` or `never`.
    end: End,
    admin: AdminConfig,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum End {
    Well,
    Badly,
    Never,
}

impl Default for Config {
    fn default() -> Self {
        Self { greeting: "hello".to_owned(), end: End::Well, admin: AdminConfig::default() }
    }
}

impl Settings for Config {
    fn admin(&self) -> &AdminConfig {
        &self.admin
    }
}

#[derive(Debug, thiserror::Error)]
#[error("keep the peace")]
struct Error(#[source] std::io::Error);

async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    ctx.health.component("greeter").ready();
    tracing::info!(greeting = %config.greeting, "greeted");
    ctx.shutdown.cancelled().await;
    match config.end {
        End::Well => Ok(()),
        End::Badly => Err(Error(std::io::Error::other("it broke"))),
        End::Never => std::future::pending().await,
    }
}

fn main() -> ExitCode {
    vedette_service::main("chassis", run)
}
