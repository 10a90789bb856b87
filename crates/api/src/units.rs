//! `/v2/content/units/` and unit search in repositories (pulp2/units#in-a-repository, pulp2/units#outside-of-repositories).

use pith_core::UnitId;
use pith_core::criteria::Criteria;
use pith_engine::Error;
use pith_store::StoreError;
use serde_json::{Value, json};

use crate::http::{Answer, Call};
use crate::search;

/// The 404 of single units: a text, not an error document.
fn no_such_unit(id: &str) -> Result<Answer, Error> {
    Answer::with_status(404, &format!("No content unit resource: {id}"))
}

/// Every unit of a type.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    let all = Criteria::default();
    Answer::documents(call.pulp.type_units(call.param(0), all, false).await?).await
}

/// Searches a type, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_query(call.query(), &["include_repos"])?;
    let repos = call.flag("include_repos");
    Answer::documents(call.pulp.type_units(call.param(0), criteria, repos).await?).await
}

/// Searches a type, with the criteria in the body.
pub(crate) async fn search_post(mut call: Call) -> Result<Answer, Error> {
    let mut body = call.object();
    let criteria = search::plain_body(&mut body)?;
    let repos = search::option(&body, "include_repos");
    Answer::documents(call.pulp.type_units(call.param(0), criteria, repos).await?).await
}

/// One unit.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    let (type_id, id) = (call.param(0), call.param(1));
    match call.pulp.unit_document(type_id, id).await? {
        Some(document) => Answer::json(&document),
        None => no_such_unit(id),
    }
}

/// The client data of a unit.
pub(crate) async fn read_metadata(call: Call) -> Result<Answer, Error> {
    let (type_id, id) = (call.param(0), call.param(1));
    let Ok(unit_id) = id.parse::<UnitId>() else {
        return no_such_unit(id);
    };
    let found = call.pulp.engine.store.unit_get(type_id, unit_id).await;
    match found? {
        Some(unit) => match unit.doc.get("pulp_user_metadata") {
            Some(metadata) => Answer::json(metadata),
            None => Answer::json(&json!({})),
        },
        None => no_such_unit(id),
    }
}

/// Replaces the client data of a unit.
pub(crate) async fn set_metadata(mut call: Call) -> Result<Answer, Error> {
    let metadata = call.any();
    let (type_id, id) = (call.param(0), call.param(1));
    let Ok(unit_id) = id.parse::<UnitId>() else {
        return no_such_unit(id);
    };
    let store = &call.pulp.engine.store;
    match store
        .unit_set_user_metadata(type_id, unit_id, &metadata)
        .await
    {
        Ok(()) => Ok(Answer::null()),
        Err(StoreError::Missing { .. }) => no_such_unit(id),
        Err(error) => Err(error.into()),
    }
}

async fn in_repository(call: &Call, criteria: &Value) -> Result<Answer, Error> {
    let repo = call.param(0);
    call.pulp.repository_require(repo).await?;
    let criteria = search::units(criteria)?;
    Answer::documents(call.pulp.repository_units(repo, criteria).await?).await
}

/// Searches a repository, with the criteria in the query.
pub(crate) async fn in_repository_get(call: Call) -> Result<Answer, Error> {
    let criteria = search::units_query(call.query())?;
    in_repository(&call, &criteria).await
}

/// Searches a repository, with the criteria in the body.
pub(crate) async fn in_repository_post(mut call: Call) -> Result<Answer, Error> {
    let criteria = search::units_body(&mut call.object())?;
    in_repository(&call, &criteria).await
}
