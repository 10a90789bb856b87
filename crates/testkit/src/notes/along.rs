//! Notes that go along: those that a copied note names with a line `see NAME` come with it, and go when no note names them any more.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::{CopyContext, CopyReport, RemoveContext};
use pith_content::repository::Units;
use pith_content::unit::{RepoUnit, Select};
use pith_core::UnitId;
use serde_json::Value;

use super::NOTE;

/// The setting, also of an override, with which copies and removals look at what notes name.
const RECURSIVE: &str = "recursive";
/// The learned field with the names that a note names.
pub(super) const SEES: &str = "sees";

/// Adds what the chosen notes name, and what that names in turn: the source is asked by name, and what the destination has stays as
/// it is.
pub(super) async fn bring(ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
    if !is_recursive(ctx.config().get(RECURSIVE)) {
        return Ok(CopyReport::default());
    }
    let (mut known, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    for note in all(ctx.chosen(select()).await?).await? {
        wanted.extend(seen(&note));
        known.extend(name(&note));
    }
    known.extend(
        all(ctx.units(select()).await?)
            .await?
            .iter()
            .filter_map(name),
    );
    loop {
        let new: Vec<String> = wanted.difference(&known).cloned().collect();
        if new.is_empty() {
            return Ok(CopyReport::default());
        }
        let found = ctx
            .source_units(select().narrow("name", new.clone()))
            .await?;
        let found = all(found).await?;
        // A choice that is not narrowed has others too.
        let found = found
            .iter()
            .filter(|note| name(note).is_some_and(|name| new.contains(&name)));
        let mut units = Vec::new();
        for note in found {
            wanted.extend(seen(note));
            units.push(note.id);
        }
        ctx.add(NOTE.id, units).await?;
        known.extend(new);
    }
}

/// Takes out what the notes that go have named, unless another note names it.
pub(super) async fn follow(ctx: &dyn RemoveContext) -> Result<(), ContentError> {
    if !is_recursive(ctx.config().get(RECURSIVE)) {
        return Ok(());
    }
    let going = all(ctx.chosen(select()).await?).await?;
    let mut left: BTreeSet<String> = going.iter().flat_map(seen).collect();
    while !left.is_empty() {
        let staying = all(ctx.units_after(select()).await?).await?;
        for note in &staying {
            for name in seen(note) {
                left.remove(&name);
            }
        }
        let alone = staying
            .iter()
            .filter(|note| name(note).is_some_and(|name| left.contains(&name)));
        let alone: Vec<&RepoUnit> = alone.collect();
        let units: Vec<UnitId> = alone.iter().map(|note| note.id).collect();
        if units.is_empty() {
            return Ok(());
        }
        left = alone.into_iter().flat_map(seen).collect();
        ctx.remove(NOTE.id, units).await?;
    }
    Ok(())
}

fn is_recursive(setting: Option<&Value>) -> bool {
    setting == Some(&Value::Bool(true))
}

fn select() -> Select {
    Select {
        fields: Some(&["name", SEES]),
        ..Select::all(NOTE.id)
    }
}

async fn all(units: Units<'_>) -> Result<Vec<RepoUnit>, ContentError> {
    units.try_concat().await
}

fn name(note: &RepoUnit) -> Option<String> {
    note.doc
        .get("name")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn seen(note: &RepoUnit) -> Vec<String> {
    let names = note.doc.get(SEES).and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}
