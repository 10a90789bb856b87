//! `/v2/users/` (pulp2/people#users).

use pith_engine::Error;
use serde::Serialize;

use crate::http::{Call, Created, Done, Json, Object, Segments};
use crate::operation::Shape::{Many, Null, One};
use crate::operation::{CREATE, DELETE, NONE, READ, RestRoute, UPDATE, operation};
use crate::search::{self, FIELD, SEARCH};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/users/", READ, list, "List the users.", [], NONE => Many("User")),
    operation!(Post "/users/", CREATE, create, "Create a user.", [], One("NewUser") => One("User")),
    operation!(Get "/users/search/", READ, search_get, "Search users.", [SEARCH, FIELD], NONE => Many("User")),
    operation!(Post "/users/search/", READ, search_post, "Search users.", [], One("Search") => Many("User")),
    operation!(Get "/users/<login>/", READ, read, "Read a user.", [], NONE => One("User")),
    operation!(Put "/users/<login>/", UPDATE, update, "Change a user.", [], One("UserUpdate") => One("User")),
    operation!(Delete "/users/<login>/", DELETE, delete, "Delete a user.", [], NONE => Null),
];

/// Every user.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.user_documents().await?))
}

/// Makes a user.
pub(crate) async fn create(call: Call, Object(body): Object) -> Result<Created, Error> {
    call.refuse_shadowing("/users/", &body, "login")?;
    Ok(Created(call.pulp.user_create(&body).await?))
}

/// One user.
pub(crate) async fn read(
    call: Call,
    Segments([login]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.user_document(&login).await?))
}

/// Changes name, password or roles of a user.
pub(crate) async fn update(
    call: Call,
    Segments([login]): Segments<1>,
    Object(body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let by = call.principal()?;
    Ok(Json(call.pulp.user_update(&login, &body, by).await?))
}

/// Deletes a user.
pub(crate) async fn delete(call: Call, Segments([login]): Segments<1>) -> Result<Done, Error> {
    call.pulp.user_delete(&login).await?;
    Ok(Done)
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Ok(Json(call.pulp.user_search(&criteria).await?))
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(
    call: Call,
    Object(mut body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_body(&mut body)?;
    Ok(Json(call.pulp.user_search(&criteria).await?))
}
