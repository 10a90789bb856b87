//! Uploads in progress: sparse local files, addressed by id.
//!
//! Writers share a lock on the file, and [`Uploads::into_blob`] takes it alone: when it has the lock, nobody writes any
//! more, and a writer that waited finds that the upload is gone instead of writing into a blob.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use pith_core::Algorithm;
use uuid::Uuid;

use crate::error::blocking;
use crate::{Blobs, BoxError, Error, Result, Stored, hash, paths};

/// Bytes gathered before they are written.
const CHUNK: usize = 256 * 1024;

/// The uploads of this server.
#[derive(Clone)]
pub struct Uploads {
    blobs: Blobs,
    data: PathBuf,
}

impl Uploads {
    pub(crate) fn new(blobs: &Blobs, data: &Path) -> Self {
        Self {
            blobs: blobs.clone(),
            data: data.to_owned(),
        }
    }

    /// Makes an empty upload; does nothing to one that exists.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub async fn create(&self, id: Uuid) -> Result<()> {
        let path = paths::upload(&self.data, id);
        blocking(move || {
            let file = File::options()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(Error::io("create", &path))?;
            let folder = path.parent().unwrap_or(&path);
            let synced = file
                .sync_all()
                .and_then(|()| File::open(folder)?.sync_all());
            synced.map_err(Error::io("flush", &path))
        })
        .await
    }

    /// Writes `data` from `offset` on, over what is there; a gap before it reads as zeros. Returns the number of bytes
    /// written, when they are on disk.
    ///
    /// # Errors
    /// When there is no such upload, the file would have more than `limit` bytes, the stream fails or the disk does.
    /// What came before the error may have been written.
    pub async fn write_at<S, E>(
        &self,
        id: Uuid,
        offset: u64,
        mut data: S,
        limit: u64,
    ) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Into<BoxError>,
    {
        let path = paths::upload(&self.data, id);
        let opened = path.clone();
        let file = Arc::new(blocking(move || open_locked(id, &opened, Access::Write)).await?);
        let mut at = offset;
        let mut buffer = Vec::new();
        while let Some(piece) = data
            .try_next()
            .await
            .map_err(|error| Error::Incoming(error.into()))?
        {
            let end = at
                .saturating_add(buffer.len() as u64)
                .saturating_add(piece.len() as u64);
            if end > limit {
                return Err(Error::UploadTooLarge { limit });
            }
            buffer.extend_from_slice(&piece);
            if buffer.len() >= CHUNK {
                (at, buffer) = write_out(&file, &path, at, buffer).await?;
            }
        }
        (at, _) = write_out(&file, &path, at, buffer).await?;
        blocking(move || file.sync_data().map_err(Error::io("flush", &path))).await?;
        Ok(at - offset)
    }

    /// The upload opened for reading.
    ///
    /// # Errors
    /// When there is no such upload or it cannot be opened.
    pub async fn open(&self, id: Uuid) -> Result<File> {
        let path = paths::upload(&self.data, id);
        blocking(move || File::open(&path).map_err(no_upload("open", &path, id))).await
    }

    /// Bytes of the upload; `None` when there is none of this id.
    ///
    /// # Errors
    /// When the file system cannot be asked.
    pub async fn len(&self, id: Uuid) -> Result<Option<u64>> {
        let path = paths::upload(&self.data, id);
        let found =
            blocking(move || fs::metadata(&path).map_err(no_upload("look at", &path, id))).await;
        optional(found.map(|metadata| metadata.len()))
    }

    /// Removes an upload; false when there is none.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn delete(&self, id: Uuid) -> Result<bool> {
        let path = paths::upload(&self.data, id);
        let removed =
            blocking(move || fs::remove_file(&path).map_err(no_upload("remove", &path, id))).await;
        Ok(optional(removed)?.is_some())
    }

    /// The ids of all uploads, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<Uuid>> {
        let folder = paths::uploads(&self.data);
        blocking(move || {
            let mut ids = Vec::new();
            for entry in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
                let entry = entry.map_err(Error::io("list", &folder))?;
                ids.extend(
                    entry
                        .file_name()
                        .to_str()
                        .and_then(|name| Uuid::try_parse(name).ok()),
                );
            }
            ids.sort_unstable();
            Ok(ids)
        })
        .await
    }

    /// Turns an upload into a blob, without copying it where that is possible; the upload is gone afterwards.
    ///
    /// # Errors
    /// When there is no such upload or it cannot be stored; then the upload stays.
    pub async fn into_blob(&self, id: Uuid, also: &[Algorithm]) -> Result<Stored> {
        let path = paths::upload(&self.data, id);
        let (blobs, also) = (self.blobs.clone(), also.to_vec());
        blocking(move || {
            let mut file = open_locked(id, &path, Access::Alone)?;
            if blobs.is_local() {
                let stored = hash::file(&file, &path, &also)?;
                blobs.adopt_local(&stored, &path)?;
                return Ok(stored);
            }
            let mut writer = blobs.sync_writer(&also);
            io::copy(&mut file, &mut writer).map_err(Error::io("copy", &path))?;
            let stored = writer.finish()?;
            fs::remove_file(&path).map_err(no_upload("remove", &path, id))?;
            Ok(stored)
        })
        .await
    }
}

async fn write_out(
    file: &Arc<File>,
    path: &Path,
    at: u64,
    mut buffer: Vec<u8>,
) -> Result<(u64, Vec<u8>)> {
    let (file, path) = (Arc::clone(file), path.to_owned());
    blocking(move || {
        file.write_all_at(&buffer, at)
            .map_err(Error::io("write", &path))?;
        let next = at + buffer.len() as u64;
        buffer.clear();
        Ok((next, buffer))
    })
    .await
}

#[derive(Clone, Copy)]
enum Access {
    Write,
    Alone,
}

fn open_locked(id: Uuid, path: &Path, access: Access) -> Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(no_upload("open", path, id))?;
    match access {
        Access::Write => file.lock_shared(),
        Access::Alone => file.lock(),
    }
    .map_err(Error::io("lock", path))?;
    let still_there = fs::metadata(path).map_err(no_upload("look at", path, id))?;
    let locked = file.metadata().map_err(Error::io("look at", path))?;
    if (still_there.dev(), still_there.ino()) == (locked.dev(), locked.ino()) {
        Ok(file)
    } else {
        Err(Error::NoUpload(id))
    }
}

fn no_upload(verb: &str, path: &Path, id: Uuid) -> impl FnOnce(io::Error) -> Error {
    let other = Error::io(verb, path);
    move |error| {
        if error.kind() == io::ErrorKind::NotFound {
            Error::NoUpload(id)
        } else {
            other(error)
        }
    }
}

fn optional<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NoUpload(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
