//! The work of a sync on modules beside staging their documents: packages that they list, and documents that went away.

use std::collections::HashSet;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::sync::SyncContext;
use pith_content::unit::Select;
use pith_core::UnitId;

use crate::modular::{self, Artifacts, IS_MODULAR, text};
use crate::said;
use crate::type_ids::{MODULE_DOCUMENT, RPM};
use crate::units::{ORIGIN, Origin};

/// Removals, and notes, handed over at once.
const BATCH: usize = 500;

/// Module and stream.
type Stream = (String, String);

/// Notes of the packages that modules of the repository list that they are modular, whichever came first.
///
/// # Errors
/// What the context fails with.
pub async fn mark(ctx: &dyn SyncContext, listed: &Artifacts) -> Result<(), ContentError> {
    if listed.is_empty() {
        return Ok(());
    }
    let packages = ctx.units_after(listed.select_packages()).await?;
    let unmarked = modular::unmarked(packages, listed).await?;
    for batch in unmarked.chunks(BATCH) {
        ctx.learn(RPM, IS_MODULAR, batch.to_vec()).await?;
    }
    Ok(())
}

/// Returns what the modules of the repository list, and their streams.
///
/// # Errors
/// What the context fails with.
pub async fn of_repository(
    ctx: &dyn SyncContext,
) -> Result<(Artifacts, HashSet<Stream>), ContentError> {
    let (mut listed, mut streams) = (Artifacts::default(), HashSet::new());
    let mut modules = ctx.units_after(modular::select_modules()).await?;
    while let Some(batch) = modules.try_next().await? {
        for unit in batch {
            listed.extend_from(&unit.doc);
            let field = |name| text(&unit.doc, name).to_owned();
            streams.insert((field("name"), field("stream")));
        }
    }
    Ok((listed, streams))
}

/// Adds what the modules of the repository list.
///
/// # Errors
/// What the context fails with.
pub async fn extend(ctx: &dyn SyncContext, listed: &mut Artifacts) -> Result<(), ContentError> {
    let mut modules = ctx.units_after(modular::select_modules()).await?;
    while let Some(batch) = modules.try_next().await? {
        batch.iter().for_each(|unit| listed.extend_from(&unit.doc));
    }
    Ok(())
}

/// Tells whether there is a stream that a document about `module` and `stream` is about; an empty name is about any.
fn is_about(streams: &HashSet<Stream>, module: &str, stream: &str) -> bool {
    let any = |(m, s): &Stream| m == module && (stream.is_empty() || s == stream);
    !module.is_empty() && streams.iter().any(any)
}

/// Removes the documents of the feed that it does not have any more: `handed` are the digests of those it has, `upstream` its
/// streams, `kept` those of the repository. A document stays with a stream that the repository keeps though the feed has dropped
/// it: nothing newer was said of that stream.
///
/// # Errors
/// What the context fails with.
pub async fn forget(
    ctx: &dyn SyncContext,
    handed: &HashSet<String>,
    upstream: &HashSet<Stream>,
    kept: &HashSet<Stream>,
) -> Result<(), ContentError> {
    let select = Select {
        fields: Some(&["checksum", "name", "stream", ORIGIN]),
        ..Select::all(MODULE_DOCUMENT)
    };
    let mut gone: Vec<UnitId> = Vec::new();
    let mut documents = ctx.units_after(select).await?;
    while let Some(batch) = documents.try_next().await? {
        for unit in batch {
            let field = |name| text(&unit.doc, name);
            let (module, stream) = (field("name"), field("stream"));
            let of_feed = field(ORIGIN) == Origin::Feed.name();
            let stays = is_about(kept, module, stream) && !is_about(upstream, module, stream);
            if of_feed && !handed.contains(field("checksum")) && !stays {
                gone.push(unit.id);
            }
        }
    }
    drop(documents);
    take_out(ctx, &gone).await
}

/// Removes what was copied or uploaded and the feed has something newer for.
///
/// # Errors
/// What the context fails with.
pub async fn settle(ctx: &dyn SyncContext, handed: &HashSet<String>) -> Result<(), ContentError> {
    let all = said::read(ctx.units_after(said::select()).await?).await?;
    take_out(ctx, &said::settle(all, handed).0).await
}

async fn take_out(ctx: &dyn SyncContext, documents: &[UnitId]) -> Result<(), ContentError> {
    for batch in documents.chunks(BATCH) {
        ctx.remove(MODULE_DOCUMENT, batch.to_vec()).await?;
    }
    Ok(())
}
