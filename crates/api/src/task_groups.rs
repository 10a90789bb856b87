//! `/v2/task_groups/` (pulp2/tasks#groups).

use pith_core::Document;
use pith_core::error::PulpError;
use pith_core::task::TaskState;
use pith_engine::Error;
use serde_json::json;
use uuid::Uuid;

use crate::http::{Answer, Call};

/// The group of the path; 400 for what is no id.
fn group(call: &Call) -> Result<Uuid, PulpError> {
    let id = call.param(0).parse();
    id.map_err(|_| PulpError::invalid_value(&["group_id"]))
}

/// Answers 404, as Pulp always does: call reports of groups name this path, and clients ask the summary.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    Err(PulpError::missing_resource(&[("resource_id", call.param(0))]).into())
}

/// Cancels the tasks of a group.
pub(crate) async fn cancel(call: Call) -> Result<Answer, Error> {
    if call.pulp.engine.cancel_group(group(&call)?).await? {
        Ok(Answer::null())
    } else {
        Err(PulpError::missing_resource(&[]).into())
    }
}

/// Returns how many tasks of a group are in which state; all zero for a group that has none.
pub(crate) async fn state_summary(call: Call) -> Result<Answer, Error> {
    let states = call
        .pulp
        .engine
        .store
        .task_group_states(group(&call)?)
        .await?;
    let mut summary: Document = TaskState::ALL
        .iter()
        .map(|state| (state.name().to_owned(), json!(0)))
        .collect();
    for (state, count) in &states {
        summary.insert(state.name().to_owned(), json!(count));
    }
    let total: i64 = states.iter().map(|(_, count)| count).sum();
    summary.insert("total".to_owned(), json!(total));
    Answer::json(&summary)
}
