//! `/v2/repositories/` (pulp2/repositories).

use pith_core::Document;
use pith_core::task::CallReport;
use pith_engine::Error;
use pith_pulp::repositories::Expand;

use crate::http::{Answer, Call};
use crate::routes::refuse_shadowing;
use crate::search;

const OPTIONS: [&str; 3] = ["details", "importers", "distributors"];

fn expand(flag: impl Fn(&str) -> bool) -> Expand {
    let details = flag("details");
    Expand {
        importers: details || flag("importers"),
        distributors: details || flag("distributors"),
    }
}

/// Every repository.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    let expand = expand(|name| call.flag(name));
    Answer::json(&call.pulp.repository_documents(expand).await?)
}

/// Makes a repository.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    refuse_shadowing("/repositories/", &body, "id")?;
    Answer::created(&call.pulp.repository_create(&body).await?)
}

/// One repository.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    let (expand, totals) = if call.query.is_some() {
        (expand(|name| call.flag(name)), call.flag("details"))
    } else {
        (Expand::default(), false)
    };
    let repository = call.pulp.repository_document(call.param(0), expand, totals);
    Answer::json(&repository.await?)
}

/// Changes a repository: at once, and by tasks for its distributors.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let (repository, tasks) = call.pulp.repository_update(call.param(0), &body).await?;
    let status = if tasks.is_empty() { 200 } else { 202 };
    let report = CallReport {
        result: repository,
        error: None,
        spawned: tasks,
    };
    Answer::with_status(status, &report.to_json())
}

/// Queues the removal of a repository.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    Answer::queued(call.pulp.repository_delete(call.param(0)).await?)
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_query(call.query(), &OPTIONS)?;
    let expand = expand(|name| call.flag(name));
    Answer::json(&call.pulp.repository_search(&criteria, expand).await?)
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(mut call: Call) -> Result<Answer, Error> {
    let mut body: Document = call.object();
    let criteria = search::plain_body(&mut body)?;
    let expand = expand(|name| search::option(&body, name));
    Answer::json(&call.pulp.repository_search(&criteria, expand).await?)
}
