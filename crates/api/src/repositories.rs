//! `/v2/repositories/` (pulp2/repositories).

use pith_core::task::CallReport;
use pith_engine::Error;
use pith_pulp::repositories::Expand;
use serde::Serialize;

use crate::http::{Call, Created, Json, Object, OptionalObject, Queued, RestAnswer, Segments};
use crate::operation::Shape::{Many, One};
use crate::operation::{
    CREATE, DELETE, NONE, Param, READ, REPORT, RestRoute, UPDATE, operation, param,
};
use crate::search::{self, FIELD, SEARCH};

/// The parameters of what is shown beside a repository.
const DETAILS: &[Param] = &[
    param(
        "details",
        "boolean",
        "With importers, distributors and totals.",
    ),
    param("importers", "boolean", "With importers."),
    param("distributors", "boolean", "With distributors."),
];

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/repositories/", READ, list, "List the repositories.", [DETAILS], NONE => Many("Repository")),
    operation!(Post "/repositories/", CREATE, create, "Create a repository, with importer and distributors when they are given.", [], One("NewRepository") => One("Repository")),
    operation!(Get "/repositories/search/", READ, search_get, "Search repositories.", [SEARCH, FIELD, DETAILS], NONE => Many("Repository")),
    operation!(Post "/repositories/search/", READ, search_post, "Search repositories.", [], One("Search") => Many("Repository")),
    operation!(Get "/repositories/<repo>/", READ, read, "Read a repository.", [DETAILS], NONE => One("Repository")),
    operation!(Put "/repositories/<repo>/", UPDATE, update, "Change a repository, its importer and its distributors.", [], One("RepositoryUpdate") => REPORT),
    operation!(Delete "/repositories/<repo>/", DELETE, delete, "Delete a repository; its units stay.", [], NONE => REPORT),
];

const OPTIONS: [&str; 3] = ["details", "importers", "distributors"];

fn expand(flag: impl Fn(&str) -> bool) -> Expand {
    let details = flag("details");
    Expand {
        importers: details || flag("importers"),
        distributors: details || flag("distributors"),
    }
}

/// Every repository.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    let expand = expand(|name| call.flag(name));
    Ok(Json(call.pulp.repository_documents(expand).await?))
}

/// Makes a repository.
pub(crate) async fn create(call: Call, Object(body): Object) -> Result<Created, Error> {
    call.refuse_shadowing("/repositories/", &body, "id")?;
    Ok(Created(call.pulp.repository_create(&body).await?))
}

/// One repository.
pub(crate) async fn read(
    call: Call,
    Segments([repo]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let (expand, totals) = if call.query.is_some() {
        (expand(|name| call.flag(name)), call.flag("details"))
    } else {
        (Expand::default(), false)
    };
    let repository = call.pulp.repository_document(&repo, expand, totals);
    Ok(Json(repository.await?))
}

/// Changes a repository: at once, and by tasks for its distributors.
pub(crate) async fn update(
    call: Call,
    Segments([repo]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<RestAnswer, Error> {
    let (repository, tasks) = call.pulp.repository_update(&repo, &body).await?;
    let status = if tasks.is_empty() { 200 } else { 202 };
    let report = CallReport {
        result: repository,
        error: None,
        spawned: tasks,
    };
    RestAnswer::with_status(status, &report.to_json())
}

/// Queues the removal of a repository.
pub(crate) async fn delete(call: Call, Segments([repo]): Segments<1>) -> Result<Queued, Error> {
    Ok(Queued(call.pulp.repository_delete(&repo).await?))
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_query(call.query(), &OPTIONS)?;
    let expand = expand(|name| call.flag(name));
    Ok(Json(call.pulp.repository_search(&criteria, expand).await?))
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(
    call: Call,
    Object(mut body): Object,
) -> Result<Json<impl Serialize>, Error> {
    let criteria = search::plain_body(&mut body)?;
    let expand = expand(|name| search::option(&body, name));
    Ok(Json(call.pulp.repository_search(&criteria, expand).await?))
}
