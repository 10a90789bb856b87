//! Bounds on what is taken in at once: requests, their bodies, and what becomes of them in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use pith_core::error::PulpError;
use pith_engine::Caller;
use pith_engine::turns::{Fairness, Turn, Turns};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Largest JSON body, in bytes.
pub(super) const MAX_BODY: usize = 5 * 1024 * 1024;
/// The most memory that a body may become, in bytes.
const MAX_WEIGHT: usize = 48 * 1024 * 1024;
/// Memory for what all bodies become, in bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// Bytes that a permit of that memory stands for.
const UNIT: usize = 1024;
/// Bodies, and answers, up to this size are taken as they come, in bytes.
const SMALL: u64 = 64 * 1024;
/// The time that a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(120);
/// The longest wait for a turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests at once. They are mostly short; what is longer is a task.
const REQUESTS: Fairness = Fairness {
    at_once: 64,
    each: 16,
    waiting: 256,
};
/// Large bodies at once.
const LARGE: Fairness = Fairness {
    at_once: 8,
    each: 2,
    waiting: 64,
};

/// The limits that all requests share.
pub(crate) struct Intake {
    requests: Turns<Caller>,
    large: Turns<Caller>,
    memory: Arc<Semaphore>,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            requests: Turns::new(REQUESTS),
            large: Turns::new(LARGE),
            memory: Arc::new(Semaphore::new(MEMORY / UNIT)),
        }
    }
}

/// Held while a body is worked on.
#[derive(Default)]
pub(super) struct Taken {
    _turn: Option<Turn<Caller>>,
    _memory: Option<OwnedSemaphorePermit>,
}

impl Intake {
    /// A turn for a request.
    pub(super) async fn request(&self, caller: &Caller) -> Result<Turn<Caller>, PulpError> {
        in_turn(&self.requests, caller).await
    }

    /// Reads a JSON body. The memory that its values need is held by what comes with it.
    pub(super) async fn json(
        &self,
        caller: &Caller,
        body: Body,
    ) -> Result<(Bytes, Taken), PulpError> {
        let is_small = body.size_hint().upper().is_some_and(|most| most <= SMALL);
        let turn = match is_small {
            true => None,
            false => Some(in_turn(&self.large, caller).await?),
        };
        let reading = axum::body::to_bytes(body, MAX_BODY);
        let read = tokio::time::timeout(BODY_TIME, reading).await;
        let bytes = read.map_err(|_| late())?.map_err(|_| too_large())?;
        let weight = weight(&bytes);
        if weight > MAX_WEIGHT {
            return Err(PulpError::data(
                "The request body has too many values; send them in several requests",
            ));
        }
        let memory = match weight as u64 <= SMALL {
            true => None,
            false => Some(self.room(weight).await?),
        };
        let taken = Taken {
            _turn: turn,
            _memory: memory,
        };
        Ok((bytes, taken))
    }

    async fn room(&self, weight: usize) -> Result<OwnedSemaphorePermit, PulpError> {
        let units = u32::try_from(weight.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.memory).acquire_many_owned(units);
        let room = tokio::time::timeout(PATIENCE, room).await;
        room.map_err(|_| waited())?.map_err(|_| waited())
    }
}

async fn in_turn(turns: &Turns<Caller>, caller: &Caller) -> Result<Turn<Caller>, PulpError> {
    let turn = tokio::time::timeout(PATIENCE, turns.turn(caller)).await;
    turn.map_err(|_| waited())?
}

/// 503: others are served first.
fn waited() -> PulpError {
    PulpError::unavailable("the server has too much to do at the moment; try again later")
}

fn too_large() -> PulpError {
    PulpError::data(format!(
        "The request body could not be read; it may have up to {MAX_BODY} bytes"
    ))
}

/// 408: the body takes too long.
fn late() -> PulpError {
    let seconds = BODY_TIME.as_secs();
    PulpError {
        status: 408,
        ..PulpError::data(format!(
            "The request body did not come within {seconds} seconds"
        ))
    }
}

/// Bytes of memory that a JSON text needs once it is read, about and rather too many: an object has a table of its own, and each
/// further value a place in one.
fn weight(text: &[u8]) -> usize {
    const OBJECT: usize = 600;
    const VALUE: usize = 160;
    let mut weight = text.len();
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' => weight += OBJECT,
            b'[' | b',' => weight += VALUE,
            b'"' => {
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    weight
}

/// The answer, which keeps its request's turn until it is sent when it is not small.
pub(super) fn hold(answer: Response, turn: Option<Turn<Caller>>) -> Response {
    let upper = answer.body().size_hint().upper();
    match turn {
        Some(turn) if upper.is_none_or(|most| most > SMALL) => {
            answer.map(|body| Body::new(Held { body, _turn: turn }))
        }
        _ => answer,
    }
}

struct Held {
    body: Body,
    _turn: Turn<Caller>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_values_weigh_more_than_one_long_text() {
        let objects = format!("[{}1]", r#"{"":0},"#.repeat(100_000));
        assert!(weight(objects.as_bytes()) > MAX_WEIGHT);
        let text = format!(
            r#"["{}", "{}"]"#,
            "{,".repeat(1_000_000),
            r#"\"{"#.repeat(1000)
        );
        assert!(weight(text.as_bytes()) < text.len() + 1000);
        let packages = r#"{"name": "n", "version": "1", "sum": ["sha256", "00"]},"#.repeat(10_000);
        assert!(weight(packages.as_bytes()) < MAX_WEIGHT);
    }

    #[tokio::test]
    async fn bodies_that_become_too_much_are_refused_before_they_are_read() {
        let intake = Intake::default();
        let body = Body::from("[{},".repeat(1_000_000));
        let refused = intake.json(&Caller::Nobody, body).await.err().unwrap();
        assert_eq!(refused.status, 400);
        assert_eq!(intake.memory.available_permits(), MEMORY / UNIT);
    }
}
