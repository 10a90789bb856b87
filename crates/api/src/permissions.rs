//! `/v2/permissions/` (pulp2/people#permissions).

use pith_engine::Error;
use pith_pulp::people::Way;

use crate::http::{Answer, Call};

/// The rights on every resource, or on the one asked for.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    let query = call.query();
    let resource = query.iter().rev().find(|(key, _)| key == "resource");
    let resource = resource.map(|(_, value)| value.as_str());
    Answer::json(&call.pulp.permission_documents(resource).await?)
}

async fn of_user(mut call: Call, way: Way) -> Result<Answer, Error> {
    let body = call.object();
    call.pulp.permission_of_user(&body, way).await?;
    Ok(Answer::null())
}

async fn of_role(mut call: Call, way: Way) -> Result<Answer, Error> {
    let body = call.object();
    call.pulp.permission_of_role(&body, way).await?;
    Ok(Answer::null())
}

/// Lets a user do more.
pub(crate) async fn grant_to_user(call: Call) -> Result<Answer, Error> {
    of_user(call, Way::Grant).await
}

/// Lets a user do less.
pub(crate) async fn revoke_from_user(call: Call) -> Result<Answer, Error> {
    of_user(call, Way::Revoke).await
}

/// Lets those of a role do more.
pub(crate) async fn grant_to_role(call: Call) -> Result<Answer, Error> {
    of_role(call, Way::Grant).await
}

/// Lets those of a role do less.
pub(crate) async fn revoke_from_role(call: Call) -> Result<Answer, Error> {
    of_role(call, Way::Revoke).await
}
