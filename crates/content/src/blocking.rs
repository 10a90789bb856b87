//! Work that computes or blocks, on threads of its own: the threads that serve are never kept from serving by a document.
//! A task does one such work at a time, so that there are never many more of them than workers.

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use crate::ContentError;

/// Does `work` on a thread that may block.
///
/// # Errors
/// When it panics, without what the panic says: that is in the log.
pub async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ContentError> {
    ended(spawn_blocking(work).await)
}

/// Returns what a task that was joined gave.
///
/// # Errors
/// As [`run`].
pub fn ended<T>(joined: Result<T, JoinError>) -> Result<T, ContentError> {
    joined.map_err(|error| match error.is_panic() {
        true => ContentError::other(
            "pith failed on what it was given, which is a fault of pith: please report it with the log of this task",
        ),
        false => ContentError::Cancelled,
    })
}

/// Starts `work` on a thread that may block, with what is sent to it: `waiting` things wait at most. It ends when the sender is
/// dropped, and hangs up when it has failed.
pub fn fed<T: Send + 'static, R: Send + 'static>(
    waiting: usize,
    work: impl FnOnce(mpsc::Receiver<T>) -> R + Send + 'static,
) -> (mpsc::Sender<T>, JoinHandle<R>) {
    let (sender, receiver) = mpsc::channel(waiting);
    (sender, spawn_blocking(move || work(receiver)))
}
