//! `file://` feeds: the same promises for bytes on this machine's disks.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use url::Url;

use crate::answers::Meta;
use crate::error::{ErrorKind, FetchError};
use crate::file_feeds::FileFeeds;
use crate::receiver::{Arrived, Failed, Receiver};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// The reason why a file cannot be read.
enum Unreadable {
    Refused(&'static str),
    Io(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Unreadable {
    fn explain(self, url: &Url) -> FetchError {
        let kind = match &self {
            Self::Refused(why) => ErrorKind::Refused((*why).to_owned()),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    ErrorKind::NotFound { status: 404 }
                }
                io::ErrorKind::PermissionDenied => ErrorKind::Denied { status: 403 },
                _ => ErrorKind::Io,
            },
        };
        let message = match self {
            Self::Refused(_) => String::new(),
            Self::Io(error) => error.to_string(),
        };
        FetchError::new(kind, url, message)
    }
}

/// Streams a local file.
pub(crate) async fn attempt(body: &mut Receiver<'_>, url: &Url) -> Result<Arrived, Failed> {
    // A document from a server must not have files of this machine read.
    let local = body.session.reads_files();
    let path = path(url, local).map_err(|error| error.explain(url))?;
    let feeds = body.session.file_feeds();
    let opened = tokio::task::spawn_blocking(move || open(&feeds, &path))
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error).into()));
    let (file, metadata) = opened.map_err(|error| error.explain(url))?;
    let total = Some(metadata.len());
    body.check_total(total, url)?;
    body.hold(true);
    body.start(total, url).await?;
    let mut file = tokio::fs::File::from_std(file);
    file.set_max_buf_size(CHUNK);
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let read = file.read_buf(&mut buffer).await;
        if read.map_err(|error| Unreadable::Io(error).explain(url))? == 0 {
            break;
        }
        body.take(buffer.freeze(), url).await?;
    }
    let hashed = body.check_complete(url).await?;
    let meta = Meta::without_headers(url);
    Ok(Arrived::Whole(Box::new(meta), hashed))
}

fn path(url: &Url, local: bool) -> Result<PathBuf, Unreadable> {
    if !local {
        return Err(Unreadable::Refused(
            "a feed that is no file:// URL names a file on this machine",
        ));
    }
    crate::urls::path_of(url).map_err(Unreadable::Refused)
}

/// Opens a regular file below a folder that is allowed, and nothing else: a pipe in its place must not make the server wait.
fn open(feeds: &FileFeeds, path: &Path) -> Result<(std::fs::File, Metadata), Unreadable> {
    feeds.check(path).map_err(Unreadable::Refused)?;
    let regular = |metadata: &Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(Unreadable::Refused("it is not a regular file")),
    };
    // Looked at first, since opening a device can already do something; and again, since it may be swapped in between.
    regular(&std::fs::metadata(path)?)?;
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path)?;
    feeds.check_opened(&file).map_err(Unreadable::Refused)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    Ok((file, metadata))
}
