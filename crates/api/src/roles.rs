//! `/v2/roles/` (pulp2/people#roles).

use pith_engine::Error;
use serde::Serialize;

use crate::http::{Call, Created, Done, Json, Object, Segments};
use crate::operation::Shape::{Many, Null, One};
use crate::operation::{CREATE, DELETE, NONE, READ, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/roles/", READ, list, "List the roles.", [], NONE => Many("Role")),
    operation!(Post "/roles/", CREATE, create, "Create a role.", [], One("NewRole") => One("Role")),
    operation!(Get "/roles/<role>/", READ, read, "Read a role.", [], NONE => One("Role")),
    operation!(Put "/roles/<role>/", UPDATE, update, "Change a role.", [], One("RoleUpdate") => One("Role")),
    operation!(Delete "/roles/<role>/", DELETE, delete, "Delete a role; its members lose what it allowed.", [], NONE => Null),
    operation!(Get "/roles/<role>/users/", READ, members, "List the members of a role.", [], NONE => Many("User")),
    operation!(Post "/roles/<role>/users/", UPDATE, add_member, "Make a user a member of a role.", [], One("RoleMember") => Null),
    operation!(Delete "/roles/<role>/users/<login>/", DELETE, remove_member, "Take a user out of a role.", [], NONE => Null),
];

/// Every role.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.role_documents().await?))
}

/// Makes a role.
pub(crate) async fn create(call: Call, Object(body): Object) -> Result<Created, Error> {
    Ok(Created(call.pulp.role_create(&body).await?))
}

/// One role.
pub(crate) async fn read(
    call: Call,
    Segments([role]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.role_document(&role).await?))
}

/// Changes how a role is called.
pub(crate) async fn update(
    call: Call,
    Segments([role]): Segments<1>,
    Object(body): Object,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.role_update(&role, &body).await?))
}

/// Deletes a role.
pub(crate) async fn delete(call: Call, Segments([role]): Segments<1>) -> Result<Done, Error> {
    call.pulp.role_delete(&role).await?;
    Ok(Done)
}

/// Those who have a role.
pub(crate) async fn members(
    call: Call,
    Segments([role]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    Ok(Json(call.pulp.role_members(&role).await?))
}

/// Gives a user a role.
pub(crate) async fn add_member(
    call: Call,
    Segments([role]): Segments<1>,
    Object(body): Object,
) -> Result<Done, Error> {
    let by = call.principal()?;
    call.pulp.role_member_add(&role, &body, by).await?;
    Ok(Done)
}

/// Takes a role from a user.
pub(crate) async fn remove_member(
    call: Call,
    Segments([role, login]): Segments<2>,
) -> Result<Done, Error> {
    let (role, login) = (&role, &login);
    call.pulp.role_member_remove(role, login).await?;
    Ok(Done)
}
