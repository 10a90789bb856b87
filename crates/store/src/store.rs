//! The handle that everything else hangs on.

use std::sync::Arc;

use futures::stream::BoxStream;
use pith_core::{Clock, Timestamp};
use tokio::sync::watch;

use crate::Result;

/// Rows in batches, read as they are consumed. No connection is held between two batches.
pub type BatchStream<T> = BoxStream<'static, Result<Vec<T>>>;

/// Which database is underneath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one process.
    Sqlite,
    /// A server, any number of processes.
    Postgres,
}

/// An open transaction; dropped without [`Tx::commit`] it is rolled back.
#[derive(Debug)]
pub struct Tx;

impl Tx {
    /// Makes everything done in the transaction durable and visible, then wakes waiting workers if tasks were queued.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub async fn commit(self) -> Result<()> {
        unimplemented!()
    }
}

/// The database of a pith. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:///path/pith.db`, `postgres://user@host/name`), makes the file and its
    /// folder if need be, and brings the schema up to date.
    ///
    /// # Errors
    /// When the URL makes no sense, the database cannot be reached or was written by a newer pith.
    pub async fn connect(_url: &str, _clock: Arc<dyn Clock>) -> Result<Self> {
        unimplemented!()
    }

    /// Which database is underneath.
    #[must_use]
    pub fn engine(&self) -> Engine {
        unimplemented!()
    }

    /// The present instant by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts a write transaction. On SQLite it excludes every other writer until it ends: keep it short.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self) -> Result<Tx> {
        unimplemented!()
    }

    /// Tells every process on this database that there is something to look at: tasks or mounts.
    pub async fn wake(&self) {
        unimplemented!()
    }

    /// A number that moves whenever somebody calls [`Store::wake`], here or in another process. It also moves now and
    /// then for nothing. Wait with `changed()`.
    #[must_use]
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        unimplemented!()
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        unimplemented!()
    }

    /// Closes every connection. Open streams and transactions end with an error.
    pub async fn close(&self) {
        unimplemented!()
    }
}
