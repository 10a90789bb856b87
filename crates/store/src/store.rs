//! The handle that everything else hangs on.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures::stream::BoxStream;
use pith_core::{Clock, Timestamp};
use sqlx::postgres::PgListener;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::task::JoinHandle;

use crate::backend::Backend;
use crate::db::Db;
use crate::dialect::{Stmt, sql};
use crate::fence::{self, Fence};
use crate::figures::PoolFigures;
use crate::generations::Watch;
use crate::locks::lock_repository;
use crate::migrate::migrate;
use crate::secrets::Secrets;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::within::{Held, Within};
use crate::{Result, StoreError};

/// Rows in batches, read as they are consumed. No connection is held between two batches.
pub type BatchStream<T> = BoxStream<'static, Result<Vec<T>>>;

/// The PostgreSQL channel on which processes wake each other.
const CHANNEL: &str = "pith_wake";

/// An open transaction; dropped without [`Tx::commit`] it is rolled back.
#[derive(Debug)]
pub struct Tx {
    pub(crate) inner: Held,
    store: Store,
    wakes: bool,
    moves: bool,
}

impl Tx {
    /// Makes everything done in the transaction durable and visible, then wakes waiting workers if there is a reason.
    ///
    /// # Errors
    /// When the database refuses; nothing was changed then.
    pub async fn commit(self) -> Result<()> {
        match (self.inner, &self.store.within) {
            (Held::Own(tx), _) => self.store.end(tx, (self.wakes, self.moves)).await,
            // The whole commits for all its parts.
            (Held::Part(_), Some(within)) => {
                within.wakes.fetch_or(self.wakes, Ordering::Relaxed);
                within.moves.fetch_or(self.moves, Ordering::Relaxed);
                Ok(())
            }
            (Held::Part(_), None) => Ok(()),
        }
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
    pub(crate) secrets: Secrets,
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
    /// The attempt whose writes these are: see [`crate::fence`].
    fence: Option<Fence>,
    /// Everything goes into this transaction.
    within: Option<Arc<Within>>,
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
            secrets: Secrets::default(),
            indexed: RwLock::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
            fence: None,
            within: None,
        })
    }

    /// The database underneath.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.inner.db.backend()
    }

    /// The connections to the database.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolFigures> {
        self.inner.db.pools()
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
        let mut tx = self.begin_unfenced().await?;
        if let (Some(fence), None) = (self.fence, &self.within) {
            fence::require(&mut tx.inner, fence).await?;
        }
        Ok(tx)
    }

    /// Does what [`Store::begin`] does, for statements that look at the fence themselves.
    pub(crate) async fn begin_unfenced(&self) -> Result<Tx> {
        let inner = match &self.within {
            Some(within) => {
                let tx = Arc::clone(&within.tx).lock_owned().await;
                let tx = OwnedMutexGuard::try_map(tx, Option::as_mut);
                Held::Part(tx.map_err(|_| StoreError::TransactionOver)?)
            }
            None => Held::Own(self.inner.db.begin().await?),
        };
        Ok(Tx {
            inner,
            store: self.clone(),
            wakes: false,
            moves: false,
        })
    }

    /// A transaction that nothing was done in.
    pub(crate) async fn unfenced_tx(&self) -> Result<DbTx> {
        self.inner.db.begin().await
    }

    /// The same database, for this attempt of a task alone.
    pub(crate) fn fenced(&self, fence: Fence) -> Self {
        Self {
            fence: Some(fence),
            ..self.clone()
        }
    }

    /// The same database, seen and changed in this transaction.
    pub(crate) fn within(&self, within: &Arc<Within>) -> Self {
        Self {
            within: Some(Arc::clone(within)),
            ..self.clone()
        }
    }

    /// Commits a transaction that had parts.
    pub(crate) async fn commit_within(&self, within: &Within) -> Result<()> {
        let tx = within
            .tx
            .lock()
            .await
            .take()
            .ok_or(StoreError::TransactionOver)?;
        let noted = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let (wakes, moves) = (noted(&within.wakes), noted(&within.moves));
        self.end(tx, (wakes, moves)).await
    }

    /// Commits a transaction that wakes everybody, or moves a generation.
    async fn end(&self, mut tx: DbTx, (wakes, moves): (bool, bool)) -> Result<()> {
        if wakes && tx.backend() == Backend::Postgres {
            // Inside the transaction: PostgreSQL delivers it exactly when the change is visible.
            tx.all(notify()).await?;
        }
        if moves {
            let number = self.inner.watch.begin();
            tx.commit().await?;
            self.inner.watch.end(number);
        } else {
            tx.commit().await?;
        }
        if wakes {
            self.inner.bump();
        }
        Ok(())
    }

    /// A number that moves whenever there is something new to look at, made here or in another process: tasks or mounts. It also moves now and
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
        self.inner.db.require_place().await?;
        self.all(sql("SELECT 1")).await.map(drop)
    }

    /// Writes the log of an SQLite file back into it, as far as that works without waiting for anybody, so that the log begins
    /// anew. PostgreSQL does that by itself.
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub async fn checkpoint(&self) -> Result<()> {
        if self.backend() == Backend::Sqlite {
            let statement = sql("PRAGMA wal_checkpoint(PASSIVE)");
            self.write_all(statement).await?;
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
        match &self.within {
            Some(_) => self.begin().await?.inner.all(statement).await,
            None => self.inner.db.all(statement).await,
        }
    }

    /// Runs a statement that reads, and keeps what `read` makes of each row as it comes.
    pub(crate) async fn gather<T>(
        &self,
        statement: Stmt,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let see = |row: Row| read(&row).map(|item| found.push(item));
        self.each(statement, see).await?;
        Ok(found)
    }

    pub(crate) async fn each(
        &self,
        statement: Stmt,
        see: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        match &self.within {
            Some(_) => self.all(statement).await?.into_iter().try_for_each(see),
            None => self.inner.db.each(statement, see).await,
        }
    }

    pub(crate) async fn optional(&self, statement: Stmt) -> Result<Option<Row>> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// Runs one statement that writes; answers the rows affected.
    pub(crate) async fn execute(&self, statement: Stmt) -> Result<u64> {
        if self.is_free() {
            return self.inner.db.execute(statement).await;
        }
        let mut tx = self.begin().await?;
        let affected = tx.inner.execute(statement).await?;
        tx.commit().await?;
        Ok(affected)
    }

    /// Runs one statement that writes and returns rows.
    pub(crate) async fn write_all(&self, statement: Stmt) -> Result<Vec<Row>> {
        if self.is_free() {
            return self.inner.db.write_all(statement).await;
        }
        let mut tx = self.begin().await?;
        let rows = tx.inner.all(statement).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Runs a statement that changes what belongs to a repository, which is locked first; answers the rows affected.
    pub(crate) async fn execute_of_repository(&self, repo: &str, statement: Stmt) -> Result<u64> {
        let mut tx = self.begin().await?;
        lock_repository(&mut tx.inner, repo).await?;
        let affected = tx.inner.execute(statement).await?;
        tx.commit().await?;
        Ok(affected)
    }

    /// Tells whether a statement may run alone.
    fn is_free(&self) -> bool {
        self.fence.is_none() && self.within.is_none()
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
