//! Batches of things that a thread makes which may block, a few of them ahead of whoever takes them: so a document is never in memory
//! as a whole.

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{ContentError, blocking};

/// Batches that wait to be taken.
const WAITING: usize = 2;

/// The place where the thread puts what it makes.
#[derive(Debug)]
pub struct Batcher<T> {
    size: usize,
    batch: Vec<T>,
    sender: mpsc::Sender<Vec<T>>,
}

impl<T> Batcher<T> {
    /// Puts one thing there. `false` when nobody takes anything any more.
    pub fn put(&mut self, one: T) -> bool {
        self.batch.push(one);
        self.batch.len() < self.size || self.flush()
    }

    fn flush(&mut self) -> bool {
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(self.size));
        self.sender.blocking_send(batch).is_ok()
    }
}

/// The batches of a thread. It ends soon after this is dropped.
#[derive(Debug)]
pub struct Batches<T, E> {
    receiver: mpsc::Receiver<Vec<T>>,
    thread: JoinHandle<Result<(), E>>,
}

impl<T: Send + 'static, E: Send + 'static> Batches<T, E> {
    /// Starts `work` on a thread that may block. What it puts comes in batches of `size`, and those that are not full when it fails
    /// do not come.
    pub fn of(
        size: usize,
        work: impl FnOnce(&mut Batcher<T>) -> Result<(), E> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let mut batcher = Batcher {
            size,
            batch: Vec::with_capacity(size),
            sender,
        };
        let thread = spawn_blocking(move || {
            work(&mut batcher)?;
            if !batcher.batch.is_empty() {
                batcher.flush();
            }
            Ok(())
        });
        Self { receiver, thread }
    }

    /// The next batch; `None` when there is none any more. Only [`Self::end`] tells whether that was all.
    pub async fn next(&mut self) -> Option<Vec<T>> {
        self.receiver.recv().await
    }

    /// Returns how the work ended.
    ///
    /// # Errors
    /// As [`blocking::run`].
    pub async fn end(self) -> Result<Result<(), E>, ContentError> {
        drop(self.receiver);
        blocking::ended(self.thread.await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everything_comes_in_batches_and_then_the_end() {
        let mut batches = Batches::of(2, |out| {
            assert!((0..5).all(|number| out.put(number)));
            Ok::<_, String>(())
        });
        let mut sizes = Vec::new();
        while let Some(batch) = batches.next().await {
            sizes.push(batch.len());
        }
        assert_eq!(sizes, [2, 2, 1]);
        assert_eq!(batches.end().await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn failures_and_panics_are_told_at_the_end() {
        let mut failing = Batches::<u8, _>::of(2, |out| {
            out.put(1);
            Err("line 2")
        });
        assert_eq!(failing.next().await, None);
        assert_eq!(failing.end().await.unwrap(), Err("line 2"));
        let mut panicking = Batches::<u8, String>::of(2, |_| panic!("a fault"));
        assert_eq!(panicking.next().await, None);
        assert!(panicking.end().await.is_err());
    }

    #[tokio::test]
    async fn a_thread_ends_when_nobody_takes_anything() {
        let endless = Batches::of(1, |out| {
            while out.put(0) {}
            Ok::<_, String>(())
        });
        assert_eq!(endless.end().await.unwrap(), Ok(()));
    }
}
