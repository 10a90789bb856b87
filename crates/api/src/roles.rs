//! `/v2/roles/` (pulp2/people#roles).

use pith_engine::Error;

use crate::http::{Answer, Call};

/// Every role.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.role_documents().await?)
}

/// Makes a role.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    Answer::created(&call.pulp.role_create(&body).await?)
}

/// One role.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.role_document(call.param(0)).await?)
}

/// Changes how a role is called.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    Answer::json(&call.pulp.role_update(call.param(0), &body).await?)
}

/// Deletes a role.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    call.pulp.role_delete(call.param(0)).await?;
    Ok(Answer::null())
}

/// Those who have a role.
pub(crate) async fn members(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.role_members(call.param(0)).await?)
}

/// Gives a user a role.
pub(crate) async fn add_member(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let by = call.principal()?;
    call.pulp.role_member_add(call.param(0), &body, by).await?;
    Ok(Answer::null())
}

/// Takes a role from a user.
pub(crate) async fn remove_member(call: Call) -> Result<Answer, Error> {
    let (role, login) = (call.param(0), call.param(1));
    call.pulp.role_member_remove(role, login).await?;
    Ok(Answer::null())
}
