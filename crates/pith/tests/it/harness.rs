//! A running engine on a temporary folder, without HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pith_blobs::{Blobs, StorageUrl};
use pith_content::ContentType;
use pith_core::task::TaskState;
use pith_core::{Clock, Document, ObjectId, Sha256, SignedDuration, SystemClock, TaskId};
use pith_engine::{Engine, Registry, run_workers};
use pith_fetch::{FetchPolicy, Fetcher, FileFeeds, RetryPolicy};
use pith_pulp::Pulp;
use pith_pulp::jobs::{PublishRepository, SyncRepository, kinds};
use pith_store::{Distributor, Importer, Repository, Store, Task, UnitQuery};
use pith_testkit::upstream::Upstream;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use futures::TryStreamExt;

/// The database that a test runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On {
    Sqlite,
    Postgres,
}

/// Makes of each async function two tests, one a database.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::harness::On::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name($crate::harness::On::Postgres).await; })+
        }
    };
}

pub(crate) struct Harness {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pulp: Arc<Pulp>,
    pub(crate) upstream: Upstream,
    folder: TempDir,
    shutdown: CancellationToken,
    workers: JoinHandle<()>,
    database: String,
    clock: Arc<dyn Clock>,
    rpm: Arc<dyn ContentType>,
    lost_after: SignedDuration,
    _postgres: Option<pith_testkit::postgres::Database>,
}

impl Harness {
    /// `None` where the database is not installed (never in CI).
    pub(crate) async fn start(on: On) -> Option<Self> {
        Self::start_at(on, Arc::new(SystemClock)).await
    }

    /// As [`Self::start`], with the time that `clock` tells.
    pub(crate) async fn start_at(on: On, clock: Arc<dyn Clock>) -> Option<Self> {
        Self::start_with(on, clock, Arc::new(pith_type_rpm::Rpm)).await
    }

    /// As [`Self::start_at`], with `rpm` in the place of the RPM family.
    pub(crate) async fn start_with(
        on: On,
        clock: Arc<dyn Clock>,
        rpm: Arc<dyn ContentType>,
    ) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (database, postgres) = match on {
            On::Sqlite => (
                format!("sqlite://{}/pith.db", folder.path().display()),
                None,
            ),
            On::Postgres => {
                let database = tokio::task::spawn_blocking(pith_testkit::postgres::database)
                    .await
                    .unwrap()?;
                (database.url.clone(), Some(database))
            }
        };
        let upstream = Upstream::start().await.unwrap();
        let lost_after = pith_engine::LOST_AFTER;
        let engine = open(&database, folder.path(), (&clock, lost_after), &rpm).await;
        let shutdown = CancellationToken::new();
        let pulp = Arc::new(Pulp::new(Arc::clone(&engine)));
        let workers = work(&pulp, &shutdown);
        Some(Self {
            engine,
            pulp,
            upstream,
            folder,
            shutdown,
            workers,
            database,
            clock,
            rpm,
            lost_after,
            _postgres: postgres,
        })
    }

    /// As [`Self::start`], without workers: tasks wait for ever.
    pub(crate) async fn idle(on: On) -> Option<Self> {
        let mut harness = Self::start(on).await?;
        harness.workers.abort();
        let _ = (&mut harness.workers).await;
        Some(harness)
    }

    /// Ends the process as kill -9 would, as far as the database can tell, and starts another.
    pub(crate) async fn crash_and_restart(&mut self) {
        self.workers.abort();
        let _ = (&mut self.workers).await;
        self.engine.store.close().await;
        self.engine = self.another_process().await;
        self.pulp = Arc::new(Pulp::new(Arc::clone(&self.engine)));
        self.engine.blobs.sweep_spool(Duration::ZERO).await.unwrap();
        self.shutdown = CancellationToken::new();
        self.workers = work(&self.pulp, &self.shutdown);
    }

    /// An engine like this one's on the same database, without workers.
    pub(crate) async fn another_process(&self) -> Arc<Engine> {
        let time = (&self.clock, self.lost_after);
        open(&self.database, self.folder.path(), time, &self.rpm).await
    }

    /// From the next process on, workers are lost after this time.
    pub(crate) fn lose_after(&mut self, lost_after: SignedDuration) {
        self.lost_after = lost_after;
    }

    /// A repository with an importer for `feed` below the upstream and a distributor that publishes by itself.
    pub(crate) async fn repository(&self, id: &str, kind: &str, feed: &str, config: Value) {
        let now = self.engine.clock.now();
        let mut config: Document = serde_json::from_value(config).unwrap();
        config.insert(
            "feed".to_owned(),
            json!(format!("{}{feed}", self.upstream.url())),
        );
        let (importer, distributor, settings) = match kind {
            "iso" => (
                "iso_importer",
                "iso_distributor",
                json!({"serve_http": true, "serve_https": true}),
            ),
            _ => (
                "yum_importer",
                "yum_distributor",
                json!({"http": true, "https": true, "relative_url": id}),
            ),
        };
        let repository = Repository {
            id: id.to_owned(),
            oid: ObjectId::new(now),
            display_name: None,
            description: None,
            notes: Document::new(),
            scratchpad: Document::new(),
            last_unit_added: None,
            last_unit_removed: None,
            version: 0,
        };
        let importer = Importer {
            repo_id: id.to_owned(),
            oid: ObjectId::new(now),
            type_id: importer.to_owned(),
            config,
            scratchpad: None,
            last_sync: None,
            last_updated: now,
            last_override: None,
        };
        let distributor = Distributor {
            repo_id: id.to_owned(),
            id: distributor.to_owned(),
            oid: ObjectId::new(now),
            type_id: distributor.to_owned(),
            config: serde_json::from_value(settings).unwrap(),
            auto_publish: true,
            last_publish: None,
            last_updated: now,
            last_override: None,
            scratchpad: Document::new(),
            guard: None,
        };
        self.engine
            .store
            .repository_create_full(&repository, Some(&importer), &[distributor])
            .await
            .unwrap();
    }

    /// Changes the settings of a yum importer; those that are null go back to their defaults.
    pub(crate) async fn set_config(&self, repo: &str, changes: Value) {
        let body = serde_json::from_value(json!({ "importer_config": changes })).unwrap();
        let task = self.pulp.importer_update(repo, "yum_importer", &body);
        let task = self.ended(task.await.unwrap()).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
    }

    pub(crate) async fn enqueue_sync(&self, repo: &str) -> TaskId {
        let job = SyncRepository {
            repo_id: repo.to_owned(),
            override_config: Value::Null,
        };
        self.engine.enqueue(job).await.unwrap()
    }

    pub(crate) async fn sync(&self, repo: &str) -> Task {
        let id = self.enqueue_sync(repo).await;
        self.ended(id).await
    }

    pub(crate) async fn publish(
        &self,
        repo: &str,
        distributor: &str,
        override_config: Value,
    ) -> Task {
        let job = PublishRepository {
            repo_id: repo.to_owned(),
            distributor_id: json!(distributor),
            override_config,
        };
        let id = self.engine.enqueue(job).await.unwrap();
        self.ended(id).await
    }

    /// The task once it has ended, with everything it spawned.
    pub(crate) async fn ended(&self, id: TaskId) -> Task {
        let mut pending = vec![id];
        while let Some(next) = pending.pop() {
            let task = self
                .until(next, |task| {
                    task.state.is_complete() && task.worker.is_some()
                })
                .await;
            pending.extend(task.spawned);
        }
        self.engine.store.task_get(id).await.unwrap().unwrap()
    }

    /// The task as soon as it is as wanted.
    pub(crate) async fn until(&self, id: TaskId, wanted: impl Fn(&Task) -> bool) -> Task {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let task = self.engine.store.task_get(id).await.unwrap().unwrap();
            if wanted(&task) {
                return task;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "never as wanted: {task:?}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The values of `field` of the repository's units of a type, sorted.
    pub(crate) async fn units(&self, repo: &str, type_id: &str, field: &str) -> Vec<String> {
        let query = UnitQuery {
            type_ids: vec![type_id],
            repo: Some(repo),
            ..UnitQuery::default()
        };
        let mut stream = self.engine.store.units_stream(&query).unwrap();
        let mut found = Vec::new();
        while let Some(batch) = stream.try_next().await.unwrap() {
            found.extend(
                batch
                    .iter()
                    .map(|unit| unit.unit.doc[field].as_str().unwrap_or_default().to_owned()),
            );
        }
        found.sort();
        found
    }

    /// The published paths of a mount and their contents, sorted.
    pub(crate) async fn published(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let mounts = self.engine.store.mounts_all().await.unwrap();
        let Some(mount) = mounts.into_iter().find(|mount| mount.prefix == prefix) else {
            return Vec::new();
        };
        let index = pith_blobs::Publication::open(&self.engine.blobs, mount.index_blob)
            .await
            .unwrap();
        let mut found = Vec::new();
        for entry in index.iter() {
            let entry = entry.unwrap();
            let bytes = match entry.kind {
                pith_blobs::EntryKindRef::Blob(sha256) => self
                    .engine
                    .blobs
                    .read_all(sha256, 1 << 30)
                    .await
                    .unwrap()
                    .to_vec(),
                pith_blobs::EntryKindRef::Slice(slice) => self
                    .engine
                    .blobs
                    .read_part(slice.blob, slice.range(entry.size))
                    .await
                    .unwrap()
                    .to_vec(),
                pith_blobs::EntryKindRef::Inline(bytes) => bytes.to_vec(),
                pith_blobs::EntryKindRef::Source { .. } | pith_blobs::EntryKindRef::Redirect(_) => {
                    Vec::new()
                }
            };
            found.push((entry.path.to_owned(), bytes));
        }
        found
    }

    /// The path of a blob.
    pub(crate) fn file_of(&self, blob: Sha256) -> PathBuf {
        let blobs = self.folder.path().join("blobs");
        blobs.join(pith_blobs::paths::blob(&blob))
    }

    /// The folder in which content sources are described.
    pub(crate) fn content_sources(&self) -> std::path::PathBuf {
        content_sources(self.folder.path())
    }

    /// Asserts that nothing of an interrupted or failed run lies about.
    pub(crate) async fn assert_no_leftovers(&self) {
        let left: Vec<_> = files_below(self.folder.path())
            .into_iter()
            .filter(|path| path.contains("spool"))
            .collect();
        assert!(left.is_empty(), "scratch files were left: {left:?}");
    }
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}

fn content_sources(folder: &Path) -> std::path::PathBuf {
    folder.join("content-sources")
}

async fn open(
    database: &str,
    folder: &Path,
    (clock, lost_after): (&Arc<dyn Clock>, SignedDuration),
    rpm: &Arc<dyn ContentType>,
) -> Arc<Engine> {
    let clock = Arc::clone(clock);
    let store = Store::connect(database, Arc::clone(&clock)).await.unwrap();
    let blobs = Blobs::open(&StorageUrl::default_in(folder), folder)
        .await
        .unwrap();
    let retry = RetryPolicy {
        attempts: 2,
        base: Duration::from_millis(5),
        cap: Duration::from_millis(20),
        retry_after_cap: Duration::from_millis(20),
    };
    let fetcher = Fetcher::new(FetchPolicy {
        retry,
        files: FileFeeds::below([std::env::temp_dir()]),
        ..FetchPolicy::default()
    });
    let types: Vec<Arc<dyn ContentType>> = vec![
        Arc::new(pith_type_file::File),
        Arc::clone(rpm),
        Arc::new(pith_testkit::harness::Harness),
    ];
    let registry = Registry::new(types).unwrap();
    let engine = Engine::new(store, blobs, fetcher, registry, clock, "test");
    let engine = engine.with_lost_after(lost_after);
    Arc::new(engine.with_content_sources(content_sources(folder)))
}

fn work(pulp: &Arc<Pulp>, shutdown: &CancellationToken) -> JoinHandle<()> {
    let kinds = Arc::new(kinds(pulp).unwrap());
    let (engine, shutdown) = (Arc::clone(&pulp.engine), shutdown.clone());
    tokio::spawn(async move { run_workers(engine, kinds, 2, shutdown).await.unwrap() })
}

/// A manifest and its files at `prefix` of the upstream.
pub(crate) fn put_files(upstream: &Upstream, prefix: &str, files: &[(&str, &[u8])]) {
    let mut manifest = String::new();
    for (name, bytes) in files {
        upstream.put(&format!("{prefix}{name}"), bytes.to_vec());
        manifest.push_str(&format!(
            "{name},{},{}\n",
            pith_core::Sha256::of(bytes),
            bytes.len()
        ));
    }
    upstream.put(&format!("{prefix}PULP_MANIFEST"), manifest);
}
