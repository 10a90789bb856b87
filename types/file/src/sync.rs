//! Mirroring a folder with a `PULP_MANIFEST` (pulp2/iso#sync).

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::base::Base;
use pith_content::batches::Batches;
use pith_content::copy::{CopyContext, CopyReport};
use pith_content::fetch::{Fetch, FetchFailure, FetchFailureKind};
use pith_content::repository::Units;
use pith_content::seen::SeenHashes;
use pith_content::sync::{Importer, StageObserver, SyncContext, SyncReport};
use pith_content::unit::{Select, Source, WantedUnit, text};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Bent, Config, ContentError, PluginDescriptor, Problems};
use pith_core::Document;
use serde_json::{Value, json};

use crate::metadata::manifest::{self, Line, ManifestError};
use crate::mismatch::{wrong_digest, wrong_size};
use crate::names::{by_name, keep_last};
use crate::progress::SyncProgress;
use crate::{IMPORTER, ISO, config};

/// Largest manifest: about two million lines.
const MAX_MANIFEST: u64 = 256 * 1024 * 1024;
/// Units handed over at a time.
const BATCH: usize = 500;

/// The importer `iso_importer`.
#[derive(Debug, Default, Clone, Copy)]
pub struct IsoImporter;

#[async_trait]
impl Importer for IsoImporter {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &IMPORTER
    }

    fn validate(&self, config: &Config) -> Result<(), Problems> {
        config::check_importer(config)
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        // Not one of the known values means deferred too (pulp2/iso#importer).
        let policy = ctx.config().text("download_policy");
        let deferred = policy.is_some_and(|policy| policy != "immediate");
        let progress = Arc::new(SyncProgress::new(ctx.clock().now(), deferred));
        let result = mirror(ctx, &progress).await;
        ctx.progress(progress.to_json());
        result?;
        Ok(SyncReport {
            summary: progress.to_json(),
            ..SyncReport::default()
        })
    }

    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        crate::upload::import(ctx, upload).await
    }

    /// A repository holds a name once: what comes takes the place of what had its name (pulp2/iso#copy).
    async fn copy(&self, ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
        if !ctx.additional().is_empty() {
            return Err(ContentError::other(
                "additional_repos is for packages with dependencies; files have none",
            ));
        }
        let names = names(ctx.chosen(by_name()).await?).await?;
        keep_last(ctx, by_name().narrow("name", names)).await?;
        Ok(CopyReport::default())
    }
}

async fn mirror(ctx: &dyn SyncContext, progress: &Arc<SyncProgress>) -> Result<(), ContentError> {
    let Some(feed) = ctx.config().text("feed") else {
        return Err(ContentError::other(
            "Repository without feed cannot be synchronized",
        ));
    };
    progress.enter("manifest_in_progress", ctx.clock().now());
    ctx.progress(progress.to_json());
    let failed = |shown: Value, message: String| {
        progress.fail_manifest(shown, ctx.clock().now());
        ContentError::Failed {
            message,
            summary: progress.to_json(),
            details: Value::Null,
        }
    };
    if !feed.contains("://") {
        let text =
            format!("Invalid URL '{feed}': No schema supplied. Perhaps you meant http://{feed}?");
        return Err(failed(json!(text), text));
    }
    let base = ctx.feed()?;
    let what = Fetch::any(base.join(manifest::NAME), MAX_MANIFEST);
    let manifest = ctx.fetch(what).await;
    let manifest =
        manifest.map_err(|failure| failed(download_report(&failure), failure.message))?;
    progress.enter("isos_in_progress", ctx.clock().now());
    let observer: Arc<dyn StageObserver> = Arc::new(Observer(Arc::clone(progress)));
    let mut names = SeenHashes::default();
    let mut batches = read(manifest.path())?;
    while let Some(lines) = batches.next().await {
        for line in &lines {
            note_oddities(line, &mut names, ctx.bent());
        }
        let wanted = lines.iter().map(|line| wanted(base, line)).collect();
        ctx.stage(wanted, &observer).await?;
    }
    batches.end().await?.map_err(|error| {
        let text = "The PULP_MANIFEST file was not in the expected format.";
        failed(json!(text), format!("{text} {}: {error}", manifest.url))
    })?;
    ctx.drain().await?;
    if let Some(failures) = progress.failures() {
        progress.enter("isos_failed", ctx.clock().now());
        return Err(ContentError::other(failures));
    }
    if ctx.config().flag("remove_missing") == Some(true) {
        ctx.remove_missing(&[ISO.id]).await?;
    }
    keep_last(ctx, by_name()).await?;
    progress.enter("complete", ctx.clock().now());
    Ok(())
}

/// Notes a name that came before among `names`, and one that was not written in the fewest words.
fn note_oddities(line: &Line, names: &mut SeenHashes, bent: &Bent) {
    if let Some(given) = &line.given {
        let sentence = "names of the manifest were taken without what leads nowhere in them";
        bent.note("name_cleaned", sentence, given);
    }
    if !names.insert(line.name.as_str()) {
        let sentence = "files that the manifest lists more than once are there once";
        bent.note("file_twice", sentence, line.name.as_str());
    }
}

/// The downloader's report, as Pulp shows it.
fn download_report(failure: &FetchFailure) -> Value {
    match failure.status {
        Some(status) => json!({ "response_code": status, "response_msg": failure.reason() }),
        None => json!(failure.message),
    }
}

/// The lines of a manifest.
fn read(manifest: &Path) -> Result<Batches<Line, ManifestError>, ContentError> {
    let file = BufReader::new(File::open(manifest)?);
    Ok(Batches::of(BATCH, move |out| {
        for line in manifest::read(file) {
            if !out.put(line?) {
                break;
            }
        }
        Ok(())
    }))
}

fn wanted(base: &Base, line: &Line) -> WantedUnit {
    let doc = Document::from_iter([
        ("name".to_owned(), json!(line.name)),
        ("checksum".to_owned(), json!(line.sha256)),
        ("size".to_owned(), json!(line.size)),
    ]);
    let urls = base.join(line.given.as_deref().unwrap_or(line.name.as_str()));
    let source = Source::download(urls, Some(line.size), vec![line.sha256.into()]);
    WantedUnit::new(ISO.id, doc).with_file(source)
}

/// The names of units, of so many as a choice is narrowed to and one more.
async fn names(mut units: Units<'_>) -> Result<Vec<String>, ContentError> {
    let mut names = Vec::new();
    while names.len() <= Select::MOST_VALUES
        && let Some(batch) = units.try_next().await?
    {
        let own = batch.iter().filter_map(|unit| unit.text("name"));
        names.extend(own.map(str::to_owned));
    }
    Ok(names)
}

struct Observer(Arc<SyncProgress>);

impl StageObserver for Observer {
    fn queued(&self, _type_id: &str, size: u64) {
        self.0.queued(size);
    }

    fn done(&self, _type_id: &str, size: u64) {
        self.0.done(size);
    }

    fn failed(&self, unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        let name = text(&unit.doc, "name").unwrap_or_default();
        let said = match &failure.kind {
            FetchFailureKind::Size { expected, actual } => wrong_size(name, *expected, *actual),
            FetchFailureKind::Digest {
                expected, actual, ..
            } => wrong_digest(name, expected, actual),
            _ => {
                let report = download_report(failure);
                self.0.failed(name, &report, &failure.message);
                return Ok(());
            }
        };
        let message = format!("{said} ({})", failure.url);
        self.0.failed(name, &json!(said), &message);
        Ok(())
    }

    fn progress(&self) -> Value {
        self.0.to_json()
    }
}
