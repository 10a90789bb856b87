//! Locks that several tables have in common, held until the end of the transaction.

use crate::dialect::{Sql, for_update};
use crate::migrate::advisory_lock;
use crate::transaction::DbTx;
use crate::{Result, StoreError};

/// The lock of whoever queues a task on PostgreSQL, held until the commit. Places in the queue are then given out in the order of
/// commits: without it a task could appear *before* one that already runs, and run beside it.
const QUEUE_LOCK: i64 = 0x7069_7469;

/// Locks the repository against deletion until the end of the transaction.
///
/// # Errors
/// [`crate::StoreError::Missing`] when there is none.
pub(crate) async fn repository_exists(tx: &mut DbTx, repo: &str) -> Result<()> {
    match lock_repository(tx, repo).await? {
        true => Ok(()),
        false => Err(StoreError::missing("repository", repo)),
    }
}

/// Locks the repository until the end of the transaction, before what belongs to it is locked (see `transaction.rs`).
/// Answers whether there is one.
pub(crate) async fn lock_repository(tx: &mut DbTx, repo: &str) -> Result<bool> {
    let mut query = Sql::new(tx.backend(), "SELECT 1 FROM repos WHERE id = ");
    query.bind(repo).push(for_update(tx.backend()));
    Ok(tx.optional(query.build()).await?.is_some())
}

/// Takes the lock of whoever queues tasks, until the end of the transaction.
pub(crate) async fn lock_queue(tx: &mut DbTx) -> Result<()> {
    advisory_lock(tx, QUEUE_LOCK).await
}
