//! Noting what criteria select, for copies and removals.

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_core::criteria::UnitCriteria;
use pith_core::error::PulpError;
use pith_core::{Document, UnitId};
use pith_engine::Error;
use pith_engine::run::Selection;
use pith_store::{TaskStore, UnitFilter, UnitQuery};
use serde_json::Value;

use super::units::{Search, Shown};
use crate::Pulp;

/// Units of a repository that fulfil criteria, given as a client sent them.
pub(crate) struct Selected<'a> {
    pub(crate) pulp: &'a Pulp,
    pub(crate) criteria: Value,
}

#[async_trait]
impl Selection for Selected<'_> {
    async fn stage(&self, store: &TaskStore, repo_id: &str, remove: bool) -> Result<(), Error> {
        let criteria = UnitCriteria::parse(&self.criteria).map_err(PulpError::from)?;
        let staged = self.pulp.stage_selected(store, repo_id, criteria, remove);
        Ok(staged.await?)
    }
}

impl Pulp {
    /// Notes for the task of `store` that what `criteria` select in the repository is to come (or to go). One statement when
    /// the database can decide the criteria alone, else a search whose ids are noted as they come.
    ///
    /// # Errors
    /// As [`Pulp::repository_units`].
    async fn stage_selected(
        &self,
        store: &TaskStore,
        repo_id: &str,
        mut criteria: UnitCriteria,
        remove: bool,
    ) -> Result<(), Error> {
        // Which units is all that counts of what is found.
        criteria.unit_fields = Some(Vec::new());
        criteria.association_fields = Some(Vec::new());
        let search = self.in_repository(repo_id, criteria).await?;
        if search.type_ids.is_empty() {
            return Ok(());
        }
        let decided = search.translated();
        if search.is_whole() && decided.as_ref().is_none_or(UnitFilter::is_exact) {
            let query = UnitQuery {
                type_ids: search.type_ids.iter().map(String::as_str).collect(),
                repo: Some(repo_id),
                filter: decided.as_ref(),
                ..UnitQuery::default()
            };
            let staged = store.stage_select(&query, remove).await;
            return staged.map(drop).map_err(Error::from);
        }
        let mut found = search.run().await?;
        while let Some(batch) = found.try_next().await? {
            let units: Vec<(UnitId, &str)> = batch
                .iter()
                .filter_map(|shown| match shown {
                    Shown::Document(association) => identity(association),
                    // Only whole units pass as text.
                    Shown::Text(_) => None,
                })
                .collect();
            let staged = if remove {
                store.stage_remove(&units).await
            } else {
                store.stage_add(&units).await.map(drop)
            };
            staged?;
        }
        Ok(())
    }
}

impl Search {
    /// Tells whether it finds all that fulfils the filter on the unit, in any order.
    fn is_whole(&self) -> bool {
        self.association.is_none() && self.limit.is_none() && self.skip == 0
    }
}

/// Id and type of a unit that a search found.
fn identity(association: &Document) -> Option<(UnitId, &str)> {
    let id = association.get("unit_id")?.as_str()?.parse().ok()?;
    Some((id, association.get("unit_type_id")?.as_str()?))
}
