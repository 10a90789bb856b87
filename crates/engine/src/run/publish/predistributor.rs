//! Publishing what another distributor of the same repository has published (pulp2/sync-and-publish#skipped-publishes).

use pith_blobs::Publication as Index;
use pith_content::publish::Distributor as Plugin;
use pith_content::{Config, ContentError};
use pith_core::{Document, Sha256};
use pith_store::Publication;
use serde_json::json;

use super::share::{distributor, foreign};
use crate::attempt::Run;
use crate::error::Error;

/// The parts of a basis that a predistributor stands for: what the repository holds by now does not matter.
const STANDS_FOR: [&str; 3] = ["version", "changes", "scratchpad"];

/// The distributor whose publication is passed on.
pub(super) struct Predistributor {
    /// Its id.
    pub(super) id: String,
    /// The newest publication of it.
    newest: Option<Publication>,
}

impl Predistributor {
    /// The one that a configuration names.
    ///
    /// # Errors
    /// When the repository has no such distributor.
    pub(super) async fn of(
        run: &Run,
        (repo_id, own_id): (&str, &str),
        plugin: &dyn Plugin,
        config: &Config,
    ) -> Result<Option<Self>, Error> {
        let Some((setting, id)) = plugin.predistributor(config) else {
            return Ok(None);
        };
        if id == own_id {
            let text = format!("[{setting}] names the distributor itself; name another one");
            return Err(ContentError::other(text).into());
        }
        distributor(run, repo_id, &id).await?;
        let published = run.store.publication_list(repo_id, &id).await?;
        let newest = published.into_iter().next();
        Ok(Some(Self { id, newest }))
    }

    /// Says in the basis of a publication that it is made of what this distributor has published; false when that is nothing.
    pub(super) fn note_in(&self, basis: &mut Document) -> bool {
        let Some(newest) = &self.newest else {
            return false;
        };
        for part in STANDS_FOR {
            basis.remove(part);
        }
        let index = newest.index_blob.to_string();
        let passed_on = json!({ "distributor_id": self.id, "index": index });
        basis.insert("passes_on".to_owned(), passed_on);
        true
    }

    /// The index of what it has published.
    pub(super) async fn index(&self, run: &Run) -> Result<Option<Index>, Error> {
        match &self.newest {
            Some(newest) => {
                let index = Index::open(&run.engine.blobs, newest.index_blob).await?;
                Ok(Some(index))
            }
            None => Ok(None),
        }
    }

    /// The reason of a publish that is skipped.
    pub(super) fn skipped(&self) -> String {
        format!(
            "Skipped: Predistributor {} has not published since last publish.",
            self.id
        )
    }
}

/// The files that a publication of `repo_id` must keep by itself.
pub(super) async fn kept(
    run: &Run,
    repo_id: &str,
    index: Sha256,
) -> Result<Vec<(Sha256, i64)>, Error> {
    let index = Index::open(&run.engine.blobs, index).await?;
    foreign(run, repo_id, &index).await
}
