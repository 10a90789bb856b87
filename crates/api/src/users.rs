//! `/v2/users/` (pulp2/people#users).

use pith_engine::Error;

use crate::http::{Answer, Call};
use crate::routes::refuse_shadowing;
use crate::search;

/// Every user.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.user_documents().await?)
}

/// Makes a user.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    refuse_shadowing("/users/", &body, "login")?;
    Answer::created(&call.pulp.user_create(&body).await?)
}

/// One user.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.user_document(call.param(0)).await?)
}

/// Changes name, password or roles of a user.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let by = call.principal()?;
    Answer::json(&call.pulp.user_update(call.param(0), &body, by).await?)
}

/// Deletes a user.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    call.pulp.user_delete(call.param(0)).await?;
    Ok(Answer::null())
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Answer::json(&call.pulp.user_search(&criteria).await?)
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(mut call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_body(&mut call.object())?;
    Answer::json(&call.pulp.user_search(&criteria).await?)
}
