//! Judging many documents without holding up what else runs, nor others who search.

use std::sync::atomic::{AtomicU64, Ordering};

use pith_core::Pool;
use pith_core::criteria::Effort;
use pith_core::error::PulpError;
use pith_engine::turns::{Fairness, Turns};
use pith_engine::{Caller, acting};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// The comparisons that one request may ask for: some seconds of one core.
const MOST: u64 = 50_000_000;
/// The same for what the server does by itself, as in tasks.
const MOST_OF_TASKS: u64 = 100 * MOST;
/// The comparisons after which it is somebody else's turn.
const SLICE: u64 = 500_000;
/// Memory for what all searches sort, in bytes.
const SORTED: usize = 64 * 1024 * 1024;
/// The most searches of one caller that may wait.
const WAITING: usize = 256;

/// The turns and the memory that the searches of a process share.
pub(crate) struct Searching {
    turns: Turns<Caller>,
    pub(super) sorted: Pool,
}

impl Default for Searching {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        // The other half of the cores serves.
        let at_once = (cores / 2).max(1);
        let fairness = Fairness {
            at_once,
            each: at_once,
            waiting: WAITING,
        };
        Self {
            turns: Turns::new(fairness),
            sorted: Pool::new(SORTED),
        }
    }
}

/// The work of one search, done in slices by turns with others.
pub(super) struct Labour {
    turns: Turns<Caller>,
    caller: Caller,
    left: AtomicU64,
    /// Memory for what is sorted, shared with all searches.
    pub(super) sorted: Pool,
}

impl Labour {
    /// The work of whoever asks here.
    pub(super) fn new(searching: &Searching) -> Self {
        let caller = acting::caller();
        let most = match caller {
            Caller::Nobody => MOST_OF_TASKS,
            _ => MOST,
        };
        Self {
            turns: searching.turns.clone(),
            sorted: searching.sorted.clone(),
            caller,
            left: AtomicU64::new(most),
        }
    }

    /// Judges `items` one after the other. Between two slices whoever waits for the answer may go away.
    ///
    /// # Errors
    /// 400 when it is more work than one request may ask for, 429 when the caller asks for too much at once.
    pub(super) async fn each<T>(
        &self,
        items: Vec<T>,
        mut judge: impl FnMut(&Effort, T),
    ) -> Result<(), PulpError> {
        let mut items = items.into_iter();
        while items.len() > 0 {
            let turn = self.turns.turn(&self.caller).await?;
            let before = self.left.load(Ordering::Relaxed);
            let left = at_length(|| {
                let effort = Effort::new(before);
                while before - effort.left() < SLICE
                    && let Some(item) = items.next()
                {
                    judge(&effort, item);
                }
                effort.left()
            });
            self.left.store(left, Ordering::Relaxed);
            if left == 0 {
                return Err(too_much());
            }
            drop(turn);
            if before - left >= SLICE {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

/// 400: no turn is long enough for this.
pub(super) fn too_much() -> PulpError {
    let text = "these criteria compare too much: ask with fewer conditions or values, or of fewer documents";
    PulpError::data(text)
}

/// Judges what is in memory anyway, without waiting for turns.
///
/// # Errors
/// As [`Labour::each`].
pub(super) fn at_once<T>(
    items: impl IntoIterator<Item = T>,
    mut judge: impl FnMut(&Effort, T),
) -> Result<(), PulpError> {
    let effort = Effort::new(MOST);
    at_length(|| items.into_iter().for_each(|item| judge(&effort, item)));
    match effort.is_spent() {
        true => Err(too_much()),
        false => Ok(()),
    }
}

/// Runs `work` that may take long. The other tasks of the thread move elsewhere meanwhile, where there is an elsewhere.
fn at_length<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}
