//! Bodies of requests on their way: what has come of them is in memory before anybody works on it. The sum of all is bounded, and
//! nobody waits: beyond the bound, the caller with the most bytes loses a body.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use futures::StreamExt;
use parking_lot::Mutex;
use pith_core::error::PulpError;
use pith_engine::Caller;
use tokio_util::sync::CancellationToken;

/// Largest JSON body, in bytes.
pub(super) const MAX_BODY: usize = 5 * 1024 * 1024;
/// The bytes of all bodies together.
const MOST: usize = 32 * 1024 * 1024;

/// All bodies that are on their way.
#[derive(Clone)]
pub(super) struct Arrivals {
    most: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next: u64,
    bytes: usize,
    bodies: BTreeMap<u64, Coming>,
}

struct Coming {
    caller: Caller,
    bytes: usize,
    given_up: CancellationToken,
}

/// A body on its way, or here and not worked on yet. It counts until it is dropped.
pub(super) struct Arrival {
    arrivals: Arrivals,
    id: u64,
    given_up: CancellationToken,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self::new(MOST)
    }
}

impl Arrivals {
    fn new(most: usize) -> Self {
        Self {
            most,
            state: Arc::default(),
        }
    }

    /// A body that begins to come.
    pub(super) fn begin(&self, caller: &Caller) -> Arrival {
        let given_up = CancellationToken::new();
        let body = Coming {
            caller: caller.clone(),
            bytes: 0,
            given_up: given_up.clone(),
        };
        let mut state = self.state.lock();
        let id = state.next;
        state.next += 1;
        state.bodies.insert(id, body);
        Arrival {
            arrivals: self.clone(),
            id,
            given_up,
        }
    }
}

impl State {
    fn remove(&mut self, id: u64) -> Option<Coming> {
        let body = self.bodies.remove(&id)?;
        self.bytes -= body.bytes;
        Some(body)
    }

    /// The largest body of the caller with most bytes, and of several the one that came first.
    fn to_give_up(&self) -> Option<u64> {
        let mut by_caller: HashMap<&Caller, usize> = HashMap::new();
        for body in self.bodies.values() {
            *by_caller.entry(&body.caller).or_default() += body.bytes;
        }
        let judged = self.bodies.iter().map(|(id, body)| {
            let of_caller = by_caller.get(&body.caller).copied().unwrap_or(0);
            (of_caller, body.bytes, std::cmp::Reverse(*id))
        });
        judged.max().map(|(_, _, id)| id.0)
    }
}

impl Arrival {
    /// Reads the body to its end.
    ///
    /// # Errors
    /// When it is too large, breaks off, or is given up for others.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, PulpError> {
        self.unless_given_up(async {
            let mut pieces = body.into_data_stream();
            let mut read = BytesMut::new();
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|_| too_large())?;
                if read.len() + piece.len() > MAX_BODY {
                    return Err(too_large());
                }
                self.add(piece.len());
                read.extend_from_slice(&piece);
            }
            Ok(read.freeze())
        })
        .await
    }

    /// Waits for something as long as the body is not given up.
    ///
    /// # Errors
    /// 503 when it is, and those of `work`.
    pub(super) async fn unless_given_up<T>(
        &self,
        work: impl Future<Output = Result<T, PulpError>>,
    ) -> Result<T, PulpError> {
        let done = self.given_up.run_until_cancelled(work).await;
        done.unwrap_or_else(|| Err(waited()))
    }

    /// Counts bytes that came.
    fn add(&self, bytes: usize) {
        let mut state = self.arrivals.state.lock();
        let Some(body) = state.bodies.get_mut(&self.id) else {
            return;
        };
        body.bytes += bytes;
        state.bytes += bytes;
        while state.bytes > self.arrivals.most {
            let gone = state.to_give_up().and_then(|id| state.remove(id));
            let Some(gone) = gone else { return };
            gone.given_up.cancel();
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arrivals.state.lock().remove(self.id);
    }
}

/// 503: others are served first.
pub(super) fn waited() -> PulpError {
    PulpError::unavailable("the server has too much to do at the moment; try again later")
}

/// 400: the body is larger than any request needs, or breaks off.
fn too_large() -> PulpError {
    PulpError::data(format!(
        "The request body could not be read; it may have up to {MAX_BODY} bytes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(name: &str) -> Caller {
        Caller::Login(name.into())
    }

    #[tokio::test]
    async fn who_has_most_bytes_on_their_way_loses_one_and_nobody_else_waits() {
        let arrivals = Arrivals::new(100);
        let slow: Vec<_> = (0..4).map(|_| arrivals.begin(&login("slow"))).collect();
        slow.iter().for_each(|one| one.add(20));
        let other = arrivals.begin(&login("other"));
        let body = Body::from(vec![b'x'; 50]);
        assert_eq!(other.read(body).await.unwrap().len(), 50);
        let given_up = slow.iter().filter(|one| one.given_up.is_cancelled());
        assert_eq!(given_up.count(), 2);
        assert!(slow[0].given_up.is_cancelled() && !other.given_up.is_cancelled());
        let refused = slow[0].read(Body::empty()).await.unwrap_err();
        assert_eq!(refused.status, 503);
        drop((slow, other));
        let state = arrivals.state.lock();
        assert!(state.bodies.is_empty() && state.bytes == 0);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_refused_while_it_comes() {
        let arrival = Arrivals::default().begin(&Caller::Nobody);
        let body = Body::from(vec![0; MAX_BODY + 1]);
        assert_eq!(arrival.read(body).await.unwrap_err().code(), "PLP0000");
    }
}
