//! Downloads: from a session into the blob store, failures as types see them.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pith_blobs::{BlobWriter, Blobs, Nameless, SpoolFile};
use pith_content::base::shown;
use pith_content::fetch::{
    Fetch, FetchFailure, FetchFailureKind, FetchOutcome, FetchUnless, Fetched, Scratch, Validators,
};
use pith_content::{Bent, ContentError};
use pith_core::Algorithm;
use pith_core::digest::Hashed;
use pith_fetch::{ErrorKind, FetchError, Outcome, Request, RequestHeaders, Session, Sink};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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
    note_failed_mirrors(bent, &fetched.failed_mirrors);
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

/// Notes which mirrors failed where another one did not.
fn note_failed_mirrors(bent: &Bent, failed: &[FetchError]) {
    for error in failed {
        let sentence = "mirrors failed where another one had the file";
        let status = error.kind.status().filter(|_| !error.hushed);
        let name = match (error.mirror(), status) {
            (Some(mirror), Some(status)) => format!("{mirror} (status {status})"),
            (Some(mirror), None) => mirror,
            (None, _) => error.url.to_string(),
        };
        bent.note("mirrors_failed", sentence, name);
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
    also: Vec<Algorithm>,
    writer: BlobWriter,
}

impl BlobSink {
    /// A download of which these digests are worked out too.
    pub(crate) fn new(blobs: &Blobs, also: Vec<Algorithm>) -> Self {
        Self {
            blobs: blobs.clone(),
            writer: blobs.writer(&also),
            also,
        }
    }

    /// Another one of the same kind.
    pub(crate) fn anew(&self) -> Self {
        Self::new(&self.blobs, self.also.clone())
    }

    /// Ends the writing; the file gets its name later.
    pub(super) async fn nameless(self) -> pith_blobs::Result<Nameless> {
        self.writer.nameless().await
    }

    /// Keeps what came. Where there is room for it, a small file gets its name later, with many others.
    pub(crate) async fn finish(
        self,
        room: Option<&Arc<Semaphore>>,
    ) -> pith_blobs::Result<(Hashed, Option<Held>)> {
        let nameless = self.writer.nameless().await?;
        let place = room.zip(nameless.waiting()).and_then(|(room, bytes)| {
            let places = u32::try_from(bytes >> 10).ok()?.max(1);
            Arc::clone(room).try_acquire_many_owned(places).ok()
        });
        match place {
            Some(place) => {
                let stored = nameless.stored().clone();
                Ok((stored, Some(Held { nameless, place })))
            }
            None => Ok((nameless.finish().await?, None)),
        }
    }
}

/// A small file that came and has no name in the store yet.
pub(crate) struct Held {
    nameless: Nameless,
    place: OwnedSemaphorePermit,
}

impl Held {
    /// The file, and the place that it took until it has a name.
    pub(crate) fn apart(self) -> (Nameless, OwnedSemaphorePermit) {
        (self.nameless, self.place)
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

    fn hashes(&self, algorithms: &[Algorithm]) -> bool {
        let known = |one: &Algorithm| *one == Algorithm::Sha256 || self.also.contains(one);
        algorithms.iter().all(known)
    }

    async fn digests(&mut self) -> std::io::Result<Option<Hashed>> {
        let hashed = self.writer.whole().await;
        hashed
            .map(|hashed| Some(hashed.clone()))
            .map_err(std::io::Error::other)
    }

    async fn restart(&mut self) -> std::io::Result<()> {
        self.writer = self.blobs.writer(&self.also);
        Ok(())
    }
}

/// Downloads documents for a type into scratch files.
pub(crate) struct Documents<'a> {
    /// The store of scratch files and blobs.
    pub(crate) blobs: &'a Blobs,
    /// The connections.
    pub(crate) session: &'a Session,
    /// The notes of what had to be bent.
    pub(crate) bent: &'a Bent,
}

impl Documents<'_> {
    /// Downloads one.
    pub(crate) async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure> {
        let request = request(what).map_err(|error| failure(&error))?;
        let mut sink = self.sink(&request)?;
        let fetched = self.session.get(request, &mut sink).await;
        let fetched = fetched.map_err(|error| failure(&error))?;
        Ok(self.take(sink, fetched))
    }

    /// Downloads one unless the server has the known version.
    pub(crate) async fn fetch_unless(
        &self,
        FetchUnless { what, known }: FetchUnless,
    ) -> Result<FetchOutcome, FetchFailure> {
        let request = request(what).map_err(|error| failure(&error))?;
        let mut sink = self.sink(&request)?;
        let known = pith_fetch::Validators {
            etag: known.etag,
            last_modified: known.last_modified,
        };
        let outcome = self.session.get_unless(&known, request, &mut sink).await;
        match outcome.map_err(|error| failure(&error))? {
            Outcome::Fetched(fetched) => Ok(FetchOutcome::Fetched(self.take(sink, *fetched))),
            Outcome::NotModified {
                validators,
                failed_mirrors,
            } => {
                note_failed_mirrors(self.bent, &failed_mirrors);
                Ok(FetchOutcome::NotModified(as_seen(validators)))
            }
        }
    }

    fn sink(&self, request: &Request) -> Result<SpoolSink, FetchFailure> {
        let first = request.urls.first().map(shown).unwrap_or_default();
        let spool = self.blobs.spool();
        spool
            .map(SpoolSink)
            .map_err(|error| unreachable_file(&first, &error.to_string()))
    }

    fn take(&self, sink: SpoolSink, fetched: pith_fetch::Fetched) -> Fetched {
        note(self.bent, &fetched);
        let document = SpoolDocument {
            spool: sink.0,
            blobs: self.blobs.clone(),
        };
        let url = fetched.url.to_string();
        let mut taken = Fetched::new(Box::new(document), fetched.hashed, url);
        taken.validators = as_seen(fetched.validators);
        taken.told = fetched.told;
        taken
    }
}

/// The request for a document.
fn request(what: Fetch) -> Result<Request, FetchError> {
    let mut headers = RequestHeaders::default();
    for (header, value) in &what.headers {
        headers.add(header.name(), value)?;
    }
    Ok(Request {
        expect_size: what.size,
        expect: what.digests,
        headers,
        tell: what.tell,
        ..Request::new(what.urls, what.max_size)
    })
}

/// Validators as types see them.
fn as_seen(validators: pith_fetch::Validators) -> Validators {
    Validators {
        etag: validators.etag,
        last_modified: validators.last_modified,
    }
}

/// A downloaded document.
struct SpoolDocument {
    spool: SpoolFile,
    blobs: Blobs,
}

#[async_trait]
impl Scratch for SpoolDocument {
    fn path(&self) -> &Path {
        self.spool.path()
    }

    async fn into_blob(self: Box<Self>, hashed: &Hashed) -> Result<(), ContentError> {
        let kept = self.blobs.keep_hashed(self.spool, hashed).await;
        kept.map_err(ContentError::other)
    }
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
