//! The two engines behind one face: pools, transactions, running statements.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection, PgPool, SqlitePool};
use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::dialect::Stmt;
use crate::figures::PoolFigures;
use crate::statements::{postgres_all, postgres_query, see_all, sqlite_all, sqlite_query};
use crate::transaction::{Checked, Connection, DbTx};
use crate::value::Row;
use crate::{Result, StoreError};

/// Readers of an SQLite file at once; each is a thread.
const SQLITE_READERS: u32 = 8;

/// Connections to a PostgreSQL server, of one process.
const POSTGRES_CONNECTIONS: u32 = 16;

/// The longest wait for a connection to a PostgreSQL server, whether it is busy or away.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two attempts to reach a PostgreSQL server at start.
const RETRY: Duration = Duration::from_millis(250);

/// The longest wait for the one connection that writes an SQLite file, or for another process that writes it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest time that a transaction on PostgreSQL may wait for its next statement, which comes in milliseconds.
const IDLE_TRANSACTION: Duration = Duration::from_secs(10);

/// The bytes of room that the log of an SQLite file keeps when it begins anew.
const KEPT_LOG: u64 = 8 << 20;

/// An open database.
#[derive(Debug)]
pub(crate) enum Db {
    Sqlite {
        /// One connection: writers queue here instead of failing on each other.
        writer: SqlitePool,
        readers: SqlitePool,
        place: Box<Place>,
    },
    Postgres(PgPool),
}

/// The files of an SQLite database as they were when it was opened.
#[derive(Debug)]
pub(crate) struct Place {
    /// The database itself, its log, and the index of the log.
    files: [(PathBuf, Identity); 3],
    /// The greatest length that the log was seen with.
    log_length: AtomicU64,
    /// Opens a connection that is kept and does nothing: SQLite deletes the log with the last connection and makes another one
    /// with the next, so there must be no last one before the end.
    open: Mutex<Option<SqliteConnection>>,
}

/// Device and number of a file.
type Identity = (u64, u64);

impl Place {
    fn of(path: &Path, open: SqliteConnection) -> Result<Self> {
        let file = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            let path = PathBuf::from(name);
            match std::fs::metadata(&path) {
                Ok(found) => Ok((path, identity(&found))),
                Err(source) => Err(StoreError::Folder {
                    path: path.display().to_string(),
                    source,
                }),
            }
        };
        Ok(Self {
            files: [file("")?, file("-wal")?, file("-shm")?],
            log_length: AtomicU64::new(0),
            open: Mutex::new(Some(open)),
        })
    }

    /// Makes sure that all files are still there: SQLite would go on writing to one that was moved, deleted or emptied, and
    /// the next start would find nothing of it.
    async fn require(&self) -> Result<()> {
        let [database, beside @ ..] = &self.files;
        let away = |path: &Path| Err(StoreError::Moved(path.display().to_string()));
        // The log may be empty, the database never is.
        if !is_there(database, 1) {
            return away(&database.0);
        }
        match beside.iter().find(|file| !is_there(file, 0)) {
            // What is left of it must not be written into the database: that could be half of a transaction.
            None if self.log_was_cut() => away(&beside[0].0),
            None => Ok(()),
            Some((path, _)) => {
                self.save_log().await;
                away(path)
            }
        }
    }

    /// Tells whether somebody has made the log shorter. SQLite begins it anew in its own room, and shortens it to
    /// [`KEPT_LOG`] at most.
    fn log_was_cut(&self) -> bool {
        // Before the length is asked for, so that it can only have grown since.
        let seen = self.log_length.load(Ordering::Acquire);
        let Ok(found) = std::fs::metadata(&self.files[1].0) else {
            return false;
        };
        self.log_length.fetch_max(found.len(), Ordering::AcqRel);
        found.len() < seen.min(KEPT_LOG)
    }

    /// Returns what was read; of a failure the reason, if a file is away.
    async fn explain<T>(&self, read: Result<T>) -> Result<T> {
        if read.is_err() {
            self.require().await?;
        }
        read
    }

    /// Writes the log that only this process still has into the database.
    async fn save_log(&self) {
        let mut open = self.open.lock().await;
        let Some(connection) = open.as_mut() else {
            return;
        };
        let script = sqlx::raw_sql("PRAGMA wal_checkpoint(PASSIVE)");
        if let Err(error) = connection.execute(script).await {
            tracing::warn!(%error, "the log of the database is not in its place, and could not be saved");
        }
    }

    async fn close(&self) {
        if let Some(connection) = self.open.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the last connection to the database did not close");
        }
    }
}

fn identity(found: &Metadata) -> Identity {
    (found.dev(), found.ino())
}

/// Tells whether the file is the one that was opened, with at least `length` bytes.
fn is_there((path, opened): &(PathBuf, Identity), length: u64) -> bool {
    std::fs::metadata(path).is_ok_and(|found| identity(&found) == *opened && found.len() >= length)
}

/// Asks the server to end a transaction in which nothing happens: a process that stands still would hold its locks for ever.
async fn end_idle_transactions(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let milliseconds = IDLE_TRANSACTION.as_millis();
    let text = format!("SET idle_in_transaction_session_timeout = {milliseconds}");
    let set = connection.execute(sqlx::raw_sql(AssertSqlSafe(text)));
    set.await.map(drop)
}

/// Returns as soon as the server takes a connection. One that is away is given the same time as later; the pool would wait
/// in silence and not say why in the end.
async fn wait_for_server(options: &PgConnectOptions, patience: Duration) -> Result<()> {
    let unreachable = |reason| StoreError::Unreachable {
        place: place_of(options),
        reason,
    };
    let deadline = tokio::time::Instant::now() + patience;
    let mut last = None;
    loop {
        let error = match tokio::time::timeout_at(deadline, connect(options)).await {
            Ok(Ok(connection)) => {
                let _ = connection.close().await;
                return Ok(());
            }
            Ok(Err(StoreError::Database(error))) => error,
            Ok(Err(other)) => return Err(other),
            Err(_) => {
                let silent = format!("it does not answer within {patience:?}");
                let silent = || sqlx::Error::Io(std::io::Error::other(silent));
                return Err(unreachable(last.unwrap_or_else(silent)));
            }
        };
        if !is_starting(&error) || tokio::time::Instant::now() >= deadline {
            return Err(unreachable(error));
        }
        if last.is_none() {
            tracing::warn!(%error, server = place_of(options), "waiting for the database");
        }
        last = Some(error);
        tokio::time::sleep(RETRY).await;
    }
}

/// Tells whether the server may take connections in a moment: nobody listens yet, or it says that it starts or is full.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::PermissionDenied
        ),
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("57P") || code.starts_with("53")),
        _ => false,
    }
}

/// The address of a server, as people know it.
fn place_of(options: &PgConnectOptions) -> String {
    let port = options.get_port();
    match options.get_socket() {
        Some(folder) => format!("{} (port {port})", folder.display()),
        None => format!("{}:{port}", options.get_host()),
    }
}

impl Db {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            // Without the URL, which may hold a password.
            let options = PgConnectOptions::from_str(url)
                .map_err(|e| StoreError::BadUrl(format!("cannot be read: {e}")))?;
            let options = options.application_name("pith");
            wait_for_server(&options, POSTGRES_PATIENCE).await?;
            let pool = PgPoolOptions::new()
                .max_connections(POSTGRES_CONNECTIONS)
                .acquire_timeout(POSTGRES_PATIENCE)
                .after_connect(|connection, _| Box::pin(end_idle_transactions(connection)))
                .connect_with(options)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        let Some(path) = url
            .strip_prefix("sqlite://")
            .filter(|path| !path.is_empty())
        else {
            let backend = url.split_once("://").map_or("", |(backend, _)| backend);
            return Err(StoreError::BadUrl(match backend {
                "" => "names no engine".to_owned(),
                "sqlite" => "names no file".to_owned(),
                other => format!("names the engine '{other}', which pith does not know"),
            }));
        };
        Self::open_file(Path::new(path)).await
    }

    async fn open_file(path: &Path) -> Result<Self> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            tokio::fs::create_dir_all(folder)
                .await
                .map_err(|source| StoreError::Folder {
                    path: folder.display().to_string(),
                    source,
                })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .statement_cache_capacity(256)
            // A page of rows at once: with fewer, the two sides of each statement wake each other all the time.
            .row_buffer_size(512)
            // Documents of a few KB: fewer overflow pages than with the default.
            .page_size(8192)
            // Sorts larger than the cache spill to a file without a name.
            .pragma("temp_store", "file")
            // Not mapped: every page that was ever looked at would count as this process's memory.
            .pragma("mmap_size", "0");
        let writing = options
            .clone()
            .pragma("cache_size", "-8192")
            // A checkpoint per 32 MB instead of per 4 MB: pages that change often are copied less often.
            .pragma("wal_autocheckpoint", "4096")
            // The log does not keep what it once needed: a small disk has better uses for it.
            .pragma("journal_size_limit", KEPT_LOG.to_string());
        let mut kept = SqliteConnection::connect_with(&writing).await?;
        // Until something is read a connection has the log of a new database not open.
        kept.execute(sqlx::raw_sql("SELECT count(*) FROM sqlite_schema"))
            .await?;
        let writer = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(writing.clone())
            .await?;
        // It is there now. A connection opened later must not make an empty one where the file is away for a while.
        writer.set_connect_options(writing.create_if_missing(false));
        let options = options.create_if_missing(false);
        let readers = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS)
            .min_connections(1)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .connect_lazy_with(
                options
                    .pragma("cache_size", "-1024")
                    .pragma("query_only", "on"),
            );
        let place = Place::of(path, kept)?;
        Ok(Self::Sqlite {
            writer,
            readers,
            place: Box::new(place),
        })
    }

    /// Makes sure that the files of the database are where they were opened.
    pub(crate) async fn require_place(&self) -> Result<()> {
        match self {
            Self::Sqlite { place, .. } => place.require().await,
            Self::Postgres(_) => Ok(()),
        }
    }

    pub(crate) fn backend(&self) -> Backend {
        match self {
            Self::Sqlite { .. } => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    pub(crate) async fn begin(&self) -> Result<DbTx> {
        DbTx::begin(self.writer().await?).await
    }

    /// A connection that may write.
    async fn writer(&self) -> Result<Connection> {
        Ok(match self {
            Self::Sqlite { writer, place, .. } => {
                place.require().await?;
                Connection::Sqlite(writer.acquire().await?)
            }
            Self::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }

    /// Runs a statement that reads.
    pub(crate) async fn all(&self, statement: Stmt) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite { readers, place, .. } => {
                let found = sqlite_all(readers, statement).await;
                place.explain(found).await
            }
            Self::Postgres(pool) => postgres_all(pool, statement).await,
        }
    }

    /// Runs a statement that reads, and shows each row to `see` as it comes: a row costs ten times its content in memory, so
    /// whoever keeps little of many rows must not gather them first.
    pub(crate) async fn each(
        &self,
        statement: Stmt,
        see: impl FnMut(Row) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite { readers, place, .. } => {
                let query = sqlite_query(statement)?;
                let seen = see_all(query.fetch(readers).map_ok(Row::Sqlite), see).await;
                place.explain(seen).await
            }
            Self::Postgres(pool) => {
                let query = postgres_query(statement)?;
                see_all(query.fetch(pool).map_ok(Row::Postgres), see).await
            }
        }
    }

    /// Runs one statement that writes, in a transaction of its own; answers the rows affected.
    pub(crate) async fn execute(&self, statement: Stmt) -> Result<u64> {
        Checked::new(self.writer().await?).execute(statement).await
    }

    /// Runs one statement that writes and returns rows, in a transaction of its own.
    pub(crate) async fn write_all(&self, statement: Stmt) -> Result<Vec<Row>> {
        Checked::new(self.writer().await?).all(statement).await
    }

    pub(crate) fn pools(&self) -> Vec<PoolFigures> {
        match self {
            Self::Sqlite {
                writer, readers, ..
            } => vec![
                PoolFigures::of("writer", writer),
                PoolFigures::of("readers", readers),
            ],
            Self::Postgres(pool) => vec![PoolFigures::of("all", pool)],
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite {
                writer,
                readers,
                place,
            } => {
                readers.close().await;
                writer.close().await;
                place.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A connection to a PostgreSQL server beside the pool.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    Ok(PgConnection::connect_with(options).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_is_away_is_named_without_the_password() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = socket.local_addr().unwrap().to_string();
        drop(socket);
        let url = format!("postgres://user:hush@{place}/name");
        let options = PgConnectOptions::from_str(&url).unwrap();
        let refused = wait_for_server(&options, Duration::from_millis(100)).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(&place), "{refused}");
        assert!(!refused.contains("hush"), "{refused}");
    }
}
