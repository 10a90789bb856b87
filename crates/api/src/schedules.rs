//! `/v2/repositories/<repo>/importers/<importer>/schedules/sync/` and
//! `/v2/repositories/<repo>/distributors/<distributor>/schedules/publish/` (pulp2/schedules).

use pith_engine::Error;
use pith_pulp::schedules::Target;
use serde::Serialize;

use crate::http::{Call, Created, Done, Json, Object, OptionalObject, Segments};
use crate::operation::Shape::{Many, Null, One};
use crate::operation::{CREATE, DELETE, NONE, READ, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/repositories/<repo>/distributors/<distributor>/schedules/publish/", READ, list_publishes, "List the schedules of publishes.", [], NONE => Many("Schedule")),
    operation!(Post "/repositories/<repo>/distributors/<distributor>/schedules/publish/", CREATE, create_publish, "Schedule publishes.", [], One("NewSchedule") => One("Schedule")),
    operation!(Get "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", READ, read_publish, "Read a schedule of publishes.", [], NONE => One("Schedule")),
    operation!(Put "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", UPDATE, update_publish, "Change a schedule of publishes.", [], One("ScheduleUpdate") => One("Schedule")),
    operation!(Delete "/repositories/<repo>/distributors/<distributor>/schedules/publish/<schedule>/", DELETE, delete_publish, "Delete a schedule of publishes.", [], NONE => Null),
    operation!(Get "/repositories/<repo>/importers/<importer>/schedules/sync/", READ, list_syncs, "List the schedules of syncs.", [], NONE => Many("Schedule")),
    operation!(Post "/repositories/<repo>/importers/<importer>/schedules/sync/", CREATE, create_sync, "Schedule syncs.", [], One("NewSchedule") => One("Schedule")),
    operation!(Get "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", READ, read_sync, "Read a schedule of syncs.", [], NONE => One("Schedule")),
    operation!(Put "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", UPDATE, update_sync, "Change a schedule of syncs.", [], One("ScheduleUpdate") => One("Schedule")),
    operation!(Delete "/repositories/<repo>/importers/<importer>/schedules/sync/<schedule>/", DELETE, delete_sync, "Delete a schedule of syncs.", [], NONE => Null),
];

fn syncs<'a>(repo_id: &'a str, importer_id: &'a str) -> Target<'a> {
    Target::Sync {
        repo_id,
        importer_id,
    }
}

fn publishes<'a>(repo_id: &'a str, distributor_id: &'a str) -> Target<'a> {
    Target::Publish {
        repo_id,
        distributor_id,
    }
}

/// The schedules of an importer.
pub(crate) async fn list_syncs(
    call: Call,
    Segments([repo, importer]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let target = syncs(&repo, &importer);
    Ok(Json(call.pulp.schedule_list(target).await?))
}

/// Schedules syncs.
pub(crate) async fn create_sync(
    call: Call,
    Segments([repo, importer]): Segments<2>,
    Object(body): Object,
) -> Result<Created, Error> {
    let (target, by) = (syncs(&repo, &importer), call.principal()?);
    Ok(Created(call.pulp.schedule_create(target, &body, by).await?))
}

/// One schedule of syncs.
pub(crate) async fn read_sync(
    call: Call,
    Segments([repo, importer, schedule]): Segments<3>,
) -> Result<Json<impl Serialize>, Error> {
    let target = syncs(&repo, &importer);
    Ok(Json(call.pulp.schedule_read(target, &schedule).await?))
}

/// Changes a schedule of syncs.
pub(crate) async fn update_sync(
    call: Call,
    Segments([repo, importer, schedule]): Segments<3>,
    OptionalObject(body): OptionalObject,
) -> Result<Json<impl Serialize>, Error> {
    let (target, by) = (syncs(&repo, &importer), call.principal()?);
    let updated = call.pulp.schedule_update(target, &schedule, &body, by);
    Ok(Json(updated.await?))
}

/// Removes a schedule of syncs.
pub(crate) async fn delete_sync(
    call: Call,
    Segments([repo, importer, schedule]): Segments<3>,
) -> Result<Done, Error> {
    let target = syncs(&repo, &importer);
    call.pulp.schedule_delete(target, &schedule).await?;
    Ok(Done)
}

/// The schedules of a distributor.
pub(crate) async fn list_publishes(
    call: Call,
    Segments([repo, distributor]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let target = publishes(&repo, &distributor);
    Ok(Json(call.pulp.schedule_list(target).await?))
}

/// Schedules publishes.
pub(crate) async fn create_publish(
    call: Call,
    Segments([repo, distributor]): Segments<2>,
    Object(body): Object,
) -> Result<Created, Error> {
    let (target, by) = (publishes(&repo, &distributor), call.principal()?);
    Ok(Created(call.pulp.schedule_create(target, &body, by).await?))
}

/// One schedule of publishes.
pub(crate) async fn read_publish(
    call: Call,
    Segments([repo, distributor, schedule]): Segments<3>,
) -> Result<Json<impl Serialize>, Error> {
    let target = publishes(&repo, &distributor);
    Ok(Json(call.pulp.schedule_read(target, &schedule).await?))
}

/// Changes a schedule of publishes.
pub(crate) async fn update_publish(
    call: Call,
    Segments([repo, distributor, schedule]): Segments<3>,
    OptionalObject(body): OptionalObject,
) -> Result<Json<impl Serialize>, Error> {
    let (target, by) = (publishes(&repo, &distributor), call.principal()?);
    let updated = call.pulp.schedule_update(target, &schedule, &body, by);
    Ok(Json(updated.await?))
}

/// Removes a schedule of publishes.
pub(crate) async fn delete_publish(
    call: Call,
    Segments([repo, distributor, schedule]): Segments<3>,
) -> Result<Done, Error> {
    let target = publishes(&repo, &distributor);
    call.pulp.schedule_delete(target, &schedule).await?;
    Ok(Done)
}
