//! Bounds on the work that deciding filters may be.

use std::cell::Cell;

/// Characters of a text that an expression looks at for the price of one comparison.
const TEXT: usize = 64;

/// Work left, in comparisons of a condition with a value. Once it is spent nothing more is compared, and what a filter then says
/// of a document means nothing.
#[derive(Debug)]
pub struct Effort {
    left: Cell<u64>,
}

impl Effort {
    /// Allows so much work.
    #[must_use]
    pub fn new(most: u64) -> Self {
        let left = Cell::new(most);
        Self { left }
    }

    /// Allows as much work as it takes.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Returns what is left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.get()
    }

    /// Tells whether nothing is left.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Counts one comparison.
    pub(super) fn compare(&self) {
        self.left.set(self.left.get().saturating_sub(1));
    }

    /// Counts looking for an expression in a text.
    pub(super) fn search(&self, text: &str) {
        let more = (text.len() / TEXT) as u64;
        self.left.set(self.left.get().saturating_sub(more));
    }
}
