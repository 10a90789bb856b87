//! Memory for the documents that a request has read from the database: what is read, shown and written as text of one answer is
//! in memory at once. It is counted where rows become values, so that no listing can be forgotten; what goes through memory a page
//! at a time is given back with its page.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_core::{Pool, Taken};

use crate::{Result, StoreError};

/// Bytes that each request may have beside the pool.
const FREE: usize = 256 * 1024;
/// Bytes that are taken of the pool at once.
const STEP: usize = 256 * 1024;
/// Copies of a document at the same time: as it is stored and as it is shown.
const COPIES: usize = 2;

tokio::task_local! {
    static HERE: Option<Reading>;
}

/// The memory of one request. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Reading(Arc<Mutex<Counted>>);

#[derive(Debug)]
struct Counted {
    pool: Pool,
    taken: Taken,
    bytes: usize,
}

impl Reading {
    /// A request that has read nothing.
    #[must_use]
    pub fn new(pool: &Pool) -> Self {
        Self(Arc::new(Mutex::new(Counted {
            pool: pool.clone(),
            taken: pool.nothing(),
            bytes: 0,
        })))
    }

    /// Counts here what `work` reads.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        HERE.scope(Some(self), work).await
    }

    /// Tells whether it has taken something of the pool.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.0.lock().taken.amount() > 0
    }

    /// Counts memory until the share is dropped.
    ///
    /// # Errors
    /// [`StoreError::NoMemory`].
    pub fn share(&self, bytes: usize) -> Result<Share> {
        let share = Share {
            reading: self.clone(),
            bytes,
        };
        self.count(bytes).map(|()| share)
    }

    fn count(&self, bytes: usize) -> Result<()> {
        let counted = &mut *self.0.lock();
        counted.bytes = counted.bytes.saturating_add(bytes);
        let wanted = counted.bytes.saturating_sub(FREE);
        let more = wanted.saturating_sub(counted.taken.amount());
        if more == 0 {
            return Ok(());
        }
        let more = more.next_multiple_of(STEP);
        // As much is left for others as one has: small requests find room whatever large ones do.
        let leaves = counted.pool.left().saturating_sub(more);
        if counted.taken.amount() + more > leaves || !counted.taken.grow(more) {
            return Err(StoreError::NoMemory);
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        let counted = &mut *self.0.lock();
        counted.bytes = counted.bytes.saturating_sub(bytes);
        let wanted = counted.bytes.saturating_sub(FREE);
        counted.taken.shrink(wanted.next_multiple_of(STEP));
    }
}

/// Counts memory that the request needs which is served here.
///
/// # Errors
/// [`StoreError::NoMemory`].
pub fn count(bytes: usize) -> Result<()> {
    here().map_or(Ok(()), |reading| reading.count(bytes))
}

/// Counts a text that becomes a value.
pub(crate) fn count_json(text: &str) -> Result<()> {
    match here() {
        Some(reading) => reading.count(COPIES * pith_core::json_weight(text.as_bytes())),
        None => Ok(()),
    }
}

/// Runs what reads something that is bounded in another way.
pub(crate) fn uncounted<T>(read: impl FnOnce() -> T) -> T {
    HERE.sync_scope(None, read)
}

/// The request that is served here, for what goes on when it has been answered.
#[must_use]
pub fn here() -> Option<Reading> {
    HERE.try_with(Clone::clone).ok().flatten()
}

/// Some of a request's memory, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    reading: Reading,
    bytes: usize,
}

/// A point from which on a [`Share`] is counted.
pub(crate) struct Mark {
    reading: Reading,
    before: usize,
}

impl Mark {
    /// A point from now on; `None` where nobody counts.
    pub(crate) fn here() -> Option<Self> {
        here().map(|reading| {
            let before = reading.0.lock().bytes;
            Self { reading, before }
        })
    }

    /// All that was counted since.
    pub(crate) fn share(self) -> Share {
        let now = self.reading.0.lock().bytes;
        Share {
            bytes: now.saturating_sub(self.before),
            reading: self.reading,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.reading.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[tokio::test]
    async fn one_request_leaves_as_much_for_others_and_gives_all_back() {
        let pool = Pool::new(16 * MIB);
        let large = Reading::new(&pool);
        let work = async {
            assert!(count(FREE).is_ok());
            assert!(!large.is_large());
            assert!(count(8 * MIB).is_ok());
            assert!(matches!(count(MIB), Err(StoreError::NoMemory)));
            assert!(uncounted(|| count(100 * MIB)).is_ok());
        };
        large.clone().scope(work).await;
        let small = Reading::new(&pool);
        small.clone().scope(async { count(3 * MIB) }).await.unwrap();
        drop((large, small));
        assert_eq!(pool.left(), 16 * MIB);
        assert!(count(usize::MAX).is_ok(), "nobody counts here");
    }

    #[tokio::test]
    async fn a_share_is_given_back_when_it_is_dropped() {
        let pool = Pool::new(16 * MIB);
        let reading = Reading::new(&pool);
        let work = async {
            for _ in 0..10 {
                let mark = Mark::here().unwrap();
                count(6 * MIB).unwrap();
                assert_eq!(mark.share().bytes, 6 * MIB);
            }
        };
        reading.scope(work).await;
        assert_eq!(pool.left(), 16 * MIB);
    }
}
