//! Running the publish of a group of repositories: the platform's half (pulp2/groups#publish).

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use pith_blobs::TreeWriter;
use pith_content::group::GroupPublishContext;
use pith_content::publish::{Mount, PublishContext};
use pith_content::repository::RepoInfo;
use pith_content::task::Within;
use pith_content::{Config, ContentError, GroupDistributor as Plugin};
use pith_core::Timestamp;
use pith_store::{
    GroupDistributor, LastTx, NewGroupPublication, NewMount, RepoGroup, Repository, StoreError,
};
use serde_json::{Value, json};

use super::publish::context::Context as Member;
use super::publish::outgoing::{Outgoing, Publisher};
use super::publish::output::{self, Output};
use super::publish::{new_mounts, require_roots};
use super::subject::{document, info, not_installed};
use crate::attempt::{Done, Run};
use crate::error::{Error, missing, platform};
use crate::jobs::PublishGroup;

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
    let made = match published {
        Ok(made) => leave(&run, &distributor, made).await,
        Err(error) => Err(error),
    };
    let (last, failure) = match made {
        Ok(Some(last)) => (last, None),
        Ok(None) => (run.store.begin_last().await?, Some(Error::Cancelled)),
        Err(failure) => (run.store.begin_last().await?, Some(failure)),
    };
    note_end(&last, &distributor, engine.clock.now()).await?;
    match failure {
        None => Ok(run.finish(last, Done::default()).await?),
        Some(failure) => Err(run.fail(last, failure).await),
    }
}

/// The outcome of a publish: its publication, unless it has none, and trees that wait for being swapped in.
struct Made {
    publication: Option<(NewGroupPublication, Vec<NewMount>)>,
    exported: Option<TreeWriter>,
}

/// Leaves what was made: the trees, and the transaction that publishes it; `None` when the task was cancelled.
async fn leave(
    run: &Run,
    distributor: &GroupDistributor,
    made: Made,
) -> Result<Option<LastTx>, Error> {
    if let Some(trees) = made.exported {
        output::swap(trees).await?;
    }
    let publication = &made.publication;
    let write = move || {
        async move {
            let last = run.store.begin_last().await?;
            if last.is_canceled() {
                return Ok(None);
            }
            if let Some((publication, mounts)) = publication {
                let GroupDistributor {
                    group_id, id, oid, ..
                } = distributor;
                // Another one may have taken this one's place.
                let present = last.group_distributor_get(group_id, id).await?;
                if present.is_none_or(|present| present.oid != *oid) {
                    let (what, id) = ("distributor", id.clone());
                    return Err(StoreError::Missing { what, id });
                }
                let now = run.engine.clock.now();
                last.group_publication_commit(publication, mounts, now)
                    .await?;
            }
            Ok(Some(last))
        }
        .boxed()
    };
    // Files that were deleted while they came back are looked for outside of the transaction.
    Ok(crate::files::saving(&run.engine, write).await?)
}

async fn publish(
    run: &Run,
    group: &RepoGroup,
    distributor: &GroupDistributor,
    plugin: &dyn Plugin,
    override_config: Value,
) -> Result<Made, Error> {
    let overriding = document("override_config", override_config)?;
    let stored = distributor.config.as_object().cloned().unwrap_or_default();
    let config = Config::with_override(stored.clone(), overriding);
    let folder = plugin.export_folder(&config);
    run.engine.require_open(folder.as_ref())?;
    let choice = plugin.signing_key(&config);
    let before = plugin.signing_key(&Config::new(stored.clone()));
    let engine = &run.engine;
    (engine.require_signing_key(&run.store, choice.as_ref(), before.as_ref())).await?;
    let signer = match &choice {
        Some(choice) => {
            let key = engine.signing_key(&run.store, choice).await?;
            Some(engine.signer(&run.store, &key).await?)
        }
        None => None,
    };
    let claimed = plugin.mounts(&group.id, &Config::new(stored));
    require_roots(run, &distributor.type_id, &claimed)?;
    let output = Output::new(&run.engine);
    let repositories = members(run, group).await?;
    let ctx = Context {
        repositories: &repositories,
        group_id: &group.id,
        distributor_id: &distributor.id,
        out: Outgoing {
            run,
            publisher: Publisher::Group(&group.id, &distributor.id),
            config: &config,
            output: &output,
            folder: folder.as_ref(),
            sending: None,
            signer: signer.as_ref(),
        },
    };
    match run.until_cancelled(plugin.publish(&ctx)).await {
        Ok(()) => {}
        // Nobody is told of a failure that is only reported; what Pulp kept of it has no endpoint either.
        Err(Error::Content(ContentError::Failed { .. })) => {
            return Ok(Made {
                publication: None,
                exported: None,
            });
        }
        Err(error) => return Err(error),
    }
    let served = plugin.mounts(&group.id, &config);
    if folder.is_none() && served != claimed {
        return Err(moved(&served));
    }
    let subject = (group.id.as_str(), distributor.id.as_str());
    made_of(&output, subject, new_mounts(claimed.clone(), &claimed)).await
}

/// Returns what is in the output, to be served at `mounts`.
async fn made_of(
    output: &Output,
    (group_id, id): (&str, &str),
    mounts: Vec<NewMount>,
) -> Result<Made, Error> {
    let made = output.finish().await?;
    let whole = |number: u64| i64::try_from(number).map_err(Error::fault);
    let blobs = made.generated.iter();
    let blobs = blobs.map(|(blob, size)| Ok((*blob, whole(*size)?)));
    let publication = NewGroupPublication {
        group_id: group_id.to_owned(),
        distributor_id: id.to_owned(),
        index_blob: made.index.sha256,
        index_size: whole(made.index.size)?,
        paths: whole(made.paths)?,
        bytes: whole(made.bytes)?,
        blobs: blobs.collect::<Result<_, Error>>()?,
    };
    let is_served = made.paths > 0;
    Ok(Made {
        publication: is_served.then_some((publication, mounts)),
        exported: made.exported,
    })
}

/// The error for an override that says otherwise than the stored settings where the group is served.
fn moved(asked: &[Mount]) -> Error {
    let asked: Vec<String> = asked.iter().map(|mount| mount.prefix.to_string()).collect();
    Error::fault(format!(
        "the override asks for other paths or protocols than the settings of the distributor ({}): save that in the settings first",
        asked.join(", ")
    ))
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
    repositories: &'a [RepoInfo],
    group_id: &'a str,
    distributor_id: &'a str,
    out: Outgoing<'a>,
}

impl<'a> Within for Context<'a> {
    type Inner = Outgoing<'a>;

    fn inner(&self) -> &Outgoing<'a> {
        &self.out
    }
}

#[async_trait]
impl GroupPublishContext for Context<'_> {
    fn group_id(&self) -> &str {
        self.group_id
    }

    fn repositories(&self) -> &[RepoInfo] {
        self.repositories
    }

    fn distributor_id(&self) -> &str {
        self.distributor_id
    }

    async fn settings_of(
        &self,
        repo: &RepoInfo,
        type_id: &str,
    ) -> Result<Option<Config>, ContentError> {
        let ids = [repo.id.clone()];
        let found = self.out.run.store.distributor_list(Some(&ids)).await;
        let of_type = found.map_err(platform)?.into_iter();
        let of_type = of_type.filter(|distributor| distributor.type_id == type_id);
        let oldest = of_type.min_by(|a, b| a.oid.cmp(&b.oid));
        Ok(oldest.map(|distributor| Config::new(distributor.config)))
    }

    fn member<'a>(&'a self, repo: &'a RepoInfo) -> Box<dyn PublishContext + 'a> {
        Box::new(Member::new(repo, self.distributor_id, self.out))
    }
}
