//! Mirroring a folder with a `PULP_MANIFEST` (pulp2/iso#sync).

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::BufReader;
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::base::Base;
use pith_content::copy::{CopyContext, CopyReport};
use pith_content::fetch::{Fetch, FetchFailure, FetchFailureKind};
use pith_content::repository::Units;
use pith_content::sync::{Importer, StageObserver, SyncContext, SyncReport, Upstream};
use pith_content::unit::{Existing, Select, Source, WantedUnit};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Bent, Config, ContentError, PluginDescriptor, Problems};
use pith_core::{Algorithm, Digest, Document};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::metadata::manifest::{self, Line, ManifestError};
use crate::mismatch::{wrong_digest, wrong_size};
use crate::names::{by_name, same_names};
use crate::progress::SyncProgress;
use crate::{IMPORTER, config};

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

    fn upstream(&self, config: &Config) -> Upstream {
        Upstream::from_config(config)
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        let progress = Arc::new(SyncProgress::new(ctx.clock().now()));
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
        let older = by_name().narrow("name", names);
        let older = same_names(ctx.units_after(older).await?).await?;
        ctx.remove("iso", older).await?;
        Ok(CopyReport::default())
    }
}

async fn mirror(ctx: &dyn SyncContext, progress: &Arc<SyncProgress>) -> Result<(), ContentError> {
    let Some(feed) = ctx.config().text("feed") else {
        return Err(ContentError::other(
            "Repository without feed cannot be synchronized",
        ));
    };
    // Not one of the known values means deferred too (pulp2/iso#importer).
    if ctx
        .config()
        .text("download_policy")
        .is_some_and(|policy| policy != "immediate")
    {
        progress.defer();
    }
    progress.enter("manifest_in_progress", ctx.clock().now());
    ctx.progress(progress.to_json());
    if !feed.contains("://") {
        let text =
            format!("Invalid URL '{feed}': No schema supplied. Perhaps you meant http://{feed}?");
        return Err(manifest_failed(ctx, progress, json!(text), text));
    }
    let base = ctx.feed()?;
    let what = Fetch::any(base.join(manifest::NAME), MAX_MANIFEST);
    let manifest = match ctx.fetch(what).await {
        Ok(manifest) => manifest,
        Err(failure) => {
            return Err(manifest_failed(
                ctx,
                progress,
                download_report(&failure),
                failure.message,
            ));
        }
    };
    progress.enter("isos_in_progress", ctx.clock().now());
    let observer: Arc<dyn StageObserver> = Arc::new(Observer(Arc::clone(progress)));
    let mut names = Names::default();
    let mut batches = read_in_background(manifest.path())?;
    while let Some(batch) = batches.recv().await {
        let lines = match batch {
            Ok(lines) => lines,
            Err(error) => {
                let text = "The PULP_MANIFEST file was not in the expected format.";
                let message = format!("{text} {}: {error}", manifest.url);
                return Err(manifest_failed(ctx, progress, json!(text), message));
            }
        };
        for line in &lines {
            names.look(line, ctx.bent());
        }
        ctx.stage(
            lines.iter().map(|line| wanted(base, line)).collect(),
            &observer,
        )
        .await?;
    }
    ctx.drain().await?;
    if let Some(failures) = progress.failures() {
        progress.enter("isos_failed", ctx.clock().now());
        return Err(ContentError::other(failures));
    }
    if ctx.config().flag("remove_missing") == Some(true) {
        ctx.remove_missing(&["iso"]).await?;
    }
    let older = same_names(ctx.units_after(by_name()).await?).await?;
    ctx.remove("iso", older).await?;
    progress.enter("complete", ctx.clock().now());
    Ok(())
}

/// Names of the manifest so far, by their hash.
#[derive(Default)]
struct Names {
    state: RandomState,
    seen: HashSet<u64>,
}

impl Names {
    /// Notes a name that came before, and one that was not written in the fewest words.
    fn look(&mut self, line: &Line, bent: &Bent) {
        if let Some(given) = &line.given {
            let sentence = "names of the manifest were taken without what leads nowhere in them";
            bent.note("name_cleaned", sentence, given);
        }
        if !self.seen.insert(self.state.hash_one(line.name.as_str())) {
            let sentence = "files that the manifest lists more than once are there once";
            bent.note("file_twice", sentence, line.name.as_str());
        }
    }
}

fn manifest_failed(
    ctx: &dyn SyncContext,
    progress: &SyncProgress,
    shown: Value,
    message: String,
) -> ContentError {
    progress.fail_manifest(shown, ctx.clock().now());
    ContentError::Failed {
        message,
        summary: progress.to_json(),
        details: Value::Null,
    }
}

/// The downloader's report, as Pulp shows it.
fn download_report(failure: &FetchFailure) -> Value {
    match failure.status {
        Some(status) => json!({ "response_code": status, "response_msg": failure.reason() }),
        None => json!(failure.message),
    }
}

/// Parses on a blocking thread, some batches ahead: the manifest is never in memory as a whole.
fn read_in_background(
    path: &std::path::Path,
) -> Result<mpsc::Receiver<Result<Vec<Line>, ManifestError>>, ContentError> {
    let file = File::open(path)?;
    let (sender, receiver) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        for line in manifest::read(BufReader::new(file)) {
            match line {
                Ok(line) => batch.push(line),
                Err(error) => {
                    let _ = sender.blocking_send(Err(error));
                    return;
                }
            }
            if batch.len() == BATCH
                && sender
                    .blocking_send(Ok(std::mem::take(&mut batch)))
                    .is_err()
            {
                return;
            }
        }
        if !batch.is_empty() {
            let _ = sender.blocking_send(Ok(batch));
        }
    });
    Ok(receiver)
}

fn wanted(base: &Base, line: &Line) -> WantedUnit {
    let checksum = line.sha256.to_string();
    let mut doc = Document::new();
    doc.insert("name".to_owned(), json!(line.name));
    doc.insert("checksum".to_owned(), json!(checksum));
    doc.insert("size".to_owned(), json!(line.size));
    let digests = Digest::new(Algorithm::Sha256, &checksum)
        .into_iter()
        .collect();
    WantedUnit {
        type_id: "iso",
        doc,
        parts: Vec::new(),
        source: Some(Source::Download {
            urls: base.join(line.given.as_deref().unwrap_or(line.name.as_str())),
            size: Some(line.size),
            digests,
            head: 0,
        }),
        existing: Existing::Keep,
    }
}

/// The names of units, of so many as a choice is narrowed to and one more.
async fn names(mut units: Units<'_>) -> Result<Vec<String>, ContentError> {
    let mut names = Vec::new();
    while names.len() <= Select::MOST_VALUES
        && let Some(batch) = units.try_next().await?
    {
        let own = batch.iter().filter_map(|unit| unit.doc.get("name"));
        names.extend(own.filter_map(Value::as_str).map(str::to_owned));
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
        let name = unit
            .doc
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let said = match &failure.kind {
            FetchFailureKind::Size { expected, actual } => {
                Some(wrong_size(name, *expected, *actual))
            }
            FetchFailureKind::Digest {
                expected, actual, ..
            } => Some(wrong_digest(name, expected, actual)),
            _ => None,
        };
        match said {
            Some(said) => {
                let message = format!("{said} ({})", failure.url);
                self.0.failed(name, &json!(said), &message);
            }
            None => self
                .0
                .failed(name, &download_report(failure), &failure.message),
        }
        Ok(())
    }

    fn progress(&self) -> Value {
        self.0.to_json()
    }
}
