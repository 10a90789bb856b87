//! Running a sync: the platform's half (reference: platform-api §4.5, rpm §6.3; design §9).

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use pith_content::fetch::{Fetch, FetchFailure, Fetched};
use pith_content::sync::{Importer as Plugin, RepoInfo, StageObserver, SyncContext, SyncReport};
use pith_content::unit::{RepoUnit, Select, WantedUnit};
use pith_content::{Bent, Config, ContentError};
use pith_core::error::PulpError;
use pith_core::{Clock, Document, Timestamp, UnitId};
use pith_fetch::Session;
use pith_store::{Committed, History, HistoryKind, Importer, Repository};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::basis;
use super::commit;
use super::download::{failure, feed_url, fetch_document};
use super::stage::{Plan, Policy, Stages};
use super::subject::{Subject, blank_entry, document, failed_entry, info, same_override};
use super::units;
use crate::catalog::Cataloger;
use crate::content_sources::Supply;
use crate::error::from_store;
use crate::upstream::upstream;
use crate::worker::{Done, Failure, Run};
use crate::{Job, history};

/// Runs `Job::Sync`.
pub(super) async fn run(
    run: Run,
    repo_id: String,
    override_config: Value,
) -> Result<Done, Failure> {
    let engine = Arc::clone(&run.engine);
    let started = engine.clock.now();
    let Subject {
        repo,
        importer,
        plugin,
    } = Subject::of(&engine, &repo_id).await?;
    let overriding = document("override_config", override_config)?;
    run.progress.set_key(&importer.type_id);
    // Cancelled, the sync is dropped where it stands, and its history says so.
    let bent = Bent::default();
    let result = run
        .until_cancelled(sync(&run, &repo, &importer, plugin, (&overriding, &bent)))
        .await;
    let ended = Ended {
        started,
        completed: engine.clock.now(),
        result,
        bent,
    };
    let entry = ended.history(&repo_id, &importer.type_id);
    record(&run, &repo, &overriding, &ended, &entry).await?;
    match ended.result {
        Ok(_) => {
            let mut spawned = auto_publish(&run, &repo_id).await?;
            let config = Config::with_override(importer.config, overriding);
            if config.text("download_policy") == Some("background") {
                let job = Job::DownloadRepository {
                    repo_id,
                    verify_all_units: false,
                };
                spawned.push(run.engine.enqueue(job).await?);
            }
            Ok(Done {
                result: history::result_json(HistoryKind::Sync, &entry),
                error: None,
                spawned,
            })
        }
        Err(ContentError::Cancelled) => Err(Failure::Cancelled),
        Err(ContentError::Failed { message, .. }) => {
            tracing::warn!(%message, repo_id, "the importer reports failure");
            let mut error = PulpError::execution("Importer indicated a failed response");
            error
                .detail
                .data
                .insert("message".to_owned(), json!(message));
            Err(Failure::Error(error))
        }
        Err(error) => Err(Failure::Error(error.into())),
    }
}

struct Ended {
    started: Timestamp,
    completed: Timestamp,
    result: Result<(SyncReport, Committed), ContentError>,
    bent: Bent,
}

impl Ended {
    fn history(&self, repo_id: &str, importer_type: &str) -> History {
        let mut entry = self.outcome(repo_id, importer_type);
        self.bent.add_to(&mut entry.details, "upstream");
        entry
    }

    fn outcome(&self, repo_id: &str, importer_type: &str) -> History {
        let actor = (importer_type, importer_type);
        let base = blank_entry(repo_id, actor, (self.started, self.completed));
        match &self.result {
            Ok((report, committed)) => History {
                result: "success".to_owned(),
                added: Some(committed.added),
                updated: Some(committed.updated),
                removed: Some(committed.removed),
                summary: report.summary.clone(),
                details: report.details.clone(),
                ..base
            },
            Err(ContentError::Failed {
                summary, details, ..
            }) => History {
                result: "failed".to_owned(),
                added: Some(0),
                updated: Some(0),
                removed: Some(0),
                summary: summary.clone(),
                details: details.clone(),
                ..base
            },
            Err(ContentError::Cancelled) => {
                let text = json!("Sync was cancelled");
                History {
                    result: "canceled".to_owned(),
                    added: Some(0),
                    updated: Some(0),
                    removed: Some(0),
                    summary: text.clone(),
                    details: text,
                    ..base
                }
            }
            Err(error) => failed_entry(error, base),
        }
    }
}

/// Writes what every sync leaves behind, successful or not: history, `last_sync`, scratchpads.
async fn record(
    run: &Run,
    repo: &Repository,
    overriding: &Document,
    ended: &Ended,
    entry: &History,
) -> Result<(), PulpError> {
    let store = &run.engine.store;
    if let Ok((report, _)) = &ended.result {
        if let Some(scratchpad) = &report.importer_scratchpad {
            store
                .importer_set_scratchpad(&repo.id, Some(scratchpad))
                .await
                .map_err(from_store)?;
        }
        if !report.repo_scratchpad.is_empty() {
            let mut scratchpad = repo.scratchpad.clone();
            for (key, value) in &report.repo_scratchpad {
                scratchpad.insert(key.clone(), value.clone());
            }
            scratchpad.retain(|_, value| !value.is_null());
            store
                .repository_set_scratchpad(&repo.id, &scratchpad)
                .await
                .map_err(from_store)?;
        }
    }
    let last_override = ended.result.is_ok().then_some(overriding);
    store
        .importer_set_last_sync(&repo.id, ended.completed, last_override)
        .await
        .map_err(from_store)?;
    store
        .history_add(HistoryKind::Sync, entry)
        .await
        .map_err(from_store)
}

async fn auto_publish(run: &Run, repo_id: &str) -> Result<Vec<pith_core::TaskId>, PulpError> {
    let store = &run.engine.store;
    let distributors = store
        .distributor_list(Some(&[repo_id.to_owned()]))
        .await
        .map_err(from_store)?;
    let mut spawned = Vec::new();
    for distributor in distributors
        .into_iter()
        .filter(|distributor| distributor.auto_publish)
    {
        let job = Job::Publish {
            repo_id: repo_id.to_owned(),
            distributor_id: json!(distributor.id),
            override_config: Value::Null,
        };
        spawned.push(run.engine.enqueue(job).await?);
    }
    Ok(spawned)
}

async fn sync(
    run: &Run,
    repo: &Repository,
    importer: &Importer,
    plugin: Arc<dyn Plugin>,
    (overriding, bent): (&Document, &Bent),
) -> Result<(SyncReport, Committed), ContentError> {
    let engine = &run.engine;
    let config = Config::with_override(importer.config.clone(), overriding.clone());
    plugin.validate(&config).map_err(ContentError::Other)?;
    let reached = plugin.upstream(&config);
    // The type says what is wrong with a feed that is no URL, in its own words.
    let feed = reached.feed.as_deref().and_then(|feed| feed_url(feed).ok());
    let settings = upstream(&reached);
    let downloads = settings.max_downloads;
    let session = engine
        .fetcher
        .session(settings)
        .map_err(|error| ContentError::Fetch(failure(&error)))?;
    let session = session.with_cancel(run.cancel.clone());
    let policy = match config.text("download_policy") {
        None | Some("immediate") => Policy::Immediate,
        Some(_) => Policy::Deferred,
    };
    let supply = match policy {
        Policy::Immediate => Supply::fresh(engine).await,
        Policy::Deferred => Supply::default(),
    };
    let plan = Plan {
        task: run.task,
        policy,
        downloads,
        session: &session,
        feed: feed.as_ref(),
        catalog: cataloger(&*plugin, importer),
        supply,
    };
    let stages = Stages::start(Arc::clone(engine), plan);
    let made_from = engine.store.importer_made_from(&repo.id).await;
    let made_from = made_from.map_err(ContentError::other)?;
    let unchanged = made_from == Some(basis::of_sync(repo.version, &*plugin, &config));
    let ctx = Context {
        run,
        repo: info(repo),
        full: !unchanged || full_sync_required(repo, importer, &config, overriding),
        scratchpad: importer.scratchpad.clone().unwrap_or_default(),
        config,
        session,
        feed,
        stages,
        last_report: Mutex::new(Value::Null),
        bent: bent.clone(),
    };
    let report = plugin.sync(&ctx).await;
    run.progress.observe(None);
    run.progress.report(ctx.last_report.lock().clone());
    let report = report?;
    ctx.stages.drain().await?;
    let committed = commit::content(run, &repo.id)
        .await
        .map_err(ContentError::other)?;
    let version = committed.version.unwrap_or(repo.version);
    let made_from = basis::of_sync(version, &*plugin, &ctx.config);
    let noted = engine.store.importer_set_made_from(&repo.id, &made_from);
    noted.await.map_err(ContentError::other)?;
    Ok((report, committed))
}

/// Notes where files are: relative to the stored feed, so that they are found at a new one too.
fn cataloger(plugin: &dyn Plugin, importer: &Importer) -> Cataloger {
    let stored = plugin.upstream(&Config::new(importer.config.clone()));
    let feed = stored.feed.and_then(|feed| feed_url(&feed).ok());
    Cataloger::of(&importer.repo_id, feed)
}

/// Whether the platform demands that nothing is skipped, as far as times tell (reference: rpm §6.3).
fn full_sync_required(
    repo: &Repository,
    importer: &Importer,
    config: &Config,
    overriding: &Document,
) -> bool {
    let Some(last_sync) = importer.last_sync else {
        return true;
    };
    config.flag("force_full") == Some(true)
        || repo
            .last_unit_removed
            .is_some_and(|removed| removed > last_sync)
        || importer.last_updated > last_sync
        || !same_override(importer.last_override.as_ref(), overriding)
}

struct Context<'a> {
    run: &'a Run,
    repo: RepoInfo,
    config: Config,
    scratchpad: Document,
    full: bool,
    session: Session,
    feed: Option<Url>,
    stages: Stages,
    last_report: Mutex<Value>,
    bent: Bent,
}

#[async_trait]
impl SyncContext for Context<'_> {
    fn repo(&self) -> &RepoInfo {
        &self.repo
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn scratchpad(&self) -> &Document {
        &self.scratchpad
    }

    fn full_sync_required(&self) -> bool {
        self.full
    }

    async fn units_not_downloaded(&self) -> Result<u64, ContentError> {
        let count = self
            .run
            .engine
            .store
            .repository_units_not_downloaded(&self.repo.id)
            .await;
        u64::try_from(count.map_err(ContentError::other)?).map_err(ContentError::other)
    }

    fn clock(&self) -> &dyn Clock {
        &*self.run.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    fn bent(&self) -> &Bent {
        &self.bent
    }

    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure> {
        fetch_document(&self.run.engine, &self.session, self.feed.as_ref(), what).await
    }

    fn progress(&self, report: Value) {
        *self.last_report.lock() = report.clone();
        self.run.progress.report(report);
    }

    async fn stage(
        &self,
        units: Vec<WantedUnit>,
        observer: &Arc<dyn StageObserver>,
    ) -> Result<(), ContentError> {
        self.run.progress.observe(Some(observer));
        self.stages.stage(units, observer).await
    }

    async fn drain(&self) -> Result<(), ContentError> {
        self.stages.drain().await
    }

    async fn remove_missing(&self, type_ids: &[&'static str]) -> Result<(), ContentError> {
        self.stages.drain().await?;
        let removed = self
            .run
            .engine
            .store
            .stage_remove_missing(self.run.task, &self.repo.id, type_ids)
            .await;
        removed.map(|_| ()).map_err(ContentError::other)
    }

    async fn remove(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        super::units::remove(&self.run.engine.store, self.run.task, type_id, units).await
    }

    async fn units_after(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        units::after(
            &self.run.engine.store,
            self.run.task,
            &self.repo.id,
            &select,
        )
    }
}
