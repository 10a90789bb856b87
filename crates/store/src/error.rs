//! Everything that can go wrong between pith and its database.

/// Failures of SQLite that pass: busy, locked, out of memory, read-only (its file was moved), interrupted, of the disk, and a
/// file that cannot be opened.
const SQLITE_PASSING: [u32; 7] = [5, 6, 7, 8, 9, 10, 14];

/// Beginnings of PostgreSQL's codes for failures that pass: of the connection, of resources, somebody stops the server, it
/// is starting, another transaction was in the way.
const POSTGRES_PASSING: [&str; 7] = ["08", "53", "57P", "58", "40001", "40P01", "25006"];

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

/// A failure of the store. The kinds that a caller can act on are variants of their own.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something of this name exists already.
    #[error("the {what} '{id}' exists already")]
    Duplicate {
        /// The noun.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// Something that is not there.
    #[error("there is no {what} '{id}'")]
    Missing {
        /// The noun.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The name belongs to somebody else.
    #[error("the {what} '{id}' belongs to {owner}")]
    Conflict {
        /// The noun.
        what: &'static str,
        /// Its id.
        id: String,
        /// The owner, for people.
        owner: String,
    },
    /// Files that were found in the blob store have been deleted since, or are being deleted: see
    /// [`crate::Store::blob_revive`].
    #[error(
        "{} file(s) that nothing needed were deleted while they came back, {} first: run it again",
        .0.len(),
        .0.first().map(ToString::to_string).unwrap_or_default()
    )]
    BlobsGone(Vec<pith_core::Sha256>),
    /// Another attempt at the task has begun, or the task has ended: this one must stop and writes nothing more.
    #[error("attempt {} at the task {} was given up: another worker has taken it over, or it has ended", .0.attempt, .0.task)]
    Superseded(crate::Fence),
    /// The database URL makes no sense.
    #[error("the database URL {0}; use sqlite:///path/pith.db or postgres://user@host/name")]
    BadUrl(String),
    /// The database was written by a newer pith.
    #[error(
        "the database has schema {found}, this pith knows up to {known}: start the newer pith, or restore a backup"
    )]
    TooNew {
        /// The version that the database has.
        found: i64,
        /// The version that this program knows.
        known: i64,
    },
    /// A name that may not be part of a statement.
    #[error("'{0}' is not a field or type name: letters, digits, '_', '-' and '.' are allowed")]
    BadName(String),
    /// A row holds what pith never writes.
    #[error("the database holds an unreadable {0}; restore it from a backup, or report it")]
    Corrupt(String),
    /// Secrets in the database cannot be sealed or opened.
    #[error("a secret in the database cannot be sealed or opened: {0}")]
    Sealed(String),
    /// The database server takes no connection at start.
    #[error("the database server at {place} cannot be used: {reason}")]
    Unreachable {
        /// Host and port.
        place: String,
        /// The last reason.
        reason: sqlx::Error,
    },
    /// The database refused or is not reachable.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A file of the SQLite database is not where it was opened, or the database was emptied.
    #[error(
        "'{0}' was moved, deleted, emptied or cut short while pith runs: put it back, or stop pith before it is restored; a log \
         that was cut short ends with a restart"
    )]
    Moved(String),
    /// A statement of the transaction failed before: what was done in it is undone.
    #[error("the transaction failed before, and nothing of it was done; try again")]
    TransactionOver,
    /// The database does not answer in time.
    #[error("the database did not answer within {0:?}")]
    Silent(std::time::Duration),
    /// A request reads more than there is memory for at the moment.
    #[error(
        "the answer needs more memory than there is at the moment: ask for less at once, with limit and skip, or a filter"
    )]
    NoMemory,
    /// A document could not be written as JSON.
    #[error("a document is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The folder of the SQLite file cannot be made.
    #[error("cannot use the folder '{path}' for the database: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl StoreError {
    /// A [`StoreError::Missing`].
    pub(crate) fn missing(what: &'static str, id: impl std::fmt::Display) -> Self {
        Self::Missing {
            what,
            id: id.to_string(),
        }
    }

    /// Tells whether the statement broke a rule of the schema: the database is well, and so is the connection.
    pub(crate) fn is_broken_rule(&self) -> bool {
        use sqlx::error::ErrorKind;
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        !matches!(error.kind(), ErrorKind::Other)
    }

    /// Tells whether there is no room left where the database keeps its files.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code();
                // SQLITE_FULL; disk_full of PostgreSQL.
                matches!(code.as_deref(), Some("13" | "53100"))
            }
            Self::Database(sqlx::Error::Io(error)) => is_full(error),
            Self::Folder { source, .. } => is_full(source),
            _ => false,
        }
    }

    /// Tells whether the database cannot be reached, or cannot work now, for a reason that passes: the same call may succeed
    /// later.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default().into_owned();
                // SQLite has numbers, whose lowest byte is the kind of failure; PostgreSQL has five characters.
                match code.parse::<u32>() {
                    Ok(number) if code.len() < 5 => SQLITE_PASSING.contains(&(number & 0xff)),
                    _ => POSTGRES_PASSING.iter().any(|start| code.starts_with(start)),
                }
            }
            Self::Database(
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed,
            )
            | Self::Moved(_) => true,
            _ => false,
        }
    }

    /// Turns a broken uniqueness rule into [`StoreError::Duplicate`], leaves the rest alone.
    pub(crate) fn or_duplicate(self, what: &'static str, id: &str) -> Self {
        match &self {
            Self::Database(sqlx::Error::Database(e)) if e.is_unique_violation() => {
                Self::Duplicate {
                    what,
                    id: id.to_owned(),
                }
            }
            _ => self,
        }
    }

    /// Turns a reference to nothing into [`StoreError::Missing`], leaves the rest alone.
    pub(crate) fn or_missing(self, what: &'static str, id: &str) -> Self {
        match &self {
            Self::Database(sqlx::Error::Database(e)) if e.is_foreign_key_violation() => {
                Self::missing(what, id)
            }
            _ => self,
        }
    }
}
