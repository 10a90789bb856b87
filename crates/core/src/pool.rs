//! Amounts of something that there is only so much of, such as memory for what is on its way to clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limited amount of something. Cheap to clone; all clones are one pool. Nobody waits for it: what cannot be had now is done
/// with less, or not at all.
#[derive(Debug, Clone)]
pub struct Pool(Arc<AtomicUsize>);

/// Some of a [`Pool`], given back when it is dropped.
#[derive(Debug)]
pub struct Taken {
    pool: Pool,
    amount: usize,
}

impl Pool {
    /// A pool that has this much.
    #[must_use]
    pub fn new(amount: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(amount)))
    }

    /// Returns how much is left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes nothing yet.
    #[must_use]
    pub fn nothing(&self) -> Taken {
        Taken {
            pool: self.clone(),
            amount: 0,
        }
    }

    /// Takes some; `None` when there is less.
    #[must_use]
    pub fn take(&self, amount: usize) -> Option<Taken> {
        let rest = |left: usize| left.checked_sub(amount);
        let took = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, rest);
        took.ok().map(|_| Taken {
            pool: self.clone(),
            amount,
        })
    }
}

impl Taken {
    /// Takes more; false when there is less, and then nothing has changed.
    #[must_use]
    pub fn grow(&mut self, amount: usize) -> bool {
        let Some(mut more) = self.pool.take(amount) else {
            return false;
        };
        self.amount += std::mem::take(&mut more.amount);
        true
    }

    /// Returns how much it is.
    #[must_use]
    pub fn amount(&self) -> usize {
        self.amount
    }

    /// Gives back all but `amount`.
    pub fn shrink(&mut self, amount: usize) {
        let back = self.amount.saturating_sub(amount);
        self.amount -= back;
        self.pool.0.fetch_add(back, Ordering::AcqRel);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.pool.0.fetch_add(self.amount, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_comes_back_once() {
        let pool = Pool::new(10);
        let mut first = pool.take(6).unwrap();
        assert!(pool.take(5).is_none());
        assert!(first.grow(3) && !first.grow(2));
        assert_eq!(pool.left(), 1);
        first.shrink(4);
        assert_eq!(pool.left(), 6);
        drop(first);
        assert_eq!(pool.left(), 10);
    }
}
