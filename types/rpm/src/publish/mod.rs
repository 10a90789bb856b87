//! The yum distributor: publishes a repository for dnf and yum (pulp2/rpm-publish, pulp2/rpm-metadata).

pub mod checksums;
pub mod chunks;
pub mod clone;
pub mod documents;
pub mod errata;
pub mod known;
pub mod names;
pub mod output;
pub mod packages;
pub mod predecessor;
pub mod recount;
pub mod repeated;
pub mod signed;
pub mod steps;
pub mod texts;
pub mod writers;

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;
use pith_content::publish::{
    ClientGuard, Distributor, Entry, Mount, OtherDistributor, PublishContext, PublishReport,
    PublishedEntry, later_second,
};
use pith_content::signing::KeyChoice;
use pith_content::{Config, ContentError, PluginDescriptor, Problems, Root, relative_url};
use pith_core::{Algorithm, RelativePath};
use serde_json::Value;

use self::documents::Common;
use self::output::Written;
use self::predecessor::Predecessor;
use self::steps::{Step, Steps};
use crate::config;
use crate::metadata::repomd::Repomd;
use crate::plugins::YUM_DISTRIBUTOR;

/// The root below which repositories are served; old clients read the `listing` files there.
pub static ROOT: Root = Root {
    listing: true,
    ..Root::at("pulp/repos")
};

/// The time for which replaced metadata is kept when nothing is said, in seconds: 14 days.
const THRESHOLD: f64 = 1_209_600.0;
const REPOMD: &str = "repodata/repomd.xml";

/// The yum distributor.
#[derive(Debug, Clone, Copy, Default)]
pub struct YumDistributor;

#[async_trait]
impl Distributor for YumDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &YUM_DISTRIBUTOR
    }

    fn validate(
        &self,
        repo_id: &str,
        config: &Config,
        others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        config::distributor(repo_id, config, others)
    }

    fn mounts(&self, repo_id: &str, config: &Config) -> Vec<Mount> {
        let path = relative_url::effective(repo_id, config);
        let is_on = |key| config.flag(key) == Some(true);
        let mount = ROOT.mount(path, is_on("http"), is_on("https"));
        mount.into_iter().collect()
    }

    fn guard(&self, config: &Config) -> Option<ClientGuard> {
        ClientGuard::of_setting(config, "auth_ca")
    }

    fn signing_key(&self, config: &Config) -> Option<KeyChoice> {
        signed::key(config)
    }

    fn is_current_only(&self, path: &str) -> bool {
        is_entrance(path)
    }

    fn format(&self) -> &'static str {
        chunks::FORMAT
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let on = |key: &str| usize::from(ctx.config().flag(key) == Some(true));
        let signs = signed::key(ctx.config()).is_some();
        let steps = steps::served(on("https") + on("http"), signs);
        let result = run(ctx, &steps).await;
        if let Err(error) = &result {
            steps.fail(&error.to_string());
        }
        ctx.progress(steps.report());
        result.map(|()| PublishReport {
            summary: steps.summary(),
            details: steps.report(),
        })
    }
}

/// Tells whether a path of a repository is a document that clients read first, and that names the others.
#[must_use]
pub fn is_entrance(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with(REPOMD) || matches!(name, ".treeinfo" | "treeinfo")
}

async fn run(ctx: &dyn PublishContext, steps: &Steps) -> Result<(), ContentError> {
    // Overrides are not validated before a publish.
    let url = ctx.config().get("relative_url");
    let is_text = url.is_none_or(Value::is_string);
    if let Some(problem) = relative_url::form(ctx.config()).filter(|_| !is_text) {
        return Err(Problems::from(problem).into());
    }
    repository(ctx, steps).await?;
    steps.skip(Step::Repoview);
    steps.done(Step::Directory, 1);
    steps.done(Step::Listing, 1);
    Ok(())
}

/// Makes the repository: the steps [`steps::MADE`].
///
/// # Errors
/// When the content cannot be published so, or what the context fails with.
pub async fn repository(ctx: &dyn PublishContext, steps: &Steps) -> Result<(), ContentError> {
    steps.begin(Step::Initialize, 1);
    let scratchpad = ctx.repo().scratchpad.get("checksum_type");
    let algorithm = config::checksum_type(ctx.config(), scratchpad.and_then(Value::as_str))?;
    steps.done(Step::Initialize, 1);
    steps.begin(Step::Distribution, 0);
    steps.finish(Step::Distribution);
    let previous = ctx.previous("repodata/").await?;
    let repomd = documents(ctx, steps, algorithm, &previous).await?;

    steps.begin(Step::RemoveOld, 0);
    keep_old(ctx, &repomd, previous).await?;
    steps.done(Step::RemoveOld, 0);
    steps.skip(Step::Sqlite);
    Ok(())
}

/// Everything in `repodata/` that is new, and what it describes.
async fn documents(
    ctx: &dyn PublishContext,
    steps: &Steps,
    algorithm: Algorithm,
    previous: &[PublishedEntry],
) -> Result<Repomd, ContentError> {
    let common = Common {
        ctx,
        steps,
        algorithm,
    };
    let predecessor = if ctx.config().flag("force_full") == Some(true) {
        Predecessor::default()
    } else {
        Predecessor::published(ctx, previous).await
    };
    let (mut written, mut known) = packages::publish(ctx, steps, algorithm, predecessor).await?;
    written.extend(common.deltas().await?);
    written.push(common.errata(&mut known).await?);
    written.extend(common.modules().await?);
    written.push(common.comps().await?);
    let now = ctx.clock().now();
    let served = previous.iter().find(|(path, ..)| path.as_str() == REPOMD);
    let modified = later_second(now, served.map(|(_, _, modified)| *modified))?;
    let mut repomd = Repomd {
        revision: Some(modified.as_second()),
        data: Vec::new(),
    };
    let mut taken = HashSet::new();
    for Written { data, entry } in written {
        ctx.add(data.href.clone(), entry, now).await?;
        taken.insert(data.href.clone());
        repomd.data.push(data);
    }
    repomd.data.extend(common.metadata_files(&taken).await?);

    steps.begin(Step::Close, 1);
    let mut bytes = Vec::new();
    repomd.write(&mut bytes)?;
    let path = RelativePath::new(REPOMD)?;
    let bytes = Bytes::from(bytes);
    ctx.add(path, Entry::Inline(bytes.clone()), modified)
        .await?;
    steps.done(Step::Close, 1);
    signed::sign(ctx, steps, bytes, modified).await?;
    Ok(repomd)
}

/// Keeps metadata of the publication that is served now, so that clients who have read its repomd.xml can go on
/// (pulp2/rpm-metadata#old-metadata). What the old repomd.xml lists is replaced now, and its time begins now, however old it is.
async fn keep_old(
    ctx: &dyn PublishContext,
    repomd: &Repomd,
    mut previous: Vec<PublishedEntry>,
) -> Result<(), ContentError> {
    let now = ctx.clock().now();
    let config = ctx.config();
    let remove = config.flag("remove_old_repodata") != Some(false);
    let threshold = config
        .number("remove_old_repodata_threshold")
        .unwrap_or(THRESHOLD);
    let replaced: HashSet<RelativePath> = predecessor::repomd(&previous)
        .map(|old| old.data.into_iter().map(|d| d.href).collect())
        .unwrap_or_default();
    let current: HashSet<&RelativePath> = repomd.data.iter().map(|d| &d.href).collect();
    previous
        .retain(|(path, _, _)| !signed::is_beside_repomd(path.as_str()) && !current.contains(path));
    for (path, entry, modified) in previous {
        let modified = if replaced.contains(&path) {
            now
        } else {
            modified
        };
        let age = now.duration_since(modified).as_secs_f64();
        if !remove || age < threshold {
            ctx.add(path, entry, modified).await?;
        }
    }
    Ok(())
}
