//! An answer of an endpoint, and the reasons why there is none.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pith_core::error::PulpError;
use serde_json::Value;

use super::BodyStream;
use crate::ContentError;

/// The body of an answer.
pub enum AnswerBody {
    /// Bytes that are in memory.
    Bytes(Bytes),
    /// Bytes as they come. An error breaks the connection.
    Stream(BodyStream),
}

/// An answer. A `HEAD` gets its head alone.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: AnswerBody,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: AnswerBody::Bytes(Bytes::new()),
        }
    }

    /// A text.
    #[must_use]
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Self {
        Self::bytes(
            status,
            HeaderValue::from_static("text/plain; charset=utf-8"),
            text,
        )
    }

    /// A JSON document.
    #[must_use]
    pub fn json(status: StatusCode, document: &Value) -> Self {
        let text = document.to_string();
        Self::bytes(status, HeaderValue::from_static("application/json"), text)
    }

    fn bytes(status: StatusCode, kind: HeaderValue, bytes: impl Into<Bytes>) -> Self {
        let mut this = Self::empty(status);
        this.headers.insert(CONTENT_TYPE, kind);
        this.body = AnswerBody::Bytes(bytes.into());
        this
    }

    /// Bytes as they come.
    #[must_use]
    pub fn stream(status: StatusCode, stream: BodyStream) -> Self {
        Self {
            body: AnswerBody::Stream(stream),
            ..Self::empty(status)
        }
    }

    /// Adds a header.
    ///
    /// # Errors
    /// 500 for a value that cannot be sent.
    pub fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Result<Self, Refusal> {
        let value = HeaderValue::from_str(value.as_ref()).map_err(Refusal::failed)?;
        self.headers.insert(name, value);
        Ok(self)
    }
}

/// The reason why a request is not answered as it should be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// The reason, for people.
    pub message: String,
    /// The failure behind it, which is logged when the refusal is answered, and which no client is told.
    #[source]
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Refusal {
    /// A refusal with this status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            cause: None,
        }
    }

    /// Names the failure of the platform that is behind it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// The failure of the platform behind it; `None` when it is the family's own.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.source()
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 400.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 500, for what should not have failed. The log says the reason.
    pub fn failed(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string())
    }

    /// The refusal as a text, which asks for a login where that is missing.
    #[must_use]
    pub fn plain(&self) -> Answer {
        let mut answer = Answer::text(self.status, format!("{}\n", self.message));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"pith\"");
            answer.headers.insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

impl From<ContentError> for Refusal {
    fn from(error: ContentError) -> Self {
        Self::failed(error)
    }
}

impl From<PulpError> for Refusal {
    /// The refusal of an error of the platform. What a login may not do is 403: clients ask again for a login at 401, which Pulp says for both.
    fn from(error: PulpError) -> Self {
        let denied = error.code() == "PLP0026";
        let status = StatusCode::from_u16(error.status).ok().filter(|_| !denied);
        Self::new(status.unwrap_or(StatusCode::FORBIDDEN), error.to_string())
    }
}
