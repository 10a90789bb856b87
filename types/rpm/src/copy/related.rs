//! Units that belong to what was selected: groups of categories, packages of advisories and modules, modules of advisories
//! (pulp2/rpm-copy#what-goes-along).

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::CopyContext;
use pith_content::repository::Units;
use pith_content::unit::Select;
use pith_core::{Document, UnitId};
use serde_json::Value;

use super::{Mode, add};
use crate::advisories::pkglists;
use crate::metadata::updateinfo::ModuleRef;
use crate::modular::{Artifacts, artifacts, name_of, select_modules, select_packages, text, texts};
use crate::named::{LeftOut, of_unit, values};
use crate::parts::PKGLIST;
use crate::type_ids::{CATEGORY, ENVIRONMENT, ERRATUM, GROUP, MODULEMD, RPM};

/// The packages whose names are wanted.
pub(super) async fn matching(
    mut packages: Units<'_>,
    wanted: impl Fn(&Document) -> bool,
) -> Result<Vec<UnitId>, ContentError> {
    let mut found = Vec::new();
    while let Some(batch) = packages.try_next().await? {
        let those = batch.iter().filter(|unit| wanted(&unit.doc));
        found.extend(those.map(|unit| unit.id));
    }
    Ok(found)
}

/// The units of the source of a type for which `wanted` holds.
async fn of_source(
    ctx: &dyn CopyContext,
    select: Select,
    wanted: impl Fn(&Document) -> bool,
) -> Result<Vec<UnitId>, ContentError> {
    matching(ctx.source_units(select).await?, wanted).await
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
        wanted.full = artifacts(ctx.chosen(select_modules()).await?).await?;
    }
    if !wanted.is_empty() {
        let source = ctx.source_units(wanted.select_packages()).await?;
        let found = matching(source, |doc| wanted.has(doc)).await?;
        add(ctx, RPM, &found).await?;
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
    let select = select.narrow("id", &named);
    let found = of_source(ctx, select, |doc| named.contains(text(doc, "id"))).await?;
    add(ctx, GROUP, &found).await
}

/// The parts that are left of a package's name.
type Parts = [Option<String>; 5];

fn owned(left_out: LeftOut, values: [&str; 5]) -> Parts {
    left_out.from(values).map(|part| part.map(str::to_owned))
}

/// Packages and modules that advisories and modules name.
#[derive(Default)]
struct Wanted {
    /// Packages that modules list.
    full: Artifacts,
    /// Packages of advisories, by what their names leave out: any will do there.
    listed: HashMap<LeftOut, HashSet<Parts>>,
    /// Builds of modules that advisories name.
    modules: HashSet<ModuleRef>,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.full.is_empty() && self.listed.is_empty()
    }

    /// The packages that may be wanted.
    fn select_packages(&self) -> Select {
        let listed = self.listed.values().flatten();
        let listed = listed.filter_map(|[name, ..]| name.as_deref());
        // Advisories list the builds of a package for each architecture.
        let names: HashSet<&str> = self.full.names().chain(listed).collect();
        select_packages().narrow("name", names)
    }

    fn has(&self, doc: &Document) -> bool {
        let mut listed = self.listed.iter();
        self.full.contains(&name_of(doc))
            || listed.any(|(left_out, names)| names.contains(&owned(*left_out, of_unit(doc))))
    }

    /// Returns what chosen advisories list.
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
                    self.modules.extend(collection.module.clone());
                    for package in &collection.packages {
                        let Some(left_out) = LeftOut::of(package) else {
                            continue;
                        };
                        let names = self.listed.entry(left_out).or_default();
                        names.insert(owned(left_out, values(package)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The builds of modules that advisories name, and no other ones.
    async fn add_modules(&mut self, ctx: &dyn CopyContext) -> Result<(), ContentError> {
        if self.modules.is_empty() {
            return Ok(());
        }
        let select = Select {
            fields: Some(&["name", "stream", "version", "context", "arch"]),
            ..Select::all(MODULEMD)
        };
        let names: HashSet<&str> = self.modules.iter().map(|one| one.name.as_str()).collect();
        let select = select.narrow("name", names);
        let named = |doc: &Document| {
            let build = build(doc);
            self.modules.iter().any(|module| module.may_mean(&build))
        };
        let found = of_source(ctx, select, named).await?;
        add(ctx, MODULEMD, &found).await
    }
}

/// A build of a module as advisories name it.
fn build(doc: &Document) -> ModuleRef {
    let part = |field: &str| text(doc, field).to_owned();
    ModuleRef {
        name: part("name"),
        stream: part("stream"),
        version: doc.get("version").map(printed).unwrap_or_default(),
        context: part("context"),
        arch: part("arch"),
    }
}

/// A number, or a text without its quotes.
fn printed(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
