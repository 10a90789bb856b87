//! Downloads: from a session into the blob store, failures as types see them.

use std::io::Write;

use async_trait::async_trait;
use bytes::Bytes;
use pith_blobs::{BlobWriter, Blobs, SpoolFile};
use pith_content::Bent;
use pith_content::base::shown;
use pith_content::fetch::{Fetch, FetchFailure, FetchFailureKind, Fetched};
use pith_core::Algorithm;
use pith_core::digest::Hashed;
use pith_fetch::{ErrorKind, FetchError, Request, Session, Sink};

use crate::Engine;

/// Largest file taken when nobody says how large it is.
pub(crate) const MAX_FILE: u64 = 64 << 30;

/// A file that could not be had, for a reason of our own.
pub(crate) fn unreachable_file(url: &str, message: &str) -> FetchFailure {
    FetchFailure {
        url: url.to_owned(),
        status: None,
        message: format!("{url}: {message}"),
        kind: FetchFailureKind::Unreachable,
    }
}

/// Notes what had to be bent so that a file could be had.
pub(crate) fn note(bent: &Bent, fetched: &pith_fetch::Fetched) {
    for error in &fetched.failed_mirrors {
        let sentence = "mirrors failed where another one had the file";
        let status = error.kind.status().filter(|_| !error.hushed);
        let name = match (error.mirror(), status) {
            (Some(mirror), Some(status)) => format!("{mirror} (status {status})"),
            (Some(mirror), None) => mirror,
            (None, _) => error.url.to_string(),
        };
        bent.note("mirrors_failed", sentence, name);
    }
    if fetched.respelt {
        let sentence = "files are there only when their names are asked for as they stand";
        bent.note("raw_spelling", sentence, &fetched.url);
    }
    if fetched.unpacked {
        let sentence =
            "files came packed (Content-Encoding), which was not asked for, and were unpacked";
        bent.note("content_encoding", sentence, &fetched.url);
    }
}

/// A failed download as types see it.
pub(crate) fn failure(error: &FetchError) -> FetchFailure {
    let (status, kind) = match &error.kind {
        ErrorKind::NotFound { status } => (Some(*status), FetchFailureKind::NotFound),
        ErrorKind::Denied { status } | ErrorKind::Status { status } => {
            (Some(*status), FetchFailureKind::Status)
        }
        ErrorKind::TooLarge { .. } => (None, FetchFailureKind::TooLarge),
        ErrorKind::SizeMismatch { expected, actual } => (
            None,
            FetchFailureKind::Size {
                expected: *expected,
                actual: *actual,
            },
        ),
        ErrorKind::DigestMismatch {
            algorithm,
            expected,
            actual,
        } => {
            let (expected, actual) = (expected.clone(), actual.clone());
            let algorithm = *algorithm;
            (
                None,
                FetchFailureKind::Digest {
                    algorithm,
                    expected,
                    actual,
                },
            )
        }
        ErrorKind::Io => (None, FetchFailureKind::Ours),
        _ => (None, FetchFailureKind::Unreachable),
    };
    let (status, kind) = match (error.hushed, kind) {
        (false, kind) => (status, kind),
        // What is missing may be left out; nothing else is told.
        (true, FetchFailureKind::NotFound) => (None, FetchFailureKind::NotFound),
        (true, _) => (None, FetchFailureKind::Unreachable),
    };
    FetchFailure {
        url: error.url.to_string(),
        status,
        message: error.to_string(),
        kind,
    }
}

/// A download that becomes a blob.
pub(crate) struct BlobSink {
    blobs: Blobs,
    also: &'static [Algorithm],
    writer: BlobWriter,
}

impl BlobSink {
    /// A download of which these digests are worked out too.
    pub(crate) fn new(blobs: &Blobs, also: &'static [Algorithm]) -> Self {
        Self {
            blobs: blobs.clone(),
            also,
            writer: blobs.writer(also),
        }
    }

    /// Another one of the same kind.
    pub(crate) fn anew(&self) -> Self {
        Self::new(&self.blobs, self.also)
    }

    pub(crate) async fn finish(self) -> pith_blobs::Result<Hashed> {
        self.writer.finish().await
    }
}

#[async_trait]
impl Sink for BlobSink {
    async fn write(&mut self, bytes: Bytes) -> std::io::Result<()> {
        self.writer
            .write_bytes(bytes)
            .await
            .map_err(std::io::Error::other)
    }

    async fn restart(&mut self) -> std::io::Result<()> {
        self.writer = self.blobs.writer(self.also);
        Ok(())
    }
}

/// Downloads a document for a type into a scratch file.
pub(crate) async fn fetch_document(
    engine: &Engine,
    session: &Session,
    what: Fetch,
    bent: &Bent,
) -> Result<Fetched, FetchFailure> {
    let request = Request {
        urls: what.urls,
        max_size: what.max_size,
        expect_size: what.size,
        expect: what.digests,
        head_bytes: 0,
    };
    let first = request.urls.first().map(shown).unwrap_or_default();
    let spool = engine
        .blobs
        .spool()
        .map_err(|error| unreachable_file(&first, &error.to_string()))?;
    let mut sink = SpoolSink(spool);
    let fetched = session
        .get(request, &mut sink)
        .await
        .map_err(|error| failure(&error))?;
    note(bent, &fetched);
    let path = sink.0.path().to_owned();
    Ok(Fetched::new(
        path,
        fetched.hashed,
        fetched.url.to_string(),
        None,
        Box::new(sink.0),
    ))
}

struct SpoolSink(SpoolFile);

#[async_trait]
impl Sink for SpoolSink {
    async fn write(&mut self, bytes: Bytes) -> std::io::Result<()> {
        // Into the page cache; the file system's own write-back does the rest.
        self.0.write_all(&bytes)
    }

    async fn restart(&mut self) -> std::io::Result<()> {
        use std::io::Seek;
        self.0.file().set_len(0)?;
        self.0.rewind()
    }
}
