//! Documents of modules.yaml that are only passed on: they go along with the module that they are about.

use std::collections::HashSet;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::{CopyContext, RemoveContext};
use pith_content::repository::Units;
use pith_content::unit::{RepoUnit, Select};
use pith_core::UnitId;

use super::{BATCH, add};
use crate::modular::text;
use crate::said;
use crate::type_ids::{MODULE_DOCUMENT, MODULEMD};

/// Module and stream; the stream is empty for what is about all of them.
type Subject = (String, String);

fn field(unit: &RepoUnit, name: &str) -> String {
    text(&unit.doc, name).to_owned()
}

/// The streams of modules, and the modules themselves.
async fn subjects(mut modules: Units<'_>) -> Result<HashSet<Subject>, ContentError> {
    let mut found = HashSet::new();
    while let Some(batch) = modules.try_next().await? {
        for unit in &batch {
            found.insert((field(unit, "name"), field(unit, "stream")));
            found.insert((field(unit, "name"), String::new()));
        }
    }
    Ok(found)
}

fn modules() -> Select {
    Select {
        fields: Some(&["name", "stream"]),
        ..Select::all(MODULEMD)
    }
}

fn documents() -> Select {
    Select {
        fields: Some(&["name", "stream"]),
        ..Select::all(MODULE_DOCUMENT)
    }
}

/// The documents of a stream for which `wanted` holds.
async fn those(
    mut units: Units<'_>,
    wanted: impl Fn(&RepoUnit) -> bool,
) -> Result<Vec<UnitId>, ContentError> {
    let mut found = Vec::new();
    while let Some(batch) = units.try_next().await? {
        found.extend(batch.iter().filter(|unit| wanted(unit)).map(|unit| unit.id));
    }
    Ok(found)
}

/// Adds what the source says of the modules that come, in place of what the destination has that is older.
pub(super) async fn follow(ctx: &dyn CopyContext) -> Result<(), ContentError> {
    if ctx.source().id == ctx.repo().id {
        return Ok(());
    }
    let chosen = ctx.chosen_types().await?;
    let has = |type_id: &str| chosen.iter().any(|id| id == type_id);
    if has(MODULEMD) {
        let subjects = subjects(ctx.chosen(modules()).await?).await?;
        let about =
            |unit: &RepoUnit| subjects.contains(&(field(unit, "name"), field(unit, "stream")));
        let found = those(ctx.source_units(documents()).await?, about).await?;
        add(ctx, MODULE_DOCUMENT, &found).await?;
    } else if !has(MODULE_DOCUMENT) {
        return Ok(());
    }
    // What the source does not publish, because something newer takes its place there, does not come.
    let source = said::read(ctx.source_units(said::select()).await?).await?;
    let overruled: Vec<UnitId> = said::overruled(&source).into_iter().collect();
    for batch in overruled.chunks(BATCH) {
        ctx.leave_out(MODULE_DOCUMENT, batch.to_vec()).await?;
    }
    let fresh = said::read(ctx.chosen(said::select()).await?).await?;
    let known = said::read(ctx.units(said::select()).await?).await?;
    let (old, late) = said::outdated(&known, &fresh);
    for batch in old.chunks(BATCH) {
        ctx.remove(MODULE_DOCUMENT, batch.to_vec()).await?;
    }
    for batch in late.chunks(BATCH) {
        ctx.leave_out(MODULE_DOCUMENT, batch.to_vec()).await?;
    }
    Ok(())
}

/// Takes out what was said of streams of which no build is left.
pub(super) async fn remove(ctx: &dyn RemoveContext) -> Result<(), ContentError> {
    let gone = subjects(ctx.chosen(modules()).await?).await?;
    if gone.is_empty() {
        return Ok(());
    }
    let kept = subjects(ctx.units_after(modules()).await?).await?;
    let is_about = |unit: &RepoUnit| {
        let subject = (field(unit, "name"), field(unit, "stream"));
        gone.contains(&subject) && !kept.contains(&subject)
    };
    let doomed = those(ctx.units_after(documents()).await?, is_about).await?;
    for batch in doomed.chunks(BATCH) {
        ctx.remove(MODULE_DOCUMENT, batch.to_vec()).await?;
    }
    Ok(())
}
