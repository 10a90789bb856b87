//! Things that came before, of which there may be very many: only their hashes are kept.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

/// The hashes of things that came. Whoever sends them does not know how they are hashed, so that two with one hash are no more
/// than bad luck.
#[derive(Debug, Clone, Default)]
pub struct SeenHashes {
    state: RandomState,
    hashes: HashSet<u64>,
}

impl SeenHashes {
    /// Notes a thing. Returns whether it is new.
    pub fn insert(&mut self, thing: impl Hash) -> bool {
        self.hashes.insert(self.state.hash_one(thing))
    }

    /// Tells whether a thing came before.
    #[must_use]
    pub fn contains(&self, thing: impl Hash) -> bool {
        self.hashes.contains(&self.state.hash_one(thing))
    }

    /// Tells whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}
