//! Copies and removals: what goes along, what is cloned, what the signature policy keeps out (pulp2/rpm-copy).

mod advisories;
mod clones;
mod conservative;
mod documents;
mod entry;
mod lacking;
mod needless;
mod related;
mod relaxed;
mod rich;
mod solve;
mod solved;
mod state;
mod universe;
mod version;

#[cfg(test)]
mod libsolv_tests;

use futures::TryStreamExt;
use pith_content::copy::{CopyContext, CopyReport, RemoveContext};
use pith_content::unit::Select;
use pith_content::{Config, ContentError};
use pith_core::{Document, UnitId};
use serde_json::Value;

use crate::config;
use crate::modular::{self, IS_MODULAR};
use crate::signature::SignaturePolicy;
use crate::type_ids::{DRPM, MODULEMD, RPM, SRPM};

/// Ids handed over at once.
const BATCH: usize = 500;

/// The key of the result that lists what was not copied.
const FAILED: &str = "units_failed_signature_filter";

/// The extent to which a copy follows relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Only packages of selected modules.
    Plain,
    /// Everything related, with the newest provider of everything required or recommended.
    Relaxed,
    /// Everything related, with providers of what the destination does not have.
    Conservative,
}

impl Mode {
    fn of(config: &Config) -> Result<Self, ContentError> {
        let flag = |name: &str| config.flag(name) == Some(true);
        let mode = match (flag("recursive"), flag("recursive_conservative")) {
            (_, true) => Self::Conservative,
            (true, false) => Self::Relaxed,
            (false, false) => Self::Plain,
        };
        if mode == Self::Plain && names_additional(config) {
            return Err(ContentError::other(
                "Cannot use additional_repos without one of the recursive flags set",
            ));
        }
        Ok(mode)
    }
}

/// Tells whether further sources are named; an empty map names none.
fn names_additional(config: &Config) -> bool {
    let map = config.get("additional_repos").and_then(Value::as_object);
    map.is_some_and(|map| !map.is_empty())
}

/// Decides over a copy.
///
/// # Errors
/// What the context fails with, or what cannot be asked for.
pub async fn run(ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
    config::of_call(ctx.config())?;
    let mode = Mode::of(ctx.config())?;
    related::follow(ctx, mode).await?;
    let additional = ctx.additional();
    let routes: Vec<&dyn CopyContext> = std::iter::once(ctx).chain(additional).collect();
    if mode != Mode::Plain {
        solve::follow(&routes, mode).await?;
    }
    let mut failed = Vec::new();
    for (at, route) in routes.into_iter().enumerate() {
        documents::follow(route).await?;
        advisories::merge(route).await?;
        let mut left_out = unsigned(route).await?;
        left_out.extend(clones::make(route, mode).await?);
        mark(route).await?;
        // Of what came from elsewhere nobody asked for units by name: what does not come is as if it were not there.
        if at == 0 {
            failed = left_out;
        }
    }
    Ok(CopyReport {
        lists: vec![(FAILED, failed)],
    })
}

/// Notes of the packages that modules of the destination list that they are modular, whichever came first.
async fn mark(ctx: &dyn CopyContext) -> Result<(), ContentError> {
    let chosen = ctx.chosen_types().await?;
    if !chosen
        .iter()
        .any(|id| [RPM, MODULEMD].contains(&id.as_str()))
    {
        return Ok(());
    }
    let listed = modular::artifacts(ctx.units_after(modular::select_modules()).await?).await?;
    if listed.is_empty() {
        return Ok(());
    }
    let packages = ctx.units_after(listed.select_packages()).await?;
    let unmarked = modular::unmarked(packages, &listed).await?;
    for batch in unmarked.chunks(BATCH) {
        ctx.learn(RPM, IS_MODULAR, batch.to_vec()).await?;
    }
    Ok(())
}

/// Leaves out the packages that the destination's policy refuses; answers them.
async fn unsigned(ctx: &dyn CopyContext) -> Result<Vec<(&'static str, Document)>, ContentError> {
    const PACKAGE: &[&str] = &[
        "name",
        "epoch",
        "version",
        "release",
        "arch",
        "checksumtype",
        "checksum",
        "signing_key",
    ];
    const DELTA: &[&str] = &[
        "epoch",
        "version",
        "release",
        "filename",
        "checksumtype",
        "checksum",
        "signing_key",
    ];
    let policy = SignaturePolicy::of(ctx.config());
    let mut failed = Vec::new();
    if policy.is_open() {
        return Ok(failed);
    }
    for (type_id, fields) in [(RPM, PACKAGE), (SRPM, PACKAGE), (DRPM, DELTA)] {
        let mut refused = Vec::new();
        let select = Select {
            fields: Some(fields),
            ..Select::all(type_id)
        };
        let mut units = ctx.chosen(select).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                let key = unit.doc.get("signing_key").and_then(Value::as_str);
                if !policy.accepts(key) {
                    refused.push(unit.id);
                    failed.push((type_id, unit.doc));
                }
            }
        }
        drop(units);
        for batch in refused.chunks(BATCH) {
            ctx.leave_out(type_id, batch.to_vec()).await?;
        }
    }
    Ok(failed)
}

/// Adds these units of the source.
async fn add(
    ctx: &dyn CopyContext,
    type_id: &'static str,
    units: &[UnitId],
) -> Result<(), ContentError> {
    for batch in units.chunks(BATCH) {
        ctx.add(type_id, batch.to_vec()).await?;
    }
    Ok(())
}

/// Decides over a removal: packages of modules that go, unless another module of the repository lists them, and what was
/// said of streams of which no build is left.
///
/// # Errors
/// What the context fails with.
pub async fn remove(ctx: &dyn RemoveContext) -> Result<(), ContentError> {
    documents::remove(ctx).await?;
    let modules = modular::select_modules();
    let doomed = modular::artifacts(ctx.chosen(modules.clone()).await?).await?;
    if doomed.is_empty() {
        return Ok(());
    }
    let kept = modular::artifacts(ctx.units_after(modules).await?).await?;
    let packages = ctx.units_after(doomed.select_packages()).await?;
    let goes = |doc: &Document| {
        let name = modular::name_of(doc);
        doomed.contains(&name) && !kept.contains(&name)
    };
    let packages = related::matching(packages, goes).await?;
    for batch in packages.chunks(BATCH) {
        ctx.remove(RPM, batch.to_vec()).await?;
    }
    Ok(())
}
