//! Uploads in progress, addressed by id: a sparse file where blobs are files, an object for each segment where they are
//! objects. They lie in the storage that all processes share and not beside one of them, because the process that takes a
//! segment is not the one that imports it.

use std::fs::{self, File};
use std::io::{self, Seek as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use uuid::Uuid;

use crate::error::blocking;
use crate::folders::{require_mark, within};
use crate::remote::RemoteStore;
use crate::{Blobs, BoxError, Error, Result, paths};

/// Bytes gathered before they are written.
const CHUNK: usize = 256 * 1024;

/// The uploads of this server.
#[derive(Clone)]
pub struct Uploads {
    blobs: Blobs,
}

/// The place of an upload.
enum Place<'a> {
    File(PathBuf),
    Objects(&'a RemoteStore),
}

impl Uploads {
    pub(crate) fn new(blobs: &Blobs) -> Self {
        Self {
            blobs: blobs.clone(),
        }
    }

    fn place(&self, id: Uuid) -> Place<'_> {
        match (self.blobs.remote(), self.blobs.local_root()) {
            (Some(remote), _) => Place::Objects(remote),
            (None, root) => Place::File(paths::upload(root.unwrap_or(Path::new("")), id)),
        }
    }

    /// Makes an empty upload; does nothing to one that exists.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub async fn create(&self, id: Uuid) -> Result<()> {
        self.blobs.require_room()?;
        let path = match self.place(id) {
            Place::Objects(remote) => return remote.upload_create(id).await,
            Place::File(path) => path,
        };
        let blobs = self.blobs.clone();
        blocking(move || {
            blobs.require_mark()?;
            let folder = path.parent().unwrap_or(&path);
            let create = || File::options().create(true).append(true).open(&path);
            let file = within(blobs.local_root(), folder, "create a file in", create)?;
            let synced = file
                .sync_all()
                .and_then(|()| File::open(folder)?.sync_all());
            synced.map_err(|error| {
                // An upload that nobody was told of: nothing would ever take it away. A full one is kept.
                if file.metadata().is_ok_and(|found| found.len() == 0) {
                    let _ = fs::remove_file(&path);
                }
                Error::io("flush", &path)(error)
            })
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
        let (path, file, mut at) = match self.place(id) {
            Place::Objects(remote) => {
                remote.upload_require(id).await?;
                // Gathered here first: only whole segments become objects.
                let path = PathBuf::from("a scratch file");
                (path, self.blobs.nameless()?, 0)
            }
            Place::File(path) => {
                let opened = path.clone();
                let file = blocking(move || open_to_write(id, &opened)).await?;
                (path, file, offset)
            }
        };
        // How far the place in the file is from the place in the upload.
        let shift = offset - at;
        let start = at;
        let file = Arc::new(file);
        let mut buffer = Vec::new();
        while let Some(piece) = data
            .try_next()
            .await
            .map_err(|error| Error::Incoming(error.into()))?
        {
            let end = shift
                .saturating_add(at)
                .saturating_add(buffer.len() as u64)
                .saturating_add(piece.len() as u64);
            if end > limit {
                return Err(Error::UploadTooLarge { limit });
            }
            buffer.extend_from_slice(&piece);
            if buffer.len() >= CHUNK {
                self.blobs.require_room()?;
                (at, buffer) = write_out(&file, &path, at, buffer).await?;
            }
        }
        self.blobs.require_room()?;
        (at, _) = write_out(&file, &path, at, buffer).await?;
        let written = at - start;
        if let Place::Objects(remote) = self.place(id) {
            let mut file = Arc::into_inner(file).ok_or(Error::Stopping)?;
            file.rewind().map_err(Error::io("read", &path))?;
            remote.upload_segment(id, offset, written, file).await?;
        } else {
            blocking(move || file.sync_data().map_err(Error::io("flush", &path))).await?;
        }
        Ok(written)
    }

    /// The upload opened for reading.
    ///
    /// # Errors
    /// When there is no such upload or it cannot be opened.
    pub async fn open(&self, id: Uuid) -> Result<File> {
        match self.place(id) {
            Place::Objects(remote) => remote.upload_assemble(id, self.blobs.nameless()?).await,
            Place::File(path) => {
                blocking(move || File::open(&path).map_err(no_upload("open", &path, id))).await
            }
        }
    }

    /// Bytes of the upload; `None` when there is none of this id.
    ///
    /// # Errors
    /// When the file system cannot be asked.
    pub async fn len(&self, id: Uuid) -> Result<Option<u64>> {
        let path = match self.place(id) {
            Place::Objects(remote) => return optional(remote.upload_len(id).await),
            Place::File(path) => path,
        };
        let found =
            blocking(move || fs::metadata(&path).map_err(no_upload("look at", &path, id))).await;
        optional(found.map(|metadata| metadata.len()))
    }

    /// Removes an upload; false when there is none.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn delete(&self, id: Uuid) -> Result<bool> {
        let path = match self.place(id) {
            Place::Objects(remote) => return remote.upload_delete(id).await,
            Place::File(path) => path,
        };
        let removed =
            blocking(move || fs::remove_file(&path).map_err(no_upload("remove", &path, id))).await;
        Ok(optional(removed)?.is_some())
    }

    /// The ids of all uploads, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<Uuid>> {
        let Some(root) = self.blobs.local_root() else {
            let mut ids = match self.blobs.remote() {
                Some(remote) => remote.upload_list().await?,
                None => Vec::new(),
            };
            ids.sort_unstable();
            return Ok(ids);
        };
        let root = root.to_owned();
        blocking(move || {
            let folder = paths::uploads(&root);
            let mut ids = Vec::new();
            let entries = within(Some(&root), &folder, "list", || fs::read_dir(&folder));
            for entry in entries? {
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

fn open_to_write(id: Uuid, path: &Path) -> Result<File> {
    File::options()
        .read(true)
        .write(true)
        .open(path)
        .map_err(no_upload("open", path, id))
}

fn no_upload(verb: &str, path: &Path, id: Uuid) -> impl FnOnce(io::Error) -> Error {
    let other = Error::io(verb, path);
    move |error| {
        if error.kind() == io::ErrorKind::NotFound {
            // It lies in the folder of uploads, and that in the folder of the store.
            let store = path.ancestors().nth(2).map_or(Ok(()), require_mark);
            store.err().unwrap_or(Error::NoUpload(id))
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
