//! Making what a task staged the content of its repository.

use pith_store::{Committed, Engine as Database};

use crate::worker::Run;

/// A commit that adds as many units as this has changed what the database plans with.
const MANY: i64 = 1000;

/// Commits what the task staged for a repository.
///
/// # Errors
/// When the database fails; nothing was changed then.
pub(super) async fn content(run: &Run, repo_id: &str) -> pith_store::Result<Committed> {
    let (store, now) = (&run.engine.store, run.engine.clock.now());
    let committed = store.content_commit(run.task, repo_id, now).await?;
    // PostgreSQL looks at new rows by itself only after a minute; until then it would search them row by row.
    if store.engine() == Database::Postgres && committed.added >= MANY {
        let store = store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.analyze().await {
                tracing::warn!(%error, "the statistics of the database could not be refreshed");
            }
        });
    }
    Ok(committed)
}
