//! Failures on purpose, for the tests of this crate: the n-th statement of a piece of work fails in some way.

use std::cell::Cell;
use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::transaction::Connection;
use crate::{Result, StoreError};

/// The way in which a statement fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is refused for want of room, and the transaction stays open.
    Full,
    /// It is refused for want of room, and the backend has rolled the transaction back.
    FullAndRolledBack,
    /// It is done, but the answer is an error of the disk.
    DoneAndBroken,
    /// The connection is lost with it (PostgreSQL), or the disk fails (SQLite).
    Lost,
    /// It is under way for ever: whoever waits goes away.
    Hangs,
    /// It is done, and whoever waits goes away before the answer comes.
    DoneAndHangs,
}

/// Every way.
pub(crate) const WAYS: [Way; 6] = [
    Way::Full,
    Way::FullAndRolledBack,
    Way::DoneAndBroken,
    Way::Lost,
    Way::Hangs,
    Way::DoneAndHangs,
];

/// A plan: the statement that fails, counted from 0.
#[derive(Debug)]
pub(crate) struct Plan {
    at: usize,
    way: Way,
    seen: Cell<usize>,
    hung: Arc<Notify>,
}

impl Plan {
    pub(crate) fn new(at: usize, way: Way) -> Self {
        Self {
            at,
            way,
            seen: Cell::new(0),
            hung: Arc::default(),
        }
    }

    /// Told when the statement hangs.
    pub(crate) fn hung(&self) -> Arc<Notify> {
        Arc::clone(&self.hung)
    }

    fn is_due(&self) -> Option<Way> {
        let seen = self.seen.get();
        self.seen.set(seen + 1);
        (seen == self.at).then_some(self.way)
    }
}

tokio::task_local! {
    /// The plan of the piece of work that runs.
    pub(crate) static PLAN: Plan;
}

fn error(raw: i32) -> StoreError {
    StoreError::Database(sqlx::Error::Io(io::Error::from_raw_os_error(raw)))
}

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The way in which the statement that is about to run fails.
pub(crate) fn due() -> Option<Way> {
    PLAN.try_with(Plan::is_due).ok().flatten()
}

async fn hang<T>() -> T {
    PLAN.with(|plan| plan.hung.notify_one());
    std::future::pending().await
}

/// The answer in place of the statement; `None` where it runs all the same.
pub(crate) async fn before<T>(way: Way, on: &mut Connection) -> Option<Result<T>> {
    match way {
        Way::Full => Some(Err(error(ENOSPC))),
        Way::FullAndRolledBack => {
            let _ = on.script("ROLLBACK".to_owned()).await;
            Some(Err(error(ENOSPC)))
        }
        Way::Lost => {
            if let Connection::Postgres(_) = on {
                let gone = on.script("SELECT pg_terminate_backend(pg_backend_pid())".to_owned());
                let _ = gone.await;
                return None;
            }
            Some(Err(error(EIO)))
        }
        Way::Hangs => hang().await,
        Way::DoneAndBroken | Way::DoneAndHangs => None,
    }
}

/// The answer after the statement ran.
pub(crate) async fn after<T>(way: Way, done: Result<T>) -> Result<T> {
    match way {
        Way::DoneAndBroken => Err(error(EIO)),
        Way::DoneAndHangs => hang().await,
        _ => done,
    }
}
