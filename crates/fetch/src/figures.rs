//! Figures of all transfers of a process, for those who watch the server.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{FetchError, Outcome};

/// The figures so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Files that were fetched whole.
    pub fetched: u64,
    /// Files of which the server had nothing new.
    pub unchanged: u64,
    /// Files that could not be had.
    pub failed: u64,
    /// Bytes of files that came, unpacked, also of those that failed later.
    pub bytes: u64,
}

/// Counts that transfers keep as they go.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    fetched: AtomicU64,
    unchanged: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
}

impl Figures {
    /// Counts bytes of a body.
    pub(crate) fn came(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a transfer that has ended.
    pub(crate) fn ended(&self, done: &Result<Outcome, FetchError>) {
        let count = match done {
            Ok(Outcome::Fetched(_)) => &self.fetched,
            Ok(Outcome::NotModified { .. }) => &self.unchanged,
            Err(_) => &self.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Transfers {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Transfers {
            fetched: of(&self.fetched),
            unchanged: of(&self.unchanged),
            failed: of(&self.failed),
            bytes: of(&self.bytes),
        }
    }
}
