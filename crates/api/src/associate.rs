//! `/v2/repositories/<repo>/actions/associate/` and `unassociate/` (pulp2/copy-and-removal).

use pith_core::Document;
use pith_core::criteria::UnitCriteria;
use pith_core::error::PulpError;
use pith_core::rights::of_repository;
use pith_engine::Error;
use pith_engine::run::copy::ADDITIONAL_REPOS;
use pith_pulp::error::is_missing;
use pith_pulp::jobs::{Associate, Unassociate};
use serde_json::{Value, json};

use crate::http::{Call, Object, OptionalObject, Queued, Segments};
use crate::operation::Shape::One;
use crate::operation::{Operation, REPORT, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Post "/repositories/<repo>/actions/associate/", UPDATE, copy, "Copy units from another repository.", [], One("Copy") => REPORT),
    operation!(Post "/repositories/<repo>/actions/unassociate/", UPDATE, remove, "Remove units from a repository.", [], One("Removal") => REPORT),
];

/// The criteria of a body, checked; without any, everything is meant. Null is refused: a slip of a script must not empty a
/// repository.
fn criteria(body: &mut Document) -> Result<Value, PulpError> {
    let criteria = body.remove("criteria").unwrap_or_else(|| json!({}));
    let mut refused = PulpError::invalid_value(&["criteria"]);
    if !criteria.is_object() {
        return Err(refused);
    }
    match UnitCriteria::parse(&criteria) {
        Ok(_) => Ok(criteria),
        Err(error) => {
            let error = PulpError::from(error);
            refused.detail.sub_errors.push(*error.detail);
            Err(refused)
        }
    }
}

/// Refuses a source that the caller may not read: a copy shows what is in it.
fn may_read(call: &Call, repo_id: &str) -> Result<(), PulpError> {
    call.principal()?
        .permit(Operation::Read, &of_repository(repo_id))
}

/// Makes sure that the repositories of `additional_repos` exist, and that the caller may read the sources and copy into the
/// destinations. Null and an empty map are as if the key were not there.
async fn check_additional(
    call: &Call,
    source_repo_id: &str,
    overriding: &mut Document,
) -> Result<(), Error> {
    let Some(additional) = overriding.get(ADDITIONAL_REPOS) else {
        return Ok(());
    };
    let map = match additional {
        Value::Object(map) if !map.is_empty() => map,
        Value::Object(_) | Value::Null => {
            overriding.remove(ADDITIONAL_REPOS);
            return Ok(());
        }
        other => return Err(PulpError::wrong_type(ADDITIONAL_REPOS, "dict", other).into()),
    };
    if map.contains_key(source_repo_id) {
        // It has a destination already, and one package cannot go to two.
        return Err(PulpError::invalid_values(&[json!(source_repo_id)]).into());
    }
    for (source, destination) in map {
        // Who may not look is not told what there is.
        may_read(call, source)?;
        let principal = call.principal()?;
        if let Some(destination) = destination.as_str() {
            let copy = format!("/v2/repositories/{destination}/actions/associate/");
            principal.permit(Operation::Update, &copy)?;
        }
        for id in [&json!(source), destination] {
            let found = match id.as_str() {
                Some(id) => call.pulp.repository_require(id).await.is_ok(),
                None => false,
            };
            if !found {
                return Err(PulpError::invalid_values(std::slice::from_ref(id)).into());
            }
        }
    }
    Ok(())
}

/// Queues a copy.
pub(crate) async fn copy(
    call: Call,
    Segments([repo]): Segments<1>,
    Object(mut body): Object,
) -> Result<Queued, Error> {
    let repo_id = call.repository(repo).await?;
    let invalid = || Error::from(PulpError::invalid_value(&["source_repo_id"]));
    let source_repo_id = match body.remove("source_repo_id") {
        None | Some(Value::Null) => {
            return Err(PulpError::missing_value(&["source_repo_id"]).into());
        }
        Some(Value::String(id)) => id,
        Some(_) => return Err(invalid()),
    };
    // Who may not look is not told whether there is such a repository.
    may_read(&call, &source_repo_id)?;
    if let Err(error) = call.pulp.repository_require(&source_repo_id).await {
        return Err(match is_missing(&error) {
            true => invalid(),
            false => error,
        });
    }
    let criteria = criteria(&mut body)?;
    let mut override_config = match body.remove("override_config") {
        None | Some(Value::Null) => Document::new(),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(PulpError::wrong_type("override_config", "dict", &other).into()),
    };
    check_additional(&call, &source_repo_id, &mut override_config).await?;
    let job = Associate {
        repo_id,
        source_repo_id,
        criteria,
        override_config,
    };
    call.queue(job).await
}

/// Queues a removal.
pub(crate) async fn remove(
    call: Call,
    Segments([repo]): Segments<1>,
    OptionalObject(mut body): OptionalObject,
) -> Result<Queued, Error> {
    let criteria = criteria(&mut body)?;
    let repo_id = call.repository(repo).await?;
    let job = Unassociate { repo_id, criteria };
    call.queue(job).await
}
