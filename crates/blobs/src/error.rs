//! Everything that can go wrong with bytes at rest.

use std::io;
use std::path::Path;

use pith_core::{RelativePath, Sha256};
use uuid::Uuid;

use crate::tree::Refused;

/// An error of the one who feeds a stream into this crate.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Shorthand for this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the blob store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The blob is not in the store.
    #[error(
        "blob {0} is not in the store; `pith repo download ID --verify-all` fetches files of the feed again, a publish \
         with --force-full writes what pith made"
    )]
    Missing(Sha256),
    /// A blob does not have the bytes that its name promises.
    #[error(
        "blob {expected} is damaged, its bytes hash to {actual}; `pith repo download ID --verify-all` fetches files of \
         the feed again, a publish with --force-full writes what pith made"
    )]
    Damaged {
        /// The name.
        expected: Sha256,
        /// The digest that the bytes have.
        actual: Sha256,
    },
    /// A blob is larger than its reader takes.
    #[error("blob {sha256} has more than the {limit} bytes that are read at once")]
    TooLarge {
        /// The name.
        sha256: Sha256,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The file system refused.
    #[error("cannot {action}: {source}")]
    Io {
        /// The step that was tried, with the path.
        action: String,
        /// The reason.
        source: io::Error,
    },
    /// The folder of the store is not the one that it was: another disk is mounted there, or none.
    #[error(
        "the folder of files is not the one that it was: '{0}' is not there; mount its disk again, or, if its files are \
         lost for good, start pith once with --accept-lost-files"
    )]
    NoMark(String),
    /// The disk is full: so little room is left that nothing more is taken in.
    #[error(
        "the disk that holds '{folder}' is full: {} MiB are free, and {} MiB are kept in reserve (--reserve); make it \
         larger, or delete repositories and orphans",
        free >> 20,
        reserve.div_ceil(1 << 20)
    )]
    Full {
        /// A folder on that disk.
        folder: String,
        /// The bytes that are free.
        free: u64,
        /// The bytes that are kept free.
        reserve: u64,
    },
    /// The object store refused.
    #[error("cannot {action} in the object store: {source}")]
    Object {
        /// The step that was tried, with the key.
        action: String,
        /// The reason.
        source: object_store::Error,
    },
    /// The storage URL makes no sense.
    #[error("the storage URL is not usable: {0}")]
    StorageUrl(String),
    /// The one who feeds bytes failed, so nothing was stored.
    #[error("the incoming data broke off: {0}")]
    Incoming(#[source] BoxError),
    /// No upload has this id.
    #[error("there is no upload {0}")]
    NoUpload(Uuid),
    /// An upload would grow beyond the limit.
    #[error("the upload would be larger than the limit of {limit} bytes")]
    UploadTooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Two entries of one publication have the same path.
    #[error("the publication has two files named '{0}'")]
    DuplicatePath(RelativePath),
    /// A path of a publication is a file and a directory.
    #[error(
        "'{0}' is a file of the repository, and others are below '{0}/': no folder can hold both; remove one of them, or sync \
         with remove_missing when upstream has made a folder of the file"
    )]
    FileAndDirectory(RelativePath),
    /// An entry of a publication is too large to be kept in the index.
    #[error("'{path}' has {size} bytes, too many to be kept inside of a publication's index")]
    InlineTooLarge {
        /// The path of the entry.
        path: RelativePath,
        /// Its size in bytes.
        size: usize,
    },
    /// The headers of an entry of a publication are too long to be kept in the index.
    #[error(
        "'{path}' has headers of {size} bytes, too many to be kept inside of a publication's index"
    )]
    HeadersTooLong {
        /// The path of the entry.
        path: RelativePath,
        /// Their size in bytes.
        size: usize,
    },
    /// A folder is not one that may be written for others.
    #[error("nothing can be written to '{folder}': {why}")]
    Refused {
        /// The folder.
        folder: String,
        /// The reason.
        why: Refused,
    },
    /// The place of a tree has something else.
    #[error(
        "'{0}' has something that this distributor did not write, and that an export would remove: name another folder, or empty it"
    )]
    TreeTaken(String),
    /// The path of a tree has a name of the files that are beside trees.
    #[error("'{0}' has a name in it that exports need for themselves: choose another one")]
    TreeReserved(String),
    /// A path of a publication is not a file that is here.
    #[error("'{0}' is no file that is here, so it cannot be written to a folder")]
    NoFile(String),
    /// A publication index is not one, or is damaged.
    #[error("the publication index is damaged ({0}); publish again")]
    DamagedIndex(&'static str),
    /// The process is stopping, and a piece of work was dropped.
    #[error("the server is stopping")]
    Stopping,
}

impl Error {
    pub(crate) fn io(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let action = format!("{verb} '{}'", path.display());
        move |source| Self::Io { action, source }
    }

    pub(crate) fn object(
        verb: &str,
        key: &object_store::path::Path,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let action = format!("{verb} '{key}'");
        move |source| Self::Object { action, source }
    }

    pub(crate) fn refused(folder: &Path, why: Refused) -> Self {
        let folder = folder.display().to_string();
        Self::Refused { folder, why }
    }

    /// Tells whether the disk is full, or the quota used up: the one error that goes away when somebody makes room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }

    /// Tells whether the store cannot be reached or written, or does not work now: the same call may succeed later.
    #[must_use]
    pub fn is_away(&self) -> bool {
        use io::ErrorKind as Kind;
        use object_store::Error as Remote;
        match self {
            Self::Object { source, .. } => {
                matches!(source, Remote::Generic { .. } | Remote::JoinError { .. })
            }
            Self::NoMark(_) => true,
            // A disk that is not mounted, mounted only for reading, or broken; a server of files that is gone.
            Self::Io { source, .. } => {
                is_broken_disk(source)
                    || matches!(
                        source.kind(),
                        Kind::NotFound
                            | Kind::NotADirectory
                            | Kind::PermissionDenied
                            | Kind::ReadOnlyFilesystem
                            | Kind::StaleNetworkFileHandle
                            | Kind::TimedOut
                    )
            }
            _ => false,
        }
    }

    /// Tells whether the blob that was asked for is gone or of no use any more, while the store works.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Missing(_) | Self::Damaged { .. } | Self::DamagedIndex(_) => true,
            Self::Io { source, .. } => is_broken_disk(source),
            _ => false,
        }
    }
}

/// Tells whether the disk failed to read or write.
fn is_broken_disk(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// `tokio::task::spawn_blocking` with the errors of this crate.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Stopping),
        },
    }
}
