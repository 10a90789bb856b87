//! `/v2/content/units/` and unit search in repositories (pulp2/units#in-a-repository, pulp2/units#outside-of-repositories).

use pith_core::UnitId;
use pith_core::criteria::Criteria;
use pith_engine::Error;
use pith_store::StoreError;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{AnyJson, Call, Done, Either, Json, Object, RestAnswer, Segments};
use crate::operation::Shape::{Any, Many, Null, One};
use crate::operation::{NONE, Param, READ, RestRoute, UPDATE, operation, param};
use crate::search::{self, FIELD, SEARCH};

/// The further parameters of criteria for units in a repository.
const UNITS: &[Param] = &[
    param("type_ids", "string", "Only units of this type."),
    param("remove_duplicates", "string", "One association a unit."),
];
/// The parameter of what is shown beside a unit.
const REPOS: &[Param] = &[param(
    "include_repos",
    "boolean",
    "With the repositories that have the unit.",
)];

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/content/units/<type>/", READ, list, "List all units of a type.", [], NONE => Many("Unit")),
    operation!(Get "/content/units/<type>/search/", READ, search_get, "Search units of a type.", [SEARCH, FIELD, REPOS], NONE => Many("Unit")),
    operation!(Post "/content/units/<type>/search/", READ, search_post, "Search units of a type.", [], One("Search") => Many("Unit")),
    operation!(Get "/content/units/<type>/<unit>/", READ, read, "Read a unit.", [], NONE => One("Unit")),
    operation!(Get "/content/units/<type>/<unit>/pulp_user_metadata/", READ, read_metadata, "Read what clients have noted about a unit.", [], NONE => Any),
    operation!(Put "/content/units/<type>/<unit>/pulp_user_metadata/", UPDATE, set_metadata, "Replace what clients have noted about a unit.", [], Any => Null),
    operation!(Get "/repositories/<repo>/search/units/", READ, in_repository_get, "Search the units of a repository.", [SEARCH, UNITS], NONE => Many("Association")),
    operation!(Post "/repositories/<repo>/search/units/", READ, in_repository_post, "Search the units of a repository.", [], One("UnitSearch") => Many("Association")),
];

/// An answer about one unit, or that it is not there.
type OrMissing<T> = Either<T, RestAnswer>;

/// The 404 of single units: a text, not an error document.
fn no_such_unit<T>(id: &str) -> Result<OrMissing<T>, Error> {
    let missing = RestAnswer::with_status(404, &format!("No content unit resource: {id}"));
    Ok(Either::Other(missing?))
}

/// Every unit of a type.
pub(crate) async fn list(
    call: Call,
    Segments([type_id]): Segments<1>,
) -> Result<RestAnswer, Error> {
    let all = Criteria::default();
    RestAnswer::documents(call.pulp.type_units(&type_id, all, false).await?).await
}

/// Searches a type, with the criteria in the query.
pub(crate) async fn search_get(
    call: Call,
    Segments([type_id]): Segments<1>,
) -> Result<RestAnswer, Error> {
    let criteria = search::plain_query(call.query(), &["include_repos"])?;
    let repos = call.flag("include_repos");
    RestAnswer::documents(call.pulp.type_units(&type_id, criteria, repos).await?).await
}

/// Searches a type, with the criteria in the body.
pub(crate) async fn search_post(
    call: Call,
    Segments([type_id]): Segments<1>,
    Object(mut body): Object,
) -> Result<RestAnswer, Error> {
    let criteria = search::plain_body(&mut body)?;
    let repos = search::option(&body, "include_repos");
    RestAnswer::documents(call.pulp.type_units(&type_id, criteria, repos).await?).await
}

/// One unit.
pub(crate) async fn read(
    call: Call,
    Segments([type_id, id]): Segments<2>,
) -> Result<OrMissing<Json<impl Serialize>>, Error> {
    match call.pulp.unit_document(&type_id, &id).await? {
        Some(document) => Ok(Either::Usual(Json(document))),
        None => no_such_unit(&id),
    }
}

/// The client data of a unit.
pub(crate) async fn read_metadata(
    call: Call,
    Segments([type_id, id]): Segments<2>,
) -> Result<OrMissing<Json<impl Serialize>>, Error> {
    let Ok(unit_id) = id.parse::<UnitId>() else {
        return no_such_unit(&id);
    };
    let found = call.pulp.engine.store.unit_get(&type_id, unit_id).await;
    match found? {
        Some(mut unit) => {
            let metadata = unit.doc.remove("pulp_user_metadata");
            Ok(Either::Usual(Json(metadata.unwrap_or_else(|| json!({})))))
        }
        None => no_such_unit(&id),
    }
}

/// Replaces the client data of a unit.
pub(crate) async fn set_metadata(
    call: Call,
    Segments([type_id, id]): Segments<2>,
    AnyJson(metadata): AnyJson,
) -> Result<OrMissing<Done>, Error> {
    let Ok(unit_id) = id.parse::<UnitId>() else {
        return no_such_unit(&id);
    };
    let store = &call.pulp.engine.store;
    let noted = store.unit_set_user_metadata(&type_id, unit_id, &metadata);
    match noted.await {
        Ok(()) => Ok(Either::Usual(Done)),
        Err(StoreError::Missing { .. }) => no_such_unit(&id),
        Err(error) => Err(error.into()),
    }
}

async fn in_repository(call: &Call, repo: &str, criteria: &Value) -> Result<RestAnswer, Error> {
    call.pulp.repository_require(repo).await?;
    let criteria = search::units(criteria)?;
    RestAnswer::documents(call.pulp.repository_units(repo, criteria).await?).await
}

/// Searches a repository, with the criteria in the query.
pub(crate) async fn in_repository_get(
    call: Call,
    Segments([repo]): Segments<1>,
) -> Result<RestAnswer, Error> {
    let criteria = search::units_query(call.query())?;
    in_repository(&call, &repo, &criteria).await
}

/// Searches a repository, with the criteria in the body.
pub(crate) async fn in_repository_post(
    call: Call,
    Segments([repo]): Segments<1>,
    Object(mut body): Object,
) -> Result<RestAnswer, Error> {
    let criteria = search::units_body(&mut body)?;
    in_repository(&call, &repo, &criteria).await
}
