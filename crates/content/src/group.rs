//! The group distributor's side: what a type implements to publish several repositories as one, and what it sees while
//! it does (pulp2/groups#distributors).

use async_trait::async_trait;
use futures::stream::BoxStream;
use pith_core::Clock;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::sync::RepoInfo;
use crate::unit::{RepoUnit, Select};
use crate::{Config, ContentError, PluginDescriptor, Problems};

/// Publishes a group of repositories.
#[async_trait]
pub trait GroupDistributor: Send + Sync {
    /// Returns what it says of itself.
    fn descriptor(&self) -> &'static PluginDescriptor;

    /// Checks a configuration that somebody wants to store for the group `group_id`.
    ///
    /// # Errors
    /// All that is wrong with it. The person is told (400), by the codes of the problems where they have some.
    fn validate(&self, group_id: &str, config: &Config) -> Result<(), Problems>;

    /// Publishes what the group's repositories have.
    ///
    /// # Errors
    /// See [`ContentError`]. The task fails, but for [`ContentError::Failed`]: a group distributor that only reports
    /// failure leaves its task finished, as it did in Pulp.
    async fn publish(&self, ctx: &dyn GroupPublishContext) -> Result<(), ContentError>;
}

/// The platform as a group distributor sees it during a publish.
#[async_trait]
pub trait GroupPublishContext: Send + Sync {
    /// The group's id.
    fn group_id(&self) -> &str;

    /// The repositories of the group, in the order in which they joined.
    fn repositories(&self) -> &[RepoInfo];

    /// The effective configuration.
    fn config(&self) -> &Config;

    /// The distributor's id within the group.
    fn distributor_id(&self) -> &str;

    /// Time.
    fn clock(&self) -> &dyn Clock;

    /// Fires when the task is cancelled. The engine drops the publish soon after; blocking loops must look at it.
    fn cancelled(&self) -> &CancellationToken;

    /// Streams the units of one of the repositories in batches.
    async fn units(
        &self,
        repo_id: &str,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError>;

    /// Shows progress: the value under the distributor's type in the task's `progress_report`.
    fn progress(&self, report: Value);
}
