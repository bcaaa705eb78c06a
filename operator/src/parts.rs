//! Tasks that live and end together.

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Error;

/// The parts of a running operator. Dropping them ends them.
#[derive(Debug, Default)]
pub(crate) struct Parts(JoinSet<(&'static str, Result<(), Error>)>);

impl Parts {
    /// Starts one.
    pub(crate) fn add(&mut self, name: &'static str, part: impl Future<Output = Result<(), Error>> + Send + 'static) {
        self.0.spawn(async move { (name, part.await) });
    }

    /// Returns when all have ended, or the first has that should not have: a part that is gone leaves an operator that looks well and is
    /// not.
    pub(crate) async fn all(mut self, shutdown: &CancellationToken) -> Result<(), Error> {
        while let Some(ended) = self.0.join_next().await {
            match ended {
                Ok((_, Ok(()))) if shutdown.is_cancelled() => {}
                Ok((name, Ok(()))) => return Err(Error::Ended(name)),
                Ok((_, Err(error))) => return Err(error),
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(Error::Ended("a task")),
            }
        }
        Ok(())
    }
}
