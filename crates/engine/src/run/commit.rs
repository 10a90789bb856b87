//! The end of tasks that change the content of several repositories.

use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;

/// Makes what was staged in each lane the content of its repository, of all of them or of none.
pub(super) async fn commit(run: &Run, lanes: &[String], result: Value) -> Result<Done, Error> {
    let last = run.last().await?;
    let mut added = 0;
    // By id, as whoever locks several repositories does.
    let mut lanes: Vec<(u32, &String)> = (0..).zip(lanes).collect();
    lanes.sort_by_key(|(_, repo_id)| *repo_id);
    for (lane, repo_id) in lanes {
        let now = run.engine.clock.now();
        let committed = last.lane(lane).content_commit(repo_id, now).await;
        added += committed?.added;
    }
    let done = Done {
        result,
        ..Done::default()
    };
    let done = run.finish(last, done).await?;
    run.engine.content_grew(added);
    Ok(done)
}
