//! `/v2/content/sources/` and `/v2/content/catalog/` (pulp2/content-sources).

use pith_engine::Error;
use pith_engine::content_sources::ContentSource;
use pith_pulp::jobs::RefreshContentSource;
use serde_json::{Value, json};

use crate::http::{Answer, Call};

/// The answer to an action that there is not: a text, not an error document.
fn bad_action() -> Answer {
    Answer::html(400, "bad request")
}

/// Every content source.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    let sources = call.pulp.engine.content_sources().await;
    let documents: Vec<Value> = sources.iter().map(ContentSource::document).collect();
    Answer::json(&documents)
}

/// One content source.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    let source = call.pulp.engine.content_source(call.param(0)).await?;
    Answer::json(&source.document())
}

/// Queues reading again what all content sources have.
pub(crate) async fn refresh_all(call: Call) -> Result<Answer, Error> {
    if call.param(0) != "refresh" {
        return Ok(bad_action());
    }
    Answer::queued(call.pulp.engine.content_sources_refresh().await?)
}

/// Queues reading again what one content source has.
pub(crate) async fn refresh(call: Call) -> Result<Answer, Error> {
    let source = call.pulp.engine.content_source(call.param(0)).await?;
    if call.param(1) != "refresh" {
        return Ok(bad_action());
    }
    let job = RefreshContentSource {
        source_id: source.id().to_owned(),
    };
    Answer::queued(call.pulp.engine.enqueue(job).await?)
}

/// Forgets what a content source has.
pub(crate) async fn delete_catalog(call: Call) -> Result<Answer, Error> {
    let deleted = call
        .pulp
        .engine
        .content_catalog_delete(call.param(0))
        .await?;
    Answer::json(&json!({ "deleted": deleted }))
}
