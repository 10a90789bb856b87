//! The kinds of task: typed arguments, and what each shows and locks (pulp2/tasks#kinds).

use std::collections::HashSet;

use pith_core::Document;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};

/// A task's work. Stored as JSON in the queue, so a change of shape needs a new variant or a default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    /// Mirror the feed of a repository's importer.
    Sync {
        /// The repository.
        repo_id: String,
        /// Override of the importer's configuration; any JSON, checked by the run.
        #[serde(default)]
        override_config: serde_json::Value,
    },
    /// Publish a repository through one of its distributors.
    Publish {
        /// The repository.
        repo_id: String,
        /// The distributor's id as the client gave it.
        distributor_id: serde_json::Value,
        /// Override of the distributor's configuration; any JSON, checked by the run.
        #[serde(default)]
        override_config: serde_json::Value,
    },
    /// Publish a group of repositories through one of its distributors.
    PublishGroup {
        /// The group.
        group_id: String,
        /// The distributor's id as the client gave it.
        distributor_id: serde_json::Value,
        /// Override of the distributor's configuration; any JSON, checked by the run.
        #[serde(default)]
        override_config: serde_json::Value,
    },
    /// Remove a repository with all that hangs on it.
    DeleteRepository {
        /// The repository.
        repo_id: String,
    },
    /// Give a repository an importer, replacing the one it has.
    SetImporter {
        /// The repository.
        repo_id: String,
        /// The importer type.
        importer_type_id: String,
        /// Its configuration.
        config: Document,
    },
    /// Change the configuration of a repository's importer.
    UpdateImporter {
        /// The repository.
        repo_id: String,
        /// The importer.
        importer_id: String,
        /// Keys to set; null removes one.
        config: Document,
    },
    /// Remove a repository's importer.
    RemoveImporter {
        /// The repository.
        repo_id: String,
        /// The importer.
        importer_id: String,
    },
    /// Change a distributor.
    UpdateDistributor {
        /// The repository.
        repo_id: String,
        /// The distributor.
        distributor_id: String,
        /// Keys to set; null removes one. Any JSON, checked by the run.
        config: serde_json::Value,
        /// `auto_publish` in here is set too. Any JSON, checked by the run.
        delta: serde_json::Value,
    },
    /// Remove a distributor and what it serves.
    RemoveDistributor {
        /// The repository.
        repo_id: String,
        /// The distributor.
        distributor_id: String,
    },
    /// Download the files of a repository that are not here.
    DownloadRepository {
        /// The repository.
        repo_id: String,
        /// Is true when files that are here are hashed again, and those that are broken downloaded.
        #[serde(default)]
        verify_all_units: bool,
    },
    /// Read again what all alternate content sources have.
    RefreshContentSources {
        /// Their ids, as they were when somebody asked.
        source_ids: Vec<String>,
    },
    /// Read again what one alternate content source has.
    RefreshContentSource {
        /// Its id.
        source_id: String,
    },
    /// Make units of an upload.
    ImportUpload {
        /// The repository.
        repo_id: String,
        /// The upload.
        upload_id: serde_json::Value,
        /// The type the client names.
        unit_type_id: serde_json::Value,
        /// The unit key the client gives.
        unit_key: serde_json::Value,
        /// Metadata the client gives.
        unit_metadata: serde_json::Value,
        /// Override of the importer's configuration.
        #[serde(default)]
        override_config: serde_json::Value,
    },
    /// Copy units into a repository.
    Associate {
        /// The repository that they go to.
        repo_id: String,
        /// The repository that they come from.
        source_repo_id: String,
        /// The choice: unit association criteria as the client gave them, checked before.
        criteria: serde_json::Value,
        /// Override of the configuration of the importer that they go to.
        override_config: Document,
    },
    /// Take units out of a repository.
    Unassociate {
        /// The repository.
        repo_id: String,
        /// The choice: unit association criteria as the client gave them, checked before.
        criteria: serde_json::Value,
    },
    /// Delete units that no repository has.
    DeleteOrphans {
        /// The choice of them.
        orphans: Orphans,
    },
    /// Work out what concerns the consumers of some repositories.
    RegenerateApplicability {
        /// The choice of repositories.
        repo_criteria: serde_json::Value,
    },
    /// A part of that, for one repository.
    BatchRegenerateApplicability {
        /// The repository.
        repo_id: String,
        /// Hashes of sets of consumer profiles.
        profile_sets: Vec<String>,
    },
    /// Forget what is old.
    ReapExpiredDocuments,
}

/// The key of a copy's override that names further sources and where that goes which comes from them.
pub const ADDITIONAL_REPOS: &str = "additional_repos";

/// The orphans that a task deletes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Orphans {
    /// All of them.
    All,
    /// Those of one type.
    OfType {
        /// The type.
        type_id: String,
    },
    /// One.
    One {
        /// The type.
        type_id: String,
        /// The unit.
        unit_id: String,
    },
    /// Those that a client listed; any JSON, checked by the run.
    Listed {
        /// Objects with `content_type_id` and `unit_id`.
        units: serde_json::Value,
    },
}

/// The task type of a sync.
const SYNC: &str = "pulp.server.managers.repo.sync.sync";
/// The task type of a download of what a repository does not have.
const DOWNLOAD: &str = "pulp.server.controllers.repository.download_repo";
/// The task type of reading all content sources again.
const REFRESH_ALL: &str = "pulp.server.tasks.content.refresh_content_sources";
/// The task type of reading one content source again.
const REFRESH: &str = "pulp.server.tasks.content.refresh_content_source";

impl Job {
    /// `task_type` on the wire.
    #[must_use]
    pub fn task_type(&self) -> &'static str {
        match self {
            Self::Sync { .. } => SYNC,
            Self::Publish { .. } => "pulp.server.managers.repo.publish.publish",
            Self::PublishGroup { .. } => "pulp.server.managers.repo.group.publish.publish",
            Self::DeleteRepository { .. } => "pulp.server.tasks.repository.delete",
            Self::SetImporter { .. } => "pulp.server.managers.repo.importer.set_importer",
            Self::UpdateImporter { .. } => {
                "pulp.server.managers.repo.importer.update_importer_config"
            }
            Self::RemoveImporter { .. } => "pulp.server.managers.repo.importer.remove_importer",
            Self::UpdateDistributor { .. } => "pulp.server.tasks.repository.distributor_update",
            Self::RemoveDistributor { .. } => "pulp.server.tasks.repository.distributor_delete",
            Self::DownloadRepository { .. } => DOWNLOAD,
            Self::RefreshContentSources { .. } => REFRESH_ALL,
            Self::RefreshContentSource { .. } => REFRESH,
            Self::ImportUpload { .. } => "pulp.server.managers.content.upload.import_uploaded_unit",
            Self::Associate { .. } => {
                "pulp.server.managers.repo.unit_association.associate_from_repo"
            }
            Self::Unassociate { .. } => {
                "pulp.server.managers.repo.unit_association.unassociate_by_criteria"
            }
            Self::DeleteOrphans { orphans } => match orphans {
                Orphans::All => "pulp.server.managers.content.orphan.delete_all_orphans",
                Orphans::OfType { .. } => {
                    "pulp.server.managers.content.orphan.delete_orphans_by_type"
                }
                Orphans::One { .. } | Orphans::Listed { .. } => {
                    "pulp.server.managers.content.orphan.delete_orphans_by_id"
                }
            },
            Self::RegenerateApplicability { .. } => {
                "pulp.server.managers.consumer.applicability.regenerate_applicability_for_repos"
            }
            Self::BatchRegenerateApplicability { .. } => {
                "pulp.server.managers.consumer.applicability.batch_regenerate_applicability"
            }
            Self::ReapExpiredDocuments => "pulp.server.db.reaper.reap_expired_documents",
        }
    }

    /// The repository the job is about, when it is about one: which it has to itself.
    #[must_use]
    pub fn repo_id(&self) -> Option<&str> {
        match self {
            Self::Sync { repo_id, .. }
            | Self::Publish { repo_id, .. }
            | Self::DeleteRepository { repo_id }
            | Self::SetImporter { repo_id, .. }
            | Self::UpdateImporter { repo_id, .. }
            | Self::RemoveImporter { repo_id, .. }
            | Self::UpdateDistributor { repo_id, .. }
            | Self::RemoveDistributor { repo_id, .. }
            | Self::DownloadRepository { repo_id, .. }
            | Self::ImportUpload { repo_id, .. }
            | Self::Associate { repo_id, .. }
            | Self::Unassociate { repo_id, .. } => Some(repo_id),
            Self::DeleteOrphans { .. }
            | Self::RefreshContentSources { .. }
            | Self::RefreshContentSource { .. }
            | Self::PublishGroup { .. }
            | Self::RegenerateApplicability { .. }
            | Self::BatchRegenerateApplicability { .. }
            | Self::ReapExpiredDocuments => None,
        }
    }

    /// The task types of jobs that ask servers of others: those decide how long they take.
    pub(crate) const ON_FEEDS: &'static [&'static str] = &[SYNC, DOWNLOAD, REFRESH_ALL, REFRESH];

    /// The tags, in the order of the wire.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = self.repo_id().map(tag::repository).into_iter().collect();
        match self {
            Self::UpdateImporter { importer_id, .. } | Self::RemoveImporter { importer_id, .. } => {
                tags.push(tag::importer(importer_id));
            }
            Self::UpdateDistributor { distributor_id, .. }
            | Self::RemoveDistributor { distributor_id, .. } => {
                tags.push(tag::distributor(distributor_id));
            }
            Self::PublishGroup {
                group_id,
                distributor_id,
                ..
            } => {
                tags.push(tag::group(group_id));
                tags.push(tag::group_distributor(&text(distributor_id)));
            }
            Self::Associate {
                repo_id,
                source_repo_id,
                override_config,
                ..
            } => {
                let mut named = vec![source_repo_id.as_str()];
                named.extend(additional(override_config).flat_map(|(from, to)| [from, to]));
                let mut seen = HashSet::from([repo_id.as_str()]);
                named.retain(|id| seen.insert(id));
                tags.extend(named.into_iter().map(tag::repository));
            }
            Self::DeleteOrphans { orphans } => {
                if matches!(orphans, Orphans::Listed { .. }) {
                    tags.push(tag::action("delete_orphans"));
                }
                tags.push("pulp:content_unit:orphans".to_owned());
                return tags;
            }
            _ => {}
        }
        let action = match self {
            Self::Sync { .. } => "sync",
            Self::Publish { .. } | Self::PublishGroup { .. } => "publish",
            Self::DeleteRepository { .. } => "delete",
            Self::SetImporter { .. } => "add_importer",
            Self::UpdateImporter { .. } => "update_importer",
            Self::RemoveImporter { .. } => "delete_importer",
            Self::UpdateDistributor { .. } => "update_distributor",
            Self::RemoveDistributor { .. } => "remove_distributor",
            Self::DownloadRepository { .. } => "download",
            Self::RefreshContentSources { .. } => "refresh_all_content_sources",
            Self::RefreshContentSource { .. } => "refresh_content_source",
            Self::ImportUpload { .. } => "import_upload",
            Self::Associate { .. } => "associate",
            Self::Unassociate { .. } => "unassociate",
            Self::DeleteOrphans { .. } => "delete_orphans",
            Self::RegenerateApplicability { .. } => "content_applicability_regeneration",
            Self::ReapExpiredDocuments => "reaper",
            Self::BatchRegenerateApplicability { .. } => return tags,
        };
        tags.push(tag::action(action));
        // Content sources come after the action.
        match self {
            Self::RefreshContentSources { source_ids } => {
                tags.extend(source_ids.iter().map(|id| tag::content_source(id)));
            }
            Self::RefreshContentSource { source_id } => tags.push(tag::content_source(source_id)),
            _ => {}
        }
        tags
    }

    /// Returns what the job must hold while it runs. A copy holds its source too, together with other readers: what it selects
    /// must not leave the source, and so become an orphan, before it arrives.
    #[must_use]
    pub fn resources(&self) -> Vec<Resource> {
        if let Self::PublishGroup { group_id, .. } = self {
            return vec![Resource::repository_group(group_id)];
        }
        // Downloads change no content and may run beside a sync.
        if matches!(self, Self::DownloadRepository { .. }) {
            return Vec::new();
        }
        if matches!(self, Self::RegenerateApplicability { .. }) {
            return vec![Resource::applicability()];
        }
        let mut alone: Vec<&str> = self.repo_id().into_iter().collect();
        let mut shared: Vec<&str> = Vec::new();
        if let Self::Associate {
            source_repo_id,
            override_config,
            ..
        } = self
        {
            shared.push(source_repo_id);
            for (from, to) in additional(override_config) {
                shared.push(from);
                alone.push(to);
            }
        }
        let mut seen = HashSet::new();
        alone.retain(|id| seen.insert(*id));
        shared.retain(|id| seen.insert(*id));
        let alone = alone.into_iter().map(Resource::repository);
        alone
            .chain(shared.into_iter().map(Resource::repository_shared))
            .collect()
    }
}

/// The sources that a copy may take more from, each with where that goes.
pub(crate) fn additional(override_config: &Document) -> impl Iterator<Item = (&str, &str)> {
    let map = override_config.get(ADDITIONAL_REPOS);
    let map = map.and_then(serde_json::Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(from, to)| Some((from.as_str(), to.as_str()?)))
}

/// An id as a tag shows it, whatever JSON the client gave for it.
fn text(id: &serde_json::Value) -> String {
    id.as_str()
        .map_or_else(|| pith_core::error::printed(id), str::to_owned)
}
