//! The program around a service: arguments, configuration, signals, exit code.

use std::ffi::OsString;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgAction, Command};
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminConfig};
use crate::{Context, chain, config, telemetry, tls};

/// How long a service may take to finish what it has in hand.
const DRAIN: Duration = Duration::from_secs(25);
/// What the program waits for after the service has returned.
const JOIN: Duration = Duration::from_secs(3);

const FAILED: u8 = 1;
const MISCONFIGURED: u8 = 2;

/// A service's configuration, as the chassis needs it.
pub trait Settings: DeserializeOwned + Send + 'static {
    /// Where the administrator is answered.
    fn admin(&self) -> &AdminConfig;
}

/// Runs the service `name` (`ingest`, `evaluator` …) as this program: reads `--config FILE` (or `VEDETTE_<NAME>_CONFIG`) and
/// the variables `VEDETTE_<NAME>_…`, sets up logs, traces and TLS, opens the administrator's side door, and calls `run`.
/// SIGTERM and SIGINT cancel its [`Context::shutdown`]; it then has 25 seconds, and a second signal ends it at once.
///
/// Exits with 0 when the service ended well, 1 when it failed or did not end in time, 2 when its arguments or configuration
/// are wrong.
pub fn main<C, F, R, E>(name: &'static str, run: F) -> ExitCode
where
    C: Settings,
    F: FnOnce(C, Context) -> R,
    R: Future<Output = Result<(), E>>,
    E: std::error::Error + 'static,
{
    let file = match arguments(name, std::env::args_os()) {
        Ok(file) => file,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(MISCONFIGURED));
        }
    };
    let settings = match config::load::<C>(&config::prefix(name), file.as_deref()) {
        Ok(settings) => settings,
        Err(error) => return complain(name, &error, MISCONFIGURED),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(name, &error, FAILED),
    };
    let code = runtime.block_on(supervise(name, settings, run));
    // A blocking task that hangs must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn supervise<C, F, R, E>(name: &'static str, settings: C, run: F) -> ExitCode
where
    C: Settings,
    F: FnOnce(C, Context) -> R,
    R: Future<Output = Result<(), E>>,
    E: std::error::Error + 'static,
{
    let telemetry = match telemetry::init(name) {
        Ok(telemetry) => telemetry,
        Err(error) => return complain(name, &error, MISCONFIGURED),
    };
    tls::install_provider();
    let shutdown = CancellationToken::new();
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return complain(name, &error, FAILED),
    };
    let context = Context::new(name, prometheus::Registry::new(), shutdown.clone());
    // The side door stays open while the service drains.
    let stop_admin = CancellationToken::new();
    let side_door = match admin::serve(settings.admin(), std::slice::from_ref(&context), stop_admin.clone()).await {
        Ok(side_door) => side_door,
        Err(error) => return complain(name, &error, FAILED),
    };
    tracing::info!(service = name, version = env!("CARGO_PKG_VERSION"), "starting");
    let code = attend(run(settings, context.clone()), signals, &shutdown).await;
    shutdown.cancel();
    if !context.join(JOIN).await {
        tracing::warn!("background tasks did not end in time");
    }
    stop_admin.cancel();
    if let Some(side_door) = side_door {
        let _ = tokio::time::timeout(JOIN, side_door.stopped()).await;
    }
    // Sending the last traces blocks.
    let _ = tokio::task::spawn_blocking(move || drop(telemetry)).await;
    ExitCode::from(code)
}

async fn attend<R, E>(run: R, mut signals: Signals, shutdown: &CancellationToken) -> u8
where
    R: Future<Output = Result<(), E>>,
    E: std::error::Error + 'static,
{
    tokio::pin!(run);
    let result = tokio::select! {
        result = &mut run => result,
        name = signals.next() => {
            tracing::info!(signal = name, "stopping");
            shutdown.cancel();
            tokio::select! {
                result = &mut run => result,
                name = signals.next() => {
                    tracing::warn!(signal = name, "stopping at once");
                    return FAILED;
                }
                () = tokio::time::sleep(DRAIN) => {
                    tracing::error!(limit_seconds = DRAIN.as_secs(), "the service did not end in time");
                    return FAILED;
                }
            }
        }
    };
    match result {
        Ok(()) => {
            tracing::info!("stopped");
            0
        }
        Err(error) => {
            tracing::error!(error = %chain(&error), "the service failed");
            FAILED
        }
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn arguments(
    name: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Option<PathBuf>, clap::Error> {
    let variable = format!("{}CONFIG", config::prefix(name));
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .action(ArgAction::Set)
        .help(format!("The configuration file (YAML); each key may also be set by a variable [env: {variable}=]"));
    let command = Command::new(name)
        .display_name(format!("vedette-{name}"))
        .bin_name(format!("vedette-{name}"))
        .version(env!("CARGO_PKG_VERSION"))
        .about(format!("The {name} of Vedette"))
        .arg(config);
    let given = command.try_get_matches_from(arguments)?.remove_one("config");
    Ok(given.or_else(|| std::env::var_os(variable).filter(|file| !file.is_empty()).map(PathBuf::from)))
}

/// Before logs are there, and where the administrator looks first.
fn complain(name: &str, error: &(dyn std::error::Error + 'static), code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "vedette-{name}: {}", chain(error));
    ExitCode::from(code)
}
