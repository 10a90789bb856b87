//! The jobs that change Pulp's nouns or ask Pulp's criteria, and all kinds of jobs of a server.

mod associate;
mod batch_regenerate_applicability;
mod delete_repository;
mod plugins;
mod regenerate_applicability;
mod remove_distributor;
mod remove_importer;
mod set_importer;
mod unassociate;
mod update_distributor;
mod update_importer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use associate::Associate;
pub use batch_regenerate_applicability::BatchRegenerateApplicability;
pub use delete_repository::DeleteRepository;
pub use pith_engine::jobs::*;
use pith_engine::{Kinds, TakenKind};
pub use regenerate_applicability::RegenerateApplicability;
pub use remove_distributor::RemoveDistributor;
pub use remove_importer::RemoveImporter;
pub use set_importer::SetImporter;
pub use unassociate::Unassociate;
pub use update_distributor::UpdateDistributor;
pub use update_importer::UpdateImporter;

use crate::Pulp;
use crate::error::told;
use crate::history::result_json;

/// All kinds of jobs that the workers of a server run.
///
/// # Errors
/// When two have one name.
pub fn kinds(pulp: &Arc<Pulp>) -> Result<Kinds, TakenKind> {
    Kinds::new(told)
        .with::<SyncRepository>(result_json)?
        .with::<PublishRepository>(result_json)?
        .with::<PublishGroup>(())?
        .with::<DownloadRepository>(())?
        .with::<ImportUpload>(())?
        .with::<Associate>(Arc::clone(pulp))?
        .with::<Unassociate>(Arc::clone(pulp))?
        .with::<DeleteRepository>(())?
        .with::<SetImporter>(())?
        .with::<UpdateImporter>(())?
        .with::<RemoveImporter>(())?
        .with::<UpdateDistributor>(())?
        .with::<RemoveDistributor>(())?
        .with::<DeleteOrphans>(())?
        .with::<RefreshContentSources>(())?
        .with::<RefreshContentSource>(())?
        .with::<RegenerateApplicability>(Arc::clone(pulp))?
        .with::<BatchRegenerateApplicability>(Arc::clone(pulp))?
        .with::<ReapExpiredDocuments>(())?
        .with_types(&pulp.engine.registry)
}
