//! Schedules, and what only one process does at a time.

use pith_core::clock::SignedDuration;
use pith_core::{Document, ObjectId, TaskId, Timestamp};
use pith_store::{
    Importer, Maker, NewTask, Schedule, ScheduleOwner, Store, StoreError, TaskOutcome,
};
use serde_json::{Value, json};

use crate::fixture::{Fixture, REPO, distributor, document};
use crate::on_both_engines;

on_both_engines!(
    schedules_go_with_what_they_run_on,
    nothing_can_be_scheduled_for_what_is_not_there,
    two_schedulers_queue_one_task,
    a_schedule_changed_meanwhile_does_not_run_as_it_was,
    failures_in_a_row_switch_a_schedule_off,
    what_a_scheduled_task_spawns_counts_too,
    a_scheduled_task_that_is_given_up_failed,
    a_lease_has_one_holder,
    housekeeping_runs_once_however_many_ask,
);

const IMPORTER: &str = "pulp:importer:fedora:yum_importer";
const DISTRIBUTOR: &str = "pulp:distributor:fedora:dist";

fn importer(now: Timestamp) -> Importer {
    Importer {
        repo_id: REPO.to_owned(),
        oid: ObjectId::new(now),
        type_id: "yum_importer".to_owned(),
        config: Document::new(),
        scratchpad: None,
        last_sync: None,
        last_updated: now,
        last_override: None,
    }
}

fn schedule(resource: &str, now: Timestamp) -> Schedule {
    let repo_id = REPO.to_owned();
    let owner = if resource == IMPORTER {
        ScheduleOwner::Importer { repo_id }
    } else {
        ScheduleOwner::Distributor {
            repo_id,
            distributor_id: "dist".to_owned(),
        }
    };
    Schedule {
        oid: ObjectId::new(now),
        resource: resource.to_owned(),
        owner,
        task: "sync".to_owned(),
        args: json!([REPO]),
        kwargs: document(json!({ "overrides": { "a": 1 } })),
        schedule: "R3/PT1H".to_owned(),
        first_run: "2016-01-01T00:00:00Z".to_owned(),
        enabled: true,
        failure_threshold: Some(2),
        consecutive_failures: 0,
        total_run_count: 0,
        remaining_runs: Some(3),
        last_run_at: None,
        last_updated: now,
        due: Some(now),
        maker: Some(Maker {
            login: "eve".to_owned(),
            oid: ObjectId::new(now),
        }),
    }
}

/// A repository with an importer, a distributor, and a schedule of each.
async fn filled(f: &Fixture) -> [Schedule; 2] {
    f.repository(REPO).await;
    f.store.importer_set(&importer(f.now())).await.unwrap();
    let dist = distributor(REPO, "dist", f.now());
    f.store.distributor_create(&dist).await.unwrap();
    let schedules = [IMPORTER, DISTRIBUTOR].map(|resource| schedule(resource, f.now()));
    for schedule in &schedules {
        f.store.schedule_create(schedule).await.unwrap();
    }
    schedules
}

fn task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        kind: "sync".to_owned(),
        args: Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    }
}

async fn schedules_go_with_what_they_run_on(f: Fixture) {
    let [sync, publish] = filled(&f).await;
    let left = async || {
        let syncs = f.store.schedule_list(IMPORTER).await.unwrap();
        let publishes = f.store.schedule_list(DISTRIBUTOR).await.unwrap();
        (syncs, publishes)
    };
    assert_eq!(left().await, (vec![sync.clone()], vec![publish.clone()]));
    f.store.importer_set(&importer(f.now())).await.unwrap();
    assert_eq!(left().await, (vec![], vec![publish]));
    f.store.schedule_create(&sync).await.unwrap();
    f.set_config(REPO, Document::new()).await;
    assert_eq!(left().await.0, std::slice::from_ref(&sync));
    f.store.distributor_remove(REPO, "dist").await.unwrap();
    assert_eq!(left().await, (vec![sync.clone()], vec![]));
    f.store.importer_remove(REPO).await.unwrap();
    assert_eq!(left().await, (vec![], vec![]));
    f.store.importer_set(&importer(f.now())).await.unwrap();
    f.store.schedule_create(&sync).await.unwrap();
    f.store.repository_delete(REPO).await.unwrap();
    assert_eq!(f.store.schedule_get(&sync.oid).await.unwrap(), None);
}

async fn nothing_can_be_scheduled_for_what_is_not_there(f: Fixture) {
    for resource in [IMPORTER, DISTRIBUTOR] {
        let made = f.store.schedule_create(&schedule(resource, f.now())).await;
        assert!(matches!(made, Err(StoreError::Missing { .. })), "{made:?}");
    }
}

fn advanced(seen: &Schedule, now: Timestamp) -> Schedule {
    Schedule {
        last_run_at: Some(now),
        total_run_count: seen.total_run_count + 1,
        remaining_runs: seen.remaining_runs.map(|runs| runs - 1),
        due: Some(now + SignedDuration::from_hours(1)),
        ..seen.clone()
    }
}

async fn dispatch(store: &Store, now: Timestamp) -> usize {
    let mut queued = 0;
    for seen in store.schedules_due(now, 10).await.unwrap() {
        let next = advanced(&seen, now);
        let done = store.schedule_dispatch(&seen, &next, &task()).await;
        queued += usize::from(done.unwrap());
    }
    queued
}

async fn two_schedulers_queue_one_task(f: Fixture) {
    let [sync, _] = filled(&f).await;
    let other = f.other().await;
    for round in 1..=5 {
        let now = f.later(3600);
        let (one, two) = tokio::join!(dispatch(&f.store, now), dispatch(&other, now));
        assert_eq!(one + two, 2, "one task for each of two schedules");
        let now_is = f.store.schedule_get(&sync.oid).await.unwrap().unwrap();
        assert_eq!(now_is.total_run_count, round);
        assert_eq!(now_is.last_run_at, Some(now));
    }
    assert_eq!(f.store.task_list(&[]).await.unwrap().len(), 10);
    assert_eq!(dispatch(&f.store, f.now()).await, 0);
}

async fn a_schedule_changed_meanwhile_does_not_run_as_it_was(f: Fixture) {
    let [sync, _] = filled(&f).await;
    let seen = f.store.schedules_due(f.now(), 1).await.unwrap().remove(0);
    let later = f.later(1);
    let change = |schedule: &mut Schedule| {
        schedule.kwargs = Document::new();
        schedule.last_updated = later;
    };
    let changed = f.store.schedule_change(&sync.oid, change).await.unwrap();
    assert_eq!(changed.unwrap().kwargs, Document::new());
    let next = advanced(&seen, later);
    let task = task();
    assert!(
        !f.store
            .schedule_dispatch(&seen, &next, &task)
            .await
            .unwrap()
    );
    assert_eq!(f.store.task_get(task.id).await.unwrap(), None);
    f.store.schedule_delete(&sync.oid).await.unwrap();
    assert!(!f.store.schedule_delete(&sync.oid).await.unwrap());
    let gone = f.store.schedule_change(&sync.oid, |_| ()).await.unwrap();
    assert_eq!(gone, None);
}

/// Runs the schedule once more; its task.
async fn run(f: &Fixture, schedule: &Schedule) -> TaskId {
    let seen = f.store.schedule_get(&schedule.oid).await.unwrap().unwrap();
    let task = task();
    let next = advanced(&seen, f.later(3600));
    let queued = f.store.schedule_dispatch(&seen, &next, &task).await;
    assert!(queued.unwrap());
    task.id
}

async fn end(f: &Fixture, task: TaskId, spawned: Option<Vec<TaskId>>) {
    let outcome = match spawned {
        Some(spawned) => TaskOutcome::Finished {
            result: Value::Null,
            error: None,
            spawned,
        },
        None => TaskOutcome::Error {
            detail: None,
            traceback: None,
        },
    };
    while f.store.task_claim("w", f.now()).await.unwrap().is_some() {}
    let running = f.store.task_get(task).await.unwrap().unwrap();
    let finished = f.store.task_finish(running.fence(), &outcome, f.now());
    finished.await.unwrap();
}

async fn failures(f: &Fixture, schedule: &Schedule) -> (i64, bool, bool) {
    let now = f.store.schedule_get(&schedule.oid).await.unwrap().unwrap();
    (now.consecutive_failures, now.enabled, now.due.is_some())
}

async fn failures_in_a_row_switch_a_schedule_off(f: Fixture) {
    let [sync, publish] = filled(&f).await;
    let task = run(&f, &sync).await;
    end(&f, task, None).await;
    assert_eq!(failures(&f, &sync).await, (1, true, true));
    let cancelled = run(&f, &sync).await;
    f.store.task_cancel(cancelled).await.unwrap();
    assert_eq!(failures(&f, &sync).await, (1, true, true));
    let task = run(&f, &sync).await;
    end(&f, task, Some(vec![])).await;
    assert_eq!(failures(&f, &sync).await, (0, true, true));
    for _ in 0..2 {
        let task = run(&f, &sync).await;
        end(&f, task, None).await;
    }
    assert_eq!(failures(&f, &sync).await, (2, false, false));
    assert_eq!(failures(&f, &publish).await, (0, true, true));
    let without = |schedule: &mut Schedule| schedule.failure_threshold = None;
    f.store
        .schedule_change(&publish.oid, without)
        .await
        .unwrap();
    for _ in 0..4 {
        let task = run(&f, &publish).await;
        end(&f, task, None).await;
    }
    assert_eq!(failures(&f, &publish).await, (4, true, true));
}

async fn what_a_scheduled_task_spawns_counts_too(f: Fixture) {
    let [sync, _] = filled(&f).await;
    let parent = run(&f, &sync).await;
    let child = task();
    f.store.task_enqueue(&child).await.unwrap();
    end(&f, parent, Some(vec![child.id])).await;
    end(&f, child.id, None).await;
    assert_eq!(failures(&f, &sync).await, (1, true, true));
    let stranger = task();
    f.store.task_enqueue(&stranger).await.unwrap();
    end(&f, stranger.id, None).await;
    assert_eq!(failures(&f, &sync).await, (1, true, true));
}

async fn a_scheduled_task_that_is_given_up_failed(f: Fixture) {
    let [sync, _] = filled(&f).await;
    let task = run(&f, &sync).await;
    let claimed = f.store.task_claim("dead", f.now()).await.unwrap();
    assert_eq!(claimed.unwrap().id, task);
    let now = f.later(60);
    let lost = f
        .store
        .task_requeue_lost(now, (1, |_| pith_core::SignedDuration::ZERO), now)
        .await
        .unwrap();
    assert_eq!(lost.given_up, [task]);
    assert_eq!(failures(&f, &sync).await, (1, true, true));
    let given_up = f.store.task_get(task).await.unwrap().unwrap();
    let text = format!(
        "Worker terminated abnormally while processing task {task}.  Check the logs for details"
    );
    let said = given_up.error.unwrap()["description"].to_string();
    assert!(said.contains(&text), "{said}");
}

async fn a_lease_has_one_holder(f: Fixture) {
    let start = f.now();
    let minute = SignedDuration::from_mins(1);
    let take = async |holder: &str, now: Timestamp| {
        let taken = f.store.lease_take("scheduler", holder, now, now + minute);
        taken.await.unwrap()
    };
    assert!(take("a", start).await);
    assert!(!take("b", start).await);
    assert!(take("a", start + minute / 2).await, "the holder renews it");
    assert!(!take("b", start + minute).await);
    assert!(take("b", start + minute * 2).await, "it ran out");
    assert!(!take("a", start + minute * 2).await);
    f.store.lease_release("scheduler", "a").await.unwrap();
    assert!(!take("a", start + minute * 2).await, "not its to release");
    f.store.lease_release("scheduler", "b").await.unwrap();
    assert!(take("a", start + minute * 2).await);
    f.store.lease_break("scheduler").await.unwrap();
    assert!(take("b", start + minute * 2).await);
}

async fn housekeeping_runs_once_however_many_ask(f: Fixture) {
    let seen = f.store.periodic_last_run("reaper", f.now()).await.unwrap();
    let now = f.later(60);
    let other = f.other().await;
    assert_eq!(other.periodic_last_run("reaper", now).await.unwrap(), seen);
    let (mine, theirs) = (task(), task());
    let (one, two) = tokio::join!(
        f.store.periodic_dispatch("reaper", seen, now, &mine),
        other.periodic_dispatch("reaper", seen, now, &theirs)
    );
    assert!(one.unwrap() ^ two.unwrap());
    assert_eq!(f.store.task_list(&[]).await.unwrap().len(), 1);
}
