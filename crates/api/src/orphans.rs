//! `/v2/content/orphans/` (pulp2/orphans).

use pith_engine::Error;
use pith_pulp::jobs::{DeleteOrphans, Orphans};
use serde_json::json;

use crate::http::{Answer, Call};

async fn queued(call: &Call, orphans: Orphans) -> Result<Answer, Error> {
    Answer::queued(call.pulp.engine.enqueue(DeleteOrphans { orphans }).await?)
}

/// Returns how many there are of every type.
pub(crate) async fn summary(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.orphan_counts().await?)
}

/// Those of a type.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    Answer::array(call.pulp.orphans_of_type(call.param(0))?).await
}

/// One, by its id and nothing else.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    let (type_id, unit_id) = (call.param(0), call.param(1));
    let id = call.pulp.orphan_require(type_id, unit_id).await?;
    Answer::json(&json!({ "_id": id, "_href": call.href }))
}

/// Queues the deletion of all.
pub(crate) async fn delete_all(call: Call) -> Result<Answer, Error> {
    queued(&call, Orphans::All).await
}

/// Queues the deletion of those of a type.
pub(crate) async fn delete_type(call: Call) -> Result<Answer, Error> {
    let type_id = call.pulp.orphan_type(call.param(0))?.id.to_owned();
    queued(&call, Orphans::OfType { type_id }).await
}

/// Queues the deletion of one.
pub(crate) async fn delete_one(call: Call) -> Result<Answer, Error> {
    let (type_id, unit_id) = (call.param(0).to_owned(), call.param(1).to_owned());
    call.pulp.orphan_require(&type_id, &unit_id).await?;
    queued(&call, Orphans::One { type_id, unit_id }).await
}

/// Queues the deletion of those that are listed; what is wrong with the list is found by the task.
pub(crate) async fn delete_listed(mut call: Call) -> Result<Answer, Error> {
    let units = call.any();
    queued(&call, Orphans::Listed { units }).await
}
