//! Taking away what a distributor has exported, when it is removed.

use pith_blobs::{Place, withdraw};
use pith_content::{Config, ContentError, blocking};
use pith_core::error::ErrorDetail;
use pith_store::Distributor;

use super::publish::outgoing::Publisher;
use crate::Engine;
use crate::attempt::Run;

/// The code of trees that could not be taken away.
const LEFT: &str = "PTH0005";

/// Takes away what these distributors have exported, as far as their types say so ([`pith_content::Distributor::withdraws`]). What could
/// not be taken away is told as a partial failure of the task, and keeps no distributor from being removed.
pub async fn withdraw_exports(run: &Run, distributors: &[Distributor]) -> Option<ErrorDetail> {
    let mut left = Vec::new();
    for distributor in distributors {
        if let Err(error) = of_one(&run.engine, distributor).await {
            tracing::warn!(%error, repo_id = distributor.repo_id, distributor_id = distributor.id, "an export could not be removed");
            left.push(format!("{}: {error}", distributor.id));
        }
    }
    if left.is_empty() {
        return None;
    }
    let text = format!(
        "Folders that removed distributors had exported could not be removed; remove them by hand. {}",
        left.join("; ")
    );
    Some(ErrorDetail::new(LEFT, text))
}

async fn of_one(engine: &Engine, distributor: &Distributor) -> Result<(), ContentError> {
    let Some(plugin) = engine.registry.distributor(&distributor.type_id) else {
        return Ok(());
    };
    let config = Config::new(distributor.config.clone());
    let trees = plugin.withdraws(&distributor.repo_id, &config);
    let (Some(trees), Some(named)) = (trees, plugin.export_folder(&config)) else {
        return Ok(());
    };
    let place = Place {
        trees: trees.folders,
        owner: Publisher::Repository(&distributor.repo_id, &distributor.id).label(),
        listing: trees.listing,
    };
    let open = engine.exports.clone();
    let gone = blocking::run(move || withdraw(&open, &named.folder, &place)).await?;
    gone.map_err(ContentError::other)
}
