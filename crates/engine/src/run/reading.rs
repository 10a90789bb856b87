//! A repository that is read as it is, and not changed.

use async_trait::async_trait;
use pith_content::repository::{Outlines, RepoInfo, RepositoryContext, Units};
use pith_content::unit::Select;
use pith_content::{Config, ContentError};
use pith_core::UnitId;
use pith_store::{Repository, Store};
use serde_json::Value;

use super::subject::info;
use super::units;
use crate::error::Error;

/// The content of a repository.
pub(crate) struct Reading {
    store: Store,
    repo: RepoInfo,
    config: Config,
}

impl Reading {
    /// The content of `repo`, with the settings of its importer where it has one.
    pub(crate) async fn of(store: &Store, repo: &Repository) -> Result<Self, Error> {
        let importer = store.importer_get(&repo.id).await?;
        let config = importer.map(|importer| importer.config);
        Ok(Self {
            store: store.clone(),
            repo: info(repo),
            config: Config::new(config.unwrap_or_default()),
        })
    }
}

#[async_trait]
impl RepositoryContext for Reading {
    fn repo(&self) -> &RepoInfo {
        &self.repo
    }

    fn config(&self) -> &Config {
        &self.config
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(units::present(&self.store, &self.repo.id, &select)?)
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let outlines = units::outlines(&self.store, &self.repo.id, type_id, fields);
        Ok(outlines?)
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        Ok(units::learn(&self.store, type_id, field, &values).await?)
    }
}
