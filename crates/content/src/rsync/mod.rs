//! Rsync distributors: what another distributor of the repository has published, sent to another machine (pulp2/rsync).
//!
//! Files of units go to a folder of all units there, the publication is made of links to them, and its metadata comes last: who
//! reads there while it is sent finds the old metadata or the new one, and the files of both. A family says in a [`Layout`] what
//! differs.

mod settings;

use async_trait::async_trait;
use pith_core::RelativePath;
use pith_core::error::ErrorDetail;

use self::settings::{CONTENT_UNITS_ONLY, DELETE, PREDISTRIBUTOR, check, units_path};
pub use self::settings::{NO_LINKED_FOLDERS, REMOTE, SETTINGS};
use crate::publish::{
    ClientGuard, Distributor, Mount, OtherDistributor, PublishContext, PublishReport,
};
use crate::remote::{Passing, Placed, Remote};
use crate::steps::{PlainStep, Steps};
use crate::{Config, ContentError, PluginDescriptor, Problems, relative_url};

/// The setting for leaving the metadata of packages out; not every family has it.
pub const SKIP_DOCUMENTS: &str = "skip_repodata";

/// The things that differ between the families.
#[derive(Debug)]
pub struct Layout {
    /// The types whose files are sent to the folder of all units.
    pub types: &'static [&'static str],
    /// The names of the steps: looking for units, sending their files, links, and metadata.
    pub steps: [&'static str; 4],
    /// Code and text of the error when no distributor is named to send the publications of.
    pub unnamed: (&'static str, &'static str),
    /// The file or folder of a publication that is its metadata.
    pub documents: &'static str,
    /// Tells whether a path is metadata that names the rest, and so comes last.
    pub is_last: fn(&str) -> bool,
}

/// A step of this name.
fn plain(name: &'static str) -> PlainStep {
    (name, "")
}

impl Layout {
    fn is_document(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.documents);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The step that Pulp ended with.
const LAST_STEP: PlainStep = ("UpdateLastPredistDate", "");

/// The rsync distributor of a family.
#[derive(Debug, Clone, Copy)]
pub struct RsyncDistributor {
    /// The description; its settings are [`SETTINGS`], and [`SKIP_DOCUMENTS`] where there is that.
    pub descriptor: &'static PluginDescriptor,
    /// The things that differ from those of others.
    pub layout: &'static Layout,
}

#[async_trait]
impl Distributor for RsyncDistributor {
    fn descriptor(&self) -> &'static PluginDescriptor {
        self.descriptor
    }

    fn validate(
        &self,
        _repo_id: &str,
        config: &Config,
        _others: &[OtherDistributor],
    ) -> Result<(), Problems> {
        settings::check(config)
    }

    fn mounts(&self, _repo_id: &str, _config: &Config) -> Vec<Mount> {
        Vec::new()
    }

    fn guard(&self, _config: &Config) -> Option<ClientGuard> {
        None
    }

    fn predistributor(&self, config: &Config) -> Option<(&'static str, String)> {
        let id = config.text(PREDISTRIBUTOR).filter(|id| !id.is_empty())?;
        Some((PREDISTRIBUTOR, id.to_owned()))
    }

    fn remote(&self, config: &Config) -> Option<Remote> {
        Remote::of_settings(config)
    }

    fn is_current_only(&self, _path: &str) -> bool {
        // One publication is not continued by the next.
        true
    }

    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError> {
        let names = self.layout.steps.map(plain).into_iter().chain([LAST_STEP]);
        let steps = Steps::new(names);
        let result = run(ctx, self.layout, &steps).await;
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

async fn run(
    ctx: &dyn PublishContext,
    layout: &Layout,
    steps: &Steps<PlainStep>,
) -> Result<(), ContentError> {
    let config = ctx.config();
    check(config)?;
    let Some(before) = ctx.predistributor() else {
        let (code, text) = layout.unnamed;
        return Err(ContentError::coded(ErrorDetail::new(code, text)));
    };
    let folder = RelativePath::new(relative_url::effective(&ctx.repo().id, before))?;
    let units = units_path(config)?;
    if relative_url::meet(folder.as_str(), units.as_str()) {
        let text = format!(
            "the repository's folder '{folder}' and that of all units, '{units}', meet: name another remote_units_path"
        );
        return Err(ContentError::other(text));
    }
    let sent = Sent {
        ctx,
        layout,
        steps,
        folder,
        units,
    };
    let [_, _, content, documents] = layout.steps.map(plain);
    let is_on = |name| config.flag(name) == Some(true);
    sent.send_units().await?;
    if is_on(CONTENT_UNITS_ONLY) {
        steps.skip(content);
        steps.skip(documents);
    } else {
        sent.send_links().await?;
        match is_on(SKIP_DOCUMENTS) {
            true => steps.skip(documents),
            false => sent.send_documents().await?,
        }
        if is_on(DELETE) {
            let kept = sent.below(layout.documents)?;
            let spared = is_on(SKIP_DOCUMENTS).then_some(&kept);
            ctx.prune(&sent.folder, spared).await?;
        }
    }
    steps.done(LAST_STEP, 1);
    Ok(())
}

/// A publication on its way.
struct Sent<'a> {
    ctx: &'a dyn PublishContext,
    layout: &'a Layout,
    steps: &'a Steps<PlainStep>,
    /// The folder of the publication there.
    folder: RelativePath,
    /// The folder of all units there.
    units: RelativePath,
}

impl Sent<'_> {
    /// The place of a path of the publication.
    fn below(&self, path: &str) -> Result<RelativePath, ContentError> {
        Ok(self.folder.join(&RelativePath::new(path)?)?)
    }

    /// The place of the file of a unit.
    fn stored(&self, stored_at: &str) -> Result<RelativePath, ContentError> {
        Ok(self.units.join(&RelativePath::new(stored_at)?)?)
    }

    /// Sends the files of units.
    async fn send_units(&self) -> Result<(), ContentError> {
        let [query, origin, _, _] = self.layout.steps.map(plain);
        self.steps.begin(query, 1);
        let file = |passing: Passing<'_>| {
            let at = passing.stored_at.map(|stored| self.stored(stored));
            Ok(at.transpose()?.map(Placed::File))
        };
        self.ctx.pass_on(self.layout.types, &file).await?;
        self.steps.done(query, 1);
        self.begin(origin);
        self.ctx.send().await?;
        self.steps.done(origin, 1);
        Ok(())
    }

    /// Sends what the publication has besides metadata: links to the files of units.
    async fn send_links(&self) -> Result<(), ContentError> {
        let [_, _, content, _] = self.layout.steps.map(plain);
        let link = |passing: Passing<'_>| {
            if self.layout.is_document(passing.path) {
                return Ok(None);
            }
            let at = self.below(passing.path)?;
            Ok(Some(match passing.stored_at {
                Some(stored) => Placed::Link {
                    at,
                    to: self.stored(stored)?,
                },
                // Files that are no unit's any more, or are part of one.
                None => Placed::File(at),
            }))
        };
        self.ctx.pass_on(self.layout.types, &link).await?;
        self.begin(content);
        self.ctx.send().await?;
        self.steps.done(content, 1);
        Ok(())
    }

    /// Sends the metadata, and last of it what names the rest.
    async fn send_documents(&self) -> Result<(), ContentError> {
        let [_, _, _, documents] = self.layout.steps.map(plain);
        self.begin(documents);
        for is_last in [false, true] {
            let document = |passing: Passing<'_>| {
                let is_now = self.layout.is_document(passing.path)
                    && (self.layout.is_last)(passing.path) == is_last;
                let at = is_now.then(|| self.below(passing.path)).transpose()?;
                Ok(at.map(Placed::File))
            };
            self.ctx.pass_on(&[], &document).await?;
            self.ctx.send().await?;
        }
        self.steps.done(documents, 1);
        Ok(())
    }

    fn begin(&self, step: PlainStep) {
        self.steps.begin(step, 1);
        self.ctx.progress(self.steps.report());
    }
}
