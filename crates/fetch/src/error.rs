//! Everything that can go wrong with a download, in words that say what to do.

use std::time::Duration;

use pith_core::Algorithm;
use url::Url;

use crate::urls::clean;

/// The reason why a download failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 404 or 410.
    #[error(
        "not found (status {status}); check the feed URL, or sync again if the upstream just changed"
    )]
    NotFound {
        /// The answer's status.
        status: u16,
    },
    /// 401, 403 or 407.
    #[error(
        "access was denied (status {status}); check the user name, password, token and client certificate"
    )]
    Denied {
        /// The answer's status.
        status: u16,
    },
    /// Any other status that is not a success.
    #[error("the server answered with status {status}; try again later or use another mirror")]
    Status {
        /// The answer's status.
        status: u16,
    },
    /// More bytes than the caller allows.
    #[error(
        "it is larger than the limit of {limit} bytes; check that the feed URL is a repository"
    )]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Another number of bytes than the metadata promise.
    #[error(
        "it has {actual} bytes instead of {expected}; the upstream's files and metadata disagree"
    )]
    SizeMismatch {
        /// Bytes promised.
        expected: u64,
        /// Bytes seen or announced; a body that grows too long is cut there.
        actual: u64,
    },
    /// Other bytes than the metadata promise.
    #[error(
        "its {algorithm} is {actual} instead of {expected}; the upstream's files and metadata disagree"
    )]
    DigestMismatch {
        /// The algorithm.
        algorithm: Algorithm,
        /// The digest promised, hexadecimal.
        expected: String,
        /// The digest of what arrived, hexadecimal.
        actual: String,
    },
    /// No connection or no answer in time.
    #[error(
        "there was no answer in time; check the network, or raise connect_timeout or read_timeout"
    )]
    Timeout,
    /// The body stopped arriving.
    #[error(
        "the server stopped sending, or sends too slowly; check the network, raise read_timeout, or lower --feed-min-speed \
         of the server"
    )]
    Stalled,
    /// The file took longer than any may.
    #[error(
        "it took longer than {limit:?}; use another mirror, or raise --feed-file-timeout of the server"
    )]
    TooLong {
        /// The limit.
        limit: Duration,
    },
    /// The connection ended before the body did.
    #[error("the connection broke before the end; check the network between here and the upstream")]
    Truncated,
    /// The answer breaks the rules of HTTP.
    #[error("the answer is not valid HTTP; check that the URL and the proxy are right")]
    Protocol,
    /// The body is not what its `Content-Encoding` says.
    #[error(
        "the server packed it (Content-Encoding) and it cannot be unpacked; use another mirror"
    )]
    Encoding,
    /// Redirects lead in a circle or too far.
    #[error("the redirects lead nowhere; check the feed URL in a browser")]
    RedirectLoop,
    /// The policy or common sense forbids it.
    #[error("refused: {0}")]
    Refused(String),
    /// No connection.
    #[error(
        "the server cannot be reached; check the URL, name resolution, the proxy and firewalls"
    )]
    Connect,
    /// No trusted connection.
    #[error(
        "TLS failed; check ssl_ca_cert, ssl_client_cert, ssl_client_key and the server's certificate"
    )]
    Tls,
    /// Certificates, proxy or other settings that cannot be used.
    #[error("the settings cannot be used: {0}")]
    Settings(String),
    /// Our own disk or whoever takes the bytes failed.
    #[error("reading or writing failed here; check free space and permissions")]
    Io,
    /// Somebody asked to stop.
    #[error("it was cancelled")]
    Cancelled,
}

impl ErrorKind {
    /// The HTTP status behind the failure, for reports that carry one (pulp2/rpm-sync#downloads).
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::NotFound { status } | Self::Denied { status } | Self::Status { status } => {
                Some(*status)
            }
            _ => None,
        }
    }

    /// Tells whether the server may well have the file under another spelling of its name.
    pub(crate) fn misspelt(&self) -> bool {
        match self {
            Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::TooLarge { .. }
            | Self::SizeMismatch { .. }
            | Self::DigestMismatch { .. } => true,
            Self::Status { .. } => !self.retryable(),
            _ => false,
        }
    }

    /// Tells whether the same request may well succeed a little later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Status { status } => matches!(status, 408 | 429 | 500..=599) && *status != 501,
            Self::Timeout | Self::Stalled | Self::Truncated | Self::Protocol | Self::Connect => {
                true
            }
            _ => false,
        }
    }
}

/// A download that failed: what, where, after how many tries, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot fetch {url}: {}{}", self.reason(), self.details())]
pub struct FetchError {
    /// The reason.
    pub kind: ErrorKind,
    /// The URL that was asked for, or where its redirects led; without secrets (empty when the settings are wrong).
    pub url: Box<str>,
    /// Tries made, over all mirrors (in [`FetchError::earlier`]: at that mirror).
    pub attempts: u32,
    /// The words of the layers below; without secrets, may be empty.
    pub message: Box<str>,
    /// The failures of the mirrors tried before this one, in order.
    pub earlier: Vec<FetchError>,
    /// Is true when readers are not to learn why it failed: the server is not in the internet.
    pub hushed: bool,
}

impl FetchError {
    pub(crate) fn new(kind: ErrorKind, url: &Url, message: impl Into<String>) -> Self {
        let url = String::from(clean(url)).into();
        Self {
            kind,
            url,
            attempts: 0,
            message: message.into().into(),
            earlier: Vec::new(),
            hushed: false,
        }
    }

    pub(crate) fn settings(what: impl Into<String>) -> Self {
        let kind = ErrorKind::Settings(what.into());
        Self {
            kind,
            url: "".into(),
            attempts: 0,
            message: "".into(),
            earlier: Vec::new(),
            hushed: false,
        }
    }

    /// Host and port of the mirror that failed, for reports by mirror; `None` for files and wrong settings.
    #[must_use]
    pub fn mirror(&self) -> Option<String> {
        let url = Url::parse(&self.url).ok()?;
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }

    /// Tells whether the same request may well succeed a little later; a [`crate::Session`] has tried that already.
    #[must_use]
    pub fn retryable(&self) -> bool {
        self.kind.retryable()
    }

    /// Takes away what the error tells of the server. A refusal by a setting of this server is told all the same.
    pub(crate) fn hush(&mut self) {
        self.hushed = !matches!(
            self.kind,
            ErrorKind::Refused(_) | ErrorKind::Settings(_) | ErrorKind::Cancelled
        );
    }

    /// Tells why it failed, as far as that may be told.
    fn reason(&self) -> String {
        match self.hushed {
            true => {
                "a server that is not in the internet did not give it; the log of this one says why"
                    .to_owned()
            }
            false => self.kind.to_string(),
        }
    }

    fn details(&self) -> String {
        let mut text = String::new();
        if self.hushed {
            return self.beside();
        }
        if !self.message.is_empty() {
            text.push_str(&format!(" ({})", self.message));
        }
        if self.attempts > 1 {
            text.push_str(&format!(" [{} attempts]", self.attempts));
        }
        text.push_str(&self.beside());
        text
    }

    /// Tells how other mirrors failed.
    fn beside(&self) -> String {
        let other = |other: &Self| format!("; before that {}: {}", other.url, other.reason());
        self.earlier.iter().map(other).collect()
    }
}
