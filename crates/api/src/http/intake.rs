//! Bounds on what is taken in at once: requests, their bodies, and what becomes of them in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use pith_core::error::PulpError;
use pith_core::{Pool, json_weight};
use pith_engine::Caller;
use pith_engine::turns::{Fairness, Turn, Turns};
use pith_pulp::stored;
use pith_store::reading::Reading;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::arrivals::{Arrival, Arrivals, waited};

/// The most memory that a body may become, in bytes.
const MAX_WEIGHT: usize = 32 * 1024 * 1024;
/// Memory for what all bodies become, in bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// Bytes that a permit of that memory stands for.
const UNIT: usize = 1024;
/// The size up to which bodies and answers are taken as they come, in bytes.
const SMALL: u64 = 64 * 1024;
/// The time that a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(120);
/// Memory for the answers of all requests, as documents and as text, in bytes.
const ANSWERS: usize = 128 * 1024 * 1024;
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
    arrivals: Arrivals,
    requests: Turns<Caller>,
    large: Turns<Caller>,
    memory: Arc<Semaphore>,
    answers: Pool,
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            arrivals: Arrivals::default(),
            requests: Turns::new(REQUESTS),
            large: Turns::new(LARGE),
            memory: Arc::new(Semaphore::new(MEMORY / UNIT)),
            answers: Pool::new(ANSWERS),
        }
    }
}

/// A body that has come and is not worked on yet.
pub(super) struct Arrived {
    bytes: Bytes,
    arrival: Arrival,
}

/// The memory of a body, held while the body is worked on.
#[derive(Default)]
pub(super) struct Taken {
    _turn: Option<Turn<Caller>>,
    _memory: Option<OwnedSemaphorePermit>,
}

impl Intake {
    /// Reads a body to its end, however long its client takes: nobody waits for that, for it has no turn yet.
    pub(super) async fn read(&self, caller: &Caller, body: Body) -> Result<Arrived, PulpError> {
        let arrival = self.arrivals.begin(caller);
        let read = tokio::time::timeout(BODY_TIME, arrival.read(body)).await;
        let bytes = read.map_err(|_| late())??;
        Ok(Arrived { bytes, arrival })
    }

    /// A turn for a request, whose body has come.
    pub(super) async fn request(
        &self,
        caller: &Caller,
        body: Option<&Arrived>,
    ) -> Result<Turn<Caller>, PulpError> {
        let turn = in_turn(&self.requests, caller);
        match body {
            Some(body) => body.arrival.unless_given_up(turn).await,
            None => turn.await,
        }
    }

    /// The memory for the answer of a request.
    pub(super) fn answer(&self) -> Reading {
        Reading::new(&self.answers)
    }

    /// Makes values of a body. The memory that they need is held by what comes with them.
    pub(super) async fn json(
        &self,
        caller: &Caller,
        body: Arrived,
        is_long: bool,
        parse: impl FnOnce(&[u8]) -> Result<Value, PulpError>,
    ) -> Result<(Value, Taken), PulpError> {
        let Arrived { bytes, arrival } = body;
        let weight = json_weight(&bytes);
        let most = if is_long { MAX_WEIGHT } else { stored::MOST };
        if weight > most {
            return Err(too_heavy(most));
        }
        let is_large = |size: usize| size as u64 > SMALL;
        let turn = match is_large(bytes.len()) {
            true => {
                let turn = in_turn(&self.large, caller);
                Some(arrival.unless_given_up(turn).await?)
            }
            false => None,
        };
        let memory = match is_large(weight) {
            true => Some(arrival.unless_given_up(self.room(weight)).await?),
            false => None,
        };
        let taken = Taken {
            _turn: turn,
            _memory: memory,
        };
        Ok((parse(&bytes)?, taken))
    }

    /// The bytes of a body. The memory that they take is held by what comes with them.
    pub(super) async fn document(&self, body: Arrived) -> Result<(Bytes, Taken), PulpError> {
        let Arrived { bytes, arrival } = body;
        let memory = arrival.unless_given_up(self.room(bytes.len())).await?;
        let taken = Taken {
            _turn: None,
            _memory: Some(memory),
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

/// 400: what would become of the body is too much to keep, or to work on.
fn too_heavy(most: usize) -> PulpError {
    let most = most / (1024 * 1024);
    PulpError::data(format!(
        "The request body is too long or has too many values: it would take more than {most} MiB of memory; send less, or in several requests"
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

/// The turn and the memory of a request, held until its answer is sent, when that is not small.
pub(super) struct Pending {
    _turn: Option<Turn<Caller>>,
    memory: Reading,
}

impl Pending {
    pub(super) fn new(turn: Option<Turn<Caller>>, memory: Reading) -> Self {
        Self {
            _turn: turn,
            memory,
        }
    }
}

/// The answer with what it keeps.
pub(super) fn hold(answer: Response, pending: Pending) -> Response {
    let upper = answer.body().size_hint().upper();
    let is_large = pending.memory.is_large();
    match is_large || upper.is_none_or(|most| most > SMALL) {
        true => answer.map(|body| {
            Body::new(Held {
                body,
                _pending: pending,
            })
        }),
        false => answer,
    }
}

struct Held {
    body: Body,
    _pending: Pending,
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

    #[tokio::test]
    async fn bodies_that_become_too_much_are_refused_before_they_are_read() {
        let intake = Intake::default();
        let body = Body::from("[{},".repeat(1_000_000));
        let body = intake.read(&Caller::Nobody, body).await.unwrap();
        let read = intake.json(&Caller::Nobody, body, true, |_| panic!("it is read"));
        let refused = read.await.err().unwrap();
        assert_eq!(refused.status, 400);
        assert_eq!(intake.memory.available_permits(), MEMORY / UNIT);
    }
}
