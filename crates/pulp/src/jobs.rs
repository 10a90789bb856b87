//! The work of each kind of task: what the engine does with content, and what is done here to the nouns.

use async_trait::async_trait;
use pith_core::error::PulpError;
use pith_engine::run::{
    copy, download_repository, group, housekeeping, orphans, publish, refresh_sources, sync, upload,
};
use pith_engine::{Done, Error, Job, Jobs, Run};

use crate::error::told;
use crate::history::result_json;
use crate::search::Selected;
use crate::{Pulp, configure};

#[async_trait]
impl Jobs for Pulp {
    async fn run(&self, run: Run, job: Job) -> Result<Done, Error> {
        match job {
            Job::Sync {
                repo_id,
                override_config,
            } => sync::run(run, repo_id, override_config, result_json).await,
            Job::Publish {
                repo_id,
                distributor_id,
                override_config,
            } => publish::run(run, repo_id, distributor_id, override_config, result_json).await,
            Job::PublishGroup {
                group_id,
                distributor_id,
                override_config,
            } => group::run(run, group_id, distributor_id, override_config).await,
            Job::DeleteRepository { repo_id } => configure::delete_repository(run, repo_id).await,
            Job::SetImporter {
                repo_id,
                importer_type_id,
                config,
            } => configure::set_importer(run, repo_id, importer_type_id, config).await,
            Job::UpdateImporter {
                repo_id,
                importer_id,
                config,
            } => configure::update_importer(run, repo_id, importer_id, config).await,
            Job::RemoveImporter {
                repo_id,
                importer_id,
            } => configure::remove_importer(run, repo_id, importer_id).await,
            Job::UpdateDistributor {
                repo_id,
                distributor_id,
                config,
                delta,
            } => configure::update_distributor(run, repo_id, distributor_id, config, delta).await,
            Job::RemoveDistributor {
                repo_id,
                distributor_id,
            } => configure::remove_distributor(run, repo_id, distributor_id).await,
            Job::DownloadRepository {
                repo_id,
                verify_all_units,
            } => download_repository::run(run, repo_id, verify_all_units).await,
            Job::RefreshContentSources { source_ids } => {
                refresh_sources::run(run, "Refresh Content Sources", source_ids).await
            }
            Job::RefreshContentSource { source_id } => {
                refresh_sources::run(run, "Refresh Content Source", vec![source_id]).await
            }
            Job::ImportUpload {
                repo_id,
                upload_id,
                unit_type_id,
                unit_key,
                unit_metadata,
                override_config,
            } => {
                let request = upload::Request {
                    upload_id,
                    unit_type_id,
                    unit_key,
                    unit_metadata,
                    override_config,
                };
                upload::run(run, repo_id, request).await
            }
            Job::Associate {
                repo_id,
                source_repo_id,
                criteria,
                override_config,
            } => {
                let selected = Selected {
                    pulp: self,
                    criteria,
                };
                copy::associate(run, repo_id, source_repo_id, &selected, override_config).await
            }
            Job::Unassociate { repo_id, criteria } => {
                let selected = Selected {
                    pulp: self,
                    criteria,
                };
                copy::unassociate(run, repo_id, &selected).await
            }
            Job::DeleteOrphans { orphans } => orphans::delete(run, orphans).await,
            Job::RegenerateApplicability { repo_criteria } => {
                self.applicability_of_repositories(&repo_criteria).await?;
                Ok(Done::default())
            }
            Job::BatchRegenerateApplicability {
                repo_id,
                profile_sets,
            } => {
                let work = self.applicability_of_profiles(&repo_id, &profile_sets);
                work.await?;
                Ok(Done::default())
            }
            Job::ReapExpiredDocuments => housekeeping::reap(run).await,
        }
    }

    fn told(&self, error: &Error) -> PulpError {
        told(error)
    }
}
