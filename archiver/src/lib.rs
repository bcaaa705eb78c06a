//! Archive matches to the archive.

mod config;

use std::sync::Arc;

use thiserror::Error;
use vedette_archive::{Archive, Mode, OpenError};
use vedette_service::Context;

pub use config::{CommitConfig, Config};

/// The archiver can't go on.
#[derive(Debug, Error)]
pub enum Error {
    /// The archive could not be opened.
    #[error("can't start without the archive")]
    Open(#[source] OpenError),
}

/// Opens the archive that the configuration names and runs until the context is shut down.
///
/// # Errors
/// When it can't start.
pub async fn run(config: Config, ctx: Context) -> Result<(), Error> {
    let archive = vedette_archive::open(&config.archive, Mode::Write).await.map_err(Error::Open)?;
    run_with(archive, config, ctx).await
}

/// The same with an archive that is open already: `vedette up` shares an embedded one with the console.
///
/// # Errors
/// When it can't start.
pub async fn run_with(archive: Arc<dyn Archive>, config: Config, ctx: Context) -> Result<(), Error> {
    let _ = (archive, config);
    ctx.shutdown.cancelled().await;
    Ok(())
}
