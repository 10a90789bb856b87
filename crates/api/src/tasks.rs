//! `/v2/tasks/` (pulp2/tasks).

use futures::StreamExt;
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::task::TaskState;
use pith_core::{Document, TaskId};
use pith_engine::Error;
use pith_pulp::present::{task_document, task_queue};
use pith_store::{Task, TaskListing, Window};
use serde::Serialize;
use serde_json::Value;

use crate::http::{Call, Done, Json, NoContent, Object, RestAnswer, Segments};
use crate::operation::Shape::{Many, Null, One};
use crate::operation::{DELETE, NONE, Param, READ, RestRoute, operation, params};
use crate::search::{self, FIELD, SEARCH};

/// The parameter of a list of tasks.
const TAGS: &[Param] = &[params("tag", "Only tasks with this tag.")];
/// The parameter of what is deleted.
const STATES: &[Param] = &[params(
    "state",
    "Delete tasks in this state: finished, error or skipped.",
)];

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/tasks/", READ, list, "List the tasks.", [TAGS], NONE => Many("Task")),
    operation!(Delete "/tasks/", DELETE, purge, "Delete tasks that have ended.", [STATES], NONE => NONE),
    operation!(Get "/tasks/search/", READ, search_get, "Search tasks.", [SEARCH, FIELD], NONE => Many("Task")),
    operation!(Post "/tasks/search/", READ, search_post, "Search tasks.", [], One("Search") => Many("Task")),
    operation!(Get "/tasks/<task>/", READ, read, "Read a task.", [], NONE => One("Task")),
    operation!(Delete "/tasks/<task>/", DELETE, cancel, "Cancel a task.", [], NONE => Null),
];

fn missing(id: &str) -> Error {
    PulpError::missing_resource(&[("resource_id", id)]).into()
}

fn shown(tasks: &[Task]) -> Vec<Document> {
    tasks
        .iter()
        .filter(|task| task.group.is_none())
        .map(task_document)
        .collect()
}

/// The values of a repeatable query parameter.
fn values(call: &Call, name: &str) -> Vec<String> {
    let pairs = call.query().into_iter();
    pairs
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .collect()
}

/// The most tags that a request asks for.
const MOST_TAGS: usize = 100;

/// Every task that is in no group, or those that have all the tags asked for.
pub(crate) async fn list(call: Call) -> Result<RestAnswer, Error> {
    let tags = values(&call, "tag");
    if tags.len() > MOST_TAGS {
        return Err(PulpError::invalid_value(&["tag"]).into());
    }
    let store = &call.pulp.engine.store;
    if tags.is_empty() {
        let batches = store.tasks_stream(TaskListing::default(), Window::default());
        let batches = batches.map(|batch| batch.map(|tasks| shown(&tasks)).map_err(Error::from));
        return RestAnswer::array(batches).await;
    }
    RestAnswer::json(&shown(&store.task_list(&tags).await?))
}

/// Deletes the tasks in the states asked for.
pub(crate) async fn purge(call: Call) -> Result<NoContent, Error> {
    let names = values(&call, "state");
    if names.is_empty() {
        let text = "No task state given to parameters list for delete.";
        let mut error = PulpError::validation(ErrorDetail::new("PLP1012", text));
        error.status = 403;
        return Err(error.into());
    }
    let mut states = Vec::with_capacity(names.len());
    for name in &names {
        match name.parse() {
            Ok(state @ (TaskState::Finished | TaskState::Error | TaskState::Skipped)) => {
                states.push(state);
            }
            _ => {
                let text = format!("Invalid task state passed to purge: {name}.");
                let detail = ErrorDetail::new("PLP1011", text).with("state", name.as_str());
                return Err(PulpError::validation(detail).into());
            }
        }
    }
    call.pulp
        .engine
        .store
        .task_delete_in_states(&states)
        .await?;
    Ok(NoContent)
}

/// One task.
pub(crate) async fn read(
    call: Call,
    Segments([task]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let text = &task;
    let id: TaskId = text.parse().map_err(|_| missing(text))?;
    let task = call.pulp.engine.store.task_get(id).await?;
    let task = task.ok_or_else(|| missing(text))?;
    let mut document = task_document(&task);
    document.insert("queue".to_owned(), Value::String(task_queue(&task)));
    Ok(Json(document))
}

/// Cancels a task; one that is complete stays as it is.
pub(crate) async fn cancel(call: Call, Segments([task]): Segments<1>) -> Result<Done, Error> {
    let text = &task;
    let id: TaskId = text.parse().map_err(|_| missing(text))?;
    if call.pulp.engine.cancel(id).await? {
        Ok(Done)
    } else {
        Err(missing(text))
    }
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Ok(Json(call.pulp.task_search(&criteria).await?))
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(
    call: Call,
    Object(mut body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_body(&mut body)?;
    Ok(Json(call.pulp.task_search(&criteria).await?))
}
