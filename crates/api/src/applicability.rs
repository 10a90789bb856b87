//! `/v2/repositories/actions/content/regenerate_applicability/` (pulp2/applicability#regeneration).

use pith_core::criteria::Criteria;
use pith_core::error::PulpError;
use pith_engine::Error;
use pith_pulp::distributors::truthy;
use pith_pulp::search::REPOSITORIES;
use serde_json::Value;

use crate::http::{Call, Either, Object, Queued, QueuedGroup};
use crate::operation::Shape::One;
use crate::operation::{CREATE, RestRoute, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Post "/repositories/actions/content/regenerate_applicability/", CREATE, of_repositories, "Work out again which content of the repositories concerns which consumers.", [], One("ApplicabilityRequest") => One("GroupReport")),
];

/// 400 naming `repo_criteria`, with what is wrong in there.
fn refused(inner: PulpError) -> PulpError {
    let mut error = PulpError::invalid_value(&["repo_criteria"]);
    error.detail.sub_errors.push(*inner.detail);
    error
}

/// Queues the work for the repositories that match: one task, or a group of them.
pub(crate) async fn of_repositories(
    call: Call,
    Object(mut body): Object,
) -> Result<Either<Queued, QueuedGroup>, Error> {
    let given = body.remove("repo_criteria").unwrap_or_default();
    if given.is_null() {
        return Err(PulpError::missing_value(&["repo_criteria"]).into());
    }
    let criteria = Criteria::parse(&given).map_err(|error| refused(error.into()))?;
    REPOSITORIES.prepared(&criteria).map_err(refused)?;
    let pulp = &call.pulp;
    match body.remove("parallel") {
        Some(Value::Bool(true)) => {
            let group = pulp.applicability_regenerate_in_parallel(&criteria);
            Ok(Either::Other(QueuedGroup(group.await?)))
        }
        value if truthy(value.as_ref()) => Err(PulpError::invalid_value(&["parallel"]).into()),
        _ => Ok(Either::Usual(Queued(
            pulp.applicability_regenerate(given).await?,
        ))),
    }
}
