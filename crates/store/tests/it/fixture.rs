//! A store on a database of its own, and things to put into it.

use std::sync::Arc;

use futures::TryStreamExt;
use pith_core::{Clock, Document, ManualClock, ObjectId, Sha256, TaskId, Timestamp, UnitId};
use pith_store::{
    BatchStream, Distributor, NewTask, NewUnit, Repository, RepositoryChange, SavedUnit, Store,
    StoreError, StreamedUnit, TaskOutcome, TaskStore, UnitQuery,
};
use pith_testkit::postgres::{Database, database};
use serde_json::{Value, json};

pub(crate) const REPO: &str = "fedora";

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) url: String,
    /// Things that go away with the test.
    _home: (Option<tempfile::TempDir>, Option<Database>),
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("new/pith.db").display());
        Self::open(url, (Some(folder), None)).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let database = database()?;
        Some(Self::open(database.url.clone(), (None, Some(database))).await)
    }

    async fn open(url: String, home: (Option<tempfile::TempDir>, Option<Database>)) -> Self {
        let clock = Arc::new(ManualClock::new("2016-01-01T00:00:00Z".parse().unwrap()));
        let store = Store::connect(&url, clock.clone()).await.unwrap();
        Self {
            store,
            clock,
            url,
            _home: home,
        }
    }

    /// Another process on the same database, as far as that matters.
    pub(crate) async fn other(&self) -> Store {
        Store::connect(&self.url, self.clock.clone()).await.unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn later(&self, seconds: i64) -> Timestamp {
        self.clock
            .advance(pith_core::clock::SignedDuration::from_secs(seconds));
        self.now()
    }

    pub(crate) async fn repository(&self, id: &str) -> Repository {
        let repository = repository(id, self.now());
        self.store.repository_create(&repository).await.unwrap();
        repository
    }

    /// Changes the settings of a repository's importer.
    pub(crate) async fn set_config(&self, repo: &str, config: Document) {
        let change = RepositoryChange {
            importer_config: Some(config),
            ..RepositoryChange::default()
        };
        let changed = self
            .store
            .repository_change(repo, |_, _| Ok::<_, StoreError>(change))
            .await;
        changed.unwrap().unwrap();
    }

    /// Saves units of these names; their ids.
    pub(crate) async fn units(&self, type_id: &str, names: &[&str]) -> Vec<UnitId> {
        let units: Vec<NewUnit> = names
            .iter()
            .map(|name| unit(type_id, name, json!({ "name": name })))
            .collect();
        let saved = self.store.units_save(&units).await.unwrap();
        saved.iter().map(|unit| unit.id).collect()
    }

    /// Adds units to a repository in a commit of its own.
    pub(crate) async fn add(&self, repo: &str, type_id: &str, ids: &[UnitId]) {
        let task = self.task().await;
        let staged: Vec<_> = ids.iter().map(|id| (*id, type_id)).collect();
        task.stage_add(&staged).await.unwrap();
        task.content_commit(repo, self.now()).await.unwrap();
    }

    /// Queues a task that needs nothing.
    pub(crate) async fn queue(&self) {
        self.store.task_enqueue(&task_of_nothing()).await.unwrap();
    }

    /// A task that runs.
    pub(crate) async fn task(&self) -> TaskStore {
        claimed(&self.store).await
    }

    /// Ends a task that runs.
    pub(crate) async fn end(&self, task: &TaskStore) {
        end(task).await;
    }

    /// The names of the units that a query finds.
    pub(crate) async fn names(&self, query: &UnitQuery<'_>) -> Vec<String> {
        names(&collect(self.store.units_stream(query).unwrap()).await)
    }
}

/// Saving units that come into no repository.
pub(crate) trait SaveUnits {
    /// Saves them in a task that leaves no trace.
    async fn units_save(&self, units: &[NewUnit]) -> Result<Vec<SavedUnit>, StoreError>;
}

impl SaveUnits for Store {
    async fn units_save(&self, units: &[NewUnit]) -> Result<Vec<SavedUnit>, StoreError> {
        let task = claimed(self).await;
        let saved = task.units_save_staged(units, &[]).await;
        end(&task).await;
        saved
    }
}

/// The store as a task sees it that needs nothing and has been claimed.
pub(crate) async fn claimed(store: &Store) -> TaskStore {
    store.task_enqueue(&task_of_nothing()).await.unwrap();
    let claimed = store.task_claim("w", store.now()).await.unwrap().unwrap();
    store.for_task(claimed.fence())
}

fn task_of_nothing() -> NewTask {
    NewTask {
        id: TaskId::new(),
        kind: "test".to_owned(),
        args: Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    }
}

/// Ends a task that runs.
pub(crate) async fn end(task: &TaskStore) {
    let (fence, now) = (task.fence(), task.now());
    task.task_finish(fence, &TaskOutcome::Canceled, now)
        .await
        .unwrap();
}

pub(crate) fn names(units: &[StreamedUnit]) -> Vec<String> {
    units
        .iter()
        .map(|unit| unit.unit.doc["name"].as_str().unwrap().to_owned())
        .collect()
}

pub(crate) async fn collect<T>(stream: BatchStream<T>) -> Vec<T> {
    stream
        .try_collect::<Vec<Vec<T>>>()
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .collect()
}

pub(crate) fn document(json: Value) -> Document {
    match json {
        Value::Object(document) => document,
        other => panic!("not an object: {other}"),
    }
}

pub(crate) fn repository(id: &str, now: Timestamp) -> Repository {
    Repository {
        id: id.to_owned(),
        oid: ObjectId::new(now),
        display_name: Some(format!("The {id}")),
        description: None,
        notes: document(json!({ "_repo-type": "rpm-repo" })),
        scratchpad: Document::new(),
        last_unit_added: None,
        last_unit_removed: None,
        version: 0,
    }
}

pub(crate) fn distributor(repo: &str, id: &str, now: Timestamp) -> Distributor {
    Distributor {
        repo_id: repo.to_owned(),
        id: id.to_owned(),
        oid: ObjectId::new(now),
        type_id: "yum_distributor".to_owned(),
        config: document(json!({ "relative_url": id, "http": true })),
        auto_publish: true,
        last_publish: None,
        last_updated: now,
        last_override: None,
        scratchpad: Document::new(),
        guard: None,
    }
}

pub(crate) fn unit(type_id: &str, key: &str, doc: Value) -> NewUnit {
    NewUnit {
        type_id: type_id.to_owned(),
        key_digest: Sha256::of(key.as_bytes()),
        said: Sha256::of(doc.to_string().as_bytes()),
        site: Sha256([0; 32]),
        doc: document(doc),
        blob: None,
        size: None,
        downloaded: true,
        parts: Vec::new(),
    }
}
