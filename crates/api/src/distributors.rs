//! `/v2/repositories/<repo>/distributors/` and `/v2/distributors/` (pulp2/distributors#operations).

use pith_engine::Error;
use pith_pulp::distributors::document;
use serde::Serialize;
use serde_json::Value;

use crate::http::{Call, Created, Json, Object, Queued, Segments};
use crate::operation::Shape::{Many, One};
use crate::operation::{CREATE, DELETE, NONE, READ, REPORT, RestRoute, UPDATE, operation};
use crate::search::{self, FIELD, SEARCH};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/distributors/search/", READ, search_get, "Search distributors of all repositories.", [SEARCH, FIELD], NONE => Many("Distributor")),
    operation!(Post "/distributors/search/", READ, search_post, "Search distributors of all repositories.", [], One("Search") => Many("Distributor")),
    operation!(Get "/repositories/<repo>/distributors/", READ, list, "List the distributors of a repository.", [], NONE => Many("Distributor")),
    operation!(Post "/repositories/<repo>/distributors/", CREATE, create, "Give a repository a distributor.", [], One("NewDistributor") => One("Distributor")),
    operation!(Get "/repositories/<repo>/distributors/<distributor>/", READ, read, "Read a distributor of a repository.", [], NONE => One("Distributor")),
    operation!(Put "/repositories/<repo>/distributors/<distributor>/", UPDATE, update, "Change a distributor of a repository.", [], One("DistributorUpdate") => REPORT),
    operation!(Delete "/repositories/<repo>/distributors/<distributor>/", DELETE, delete, "Remove a distributor and what it serves.", [], NONE => REPORT),
];

/// The distributors of a repository.
pub(crate) async fn list(
    call: Call,
    Segments([repo]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.distributor_list(&repo).await?))
}

/// Gives a repository a distributor, at once; one of the same id makes way, for whoever may change it.
pub(crate) async fn create(
    call: Call,
    Segments([repo]): Segments<1>,
    Object(body): Object,
) -> Result<Created, Error> {
    let repo = &repo;
    if let Some(id) = body.get("distributor_id").and_then(Value::as_str)
        && call.pulp.distributor_require(repo, id).await.is_ok()
    {
        call.permit_replacing(&format!("/repositories/{repo}/distributors/"), id)?;
    }
    Ok(Created(call.pulp.distributor_create(repo, &body).await?))
}

/// One distributor.
pub(crate) async fn read(
    call: Call,
    Segments([repo, distributor]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let (repo, id) = (&repo, &distributor);
    call.pulp.repository_require(repo).await?;
    let distributor = call.pulp.distributor_require(repo, id).await?;
    Ok(Json(document(&call.pulp.engine.registry, &distributor)))
}

/// Queues the task that changes a distributor.
pub(crate) async fn update(
    call: Call,
    Segments([repo, distributor]): Segments<2>,
    Object(body): Object,
) -> Result<Queued, Error> {
    let task = call.pulp.distributor_update(&repo, &distributor, &body);
    Ok(Queued(task.await?))
}

/// Queues the task that removes a distributor.
pub(crate) async fn delete(
    call: Call,
    Segments([repo, distributor]): Segments<2>,
) -> Result<Queued, Error> {
    let task = call.pulp.distributor_remove(&repo, &distributor);
    Ok(Queued(task.await?))
}

/// Searches the distributors of all repositories, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Ok(Json(call.pulp.distributor_search(&criteria).await?))
}

/// Searches the distributors of all repositories, with the criteria in the body.
pub(crate) async fn search_post(
    call: Call,
    Object(mut body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_body(&mut body)?;
    Ok(Json(call.pulp.distributor_search(&criteria).await?))
}
