//! The yum importer: mirrors a feed (pulp2/rpm-sync).

pub mod documents;
pub mod errata;
pub mod errors;
pub mod feed;
pub mod gate;
pub mod mirrors;
pub mod modules;
pub mod others;
pub mod outbox;
pub mod packages;
pub mod progress;
pub mod purge;
mod side;
pub mod spool;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use pith_content::copy::{CopyContext, CopyReport, RemoveContext};
use pith_content::fetch::Fetched;
use pith_content::sync::{Importer, StageObserver, SyncContext, SyncReport};
use pith_content::unit::WantedUnit;
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Config, ContentError, PluginDescriptor, Problems, blocking};
use pith_core::{Digest, Document};
use serde_json::{Value, json};

use self::documents::Documents;
use self::feed::{Feed, Finder};
use self::packages::{Files, WantedPackages};
use self::progress::{Digests, SyncProgress, SyncStep};
use crate::metadata::MetadataError;
use crate::metadata::repomd::Data;
use crate::modular::Artifacts;
use crate::module_file::{ModuleFile, Survey};
use crate::plugins::{ON_DOWNLOAD_FAILURE, YUM_IMPORTER};
use crate::signature::SignaturePolicy;
use crate::type_ids::{
    CATEGORY, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, METADATA_FILE, MODULE_DOCUMENT,
    MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM,
};
use crate::units::Origin;
use crate::{config, copy, upload};

/// The yum importer.
#[derive(Debug, Clone, Copy, Default)]
pub struct YumImporter;

#[async_trait]
impl Importer for YumImporter {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &YUM_IMPORTER
    }

    fn validate(&self, config: &Config) -> Result<(), Problems> {
        config::importer(config)
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        let progress = Arc::new(progress_for(ctx));
        ctx.progress(progress.report());
        let result = Sync {
            ctx,
            progress: Arc::clone(&progress),
        }
        .run()
        .await;
        if let Err(error) = &result
            && !matches!(error, ContentError::Cancelled)
            && let Some(step) = progress.current()
        {
            progress.fail(step, error.to_string());
        }
        ctx.progress(progress.report());
        result
    }

    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        upload::run(ctx, upload).await
    }

    async fn copy(&self, ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
        copy::run(ctx).await
    }

    async fn remove(&self, ctx: &dyn RemoveContext) -> Result<(), ContentError> {
        copy::remove(ctx).await
    }
}

fn progress_for(ctx: &dyn SyncContext) -> SyncProgress {
    let config = ctx.config();
    let flag = |name: &str| config.flag(name) == Some(true);
    let digests = match (flag("validate"), flag("force_full")) {
        (true, _) => Digests::Usual,
        (false, true) => Digests::OfAll,
        (false, false) => Digests::OfNew,
    };
    SyncProgress::new(
        config.text(ON_DOWNLOAD_FAILURE) == Some("continue"),
        SignaturePolicy::of(config),
        digests,
        ctx.bent().clone(),
    )
}

/// The documents about delta packages.
const DELTAS: [&str; 2] = ["prestodelta", "deltainfo"];

/// One sync.
struct Sync<'a> {
    ctx: &'a dyn SyncContext,
    progress: Arc<SyncProgress>,
}

/// The metadata that was downloaded, by type, in whatever form it came.
type Downloads = HashMap<&'static str, (Fetched, String)>;

impl Sync<'_> {
    async fn run(&self) -> Result<SyncReport, ContentError> {
        let (feed, downloads) = self.metadata().await?;
        let Some(downloads) = downloads else {
            self.progress.finish_all();
            return Ok(self.report(&feed));
        };
        self.unknown_metadata(&feed).await?;
        self.progress.finish(SyncStep::Metadata);

        let mut modules = self.modules(&downloads).await?;
        let mut artifacts = modules.artifacts.clone();
        if !self.removes_missing() {
            // Modules that the feed does not have stay, and so do their packages.
            modules::extend(self.ctx, &mut artifacts).await?;
        }
        self.step(SyncStep::Content);
        self.packages(&feed, &downloads, artifacts).await?;
        self.step(SyncStep::Modules);
        let (survey, handed) = self.module_documents(&downloads, modules).await?;
        modules = survey;
        self.progress.finish(SyncStep::Modules);
        self.step(SyncStep::Errata);
        if self.wants(ERRATUM) {
            self.document(&downloads, "updateinfo", &[ERRATUM], errata::read)
                .await?;
        }
        self.progress.finish(SyncStep::Errata);
        self.step(SyncStep::Comps);
        let types = [GROUP, CATEGORY, ENVIRONMENT, LANGPACKS];
        self.document(&downloads, "group", &types, others::comps)
            .await?;
        self.progress.finish(SyncStep::Comps);

        self.step(SyncStep::PurgeDuplicates);
        self.ctx.drain().await?;
        if self.progress.failures().0 > 0 && !self.goes_on() {
            return Err(self.progress.missing_packages());
        }
        self.purge(&feed, &modules, &handed).await?;
        self.progress.finish(SyncStep::PurgeDuplicates);
        // Trees for installers are not mirrored yet: the step has nothing to do.
        self.progress.finish(SyncStep::Distribution);
        self.progress.finish(SyncStep::Content);
        Ok(self.report(&feed))
    }

    fn step(&self, step: SyncStep) {
        self.progress.begin(step);
        self.ctx.progress(self.progress.report());
    }

    fn goes_on(&self) -> bool {
        self.ctx.config().text(ON_DOWNLOAD_FAILURE) == Some("continue")
    }

    fn wants(&self, type_id: &str) -> bool {
        let skipped = self.ctx.config().list("type_skip_list");
        // Leaving out rpm leaves out source packages too (pulp2/rpm-sync#steps).
        let with_rpm = type_id == SRPM && skipped.contains(&RPM);
        !with_rpm && !skipped.contains(&type_id)
    }

    /// The repository behind the feed and its documents; without them when nothing changed since the last sync. When
    /// the documents of one mirror are gone, that of another counts.
    async fn metadata(&self) -> Result<(Feed, Option<Downloads>), ContentError> {
        let mut finder = Finder::new(self.ctx)?;
        let mut feed = self.find_feed(&mut finder).await?;
        loop {
            if self.nothing_changed(&feed).await? {
                return Ok((feed, None));
            }
            self.step(SyncStep::Metadata);
            let error = match self.download_metadata(&feed).await {
                Ok(downloads) => return Ok((feed, Some(downloads))),
                Err(error) => error,
            };
            let gone = matches!(&error, ContentError::Coded(detail) if detail.code == "RPM1004");
            let other = match gone {
                true => finder.another(&feed, &error).await,
                false => None,
            };
            feed = other.ok_or(error)?;
        }
    }

    async fn find_feed(&self, finder: &mut Finder<'_>) -> Result<Feed, ContentError> {
        let result = finder.first().await;
        if let Err(ContentError::Coded(detail)) = &result {
            match detail.code.as_str() {
                // Nothing was found, so there was nothing to do; this is what clients have always seen.
                "RPM1004" => self.progress.finish_all(),
                "RPM1006" => self
                    .progress
                    .fail(SyncStep::Metadata, detail.description.clone()),
                _ => {}
            }
        }
        result
    }

    /// Tells whether everything can be skipped (pulp2/rpm-sync#nothing-changed): the feed has the very repomd.xml that the last
    /// good sync read to its end. Revisions say nothing: who rolls back, or writes anew within a second, may change all behind
    /// one.
    async fn nothing_changed(&self, feed: &Feed) -> Result<bool, ContentError> {
        let read = self.ctx.scratchpad().get("repomd_checksum");
        let read = read.and_then(Value::as_str);
        if self.ctx.full_sync_required() || read != Some(feed.checksum.as_str()) {
            return Ok(false);
        }
        let policy = self.ctx.config().text("download_policy");
        if policy.unwrap_or("immediate") != "immediate" {
            return Ok(true);
        }
        Ok(self.ctx.units_not_downloaded().await? == 0)
    }

    async fn download_metadata(&self, feed: &Feed) -> Result<Downloads, ContentError> {
        if feed.repomd.get("primary").is_none() {
            return Err(errors::malformed(&format!(
                "\"primary\" metadata is not found in repomd.xml of {}",
                feed.bases[0]
            )));
        }
        for kind in ["filelists", "other"] {
            if feed.repomd.get(kind).is_none() {
                let sentence =
                    "documents that repomd.xml does not list: packages have no files or no changes";
                self.ctx.bent().note("document_missing", sentence, kind);
            }
        }
        let deltas = DELTAS.into_iter().filter(|_| self.wants(DRPM));
        let as_named = ["primary", "filelists", "other"].into_iter().chain(deltas);
        let as_named =
            as_named.map(|kind| (kind, feed.repomd.get(kind).into_iter().collect::<Vec<_>>()));
        let any_form = ["modules", "group", "updateinfo"].into_iter();
        let any_form = any_form
            .filter(|kind| *kind != "updateinfo" || self.wants(ERRATUM))
            .map(|kind| (kind, others::in_any_form(&feed.repomd, kind)));
        let all = as_named.chain(any_form);
        let all = try_join_all(all.map(|(kind, forms)| self.first_of(feed, kind, forms))).await?;
        Ok(all.into_iter().flatten().collect())
    }

    /// The first form of a document that can be had. Of the documents that repomd.xml lists, clients do without those about
    /// delta packages alone.
    async fn first_of(
        &self,
        feed: &Feed,
        kind: &'static str,
        forms: Vec<&Data>,
    ) -> Result<Option<(&'static str, (Fetched, String))>, ContentError> {
        let mut failure = None;
        for data in forms {
            match feed.download(self.ctx, data).await {
                Ok(fetched) => {
                    if let Some(failure) = failure {
                        let sentence = "documents of which one form could not be had were taken in another one";
                        let name = format!("{}: {failure}", data.kind);
                        self.ctx.bent().note("document_form", sentence, name);
                    }
                    return Ok(Some((kind, (fetched, feed.url(data)))));
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            None => Ok(None),
            Some(error @ ContentError::Coded(_)) if DELTAS.contains(&kind) => {
                let detail = json!({"errors": [error.to_string()]});
                let name = format!("{kind}: {error}");
                self.progress.go_without(DRPM, &name, detail);
                Ok(None)
            }
            Some(error) => Err(error),
        }
    }

    async fn unknown_metadata(&self, feed: &Feed) -> Result<(), ContentError> {
        let mut wanted: Vec<(&str, WantedUnit)> = Vec::new();
        let unknown = feed.repomd.data.iter();
        for data in unknown.filter(|data| others::is_unknown(&data.kind)) {
            if wanted.iter().any(|(kind, _)| *kind == data.kind) {
                continue;
            }
            let digest = match &data.checksum {
                Some(digest) => Ok(digest.clone()),
                None => self.own_digest(feed, data).await,
            };
            match digest {
                Ok(digest) => {
                    let unit = others::metadata_file(data, digest, feed, &self.ctx.repo().id);
                    wanted.extend(unit.map(|unit| (data.kind.as_str(), unit)));
                }
                Err(error @ ContentError::Coded(_)) => {
                    let detail = json!({"errors": [error.to_string()]});
                    let name = format!("{}: {error}", data.kind);
                    self.progress.go_without(METADATA_FILE, &name, detail);
                }
                Err(error) => return Err(error),
            }
        }
        self.stage(wanted.into_iter().map(|(_, unit)| unit).collect())
            .await
    }

    /// The digest of a file of which repomd.xml says none: it is the file's name here.
    async fn own_digest(&self, feed: &Feed, data: &Data) -> Result<Digest, ContentError> {
        let fetched = feed.download(self.ctx, data).await?;
        Ok(fetched.hashed.sha256.into())
    }

    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError> {
        let observer: Arc<dyn StageObserver> = Arc::clone(&self.progress) as _;
        let mut units = units.into_iter().peekable();
        while units.peek().is_some() {
            let batch = units.by_ref().take(500).collect();
            self.ctx.stage(batch, &observer).await?;
        }
        Ok(())
    }

    /// Returns what upstream's modules.yaml has.
    async fn modules(&self, downloads: &Downloads) -> Result<Survey, ContentError> {
        let Some((fetched, url)) = downloads.get("modules") else {
            return Ok(Survey::default());
        };
        let (bent, path) = (self.ctx.bent().clone(), fetched.path().to_path_buf());
        // Whoever does not want the answer any more lets go of this.
        let wanted = Arc::new(());
        let watched = Arc::downgrade(&wanted);
        let documents = Documents::while_wanted(move || watched.strong_count() > 0);
        let survey = blocking::run(move || {
            let file = std::fs::File::open(path)?;
            ModuleFile::new(file, Origin::Feed, documents).survey(&bent)
        });
        let survey = survey.await?;
        drop(wanted);
        survey.map_err(|e| errors::malformed_document(url, &e))
    }

    /// Stages the documents of upstream's modules.yaml; answers their digests.
    async fn module_documents(
        &self,
        downloads: &Downloads,
        survey: Survey,
    ) -> Result<(Survey, HashSet<String>), ContentError> {
        let Some((fetched, url)) = downloads.get("modules") else {
            return Ok((survey, HashSet::new()));
        };
        let path = fetched.path().to_path_buf();
        let repo_id = self.ctx.repo().id.clone();
        outbox::produce(
            self.ctx,
            &self.progress,
            |e| errors::malformed_document(url, &e),
            move |out| {
                let (file, bent) = (std::fs::File::open(path)?, out.bent().clone());
                let mut file = ModuleFile::new(file, Origin::Feed, out.documents());
                let handed = file.units(&survey, &repo_id, &bent, |unit| out.push(unit))?;
                Ok((survey, handed))
            },
        )
        .await
    }

    async fn packages(
        &self,
        feed: &Feed,
        downloads: &Downloads,
        artifacts: Artifacts,
    ) -> Result<(), ContentError> {
        let wanted = WantedPackages {
            rpm: self.wants(RPM),
            srpm: self.wants(SRPM),
            retain_old: self.retain_old(),
            artifacts,
        };
        let path = |kind: &str| {
            let found = downloads.get(kind);
            found.map(|(fetched, _)| fetched.path().to_path_buf())
        };
        if wanted.rpm || wanted.srpm {
            let files = Files {
                primary: path("primary").unwrap_or_default(),
                filelists: path("filelists"),
                other: path("other"),
            };
            let own = feed.clone();
            let outcome = outbox::produce(self.ctx, &self.progress, other_error, move |out| {
                Ok(packages::read(&files, &own, &wanted, out))
            })
            .await?;
            let left_out = outcome.map_err(|(kind, error)| {
                let url = downloads.get(kind).map(|(_, url)| url.as_str());
                errors::malformed_document(url.unwrap_or(kind), &error)
            })?;
            if left_out > 0 {
                self.progress.partial(&[RPM, SRPM]);
            }
        }
        for root in DELTAS {
            let own = feed.clone();
            let read = move |path: &Path, _: &str, out: &mut outbox::Outbox| {
                others::deltas(path, root, &own, out)
            };
            self.document(downloads, root, &[DRPM], read).await?;
        }
        Ok(())
    }

    /// Reads this document, when there is one, which tells of `types`.
    async fn document(
        &self,
        downloads: &Downloads,
        kind: &str,
        types: &[&'static str],
        read: impl FnOnce(&Path, &str, &mut outbox::Outbox) -> Result<bool, MetadataError>
        + Send
        + 'static,
    ) -> Result<(), ContentError> {
        let Some((fetched, url)) = downloads.get(kind) else {
            return Ok(());
        };
        let path = fetched.path().to_path_buf();
        let repo_id = self.ctx.repo().id.clone();
        let is_whole = outbox::produce(
            self.ctx,
            &self.progress,
            |e| errors::malformed_document(url, &e),
            move |out| read(&path, &repo_id, out),
        )
        .await?;
        if !is_whole {
            self.progress.partial(types);
        }
        Ok(())
    }

    fn retain_old(&self) -> Option<usize> {
        self.ctx
            .config()
            .integer("retain_old_count")
            .and_then(|n| usize::try_from(n).ok())
    }

    fn removes_missing(&self) -> bool {
        self.ctx.config().flag("remove_missing") == Some(true)
    }

    /// Takes out what is to go; `modules` is what upstream has, `handed` the digests of its documents.
    async fn purge(
        &self,
        feed: &Feed,
        modules: &Survey,
        handed: &HashSet<String>,
    ) -> Result<(), ContentError> {
        if self.removes_missing() {
            let types: Vec<&'static str> = [
                RPM,
                SRPM,
                DRPM,
                ERRATUM,
                GROUP,
                CATEGORY,
                ENVIRONMENT,
                LANGPACKS,
                MODULEMD,
                MODULEMD_DEFAULTS,
                MODULE_DOCUMENT,
            ]
            .into_iter()
            .filter(|t| self.wants(t) && self.progress.is_whole(t))
            .collect();
            self.ctx.remove_missing(&types).await?;
            if self.wants(METADATA_FILE) {
                others::forget_metadata_files(self.ctx, feed).await?;
            }
        }
        let (listed, kept) = modules::of_repository(self.ctx).await?;
        modules::forget(self.ctx, handed, &modules.streams, &kept).await?;
        modules::settle(self.ctx, handed).await?;
        purge::run(self.ctx, self.retain_old(), &listed).await?;
        modules::mark(self.ctx, &listed).await
    }

    fn report(&self, feed: &Feed) -> SyncReport {
        let mut pad = Document::new();
        let overridden = self.ctx.config().overridden().contains_key("feed");
        // What is broken is read and told again, until upstream mends it.
        let good = !self.progress.has_details() && self.progress.all_whole() && !overridden;
        let (revision, checksum) = if good {
            (json!(feed.repomd.revision), json!(feed.checksum))
        } else if overridden {
            (Value::Null, Value::Null)
        } else {
            let old = |key| {
                self.ctx
                    .scratchpad()
                    .get(key)
                    .cloned()
                    .unwrap_or(Value::Null)
            };
            (old("repomd_revision"), old("repomd_checksum"))
        };
        pad.insert("repomd_revision".to_owned(), revision);
        pad.insert("repomd_checksum".to_owned(), checksum);
        let mut repo_pad = Document::new();
        if let Some(digest) = feed.repomd.data.iter().find_map(|d| d.checksum.as_ref()) {
            repo_pad.insert("checksum_type".to_owned(), digest.algorithm().name().into());
        }
        SyncReport {
            summary: self.progress.summary(),
            details: self.progress.report(),
            importer_scratchpad: Some(pad),
            repo_scratchpad: repo_pad,
        }
    }
}

fn other_error(error: MetadataError) -> ContentError {
    ContentError::other(error)
}
