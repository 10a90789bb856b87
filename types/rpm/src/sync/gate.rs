//! A bound on the bytes that wait between two threads.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// Lets bytes in while there is room. What is larger than all the room comes in alone.
#[derive(Debug, Default)]
pub struct Gate {
    inside: Mutex<usize>,
    freed: Condvar,
    most: usize,
}

/// Bytes that are inside, until this goes.
#[derive(Debug)]
pub struct Inside {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Gate {
    /// A gate to a room of `most` bytes.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            ..Self::default()
        })
    }

    /// Waits until there is room.
    #[must_use]
    pub fn enter(self: &Arc<Self>, bytes: usize) -> Inside {
        let mut inside = self.inside.lock();
        while *inside > 0 && *inside + bytes > self.most {
            self.freed.wait(&mut inside);
        }
        *inside += bytes;
        drop(inside);
        Inside {
            gate: Arc::clone(self),
            bytes,
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        *self.gate.inside.lock() -= self.bytes;
        self.gate.freed.notify_all();
    }
}
