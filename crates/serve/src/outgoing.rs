//! Memory for bytes on their way to clients: bounded over all connections, however slowly they are taken.
//!
//! Each piece that is read for a client counts until the last of its bytes has been handed to the operating system. While
//! there is plenty, pieces are large; the less is left, the smaller they become. What is used up is waited for by nobody:
//! each connection may have one small piece beside, so that those who take theirs are served at any time.

use std::sync::Arc;

use bytes::Bytes;
use pith_core::{Pool, Taken};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for pieces of all connections, in bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// The part of it that one connection may have, in bytes.
const SHARE: usize = 8 * 1024 * 1024;
/// The largest piece, in bytes.
const LARGEST: usize = 512 * 1024;
/// The piece that a connection may have when nothing else is left, in bytes.
const LEAST: usize = 16 * 1024;
/// A piece takes at most this part of what is left.
const PART: usize = 32;
/// The size up to which answers are not counted: even all requests that there can be at once need little memory for them.
const TRIFLE: usize = 4 * 1024;
/// Files kept open between two pieces; further ones are opened again for each.
const OPEN_FILES: usize = 1024;

/// The memory that all connections share.
#[derive(Debug, Clone)]
pub struct Outgoing {
    memory: Pool,
    files: Pool,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            memory: Pool::new(MEMORY),
            files: Pool::new(OPEN_FILES),
        }
    }
}

impl Outgoing {
    /// The part of one connection, to be put into its requests' extensions.
    #[must_use]
    pub fn client(&self) -> Arc<Client> {
        Arc::new(Client {
            all: self.clone(),
            share: Pool::new(SHARE),
            least: Arc::new(Semaphore::new(1)),
        })
    }
}

/// One connection, whose answers share what it may have on its way.
#[derive(Debug)]
pub struct Client {
    all: Outgoing,
    share: Pool,
    least: Arc<Semaphore>,
}

/// Room for one piece.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) size: usize,
    _held: Held,
}

/// Kept for what happens when it goes.
#[derive(Debug)]
enum Held {
    Counted {
        _memory: Taken,
        _share: Option<Taken>,
    },
    Least {
        _permit: OwnedSemaphorePermit,
    },
    Nothing,
}

impl Room {
    /// The piece, which gives the room back when all of it has been sent.
    pub(crate) fn hold(self, bytes: Bytes) -> Bytes {
        if matches!(self._held, Held::Nothing) {
            return bytes;
        }
        Bytes::from_owner(Piece { bytes, _room: self })
    }
}

struct Piece {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Client {
    /// Room for the next piece of an answer that has `left` bytes, when there is some at once.
    pub(crate) fn room_now(&self, left: u64) -> Option<Room> {
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let plenty = (self.all.memory.left() / PART).next_multiple_of(LEAST);
        let size = left.min(LARGEST).min(plenty);
        let counted = || {
            if size < left.min(LEAST) {
                return None;
            }
            let share = self.share.take(size)?;
            let memory = self.all.memory.take(size)?;
            Some(Held::Counted {
                _memory: memory,
                _share: Some(share),
            })
        };
        if let Some(held) = counted() {
            return Some(Room { size, _held: held });
        }
        let permit = Arc::clone(&self.least).try_acquire_owned().ok()?;
        Some(least(left, permit))
    }

    /// Room for the next piece; waits until another piece of this connection has been sent, when nothing else is left.
    pub(crate) async fn room(&self, left: u64) -> Option<Room> {
        if let Some(room) = self.room_now(left) {
            return Some(room);
        }
        let permit = Arc::clone(&self.least).acquire_owned().await.ok()?;
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        Some(least(left, permit))
    }

    /// Room to read one piece ahead, while there is plenty.
    pub(crate) fn room_ahead(&self, left: u64) -> Option<Room> {
        let is_plenty = left > 0 && self.all.memory.left() > MEMORY / 2;
        is_plenty.then(|| self.room_now(left)).flatten()
    }

    /// Room for an answer that is in memory as a whole.
    pub(crate) fn whole(&self, size: usize) -> Option<Room> {
        if size <= TRIFLE {
            let _held = Held::Nothing;
            return Some(Room { size, _held });
        }
        let memory = self.all.memory.take(size)?;
        let _held = Held::Counted {
            _memory: memory,
            _share: None,
        };
        Some(Room { size, _held })
    }

    /// The right to keep a file open between two pieces.
    pub(crate) fn open_file(&self) -> Option<Taken> {
        self.all.files.take(1)
    }
}

fn least(left: usize, permit: OwnedSemaphorePermit) -> Room {
    Room {
        size: left.min(LEAST),
        _held: Held::Least { _permit: permit },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_taken_leaves_room_for_others() {
        let all = Outgoing::default();
        let mut stuck = Vec::new();
        for _ in 0..1000 {
            let client = all.client();
            while let Some(room) = client.room_now(u64::MAX) {
                stuck.push(room.hold(Bytes::from_static(b"x")));
            }
        }
        // One small piece for each connection beside what all share.
        assert!(all.memory.left() < LEAST);
        assert!(stuck.len() < 1000 + MEMORY / LEAST);
        let client = all.client();
        for _ in 0..10 {
            let room = client.room(u64::MAX).await.unwrap();
            assert_eq!(room.size, LEAST);
        }
        assert!(client.room_ahead(u64::MAX).is_none());
        drop(stuck);
        assert_eq!(all.memory.left(), MEMORY);
        assert_eq!(client.room(u64::MAX).await.unwrap().size, LARGEST);
    }

    #[test]
    fn one_connection_does_not_get_all() {
        let all = Outgoing::default();
        let client = all.client();
        let rooms: Vec<Room> = std::iter::from_fn(|| client.room_now(u64::MAX)).collect();
        let sum: usize = rooms.iter().map(|room| room.size).sum();
        assert!(sum <= SHARE + LEAST, "{sum}");
        assert_eq!(all.client().room_now(u64::MAX).unwrap().size, LARGEST);
    }
}
