//! `/v2/repositories/<repo>/importers/<importer>/schedules/sync/` and
//! `/v2/repositories/<repo>/distributors/<distributor>/schedules/publish/` (pulp2/schedules).

use pith_engine::Error;
use pith_pulp::schedules::Target;

use crate::http::{Answer, Call};

fn sync(call: &Call) -> Target<'_> {
    Target::Sync {
        repo_id: call.param(0),
        importer_id: call.param(1),
    }
}

fn publish(call: &Call) -> Target<'_> {
    Target::Publish {
        repo_id: call.param(0),
        distributor_id: call.param(1),
    }
}

async fn list(call: Call, target: fn(&Call) -> Target<'_>) -> Result<Answer, Error> {
    Answer::json(&call.pulp.schedule_list(target(&call)).await?)
}

async fn create(mut call: Call, target: fn(&Call) -> Target<'_>) -> Result<Answer, Error> {
    let body = call.object();
    Answer::created(
        &call
            .pulp
            .schedule_create(target(&call), &body, call.principal()?)
            .await?,
    )
}

async fn read(call: Call, target: fn(&Call) -> Target<'_>) -> Result<Answer, Error> {
    let schedule = call.pulp.schedule_read(target(&call), call.param(2));
    Answer::json(&schedule.await?)
}

async fn update(mut call: Call, target: fn(&Call) -> Target<'_>) -> Result<Answer, Error> {
    let body = call.object();
    let (target, by) = (target(&call), call.principal()?);
    let schedule = call.pulp.schedule_update(target, call.param(2), &body, by);
    Answer::json(&schedule.await?)
}

async fn delete(call: Call, target: fn(&Call) -> Target<'_>) -> Result<Answer, Error> {
    let deleted = call.pulp.schedule_delete(target(&call), call.param(2));
    deleted.await?;
    Ok(Answer::null())
}

/// The schedules of an importer.
pub(crate) async fn list_syncs(call: Call) -> Result<Answer, Error> {
    list(call, sync).await
}

/// Schedules syncs.
pub(crate) async fn create_sync(call: Call) -> Result<Answer, Error> {
    create(call, sync).await
}

/// One schedule of syncs.
pub(crate) async fn read_sync(call: Call) -> Result<Answer, Error> {
    read(call, sync).await
}

/// Changes a schedule of syncs.
pub(crate) async fn update_sync(call: Call) -> Result<Answer, Error> {
    update(call, sync).await
}

/// Removes a schedule of syncs.
pub(crate) async fn delete_sync(call: Call) -> Result<Answer, Error> {
    delete(call, sync).await
}

/// The schedules of a distributor.
pub(crate) async fn list_publishes(call: Call) -> Result<Answer, Error> {
    list(call, publish).await
}

/// Schedules publishes.
pub(crate) async fn create_publish(call: Call) -> Result<Answer, Error> {
    create(call, publish).await
}

/// One schedule of publishes.
pub(crate) async fn read_publish(call: Call) -> Result<Answer, Error> {
    read(call, publish).await
}

/// Changes a schedule of publishes.
pub(crate) async fn update_publish(call: Call) -> Result<Answer, Error> {
    update(call, publish).await
}

/// Removes a schedule of publishes.
pub(crate) async fn delete_publish(call: Call) -> Result<Answer, Error> {
    delete(call, publish).await
}
