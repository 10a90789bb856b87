//! A request as an endpoint sees it.

use std::io;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, Method};

use super::Params;

/// Bytes as they come.
pub type BodyStream = BoxStream<'static, io::Result<Bytes>>;

/// The body of a request, as its route takes it.
pub enum Body {
    /// None.
    Nothing,
    /// A document.
    Document(Bytes),
    /// Bytes as they come.
    Stream(BodyStream),
}

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody that is known.
    Nobody,
    /// Somebody with a certificate that is no login. What it opens is for the guards of what is published to say.
    Certificate,
    /// A user, by login, or a consumer, by id.
    Login(String),
}

/// One request: found, its sender known, its body taken in.
pub struct Request {
    /// The method; that of a route of `GET` may be `HEAD`.
    pub method: Method,
    /// The path as it came.
    pub path: String,
    /// Values of the variables in the path, decoded.
    pub params: Params,
    /// The query's pairs, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The headers that the route reads.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

impl Request {
    /// The last value of a query parameter.
    #[must_use]
    pub fn asked(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter().rev();
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The text of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The document of a route that takes one.
    #[must_use]
    pub fn document(&self) -> &[u8] {
        match &self.body {
            Body::Document(bytes) => bytes,
            Body::Nothing | Body::Stream(_) => &[],
        }
    }

    /// The bytes of a route that takes them as they come.
    pub fn stream(&mut self) -> BodyStream {
        match std::mem::replace(&mut self.body, Body::Nothing) {
            Body::Stream(stream) => stream,
            other => {
                self.body = other;
                Box::pin(futures::stream::empty())
            }
        }
    }
}
