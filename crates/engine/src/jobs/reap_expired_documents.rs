//! Forgetting what is old (pulp2/tasks#forgetting).

use async_trait::async_trait;
use pith_core::SignedDuration;
use pith_core::task::{Resource, tag};
use pith_store::HistoryKind;
use serde::{Deserialize, Serialize};

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;

/// Days that tasks are kept.
const TASKS: i64 = 7;
/// Days that the history of syncs and publishes is kept.
const HISTORY: i64 = 60;

/// Forget what is old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReapExpiredDocuments {}

#[async_trait]
impl Job for ReapExpiredDocuments {
    type Needs = ();

    const KIND: &'static str = "reap_expired_documents";
    const TASK_TYPE: &'static str = "pulp.server.db.reaper.reap_expired_documents";

    fn tags(&self) -> Vec<String> {
        vec![tag::action("reaper")]
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        reap(&run).await?;
        Ok(Done::default())
    }
}

/// Deletes tasks and history entries that are older than they are kept. A task that waits or runs stays, however old.
async fn reap(run: &Run) -> Result<(), Error> {
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
    Ok(())
}
