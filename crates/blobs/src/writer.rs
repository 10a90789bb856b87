//! Writing blobs: hashed on the way in, visible only when whole.
//!
//! Up to [`CHUNK`] bytes stay in memory and cost one blocking hop at the end. Beyond that a scratch file takes the bytes,
//! chunk by chunk; while one chunk is hashed and written, the next comes in.

use std::io;

use bytes::Bytes;
pub use pith_core::digest::Hashed as Stored;
use pith_core::{Algorithm, MultiHasher};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use crate::error::blocking;
use crate::{Blobs, Error, Result, faults};

/// The most that a writer holds in memory, in bytes (twice that while a chunk is being written).
const CHUNK: usize = 256 * 1024;

/// Finished bytes that have no name yet.
pub(crate) enum Body {
    /// Few of them.
    Memory(Vec<u8>),
    /// Many of them.
    File(NamedTempFile),
}

/// The blocking half of both writers.
struct Sink {
    blobs: Blobs,
    hasher: MultiHasher,
    file: Option<NamedTempFile>,
}

impl Sink {
    fn new(blobs: &Blobs, also: &[Algorithm]) -> Self {
        Self {
            blobs: blobs.clone(),
            hasher: MultiHasher::new(also),
            file: None,
        }
    }

    fn write_out(&mut self, chunk: &[u8]) -> Result<()> {
        self.hasher.update(chunk);
        self.blobs.require_room()?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.blobs.temporary()?,
        };
        let path = file.path().to_owned();
        faults::write_all(&mut file, chunk, &path).map_err(Error::io("write", &path))?;
        self.file = Some(file);
        Ok(())
    }

    fn complete(mut self, rest: Vec<u8>) -> Result<Nameless> {
        if self.file.is_some() {
            self.write_out(&rest)?;
            return Ok(self.nameless(Vec::new()));
        }
        self.blobs.require_room()?;
        Ok(self.in_memory(rest))
    }

    /// All of it, when nothing was written out before; cheap enough for async code.
    fn in_memory(mut self, all: Vec<u8>) -> Nameless {
        self.hasher.update(&all);
        self.nameless(all)
    }

    fn nameless(self, in_memory: Vec<u8>) -> Nameless {
        Nameless {
            stored: self.hasher.finish(),
            body: self.file.map_or(Body::Memory(in_memory), Body::File),
            blobs: self.blobs,
        }
    }
}

/// A blob being written from async code. Dropping it unfinished leaves nothing behind.
pub struct BlobWriter {
    buffer: Vec<u8>,
    state: State,
}

enum State {
    Idle(Box<Sink>),
    /// A chunk is being written; the sink comes back with the emptied buffer.
    Busy(JoinHandle<Result<(Box<Sink>, Vec<u8>)>>),
    /// All is written.
    Whole(Box<Nameless>),
    Broken,
}

impl BlobWriter {
    pub(crate) fn new(blobs: &Blobs, also: &[Algorithm]) -> Self {
        Self {
            buffer: Vec::new(),
            state: State::Idle(Box::new(Sink::new(blobs, also))),
        }
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// When they cannot be written; the writer is of no more use then.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        if let State::Whole(_) = self.state {
            return Err(failed_before());
        }
        while self.buffer.len() + bytes.len() > CHUNK {
            let (now, later) = bytes.split_at(CHUNK - self.buffer.len());
            self.buffer.extend_from_slice(now);
            bytes = later;
            self.write_out().await?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_bytes(&mut self, bytes: Bytes) -> Result<()> {
        self.write(&bytes).await
    }

    /// Ends the writing, and returns the size and the digests of what was written; the blob has no name yet.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub async fn whole(&mut self) -> Result<&Stored> {
        if !matches!(self.state, State::Whole(_)) {
            let (sink, _) = self.sink().await?;
            let rest = std::mem::take(&mut self.buffer);
            let nameless = match sink.file {
                None => sink.in_memory(rest),
                Some(_) => blocking(move || sink.complete(rest)).await?,
            };
            self.state = State::Whole(Box::new(nameless));
        }
        match &self.state {
            State::Whole(nameless) => Ok(&nameless.stored),
            _ => Err(failed_before()),
        }
    }

    /// Gives the blob its name. A blob that exists already is not rewritten.
    ///
    /// # Errors
    /// When the bytes cannot be stored.
    pub async fn finish(self) -> Result<Stored> {
        self.nameless().await?.finish().await
    }

    /// Ends the writing; the blob gets its name later.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub async fn nameless(mut self) -> Result<Nameless> {
        self.whole().await?;
        match self.state {
            State::Whole(nameless) => Ok(*nameless),
            _ => Err(failed_before()),
        }
    }

    async fn write_out(&mut self) -> Result<()> {
        let (mut sink, empty) = self.sink().await?;
        let mut chunk = std::mem::replace(&mut self.buffer, empty);
        self.state = State::Busy(tokio::task::spawn_blocking(move || {
            sink.write_out(&chunk)?;
            chunk.clear();
            Ok((sink, chunk))
        }));
        Ok(())
    }

    /// The sink, when it is done with the chunk before, and an empty buffer.
    async fn sink(&mut self) -> Result<(Box<Sink>, Vec<u8>)> {
        match std::mem::replace(&mut self.state, State::Broken) {
            State::Idle(sink) => Ok((sink, Vec::new())),
            State::Busy(writing) => writing.await.map_err(|_| Error::Stopping)?,
            State::Whole(_) | State::Broken => Err(failed_before()),
        }
    }
}

fn failed_before() -> Error {
    Error::Incoming("the writer has failed before, or all is written".into())
}

/// A blob being written on a blocking thread. Dropping it unfinished leaves nothing behind.
pub struct SyncBlobWriter {
    buffer: Vec<u8>,
    sink: Sink,
}

impl SyncBlobWriter {
    pub(crate) fn new(blobs: &Blobs, also: &[Algorithm]) -> Self {
        Self {
            buffer: Vec::new(),
            sink: Sink::new(blobs, also),
        }
    }

    /// Gives the blob its name; blocks, so not for async code. A blob that exists already is not rewritten.
    ///
    /// # Errors
    /// When the bytes cannot be stored.
    pub fn finish(self) -> Result<Stored> {
        self.whole()?.keep()
    }

    /// Ends the writing; the blob has no name yet.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn whole(self) -> Result<Nameless> {
        self.sink.complete(self.buffer)
    }
}

/// A blob that is written and not in the store yet. Dropping it leaves nothing behind.
pub struct Nameless {
    blobs: Blobs,
    stored: Stored,
    body: Body,
}

impl Nameless {
    /// Its size and digests.
    #[must_use]
    pub fn stored(&self) -> &Stored {
        &self.stored
    }

    /// The memory that it takes, in bytes, until it gets its name. `None` for what should have its name at once: what is on the
    /// disk already, and objects, of which each is sent by itself.
    #[must_use]
    pub fn waiting(&self) -> Option<usize> {
        match &self.body {
            Body::Memory(bytes) if self.blobs.local_root().is_some() => Some(bytes.len()),
            Body::Memory(_) | Body::File(_) => None,
        }
    }

    /// The bytes, when they are in memory and at most `limit`; otherwise this as it is.
    pub(crate) fn into_small(self, limit: usize) -> std::result::Result<(Stored, Vec<u8>), Self> {
        match self.body {
            Body::Memory(bytes) if bytes.len() <= limit => Ok((self.stored, bytes)),
            _ => Err(self),
        }
    }

    /// Gives the blob its name.
    ///
    /// # Errors
    /// When the bytes cannot be stored.
    pub async fn finish(self) -> Result<Stored> {
        let Self {
            blobs,
            stored,
            body,
        } = self;
        let (blobs, stored, body) = blocking(move || {
            blobs.require_room()?;
            let body = blobs.place_local(&stored, body)?;
            Ok((blobs, stored, body))
        })
        .await?;
        blobs.place_remote(&stored, body).await?;
        Ok(stored)
    }

    /// Gives the blob its name; blocks, so not for async code.
    ///
    /// # Errors
    /// When the bytes cannot be stored.
    pub fn keep(self) -> Result<Stored> {
        let Self {
            blobs,
            stored,
            body,
        } = self;
        let body = blobs.place_local(&stored, body)?;
        if body.is_some() {
            blobs
                .runtime()
                .block_on(blobs.place_remote(&stored, body))?;
        }
        Ok(stored)
    }
}

impl io::Write for SyncBlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > CHUNK {
            self.sink
                .write_out(&self.buffer)
                .map_err(io::Error::other)?;
            self.buffer.clear();
        }
        if bytes.len() > CHUNK {
            self.sink.write_out(bytes).map_err(io::Error::other)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
