//! Running the publish of a group of repositories: the platform's half (pulp2/groups#publish).

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use pith_content::group::GroupPublishContext;
use pith_content::sync::RepoInfo;
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, GroupDistributor as Plugin};
use pith_core::{Clock, Timestamp};
use pith_store::{GroupDistributor, LastTx, RepoGroup, Repository, StoreError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::subject::{document, info, not_installed};
use super::units;
use crate::error::{Error, missing};
use crate::jobs::PublishGroup;
use crate::worker::{Done, Run};

/// Runs a [`PublishGroup`]. The end of the publish is noted whether or not it succeeds.
pub(crate) async fn run(run: Run, job: PublishGroup) -> Result<Done, Error> {
    let PublishGroup {
        group_id,
        distributor_id,
        override_config,
    } = job;
    let engine = Arc::clone(&run.engine);
    let (group, distributor) = subject(&run, &group_id, &distributor_id).await?;
    let plugin = engine.registry.group_distributor(&distributor.type_id);
    let plugin = plugin
        .cloned()
        .ok_or_else(|| not_installed("group distributor", &distributor.type_id))?;
    run.progress.set_key(&distributor.type_id);
    let published = publish(&run, &group, &distributor, plugin.as_ref(), override_config).await;
    let last = run.store.begin_last().await?;
    note_end(&last, &distributor, engine.clock.now()).await?;
    match published {
        Ok(_) if last.is_canceled() => Err(run.fail(last, Error::Cancelled).await),
        Ok(done) => Ok(run.finish(last, done).await?),
        Err(failure) => Err(run.fail(last, failure).await),
    }
}

async fn publish(
    run: &Run,
    group: &RepoGroup,
    distributor: &GroupDistributor,
    plugin: &dyn Plugin,
    override_config: Value,
) -> Result<Done, Error> {
    let overriding = document("override_config", override_config)?;
    let stored = distributor.config.as_object().cloned().unwrap_or_default();
    let ctx = Context {
        run,
        repositories: members(run, group).await?,
        group_id: group.id.clone(),
        distributor_id: distributor.id.clone(),
        config: Config::with_override(stored, overriding),
    };
    match run.until_cancelled(plugin.publish(&ctx)).await {
        // Nobody is told of a failure that is only reported; what Pulp kept of it has no endpoint either.
        Ok(()) | Err(Error::Content(ContentError::Failed { .. })) => Ok(Done::default()),
        Err(error) => Err(error),
    }
}

/// The group and its distributor; PLP0009 when either is not there.
async fn subject(
    run: &Run,
    group_id: &str,
    distributor_id: &Value,
) -> Result<(RepoGroup, GroupDistributor), Error> {
    let store = &run.store;
    let group = store.group_get(group_id).await?;
    let group = group.ok_or_else(|| missing(&[("repo_group", json!(group_id))]))?;
    let found = match distributor_id.as_str() {
        Some(id) => store.group_distributor_get(group_id, id).await,
        None => Ok(None),
    };
    let distributor = found?.ok_or_else(|| {
        missing(&[
            ("distributor", distributor_id.clone()),
            ("repo_group", json!(group_id)),
        ])
    })?;
    Ok((group, distributor))
}

/// The group's repositories, in its order.
async fn members(run: &Run, group: &RepoGroup) -> Result<Vec<RepoInfo>, Error> {
    let found = run.store.repository_list(Some(&group.members)).await;
    let mut found: Vec<Repository> = found?;
    let places: HashMap<&str, usize> = (group.members.iter().map(String::as_str))
        .zip(0..)
        .collect();
    found.sort_by_key(|repository| places.get(repository.id.as_str()).copied());
    Ok(found.iter().map(info).collect())
}

async fn note_end(
    last: &LastTx,
    distributor: &GroupDistributor,
    now: Timestamp,
) -> Result<(), Error> {
    let GroupDistributor { group_id, id, .. } = distributor;
    match last
        .group_distributor_set_last_publish(group_id, id, now)
        .await
    {
        // It was removed meanwhile.
        Ok(()) | Err(StoreError::Missing { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

struct Context<'a> {
    run: &'a Run,
    group_id: String,
    distributor_id: String,
    repositories: Vec<RepoInfo>,
    config: Config,
}

#[async_trait]
impl GroupPublishContext for Context<'_> {
    fn group_id(&self) -> &str {
        &self.group_id
    }

    fn repositories(&self) -> &[RepoInfo] {
        &self.repositories
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn distributor_id(&self) -> &str {
        &self.distributor_id
    }

    fn clock(&self) -> &dyn Clock {
        &*self.run.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    async fn units(
        &self,
        repo_id: &str,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        if !self.repositories.iter().any(|repo| repo.id == repo_id) {
            let text = format!(
                "the repository {repo_id} is not in the group {}",
                self.group_id
            );
            return Err(ContentError::other(text));
        }
        Ok(units::present(&self.run.store, repo_id, &select)?)
    }

    fn progress(&self, report: Value) {
        self.run.progress.report(report);
    }
}
