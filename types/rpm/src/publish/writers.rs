//! The three documents of packages, written at the same time: a thread for each.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use pith_content::ContentError;
use pith_content::publish::PublishContext;
use pith_core::Algorithm;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::output::{Output, Written, join};
use super::predecessor::OldDocument;
use crate::metadata::members::Key;
use crate::metadata::writer::{PACKAGE_DOCUMENTS, PackageWriter};

/// Chunks of packages that wait for the writers, or are being written.
const WRITING: usize = 5;
/// The most chunks that wait for each writer when those that are taken over are counted too, of which only the keys wait. They
/// are so many that reading goes on meanwhile.
const WAITING: usize = 1024;

/// A package on its way to the three documents.
pub struct Rendered {
    /// Its checksum, in the algorithm of the publication.
    pub checksum: String,
    /// Its snippet in each of [`PACKAGE_DOCUMENTS`].
    pub snippets: [Bytes; 3],
}

/// Packages on their way to the three documents, and the room that they take until all three have them.
struct Packages {
    packages: Vec<Rendered>,
    _room: OwnedSemaphorePermit,
}

/// A chunk on its way to the three documents.
#[derive(Clone)]
enum Piece {
    /// To be written.
    New(Key, Arc<Packages>),
    /// To be taken over from the predecessor.
    Old(Key),
}

/// The way of chunks to the three writers.
pub struct Writers {
    senders: Vec<mpsc::Sender<Piece>>,
    threads: Vec<JoinHandle<io::Result<Written>>>,
    room: Arc<Semaphore>,
}

impl Writers {
    /// Starts documents that begin with `count`. Chunks can be taken over from `old` ones.
    ///
    /// # Errors
    /// When the files cannot be made.
    pub fn start(
        ctx: &dyn PublishContext,
        algorithm: Algorithm,
        count: u64,
        old: [Option<OldDocument>; 3],
    ) -> Result<Self, ContentError> {
        let mut writers = Self {
            senders: Vec::new(),
            threads: Vec::new(),
            room: Arc::new(Semaphore::new(WRITING)),
        };
        for (at, (kind, mut old)) in PACKAGE_DOCUMENTS.into_iter().zip(old).enumerate() {
            let output = Output::packed(ctx, kind.name(), algorithm)?;
            let write = move |out: &mut Output, mut rx: mpsc::Receiver<Piece>| {
                let mut writer = PackageWriter::new(out, kind, count)?;
                while let Some(piece) = rx.blocking_recv() {
                    match (piece, &mut old) {
                        (Piece::New(key, chunk), _) => {
                            writer.begin(key);
                            for Rendered { checksum, snippets } in &chunk.packages {
                                writer.push(&snippets[at], checksum, algorithm.name())?;
                            }
                            writer.end()?;
                        }
                        (Piece::Old(key), Some(old)) => writer.copy(&key, old)?,
                        (Piece::Old(_), None) => {
                            return Err(io::Error::other("nothing to take from"));
                        }
                    }
                }
                writer.finish().map(drop)
            };
            let (sender, thread) = output.write_on_thread(ctx.clock().now(), WAITING, write);
            writers.senders.push(sender);
            writers.threads.push(thread);
        }
        Ok(writers)
    }

    /// Has a chunk of the older documents taken over.
    pub async fn take_over(&self, key: Key) {
        self.send(&Piece::Old(key)).await;
    }

    /// Has a chunk written, as soon as there is room for it.
    ///
    /// # Errors
    /// None that is expected: the room outlives those who wait for it.
    pub async fn write(&self, key: Key, packages: Vec<Rendered>) -> Result<(), ContentError> {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let packages = Packages {
            packages,
            _room: room.map_err(ContentError::other)?,
        };
        self.send(&Piece::New(key, Arc::new(packages))).await;
        Ok(())
    }

    /// A writer that has failed says so at [`Self::finish`].
    async fn send(&self, piece: &Piece) {
        for sender in &self.senders {
            let _ = sender.send(piece.clone()).await;
        }
    }

    /// The finished documents, in the order of [`PACKAGE_DOCUMENTS`].
    ///
    /// # Errors
    /// When one of them could not be written.
    pub async fn finish(self) -> Result<Vec<Written>, ContentError> {
        drop(self.senders);
        let mut written = Vec::new();
        for thread in self.threads {
            written.push(join(thread).await?);
        }
        Ok(written)
    }
}
