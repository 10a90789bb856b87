//! Following requirements over all sources of a copy, and modules with them (pulp2/rpm-copy#dependencies).
//!
//! Packages that a module lists need it, and bring it with all that it lists, unless a build that lists them comes anyway.
//! Of a module of which a build is to come, packages of its other builds are taken only where nothing else will do.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::CopyContext;
use pith_content::unit::Select;
use pith_core::UnitId;
use tokio_util::sync::CancellationToken;

use super::solved::{Build, Modules};
use super::universe::{self, FIELDS, Place, Universe};
use super::{Mode, add, conservative, relaxed};
use crate::interned::Symbol;
use crate::modular::{artifacts_of, nevra, text};
use crate::type_ids::{MODULEMD, MODULEMD_DEFAULTS, RPM};

/// The ids that a solve found, by source.
#[derive(Default)]
struct Found {
    packages: Vec<(usize, UnitId)>,
    modules: Vec<(usize, UnitId)>,
    /// The modules whose defaults come too, by source.
    names: HashSet<(usize, String)>,
}

/// Adds the packages that chosen packages need, and the modules, to the destination of the source that has them.
pub(super) async fn follow(routes: &[&dyn CopyContext], mode: Mode) -> Result<(), ContentError> {
    let Some(first) = routes.first() else {
        return Ok(());
    };
    let (packages, builds) = (ids(*first, RPM).await?, ids(*first, MODULEMD).await?);
    if packages.is_empty() && builds.is_empty() {
        return Ok(());
    }
    let universe = read(routes).await?;
    let builds: HashSet<UnitId> = builds.into_iter().collect();
    let modules = read_modules(routes, &universe, &builds, mode).await?;
    let start = packages
        .iter()
        .filter_map(|id| universe.number(Place::Source(0), *id));
    let start: Vec<u32> = start.collect();
    let cancelled = first.cancelled().clone();
    // It may take a second or two, which others need not wait for.
    let found =
        tokio::task::spawn_blocking(move || run(&universe, &modules, &start, (mode, &cancelled)));
    let Some(found) = found.await.map_err(ContentError::other)? else {
        return Err(ContentError::Cancelled);
    };
    for (source, route) in routes.iter().enumerate() {
        let of = |ids: &[(usize, UnitId)]| -> Vec<UnitId> {
            let own = ids.iter().filter(|(at, _)| *at == source);
            own.map(|(_, id)| *id).collect()
        };
        add(*route, RPM, &of(&found.packages)).await?;
        add(*route, MODULEMD, &of(&found.modules)).await?;
        add_defaults(*route, (source, &found.names), mode).await?;
    }
    Ok(())
}

/// Returns what is chosen of a type.
async fn ids(ctx: &dyn CopyContext, type_id: &'static str) -> Result<Vec<UnitId>, ContentError> {
    let select = Select {
        fields: Some(&[]),
        ..Select::all(type_id)
    };
    let mut found = Vec::new();
    let mut units = ctx.chosen(select).await?;
    while let Some(batch) = units.try_next().await? {
        found.extend(batch.iter().map(|unit| unit.id));
    }
    Ok(found)
}

/// The routes that lead to different destinations.
fn destinations<'a>(routes: &[&'a dyn CopyContext]) -> Vec<&'a dyn CopyContext> {
    let mut seen = HashSet::new();
    let different = routes
        .iter()
        .filter(|route| seen.insert(route.repo().id.clone()));
    different.copied().collect()
}

async fn read(routes: &[&dyn CopyContext]) -> Result<Universe, ContentError> {
    let mut universe = Universe::new();
    for (at, route) in routes.iter().enumerate() {
        let units = route.source_outlines(RPM, FIELDS).await?;
        universe.read(Place::Source(at), units).await?;
    }
    for route in destinations(routes) {
        let units = route.outlines(RPM, FIELDS).await?;
        universe.read(Place::There, units).await?;
    }
    let paths = universe.needed_paths();
    if paths.is_empty() {
        return Ok(universe);
    }
    for (at, route) in routes.iter().enumerate() {
        let units = route.source_units(universe::select_files()).await?;
        universe
            .read_files(Place::Source(at), units, &paths)
            .await?;
    }
    for route in destinations(routes) {
        let units = route.units(universe::select_files()).await?;
        universe.read_files(Place::There, units, &paths).await?;
    }
    Ok(universe)
}

/// Reads the modules of all sources, and finds their packages.
async fn read_modules(
    routes: &[&dyn CopyContext],
    universe: &Universe,
    chosen: &HashSet<UnitId>,
    mode: Mode,
) -> Result<Modules, ContentError> {
    let mut modules = Modules::default();
    let mut named: HashMap<(usize, String), Vec<usize>> = HashMap::new();
    for (source, route) in routes.iter().enumerate() {
        let mut units = route.source_units(crate::modular::select_modules()).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                for artifact in artifacts_of(&unit.doc) {
                    let listing = named.entry((source, artifact.into_owned())).or_default();
                    listing.push(modules.builds.len());
                }
                modules.builds.push(Build {
                    id: unit.id,
                    source,
                    name: text(&unit.doc, "name").to_owned(),
                    packages: Vec::new(),
                    chosen: source == 0 && chosen.contains(&unit.id),
                    there: false,
                });
            }
        }
    }
    if modules.builds.is_empty() {
        return Ok(modules);
    }
    if mode == Mode::Conservative {
        let there = modules_there(routes).await?;
        for build in &mut modules.builds {
            build.there = there.contains(&build.id);
        }
    }
    for (number, package) in (0u32..).zip(universe.packages()) {
        let Place::Source(source) = package.place else {
            continue;
        };
        let name = |symbol: Symbol| universe.table.names.text(symbol);
        let [epoch, version, release] = universe.table.parts(package.version);
        let full = nevra([
            name(package.name),
            epoch,
            version,
            release,
            name(package.arch),
        ]);
        if let Some(listing) = named.get(&(source, full)) {
            for at in listing {
                modules.builds[*at].packages.push(number);
            }
            modules.listed.insert(number, listing.clone());
        }
    }
    Ok(modules)
}

async fn modules_there(routes: &[&dyn CopyContext]) -> Result<HashSet<UnitId>, ContentError> {
    let select = Select {
        fields: Some(&[]),
        ..Select::all(MODULEMD)
    };
    let mut there = HashSet::new();
    for route in destinations(routes) {
        let mut units = route.units(select.clone()).await?;
        while let Some(batch) = units.try_next().await? {
            there.extend(batch.iter().map(|unit| unit.id));
        }
    }
    Ok(there)
}

/// The solve itself; `None` when it was cancelled.
fn run(
    universe: &Universe,
    modules: &Modules,
    start: &[u32],
    (mode, cancelled): (Mode, &CancellationToken),
) -> Option<Found> {
    let solved = match mode {
        Mode::Conservative => conservative::solve(universe, modules, start, cancelled)?,
        _ => relaxed::solve(universe, modules, start),
    };
    let given: HashSet<u32> = start.iter().copied().collect();
    let mut found = Found::default();
    for (source, number) in solved.packages() {
        let id = universe.package(number).id;
        let is_there = universe.number(Place::There, id).is_some();
        if !given.contains(&number) && !is_there {
            found.packages.push((source, id));
        }
    }
    for at in &solved.builds {
        let build = &modules.builds[*at];
        found.names.insert((build.source, build.name.clone()));
        if !build.chosen && !build.there {
            found.modules.push((build.source, build.id));
        }
    }
    Some(found)
}

/// Adds the defaults of modules that come; conservatively only where the destination has none.
async fn add_defaults(
    ctx: &dyn CopyContext,
    (source, names): (usize, &HashSet<(usize, String)>),
    mode: Mode,
) -> Result<(), ContentError> {
    let of_source = names.iter().filter(|(at, _)| *at == source);
    let mut wanted: HashSet<&str> = of_source.map(|(_, name)| &**name).collect();
    let select = Select {
        fields: Some(&["name"]),
        ..Select::all(MODULEMD_DEFAULTS)
    };
    let select = select.narrow("name", wanted.iter().copied());
    if mode == Mode::Conservative && !wanted.is_empty() {
        let mut units = ctx.units(select.clone()).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                wanted.remove(text(&unit.doc, "name"));
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let mut found = Vec::new();
    let mut units = ctx.source_units(select).await?;
    while let Some(batch) = units.try_next().await? {
        let those = batch
            .iter()
            .filter(|unit| wanted.contains(text(&unit.doc, "name")));
        found.extend(those.map(|unit| unit.id));
    }
    drop(units);
    add(ctx, MODULEMD_DEFAULTS, &found).await
}
