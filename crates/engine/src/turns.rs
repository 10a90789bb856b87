//! Turns at something that only so many may do at once. Those who wait are not served in the order in which they came but by turns
//! of who asks: whoever asks a thousand times delays others by one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_core::error::PulpError;
use tokio::sync::oneshot;

/// The number of waiters of all callers together, beyond which nobody more waits.
const MOST_WAITING: usize = 4096;

/// The numbers of those who may have a turn, and wait for one.
#[derive(Debug, Clone, Copy)]
pub struct Fairness {
    /// Turns at once.
    pub at_once: usize,
    /// Turns of one caller at once.
    pub each: usize,
    /// Waiters of one caller.
    pub waiting: usize,
}

/// Hands out turns. Cheap to clone; all clones are one.
pub struct Turns<K>(Arc<Shared<K>>);

struct Shared<K> {
    fairness: Fairness,
    state: Mutex<State<K>>,
}

struct State<K> {
    running: usize,
    waiting: usize,
    callers: HashMap<K, Line>,
    /// Callers of whom somebody waits, the next one first.
    order: VecDeque<K>,
}

#[derive(Default)]
struct Line {
    running: usize,
    waiting: VecDeque<oneshot::Sender<()>>,
}

/// A turn, until it is dropped.
pub struct Turn<K: Clone + Eq + Hash> {
    shared: Arc<Shared<K>>,
    caller: K,
}

/// Somebody who waits; what comes after they gave up goes to the next.
struct Waiter<K: Clone + Eq + Hash> {
    shared: Arc<Shared<K>>,
    caller: K,
    told: oneshot::Receiver<()>,
}

/// The thing that a caller gets at once.
enum Asked {
    Turn,
    Place(oneshot::Receiver<()>),
    Nothing,
}

impl<K> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// Turns of which nobody has one yet.
    #[must_use]
    pub fn new(fairness: Fairness) -> Self {
        let state = State {
            running: 0,
            waiting: 0,
            callers: HashMap::new(),
            order: VecDeque::new(),
        };
        Self(Arc::new(Shared {
            fairness,
            state: Mutex::new(state),
        }))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// 429 when too many wait already.
    pub async fn turn(&self, caller: &K) -> Result<Turn<K>, PulpError> {
        let shared = &self.0;
        let asked = shared.state.lock().ask(caller, shared.fairness);
        match asked {
            Asked::Turn => {}
            Asked::Place(told) => {
                let mut waiter = Waiter {
                    shared: Arc::clone(shared),
                    caller: caller.clone(),
                    told,
                };
                let told = (&mut waiter.told).await;
                // The turn is this one's from here on.
                waiter.told.close();
                told.map_err(|_| busy())?;
            }
            Asked::Nothing => return Err(busy()),
        }
        Ok(Turn {
            shared: Arc::clone(shared),
            caller: caller.clone(),
        })
    }
}

/// 429: too many of the same caller.
fn busy() -> PulpError {
    PulpError::too_many("too many requests of this kind wait already; try again in a moment")
}

impl<K: Clone + Eq + Hash> State<K> {
    fn ask(&mut self, caller: &K, fairness: Fairness) -> Asked {
        let (running, waiting) = (self.running, self.waiting);
        let line = self.callers.entry(caller.clone()).or_default();
        if running < fairness.at_once && line.running < fairness.each && line.waiting.is_empty() {
            line.running += 1;
            self.running += 1;
            return Asked::Turn;
        }
        if line.waiting.len() >= fairness.waiting || waiting >= MOST_WAITING {
            return Asked::Nothing;
        }
        let (tell, told) = oneshot::channel();
        if line.waiting.is_empty() {
            self.order.push_back(caller.clone());
        }
        line.waiting.push_back(tell);
        self.waiting += 1;
        Asked::Place(told)
    }

    /// Takes a turn back and gives turns to those who wait.
    fn end(&mut self, caller: &K, fairness: Fairness) {
        self.running -= 1;
        if let Some(line) = self.callers.get_mut(caller) {
            line.running -= 1;
            if line.running == 0 && line.waiting.is_empty() {
                self.callers.remove(caller);
            }
        }
        let mut passed_over = 0;
        while self.running < fairness.at_once && passed_over < self.order.len() {
            let Some(next) = self.order.pop_front() else {
                return;
            };
            let given = self.give(&next, fairness);
            let waits = |line: &Line| !line.waiting.is_empty();
            if self.callers.get(&next).is_some_and(waits) {
                self.order.push_back(next);
                passed_over += usize::from(!given);
            }
        }
    }

    /// Gives a turn to the first of a caller who still waits; false when there is none, or none may.
    fn give(&mut self, caller: &K, fairness: Fairness) -> bool {
        let Some(line) = self.callers.get_mut(caller) else {
            return false;
        };
        while line.running < fairness.each
            && let Some(tell) = line.waiting.pop_front()
        {
            self.waiting -= 1;
            if tell.send(()).is_ok() {
                line.running += 1;
                self.running += 1;
                return true;
            }
        }
        if line.running == 0 && line.waiting.is_empty() {
            self.callers.remove(caller);
        }
        false
    }
}

impl<K: Clone + Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.state.lock().end(&self.caller, shared.fairness);
    }
}

impl<K: Clone + Eq + Hash> Drop for Waiter<K> {
    fn drop(&mut self) {
        self.told.close();
        if self.told.try_recv().is_ok() {
            let shared = &self.shared;
            shared.state.lock().end(&self.caller, shared.fairness);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn turns(at_once: usize, each: usize, waiting: usize) -> Turns<&'static str> {
        Turns::new(Fairness {
            at_once,
            each,
            waiting,
        })
    }

    #[tokio::test]
    async fn who_asks_often_delays_others_by_one() {
        let turns = turns(1, 1, 100);
        let first = turns.turn(&"often").await.unwrap();
        let mut often: Vec<_> = (0..50).map(|_| Box::pin(turns.turn(&"often"))).collect();
        assert!(often.iter_mut().all(|one| one.now_or_never().is_none()));
        let mut once = Box::pin(turns.turn(&"once"));
        assert!((&mut once).now_or_never().is_none());
        drop(first);
        // One of those who came before, and then the other.
        let second = often[0].as_mut().now_or_never().unwrap().unwrap();
        assert!((&mut once).now_or_never().is_none());
        drop(second);
        assert!((&mut once).now_or_never().is_some());
    }

    #[tokio::test]
    async fn more_than_may_wait_are_refused() {
        let turns = turns(3, 2, 1);
        let held = [turns.turn(&"a").await, turns.turn(&"a").await];
        let mut third = Box::pin(turns.turn(&"a"));
        assert!((&mut third).now_or_never().is_none(), "its part is taken");
        let refused = turns.turn(&"a").await.err().unwrap();
        assert_eq!(refused.status, 429);
        assert!(turns.turn(&"b").await.is_ok());
        drop(held);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn nothing_is_lost_when_somebody_gives_up() {
        let turns = turns(2, 2, 10);
        for round in 0..200 {
            let held = turns.turn(&"a").await.unwrap();
            let other = turns.turn(&"b").await.unwrap();
            let mut waiter = Box::pin(turns.turn(&"c"));
            assert!((&mut waiter).now_or_never().is_none());
            if round % 2 == 0 {
                drop((held, other));
                drop(waiter);
            } else {
                drop(waiter);
                drop((held, other));
            }
        }
        let (held, other) = (turns.turn(&"a").await, turns.turn(&"b").await);
        for name in ["c", "d", "e"] {
            assert!(Box::pin(turns.turn(&name)).now_or_never().is_none());
        }
        let mut waiter = Box::pin(turns.turn(&"f"));
        assert!((&mut waiter).now_or_never().is_none());
        drop((held, other));
        drop((&mut waiter).now_or_never().unwrap());
        let state = turns.0.state.lock();
        assert_eq!((state.running, state.waiting), (0, 0));
        assert!(state.callers.is_empty());
    }
}
