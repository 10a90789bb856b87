//! Forgetting what is old (pulp2/tasks#forgetting).

use pith_core::SignedDuration;
use pith_store::HistoryKind;

use crate::error::Error;
use crate::worker::{Done, Run};

/// Days that tasks are kept.
const TASKS: i64 = 7;
/// Days that the history of syncs and publishes is kept.
const HISTORY: i64 = 60;

/// Deletes tasks and history entries that are older than they are kept. A task that waits or runs stays, however old.
///
/// # Errors
/// Those that the task ends with.
pub async fn reap(run: Run) -> Result<Done, Error> {
    let (store, now) = (&run.store, run.engine.clock.now());
    let before = |days: i64| {
        now.saturating_sub(SignedDuration::from_hours(days * 24))
            .unwrap_or(pith_core::Timestamp::MIN)
    };
    let tasks = store.task_delete_before(before(TASKS)).await?;
    let mut entries = 0;
    for kind in [HistoryKind::Sync, HistoryKind::Publish] {
        let deleted = store.history_delete_before(kind, before(HISTORY)).await;
        entries += deleted?;
    }
    if tasks + entries > 0 {
        tracing::info!(tasks, entries, "forgot what is old");
    }
    Ok(Done::default())
}
