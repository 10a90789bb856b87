//! `/v2/content/sources/` and `/v2/content/catalog/` (pulp2/content-sources).

use pith_engine::Error;
use pith_engine::content_sources::ContentSource;
use pith_pulp::jobs::RefreshContentSource;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Call, Either, Json, OptionalJson, Queued, RestAnswer, Segments};
use crate::operation::Shape::{Many, One};
use crate::operation::{DELETE, NONE, READ, REPORT, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Delete "/content/catalog/<source>/", DELETE, delete_catalog, "Forget what a content source offers.", [], NONE => One("Deleted")),
    operation!(Get "/content/sources/", READ, list, "List the content sources.", [], NONE => Many("ContentSource")),
    operation!(Post "/content/sources/action/<action>/", UPDATE, refresh_all, "Ask all content sources again what they offer.", [], NONE => REPORT),
    operation!(Get "/content/sources/<source>/", READ, read, "Read a content source.", [], NONE => One("ContentSource")),
    operation!(Post "/content/sources/<source>/action/<action>/", UPDATE, refresh, "Ask a content source again what it offers.", [], NONE => REPORT),
];

/// The answer to an action that there is not: a text, not an error document.
fn bad_action() -> RestAnswer {
    RestAnswer::html(400, "bad request")
}

/// Every content source.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    let sources = call.pulp.engine.content_sources().await;
    let documents: Vec<Value> = sources.iter().map(ContentSource::document).collect();
    Ok(Json(documents))
}

/// One content source.
pub(crate) async fn read(
    call: Call,
    Segments([source]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let source = call.pulp.engine.content_source(&source).await?;
    Ok(Json(source.document()))
}

/// Queues reading again what all content sources have.
pub(crate) async fn refresh_all(
    call: Call,
    Segments([action]): Segments<1>,
    OptionalJson(_): OptionalJson,
) -> Result<Either<Queued, RestAnswer>, Error> {
    if action != "refresh" {
        return Ok(Either::Other(bad_action()));
    }
    let task = call.pulp.engine.content_sources_refresh().await?;
    Ok(Either::Usual(Queued(task)))
}

/// Queues reading again what one content source has.
pub(crate) async fn refresh(
    call: Call,
    Segments([source, action]): Segments<2>,
    OptionalJson(_): OptionalJson,
) -> Result<Either<Queued, RestAnswer>, Error> {
    let source = call.pulp.engine.content_source(&source).await?;
    if action != "refresh" {
        return Ok(Either::Other(bad_action()));
    }
    let job = RefreshContentSource {
        source_id: source.id().to_owned(),
    };
    Ok(Either::Usual(call.queue(job).await?))
}

/// Forgets what a content source has.
pub(crate) async fn delete_catalog(
    call: Call,
    Segments([source]): Segments<1>,
) -> Result<Json<impl Serialize>, Error> {
    let deleted = call.pulp.engine.content_catalog_delete(&source).await?;
    Ok(Json(json!({ "deleted": deleted })))
}
