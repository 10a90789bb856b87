//! The store itself: open, look, delete, list.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use pith_core::{Algorithm, Sha256};
use tempfile::NamedTempFile;
use tokio::runtime::Handle;

use crate::cache::PublicationCache;
use crate::error::blocking;
use crate::folders::{require_mark, within};
use crate::local::{LocalStore, file_system_now};
use crate::remote::RemoteStore;
use crate::tree::is_bundle;
use crate::writer::{Body, Nameless};
use crate::{
    BlobReader, BlobStream, BlobWriter, Error, Result, Room, SpoolFile, StorageUrl, Stored,
    SyncBlobWriter, Uploads, faults, hash, paths, read,
};

/// The blob store. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    spool: PathBuf,
    cache: PublicationCache,
    runtime: Handle,
    room: OnceLock<Room>,
}

enum Backend {
    Local(LocalStore),
    Remote(RemoteStore),
}

/// A blob as [`Blobs::list`] tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// The time at which it was written or last found again by a writer: younger blobs may be in use by work not yet committed.
    pub used: SystemTime,
}

/// Room on the file system that holds the blobs, or that holds the spool when blobs are objects. In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// The room for an ordinary user.
    pub free: u64,
    /// Size of the file system.
    pub total: u64,
}

impl Blobs {
    /// Opens the store at `storage`, making folders as needed; a local one is marked and from then on known by its mark, so
    /// whoever expects files in it asks [`StorageUrl::is_bare`] before. `data_dir` holds caches and, for object stores, the
    /// spool. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// When the folders cannot be made or the settings of the object store make no sense.
    pub async fn open(storage: &StorageUrl, data_dir: &Path) -> Result<Self> {
        let (storage, data) = (storage.clone(), data_dir.to_owned());
        let runtime = Handle::current();
        blocking(move || {
            let backend = match &storage {
                StorageUrl::Local(root) => Backend::Local(LocalStore::open(root)?),
                StorageUrl::S3(settings) => Backend::Remote(RemoteStore::s3(settings)?),
            };
            Self::new(backend, &data, runtime)
        })
        .await
    }

    fn new(backend: Backend, data: &Path, runtime: Handle) -> Result<Self> {
        let spool = match &backend {
            Backend::Local(local) => local.spool().to_owned(),
            Backend::Remote(_) => paths::spool(data),
        };
        let cache = PublicationCache::new(paths::publication_cache(data));
        std::fs::create_dir_all(&spool).map_err(Error::io("create", &spool))?;
        Ok(Self {
            inner: Arc::new(Inner {
                backend,
                spool,
                cache,
                runtime,
                room: OnceLock::new(),
            }),
        })
    }

    /// Starts a blob, to be written from async code; SHA-256 is always computed, `also` adds more digests.
    #[must_use]
    pub fn writer(&self, also: &[Algorithm]) -> BlobWriter {
        BlobWriter::new(self, also)
    }

    /// Starts a blob, to be written by [`std::io::Write`] on a blocking thread.
    #[must_use]
    pub fn sync_writer(&self, also: &[Algorithm]) -> SyncBlobWriter {
        SyncBlobWriter::new(self, also)
    }

    /// Stores `bytes`, which are at hand whole.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn put(&self, bytes: Bytes) -> Result<Stored> {
        let mut writer = self.writer(&[]);
        writer.write_bytes(bytes).await?;
        writer.finish().await
    }

    /// Returns when every blob finished so far is on disk: call it once per batch, before the database transaction that
    /// refers to the blobs. Free on object stores.
    ///
    /// # Errors
    /// When the disk says no; then nothing of the batch may be relied on.
    pub async fn durable(&self) -> Result<()> {
        let this = self.clone();
        blocking(move || match &this.inner.backend {
            Backend::Local(local) => local.durable(),
            Backend::Remote(_) => Ok(()),
        })
        .await
    }

    /// Gives many blobs their names, in one go.
    ///
    /// # Errors
    /// When the bytes of one cannot be stored.
    pub async fn keep_all(&self, all: Vec<Nameless>) -> Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let keep = move || all.into_iter().try_for_each(|one| one.keep().map(drop));
        blocking(keep).await
    }

    /// The bytes of a blob, or of a part of it (cut at the blob's end), in large pieces. A missing blob is
    /// [`crate::Error::Missing`] as the first item.
    #[must_use]
    pub fn read(&self, sha256: Sha256, range: Option<Range<u64>>) -> BlobStream {
        match &self.inner.backend {
            Backend::Local(local) => read::stream_file(local.root().to_owned(), sha256, range),
            Backend::Remote(remote) => remote.read(sha256, range),
        }
    }

    /// Reads the part `range` of a blob in pieces of whatever size.
    #[must_use]
    pub fn reader(&self, sha256: Sha256, range: Range<u64>) -> BlobReader {
        match &self.inner.backend {
            Backend::Local(local) => BlobReader::local(local.root().to_owned(), sha256, range),
            Backend::Remote(remote) => BlobReader::remote(remote.read(sha256, Some(range))),
        }
    }

    /// The whole of a blob that is known to be small.
    ///
    /// # Errors
    /// When it is missing, cannot be read, or has more than `limit` bytes.
    pub async fn read_all(&self, sha256: Sha256, limit: u64) -> Result<Bytes> {
        // One byte more, to see whether there is more.
        let whole = self.read_part(sha256, 0..limit.saturating_add(1)).await?;
        if whole.len() as u64 > limit {
            return Err(Error::TooLarge { sha256, limit });
        }
        Ok(whole)
    }

    /// A small part of a blob, cut at its end.
    ///
    /// # Errors
    /// When the blob is missing or cannot be read.
    pub async fn read_part(&self, sha256: Sha256, part: Range<u64>) -> Result<Bytes> {
        let mut pieces = self.read(sha256, Some(part));
        let mut whole = BytesMut::new();
        while let Some(piece) = pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Size of a blob in bytes; `None` when it is missing.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn size(&self, sha256: Sha256) -> Result<Option<u64>> {
        if let Backend::Remote(remote) = &self.inner.backend {
            return remote.size(&sha256).await;
        }
        let metadata = self.local_metadata(sha256).await?;
        Ok(metadata.map(|(size, _)| size))
    }

    /// Tells whether the blob is there and may be relied on (see `local.rs` on power cuts).
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn contains(&self, sha256: Sha256) -> Result<bool> {
        if let Backend::Remote(remote) = &self.inner.backend {
            return Ok(remote.size(&sha256).await?.is_some());
        }
        let metadata = self.local_metadata(sha256).await?;
        Ok(metadata.is_some_and(|(_, trusted)| trusted))
    }

    /// Opens a blob for reading without an async hop. `None` when blobs are objects.
    ///
    /// # Errors
    /// When it is missing or cannot be opened.
    pub fn open_local(&self, sha256: Sha256) -> Result<Option<std::fs::File>> {
        self.local_root()
            .map(|root| read::open(root, sha256))
            .transpose()
    }

    /// Opens a generated document for reading from any place. One that is an object is fetched and kept as a local file
    /// for the next time.
    ///
    /// # Errors
    /// When it is missing or cannot be opened.
    pub async fn open_document(&self, sha256: Sha256) -> Result<std::fs::File> {
        if self.local_root().is_none() {
            return self.cache().open(self, sha256).await;
        }
        let blobs = self.clone();
        blocking(move || blobs.open_local(sha256))
            .await?
            .ok_or(Error::Missing(sha256))
    }

    /// Deletes a blob; false when there was none. The caller knows that no row refers to it.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn delete(&self, sha256: Sha256) -> Result<bool> {
        if let Backend::Remote(remote) = &self.inner.backend {
            return remote.delete(&sha256).await;
        }
        let this = self.clone();
        blocking(move || match &this.inner.backend {
            Backend::Local(local) => local.delete(&sha256),
            Backend::Remote(_) => Ok(false),
        })
        .await
    }

    /// Every blob of the store in no particular order, streaming.
    #[must_use]
    pub fn list(&self) -> BoxStream<'static, Result<Listed>> {
        match &self.inner.backend {
            Backend::Local(local) => local.list(),
            Backend::Remote(remote) => remote.list(),
        }
    }

    /// A scratch file on the file system of the blobs, removed when dropped: for metadata being synced.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn spool(&self) -> Result<SpoolFile> {
        SpoolFile::new(self)
    }

    /// Turns a scratch file into a blob without copying it where that is possible.
    ///
    /// # Errors
    /// When it cannot be read or stored.
    pub async fn keep(&self, spool: SpoolFile, also: &[Algorithm]) -> Result<Stored> {
        let (this, also) = (self.clone(), also.to_vec());
        let (stored, body) = blocking(move || {
            let stored = hash::file(spool.file.as_file(), spool.path(), &also)?;
            let body = this.place_local(&stored, Body::File(spool.file))?;
            Ok((stored, body))
        })
        .await?;
        self.place_remote(&stored, body).await?;
        Ok(stored)
    }

    /// Does what [`Self::keep`] does, for a scratch file whose bytes were hashed on their way into it: `stored` is what they are.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn keep_hashed(&self, spool: SpoolFile, stored: &Stored) -> Result<()> {
        let (this, known) = (self.clone(), stored.clone());
        let body = blocking(move || this.place_local(&known, Body::File(spool.file))).await?;
        self.place_remote(stored, body).await
    }

    /// Makes sure that the store can be reached and written. A full disk is no matter here.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn ping(&self) -> Result<()> {
        let this = self.clone();
        let written = blocking(move || {
            this.require_mark()?;
            this.nameless().map(drop)
        })
        .await;
        if let Err(error) = written
            && !error.is_full()
        {
            return Err(error);
        }
        match &self.inner.backend {
            Backend::Local(_) => Ok(()),
            // Any name would do: the answer counts, and not what it is.
            Backend::Remote(remote) => remote.size(&Sha256::of(b"")).await.map(drop),
        }
    }

    /// Removes scratch files that a killed process left behind; returns how many. Call it once at start, when no other
    /// process uses the spool, or with an age that no living scratch file has.
    ///
    /// # Errors
    /// When the spool cannot be listed.
    pub async fn sweep_spool(&self, older_than: std::time::Duration) -> Result<u64> {
        let this = self.clone();
        blocking(move || {
            let spool = &this.inner.spool;
            let now = this.in_spool("create a file in", || file_system_now(spool))?;
            let mut removed = 0;
            for entry in std::fs::read_dir(spool).map_err(Error::io("list", spool))? {
                let entry = entry.map_err(Error::io("list", spool))?;
                let written = entry.metadata().and_then(|metadata| metadata.modified());
                let old = written.is_ok_and(|written| written + older_than <= now);
                let path = entry.path();
                let remove = || match is_bundle(&path) {
                    true => std::fs::remove_dir_all(&path),
                    false => std::fs::remove_file(&path),
                };
                // A file that another process removed first is no trouble.
                if old && remove().is_ok() {
                    removed += 1;
                }
            }
            Ok(removed)
        })
        .await
    }

    /// Refuses to take anything in while one of the file systems of `room` has less than its reserve. The first call counts.
    pub fn keep_free(&self, room: Room) {
        let _ = self.inner.room.set(room);
    }

    /// Makes sure that there is room to take something in.
    ///
    /// # Errors
    /// [`Error::Full`] when there is not.
    pub fn require_room(&self) -> Result<()> {
        self.inner.room.get().map_or(Ok(()), Room::require)
    }

    /// The folder of scratch files, which is on the disk of the blobs where those are files.
    #[must_use]
    pub fn spool_path(&self) -> &Path {
        &self.inner.spool
    }

    /// Uploads in progress.
    #[must_use]
    pub fn uploads(&self) -> Uploads {
        Uploads::new(self)
    }

    /// Size of a local blob, and whether it may be relied on.
    async fn local_metadata(&self, sha256: Sha256) -> Result<Option<(u64, bool)>> {
        let this = self.clone();
        blocking(move || match &this.inner.backend {
            Backend::Local(local) => Ok(local
                .metadata(&sha256)?
                .map(|metadata| (metadata.len(), local.is_trusted(&metadata)))),
            Backend::Remote(_) => Ok(None),
        })
        .await
    }

    pub(crate) fn temporary(&self) -> Result<NamedTempFile> {
        let spool = &self.inner.spool;
        faults::step(spool).map_err(Error::io("create a file in", spool))?;
        self.in_spool("create a file in", || NamedTempFile::new_in(spool))
    }

    /// A scratch file without a name, for those who need only the open file.
    pub(crate) fn nameless(&self) -> Result<std::fs::File> {
        let spool = &self.inner.spool;
        self.in_spool("create a file in", || tempfile::tempfile_in(spool))
    }

    /// Makes sure that the folder of scratch files is there.
    pub(crate) fn require_spool(&self) -> Result<()> {
        let spool = &self.inner.spool;
        self.in_spool("look at", || std::fs::metadata(spool).map(drop))
    }

    /// Makes something in the folder of scratch files.
    fn in_spool<T>(&self, verb: &str, make: impl Fn() -> std::io::Result<T>) -> Result<T> {
        within(self.local_root(), &self.inner.spool, verb, make)
    }

    /// Makes sure that the folder of a local store is the one that it was.
    pub(crate) fn require_mark(&self) -> Result<()> {
        self.local_root().map_or(Ok(()), require_mark)
    }

    pub(crate) fn spool_folder(&self) -> &Path {
        &self.inner.spool
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.inner.runtime
    }

    pub(crate) fn cache(&self) -> &PublicationCache {
        &self.inner.cache
    }

    /// The blocking half of giving bytes their name. What comes back is for [`Self::place_remote`].
    pub(crate) fn place_local(&self, stored: &Stored, body: Body) -> Result<Option<Body>> {
        match &self.inner.backend {
            Backend::Local(local) => local
                .place(&stored.sha256, stored.size, body)
                .map(|()| None),
            Backend::Remote(_) => Ok(Some(body)),
        }
    }

    /// The other half, which only object stores need.
    pub(crate) async fn place_remote(&self, stored: &Stored, body: Option<Body>) -> Result<()> {
        match (&self.inner.backend, body) {
            (Backend::Remote(remote), Some(body)) => {
                remote.place(&stored.sha256, stored.size, body).await
            }
            _ => Ok(()),
        }
    }

    /// The folder of a local store.
    pub(crate) fn local_root(&self) -> Option<&Path> {
        match &self.inner.backend {
            Backend::Local(local) => Some(local.root()),
            Backend::Remote(_) => None,
        }
    }

    /// The object store, when blobs are objects.
    pub(crate) fn remote(&self) -> Option<&RemoteStore> {
        match &self.inner.backend {
            Backend::Local(_) => None,
            Backend::Remote(remote) => Some(remote),
        }
    }
}
