//! Units that change while repositories have them: the repositories must know, or what was published of them stays as it
//! was.
//!
//! Whatever changes the document, the parts or the file of a unit in place calls [`mark`] in its own transaction. A commit
//! that adds units and a change of the same units must not pass each other unseen: the change would not find the
//! repository yet, and a publish between the two would not find the change. So on PostgreSQL, where they can run at the
//! same time, commits share a lock which a change takes for itself until its transaction ends; it is taken before any
//! row of a repository, by all.

use pith_core::{Timestamp, UnitId};

use crate::Result;
use crate::dialect::{CHUNK, Sql};
use crate::migrate::{advisory_lock, advisory_lock_shared};
use crate::transaction::DbTx;

/// The lock between changes of units and commits of content ("unit" in ASCII).
const LOCK: i64 = 0x756e_6974;

/// Notes in every repository that has one of these units now that its content changed.
pub(crate) async fn mark(tx: &mut DbTx, ids: &[UnitId], now: Timestamp) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    advisory_lock(tx, LOCK).await?;
    for chunk in ids.chunks(CHUNK) {
        let text = "UPDATE repos SET changes = changes + 1, last_unit_added = ";
        let mut query = Sql::new(tx.backend(), text);
        query
            .bind(now)
            .push(" WHERE id IN (SELECT repo_id FROM repo_units WHERE removed_in IS NULL AND ");
        query.bind_in("unit_id", chunk.iter().copied()).push(")");
        tx.execute(query.build()).await?;
    }
    Ok(())
}

/// Keeps changes of units away until the commit of this transaction, which gives a repository units.
pub(crate) async fn hold_off(tx: &mut DbTx) -> Result<()> {
    advisory_lock_shared(tx, LOCK).await
}
