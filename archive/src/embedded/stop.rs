//! Leaving off when nobody waits for the answer any more.
//!
//! Searching is blocking work that goes on whatever becomes of the request that it is for. So that nobody can make the threads
//! busy by asking and going away, each question has a flag that is set when its asker is gone, and looked at now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tantivy::TantivyError;

/// Whether to leave off. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

/// Sets the flag when it is dropped.
pub(super) struct StopOnDrop(Stop);

impl Stop {
    /// What sets it.
    pub(super) fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    /// # Errors
    /// If nobody waits any more.
    pub(super) fn check(&self) -> tantivy::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            return Err(TantivyError::InternalError("nobody waits for the answer any more".to_owned()));
        }
        Ok(())
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
