//! A repodata file being written: hashed open, compressed, hashed again, and named by its digest (pulp2/rpm-metadata#files).

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use pith_content::publish::{Entry, GeneratedFile, PublishContext};
use pith_content::{ContentError, blocking};
use pith_core::{Algorithm, Digest, MultiHasher, RelativePath, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::metadata::members::LEVEL;
use crate::metadata::repomd::Data;
use crate::metadata::writer::Sink as MemberSink;

enum Sink {
    Plain(Box<dyn GeneratedFile>),
    Gzip(Box<GzEncoder<Box<dyn GeneratedFile>>>),
}

/// A repodata file being written.
pub struct Output {
    kind: String,
    name: String,
    sink: Sink,
    open: Option<MultiHasher>,
    algorithm: Algorithm,
}

/// A repodata file that is written: its entry of repomd.xml and of the publication.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its entry of repomd.xml.
    pub data: Data,
    /// Its entry of the publication.
    pub entry: Entry,
}

impl Output {
    /// A file of type `kind` called `<digest>-<name>`; compressed when its name ends with `.gz`.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn create(
        ctx: &dyn PublishContext,
        kind: &str,
        name: &str,
        algorithm: Algorithm,
    ) -> Result<Self, ContentError> {
        let file = ctx.file(&[algorithm])?;
        let compressed = name.ends_with(".gz");
        Ok(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            sink: if compressed {
                Sink::Gzip(Box::new(GzEncoder::new(file, Compression::new(LEVEL))))
            } else {
                Sink::Plain(file)
            },
            open: compressed.then(|| MultiHasher::new(&[algorithm])),
            algorithm,
        })
    }

    /// A compressed file that comes packed, member by member.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn packed(
        ctx: &dyn PublishContext,
        kind: &str,
        algorithm: Algorithm,
    ) -> Result<Self, ContentError> {
        Ok(Self {
            kind: kind.to_owned(),
            name: format!("{kind}.xml.gz"),
            sink: Sink::Plain(ctx.file(&[algorithm])?),
            open: Some(MultiHasher::new(&[algorithm])),
            algorithm,
        })
    }

    /// Ends the file and puts it into the blob store.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub fn finish(self, now: Timestamp) -> io::Result<Written> {
        let hashed = match self.sink {
            Sink::Plain(file) => file.finish()?,
            Sink::Gzip(gzip) => gzip.finish()?.finish()?,
        };
        let digest = |hashed: &pith_core::digest::Hashed| {
            let hex = hashed.hex(self.algorithm).unwrap_or_default();
            Digest::new(self.algorithm, &hex).map_err(io::Error::other)
        };
        let checksum = digest(&hashed)?;
        let open = self.open.map(MultiHasher::finish);
        let path = format!("repodata/{}-{}", checksum.hex(), self.name);
        Ok(Written {
            entry: Entry::from(&hashed),
            data: Data {
                kind: self.kind,
                href: RelativePath::new(path).map_err(io::Error::other)?,
                given: None,
                base: None,
                open_checksum: open.as_ref().map(digest).transpose()?,
                open_size: open.map(|o| o.size),
                checksum: Some(checksum),
                unusable: None,
                size: Some(hashed.size),
                timestamp: Some(now.as_second()),
            },
        })
    }

    /// Moves the file to a blocking thread where `work` writes what arrives in the channel, which holds `waiting`.
    pub fn write_on_thread<T: Send + 'static>(
        mut self,
        now: Timestamp,
        waiting: usize,
        work: impl FnOnce(&mut Self, mpsc::Receiver<T>) -> io::Result<()> + Send + 'static,
    ) -> (mpsc::Sender<T>, JoinHandle<io::Result<Written>>) {
        blocking::fed(waiting, move |rx| {
            work(&mut self, rx)?;
            self.finish(now)
        })
    }
}

impl MemberSink for &mut Output {
    fn member(&mut self, open: &[u8], packed: &[u8]) -> io::Result<()> {
        if let Some(hasher) = &mut self.open {
            hasher.update(open);
        }
        match &mut self.sink {
            Sink::Plain(file) => file.write_all(packed),
            Sink::Gzip(gzip) => gzip.write_all(open),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(open) = &mut self.open {
            open.update(bytes);
        }
        match &mut self.sink {
            Sink::Plain(file) => file.write_all(bytes),
            Sink::Gzip(gzip) => gzip.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A document small enough for the index itself.
#[must_use]
pub fn inline(bytes: Vec<u8>) -> Entry {
    Entry::Inline(Bytes::from(bytes))
}

/// Returns what a writing thread ended with.
///
/// # Errors
/// What it failed with.
pub async fn join(handle: JoinHandle<io::Result<Written>>) -> Result<Written, ContentError> {
    Ok(blocking::ended(handle.await)??)
}
