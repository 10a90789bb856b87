//! Small blobs kept in memory. Their name is their content, so nothing here ever gets stale.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::Mutex;
use pith_core::Sha256;

/// The size up to which blobs are kept, in bytes.
pub(crate) const SMALL: u64 = 64 * 1024;
/// The bytes that are counted for a blob beside its bytes.
const OVERHEAD: usize = 160;

/// A cache bounded by bytes, with the clock algorithm: it drops the first blob that was not used since the hand last passed it.
pub(crate) struct SmallBlobs {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    places: HashMap<Sha256, usize>,
    slots: Vec<Slot>,
    hand: usize,
    bytes: usize,
}

struct Slot {
    sha256: Sha256,
    bytes: Bytes,
    used: bool,
}

impl SmallBlobs {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, sha256: &Sha256) -> Option<Bytes> {
        let mut state = self.state.lock();
        let place = *state.places.get(sha256)?;
        let slot = state.slots.get_mut(place)?;
        slot.used = true;
        Some(slot.bytes.clone())
    }

    pub(crate) fn insert(&self, sha256: Sha256, bytes: Bytes) {
        let mut state = self.state.lock();
        if state.places.contains_key(&sha256) || bytes.len() + OVERHEAD > self.limit {
            return;
        }
        state.bytes += bytes.len() + OVERHEAD;
        while state.bytes > self.limit {
            state.drop_one();
        }
        let place = state.slots.len();
        state.places.insert(sha256, place);
        state.slots.push(Slot {
            sha256,
            bytes,
            used: false,
        });
    }
}

impl State {
    fn drop_one(&mut self) {
        loop {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            let slot = &mut self.slots[self.hand];
            if std::mem::take(&mut slot.used) {
                self.hand += 1;
                continue;
            }
            let dropped = self.slots.swap_remove(self.hand);
            self.bytes -= dropped.bytes.len() + OVERHEAD;
            self.places.remove(&dropped.sha256);
            if let Some(moved) = self.slots.get(self.hand) {
                self.places.insert(moved.sha256, self.hand);
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stays_bounded_and_used_blobs_stay() {
        let cache = SmallBlobs::new(10 * (100 + OVERHEAD));
        let hot = Sha256([255; 32]);
        cache.insert(hot, Bytes::from_static(&[1; 100]));
        for number in 0..200u8 {
            assert_eq!(
                cache.get(&hot).unwrap(),
                [1; 100].as_slice(),
                "after {number}"
            );
            cache.insert(Sha256([number; 32]), Bytes::from_static(&[2; 100]));
            let state = cache.state.lock();
            assert!(state.bytes <= cache.limit && state.slots.len() == state.places.len());
            assert!(
                state
                    .places
                    .iter()
                    .all(|(sha256, &place)| state.slots[place].sha256 == *sha256)
            );
        }
        cache.insert(Sha256([254; 32]), Bytes::from_static(&[2; 9000]));
        assert!(cache.get(&Sha256([254; 32])).is_none());
    }
}
