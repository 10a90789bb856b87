//! A copy, and a removal.

use std::collections::BTreeSet;

use async_trait::async_trait;
use pith_content::ContentError;
use pith_content::copy::{CopyContext, RemoveContext};
use pith_content::repository::{Outlines, RepoInfo, RepositoryContext, Units};
use pith_content::task::Within;
use pith_content::unit::Select;
use pith_core::{Sha256, UnitId};

use super::changing::batches;
use super::{Repository, State};

/// A copy from one repository into another.
pub(super) struct Copying<'a> {
    pub(super) source: &'a Repository,
    pub(super) destination: &'a Repository,
}

impl Copying<'_> {
    /// Adds units of the source to those that come.
    pub(super) fn bring(&self, units: &[UnitId]) {
        let found: Vec<_> = {
            let source = self.source.state.lock();
            let keys = source.keys(units).into_iter();
            keys.filter(|key| source.repo.contains(key))
                .filter_map(|key| Some((key, source.units.get(&key)?.clone())))
                .collect()
        };
        let state = &mut *self.destination.state.lock();
        for (key, mut unit) in found {
            unit.order = state.units.len();
            unit.unit.added = Some(self.destination.now());
            unit.unit.updated = self.destination.now();
            state.put(key, unit);
        }
    }
}

impl Within for Copying<'_> {
    type Inner = Repository;

    fn inner(&self) -> &Repository {
        self.destination
    }
}

#[async_trait]
impl CopyContext for Copying<'_> {
    fn source(&self) -> &RepoInfo {
        &self.source.info
    }

    async fn chosen_types(&self) -> Result<Vec<String>, ContentError> {
        let state = self.destination.state.lock();
        let types = coming(&state).into_iter();
        let types: BTreeSet<&str> = types.map(|key| state.units[&key].type_id).collect();
        Ok(types.into_iter().map(str::to_owned).collect())
    }

    async fn chosen(&self, select: Select) -> Result<Units<'_>, ContentError> {
        let state = self.destination.state.lock();
        Ok(batches(state.select(coming(&state), &select)))
    }

    async fn source_units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        self.source.units(select).await
    }

    async fn source_outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        self.source.outlines(type_id, fields).await
    }

    fn additional(&self) -> Vec<&dyn CopyContext> {
        Vec::new()
    }

    async fn add(&self, _type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        self.bring(&units);
        Ok(())
    }

    async fn leave_out(
        &self,
        _type_id: &'static str,
        units: Vec<UnitId>,
    ) -> Result<(), ContentError> {
        self.destination.state.lock().leave_out(&units);
        Ok(())
    }
}

/// Those that the task has brought.
fn coming(state: &State) -> Vec<Sha256> {
    state.touched.intersection(&state.repo).copied().collect()
}

/// A removal from a repository.
pub(super) struct Removing<'a>(pub(super) &'a Repository);

impl Within for Removing<'_> {
    type Inner = Repository;

    fn inner(&self) -> &Repository {
        self.0
    }
}

#[async_trait]
impl RemoveContext for Removing<'_> {
    async fn chosen(&self, select: Select) -> Result<Units<'_>, ContentError> {
        let state = self.0.state.lock();
        let going = state.touched.difference(&state.repo).copied();
        Ok(batches(state.select(going, &select)))
    }
}
