//! The export distributors: a repository, or a group of them, as a folder of the server or as images (pulp2/rpm-export).

pub mod config;
mod documents;
mod group;
mod images;
mod part;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::export::{ExportFolder, Trees, not_downloaded};
use pith_content::publish::{
    ClientGuard, Distributor, Mount, OtherDistributor, Outlet, PublishContext, PublishReport,
};
use pith_content::signing::KeyChoice;
use pith_content::unit::Select;
use pith_content::{Config, ContentError, PluginDescriptor, Problems, Root, relative_url};
use pith_core::RelativePath;

use self::config::Window;
pub use self::group::GroupExportDistributor;
use self::part::Part;
use crate::plugins::EXPORT_DISTRIBUTOR;
use crate::publish::repository;
use crate::publish::signed;
use crate::publish::steps::{MADE, Step, Steps};
use crate::publish::texts::text;
use crate::type_ids::{DRPM, RPM, SRPM};

/// The root below which exports are served.
pub static ROOT: Root = Root {
    listing: true,
    ..Root::at("pulp/exports")
};

/// The setting that names a folder of the server.
pub const EXPORT_DIR: &str = "export_dir";
/// The file with the names of the folders beside it.
const LISTING: &str = "listing";
/// The most files that an error names.
const NAMED: usize = 10;

/// The export distributor.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportDistributor;

#[async_trait]
impl Distributor for ExportDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &EXPORT_DISTRIBUTOR
    }

    fn validate(
        &self,
        repo_id: &str,
        config: &Config,
        others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        config::of_repository(repo_id, config, others)
    }

    fn mounts(&self, repo_id: &str, config: &Config) -> Vec<Mount> {
        let below = format!("repos/{}", relative_url::effective(repo_id, config));
        let is_on = |key| config.flag(key) == Some(true);
        let mount = ROOT.mount(&below, is_on("http"), is_on("https"));
        mount.into_iter().collect()
    }

    fn guard(&self, _config: &Config) -> Option<ClientGuard> {
        None
    }

    fn export_folder(&self, config: &Config) -> Option<ExportFolder> {
        ExportFolder::of_setting(config, EXPORT_DIR)
    }

    fn signing_key(&self, config: &Config) -> Option<KeyChoice> {
        signed::key(config)
    }

    fn is_current_only(&self, _path: &str) -> bool {
        // One export is not continued by the next.
        true
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let window = config::window(ctx.config())?;
        let steps = Steps::new(window.steps().into_iter().chain(config::ends(ctx.config())));
        let result = run(ctx, window, &steps).await;
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

async fn run(ctx: &dyn PublishContext, window: Window, steps: &Steps) -> Result<(), ContentError> {
    let top = relative_url::effective(&ctx.repo().id, ctx.config());
    let top = RelativePath::new(top).map_err(ContentError::other)?;
    let part = Part::new(ctx, top.clone(), window);
    let missing = missing(&part).await?;
    if !missing.is_empty() {
        return Err(not_downloaded(&missing));
    }
    write(&part, window, steps).await?;
    send(ctx, vec![top], &ctx.repo().id, steps).await
}

/// Sends everything that was added, which lies in these trees, to where it is to go: to the folder that the configuration names,
/// or into images called after `name`.
async fn send(
    ctx: &dyn Outlet,
    folders: Vec<RelativePath>,
    name: &str,
    steps: &Steps,
) -> Result<(), ContentError> {
    steps.begin(Step::SaveTar, 1);
    ctx.progress(steps.report());
    let is_folder = ctx.config().get(EXPORT_DIR).is_some();
    if is_folder {
        let listing = Some(LISTING);
        ctx.export(Trees { folders, listing }).await?;
    }
    steps.done(Step::SaveTar, 1);
    steps.done(Step::Listing, 1);
    match is_folder {
        true => Ok(()),
        false => images::publish(ctx, name, steps).await,
    }
}

/// Writes what is exported of one repository: the repository, or the units of a time alone, each with its document.
async fn write(part: &Part<'_>, window: Window, steps: &Steps) -> Result<(), ContentError> {
    match window.is_bare {
        true => documents::write(part, steps).await,
        false => repository(part, steps).await,
    }
}

/// The first files of an export that are not here.
async fn missing(part: &Part<'_>) -> Result<Vec<String>, ContentError> {
    let mut missing = Vec::new();
    for type_id in [RPM, SRPM, DRPM] {
        let select = Select {
            fields: Some(&["filename"]),
            ..Select::all(type_id)
        };
        let mut units = part.units(select).await?;
        while let Some(batch) = units.try_next().await? {
            let absent = batch.iter().filter(|unit| unit.blob.is_none());
            let names = absent.map(|unit| text(unit, "filename").to_owned());
            missing.extend(names.take(NAMED - missing.len()));
            if missing.len() == NAMED {
                return Ok(missing);
            }
        }
    }
    Ok(missing)
}

impl Window {
    /// The steps that write what is exported.
    fn steps(&self) -> Vec<Step> {
        match self.is_bare {
            true => vec![Step::Units, Step::Errata],
            false => MADE.to_vec(),
        }
    }
}
