//! Figures of the queue and of the connections, for those who watch the server.

use pith_core::Timestamp;
use pith_core::task::TaskState;

use crate::dialect::sql;
use crate::{Result, Store};

/// Counts the tasks that hold resources, along an index of these alone: ended ones are many.
const OPEN: &str =
    "SELECT kind, state, COUNT(*), MIN(created) FROM tasks WHERE open GROUP BY kind, state";

/// The tasks of one kind in one state that wait or run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTasks {
    /// `task_type` of the tasks.
    pub kind: String,
    /// Their state.
    pub state: TaskState,
    /// The number of them.
    pub count: i64,
    /// The time at which the oldest of them was queued.
    pub oldest: Timestamp,
}

/// The connections of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolFigures {
    /// The name of the pool.
    pub name: &'static str,
    /// Connections that are open.
    pub open: u64,
    /// Those of them that nobody uses.
    pub idle: u64,
    /// The most connections that there may be.
    pub most: u64,
}

impl PoolFigures {
    pub(crate) fn of<D: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<D>) -> Self {
        let (open, idle) = (u64::from(pool.size()), pool.num_idle() as u64);
        Self {
            name,
            open,
            // Both move meanwhile.
            idle: idle.min(open),
            most: u64::from(pool.options().get_max_connections()),
        }
    }
}

impl Store {
    /// The tasks that wait or run, by kind and state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_open(&self) -> Result<Vec<OpenTasks>> {
        self.gather(sql(OPEN), |row| {
            Ok(OpenTasks {
                kind: row.get(0)?,
                state: row.get(1)?,
                count: row.get(2)?,
                oldest: row.get(3)?,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pith_core::SystemClock;

    use super::*;
    use crate::dialect::Sql;
    use crate::unit_stream::explain_query;

    #[tokio::test]
    async fn the_queue_is_counted_in_an_index_and_claimed_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/pith.db", folder.path().display());
        let store = Store::connect(&url, Arc::new(SystemClock)).await.unwrap();
        let plan = async |text: &str| {
            let query = Sql::new(store.backend(), text);
            explain_query(&store, query).await.unwrap()
        };
        let counted = plan(OPEN).await;
        assert!(
            counted.contains("COVERING INDEX tasks_open_by_kind"),
            "{counted}"
        );
        assert!(!counted.contains("TEMP B-TREE"), "{counted}");
        let oldest =
            "SELECT t.id FROM tasks t WHERE t.state = 'waiting' AND t.open ORDER BY t.seq LIMIT 1";
        let claimed = plan(oldest).await;
        assert!(claimed.contains("tasks_waiting"), "{claimed}");
        assert_eq!(store.tasks_open().await.unwrap(), []);
        assert!(
            store
                .pools()
                .iter()
                .all(|pool| pool.idle <= pool.open && pool.open <= pool.most)
        );
    }
}
