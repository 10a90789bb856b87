//! The units of repositories that apply to hosts ([decision 21](../../../docs/decisions/0021-profiles.md)): a repository is read once
//! and then asked for many hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use pith_content::blocking;
use pith_content::profile::{Applicability, Applies, Profiles};
use serde_json::json;

use crate::Engine;
use crate::error::{Error, missing};
use crate::run::reading::Reading;

/// A repository as it was when it was read.
pub struct RepositoryIndex {
    version: i64,
    parts: Arc<[Box<dyn Applies>]>,
}

impl RepositoryIndex {
    /// The version of the content that was read, or an older one where the content changed meanwhile: with a later one than this,
    /// something else may apply.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Returns what applies to each of these hosts, in their order.
    ///
    /// # Errors
    /// When a content type panics.
    pub async fn to(&self, hosts: Vec<Profiles>) -> Result<Vec<Applicability>, Error> {
        let parts = Arc::clone(&self.parts);
        let of_host = move |host: &Profiles| {
            let mut all = BTreeMap::new();
            for part in &*parts {
                all.extend(part.to(host));
            }
            all
        };
        let work = move || hosts.iter().map(of_host).collect();
        Ok(blocking::run(work).await?)
    }
}

impl Engine {
    /// Reads of a repository what tells which of its units apply to hosts.
    ///
    /// # Errors
    /// PLP0009 when there is no such repository; when the database or a content type fails.
    pub async fn applicability_index(&self, repo_id: &str) -> Result<RepositoryIndex, Error> {
        let repo = self.store.repository_get(repo_id).await?;
        let repo = repo.ok_or_else(|| missing(&[("repository", json!(repo_id))]))?;
        let counts = self.store.repository_unit_counts(repo_id).await?;
        let reading = Reading::of(&self.store, &repo).await?;
        let mut parts: Vec<Box<dyn Applies>> = Vec::new();
        for profiler in self.registry.profilers() {
            let mut unit_types = profiler.unit_types().iter();
            if unit_types.any(|id| counts.contains_key(*id)) {
                parts.push(profiler.index(&reading).await?);
            }
        }
        Ok(RepositoryIndex {
            version: repo.version,
            parts: parts.into(),
        })
    }
}
