//! `/v2/content/orphans/` (pulp2/orphans).

use pith_engine::Error;
use pith_pulp::jobs::{DeleteOrphans, Orphans};
use serde::Serialize;
use serde_json::json;

use crate::http::{Call, Json, OptionalJson, Queued, RestAnswer, Segments};
use crate::operation::Shape::{Many, One};
use crate::operation::{DELETE, NONE, READ, REPORT, RestRoute, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Post "/content/actions/delete_orphans/", DELETE, delete_listed, "Delete the named units as far as no repository has them.", [], One("OrphanList") => REPORT),
    operation!(Get "/content/orphans/", READ, summary, "Count the units that no repository has.", [], NONE => One("OrphanCounts")),
    operation!(Delete "/content/orphans/", DELETE, delete_all, "Delete every unit that no repository has.", [], NONE => REPORT),
    operation!(Get "/content/orphans/<type>/", READ, list, "List the units of a type that no repository has.", [], NONE => Many("Orphan")),
    operation!(Delete "/content/orphans/<type>/", DELETE, delete_type, "Delete the units of a type that no repository has.", [], NONE => REPORT),
    operation!(Get "/content/orphans/<type>/<unit>/", READ, read, "Read a unit that no repository has.", [], NONE => One("Orphan")),
    operation!(Delete "/content/orphans/<type>/<unit>/", DELETE, delete_one, "Delete a unit that no repository has.", [], NONE => REPORT),
];

async fn queued(call: &Call, orphans: Orphans) -> Result<Queued, Error> {
    let job = DeleteOrphans { orphans };
    call.queue(job).await
}

/// Returns how many there are of every type.
pub(crate) async fn summary(call: Call) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.orphan_counts().await?))
}

/// Those of a type.
pub(crate) async fn list(
    call: Call,
    Segments([type_id]): Segments<1>,
) -> Result<RestAnswer, Error> {
    RestAnswer::array(call.pulp.orphans_of_type(&type_id)?).await
}

/// One, by its id and nothing else.
pub(crate) async fn read(
    call: Call,
    Segments([type_id, unit_id]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let id = call.pulp.orphan_require(&type_id, &unit_id).await?;
    Ok(Json(json!({ "_id": id, "_href": call.href })))
}

/// Queues the deletion of all.
pub(crate) async fn delete_all(call: Call) -> Result<Queued, Error> {
    queued(&call, Orphans::All).await
}

/// Queues the deletion of those of a type.
pub(crate) async fn delete_type(
    call: Call,
    Segments([type_id]): Segments<1>,
) -> Result<Queued, Error> {
    let type_id = call.pulp.orphan_type(&type_id)?.id.to_owned();
    queued(&call, Orphans::OfType { type_id }).await
}

/// Queues the deletion of one.
pub(crate) async fn delete_one(
    call: Call,
    Segments([type_id, unit_id]): Segments<2>,
) -> Result<Queued, Error> {
    call.pulp.orphan_require(&type_id, &unit_id).await?;
    queued(&call, Orphans::One { type_id, unit_id }).await
}

/// Queues the deletion of those that are listed; what is wrong with the list is found by the task.
pub(crate) async fn delete_listed(
    call: Call,
    OptionalJson(units): OptionalJson,
) -> Result<Queued, Error> {
    queued(&call, Orphans::Listed { units }).await
}
