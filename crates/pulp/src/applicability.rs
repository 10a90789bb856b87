//! Working out again which units concern which consumers, for the repositories that somebody asks about
//! (pulp2/applicability#regeneration).
//!
//! What there is to work out hangs on the profiles that consumers send. As long as no consumer can register, no
//! repository has any: the tasks are queued, run and end, and find nothing to do.

use pith_core::TaskId;
use pith_core::criteria::Criteria;
use pith_engine::Error;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Pulp;
use crate::jobs::{BatchRegenerateApplicability, RegenerateApplicability};

/// Sets of profiles that one task of a group works on.
const BATCH: usize = 10;

impl Pulp {
    /// Queues the one task that works on every repository matching `repo_criteria`, one profile set after another.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn applicability_regenerate(&self, repo_criteria: Value) -> Result<TaskId, Error> {
        self.engine
            .enqueue(RegenerateApplicability { repo_criteria })
            .await
    }

    /// Queues a group of tasks that share the work; the group's id. Without work the group has no tasks.
    ///
    /// # Errors
    /// 400 for an unknown name in the criteria.
    pub async fn applicability_regenerate_in_parallel(
        &self,
        repo_criteria: &Criteria,
    ) -> Result<Uuid, Error> {
        let mut jobs = Vec::new();
        for repo_id in self.repository_ids(repo_criteria).await? {
            let sets = self.profile_sets(&repo_id).await?;
            jobs.extend(sets.chunks(BATCH).map(|sets| BatchRegenerateApplicability {
                repo_id: repo_id.clone(),
                profile_sets: sets.to_vec(),
            }));
        }
        self.engine.enqueue_group(&jobs).await
    }

    /// The hashes of the profile sets that consumers bound to a repository have.
    async fn profile_sets(&self, _repo_id: &str) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Works on every repository matching the criteria.
    pub(crate) async fn applicability_of_repositories(
        &self,
        repo_criteria: &Value,
    ) -> Result<(), Error> {
        let criteria = Criteria::parse(repo_criteria)?;
        for repo_id in self.repository_ids(&criteria).await? {
            let sets = self.profile_sets(&repo_id).await?;
            self.applicability_of_profiles(&repo_id, &sets).await?;
        }
        Ok(())
    }

    /// Works on these profile sets of one repository. A hash for which there is no profile any more is an error.
    pub(crate) async fn applicability_of_profiles(
        &self,
        repo_id: &str,
        profile_sets: &[String],
    ) -> Result<(), Error> {
        match profile_sets {
            [] => Ok(()),
            [first, ..] => Err(pith_engine::error::missing(&[
                ("repository", json!(repo_id)),
                ("profile", json!(first)),
            ])),
        }
    }
}
