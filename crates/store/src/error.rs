//! What can go wrong between pith and its database.

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
    /// There is nothing of this name.
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
        /// Who has it.
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
    /// The database URL makes no sense.
    #[error("the database URL {0}; use sqlite:///path/pith.db or postgres://user@host/name")]
    BadUrl(String),
    /// The database was written by a newer pith.
    #[error(
        "the database has schema {found}, this pith knows up to {known}: start the newer pith, or restore a backup"
    )]
    TooNew {
        /// What the database has.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// A name that may not be part of a statement.
    #[error("'{0}' is not a field or type name: letters, digits, '_', '-' and '.' are allowed")]
    BadName(String),
    /// A row holds what pith never writes.
    #[error("the database holds an unreadable {0}; run `pith verify`")]
    Corrupt(String),
    /// The database refused or is not reachable.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A document could not be written as JSON.
    #[error("a document is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The folder of the SQLite file cannot be made.
    #[error("cannot use the folder '{path}' for the database: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
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
