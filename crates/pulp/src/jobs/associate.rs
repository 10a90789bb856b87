//! Copying units into a repository.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use pith_core::Document;
use pith_core::task::{Resource, tag};
use pith_engine::run::copy;
use pith_engine::{Done, Error, Job, Run};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Pulp;
use crate::search::Selected;

/// Copy units into a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Associate {
    /// The repository that they go to.
    pub repo_id: String,
    /// The repository that they come from.
    pub source_repo_id: String,
    /// The choice of units: unit association criteria as the client gave them, checked before.
    pub criteria: Value,
    /// Override of the configuration of the importer that they go to.
    pub override_config: Document,
}

#[async_trait]
impl Job for Associate {
    type Needs = Arc<Pulp>;

    const KIND: &'static str = "associate";
    const TASK_TYPE: &'static str =
        "pulp.server.managers.repo.unit_association.associate_from_repo";
    const ADDS: bool = true;

    fn tags(&self) -> Vec<String> {
        let further = copy::further(&self.override_config);
        let mut named: Vec<&str> = vec![&self.repo_id, &self.source_repo_id];
        named.extend(further.flat_map(|(from, to)| [from, to]));
        let named = once_each(named).into_iter();
        named
            .map(tag::repository)
            .chain([tag::action("associate")])
            .collect()
    }

    /// A copy holds its sources too, together with other readers: what it selects must not leave a source, and so become an orphan, before
    /// it arrives.
    fn resources(&self) -> Vec<Resource> {
        let further = copy::further(&self.override_config);
        let (from, to): (Vec<&str>, Vec<&str>) = further.unzip();
        let alone = once_each([self.repo_id.as_str()].into_iter().chain(to));
        let shared = [self.source_repo_id.as_str()].into_iter().chain(from);
        let shared = once_each(shared.filter(|id| !alone.contains(id)));
        let alone = alone.into_iter().map(Resource::repository);
        alone
            .chain(shared.into_iter().map(Resource::repository_shared))
            .collect()
    }

    async fn run(self, run: Run, pulp: Arc<Pulp>) -> Result<Done, Error> {
        let selected = Selected {
            pulp: &pulp,
            criteria: self.criteria,
        };
        let (repo, source) = (self.repo_id, self.source_repo_id);
        copy::associate(run, repo, source, &selected, self.override_config).await
    }
}

/// The ids in their order, each where it comes first.
fn once_each<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(|id| seen.insert(*id)).collect()
}
