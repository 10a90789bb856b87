//! A request and its answer, from the head of the one to the last byte of the other: its line in the log, and its counts.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::Request;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Response, StatusCode, Version};
use hyper::body::{Body, Frame};
use pith_core::RequestNotes;
use tracing::Level;

use crate::traffic::{Ended, Traffic};

/// The target of the lines, for `PITH_LOG`.
const TARGET: &str = "requests";
/// The methods that are told apart.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
/// Bytes of another method that a line shows.
const METHOD: usize = 16;
/// Bytes of a path that a line shows.
const PATH: usize = 1024;
/// The header in which clients and proxies give a request a name.
const REQUEST_ID: &str = "x-request-id";
/// Bytes of the longest such name that is taken.
const ID: usize = 64;

/// The end of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its client went away, or was let go, before all was sent.
    Left,
    /// The answer broke off for the server's sake.
    Broken,
    /// All of the answer was handed over.
    Whole,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Broken => "broken",
            Self::Whole => "whole",
        }
    }
}

/// The head of an answer.
struct Head {
    status: StatusCode,
    /// The time until it was there.
    after: Duration,
    /// The length of the body; `None` when nobody knows it beforehand.
    length: Option<u64>,
}

/// One request and its answer. The line is written, and the exchange counted, when this value goes, however that comes about.
pub(super) struct Exchange {
    begun: Instant,
    method: Cow<'static, str>,
    path: Box<str>,
    protocol: &'static str,
    address: IpAddr,
    request_id: Option<Box<str>>,
    notes: Arc<RequestNotes>,
    traffic: Arc<Traffic>,
    head: Option<Head>,
    sent: u64,
    end: End,
}

impl Exchange {
    /// The exchange that a request begins, which came from `address`, over TLS or not. Those who answer it find the notes for it in
    /// its extensions. Nothing else of the head is kept.
    pub(super) fn begin(
        request: &mut Request,
        (address, is_tls): (IpAddr, bool),
        traffic: &Arc<Traffic>,
    ) -> Self {
        let notes = Arc::<RequestNotes>::default();
        request.extensions_mut().insert(Arc::clone(&notes));
        Self {
            begun: Instant::now(),
            method: method(request.method()),
            path: cut(request.uri().path(), PATH).into(),
            protocol: protocol(request.version(), is_tls),
            address,
            request_id: request_id(request.headers()),
            notes,
            traffic: Arc::clone(traffic),
            head: None,
            sent: 0,
            end: End::Left,
        }
    }

    /// Notes the head of the answer.
    pub(super) fn answered<B: Body>(&mut self, answer: &Response<B>) {
        let headers = answer.headers();
        let said = headers.get(CONTENT_LENGTH);
        let said = said.and_then(|length| length.to_str().ok()?.parse().ok());
        let body = answer.body();
        self.head = Some(Head {
            status: answer.status(),
            after: self.begun.elapsed(),
            length: said.or_else(|| body.size_hint().exact()),
        });
        if self.method == "HEAD" || body.is_end_stream() {
            self.end = End::Whole;
        }
    }

    /// Notes what a look at the body brought, and whether that was the last of it.
    pub(super) fn handed_over<E>(
        &mut self,
        frame: &Poll<Option<Result<Frame<Bytes>, E>>>,
        is_last: bool,
    ) {
        match frame {
            Poll::Ready(Some(Ok(frame))) => {
                self.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                let length = self.head.as_ref().and_then(|head| head.length);
                if is_last || length == Some(self.sent) {
                    self.end = End::Whole;
                }
            }
            Poll::Ready(Some(Err(_))) => self.end = End::Broken,
            Poll::Ready(None) => self.end = End::Whole,
            Poll::Pending => {}
        }
    }

    /// Tells whether those who run the server should see it unasked: a change that somebody asked for who is known, and what failed for
    /// the server's sake. A stranger cannot fill the log with either, and not with 503 while others are served first.
    fn matters(&self) -> bool {
        let failed = self.head.as_ref().is_some_and(|head| {
            head.status.is_server_error() && head.status != StatusCode::SERVICE_UNAVAILABLE
        });
        let changes = self.notes.purpose().changes && self.notes.who().is_some();
        failed || changes || self.end == End::Broken
    }
}

/// Writes the line of an exchange: levels are constants of their places.
macro_rules! line {
    ($level:expr, $of:expr) => {
        tracing::event!(
            target: TARGET,
            $level,
            method = &*$of.method,
            path = &*$of.path,
            status = $of.head.as_ref().map(|head| head.status.as_u16()),
            bytes = $of.sent,
            ms = milliseconds($of.begun.elapsed()),
            head_ms = $of.head.as_ref().map(|head| milliseconds(head.after)),
            end = $of.end.name(),
            area = $of.notes.purpose().area.name(),
            who = $of.notes.who(),
            address = %$of.address,
            protocol = $of.protocol,
            request_id = $of.request_id.as_deref(),
            "request"
        )
    };
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let head = self.head.as_ref();
        self.traffic.count(Ended {
            purpose: self.notes.purpose(),
            method: &self.method,
            head: head.map(|head| (head.status.as_u16(), head.after)),
            bytes: self.sent,
        });
        match self.matters() {
            true => line!(Level::INFO, self),
            false => line!(Level::DEBUG, self),
        }
    }
}

/// Milliseconds with their thousandths.
fn milliseconds(time: Duration) -> f64 {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    f64::from(micros) / 1000.0
}

fn method(method: &Method) -> Cow<'static, str> {
    let known = METHODS.iter().find(|known| **known == method.as_str());
    known.map_or_else(
        || Cow::Owned(cut(method.as_str(), METHOD).to_owned()),
        |known| Cow::Borrowed(*known),
    )
}

fn protocol(version: Version, is_tls: bool) -> &'static str {
    match (is_tls, version) {
        (false, Version::HTTP_2) => "http/2",
        (false, Version::HTTP_10) => "http/1.0",
        (false, _) => "http/1.1",
        (true, Version::HTTP_2) => "https/2",
        (true, Version::HTTP_10) => "https/1.0",
        (true, _) => "https/1.1",
    }
}

/// The name of a request, when it is short and of printable characters.
fn request_id(headers: &HeaderMap) -> Option<Box<str>> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let fits = (1..=ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| id.into())
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(method: &str, path: &str) -> Exchange {
        let request = Request::builder().method(method).uri(path);
        let mut request = request.body(axum::body::Body::empty()).unwrap();
        let traffic = Arc::new(Traffic::new(&[], &[]));
        Exchange::begin(&mut request, ([192, 0, 2, 1].into(), false), &traffic)
    }

    fn answer(exchange: &mut Exchange, status: u16, body: &'static [u8]) {
        let answer = Response::builder().status(status);
        exchange.answered(&answer.body(axum::body::Body::from(body)).unwrap());
    }

    fn piece(bytes: &'static [u8]) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(bytes)))))
    }

    #[test]
    fn an_answer_is_whole_when_all_that_it_promised_was_handed_over() {
        let mut one = exchange("GET", "/x");
        assert_eq!(one.end, End::Left);
        answer(&mut one, 200, b"abcd");
        one.handed_over(&piece(b"ab"), false);
        assert_eq!((one.sent, one.end), (2, End::Left));
        one.handed_over(&piece(b"cd"), false);
        assert_eq!((one.sent, one.end), (4, End::Whole));
        for (method, body) in [("HEAD", &b"abcd"[..]), ("GET", b"")] {
            let mut other = exchange(method, "/x");
            answer(&mut other, 200, body);
            assert_eq!(other.end, End::Whole, "{method}");
        }
    }

    #[test]
    fn lines_hold_little_of_what_was_sent() {
        let one = exchange(
            &"A".repeat(1000),
            &format!("/{}?secret=1", "a".repeat(4000)),
        );
        assert_eq!(one.method.len(), METHOD);
        assert!(one.path.len() <= PATH && !one.path.contains('?'));
        for (id, taken) in [
            ("a-1", true),
            ("", false),
            ("a b", false),
            (&"x".repeat(65), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, id.parse().unwrap());
            assert_eq!(request_id(&headers).is_some(), taken, "{id}");
        }
    }

    #[test]
    fn changes_by_somebody_who_is_known_matter_and_failures_do() {
        use pith_core::{Area, Purpose};
        let of = |who: Option<&str>, changes, status| {
            let mut one = exchange("POST", "/x");
            one.notes.asks_for(Purpose {
                area: Area::Api,
                group: "tasks",
                changes,
            });
            if let Some(who) = who {
                one.notes.is_from(who);
            }
            answer(&mut one, status, b"");
            one.matters()
        };
        assert!(of(Some("ann"), true, 403) && of(None, false, 500) && of(None, true, 507));
        assert!(!of(None, true, 401) && !of(Some("ann"), false, 404) && !of(None, false, 503));
    }
}
