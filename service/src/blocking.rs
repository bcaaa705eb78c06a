//! Work that would hold up everything else on the reactor: reading and writing files, compiling rules.

/// Runs `work` beside the reactor. A panic in it goes on in the caller.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is ending: nobody waits for this any more.
        Err(_) => std::future::pending().await,
    }
}
