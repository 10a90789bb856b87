//! The bytes of one download on their way to its sink: counted, hashed, and held against what was promised.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pith_core::digest::{Hashed, deciding};
use pith_core::{Algorithm, MultiHasher};
use url::Url;

use crate::answers::Meta;
use crate::download::Request;
use crate::error::{ErrorKind, FetchError};
use crate::headers::Validators;
use crate::session::Session;
use crate::sink::Sink;

/// Bytes hashed before other tasks get their turn: well under a millisecond of work.
const HASH_SLICE: usize = 256 * 1024;

/// The reason why an attempt failed, and what that means for the next.
pub(crate) struct Failed {
    pub(crate) error: Box<FetchError>,
    /// No mirror can help: our side failed.
    pub(crate) fatal: bool,
    /// The wait that the server asked for.
    pub(crate) wait: Option<Duration>,
}

impl From<FetchError> for Failed {
    fn from(error: FetchError) -> Self {
        let fatal = matches!(error.kind, ErrorKind::Settings(_));
        Self {
            error: Box::new(error),
            fatal,
            wait: None,
        }
    }
}

/// The end of an attempt that went well.
pub(crate) enum Arrived {
    /// A body that arrived whole and as promised.
    Whole(Box<Meta>, Hashed),
    /// The server has the known version of the file, with these validators.
    Unchanged(Validators),
}

/// The receiver of a body, whichever attempt and mirror it comes from.
pub(crate) struct Receiver<'a> {
    pub(crate) session: &'a Session,
    pub(crate) request: &'a Request,
    sink: &'a mut dyn Sink,
    /// The hasher; `None` while the sink hashes.
    hasher: Option<MultiHasher>,
    /// The number of bytes so far.
    pub(crate) received: u64,
    head: BytesMut,
    /// Is true when the sink was told of a body.
    begun: bool,
}

/// The digests to work out of a body, beside SHA-256.
fn algorithms(request: &Request) -> Vec<Algorithm> {
    let expected = request.expect.iter().map(pith_core::Digest::algorithm);
    expected.chain(request.also.iter().copied()).collect()
}

impl<'a> Receiver<'a> {
    /// A receiver that nothing has come to.
    pub(crate) fn new(session: &'a Session, request: &'a Request, sink: &'a mut dyn Sink) -> Self {
        Self {
            session,
            request,
            sink,
            hasher: None,
            received: 0,
            head: BytesMut::new(),
            begun: false,
        }
    }

    /// The beginning of what has come, as long as the request asks for.
    pub(crate) fn into_head(self) -> Bytes {
        self.head.freeze()
    }

    /// Refuses a body whose announced size is wrong before any of it is read.
    pub(crate) fn check_total(&self, total: Option<u64>, url: &Url) -> Result<(), Failed> {
        let Some(actual) = total else { return Ok(()) };
        if actual > self.request.max_size {
            return Err(self.too_large(url));
        }
        match self.request.expect_size {
            Some(expected) if expected != actual => {
                Err(FetchError::new(ErrorKind::SizeMismatch { expected, actual }, url, "").into())
            }
            _ => Ok(()),
        }
    }

    /// The failure of a body of more bytes than the request takes.
    pub(crate) fn too_large(&self, url: &Url) -> Failed {
        let limit = self.request.max_size;
        FetchError::new(ErrorKind::TooLarge { limit }, url, "").into()
    }

    /// Tells the sink whether what comes now is to be kept back until it is verified.
    pub(crate) fn hold(&mut self, held: bool) {
        self.sink.hold(held);
    }

    /// A body starts from its first byte.
    pub(crate) async fn start(&mut self, total: Option<u64>, url: &Url) -> Result<(), Failed> {
        if self.begun {
            self.sink
                .restart()
                .await
                .map_err(|error| ours(&error, url))?;
            self.head.clear();
            self.received = 0;
        }
        self.begun = true;
        let algorithms = algorithms(self.request);
        let is_hashed = self.sink.hashes(&algorithms);
        self.hasher = (!is_hashed).then(|| MultiHasher::new(&algorithms));
        self.sink
            .begin(total.or(self.request.expect_size))
            .await
            .map_err(|error| ours(&error, url))
    }

    /// Counts, hashes and passes on the next bytes.
    pub(crate) async fn take(&mut self, bytes: Bytes, url: &Url) -> Result<(), Failed> {
        let received = self.received + bytes.len() as u64;
        if let Some(expected) = self
            .request
            .expect_size
            .filter(|expected| received > *expected)
        {
            return Err(FetchError::new(
                ErrorKind::SizeMismatch {
                    expected,
                    actual: received,
                },
                url,
                "",
            )
            .into());
        }
        if received > self.request.max_size {
            return Err(self.too_large(url));
        }
        self.received = received;
        self.session.state.shared.figures.came(bytes.len());
        let missing = self.request.head_bytes.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(&bytes[..missing.min(bytes.len())]);
        if let Some(hasher) = &mut self.hasher {
            for slice in bytes.chunks(HASH_SLICE) {
                hasher.update(slice);
                if slice.len() == HASH_SLICE {
                    tokio::task::yield_now().await;
                }
            }
        }
        self.sink
            .write(bytes)
            .await
            .map_err(|error| ours(&error, url))
    }

    /// Tells whether all of it is there, and is what was promised.
    pub(crate) async fn check_complete(&mut self, url: &Url) -> Result<Hashed, Failed> {
        let actual = self.received;
        if self
            .request
            .expect_size
            .is_some_and(|expected| actual < expected)
        {
            // The end of the connection was the end of the body, so this may be a broken connection.
            return Err(FetchError::new(
                ErrorKind::Truncated,
                url,
                format!("after {actual} bytes"),
            )
            .into());
        }
        let hashed = match self.hasher.take() {
            Some(hasher) => Some(hasher.finish()),
            None => {
                let digests = self.sink.digests().await;
                digests.map_err(|error| ours(&error, url))?
            }
        };
        let Some(hashed) = hashed else {
            let error = std::io::Error::other("a sink did not hash as it promised");
            return Err(ours(&error, url));
        };
        let wrong = deciding(&self.request.expect).find(|digest| !hashed.matches(digest));
        if let Some(digest) = wrong {
            let kind = ErrorKind::DigestMismatch {
                algorithm: digest.algorithm(),
                expected: digest.hex().to_owned(),
                actual: hashed.hex(digest.algorithm()).unwrap_or_default(),
            };
            return Err(FetchError::new(kind, url, "").into());
        }
        Ok(hashed)
    }
}

/// The sink failed, which no mirror can mend.
fn ours(error: &std::io::Error, url: &Url) -> Failed {
    Failed {
        error: Box::new(FetchError::new(ErrorKind::Io, url, error.to_string())),
        fatal: true,
        wait: None,
    }
}
