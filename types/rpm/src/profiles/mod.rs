//! Profiles of hosts, the packages that are installed there and the modules that are enabled, and what of a repository applies to
//! them (pulp2/applicability#packages).

mod index;
mod links;
mod modules;
mod packages;
mod read;
mod reported;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::profile::Applies;
use pith_content::repository::RepositoryContext;
use pith_content::unit::Select;
use pith_content::{ContentError, Problems, Profiler};
use serde_json::Value;

use self::index::Builder;
use self::modules::Module;
use self::packages::Collected;
use crate::advisories;
use crate::parts::PKGLIST;
use crate::type_ids::{ERRATUM, MODULEMD, RPM};

/// Pulp's `yum_profiler`.
#[derive(Debug, Clone, Copy)]
pub struct YumProfiler;

#[async_trait]
impl Profiler for YumProfiler {
    fn content_types(&self) -> &'static [&'static str] {
        &[RPM, ERRATUM, MODULEMD]
    }

    fn unit_types(&self) -> &'static [&'static str] {
        &[RPM, ERRATUM, MODULEMD]
    }

    fn read(&self, content_type: &str, sent: Value) -> Result<Value, Problems> {
        match content_type {
            RPM => read::packages(sent),
            MODULEMD => read::modules(sent),
            // Nothing is made of it.
            _ => Ok(sent),
        }
    }

    /// Packages come first: what modules and advisories name is kept as far as the repository has it.
    async fn index(&self, ctx: &dyn RepositoryContext) -> Result<Box<dyn Applies>, ContentError> {
        let mut index = Builder::new(packages(ctx).await?.sorted());
        let mut modules = ctx.outlines(MODULEMD, modules::FIELDS).await?;
        while let Some(batch) = modules.try_next().await? {
            for unit in &batch {
                index.module(Module::of(unit), modules::artifacts(&unit.doc));
            }
        }
        let select = Select {
            fields: Some(&["id"]),
            parts: &[PKGLIST],
            ..Select::all(ERRATUM)
        };
        let mut errata = ctx.units(select).await?;
        while let Some(batch) = errata.try_next().await? {
            for unit in batch {
                let part = unit.parts.first().and_then(Option::as_ref);
                let lists = part.map(|part| advisories::pkglists(part));
                index.advisory(unit.id, &lists.unwrap_or_default(), &ctx.repo().id);
            }
        }
        Ok(Box::new(index.finish()))
    }
}

async fn packages(ctx: &dyn RepositoryContext) -> Result<Collected, ContentError> {
    let mut collected = Collected::default();
    let mut outlines = ctx.outlines(RPM, &packages::FIELDS).await?;
    while let Some(batch) = outlines.try_next().await? {
        for unit in &batch {
            let texts = packages::FIELDS.map(|field| unit.doc.text(field));
            collected.push(unit.id, texts.each_ref().map(AsRef::as_ref));
        }
    }
    Ok(collected)
}
