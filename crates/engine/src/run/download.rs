//! Downloads: from a session into the blob store, failures as types see them.

use async_trait::async_trait;
use bytes::Bytes;
use pith_blobs::{BlobWriter, Blobs};
use pith_content::fetch::{FetchFailure, FetchFailureKind};
use pith_core::digest::Hashed;
use pith_fetch::{ErrorKind, FetchError, Sink};
use url::Url;

/// A file that could not be had, for a reason of our own.
pub(crate) fn unreachable_file(url: &str, message: &str) -> FetchFailure {
    FetchFailure {
        url: url.to_owned(),
        status: None,
        message: format!("{url}: {message}"),
        kind: FetchFailureKind::Unreachable,
    }
}

/// URLs as a type gives them, absolute.
pub(crate) fn resolve(feed: Option<&Url>, urls: &[String]) -> Result<Vec<Url>, FetchFailure> {
    let absolute = |text: &String| match (Url::parse(text), feed) {
        (Ok(url), _) => Ok(url),
        (Err(_), Some(feed)) => feed
            .join(text)
            .map_err(|error| unreachable_file(text, &error.to_string())),
        (Err(error), None) => Err(unreachable_file(text, &error.to_string())),
    };
    urls.iter().map(absolute).collect()
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
        _ => (None, FetchFailureKind::Unreachable),
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
    writer: BlobWriter,
}

impl BlobSink {
    pub(crate) fn new(blobs: &Blobs) -> Self {
        Self {
            blobs: blobs.clone(),
            writer: blobs.writer(&[]),
        }
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
        self.writer = self.blobs.writer(&[]);
        Ok(())
    }
}
