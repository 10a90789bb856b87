//! The HTTP answer for something that has bytes.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::response::Builder;
use http::{HeaderMap, HeaderName, Method, StatusCode};
use pith_blobs::{Result, further_headers};
use pith_core::Sha256;

use crate::body::Origin;
use crate::conditional::{Validators, Verdict, time};
use crate::outgoing::Client;
use crate::range::{Asked, parse};

/// A file as a client sees it.
pub(crate) struct Representation<'a> {
    /// Its last segment, which tells the content type and how long it may be cached.
    pub(crate) name: &'a str,
    /// Headers of its own, as an index keeps them.
    pub(crate) headers: Option<&'a str>,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    /// Seconds since 1970; 0 when nobody knows.
    pub(crate) mtime: i64,
    pub(crate) origin: Origin,
    /// The client that it goes to.
    pub(crate) client: Arc<Client>,
}

impl Representation<'_> {
    /// Answers a GET or HEAD.
    pub(crate) async fn answer(self, request: &Parts) -> Result<Response> {
        let validators = Validators {
            etag: format!("\"{}\"", self.sha256),
            modified: (self.mtime != 0).then(|| time(self.mtime)),
        };
        let mut answer = self.representation(request, &validators).await?;
        further(self.headers, answer.headers_mut());
        Ok(answer)
    }

    async fn representation(&self, request: &Parts, validators: &Validators) -> Result<Response> {
        let builder = self.head(validators);
        match validators.check(&request.headers) {
            Verdict::Proceed => {}
            Verdict::NotModified => {
                return Ok(finish(
                    builder.status(StatusCode::NOT_MODIFIED),
                    Body::empty(),
                ));
            }
            Verdict::Failed => return Ok(plain(StatusCode::PRECONDITION_FAILED)),
        }
        let content_type = self.content_type();
        let builder = guarded(builder.header(CONTENT_TYPE, &content_type), &content_type);
        if request.method == Method::HEAD {
            return Ok(finish(
                builder.header(CONTENT_LENGTH, self.size),
                Body::empty(),
            ));
        }
        match self.asked(request, validators) {
            Asked::Whole => {
                let body = self.origin.body(0..self.size, &self.client).await?;
                Ok(finish(builder.header(CONTENT_LENGTH, self.size), body))
            }
            Asked::Parts(parts) => self.partial(builder, &content_type, parts).await,
            Asked::Unsatisfiable => {
                let range = format!("bytes */{}", self.size);
                let mut answer = plain(StatusCode::RANGE_NOT_SATISFIABLE);
                if let Ok(value) = range.parse() {
                    answer.headers_mut().insert(CONTENT_RANGE, value);
                }
                Ok(answer)
            }
        }
    }

    fn asked(&self, request: &Parts, validators: &Validators) -> Asked {
        let header = request
            .headers
            .get(RANGE)
            .and_then(|value| value.to_str().ok());
        match header {
            Some(header) if validators.allow_range(&request.headers) => parse(header, self.size),
            _ => Asked::Whole,
        }
    }

    async fn partial(
        &self,
        builder: Builder,
        content_type: &str,
        parts: Vec<Range<u64>>,
    ) -> Result<Response> {
        let builder = builder.status(StatusCode::PARTIAL_CONTENT);
        if let [part] = parts.as_slice() {
            let body = self.origin.body(part.clone(), &self.client).await?;
            let builder = builder.header(CONTENT_RANGE, self.content_range(part));
            return Ok(finish(
                builder.header(CONTENT_LENGTH, part.end - part.start),
                body,
            ));
        }
        // No file can hold a piece of its own digest, so this never occurs within a part.
        let boundary = &self.sha256.to_string()[..40];
        let mut length = 0;
        let mut heads = Vec::with_capacity(parts.len());
        for part in parts {
            let lead = if heads.is_empty() { "" } else { "\r\n" };
            let range = self.content_range(&part);
            let head = format!(
                "{lead}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {range}\r\n\r\n"
            );
            length += head.len() as u64 + (part.end - part.start);
            heads.push((Bytes::from(head), part));
        }
        let tail = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        length += tail.len() as u64;
        let body = self.origin.parts(heads, tail, &self.client).await?;
        let multipart = format!("multipart/byteranges; boundary={boundary}");
        let mut answer = finish(builder.header(CONTENT_LENGTH, length), body);
        if let Ok(value) = multipart.parse() {
            answer.headers_mut().insert(CONTENT_TYPE, value);
        }
        Ok(answer)
    }

    fn content_range(&self, part: &Range<u64>) -> String {
        format!("bytes {}-{}/{}", part.start, part.end - 1, self.size)
    }

    /// The content type, by the name alone: `primary.xml.gz` is a gzip file, not XML that the client should unpack.
    fn content_type(&self) -> String {
        let given = self.headers.and_then(pith_blobs::content_type);
        let given = given.filter(|text| text.parse::<http::HeaderValue>().is_ok());
        given.unwrap_or_else(|| guess(self.name)).to_owned()
    }

    fn head(&self, validators: &Validators) -> Builder {
        let cache = if is_content_addressed(self.name) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let builder = Response::builder()
            .header(ETAG, &validators.etag)
            .header(ACCEPT_RANGES, "bytes")
            .header(CACHE_CONTROL, cache);
        match validators.modified {
            Some(modified) => builder.header(LAST_MODIFIED, httpdate::fmt_http_date(modified)),
            None => builder,
        }
    }
}

/// The table of file names, without its mistakes (there, an RPM is a sound).
fn guess(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rpm" | "drpm") => "application/x-rpm",
        Some("zst") => "application/zstd",
        _ => mime_guess::from_path(name)
            .first_raw()
            .unwrap_or("application/octet-stream"),
    }
}

/// Adds headers against what strangers publish: it shares its origin with the server's own pages, so a browser must neither guess
/// a type nor run what is in it.
fn guarded(builder: Builder, content_type: &str) -> Builder {
    let builder = builder.header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    let active = ["html", "xml", "svg"]
        .iter()
        .any(|kind| content_type.contains(kind));
    if active {
        builder.header(CONTENT_SECURITY_POLICY, "sandbox")
    } else {
        builder
    }
}

/// `<digest>-primary.xml.gz` and the like: the name changes with the content.
fn is_content_addressed(name: &str) -> bool {
    let digest = name.split_once('-').map_or("", |(digest, _)| digest);
    (32..=128).contains(&digest.len()) && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Ends an answer. Header values made here are always valid; should one not be, the answer is a 500 and no panic.
fn finish(builder: Builder, body: Body) -> Response {
    builder.body(body).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer could not be put together");
        plain(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// An answer that says nothing but its status.
pub(crate) fn plain(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut page = String::new();
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<title>{status}</title>\n<h1>{reason}</h1>\n"
    );
    let mut answer = html(page.into());
    *answer.status_mut() = status;
    answer
}

/// A page made by this crate.
pub(crate) fn html(page: Bytes) -> Response {
    let builder = Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_LENGTH, page.len())
        .header(CACHE_CONTROL, "no-cache")
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff");
    builder.body(Body::from(page)).unwrap_or_default()
}

/// 405, with what is allowed.
pub(crate) fn method_not_allowed() -> Response {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED);
    answer
        .headers_mut()
        .insert(ALLOW, http::HeaderValue::from_static("GET, HEAD"));
    answer
}

/// Adds the further headers of an entry to its answer, where that has none of the name.
fn further(headers: Option<&str>, answer: &mut HeaderMap) {
    for (name, value) in headers.into_iter().flat_map(further_headers) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            answer.entry(name).or_insert(value);
        }
    }
}

/// 302 to where an entry leads.
pub(crate) fn elsewhere(location: &str, headers: Option<&str>) -> Response {
    let mut answer = redirect(StatusCode::FOUND, location);
    further(headers, answer.headers_mut());
    answer
}

/// 301 to `url`, a path on this server.
pub(crate) fn moved(url: &str) -> Response {
    redirect(StatusCode::MOVED_PERMANENTLY, url)
}

fn redirect(status: StatusCode, url: &str) -> Response {
    let mut answer = plain(status);
    match url.parse() {
        Ok(url) => {
            answer.headers_mut().insert(LOCATION, url);
            answer
        }
        Err(_) => plain(StatusCode::BAD_REQUEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_begin_with_a_digest_are_immutable() {
        let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert!(is_content_addressed(&format!("{digest}-primary.xml.gz")));
        assert!(is_content_addressed(&format!("{}-x", &digest[..32])));
        for name in [
            "repomd.xml",
            "abc-1.rpm",
            digest,
            &format!("x{digest}-y"),
            &format!("{}-x", &digest[..31]),
        ] {
            assert!(!is_content_addressed(name), "{name}");
        }
    }
}
