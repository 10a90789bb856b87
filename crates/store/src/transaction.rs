//! Transactions that own their connection.
//!
//! sqlx counts how deep a connection is in transactions and believes its count. A transaction that ended in another way than
//! it expects (SQLite rolls back by itself when the disk is full; a future is dropped while the answer is on its way) then
//! leaves a connection behind that refuses every further one. So nothing here uses that count: `BEGIN`, `COMMIT` and
//! `ROLLBACK` are statements like others, and a connection goes back to its pool only when it is known to be outside of a
//! transaction. In every doubt it is closed, which ends the transaction on either backend, and the pool opens another.
//!
//! Transactions on PostgreSQL run side by side, and those that lock the same things in different orders end each other. So
//! all lock in this order, and leave out what they do not need:
//!
//! 1. the row of the task whose attempt writes (`fence.rs`);
//! 2. the advisory locks on the settings of distributors (`whole.rs`) and on changes of units (`unit_changes.rs`);
//! 3. the row of a group;
//! 4. the rows of repositories, several of them by id;
//! 5. rows of importers, distributors and what hangs on them, and `generations`;
//! 6. the lock on the queue (`tasks.rs`);
//! 7. schedules.
//!
//! Whoever changes an importer or a distributor therefore locks its repository first (`locks::lock_repository`):
//! the same transaction may need the repository later.

use sqlx::pool::PoolConnection;
use sqlx::postgres::Postgres;
use sqlx::sqlite::Sqlite;
use sqlx::{AssertSqlSafe, Executor};

use crate::backend::Backend;
use crate::dialect::Stmt;
use crate::statements::{postgres_all, postgres_execute, sqlite_all, sqlite_execute};
use crate::value::Row;
use crate::{Result, StoreError};

/// Runs a statement; in tests it may fail on purpose.
#[cfg(test)]
macro_rules! strike {
    ($on:ident, $statement:expr) => {
        match crate::faults::due() {
            None => $statement,
            Some(way) => match crate::faults::before(way, $on).await {
                Some(failed) => failed,
                None => crate::faults::after(way, $statement).await,
            },
        }
    };
}

/// Runs a statement.
#[cfg(not(test))]
macro_rules! strike {
    ($on:ident, $statement:expr) => {
        $statement
    };
}

/// A connection of either backend, out of its pool.
#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Connection {
    pub(crate) async fn all(&mut self, statement: Stmt) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(on) => sqlite_all(&mut **on, statement).await,
            Self::Postgres(on) => postgres_all(&mut **on, statement).await,
        }
    }

    async fn execute(&mut self, statement: Stmt) -> Result<u64> {
        match self {
            Self::Sqlite(on) => sqlite_execute(&mut **on, statement).await,
            Self::Postgres(on) => postgres_execute(&mut **on, statement).await,
        }
    }

    /// Runs a script without binds.
    pub(crate) async fn script(&mut self, text: String) -> Result<()> {
        let script = sqlx::raw_sql(AssertSqlSafe(text));
        match self {
            Self::Sqlite(on) => on.execute(script).await.map(drop)?,
            Self::Postgres(on) => on.execute(script).await.map(drop)?,
        }
        Ok(())
    }

    fn close_on_drop(&mut self) {
        match self {
            Self::Sqlite(on) => on.close_on_drop(),
            Self::Postgres(on) => on.close_on_drop(),
        }
    }
}

/// The state of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The last statement was answered well.
    Sound,
    /// The last statement broke a rule of the schema: an open transaction can only be rolled back.
    Refused,
    /// A statement is under way, was cut off, or failed for another reason.
    Doubtful,
}

/// A connection out of its pool that goes back when nothing about it is in doubt, and is closed otherwise.
#[derive(Debug)]
pub(crate) struct Checked {
    /// `None` once it is given back.
    connection: Option<Connection>,
    state: State,
}

impl Checked {
    pub(crate) fn new(connection: Connection) -> Self {
        Self {
            connection: Some(connection),
            state: State::Sound,
        }
    }

    /// The connection, for one statement, whose result is to go through [`Self::leave`]. Until then all is in doubt.
    fn enter(&mut self) -> Result<&mut Connection> {
        if self.state != State::Sound {
            return Err(StoreError::TransactionOver);
        }
        self.state = State::Doubtful;
        self.connection.as_mut().ok_or(StoreError::TransactionOver)
    }

    fn leave<T>(&mut self, done: Result<T>) -> Result<T> {
        self.state = match &done {
            Ok(_) => State::Sound,
            Err(error) if error.is_broken_rule() => State::Refused,
            Err(_) => State::Doubtful,
        };
        done
    }

    pub(crate) async fn all(&mut self, statement: Stmt) -> Result<Vec<Row>> {
        let on = self.enter()?;
        let done = strike!(on, on.all(statement).await);
        self.leave(done)
    }

    pub(crate) async fn execute(&mut self, statement: Stmt) -> Result<u64> {
        let on = self.enter()?;
        let done = strike!(on, on.execute(statement).await);
        self.leave(done)
    }

    pub(crate) async fn script(&mut self, text: String) -> Result<()> {
        let on = self.enter()?;
        let done = strike!(on, on.script(text).await);
        self.leave(done)
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && self.state == State::Doubtful
        {
            connection.close_on_drop();
        }
    }
}

/// An open transaction of either backend; dropped without [`DbTx::commit`] it is rolled back. After a statement that failed
/// it takes no other one and cannot be committed: SQLite would run what follows outside of any transaction.
#[derive(Debug)]
pub(crate) struct DbTx {
    /// `None` once it is over.
    on: Option<Checked>,
    backend: Backend,
}

impl DbTx {
    /// Begins a transaction on `connection`.
    pub(crate) async fn begin(connection: Connection) -> Result<Self> {
        let (backend, text) = match &connection {
            // A deferred transaction that turns to writing fails with "busy" however long the timeout.
            Connection::Sqlite(_) => (Backend::Sqlite, "BEGIN IMMEDIATE"),
            Connection::Postgres(_) => (Backend::Postgres, "BEGIN"),
        };
        // Owned before it begins: whoever goes away meanwhile leaves nothing open.
        let mut this = Self {
            on: Some(Checked::new(connection)),
            backend,
        };
        this.script(text.to_owned()).await?;
        Ok(this)
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    fn on(&mut self) -> Result<&mut Checked> {
        self.on.as_mut().ok_or(StoreError::TransactionOver)
    }

    pub(crate) async fn all(&mut self, statement: Stmt) -> Result<Vec<Row>> {
        self.on()?.all(statement).await
    }

    pub(crate) async fn optional(&mut self, statement: Stmt) -> Result<Option<Row>> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    pub(crate) async fn execute(&mut self, statement: Stmt) -> Result<u64> {
        self.on()?.execute(statement).await
    }

    /// Runs statements one after another; answers the rows affected by all.
    pub(crate) async fn execute_each(
        &mut self,
        statements: impl IntoIterator<Item = Stmt>,
    ) -> Result<u64> {
        let mut affected = 0;
        for statement in statements {
            affected += self.execute(statement).await?;
        }
        Ok(affected)
    }

    /// Runs a script without binds.
    pub(crate) async fn script(&mut self, text: String) -> Result<()> {
        self.on()?.script(text).await
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        self.on()?.script("COMMIT".to_owned()).await?;
        drop(self.on.take());
        Ok(())
    }

    /// Rolls back, and gives the connection back if that worked; otherwise it is closed.
    async fn roll_back(mut on: Checked) {
        let Some(connection) = on.connection.as_mut() else {
            return;
        };
        on.state = State::Doubtful;
        if let Err(error) = connection.script("ROLLBACK".to_owned()).await {
            tracing::debug!(%error, "a connection that could not roll back is closed");
            return;
        }
        on.state = State::Sound;
    }
}

impl Drop for DbTx {
    fn drop(&mut self) {
        let Some(mut on) = self.on.take() else {
            return;
        };
        if on.state == State::Doubtful {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(Self::roll_back(on))),
            Err(_) => on.state = State::Doubtful,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
