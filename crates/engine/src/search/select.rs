//! Noting what criteria select, for copies and removals.

use std::sync::Arc;

use futures::TryStreamExt;
use pith_content::UnitType;
use pith_core::criteria::{Filter, UnitCriteria};
use pith_core::error::PulpError;
use pith_core::{Document, TaskId, UnitId};
use pith_store::UnitQuery;
use serde_json::Value;

use super::units::Shown;
use crate::Engine;
use crate::error::from_store;

impl Engine {
    /// Notes for `task` that what `criteria` select in the repository is to come (or to go). One statement when the
    /// database can decide the criteria alone, else a search whose ids are noted as they come.
    ///
    /// # Errors
    /// As [`Engine::repository_units`].
    pub(crate) async fn stage_selected(
        self: &Arc<Self>,
        task: TaskId,
        repo_id: &str,
        mut criteria: UnitCriteria,
        remove: bool,
    ) -> Result<(), PulpError> {
        let counts = self.store.repository_unit_counts(repo_id).await;
        let asked = criteria.type_ids.as_ref();
        let type_ids: Vec<String> = counts
            .map_err(from_store)?
            .into_keys()
            .filter(|id| asked.is_none_or(|asked| asked.contains(id)))
            .collect();
        if type_ids.is_empty() {
            return Ok(());
        }
        if let Some(equals) = self.exact(&type_ids, &criteria) {
            let query = UnitQuery {
                type_ids: type_ids.iter().map(String::as_str).collect(),
                repo: Some(repo_id),
                equals: equals
                    .iter()
                    .map(|(field, values)| (field.as_str(), values.clone()))
                    .collect(),
                ..UnitQuery::default()
            };
            let staged = self.store.stage_select(task, &query, remove).await;
            return staged.map(drop).map_err(from_store);
        }
        // Which units is all that counts of what is found.
        criteria.unit_fields = Some(Vec::new());
        criteria.association_fields = Some(Vec::new());
        let mut found = self.repository_units(repo_id, criteria).await?;
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
                self.store.stage_remove(task, &units).await
            } else {
                self.store.stage_add(task, &units).await.map(drop)
            };
            staged.map_err(from_store)?;
        }
        Ok(())
    }

    /// The criteria as equalities that the database decides exactly; `None` when they say more.
    fn exact(
        &self,
        type_ids: &[String],
        criteria: &UnitCriteria,
    ) -> Option<Vec<(String, Vec<Value>)>> {
        if criteria.association.is_some() || criteria.limit.is_some() || criteria.skip > 0 {
            return None;
        }
        let equals = match &criteria.unit {
            None => Vec::new(),
            Some(filter) => Filter::equalities(filter)?,
        };
        let kinds: Option<Vec<&UnitType>> = type_ids
            .iter()
            .map(|id| self.registry.unit_type(id))
            .collect();
        let kinds = kinds?;
        let plain = |field: &str| {
            kinds.iter().all(|kind| {
                kind.key.iter().any(|key| key.name == field) || kind.indexed.contains(&field)
            })
        };
        equals
            .iter()
            .all(|(field, _)| plain(field))
            .then_some(equals)
    }
}

/// Id and type of a unit that a search found.
fn identity(association: &Document) -> Option<(UnitId, &str)> {
    let id = association.get("unit_id")?.as_str()?.parse().ok()?;
    Some((id, association.get("unit_type_id")?.as_str()?))
}
