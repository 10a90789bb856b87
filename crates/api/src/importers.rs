//! `/v2/repositories/<repo>/importers/` (pulp2/importers#operations).

use pith_engine::Error;
use pith_pulp::importers::document;
use serde::Serialize;

use crate::http::{Call, Json, Object, Queued, Segments};
use crate::operation::Shape::{Many, One};
use crate::operation::{CREATE, DELETE, NONE, READ, REPORT, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/repositories/<repo>/importers/", READ, list, "List the importers of a repository: none or one.", [], NONE => Many("Importer")),
    operation!(Post "/repositories/<repo>/importers/", CREATE, create, "Give a repository an importer, replacing the one it has.", [], One("NewImporter") => REPORT),
    operation!(Get "/repositories/<repo>/importers/<importer>/", READ, read, "Read the importer of a repository.", [], NONE => One("Importer")),
    operation!(Put "/repositories/<repo>/importers/<importer>/", UPDATE, update, "Change the importer of a repository.", [], One("ImporterUpdate") => REPORT),
    operation!(Delete "/repositories/<repo>/importers/<importer>/", DELETE, delete, "Remove the importer of a repository.", [], NONE => REPORT),
];

/// The importer of a repository, as a list.
pub(crate) async fn list(
    call: Call,
    Segments([repo]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.importer_list(&repo).await?))
}

/// Queues the task that gives a repository an importer; the one that it has makes way, for whoever may change that.
pub(crate) async fn create(
    call: Call,
    Segments([repo]): Segments<1>,
    Object(body): Object,
) -> Result<Queued, Error> {
    let repo = &repo;
    for importer in call.pulp.importer_list(repo).await? {
        let id = importer["id"].as_str().unwrap_or_default();
        call.permit_replacing(&format!("/repositories/{repo}/importers/"), id)?;
    }
    Ok(Queued(call.pulp.importer_add(repo, &body).await?))
}

/// One importer.
pub(crate) async fn read(
    call: Call,
    Segments([repo, importer]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let pulp = &call.pulp;
    let importer = pulp.importer_require(&repo, &importer).await?;
    Ok(Json(document(&pulp.engine.registry, &importer)))
}

/// Queues the task that changes an importer.
pub(crate) async fn update(
    call: Call,
    Segments([repo, importer]): Segments<2>,
    Object(body): Object,
) -> Result<Queued, Error> {
    let task = call.pulp.importer_update(&repo, &importer, &body);
    Ok(Queued(task.await?))
}

/// Queues the task that removes an importer.
pub(crate) async fn delete(
    call: Call,
    Segments([repo, importer]): Segments<2>,
) -> Result<Queued, Error> {
    let task = call.pulp.importer_remove(&repo, &importer);
    Ok(Queued(task.await?))
}
