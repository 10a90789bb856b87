//! `/v2/repo_groups/` (pulp2/groups).

use pith_core::Document;
use pith_core::criteria::Criteria;
use pith_engine::Error;
use pith_pulp::group_distributors::distributor_document;
use pith_pulp::groups::document;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Call, Created, Done, Json, Object, OptionalObject, Queued, Segments};
use crate::operation::Shape::{Any, Many, Null, One};
use crate::operation::{CREATE, DELETE, EXECUTE, NONE, READ, REPORT, RestRoute, UPDATE, operation};
use crate::search::{self, FIELD, SEARCH};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/repo_groups/", READ, list, "List the repository groups.", [], NONE => Many("RepositoryGroup")),
    operation!(Post "/repo_groups/", CREATE, create, "Create a repository group.", [], One("NewRepositoryGroup") => One("RepositoryGroup")),
    operation!(Get "/repo_groups/search/", READ, search_get, "Search repository groups.", [SEARCH, FIELD], NONE => Many("RepositoryGroup")),
    operation!(Post "/repo_groups/search/", READ, search_post, "Search repository groups.", [], One("Search") => Many("RepositoryGroup")),
    operation!(Get "/repo_groups/<group>/", READ, read, "Read a repository group.", [], NONE => One("RepositoryGroup")),
    operation!(Put "/repo_groups/<group>/", UPDATE, update, "Change a repository group.", [], One("RepositoryGroupUpdate") => One("RepositoryGroup")),
    operation!(Delete "/repo_groups/<group>/", DELETE, delete, "Delete a repository group; its members stay.", [], NONE => Null),
    operation!(Post "/repo_groups/<group>/actions/associate/", EXECUTE, associate, "Add the repositories found to a group.", [], One("GroupMembers") => Any),
    operation!(Post "/repo_groups/<group>/actions/publish/", EXECUTE, publish, "Publish a group through one of its distributors.", [], One("PublishRequest") => REPORT),
    operation!(Post "/repo_groups/<group>/actions/unassociate/", EXECUTE, unassociate, "Take the repositories found from a group.", [], One("GroupMembers") => Any),
    operation!(Get "/repo_groups/<group>/distributors/", READ, distributors, "List the distributors of a group.", [], NONE => Many("GroupDistributor")),
    operation!(Post "/repo_groups/<group>/distributors/", CREATE, create_distributor, "Give a group a distributor.", [], One("NewGroupDistributor") => One("GroupDistributor")),
    operation!(Get "/repo_groups/<group>/distributors/<distributor>/", READ, read_distributor, "Read a distributor of a group.", [], NONE => One("GroupDistributor")),
    operation!(Put "/repo_groups/<group>/distributors/<distributor>/", UPDATE, update_distributor, "Change a distributor of a group.", [], One("GroupDistributorUpdate") => One("GroupDistributor")),
    operation!(Delete "/repo_groups/<group>/distributors/<distributor>/", DELETE, delete_distributor, "Remove a distributor from a group.", [], One("GroupDistributorRemoval") => Null),
];

/// Every group; what the query says does not count.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.group_list().await?))
}

/// Makes a group.
pub(crate) async fn create(call: Call, Object(body): Object) -> Result<Created, Error> {
    call.refuse_shadowing("/repo_groups/", &body, "id")?;
    Ok(Created(
        call.pulp.group_create(&body, call.principal()?).await?,
    ))
}

/// One group.
pub(crate) async fn read(
    call: Call,
    Segments([group]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(document(&call.pulp.group_require(&group).await?)))
}

/// Changes a group; the body is the change.
pub(crate) async fn update(
    call: Call,
    Segments([group]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.group_update(&group, body).await?))
}

/// Deletes a group.
pub(crate) async fn delete(call: Call, Segments([group]): Segments<1>) -> Result<Done, Error> {
    call.pulp.group_delete(&group).await?;
    Ok(Done)
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Ok(Json(call.pulp.group_search(&criteria).await?))
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(
    call: Call,
    Object(mut body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_body(&mut body)?;
    Ok(Json(call.pulp.group_search(&criteria).await?))
}

/// The criteria for repositories in a body; without them every repository is meant.
fn repositories(mut body: Document) -> Result<Criteria, Error> {
    let criteria: Value = body.remove("criteria").unwrap_or_else(|| json!({}));
    Ok(Criteria::parse(&criteria)?)
}

/// Adds repositories to a group.
pub(crate) async fn associate(
    call: Call,
    Segments([group]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = repositories(body)?;
    let after = call
        .pulp
        .group_associate(&group, &criteria, call.principal()?)
        .await?;
    Ok(Json(after))
}

/// Takes repositories out of a group.
pub(crate) async fn unassociate(
    call: Call,
    Segments([group]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = repositories(body)?;
    let left = call
        .pulp
        .group_unassociate(&group, &criteria, call.principal()?)
        .await?;
    Ok(Json(left))
}

/// Queues the publish of a group.
pub(crate) async fn publish(
    call: Call,
    Segments([group]): Segments<1>,
    Object(body): Object,
) -> Result<Queued, Error> {
    let published = call.pulp.group_publish(&group, body, call.principal()?);
    Ok(Queued(published.await?))
}

/// The distributors of a group.
pub(crate) async fn distributors(
    call: Call,
    Segments([group]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let found = call.pulp.group_distributor_list(&group).await?;
    Ok(Json(found))
}

/// Gives a group a distributor; one of the same id makes way, for whoever may change it.
pub(crate) async fn create_distributor(
    call: Call,
    Segments([group]): Segments<1>,
    Object(body): Object,
) -> Result<Created, Error> {
    let group = &group;
    if let Some(id) = body.get("distributor_id").and_then(Value::as_str)
        && (call.pulp.group_distributor_require(group, id).await).is_ok()
    {
        call.permit_replacing(&format!("/repo_groups/{group}/distributors/"), id)?;
    }
    let made = call.pulp.group_distributor_create(group, &body);
    Ok(Created(made.await?))
}

/// One distributor of a group.
pub(crate) async fn read_distributor(
    call: Call,
    Segments([group, distributor]): Segments<2>,
) -> Result<Json<impl Serialize>, Error> {
    let (group, id) = (&group, &distributor);
    let found = call.pulp.group_distributor_require(group, id).await?;
    Ok(Json(distributor_document(&found)))
}

/// Changes the configuration of a distributor, at once.
pub(crate) async fn update_distributor(
    call: Call,
    Segments([group, distributor]): Segments<2>,
    Object(body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let (group, id) = (&group, &distributor);
    let updated = call.pulp.group_distributor_update(group, id, &body);
    Ok(Json(updated.await?))
}

/// Removes a distributor. `force` in the body would pass over a plugin's failure to clean up; ours have nothing to
/// clean up that could fail.
pub(crate) async fn delete_distributor(
    call: Call,
    Segments([group, distributor]): Segments<2>,
    OptionalObject(_): OptionalObject,
) -> Result<Done, Error> {
    let (group, id) = (&group, &distributor);
    call.pulp.group_distributor_remove(group, id).await?;
    Ok(Done)
}
