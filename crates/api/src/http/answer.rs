//! The answers of handlers.

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::{Stream, StreamExt, TryStreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use pith_core::error::PulpError;
use pith_core::task::CallReport;
use pith_engine::Error;
use pith_pulp::error::is_for_operators;
use pith_pulp::search::{DocumentStream, Shown};
use pith_store::reading;
use serde::Serialize;
use serde_json::{Value, json};

use super::json::{write, write_text};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// The seconds after which a part that does not work now may work again.
pub(super) const RETRY: HeaderValue = HeaderValue::from_static("10");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Bytes of texts that an error tells at most.
const MOST_TOLD: usize = 64 * 1024;
/// Bytes of one text of an error.
const LONGEST_TEXT: usize = 8 * 1024;
/// Entries of a list or an object of an error.
const MOST_ITEMS: usize = 200;

/// An answer that is not an error of Pulp's kind.
pub(crate) struct RestAnswer {
    status: u16,
    location: Option<String>,
    body: Content,
}

enum Content {
    Json(Vec<u8>),
    Html(&'static str),
    Stream(Body),
    Nothing,
}

impl RestAnswer {
    fn new(status: u16, body: Content) -> Self {
        Self {
            status,
            location: None,
            body,
        }
    }

    /// A JSON document with a status of its own.
    pub(crate) fn with_status(status: u16, value: &impl Serialize) -> Result<Self, Error> {
        let mut text = Vec::with_capacity(512);
        write(&mut text, value).map_err(Error::fault)?;
        Ok(Self::new(status, Content::Json(text)))
    }

    /// A text sent as HTML: what Pulp's framework answered where it had no document.
    pub(crate) fn html(status: u16, text: &'static str) -> Self {
        Self::new(status, Content::Html(text))
    }

    /// 200 with a JSON document.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, Error> {
        Self::with_status(200, value)
    }

    /// 200 with `null`.
    pub(crate) fn null() -> Self {
        Self::new(200, Content::Json(b"null".to_vec()))
    }

    /// 201 with a document that names itself by `_href`.
    pub(crate) fn created(document: &Value) -> Result<Self, Error> {
        let mut answer = Self::with_status(201, document)?;
        answer.location = document["_href"].as_str().map(str::to_owned);
        Ok(answer)
    }

    /// 202 with the call report of queued work.
    pub(crate) fn queued(task: pith_core::TaskId) -> Result<Self, Error> {
        Self::with_status(202, &CallReport::queued(task).to_json())
    }

    /// 202 with the report of a group of queued tasks.
    pub(crate) fn queued_group(group: uuid::Uuid) -> Result<Self, Error> {
        let href = format!("/pulp/api/v2/task_groups/{group}/");
        Self::with_status(202, &json!({ "group_id": group, "_href": href }))
    }

    /// 204 without a body.
    pub(crate) fn no_content() -> Self {
        Self::new(204, Content::Nothing)
    }

    /// 200 with an array of what comes out of `batches`. What fits into the first batch is sent as one piece; the rest
    /// is written as it comes, and an error on the way breaks the connection.
    pub(crate) async fn array<T, S>(batches: S) -> Result<Self, Error>
    where
        T: Serialize + Send + 'static,
        S: Stream<Item = Result<Vec<T>, Error>> + Send + Unpin + 'static,
    {
        Self::array_of(batches, |text, item| write(text, item)).await
    }

    /// Answers as [`RestAnswer::array`] does, with documents that may be text already.
    pub(crate) async fn documents(batches: DocumentStream) -> Result<Self, Error> {
        let one = |text: &mut Vec<u8>, item: &Shown| match item {
            Shown::Document(document) => write(text, document),
            Shown::Text(ready) => write_text(text, ready).map_err(serde_json::Error::io),
        };
        Self::array_of(batches, one).await
    }

    async fn array_of<T, S, W>(batches: S, one: W) -> Result<Self, Error>
    where
        T: Send + 'static,
        S: Stream<Item = Result<Vec<T>, Error>> + Send + Unpin + 'static,
        W: Fn(&mut Vec<u8>, &T) -> serde_json::Result<()> + Send + 'static,
    {
        let mut batches = batches;
        let mut text = vec![b'['];
        let mut first = true;
        if let Some(batch) = batches.try_next().await? {
            write_items(&mut text, &batch, &mut first, &one)?;
        }
        reading::count(text.len())?;
        let Some(second) = batches.try_next().await? else {
            text.push(b']');
            return Ok(Self::new(200, Content::Json(text)));
        };
        let rest = futures::stream::once(async move { Ok(second) }).chain(batches);
        let memory = reading::here();
        // The one before has been taken when the next one is asked for.
        let mut share = None;
        let pieces = rest.map(move |batch| {
            let mut piece = Vec::new();
            write_items(&mut piece, &batch?, &mut first, &one)?;
            drop(share.take());
            let memory = memory.as_ref().map(|memory| memory.share(piece.len()));
            share = memory.transpose()?;
            Ok::<_, Error>(Bytes::from(piece))
        });
        let pieces = pieces.inspect_err(|error| {
            if is_for_operators(error) {
                let cause: &dyn std::error::Error = error;
                tracing::error!(error = cause, "an answer broke off");
            }
        });
        let start = futures::stream::once(async move { Ok(Bytes::from(text)) });
        let end = futures::stream::once(async { Ok(Bytes::from_static(b"]")) });
        let body = Body::from_stream(start.chain(pieces).chain(end));
        Ok(Self::new(200, Content::Stream(body)))
    }

    /// The response. A `HEAD` gets the headers alone.
    pub(super) fn into_response(self, head: bool) -> Response {
        let (kind, length, body) = match self.body {
            Content::Json(text) => (JSON, Some(text.len()), Body::from(text)),
            Content::Html(text) => (HTML, Some(text.len()), Body::from(text)),
            Content::Stream(body) => (JSON, None, body),
            Content::Nothing => (HTML, None, Body::empty()),
        };
        let mut response = Response::new(if head { Body::empty() } else { body });
        *response.status_mut() = status(self.status);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, kind);
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if let Some(location) = self.location.and_then(|l| HeaderValue::try_from(l).ok()) {
            headers.insert(LOCATION, location);
        }
        response
    }
}

fn write_items<T>(
    text: &mut Vec<u8>,
    items: &[T],
    first: &mut bool,
    one: &impl Fn(&mut Vec<u8>, &T) -> serde_json::Result<()>,
) -> Result<(), Error> {
    for item in items {
        if !std::mem::take(first) {
            text.push(b',');
        }
        one(text, item).map_err(Error::fault)?;
    }
    Ok(())
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A response of the framework's kind: empty, HTML.
pub(super) fn empty(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HTML);
    response
}

/// A path that is not known.
pub(super) fn not_found(head: bool) -> Response {
    let mut answer = RestAnswer::null();
    answer.status = 404;
    answer.into_response(head)
}

/// An error as Pulp shows it.
pub(super) fn error(error: &PulpError, method: &str, href: &str) -> Response {
    let mut body = error.to_body(method, href);
    let mut most = MOST_TOLD;
    cut(&mut body, &mut most);
    let mut answer = document(error.status, &body, method);
    if matches!(error.status, 429 | 503) {
        answer.headers_mut().insert(RETRY_AFTER, RETRY);
    }
    answer
}

/// Cuts what an error tells to `left` bytes in all: it repeats what was sent.
fn cut(value: &mut Value, left: &mut usize) {
    const ITEM: usize = 16;
    match value {
        Value::String(text) => {
            let most = text.floor_char_boundary((*left).min(LONGEST_TEXT));
            *left -= most;
            if most < text.len() {
                text.truncate(most);
                text.push('…');
            }
        }
        Value::Array(items) => {
            items.truncate(MOST_ITEMS);
            for item in items {
                *left = left.saturating_sub(ITEM);
                cut(item, left);
            }
        }
        Value::Object(map) => {
            let most = MOST_ITEMS.min(map.len());
            *map = std::mem::take(map).into_iter().take(most).collect();
            for value in map.values_mut() {
                *left = left.saturating_sub(ITEM);
                cut(value, left);
            }
        }
        _ => {}
    }
}

/// A failure that nobody foresaw (pulp2/conventions#unforeseen-errors): without `error`, and without what went wrong inside.
pub(super) fn failure(method: &str, href: &str) -> Response {
    let message = "The server failed to answer this request; its log says more.";
    let body = json!({
        "http_request_method": method,
        "http_status": 500,
        "_href": href,
        "error_message": message,
        "exception": [message],
        "traceback": [],
    });
    document(500, &body, method)
}

fn document(code: u16, body: &Value, method: &str) -> Response {
    match RestAnswer::with_status(code, body) {
        Ok(answer) => answer.into_response(method == "HEAD"),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(batches: Vec<Vec<u32>>) -> String {
        let stream = futures::stream::iter(batches.into_iter().map(Ok));
        let answer = RestAnswer::array(stream).await.unwrap();
        let body = answer.into_response(false).into_body();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn batches_become_one_array_however_they_are_cut() {
        assert_eq!(text(vec![]).await, "[]");
        assert_eq!(text(vec![vec![1, 2]]).await, "[1,2]");
        assert_eq!(
            text(vec![vec![], vec![1], vec![], vec![2, 3]]).await,
            "[1,2,3]"
        );
    }

    #[tokio::test]
    async fn errors_repeat_little_of_what_was_sent() {
        let names: Vec<String> = (0..100_000).map(|n| format!("unknown-{n}-ü")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let response = error(&PulpError::unsupported_value(&names), "PUT", "/x/");
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let bytes = bytes.unwrap();
        assert!(bytes.len() < 256 * 1024, "{}", bytes.len());
        let body: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(body["unsupported_property_names"][0], "unknown-0-ü");
        assert_eq!(body["error"]["code"], "PLP0017");
    }
}
