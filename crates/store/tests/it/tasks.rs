use pith_core::TaskId;
use pith_core::task::{Resource, TaskState};
use pith_store::{Fence, NewTask, StoreError, Task, TaskListing, TaskOutcome, Window};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{Fixture, collect};
use crate::on_both_engines;

on_both_engines!(
    a_task_lives_from_queue_to_result,
    an_earlier_task_for_the_repository_goes_first_and_others_do_not_wait,
    readers_share_and_writers_wait_their_turn,
    a_cancelled_task_that_waits_never_runs,
    a_cancelled_task_that_runs_keeps_its_resources_until_it_stops,
    a_normal_end_never_overwrites_a_complete_state_and_a_failing_end_does,
    tasks_of_dead_workers_run_again_a_few_times,
    a_task_queued_in_a_transaction_is_there_with_its_commit,
    a_task_whose_process_died_again_waits_before_it_is_run_again,
    a_worker_leaves_kinds_of_tasks_to_others,
    tasks_are_found_by_all_their_tags,
    only_ended_tasks_are_deleted,
    many_claimers_never_get_the_same_task,
    whoever_waits_is_woken,
);

fn new(resources: &[Resource]) -> NewTask {
    NewTask {
        id: TaskId::new(),
        kind: "sync".to_owned(),
        args: json!({ "repo": "a" }),
        tags: vec![],
        resources: resources.to_vec(),
        group: None,
    }
}

fn finished(result: Value) -> TaskOutcome {
    TaskOutcome::Finished {
        result,
        error: None,
        spawned: vec![],
    }
}

async fn queue(f: &Fixture, resources: &[Resource]) -> TaskId {
    f.store.task_enqueue(&new(resources)).await.unwrap().id
}

async fn claim(f: &Fixture) -> Option<TaskId> {
    f.store
        .task_claim("w", f.now())
        .await
        .unwrap()
        .map(|task| task.id)
}

async fn get(f: &Fixture, id: TaskId) -> Task {
    f.store.task_get(id).await.unwrap().unwrap()
}

/// A sign of life of the worker called "alive", which runs this task.
async fn beat(f: &Fixture, task: TaskId) {
    let fences = [fence(f, task).await];
    let late = f.store.task_heartbeats(&fences, f.now()).await.unwrap();
    assert_eq!(late, []);
    f.store.worker_beat("alive", f.now()).await.unwrap();
}

/// The attempt of a task that runs.
async fn fence(f: &Fixture, id: TaskId) -> Fence {
    get(f, id).await.fence()
}

async fn a_task_lives_from_queue_to_result(f: Fixture) {
    let mut task = new(&[Resource::repository("a")]);
    task.tags = vec!["z".to_owned(), "a".to_owned()];
    task.group = Some(Uuid::new_v4());
    let queued = f.store.task_enqueue(&task).await.unwrap();
    assert_eq!(
        (queued.state, &queued.tags, &queued.worker, queued.attempt),
        (TaskState::Waiting, &task.tags, &None, 0)
    );
    assert_eq!(
        (&queued.progress, &queued.result, queued.created),
        (&json!({}), &Value::Null, f.now())
    );
    let twice = f.store.task_enqueue(&task).await.unwrap_err();
    assert!(
        matches!(twice, StoreError::Duplicate { what: "task", .. }),
        "{twice}"
    );
    let started = f.later(3);
    let claimed = f.store.task_claim("w1", started).await.unwrap().unwrap();
    assert_eq!(
        (claimed.id, claimed.state, claimed.worker.as_deref()),
        (task.id, TaskState::Running, Some("w1"))
    );
    assert_eq!(
        (claimed.started, claimed.attempt, &claimed.args),
        (Some(started), 1, &task.args)
    );
    assert!(
        !f.store
            .task_progress(
                claimed.fence(),
                &json!({ "yum_importer": { "state": "x" } })
            )
            .await
            .unwrap()
    );
    let spawned = TaskId::new();
    let outcome = TaskOutcome::Finished {
        result: json!({ "added": 1 }),
        error: Some(json!({ "code": "PLP0005" })),
        spawned: vec![spawned],
    };
    let ended = f.later(2);
    assert_eq!(
        f.store
            .task_finish(claimed.fence(), &outcome, ended)
            .await
            .unwrap(),
        TaskState::Finished
    );
    let done = get(&f, task.id).await;
    assert_eq!(
        (done.finished, done.result, done.spawned),
        (Some(ended), json!({ "added": 1 }), vec![spawned])
    );
    assert_eq!(
        (done.error.unwrap()["code"].as_str(), done.traceback),
        (Some("PLP0005"), None)
    );
    assert_eq!(done.progress["yum_importer"]["state"], "x");
    assert_eq!(
        f.store
            .tasks_by_group(task.group.unwrap())
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(f.store.task_get(TaskId::new()).await.unwrap().is_none());
}

async fn an_earlier_task_for_the_repository_goes_first_and_others_do_not_wait(f: Fixture) {
    let first = queue(&f, &[Resource::repository("a")]).await;
    let second = queue(&f, &[Resource::repository("a"), Resource::repository("b")]).await;
    let third = queue(&f, &[Resource::repository("b")]).await;
    let other = queue(&f, &[Resource::repository("c")]).await;
    let free = queue(&f, &[]).await;
    assert_eq!(claim(&f).await, Some(first));
    assert_eq!(
        claim(&f).await,
        Some(other),
        "third waits for second, which waits for first"
    );
    assert_eq!(claim(&f).await, Some(free));
    assert_eq!(claim(&f).await, None);
    f.store
        .task_finish(fence(&f, first).await, &finished(Value::Null), f.now())
        .await
        .unwrap();
    assert_eq!(claim(&f).await, Some(second));
    assert_eq!(claim(&f).await, None);
    let failed = TaskOutcome::Error {
        detail: None,
        traceback: Some("boom".to_owned()),
    };
    f.store
        .task_finish(fence(&f, second).await, &failed, f.now())
        .await
        .unwrap();
    assert_eq!(claim(&f).await, Some(third));
}

async fn readers_share_and_writers_wait_their_turn(f: Fixture) {
    let (read, write) = (Resource::repository_shared("a"), Resource::repository("a"));
    let one = queue(&f, std::slice::from_ref(&read)).await;
    let two = queue(&f, &[read.clone(), read.clone()]).await;
    let writer = queue(&f, &[read.clone(), write]).await;
    let late = queue(&f, &[read]).await;
    assert_eq!(
        (claim(&f).await, claim(&f).await, claim(&f).await),
        (Some(one), Some(two), None)
    );
    f.store
        .task_finish(fence(&f, one).await, &finished(Value::Null), f.now())
        .await
        .unwrap();
    assert_eq!(claim(&f).await, None);
    f.store
        .task_finish(fence(&f, two).await, &finished(Value::Null), f.now())
        .await
        .unwrap();
    assert_eq!((claim(&f).await, claim(&f).await), (Some(writer), None));
    f.store
        .task_finish(fence(&f, writer).await, &finished(Value::Null), f.now())
        .await
        .unwrap();
    assert_eq!(claim(&f).await, Some(late));
}

async fn a_cancelled_task_that_waits_never_runs(f: Fixture) {
    let first = queue(&f, &[Resource::repository("a")]).await;
    let second = queue(&f, &[Resource::repository("a")]).await;
    assert_eq!(
        f.store.task_cancel(first).await.unwrap(),
        TaskState::Waiting
    );
    assert_eq!(
        claim(&f).await,
        Some(second),
        "what it stood in the way of is free"
    );
    let task = get(&f, first).await;
    assert_eq!(
        (task.state, task.started, task.finished),
        (TaskState::Canceled, None, None)
    );
    assert_eq!(
        f.store.task_cancel(first).await.unwrap(),
        TaskState::Canceled
    );
    assert!(matches!(
        f.store.task_cancel(TaskId::new()).await.unwrap_err(),
        StoreError::Missing { .. }
    ));
}

async fn a_cancelled_task_that_runs_keeps_its_resources_until_it_stops(f: Fixture) {
    let first = queue(&f, &[Resource::repository("a")]).await;
    let second = queue(&f, &[Resource::repository("a")]).await;
    assert_eq!(claim(&f).await, Some(first));
    assert_eq!(
        f.store.task_cancel(first).await.unwrap(),
        TaskState::Running
    );
    assert_eq!(get(&f, first).await.state, TaskState::Canceled);
    assert_eq!(f.store.tasks_to_cancel("w").await.unwrap(), [first]);
    assert!(
        f.store
            .task_progress(fence(&f, first).await, &json!({}))
            .await
            .unwrap(),
        "the worker is told"
    );
    assert_eq!(claim(&f).await, None);
    f.store
        .task_finish(fence(&f, first).await, &TaskOutcome::Canceled, f.now())
        .await
        .unwrap();
    let task = get(&f, first).await;
    assert_eq!(
        (task.state, task.finished, task.error),
        (TaskState::Canceled, None, None)
    );
    assert!(f.store.tasks_to_cancel("w").await.unwrap().is_empty());
    assert_eq!(claim(&f).await, Some(second));
}

async fn a_normal_end_never_overwrites_a_complete_state_and_a_failing_end_does(f: Fixture) {
    for failing in [false, true] {
        let id = queue(&f, &[]).await;
        assert_eq!(claim(&f).await, Some(id));
        f.store.task_cancel(id).await.unwrap();
        let detail = json!({ "code": "PLP0000" });
        let (outcome, expected) = if failing {
            (
                TaskOutcome::Error {
                    detail: Some(detail.clone()),
                    traceback: None,
                },
                TaskState::Error,
            )
        } else {
            (finished(json!(7)), TaskState::Canceled)
        };
        assert_eq!(
            f.store
                .task_finish(fence(&f, id).await, &outcome, f.now())
                .await
                .unwrap(),
            expected
        );
        let task = get(&f, id).await;
        assert_eq!((task.state, task.finished), (expected, Some(f.now())));
        assert_eq!(
            (task.result, task.error),
            if failing {
                (Value::Null, Some(detail))
            } else {
                (json!(7), None)
            }
        );
    }
}

async fn tasks_of_dead_workers_run_again_a_few_times(f: Fixture) {
    let id = queue(&f, &[Resource::repository("a")]).await;
    let cancelled = queue(&f, &[]).await;
    let alive = queue(&f, &[]).await;
    f.store.worker_beat("dead", f.now()).await.unwrap();
    f.store.task_claim("dead", f.now()).await.unwrap().unwrap();
    f.store.task_claim("dead", f.now()).await.unwrap().unwrap();
    f.store.task_claim("alive", f.now()).await.unwrap().unwrap();
    f.store.task_cancel(cancelled).await.unwrap();
    let now = f.later(100);
    beat(&f, alive).await;
    let lost = f
        .store
        .task_requeue_lost(now, (2, |_| pith_core::SignedDuration::ZERO), now)
        .await
        .unwrap();
    assert_eq!(
        (&lost.requeued, &lost.released),
        (&vec![id], &vec![cancelled])
    );
    assert_eq!(get(&f, alive).await.state, TaskState::Running);
    let task = get(&f, id).await;
    assert_eq!(
        (task.state, task.worker, task.started),
        (TaskState::Waiting, None, None)
    );
    let names: Vec<String> = f
        .store
        .workers_list()
        .await
        .unwrap()
        .into_iter()
        .map(|w| w.name)
        .collect();
    assert_eq!(names, ["alive"]);
    let again = f.store.task_claim("w2", now).await.unwrap().unwrap();
    assert_eq!((again.id, again.attempt), (id, 2));
    let now = f.later(100);
    beat(&f, alive).await;
    let lost = f
        .store
        .task_requeue_lost(now, (2, |_| pith_core::SignedDuration::ZERO), now)
        .await
        .unwrap();
    assert_eq!(lost.given_up, [id]);
    let task = get(&f, id).await;
    assert_eq!(
        (task.state, task.error.unwrap()["code"].as_str()),
        (TaskState::Error, Some("PLP0049"))
    );
    queue(&f, &[Resource::repository("a")]).await;
    assert!(claim(&f).await.is_some(), "its repository is free");
}

async fn a_task_whose_process_died_again_waits_before_it_is_run_again(f: Fixture) {
    let id = queue(&f, &[]).await;
    let pause = |deaths| pith_core::SignedDuration::from_secs(if deaths > 1 { 60 } else { 0 });
    for (waits, at) in [(false, 100), (true, 200)] {
        assert_eq!(claim(&f).await, Some(id));
        let now = f.later(at);
        let lost = f.store.task_requeue_lost(now, (3, pause), now).await;
        assert_eq!(lost.unwrap().requeued, [id]);
        let early = now + pith_core::SignedDuration::from_secs(59);
        if waits {
            assert!(f.store.task_claim("w", early).await.unwrap().is_none());
            let late = now + pith_core::SignedDuration::from_secs(61);
            assert!(f.store.task_claim("w", late).await.unwrap().is_some());
        }
    }
    let now = f.later(400);
    let lost = f.store.task_requeue_lost(now, (3, pause), now).await;
    assert_eq!(lost.unwrap().given_up, [id]);
    let error = get(&f, id).await.error.unwrap();
    assert_eq!(error["code"], "PLP0049");
    let said = error["description"].as_str().unwrap();
    assert!(said.contains("3 times"), "{said}");
}

async fn a_worker_leaves_kinds_of_tasks_to_others(f: Fixture) {
    let task = new(&[]);
    f.store.task_enqueue(&task).await.unwrap();
    let now = f.now();
    let kinds = ["other", task.kind.as_str()];
    let left = f.store.task_claim_but("w", &kinds, now).await;
    assert!(left.unwrap().is_none());
    let taken = f.store.task_claim_but("w", &["other"], now).await.unwrap();
    assert_eq!(taken.unwrap().id, task.id);
}

async fn a_task_queued_in_a_transaction_is_there_with_its_commit(f: Fixture) {
    let task = new(&[]);
    let mut tx = f.store.begin().await.unwrap();
    f.store.task_enqueue_in(&mut tx, &task).await.unwrap();
    assert!(f.store.task_get(task.id).await.unwrap().is_none());
    drop(tx);
    assert!(f.store.task_get(task.id).await.unwrap().is_none());
    let mut tx = f.store.begin().await.unwrap();
    f.store.task_enqueue_in(&mut tx, &task).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(&f).await, Some(task.id));
}

async fn tasks_are_found_by_all_their_tags(f: Fixture) {
    let mut ids = vec![];
    for tags in [vec!["a", "b", "a"], vec!["b"], vec![]] {
        let tags = tags.into_iter().map(str::to_owned).collect();
        ids.push(
            f.store
                .task_enqueue(&NewTask { tags, ..new(&[]) })
                .await
                .unwrap()
                .id,
        );
    }
    let of = async |tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        f.store
            .task_list(&tags)
            .await
            .unwrap()
            .into_iter()
            .map(|task| task.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&["b"]).await, ids[..2]);
    assert_eq!(of(&["a", "b"]).await, ids[..1]);
    assert_eq!(of(&["c"]).await, []);
    assert_eq!(of(&[]).await, ids);
    let all: Vec<TaskId> = collect(
        f.store
            .tasks_stream(TaskListing::default(), Window::default()),
    )
    .await
    .into_iter()
    .map(|task| task.id)
    .collect();
    assert_eq!(all, ids);
    let picked = f
        .store
        .tasks_by_ids(&[ids[2], ids[0], ids[0]])
        .await
        .unwrap();
    assert_eq!(
        picked.iter().map(|task| task.id).collect::<Vec<_>>(),
        [ids[0], ids[2]]
    );
}

async fn only_ended_tasks_are_deleted(f: Fixture) {
    let running = queue(&f, &[]).await;
    let waiting = queue(&f, &[Resource::repository("a")]).await;
    claim(&f).await.unwrap();
    f.store.task_cancel(running).await.unwrap();
    assert_eq!(
        f.store
            .task_delete_in_states(&TaskState::ALL)
            .await
            .unwrap(),
        0,
        "it has not stopped yet"
    );
    f.store
        .task_finish(fence(&f, running).await, &TaskOutcome::Canceled, f.now())
        .await
        .unwrap();
    assert_eq!(
        f.store
            .task_delete_in_states(&[TaskState::Error])
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        f.store
            .task_delete_in_states(&[TaskState::Canceled, TaskState::Waiting])
            .await
            .unwrap(),
        1
    );
    let later = f.later(10);
    assert_eq!(f.store.task_delete_before(later).await.unwrap(), 0);
    assert_eq!(get(&f, waiting).await.state, TaskState::Waiting);
}

async fn many_claimers_never_get_the_same_task(f: Fixture) {
    for at in 0..40 {
        queue(&f, &[Resource::repository(&format!("{}", at % 30))]).await;
    }
    let stores = [f.store.clone(), f.other().await];
    let now = f.now();
    let claimer = |at: usize| {
        let store = stores[at % 2].clone();
        async move {
            let mut got = vec![];
            while let Some(task) = store.task_claim(&format!("w{at}"), now).await.unwrap() {
                got.push(task.id);
            }
            got
        }
    };
    let got = futures::future::join_all((0..8).map(claimer))
        .await
        .concat();
    let distinct: std::collections::HashSet<_> = got.iter().collect();
    assert_eq!((got.len(), distinct.len()), (30, 30));
}

async fn whoever_waits_is_woken(f: Fixture) {
    let mut wakeups = f.store.wakeups();
    wakeups.mark_unchanged();
    let id = queue(&f, &[]).await;
    wakeups.changed().await.unwrap();
    claim(&f).await.unwrap();
    wakeups.mark_unchanged();
    f.store.task_cancel(id).await.unwrap();
    wakeups.changed().await.unwrap();
    wakeups.mark_unchanged();
    f.store
        .task_finish(fence(&f, id).await, &TaskOutcome::Canceled, f.now())
        .await
        .unwrap();
    wakeups.changed().await.unwrap();
}
