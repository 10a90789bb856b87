//! A server on a temporary folder, with workers.

use std::sync::Arc;

use axum::Router;
use pith_blobs::{Blobs, StorageUrl};
use pith_content::ContentType;
use pith_core::task::TaskState;
use pith_core::{SystemClock, TaskId, UnitId};
use pith_engine::{Engine, Registry};
use pith_fetch::{FetchPolicy, Fetcher, FileFeeds};
use pith_pulp::sealing::Sealing;
use pith_pulp::{Pulp, auth};
use pith_store::{NewTask, NewUnit, Store, TaskOutcome, TaskStore};
use pith_trust::{Authority, SealingKey};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Ends with its folder and its workers.
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pulp: Arc<Pulp>,
    pub(crate) router: Router,
    shutdown: CancellationToken,
    folder: tempfile::TempDir,
}

impl Server {
    /// A server of these types; `admin:admin` may do everything.
    pub(crate) async fn start(types: Vec<Arc<dyn ContentType>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let url = format!("sqlite://{}/pith.db", folder.path().display());
        let store = Store::connect(&url, clock.clone()).await.unwrap();
        let seal = Sealing(SealingKey::generate().unwrap());
        store.secrets_use(Arc::new(seal), false).await.unwrap();
        let storage = StorageUrl::default_in(folder.path());
        let blobs = Blobs::open(&storage, folder.path()).await.unwrap();
        let password = Some("admin".to_owned());
        auth::ensure_first_admin(&store, clock.as_ref(), password)
            .await
            .unwrap();
        let fetcher = Fetcher::new(FetchPolicy {
            files: FileFeeds::below(["/".into()]),
            ..FetchPolicy::default()
        });
        let registry = Registry::new(types).unwrap();
        let engine = Engine::new(store, blobs, fetcher, registry, clock, "HOST");
        let engine = Arc::new(engine.with_content_sources(folder.path()));
        let authority = Authority::generate(&[], engine.clock.now()).unwrap();
        let pulp = Arc::new(Pulp::new(Arc::clone(&engine)));
        pulp.use_authority(Arc::new(authority));
        let shutdown = CancellationToken::new();
        tokio::spawn(pith_engine::run_workers(
            Arc::clone(&engine),
            Arc::new(pith_pulp::jobs::kinds(&pulp).unwrap()),
            1,
            shutdown.clone(),
        ));
        // Scheduler, resource manager and worker have said that they live.
        while engine.store.workers_list().await.unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        Self {
            router: pith_api::Api::new(Arc::clone(&pulp)).router(),
            engine,
            pulp,
            shutdown,
            folder,
        }
    }

    /// Gives a repository these units, by a task that leaves no trace.
    pub(crate) async fn fill(&self, repo: &str, units: &[(UnitId, &str)]) {
        let task = self.task().await;
        task.stage_add(units).await.unwrap();
        task.content_commit(repo, task.now()).await.unwrap();
        self.forget(&task).await;
    }

    /// Saves units that come into no repository, by a task that leaves no trace; their ids.
    pub(crate) async fn save(&self, units: &[NewUnit]) -> Vec<UnitId> {
        let task = self.task().await;
        let saved = task.units_save_staged(units, &[]).await;
        self.forget(&task).await;
        saved.unwrap().iter().map(|unit| unit.id).collect()
    }

    /// A task that runs and does nothing by itself.
    async fn task(&self) -> TaskStore {
        let store = &self.engine.store;
        // The server's own worker may be faster; it makes nothing of such a task.
        loop {
            let task = NewTask {
                id: TaskId::new(),
                kind: "fill".to_owned(),
                args: Value::Null,
                tags: Vec::new(),
                resources: Vec::new(),
                group: None,
            };
            store.task_enqueue(&task).await.unwrap();
            let claimed = store.task_claim("fill", store.now()).await.unwrap();
            if let Some(claimed) = claimed {
                return store.for_task(claimed.fence());
            }
        }
    }

    async fn forget(&self, task: &TaskStore) {
        let ended = task.task_finish(task.fence(), &TaskOutcome::Canceled, task.now());
        ended.await.unwrap();
        let all = [TaskState::Canceled, TaskState::Error];
        let store = &self.engine.store;
        store.task_delete_in_states(&all).await.unwrap();
    }

    /// Describes an alternate content source `id` that has nothing.
    pub(crate) fn content_source(&self, id: &str) {
        let text = format!(
            "[{id}]\nenabled: 1\ntype: harness\nname: {id}\nbase_url: http://127.0.0.1:9/\n"
        );
        std::fs::write(self.folder.path().join(format!("{id}.conf")), text).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
