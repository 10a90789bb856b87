//! Figures of the work of a process, for those who watch the server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pith_core::task::TaskState;

use crate::Engine;
use crate::attempt::Done;
use crate::error::Error;

/// The name of tasks that this version cannot run.
const UNKNOWN: &str = "unknown";

/// The tasks of one kind that ended in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedTasks {
    /// `task_type` of the tasks.
    pub kind: &'static str,
    /// The state in which they ended.
    pub state: TaskState,
    /// The number of them.
    pub count: u64,
}

/// The workers of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// All of them.
    pub all: usize,
    /// Those that run a task.
    pub busy: usize,
}

/// The room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskFigures {
    /// The name of the disk: what is on it.
    pub name: &'static str,
    /// Bytes that can be written.
    pub free: u64,
    /// All bytes.
    pub size: u64,
}

/// The tasks that ended of a kind in a state, by the names of both.
type Ends = BTreeMap<(&'static str, &'static str), (TaskState, u64)>;

/// Counts that workers keep as they go.
#[derive(Default)]
pub(crate) struct Figures {
    ended: Mutex<Ends>,
    workers: AtomicUsize,
}

impl Figures {
    /// Notes the number of workers.
    pub(crate) fn has_workers(&self, count: usize) {
        self.workers.store(count, Ordering::Relaxed);
    }

    /// Counts a task of `kind`, or of none that is known, that has ended.
    pub(crate) fn ended(&self, kind: Option<&'static str>, end: &Result<Done, Error>) {
        let state = match end {
            Ok(_) => TaskState::Finished,
            Err(Error::Cancelled) => TaskState::Canceled,
            Err(_) => TaskState::Error,
        };
        let mut ended = self.ended.lock();
        let key = (kind.unwrap_or(UNKNOWN), state.name());
        ended.entry(key).or_insert((state, 0)).1 += 1;
    }
}

impl Engine {
    /// The tasks that have ended in this process, by kind and state.
    #[must_use]
    pub fn tasks_ended(&self) -> Vec<EndedTasks> {
        let ended = self.figures.ended.lock();
        let each = ended.iter();
        let each = each.map(|((kind, _), (state, count))| EndedTasks {
            kind,
            state: *state,
            count: *count,
        });
        each.collect()
    }

    /// The workers of this process.
    #[must_use]
    pub fn workers(&self) -> Workers {
        Workers {
            all: self.figures.workers.load(Ordering::Relaxed),
            busy: self.running.count(),
        }
    }

    /// The disks that this process writes to, as far as they answer.
    #[must_use]
    pub fn disks(&self) -> Vec<DiskFigures> {
        let spaces = self.disks.spaces().into_iter();
        let named = ["files", "database"].into_iter().zip(spaces);
        let known = named.filter_map(|(name, space)| Some((name, space?)));
        known
            .map(|(name, space)| DiskFigures {
                name,
                free: space.free,
                size: space.total,
            })
            .collect()
    }
}
