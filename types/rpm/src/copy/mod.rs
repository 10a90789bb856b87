//! Copies and removals: what goes along, what is cloned, what the signature policy keeps out (reference: rpm §9).

mod clones;
mod closure;
mod related;
mod universe;
mod version;

use futures::TryStreamExt;
use pith_content::copy::{CopyContext, CopyReport, RemoveContext};
use pith_content::unit::Select;
use pith_content::{Config, ContentError};
use pith_core::{Document, UnitId};
use serde_json::Value;

use crate::config;
use crate::signature::SignaturePolicy;
use crate::types::{DRPM, RPM, SRPM};

/// Ids handed over at once.
const BATCH: usize = 500;

/// The key of the result that lists what was not copied.
const FAILED: &str = "units_failed_signature_filter";

/// How far a copy follows relations.
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
        match (mode, config.get("additional_repos").is_some()) {
            (Self::Plain, true) => Err(ContentError::other(
                "Cannot use additional_repos without one of the recursive flags set",
            )),
            (Self::Conservative, true) => Err(ContentError::other(
                "additional_repos is not supported with recursive_conservative; copy from each repository by itself",
            )),
            // Providers outside of the source are not followed in this mode.
            _ => Ok(mode),
        }
    }
}

/// Decides over a copy.
///
/// # Errors
/// What the context fails with, or what cannot be asked for.
pub async fn run(ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
    config::of_call(ctx.config()).map_err(ContentError::other)?;
    let mode = Mode::of(ctx.config())?;
    related::follow(ctx, mode).await?;
    let mut failed = unsigned(ctx).await?;
    failed.extend(clones::make(ctx, mode).await?);
    Ok(CopyReport {
        lists: vec![(FAILED, failed)],
    })
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

/// Decides over a removal: packages of modules that go, unless another module of the repository lists them.
///
/// # Errors
/// What the context fails with.
pub async fn remove(ctx: &dyn RemoveContext) -> Result<(), ContentError> {
    let modules = related::modules();
    let mut doomed = related::artifacts(ctx.chosen(modules.clone()).await?).await?;
    if doomed.is_empty() {
        return Ok(());
    }
    let kept = related::artifacts(ctx.units_after(modules).await?).await?;
    doomed.retain(|artifact| !kept.contains(artifact));
    let packages = ctx.units_after(related::packages()).await?;
    let packages = related::matching(packages, |names| doomed.contains(names.full)).await?;
    for batch in packages.chunks(BATCH) {
        ctx.remove(RPM, batch.to_vec()).await?;
    }
    Ok(())
}
