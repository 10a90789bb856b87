//! Units that belong to what was selected: groups of categories, packages of advisories and modules, modules of advisories
//! and packages (reference: rpm §9.1).

use std::collections::HashSet;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::{CopyContext, Units};
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Document, UnitId};
use serde_json::Value;

use super::{Mode, add, closure};
use crate::types::{CATEGORY, ENVIRONMENT, ERRATUM, GROUP, MODULEMD, MODULEMD_DEFAULTS, RPM};
use crate::units::{PKGLIST, pkglists};

/// A package's name as module documents write it, with and without the epoch.
pub(super) struct Names<'a> {
    pub(super) full: &'a str,
    pub(super) without_epoch: &'a str,
}

/// What of module documents tells their packages.
pub(super) fn modules() -> Select {
    Select {
        fields: Some(&["name", "stream", "artifacts"]),
        ..Select::all(MODULEMD)
    }
}

/// What of packages tells their names.
pub(super) fn packages() -> Select {
    Select {
        fields: Some(&["name", "epoch", "version", "release", "arch"]),
        ..Select::all(RPM)
    }
}

fn text<'a>(doc: &'a Document, field: &str) -> &'a str {
    doc.get(field).and_then(Value::as_str).unwrap_or("")
}

fn texts<'a>(doc: &'a Document, field: &str) -> impl Iterator<Item = &'a str> {
    let list = doc.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// `name-epoch:version-release.arch`.
pub(super) fn full_name(doc: &Document) -> String {
    let epoch = match text(doc, "epoch") {
        "" => "0",
        epoch => epoch,
    };
    format!(
        "{}-{epoch}:{}-{}.{}",
        text(doc, "name"),
        text(doc, "version"),
        text(doc, "release"),
        text(doc, "arch")
    )
}

fn plain_name(doc: &Document) -> String {
    format!(
        "{}-{}-{}.{}",
        text(doc, "name"),
        text(doc, "version"),
        text(doc, "release"),
        text(doc, "arch")
    )
}

/// The packages that modules list.
pub(super) async fn artifacts(mut modules: Units<'_>) -> Result<HashSet<String>, ContentError> {
    let mut found = HashSet::new();
    while let Some(batch) = modules.try_next().await? {
        for unit in batch {
            found.extend(texts(&unit.doc, "artifacts").map(str::to_owned));
        }
    }
    Ok(found)
}

/// The packages whose names are wanted.
pub(super) async fn matching(
    mut packages: Units<'_>,
    wanted: impl Fn(&Names<'_>) -> bool,
) -> Result<Vec<UnitId>, ContentError> {
    let mut found = Vec::new();
    while let Some(batch) = packages.try_next().await? {
        let is_wanted = |unit: &&RepoUnit| {
            let (full, plain) = (full_name(&unit.doc), plain_name(&unit.doc));
            wanted(&Names {
                full: &full,
                without_epoch: &plain,
            })
        };
        found.extend(batch.iter().filter(is_wanted).map(|unit| unit.id));
    }
    Ok(found)
}

/// The units of the source of a type for which `wanted` holds.
async fn of_source(
    ctx: &dyn CopyContext,
    select: Select,
    wanted: impl Fn(&Document) -> bool,
) -> Result<Vec<UnitId>, ContentError> {
    let mut units = ctx.source_units(select).await?;
    let mut found = Vec::new();
    while let Some(batch) = units.try_next().await? {
        let those = batch.iter().filter(|unit| wanted(&unit.doc));
        found.extend(those.map(|unit| unit.id));
    }
    Ok(found)
}

/// Adds what belongs to the selection.
pub(super) async fn follow(ctx: &dyn CopyContext, mode: Mode) -> Result<(), ContentError> {
    let chosen = ctx.chosen_types().await?;
    let has = |type_id: &str| chosen.iter().any(|id| id == type_id);
    let recursive = mode != Mode::Plain;
    if recursive && (has(CATEGORY) || has(ENVIRONMENT)) {
        groups(ctx).await?;
    }
    let mut wanted = Wanted::default();
    if recursive && has(ERRATUM) {
        wanted.of_errata(ctx).await?;
        wanted.add_modules(ctx).await?;
    }
    if has(MODULEMD) || !wanted.modules.is_empty() {
        wanted.full = artifacts(ctx.chosen(modules()).await?).await?;
    }
    if !wanted.is_empty() {
        let source = ctx.source_units(packages()).await?;
        let found = matching(source, |names| wanted.has(names)).await?;
        add(ctx, RPM, &found).await?;
    }
    if recursive {
        closure::follow(ctx, mode == Mode::Conservative).await?;
        modules_of_packages(ctx).await?;
    }
    Ok(())
}

/// Groups that chosen categories and environments name.
async fn groups(ctx: &dyn CopyContext) -> Result<(), ContentError> {
    let mut named: HashSet<String> = HashSet::new();
    for (type_id, field) in [(CATEGORY, "packagegroupids"), (ENVIRONMENT, "group_ids")] {
        let mut units = ctx.chosen(Select::all(type_id)).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                named.extend(texts(&unit.doc, field).map(str::to_owned));
                let options = unit.doc.get("options").and_then(Value::as_array);
                let groups = options
                    .into_iter()
                    .flatten()
                    .filter_map(|o| o["group"].as_str());
                named.extend(groups.map(str::to_owned));
            }
        }
    }
    let select = Select {
        fields: Some(&["id"]),
        ..Select::all(GROUP)
    };
    let found = of_source(ctx, select, |doc| named.contains(text(doc, "id"))).await?;
    add(ctx, GROUP, &found).await
}

/// Packages and modules that advisories and modules name.
#[derive(Default)]
struct Wanted {
    /// Packages with their epoch.
    full: HashSet<String>,
    /// Packages of advisories that name an epoch.
    exact: HashSet<String>,
    /// Packages of advisories that name none: any will do.
    any_epoch: HashSet<String>,
    /// Modules as `name:stream`.
    modules: HashSet<String>,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.full.is_empty() && self.exact.is_empty() && self.any_epoch.is_empty()
    }

    fn has(&self, names: &Names<'_>) -> bool {
        self.full.contains(names.full)
            || self.exact.contains(names.full)
            || self.any_epoch.contains(names.without_epoch)
    }

    /// What chosen advisories list.
    async fn of_errata(&mut self, ctx: &dyn CopyContext) -> Result<(), ContentError> {
        let select = Select {
            fields: Some(&["id"]),
            parts: &[PKGLIST],
            ..Select::all(ERRATUM)
        };
        let mut units = ctx.chosen(select).await?;
        while let Some(batch) = units.try_next().await? {
            let parts = batch.iter().flat_map(|unit| unit.parts.iter().flatten());
            for list in parts.flat_map(|part| pkglists(part)) {
                for collection in list.collections {
                    if let Some(module) = &collection.module {
                        let module = format!("{}:{}", module.name, module.stream);
                        self.modules.insert(module);
                    }
                    for p in &collection.packages {
                        let rest = format!("{}-{}.{}", p.version, p.release, p.arch);
                        match p.epoch.as_deref().filter(|epoch| !epoch.is_empty()) {
                            Some(epoch) => {
                                self.exact.insert(format!("{}-{epoch}:{rest}", p.name));
                            }
                            None => {
                                self.any_epoch.insert(format!("{}-{rest}", p.name));
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Modules that advisories name and the destination does not have.
    async fn add_modules(&mut self, ctx: &dyn CopyContext) -> Result<(), ContentError> {
        if self.modules.is_empty() {
            return Ok(());
        }
        let name = |doc: &Document| format!("{}:{}", text(doc, "name"), text(doc, "stream"));
        let mut there = ctx.units_after(modules()).await?;
        while let Some(batch) = there.try_next().await? {
            for unit in &batch {
                self.modules.remove(&name(&unit.doc));
            }
        }
        drop(there);
        let found = of_source(ctx, modules(), |doc| self.modules.contains(&name(doc))).await?;
        add(ctx, MODULEMD, &found).await
    }
}

/// Modules that list chosen packages, and the defaults of chosen modules.
async fn modules_of_packages(ctx: &dyn CopyContext) -> Result<(), ContentError> {
    let mut chosen: HashSet<String> = HashSet::new();
    let select = Select {
        fields: Some(&["name", "epoch", "version", "release", "arch", "is_modular"]),
        ..Select::all(RPM)
    };
    let mut units = ctx.chosen(select).await?;
    while let Some(batch) = units.try_next().await? {
        let modular = batch
            .iter()
            .filter(|unit| unit.doc.get("is_modular") == Some(&Value::Bool(true)));
        chosen.extend(modular.map(|unit| full_name(&unit.doc)));
    }
    drop(units);
    if !chosen.is_empty() {
        let lists = |doc: &Document| texts(doc, "artifacts").any(|name| chosen.contains(name));
        let found = of_source(ctx, modules(), lists).await?;
        add(ctx, MODULEMD, &found).await?;
    }
    let mut names: HashSet<String> = HashSet::new();
    let mut units = ctx.chosen(modules()).await?;
    while let Some(batch) = units.try_next().await? {
        names.extend(batch.iter().map(|unit| text(&unit.doc, "name").to_owned()));
    }
    drop(units);
    if names.is_empty() {
        return Ok(());
    }
    let select = Select {
        fields: Some(&["name"]),
        ..Select::all(MODULEMD_DEFAULTS)
    };
    let found = of_source(ctx, select, |doc| names.contains(text(doc, "name"))).await?;
    add(ctx, MODULEMD_DEFAULTS, &found).await
}
