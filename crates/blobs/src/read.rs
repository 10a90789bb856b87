//! Reading blobs in large pieces.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use pith_core::Sha256;
use rustix::buffer::spare_capacity;
use tokio::task::JoinHandle;

use crate::error::blocking;
use crate::folders::require_mark;
use crate::{Error, Result, paths};

/// The bytes of a blob, in order, in pieces of up to 512 KiB.
pub type BlobStream = BoxStream<'static, Result<Bytes>>;

/// One piece of a large read.
const PIECE: u64 = 512 * 1024;

/// Opens a blob's file in the folder `store`; a missing one is [`Error::Missing`], unless the whole store is away.
pub(crate) fn open(store: &Path, sha256: Sha256) -> Result<File> {
    let path = store.join(paths::blob(&sha256));
    File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => require_mark(store).err().unwrap_or(Error::Missing(sha256)),
        _ => Error::io("open", &path)(error),
    })
}

/// The part `range` of a blob's file in the folder `store`; while one piece is on its way, the next is being read.
pub(crate) fn stream_file(store: PathBuf, sha256: Sha256, range: Option<Range<u64>>) -> BlobStream {
    // One hop opens and reads the first piece, which for most files is the whole.
    let opened = blocking(move || {
        let file = open(&store, sha256)?;
        let path = store.join(paths::blob(&sha256));
        let size = file.metadata().map_err(Error::io("look at", &path))?.len();
        let range = range.unwrap_or(0..size);
        let mut pieces = Pieces {
            file: Arc::new(file),
            at: range.start,
            end: range.end.min(size),
            next: Next::End,
        };
        if let Some(read) = pieces.read() {
            pieces.next = Next::Ready(read().map_err(Error::io("read", &path))?);
        }
        Ok(pieces)
    });
    let pieces = |pieces| {
        stream::try_unfold(pieces, |mut pieces: Pieces| async move {
            let bytes = match std::mem::replace(&mut pieces.next, Next::End) {
                Next::End => return Ok(None),
                Next::Ready(bytes) => bytes,
                Next::Ahead(ahead) => {
                    let bytes = ahead.await.map_err(|_| Error::Stopping)?;
                    bytes.map_err(|source| Error::Io {
                        action: "read a blob".to_owned(),
                        source,
                    })?
                }
            };
            if let Some(read) = pieces.read() {
                pieces.next = Next::Ahead(tokio::task::spawn_blocking(read));
            }
            Ok(Some((bytes, pieces)))
        })
    };
    stream::once(opened).map_ok(pieces).try_flatten().boxed()
}

struct Pieces {
    file: Arc<File>,
    at: u64,
    end: u64,
    next: Next,
}

enum Next {
    Ready(Bytes),
    Ahead(JoinHandle<io::Result<Bytes>>),
    End,
}

impl Pieces {
    /// Returns the way to read the next piece; `None` at the end.
    fn read(&mut self) -> Option<impl FnOnce() -> io::Result<Bytes> + Send + 'static> {
        if self.at >= self.end {
            return None;
        }
        let (at, size) = (self.at, PIECE.min(self.end - self.at));
        self.at += size;
        let file = Arc::clone(&self.file);
        Some(move || read_piece(&file, at, usize::try_from(size).map_err(io::Error::other)?))
    }
}

/// A part of a blob that is read piece by piece, each as large as whoever reads has room for.
pub struct BlobReader(Kind);

enum Kind {
    Local(LocalReader),
    Remote(RemoteReader),
}

/// A file, and the bytes that were read of it.
type Piece = (Arc<File>, Bytes);

struct LocalReader {
    store: PathBuf,
    sha256: Sha256,
    at: u64,
    end: u64,
    /// Open between two pieces only when it is to be.
    file: Option<Arc<File>>,
    keeps_open: bool,
    reading: Option<JoinHandle<Result<Piece>>>,
}

struct RemoteReader {
    pieces: BlobStream,
    rest: Bytes,
}

impl BlobReader {
    pub(crate) fn local(store: PathBuf, sha256: Sha256, range: Range<u64>) -> Self {
        Self(Kind::Local(LocalReader {
            store,
            sha256,
            at: range.start,
            end: range.end,
            file: None,
            keeps_open: false,
            reading: None,
        }))
    }

    pub(crate) fn remote(pieces: BlobStream) -> Self {
        let rest = Bytes::new();
        Self(Kind::Remote(RemoteReader { pieces, rest }))
    }

    /// Keeps the file open between pieces: a blob that is deleted meanwhile is read to its end.
    pub fn keep_open(&mut self) {
        if let Kind::Local(local) = &mut self.0 {
            local.keeps_open = true;
        }
    }

    /// Begins to read up to `most` bytes ahead, which [`BlobReader::next`] returns. Objects come as they come.
    pub fn start(&mut self, most: usize) {
        if let Kind::Local(local) = &mut self.0 {
            local.start(most);
        }
    }

    /// Up to `most` bytes; none at the end.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such blob; when the store fails.
    pub async fn next(&mut self, most: usize) -> Result<Bytes> {
        match &mut self.0 {
            Kind::Local(local) => local.next(most).await,
            Kind::Remote(remote) => remote.next(most).await,
        }
    }
}

impl LocalReader {
    fn start(&mut self, most: usize) {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let (size, at) = (most.min(left), self.at);
        if self.reading.is_some() || size == 0 {
            return;
        }
        let (store, sha256, file) = (self.store.clone(), self.sha256, self.file.take());
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let file = match file {
                Some(file) => file,
                None => Arc::new(open(&store, sha256)?),
            };
            let path = || store.join(paths::blob(&sha256));
            let bytes = read_piece(&file, at, size).map_err(|e| Error::io("read", &path())(e))?;
            Ok((file, bytes))
        }));
    }

    async fn next(&mut self, most: usize) -> Result<Bytes> {
        self.start(most);
        // Taken when it has ended, so that whoever gives up waiting may ask again.
        let Some(reading) = &mut self.reading else {
            return Ok(Bytes::new());
        };
        let read = reading.await;
        self.reading = None;
        let (file, bytes) = read.map_err(|_| Error::Stopping)??;
        self.file = self.keeps_open.then_some(file);
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

impl RemoteReader {
    async fn next(&mut self, most: usize) -> Result<Bytes> {
        while self.rest.is_empty() {
            match self.pieces.try_next().await? {
                Some(piece) => self.rest = piece,
                None => return Ok(Bytes::new()),
            }
        }
        Ok(self.rest.split_to(most.min(self.rest.len())))
    }
}

/// `size` bytes from `at` on, into memory that is not zeroed first: at several GB/s that is felt.
fn read_piece(file: &File, at: u64, size: usize) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let position = at + bytes.len() as u64;
        let read = rustix::io::pread(file, spare_capacity(&mut bytes), position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.truncate(size);
    Ok(bytes.into())
}
