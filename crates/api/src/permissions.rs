//! `/v2/permissions/` (pulp2/people#permissions).

use pith_engine::Error;
use pith_pulp::people::Way;
use serde::Serialize;

use crate::http::{Call, Done, Json, Object};
use crate::operation::Shape::{Many, Null, One};
use crate::operation::{EXECUTE, NONE, Param, READ, RestRoute, operation, param};

/// The parameter of a list of permissions.
const RESOURCE: &[Param] = &[param(
    "resource",
    "string",
    "Only the permissions on this path.",
)];

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/permissions/", READ, list, "List the permissions.", [RESOURCE], NONE => Many("Permission")),
    operation!(Post "/permissions/actions/grant_to_role/", EXECUTE, grant_to_role, "Allow operations on a path to a role.", [], One("RoleGrant") => Null),
    operation!(Post "/permissions/actions/grant_to_user/", EXECUTE, grant_to_user, "Allow operations on a path to a user.", [], One("UserGrant") => Null),
    operation!(Post "/permissions/actions/revoke_from_role/", EXECUTE, revoke_from_role, "Take operations on a path from a role.", [], One("RoleGrant") => Null),
    operation!(Post "/permissions/actions/revoke_from_user/", EXECUTE, revoke_from_user, "Take operations on a path from a user.", [], One("UserGrant") => Null),
];

/// The rights on every resource, or on the one asked for.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    let query = call.query();
    let resource = query.iter().rev().find(|(key, _)| key == "resource");
    let resource = resource.map(|(_, value)| value.as_str());
    Ok(Json(call.pulp.permission_documents(resource).await?))
}

/// Lets a user do more.
pub(crate) async fn grant_to_user(call: Call, Object(body): Object) -> Result<Done, Error> {
    call.pulp.permission_of_user(&body, Way::Grant).await?;
    Ok(Done)
}

/// Lets a user do less.
pub(crate) async fn revoke_from_user(call: Call, Object(body): Object) -> Result<Done, Error> {
    call.pulp.permission_of_user(&body, Way::Revoke).await?;
    Ok(Done)
}

/// Lets those of a role do more.
pub(crate) async fn grant_to_role(call: Call, Object(body): Object) -> Result<Done, Error> {
    call.pulp.permission_of_role(&body, Way::Grant).await?;
    Ok(Done)
}

/// Lets those of a role do less.
pub(crate) async fn revoke_from_role(call: Call, Object(body): Object) -> Result<Done, Error> {
    call.pulp.permission_of_role(&body, Way::Revoke).await?;
    Ok(Done)
}
