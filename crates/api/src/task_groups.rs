//! `/v2/task_groups/` (pulp2/tasks#groups).

use pith_core::Document;
use pith_core::error::PulpError;
use pith_core::task::TaskState;
use pith_engine::Error;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::http::{Call, Done, Json, Segments};
use crate::operation::Shape::{Any, Null, One};
use crate::operation::{DELETE, NONE, READ, RestRoute, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/task_groups/<group>/", READ, read, "Read a task group; there is never an answer, ask for its summary.", [], NONE => Any),
    operation!(Delete "/task_groups/<group>/", DELETE, cancel, "Cancel the tasks of a group.", [], NONE => Null),
    operation!(Get "/task_groups/<group>/state_summary/", READ, state_summary, "Count the tasks of a group by state.", [], NONE => One("StateSummary")),
];

/// The group of the path; 400 for what is no id.
fn id(group: &str) -> Result<Uuid, PulpError> {
    let id = group.parse();
    id.map_err(|_| PulpError::invalid_value(&["group_id"]))
}

/// Answers 404, as Pulp always does: call reports of groups name this path, and clients ask the summary.
pub(crate) async fn read(_: Call, Segments([group]): Segments<1>) -> Result<Done, Error> {
    Err(PulpError::missing_resource(&[("resource_id", &group)]).into())
}

/// Cancels the tasks of a group.
pub(crate) async fn cancel(call: Call, Segments([group]): Segments<1>) -> Result<Done, Error> {
    if call.pulp.engine.cancel_group(id(&group)?).await? {
        Ok(Done)
    } else {
        Err(PulpError::missing_resource(&[]).into())
    }
}

/// Returns how many tasks of a group are in which state; all zero for a group that has none.
pub(crate) async fn state_summary(
    call: Call,
    Segments([group]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let states = call
        .pulp
        .engine
        .store
        .task_group_states(id(&group)?)
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
    Ok(Json(summary))
}
