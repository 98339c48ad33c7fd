//! Work that blocks (files, fsync, a database), kept off the runtime's threads.
//!
//! Each such piece costs two changes of threads, there and back. Where one thing after the other blocks, as in filing an
//! item, that is dearer than the work itself: [`on_one_thread`] takes a thread once, and everything within stays on it.

use std::future::Future;

use tokio::{
    runtime::Handle,
    task::{JoinError, spawn_blocking},
};

tokio::task_local! {
    // Says that this thread may be blocked, for it was taken from the pool for just that.
    static MAY_BLOCK: ();
}

/// Runs work that blocks: on this thread where it may be blocked, else on another one.
///
/// # Errors
/// The work panicked on the other thread. On this one a panic goes on to whoever took the thread.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    match MAY_BLOCK.try_with(|()| ()) {
        Ok(()) => Ok(work()),
        Err(_) => spawn_blocking(work).await,
    }
}

/// Runs a whole future on one thread that may be blocked. It has none of the caller's task-local values.
///
/// # Errors
/// It panicked.
pub async fn on_one_thread<F>(future: F) -> Result<F::Output, JoinError>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(MAY_BLOCK.scope((), future))).await
}
