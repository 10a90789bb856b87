//! The group distributor's side: what a type implements to publish several repositories as one, and what it sees while
//! it does (pulp2/groups#distributors).

use async_trait::async_trait;

use crate::export::ExportFolder;
use crate::publish::{Mount, Outlet, PublishContext};
use crate::repository::RepoInfo;
use crate::signing::KeyChoice;
use crate::{Config, ContentError, PluginDescriptor, Problems};

/// Publishes a group of repositories.
#[async_trait]
pub trait GroupDistributor: Send + Sync {
    /// Returns what it says of itself.
    fn descriptor(&self) -> &'static PluginDescriptor;

    /// Checks a configuration that somebody wants to store for the group `group_id`. `others` are the distributors of the same type
    /// in other groups, to find conflicting paths.
    ///
    /// # Errors
    /// All that is wrong with it. The person is told (400), by the codes of the problems where they have some.
    fn validate(
        &self,
        group_id: &str,
        config: &Config,
        others: &[OtherGroup],
    ) -> Result<(), Problems>;

    /// The mounts at which the publication is served, with the effective configuration: see
    /// [`crate::Distributor::mounts`].
    fn mounts(&self, _group_id: &str, _config: &Config) -> Vec<Mount> {
        Vec::new()
    }

    /// The folder of the server that a publish with this configuration writes to: see
    /// [`crate::Distributor::export_folder`].
    fn export_folder(&self, _config: &Config) -> Option<ExportFolder> {
        None
    }

    /// The key with which a publish with this configuration signs: see [`crate::Distributor::signing_key`].
    fn signing_key(&self, _config: &Config) -> Option<KeyChoice> {
        None
    }

    /// Publishes what the group's repositories have. Nothing is served before this returns `Ok`, and what was served stays when
    /// nothing was added. Of files that are not here, nothing can be added.
    ///
    /// # Errors
    /// See [`ContentError`]. The task fails, but for [`ContentError::Failed`]: a group distributor that only reports
    /// failure leaves its task finished, as it did in Pulp.
    async fn publish(&self, ctx: &dyn GroupPublishContext) -> Result<(), ContentError>;
}

/// A distributor of the same type in another group.
#[derive(Debug, Clone)]
pub struct OtherGroup {
    /// Its group.
    pub group_id: String,
    /// Its setting `relative_url`, the only one that others are compared with.
    pub relative_url: Option<String>,
}

/// The platform as a group distributor sees it during a publish.
#[async_trait]
pub trait GroupPublishContext: Outlet {
    /// The group's id.
    fn group_id(&self) -> &str;

    /// The repositories of the group, in the order in which they joined.
    fn repositories(&self) -> &[RepoInfo];

    /// The distributor's id within the group.
    fn distributor_id(&self) -> &str;

    /// The settings of the oldest distributor of a type in one of the repositories; none when it has no such distributor.
    async fn settings_of(
        &self,
        repo: &RepoInfo,
        type_id: &str,
    ) -> Result<Option<Config>, ContentError>;

    /// The publish of one of the repositories as a distributor of it sees it, with the configuration of the group's. What is added
    /// there goes into the publication of the group; nothing was published before.
    fn member<'a>(&'a self, repo: &'a RepoInfo) -> Box<dyn PublishContext + 'a>;
}
