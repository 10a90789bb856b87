//! A worker that was stopped for a while and goes on: whatever it writes is refused, and nothing of it stays.

use std::fs;
use std::path::{Path, PathBuf};

use futures::FutureExt;
use futures::future::BoxFuture;
use pith_core::task::{Resource, TaskState};
use pith_core::{ObjectId, Sha256, TaskId};
use pith_store::{
    FileSource, History, HistoryKind, Importer, NewPublication, NewTask, RepositoryChange,
    StoreError, TaskOutcome, TaskStore, UnitQuery,
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, REPO, distributor, document, unit};
use crate::on_both_engines;

on_both_engines!(
    a_late_attempt_is_refused_by_everything_that_a_task_writes,
    two_attempts_at_a_task_never_mix_what_they_stage,
    what_the_last_transaction_wrote_comes_at_once_or_not_at_all,
    a_cancel_after_the_commit_has_no_effect,
    a_late_sign_of_life_brings_nothing_back,
    a_worker_that_starts_under_the_name_of_a_dead_one_does_not_keep_its_tasks,
);

type Write = (
    &'static str,
    for<'a> fn(&'a TaskStore) -> BoxFuture<'a, Result<(), StoreError>>,
);

macro_rules! writes {
    ($task:ident; $($name:ident($($argument:expr),*);)*) => {
        [$((
            stringify!($name),
            |$task| async move { $task.$name($($argument),*).await.map(drop) }.boxed(),
        )),*]
    };
}

fn importer() -> Importer {
    Importer {
        repo_id: REPO.to_owned(),
        oid: ObjectId::new(pith_core::Timestamp::UNIX_EPOCH),
        type_id: "yum_importer".to_owned(),
        config: document(json!({})),
        scratchpad: None,
        last_sync: None,
        last_updated: pith_core::Timestamp::UNIX_EPOCH,
        last_override: None,
    }
}

fn history() -> History {
    let at = pith_core::Timestamp::UNIX_EPOCH;
    History {
        oid: ObjectId::new(at),
        repo_id: REPO.to_owned(),
        actor_id: "yum_importer".to_owned(),
        actor_type: "yum_importer".to_owned(),
        started: at,
        completed: at,
        result: "success".to_owned(),
        error_message: None,
        exception: None,
        traceback: Value::Null,
        added: Some(1),
        updated: None,
        removed: None,
        summary: Value::Null,
        details: Value::Null,
    }
}

fn publication() -> NewPublication {
    NewPublication {
        repo_id: REPO.to_owned(),
        distributor_id: "d".to_owned(),
        index_blob: Sha256::of(b"index"),
        index_size: 5,
        repo_version: 1,
        paths: 0,
        bytes: 0,
        made_from: document(json!({})),
        blobs: Vec::new(),
    }
}

fn follow_up() -> NewTask {
    NewTask {
        id: TaskId::new(),
        kind: "publish".to_owned(),
        args: Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    }
}

fn source() -> FileSource {
    FileSource {
        unit: pith_core::UnitId::new(),
        path: String::new(),
        repo_id: REPO.to_owned(),
        site: String::new(),
        in_internet: false,
        urls: vec!["a".to_owned()],
        size: None,
        digests: Vec::new(),
    }
}

static FINISHED: TaskOutcome = TaskOutcome::Finished {
    result: Value::Null,
    error: None,
    spawned: Vec::new(),
};

/// Everything that a task writes while it runs.
const WRITES: &[Write] = &writes! {
    task;
    stage_add(&[(pith_core::UnitId::new(), "t")]);
    stage_remove(&[(pith_core::UnitId::new(), "t")]);
    stage_forget("t", &[pith_core::UnitId::new()]);
    stage_select(&UnitQuery { repo: Some(REPO), ..UnitQuery::default() }, false);
    stage_remove_missing(REPO, &["t"]);
    stage_settle(REPO);
    documents_spread(REPO, task.now());
    stage_clear_earlier();
    units_save_staged(&[unit("t", "late", json!({}))], &[None]);
    unit_set_blob(pith_core::UnitId::new(), Sha256::of(b"late"), 4);
    units_set_blob_gone(Sha256::of(b"late"));
    units_set_field("t", "f", &[(pith_core::UnitId::new(), json!(1))]);
    importer_set_made_from(REPO, &document(json!({})));
    units_delete_orphans(&[pith_core::UnitId::new()]);
    sources_put(&[source()]);
    content_commit(REPO, task.now());
    version_prune(REPO, 1);
    publication_commit(&publication(), &[], [].into_iter(), task.now());
    history_add(HistoryKind::Sync, &history());
    history_delete_before(HistoryKind::Sync, task.now());
    importer_set(&importer());
    repository_change(REPO, |_, _| Ok::<_, StoreError>(RepositoryChange::default()));
    importer_set_scratchpad(REPO, None);
    importer_set_last_sync(REPO, task.now(), None);
    importer_remove(REPO);
    distributor_create(&distributor(REPO, "late", task.now()));
    distributor_update(REPO, "d", None, Some(true));
    distributor_set_last_publish(REPO, "d", task.now(), None);
    distributor_remove(REPO, "d");
    group_distributor_set_last_publish("g", "d", task.now());
    repository_set_scratchpad(REPO, &document(json!({})));
    repository_delete(REPO);
    task_enqueue(&follow_up());
    task_delete_before(task.now());
    task_progress(task.fence(), &json!({ "late": true }));
    task_finish(task.fence(), &FINISHED, task.now());
    begin_last();
    begin_whole();
    begin();
};

/// A task on a repository of its own, claimed.
async fn claimed(f: &Fixture, repo: &str) -> TaskStore {
    let task = NewTask {
        resources: vec![Resource::repository(repo)],
        ..follow_up()
    };
    f.store.task_enqueue(&task).await.unwrap();
    again(f).await
}

/// The next claim.
async fn again(f: &Fixture) -> TaskStore {
    let claimed = f.store.task_claim("w", f.now()).await.unwrap().unwrap();
    f.store.for_task(claimed.fence())
}

/// The fate of a worker that is not heard of.
async fn given_up(f: &Fixture) {
    let later = f.later(100);
    f.store
        .task_requeue_lost(later, (10, |_| pith_core::SignedDuration::ZERO), later)
        .await
        .unwrap();
}

async fn state(f: &Fixture, task: &TaskStore) -> TaskState {
    let found = f.store.task_get(task.fence().task).await.unwrap();
    found.unwrap().state
}

async fn furnished(f: &Fixture) {
    f.repository(REPO).await;
    f.store.importer_set(&importer()).await.unwrap();
    let one = distributor(REPO, "d", f.now());
    f.store.distributor_create(&one).await.unwrap();
    let ids = f.units("t", &["a"]).await;
    f.add(REPO, "t", &ids).await;
    // Nobody else's task waits or runs.
    given_up(f).await;
    while let Some(task) = f.store.task_claim("w", f.now()).await.unwrap() {
        let ended = f.store.task_finish(task.fence(), &FINISHED, f.now());
        ended.await.unwrap();
    }
}

async fn refused(task: &TaskStore, when: &str) {
    for (name, write) in WRITES {
        let answer = write(task).await;
        assert!(
            matches!(&answer, Err(StoreError::Superseded(fence)) if *fence == task.fence()),
            "{name}, {when}: {answer:?}"
        );
    }
}

async fn a_late_attempt_is_refused_by_everything_that_a_task_writes(f: Fixture) {
    furnished(&f).await;
    let late = claimed(&f, REPO).await;
    let before = f.store.repository_get(REPO).await.unwrap();
    given_up(&f).await;
    refused(&late, "waiting again").await;
    let second = again(&f).await;
    assert_eq!(second.fence().attempt, 2);
    refused(&late, "with another attempt").await;
    assert_eq!(state(&f, &late).await, TaskState::Running);
    // The one that runs is not.
    let done = second.content_commit(REPO, f.now()).await;
    assert_eq!(done.unwrap().version, None);
    let ended = f.store.task_finish(second.fence(), &FINISHED, f.now());
    ended.await.unwrap();
    refused(&late, "after the end").await;
    refused(&second, "after its own end").await;
    assert_eq!(f.store.repository_get(REPO).await.unwrap(), before);
    assert_eq!(f.store.units_orphans_count().await.unwrap().len(), 0);
}

async fn two_attempts_at_a_task_never_mix_what_they_stage(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b"]).await;
    let first = claimed(&f, REPO).await;
    first.stage_add(&[(ids[0], "t")]).await.unwrap();
    given_up(&f).await;
    let second = again(&f).await;
    second.stage_add(&[(ids[1], "t")]).await.unwrap();
    let staged = second.staged_page(false, &[], None).await.unwrap();
    assert_eq!(staged, [(ids[1], "t".to_owned())]);
    second.content_commit(REPO, f.now()).await.unwrap();
    let query = UnitQuery {
        repo: Some(REPO),
        ..UnitQuery::default()
    };
    assert_eq!(f.names(&query).await, ["b"]);
    let kept = f.store.unit_is_orphan("t", ids[0]).await.unwrap();
    assert!(!kept, "until the earlier attempt's staging is cleared");
    second.stage_clear_earlier().await.unwrap();
    assert!(f.store.unit_is_orphan("t", ids[0]).await.unwrap());
}

async fn what_the_last_transaction_wrote_comes_at_once_or_not_at_all(f: Fixture) {
    furnished(&f).await;
    let ids = f.units("t", &["b"]).await;
    let task = claimed(&f, REPO).await;
    task.stage_add(&[(ids[0], "t")]).await.unwrap();
    for commits in [false, true] {
        let last = task.begin_last().await.unwrap();
        let done = last.content_commit(REPO, f.now()).await.unwrap();
        assert_eq!((done.version, done.added), (Some(2), 1));
        last.history_add(HistoryKind::Sync, &history())
            .await
            .unwrap();
        last.importer_set_last_sync(REPO, f.now(), None)
            .await
            .unwrap();
        let next = follow_up();
        last.task_enqueue(&next).await.unwrap();
        last.finish(&FINISHED, f.now()).await.unwrap();
        let seen = last.repository_get(REPO).await.unwrap().unwrap();
        assert_eq!(seen.version, 2, "it sees what it wrote");
        match commits {
            true => last.commit().await.unwrap(),
            false => drop(last),
        }
        let query = pith_store::HistoryQuery {
            repo_id: REPO,
            ..pith_store::HistoryQuery::default()
        };
        let repository = f.store.repository_get(REPO).await.unwrap().unwrap();
        let entries = f.store.history_list(HistoryKind::Sync, &query).await;
        let queued = f.store.task_get(next.id).await.unwrap();
        let importer = f.store.importer_get(REPO).await.unwrap().unwrap();
        let there = [
            repository.version == 2,
            entries.unwrap().len() == 1,
            queued.is_some(),
            importer.last_sync.is_some(),
            state(&f, &task).await == TaskState::Finished,
        ];
        assert_eq!(there, [commits; 5]);
    }
}

async fn a_cancel_after_the_commit_has_no_effect(f: Fixture) {
    f.repository(REPO).await;
    let task = claimed(&f, REPO).await;
    let id = task.fence().task;
    let last = task.begin_last().await.unwrap();
    assert!(!last.is_canceled());
    last.finish(&FINISHED, f.now()).await.unwrap();
    last.commit().await.unwrap();
    let was = f.store.task_cancel(id).await.unwrap();
    assert_eq!(was, TaskState::Finished);
    let ended = f.store.task_get(id).await.unwrap().unwrap();
    assert_eq!(
        (ended.state, ended.cancel_requested),
        (TaskState::Finished, false)
    );
    // An answer that was lost makes nobody believe that it failed.
    let failed = TaskOutcome::Error {
        detail: None,
        traceback: None,
    };
    let again = f.store.task_finish(task.fence(), &failed, f.now()).await;
    assert!(matches!(again, Err(StoreError::Superseded(_))));
    assert_eq!(state(&f, &task).await, TaskState::Finished);
    // The other way round it is told.
    let task = claimed(&f, REPO).await;
    f.store.task_cancel(task.fence().task).await.unwrap();
    assert!(task.begin_last().await.unwrap().is_canceled());
}

async fn a_late_sign_of_life_brings_nothing_back(f: Fixture) {
    let late = claimed(&f, REPO).await;
    let fences = [late.fence()];
    given_up(&f).await;
    let told = f.store.task_heartbeats(&fences, f.now()).await.unwrap();
    assert_eq!(told, fences);
    assert_eq!(state(&f, &late).await, TaskState::Waiting);
    let second = again(&f).await;
    let both = [late.fence(), second.fence()];
    let told = f.store.task_heartbeats(&both, f.later(50)).await.unwrap();
    assert_eq!(told, fences);
    let since = f.now();
    let lost = f
        .store
        .task_requeue_lost(since, (10, |_| pith_core::SignedDuration::ZERO), since)
        .await
        .unwrap();
    assert_eq!(lost.requeued, [], "the second lives");
}

async fn a_worker_that_starts_under_the_name_of_a_dead_one_does_not_keep_its_tasks(f: Fixture) {
    let task = claimed(&f, REPO).await;
    let now = f.later(100);
    f.store.worker_beat("w", now).await.unwrap();
    let lost = f
        .store
        .task_requeue_lost(now, (10, |_| pith_core::SignedDuration::ZERO), now)
        .await
        .unwrap();
    assert_eq!(lost.requeued, [task.fence().task]);
}

/// Nothing goes past the fence: every transaction of the store comes from `Store::begin`, but for those that look at the
/// task's row themselves, and jobs have no other store than the fenced one.
#[test]
fn nothing_goes_past_the_fence() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for (file, line) in lines(&here.join("src")) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let past = ["inner.db", "begin_unfenced", "unfenced_tx"];
        let may = ["store.rs", "db.rs", "migrate.rs", "fence.rs"];
        if !may.contains(&name.as_str()) && past.iter().any(|word| line.contains(word)) {
            found.push((name, line.trim().to_owned()));
        }
    }
    let finish = "let mut tx = self.begin_unfenced().await?;".to_owned();
    assert_eq!(found, [("tasks.rs".to_owned(), finish)]);
    for (file, line) in lines(&here.join("../engine/src/run")) {
        assert!(
            !line.contains("engine.store"),
            "{}: a job writes through `run.store`: {line}",
            file.display()
        );
    }
}

fn lines(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // A chain of calls is one line.
            let text = text.split('\n').map(str::trim).collect::<Vec<_>>();
            let text = text.join("\n").replace("\n.", ".");
            lines.extend(text.lines().map(|line| (path.clone(), line.to_owned())));
        }
    }
    lines
}
