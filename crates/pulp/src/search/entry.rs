//! The unit searches that the API offers.

use std::collections::BTreeSet;
use std::sync::Arc;

use pith_core::criteria::{Criteria, UnitCriteria};
use pith_core::{Document, UnitId};
use pith_engine::Error;

use super::length::Labour;
use super::units::{DocumentStream, Listing, Search};
use crate::{Pulp, present};

impl Pulp {
    /// Searches the units of a repository.
    ///
    /// # Errors
    /// 400 for a field in `sort` or `fields` that the first type lacking it does not know.
    pub async fn repository_units(
        &self,
        repo_id: &str,
        criteria: UnitCriteria,
    ) -> Result<DocumentStream, Error> {
        let mut criteria = criteria;
        if criteria.type_ids.is_none() {
            let mut types = self.types_in(repo_id, None).await?;
            types.retain(|id| self.engine.registry.is_shown(id));
            criteria.type_ids = Some(types);
        }
        self.in_repository(repo_id, criteria).await?.run().await
    }

    /// The search of [`Pulp::repository_units`], not run yet.
    pub(super) async fn in_repository(
        &self,
        repo_id: &str,
        criteria: UnitCriteria,
    ) -> Result<Search, Error> {
        let asked = criteria.type_ids.as_deref();
        // One type needs no look at what the repository has: of what is not there nothing is found.
        let type_ids = match asked {
            Some([one]) if self.engine.registry.unit_type(one).is_some() => vec![one.clone()],
            _ => self.types_in(repo_id, asked).await?,
        };
        let mut search = Search {
            engine: Arc::clone(&self.engine),
            type_ids,
            repo: Some(repo_id.to_owned()),
            association: criteria.association,
            unit: criteria.unit,
            unit_sort: criteria.unit_sort,
            association_sort: criteria.association_sort,
            skip: criteria.skip,
            limit: criteria.limit,
            unit_fields: criteria.unit_fields,
            association_fields: criteria.association_fields,
            include_repos: false,
            exact: false,
            listed: Listing::default(),
            labour: Labour::new(&self.searching),
        }
        .with_wire_names();
        if let Err(error) = search.check_fields() {
            // A type that the repository does not have is asked for nothing.
            search.type_ids = self.types_in(repo_id, Some(&search.type_ids)).await?;
            if !search.type_ids.is_empty() {
                return Err(error);
            }
        }
        Ok(search)
    }

    /// The types of which a repository has units, of those asked for.
    async fn types_in(
        &self,
        repo_id: &str,
        asked: Option<&[String]>,
    ) -> Result<Vec<String>, Error> {
        let counts = self.engine.store.repository_unit_counts(repo_id).await;
        let types = counts?.into_keys();
        Ok(types
            .filter(|id| asked.is_none_or(|asked| asked.contains(id)))
            .collect())
    }

    /// Searches the units of a type; an unknown type has none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn type_units(
        &self,
        type_id: &str,
        criteria: Criteria,
        include_repos: bool,
    ) -> Result<DocumentStream, Error> {
        let known = self.engine.registry.unit_type(type_id).is_some();
        let search = Search {
            engine: Arc::clone(&self.engine),
            type_ids: known.then(|| type_id.to_owned()).into_iter().collect(),
            repo: None,
            association: None,
            unit: criteria.filter,
            unit_sort: criteria.sort.unwrap_or_default(),
            association_sort: Vec::new(),
            skip: criteria.skip,
            limit: criteria.limit,
            unit_fields: criteria.fields,
            association_fields: None,
            include_repos,
            exact: false,
            listed: Listing::default(),
            labour: Labour::new(&self.searching),
        };
        search.with_wire_names().run().await
    }

    /// One unit as the content API shows it; `None` when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_document(
        &self,
        type_id: &str,
        unit_id: &str,
    ) -> Result<Option<Document>, Error> {
        let Ok(id) = unit_id.parse::<UnitId>() else {
            return Ok(None);
        };
        let Some(unit) = self.engine.store.unit_get(type_id, id).await? else {
            return Ok(None);
        };
        let names: BTreeSet<&str> = self
            .engine
            .registry
            .unit_type(type_id)
            .map_or(&[][..], |kind| kind.presented)
            .iter()
            .flat_map(|presented| presented.parts.iter().copied())
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        let parts = if names.is_empty() {
            Vec::new()
        } else {
            let mut found = self.engine.store.unit_parts(&[id], &names).await?;
            found.remove(&id).unwrap_or_default()
        };
        let mut document = present::unit_document(&self.engine.registry, unit, parts, true);
        present::for_content_api(&mut document);
        Ok(Some(document))
    }
}
