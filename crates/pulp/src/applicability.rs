//! Profiles of consumers, and which units apply to them (pulp2/applicability). Content types read both
//! ([decision 21](../../../docs/decisions/0021-profiles.md)).
//!
//! As long as no consumer can register, nobody sends profiles: the tasks that work out again what applies are queued, run and end,
//! and find nothing to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use pith_content::blocking;
use pith_content::profile::{Applicability, Profile, Profiles};
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
    /// Returns what of each of these repositories applies to a consumer that sent these profiles. Repositories are read for this one:
    /// whoever asks for many consumers keeps what [`pith_engine::Engine::applicability_index`] has read.
    ///
    /// # Errors
    /// What is wrong with a profile; PLP0009 when there is no such repository; when the database or a content type fails.
    pub async fn applicable(
        &self,
        repo_ids: &[String],
        sent: BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, Applicability>, Error> {
        let profiles = self.read_profiles(sent).await?;
        let mut all = BTreeMap::new();
        for repo_id in repo_ids {
            let index = self.engine.applicability_index(repo_id).await?;
            let of_one = index.to(vec![profiles.clone()]).await?;
            all.extend(of_one.into_iter().map(|found| (repo_id.clone(), found)));
        }
        Ok(all)
    }

    /// Reads profiles as a consumer sent them. One of a content type that nobody reads is kept as it is.
    async fn read_profiles(&self, sent: BTreeMap<String, Value>) -> Result<Profiles, Error> {
        let engine = Arc::clone(&self.engine);
        let read_one = move |(content_type, sent): (String, Value)| -> Result<_, Error> {
            let read = match engine.registry.profiler(&content_type) {
                Some(profiler) => profiler.read(&content_type, sent)?,
                None => sent,
            };
            let profile = Profile::new(&read).map_err(Error::fault)?;
            Ok((content_type, profile))
        };
        // There may be very many entries to sort.
        blocking::run(move || sent.into_iter().map(read_one).collect()).await?
    }

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
