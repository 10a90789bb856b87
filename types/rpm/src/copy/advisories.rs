//! Advisories that the destination has too: a copy adds to what it has, as a sync does, and never takes its place whole.

use std::collections::HashMap;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::CopyContext;
use pith_content::unit::{Existing, Part, RepoUnit, Select, WantedUnit};
use pith_core::UnitId;

use super::BATCH;
use crate::modular::text;
use crate::parts::PKGLIST;
use crate::type_ids::ERRATUM;

/// Hands over chosen advisories of which the destination has another document, so that the two are merged.
pub(super) async fn merge(ctx: &dyn CopyContext) -> Result<(), ContentError> {
    let chosen = ctx.chosen_types().await?;
    if ctx.source().id == ctx.repo().id || !chosen.iter().any(|id| id == ERRATUM) {
        return Ok(());
    }
    let select = Select {
        fields: Some(&["id"]),
        ..Select::all(ERRATUM)
    };
    let mut present: HashMap<String, UnitId> = HashMap::new();
    let mut units = ctx.units(select.clone()).await?;
    while let Some(batch) = units.try_next().await? {
        present.extend(
            batch
                .iter()
                .map(|unit| (text(&unit.doc, "id").to_owned(), unit.id)),
        );
    }
    drop(units);
    if present.is_empty() {
        return Ok(());
    }
    let select = Select {
        parts: &[PKGLIST],
        ..Select::all(ERRATUM)
    };
    let is_other = |unit: &RepoUnit| {
        let own = present.get(text(&unit.doc, "id"));
        own.is_some_and(|own| *own != unit.id)
    };
    // All of them first: what is handed over is chosen too.
    let mut others: Vec<RepoUnit> = Vec::new();
    let mut units = ctx.chosen(select).await?;
    while let Some(batch) = units.try_next().await? {
        others.extend(batch.into_iter().filter(is_other));
    }
    drop(units);
    while !others.is_empty() {
        let rest = others.split_off(others.len().min(BATCH));
        let batch = std::mem::replace(&mut others, rest);
        let ids = batch.iter().map(|unit| unit.id).collect();
        ctx.leave_out(ERRATUM, ids).await?;
        ctx.stage(batch.into_iter().map(wanted).collect()).await?;
    }
    Ok(())
}

fn wanted(unit: RepoUnit) -> WantedUnit {
    let parts = unit.parts.into_iter().flatten();
    WantedUnit {
        type_id: ERRATUM,
        doc: unit.doc,
        parts: parts
            .map(|data| Part {
                name: PKGLIST,
                data,
            })
            .collect(),
        source: None,
        existing: Existing::Replace,
    }
}
