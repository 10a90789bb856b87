//! The handle that everything else hangs on.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use futures::stream::BoxStream;
use pith_core::{Clock, Timestamp};
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::db::Db;
use crate::dialect::{Stmt, sql};
use crate::generations::Watch;
use crate::migrate::migrate;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, StoreError};

/// Rows in batches, read as they are consumed. No connection is held between two batches.
pub type BatchStream<T> = BoxStream<'static, Result<Vec<T>>>;

/// The PostgreSQL channel on which processes wake each other.
const CHANNEL: &str = "pith_wake";

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
pub struct Tx {
    pub(crate) inner: DbTx,
    store: Store,
    wakes: bool,
    moves: bool,
}

impl Tx {
    /// Makes everything done in the transaction durable and visible, then wakes waiting workers if there is a reason.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub async fn commit(mut self) -> Result<()> {
        if self.wakes && self.inner.engine() == Engine::Postgres {
            // Inside the transaction: PostgreSQL delivers it exactly when the change is visible.
            self.inner.all(notify()).await?;
        }
        if self.moves {
            let number = self.store.inner.watch.begin();
            self.inner.commit().await?;
            self.store.inner.watch.end(number);
        } else {
            self.inner.commit().await?;
        }
        if self.wakes {
            self.store.inner.bump();
        }
        Ok(())
    }

    /// Moves a number of `generations` at the commit.
    pub(crate) async fn move_generation(&mut self, name: &'static str) -> Result<()> {
        self.moves = true;
        let statement = sql("UPDATE generations SET value = value + 1 WHERE name = $1").bind(name);
        self.inner.execute(statement).await.map(drop)
    }

    /// Wakes everybody at the commit.
    pub(crate) fn wake_at_commit(&mut self) {
        self.wakes = true;
    }
}

fn notify() -> Stmt {
    sql("SELECT 1 FROM (SELECT pg_notify($1, '')) AS n").bind(CHANNEL)
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) db: Db,
    clock: Arc<dyn Clock>,
    wakeups: Arc<watch::Sender<u64>>,
    listener: Option<JoinHandle<()>>,
    pub(crate) watch: Watch,
    /// (type, field) pairs with an index.
    pub(crate) indexed: RwLock<HashSet<(String, String)>>,
}

impl Inner {
    fn bump(&self) {
        self.wakeups.send_modify(|count| *count += 1);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// The database of a pith. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

impl Store {
    /// Opens the database at `url` (`sqlite:///path/pith.db`, `postgres://user@host/name`), makes the file and its
    /// folder if need be, and brings the schema up to date.
    ///
    /// # Errors
    /// When the URL makes no sense, the database cannot be reached or was written by a newer pith.
    pub async fn connect(url: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let db = Db::open(url).await?;
        migrate(&db, clock.now()).await?;
        let wakeups = Arc::new(watch::Sender::new(0));
        let listener = match &db {
            Db::Sqlite { .. } => None,
            Db::Postgres(pool) => {
                let mut listener = PgListener::connect_with(pool).await?;
                listener.listen(CHANNEL).await?;
                Some(tokio::spawn(listen(listener, Arc::clone(&wakeups))))
            }
        };
        let watch = Watch::new(&db);
        let inner = Inner {
            db,
            clock,
            wakeups,
            listener,
            watch,
            indexed: RwLock::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Which database is underneath.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.db.engine()
    }

    /// The present instant by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Starts a write transaction. On SQLite it excludes every other writer until it ends: keep it short.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx {
            inner: self.inner.db.begin().await?,
            store: self.clone(),
            wakes: false,
            moves: false,
        })
    }

    /// Tells every process on this database that there is something to look at: tasks or mounts.
    // tidy: allow(unused): tests of waking; transactions wake by themselves
    pub async fn wake(&self) {
        self.inner.bump();
        if self.engine() == Engine::Postgres
            && let Err(error) = self.inner.db.all(notify()).await
        {
            // Others poll slowly besides: late, not lost.
            tracing::warn!(%error, "could not wake other processes");
        }
    }

    /// A number that moves whenever somebody calls [`Store::wake`], here or in another process. It also moves now and
    /// then for nothing. Wait with `changed()`.
    #[must_use]
    pub fn wakeups(&self) -> watch::Receiver<u64> {
        self.inner.wakeups.subscribe()
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.all(sql("SELECT 1")).await.map(drop)
    }

    /// Writes the log of an SQLite file back into it, as far as that works without waiting for anybody, so that the log begins
    /// anew. PostgreSQL does that by itself.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.engine() == Engine::Sqlite {
            let statement = sql("PRAGMA wal_checkpoint(PASSIVE)");
            self.inner.db.write_all(statement).await?;
        }
        Ok(())
    }

    /// Closes every connection. Open streams and transactions end with an error.
    pub async fn close(&self) {
        if let Some(listener) = &self.inner.listener {
            listener.abort();
        }
        self.inner.watch.close().await;
        self.inner.db.close().await;
    }

    pub(crate) async fn all(&self, statement: Stmt) -> Result<Vec<Row>> {
        self.inner.db.all(statement).await
    }

    pub(crate) async fn each(
        &self,
        statement: Stmt,
        see: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        self.inner.db.each(statement, see).await
    }

    pub(crate) async fn optional(&self, statement: Stmt) -> Result<Option<Row>> {
        self.inner.db.optional(statement).await
    }

    pub(crate) async fn execute(&self, statement: Stmt) -> Result<u64> {
        self.inner.db.execute(statement).await
    }

    /// Runs a statement that changes one row, named for the error when there is none.
    pub(crate) async fn execute_one(
        &self,
        statement: Stmt,
        what: &'static str,
        id: impl std::fmt::Display,
    ) -> Result<()> {
        match self.execute(statement).await? {
            0 => Err(StoreError::missing(what, id)),
            _ => Ok(()),
        }
    }

    pub(crate) fn is_indexed(&self, type_id: &str, field: &str) -> bool {
        let indexed = self
            .inner
            .indexed
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        indexed.contains(&(type_id.to_owned(), field.to_owned()))
    }
}

/// Passes wake-up calls of other processes on. The listener reconnects by itself; a gap in between is filled by the
/// slow poll of whoever waits.
async fn listen(mut listener: PgListener, wakeups: Arc<watch::Sender<u64>>) {
    loop {
        match listener.try_recv().await {
            Ok(_) => wakeups.send_modify(|count| *count += 1),
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => {
                tracing::warn!(%error, "lost the connection that listens for wake-up calls");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    }
}
