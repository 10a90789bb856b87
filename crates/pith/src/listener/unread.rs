//! Bytes that clients sent and nobody has read: first heads and handshakes that are not whole, bodies of HTTP/2 that wait in its
//! windows. There is a bound on the sum of all connections; beyond it, a connection is given up of the network with most.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of all connections together.
const MOST: usize = 24 * 1024 * 1024;
/// The bytes of one connection that can wait: what surrounds data on the wire is counted when it comes and not when data is read,
/// and would add up.
const EACH: usize = 128 * 1024;

/// The sum of all connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum(Arc<AtomicUsize>);

impl Sum {
    /// Tells whether it is more than there is room for.
    pub(super) fn is_too_much(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MOST
    }
}

/// The bytes of one connection, about.
#[derive(Debug)]
pub(super) struct Unread {
    sum: Sum,
    bytes: AtomicUsize,
    /// Requests with a body that has not come to its end.
    bodies: AtomicUsize,
}

impl Unread {
    pub(super) fn new(sum: Sum) -> Self {
        Self {
            sum,
            bytes: AtomicUsize::new(0),
            bodies: AtomicUsize::new(0),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts bytes that came. They may wait somewhere when `may_wait`, or as long as there are bodies.
    pub(super) fn came(&self, bytes: usize, may_wait: bool) {
        if may_wait || self.bodies.load(Ordering::Relaxed) > 0 {
            let bytes = bytes.min(EACH.saturating_sub(self.bytes()));
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.sum.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Counts bytes that somebody read.
    pub(super) fn read(&self, bytes: usize) {
        let less = |had: usize| Some(had.saturating_sub(bytes));
        let (order, load) = (Ordering::Relaxed, Ordering::Relaxed);
        if let Ok(had) = self.bytes.fetch_update(order, load, less) {
            self.sum.0.fetch_sub(had.min(bytes), Ordering::Relaxed);
        }
    }

    /// Notes that one of the bodies has been read as far as it has come.
    pub(super) fn caught_up(&self) {
        if self.bodies.load(Ordering::Relaxed) == 1 {
            self.clear();
        }
    }

    /// Nothing waits any more.
    pub(super) fn clear(&self) {
        let had = self.bytes.swap(0, Ordering::Relaxed);
        self.sum.0.fetch_sub(had, Ordering::Relaxed);
    }

    /// A body begins.
    pub(super) fn begin(&self) {
        self.bodies.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a body has come to its end, or that nobody will read it.
    pub(super) fn end(&self) {
        if self.bodies.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.clear();
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_wait_counts_and_all_is_given_back() {
        let sum = Sum::default();
        let unread = Unread::new(sum.clone());
        let all = || sum.0.load(Ordering::Relaxed);
        unread.came(1000, false);
        assert_eq!(all(), 0);
        unread.came(100, true);
        unread.begin();
        unread.came(1000, false);
        unread.read(1000);
        assert_eq!((unread.bytes(), all()), (100, 100));
        unread.came(MOST, false);
        assert_eq!(all(), EACH);
        unread.begin();
        unread.caught_up();
        assert_eq!(all(), EACH, "the other one may not have been read");
        unread.end();
        unread.caught_up();
        assert_eq!(all(), 0);
        let many: Vec<_> = (0..=MOST / EACH)
            .map(|_| Unread::new(sum.clone()))
            .collect();
        many.iter().for_each(|one| one.came(EACH, true));
        assert!(sum.is_too_much());
        drop((many, unread));
        assert_eq!(all(), 0);
    }
}
