//! Bodies of requests and answers that note how far their client keeps up.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

use super::connection::Connection;
use super::connections::OpenRequest;
use super::exchange::Exchange;

/// The bytes of an HTTP/2 answer that are handed on at once: what was sent of them is noticed when all are.
const SLICE: usize = 32 * 1024;

/// The body of a request.
pub(super) struct RequestBody {
    body: Incoming,
    connection: Arc<Connection>,
    is_waited_for: bool,
    /// Is true when there may be more of it.
    is_open: bool,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, connection: Arc<Connection>) -> Self {
        let is_open = !body.is_end_stream();
        if is_open {
            connection.unread.begin();
        }
        Self {
            body,
            connection,
            is_waited_for: false,
            is_open,
        }
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.connection.unread.end();
        }
    }

    fn wait(&mut self, is_waited_for: bool) {
        if is_waited_for == self.is_waited_for {
            return;
        }
        self.is_waited_for = is_waited_for;
        if is_waited_for {
            self.connection.reading.fetch_add(1, Ordering::Relaxed);
        } else {
            self.connection.reading.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.wait(frame.is_pending());
        if frame.is_pending() {
            self.connection.unread.caught_up();
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            let received = &self.connection.received;
            received.fetch_add(data.len() as u64, Ordering::Relaxed);
            self.connection.unread.read(data.len());
        }
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.close();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.wait(false);
        self.close();
    }
}

/// The body of an answer, which ends its request.
pub(super) struct ResponseBody {
    body: Body,
    /// The connection when it is HTTP/2: pieces of its answers wait for their turn and are counted.
    counted: Option<Arc<Connection>>,
    rest: Bytes,
    exchange: Exchange,
    _request: OpenRequest,
}

/// A piece of an answer until it is sent.
struct Unsent {
    bytes: Bytes,
    connection: Arc<Connection>,
}

impl AsRef<[u8]> for Unsent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        let (count, delivered) = (&self.connection.unsent, &self.connection.delivered);
        count.fetch_sub(1, Ordering::Relaxed);
        delivered.fetch_add(self.bytes.len() as u64, Ordering::Relaxed);
    }
}

impl ResponseBody {
    /// The body of `answer` in its place. It is `counted` on a connection of HTTP/2.
    pub(super) fn of(
        answer: http::Response<Body>,
        mut exchange: Exchange,
        counted: Option<Arc<Connection>>,
        request: OpenRequest,
    ) -> http::Response<Self> {
        exchange.answered(&answer);
        answer.map(|body| Self {
            body,
            counted,
            rest: Bytes::new(),
            exchange,
            _request: request,
        })
    }

    fn slice(&mut self, connection: &Arc<Connection>) -> Frame<Bytes> {
        let bytes = self.rest.split_to(SLICE.min(self.rest.len()));
        connection.unsent.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::clone(connection);
        Frame::data(Bytes::from_owner(Unsent { bytes, connection }))
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(connection) = self.counted.clone() else {
            return Pin::new(&mut self.body).poll_frame(cx);
        };
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        Poll::Ready(Some(Ok(self.slice(&connection))))
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = self.next(cx);
        let is_last = self.is_end_stream();
        self.exchange.handed_over(&frame, is_last);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rest.is_empty() {
            return self.body.size_hint();
        }
        // Asked for before anything was taken, for the length.
        let mut hint = SizeHint::new();
        hint.set_lower(self.rest.len() as u64);
        hint
    }
}
