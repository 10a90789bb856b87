//! Running a sync: the platform's half (pulp2/sync-and-publish#sync).

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pith_content::base::Base;
use pith_content::fetch::{Fetch, FetchFailure, FetchOutcome, FetchUnless, Fetched};
use pith_content::files::FileSet;
use pith_content::repository::RepositoryContext;
use pith_content::sync::{
    FeedAccess, Importer as Plugin, NoFeed, StageObserver, SyncContext, SyncReport,
};
use pith_content::task::{ProgressContext, Within};
use pith_content::unit::WantedUnit;
use pith_content::{Bent, Config, ContentError};
use pith_core::error::PulpError;
use pith_core::{Document, Sha256, TaskId, Timestamp};
use pith_fetch::Session;
use pith_store::{
    Committed, Distributor, History, HistoryKind, Importer, LastTx, NewTask, Repository,
};
use serde_json::{Value, json};

use super::EntryDocument;
use super::basis;
use super::content::Content;
use super::download::{Documents, failure};
use super::files::{self, Files};
use super::moving::Policy;
use super::stage::{Plan, Stages};
use super::subject::{Subject, blank_entry, document, failed_entry, same_override};
use crate::acting;
use crate::attempt::{Done, Run};
use crate::catalog::CatalogWriter;
use crate::content_sources::Supply;
use crate::error::{Error, platform};
use crate::jobs::{DownloadRepository, PublishRepository, SyncRepository};
use crate::secrets::effective;
use crate::upstream::{site, upstream};

/// Runs a [`SyncRepository`].
pub(crate) async fn run(
    run: Run,
    job: SyncRepository,
    document_of: EntryDocument,
) -> Result<Done, Error> {
    let SyncRepository {
        repo_id,
        override_config,
    } = job;
    let engine = Arc::clone(&run.engine);
    let started = engine.clock.now();
    let Subject {
        repo,
        importer,
        plugin,
    } = Subject::of(&run, &repo_id).await?;
    let overriding = document("override_config", override_config)?;
    run.progress.set_key(&importer.type_id);
    // Cancelled, the sync is dropped where it stands, and its history says so.
    let bent = Bent::default();
    let sync = sync(&run, &repo, &importer, &plugin, (&overriding, &bent));
    let synced = run.until_cancelled(run.in_time(sync)).await;
    let subject = Ended {
        run: &run,
        repo: &repo,
        importer: &importer,
        plugin: &*plugin,
        overriding: &overriding,
        bent: &bent,
        started,
    };
    let ended = match synced {
        Ok(report) => subject.well(&report, document_of).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(done) => Ok(done),
        Err(error) => Err(subject.badly(error).await?),
    }
}

/// A sync that has nothing more to fetch, and what it is about.
struct Ended<'a> {
    run: &'a Run,
    repo: &'a Repository,
    importer: &'a Importer,
    plugin: &'a dyn Plugin,
    overriding: &'a Document,
    /// Notes of what had to be bent.
    bent: &'a Bent,
    started: Timestamp,
}

impl Ended<'_> {
    /// Makes what was synced the content of the repository, writes what a sync leaves behind, queues what follows, and
    /// ends the task: all or nothing.
    async fn well(&self, report: &SyncReport, document_of: EntryDocument) -> Result<Done, Error> {
        let (run, repo_id) = (self.run, self.repo.id.as_str());
        let last = run.last().await?;
        let completed = run.engine.clock.now();
        let committed = last.content_commit(repo_id, completed).await?;
        let mut entry = self.succeeded(completed, report, &committed);
        self.bent.add_to(&mut entry.details, "upstream");
        self.keep_scratchpads(&last, report).await?;
        self.record(&last, &entry, Some(self.overriding)).await?;
        let version = committed.version.unwrap_or(self.repo.version);
        let made_from = basis::of_sync(version, self.plugin, &self.config());
        last.importer_set_made_from(repo_id, &made_from).await?;
        let done = Done {
            result: document_of(HistoryKind::Sync, &entry),
            error: None,
            spawned: self.follow_ups(&last).await?,
        };
        let done = run.finish(last, done).await?;
        run.engine.content_grew(committed.added);
        Ok(done)
    }

    /// Writes what a sync that failed or was cancelled leaves behind, and ends the task. The failure.
    async fn badly(&self, error: Error) -> Result<Error, Error> {
        let last = self.run.store.begin_last().await?;
        let mut entry = self.failed(self.run.engine.clock.now(), &error);
        self.bent.add_to(&mut entry.details, "upstream");
        self.record(&last, &entry, None).await?;
        let failure = match error {
            Error::Content(ContentError::Failed { message, .. }) => {
                tracing::warn!(%message, repo_id = self.repo.id, "the importer reports failure");
                let mut error = PulpError::execution("Importer indicated a failed response");
                let data = &mut error.detail.data;
                data.insert("message".to_owned(), json!(message));
                error.into()
            }
            error => error,
        };
        Ok(self.run.fail(last, failure).await)
    }

    fn config(&self) -> Config {
        effective(&self.importer.config, self.overriding).0
    }

    fn blank(&self, completed: Timestamp) -> History {
        let actor = self.importer.type_id.as_str();
        let between = (self.started, completed);
        blank_entry(&self.repo.id, (actor, actor), between)
    }

    fn succeeded(
        &self,
        completed: Timestamp,
        report: &SyncReport,
        committed: &Committed,
    ) -> History {
        History {
            result: "success".to_owned(),
            added: Some(committed.added),
            updated: Some(committed.updated),
            removed: Some(committed.removed),
            summary: report.summary.clone(),
            details: report.details.clone(),
            ..self.blank(completed)
        }
    }

    fn failed(&self, completed: Timestamp, error: &Error) -> History {
        let (result, summary, details) = match error {
            Error::Content(ContentError::Failed {
                summary, details, ..
            }) => ("failed", summary.clone(), details.clone()),
            Error::Cancelled => {
                let text = json!("Sync was cancelled");
                ("canceled", text.clone(), text)
            }
            error => return failed_entry(error, self.blank(completed)),
        };
        History {
            result: result.to_owned(),
            added: Some(0),
            updated: Some(0),
            removed: Some(0),
            summary,
            details,
            ..self.blank(completed)
        }
    }

    async fn keep_scratchpads(&self, last: &LastTx, report: &SyncReport) -> pith_store::Result<()> {
        if let Some(scratchpad) = &report.importer_scratchpad {
            let set = last.importer_set_scratchpad(&self.repo.id, Some(scratchpad));
            set.await?;
        }
        if report.repo_scratchpad.is_empty() {
            return Ok(());
        }
        let mut scratchpad = self.repo.scratchpad.clone();
        for (key, value) in &report.repo_scratchpad {
            scratchpad.insert(key.clone(), value.clone());
        }
        scratchpad.retain(|_, value| !value.is_null());
        last.repository_set_scratchpad(&self.repo.id, &scratchpad)
            .await
    }

    /// Writes what every sync leaves behind, successful or not: `last_sync` and history.
    async fn record(
        &self,
        last: &LastTx,
        entry: &History,
        overriding: Option<&Document>,
    ) -> pith_store::Result<()> {
        last.importer_set_last_sync(&self.repo.id, entry.completed, overriding)
            .await?;
        last.history_add(HistoryKind::Sync, entry).await
    }

    /// Queues what follows: a publish for each distributor that wants it, and the download of what was put off.
    async fn follow_ups(&self, last: &LastTx) -> Result<Vec<TaskId>, Error> {
        let repo_id = &self.repo.id;
        let distributors = last.distributor_list(Some(std::slice::from_ref(repo_id)));
        let distributors = distributors.await?;
        let engine = &self.run.engine;
        let publish = |distributor: &Distributor| {
            engine.new_task(&PublishRepository {
                repo_id: repo_id.clone(),
                distributor_id: json!(distributor.id),
                override_config: Value::Null,
            })
        };
        // Whoever passes on what another one publishes comes behind that.
        let passes_on = |distributor: &&Distributor| {
            let plugin = engine.registry.distributor(&distributor.type_id);
            let config = Config::new(distributor.config.clone());
            plugin.is_some_and(|plugin| plugin.predistributor(&config).is_some())
        };
        let wanting = distributors.iter().filter(|each| each.auto_publish);
        let (last_ones, first_ones): (Vec<_>, Vec<_>) = wanting.partition(passes_on);
        let mut tasks: Vec<NewTask> = first_ones
            .into_iter()
            .chain(last_ones)
            .map(publish)
            .collect::<Result<_, _>>()?;
        if self.config().text("download_policy") == Some("background") {
            tasks.push(engine.new_task(&DownloadRepository {
                repo_id: repo_id.clone(),
                verify_all_units: false,
            })?);
        }
        for task in &tasks {
            last.task_enqueue(task).await?;
        }
        Ok(tasks.iter().map(|task| task.id).collect())
    }
}

async fn sync(
    run: &Run,
    repo: &Repository,
    importer: &Importer,
    plugin: &Arc<dyn Plugin>,
    (overriding, bent): (&Document, &Bent),
) -> Result<SyncReport, Error> {
    let engine = &run.engine;
    let (config, withheld) = effective(&importer.config, overriding);
    for secret in withheld {
        let sentence =
            "stored secrets were not used, since the override names another feed or proxy";
        bent.note("secrets_withheld", sentence, secret);
    }
    plugin.validate(&config)?;
    let reached = plugin.upstream(&config);
    let feed = engine.check_feed(reached.base());
    feed.map_err(ContentError::other)?;
    let settings = upstream(&reached);
    let downloads = settings.max_downloads;
    let site = site(&settings, &repo.id);
    let session = engine
        .fetcher
        .session(settings)
        .map_err(|error| ContentError::Fetch(failure(&error)))?;
    let session = session.with_cancel(run.cancel.clone());
    let session = session.discreet(acting::is_discreet());
    let policy = match config.text("download_policy") {
        None | Some("immediate") => Policy::Immediate,
        Some(_) => Policy::Deferred,
    };
    let supply = match policy {
        Policy::Immediate => Supply::fresh(engine).await,
        Policy::Deferred => Supply::default(),
    };
    let plan = Plan {
        store: run.store.clone(),
        repo: &repo.id,
        site,
        policy,
        downloads,
        session: &session,
        bent,
        catalog: cataloger(
            &**plugin,
            importer,
            (&reached, session.is_in_internet().await),
        ),
        supply,
    };
    let stages = Stages::start(Arc::clone(engine), plan);
    let made_from = run.store.importer_made_from(&repo.id).await?;
    let unchanged = made_from == Some(basis::of_sync(repo.version, &**plugin, &config));
    let ctx = Context {
        full: !unchanged || full_sync_required(repo, importer, &config, overriding),
        scratchpad: importer.scratchpad.clone().unwrap_or_default(),
        content: Content::new(run, repo, config),
        feed: reached.feed,
        downloads,
        session,
        stages,
        last_report: Mutex::new(Value::Null),
        bent: bent.clone(),
    };
    let report = plugin.sync(&ctx).await;
    run.progress.observe(None);
    run.progress.report(ctx.last_report.lock().clone());
    let report = report?;
    ctx.stages.drain().await?;
    Ok(report)
}

/// Notes where files are: relative to the stored feed, so that they are found at a new one too, and with the site that they
/// came from, which an override may have named.
fn cataloger(
    plugin: &dyn Plugin,
    importer: &Importer,
    (reached, in_internet): (&FeedAccess, bool),
) -> CatalogWriter {
    let stored = plugin.upstream(&Config::new(importer.config.clone()));
    let read = (reached.base().cloned(), in_internet);
    CatalogWriter::of(&importer.repo_id, stored.feed.ok(), read)
}

/// Tells whether the platform demands that nothing is skipped, as far as times tell (pulp2/sync-and-publish#sync).
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
    content: Content<'a>,
    feed: Result<Base, NoFeed>,
    scratchpad: Document,
    full: bool,
    /// Downloads at once.
    downloads: usize,
    session: Session,
    stages: Stages,
    last_report: Mutex<Value>,
    bent: Bent,
}

impl Context<'_> {
    fn run(&self) -> &Run {
        self.content.run
    }

    fn documents(&self) -> Documents<'_> {
        Documents {
            blobs: &self.run().engine.blobs,
            session: &self.session,
            bent: &self.bent,
        }
    }
}

impl<'a> Within for Context<'a> {
    type Inner = Content<'a>;

    fn inner(&self) -> &Content<'a> {
        &self.content
    }
}

impl ProgressContext for Context<'_> {
    fn progress(&self, report: Value) {
        *self.last_report.lock() = report.clone();
        self.run().progress.report(report);
    }
}

#[async_trait]
impl SyncContext for Context<'_> {
    fn feed(&self) -> Result<&Base, &NoFeed> {
        self.feed.as_ref()
    }

    fn scratchpad(&self) -> &Document {
        &self.scratchpad
    }

    fn full_sync_required(&self) -> bool {
        self.full
    }

    async fn units_not_downloaded(&self) -> Result<u64, ContentError> {
        let store = &self.content.store;
        let count = store.repository_units_not_downloaded(&self.repo().id).await;
        u64::try_from(count.map_err(platform)?).map_err(ContentError::other)
    }

    fn bent(&self) -> &Bent {
        &self.bent
    }

    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure> {
        self.documents().fetch(what).await
    }

    async fn fetch_unless(&self, what: FetchUnless) -> Result<FetchOutcome, FetchFailure> {
        self.documents().fetch_unless(what).await
    }

    async fn stage(
        &self,
        units: Vec<WantedUnit>,
        observer: &Arc<dyn StageObserver>,
    ) -> Result<(), ContentError> {
        self.run().progress.observe(Some(observer));
        Ok(self.stages.stage(units, observer).await?)
    }

    async fn files(&self, known: &[Sha256]) -> Result<Box<dyn FileSet>, ContentError> {
        let plan = files::Plan {
            engine: &self.run().engine,
            store: &self.content.store,
            repo: &self.repo().id,
            session: &self.session,
            bent: &self.bent,
            downloads: self.downloads,
        };
        Ok(Box::new(Files::begin(plan, known).await?))
    }

    async fn drain(&self) -> Result<(), ContentError> {
        Ok(self.stages.drain().await?)
    }

    async fn remove_missing(&self, type_ids: &[&'static str]) -> Result<(), ContentError> {
        self.stages.drain().await?;
        let store = &self.content.store;
        let removed = store.stage_remove_missing(&self.repo().id, type_ids).await;
        removed.map(|_| ()).map_err(platform)
    }
}
