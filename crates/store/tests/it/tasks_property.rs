//! Whatever happens in whatever order: tasks that conflict never run at once, tasks for one resource run in the order
//! in which they were queued, and a task whose resources are free runs.

use pith_core::TaskId;
use pith_core::task::Resource;
use pith_store::{NewTask, Store, TaskListing, TaskOutcome, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::fixture::Fixture;

#[derive(Debug, Clone)]
enum Step {
    /// Queue a task that needs these: number of the resource, exclusive.
    Enqueue(Vec<(u8, bool)>),
    Claim,
    /// End the running task at this place.
    Finish(usize),
    /// Cancel the open task at this place.
    Cancel(usize),
    /// The worker of every running task dies.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec((0u8..4, any::<bool>()), 0..4).prop_map(Step::Enqueue),
        5 => Just(Step::Claim),
        3 => (0usize..8).prop_map(Step::Finish),
        1 => (0usize..8).prop_map(Step::Cancel),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..40)
}

/// A task as the model knows it, in the order of the queue.
#[derive(Debug, Clone)]
struct Expected {
    id: TaskId,
    resources: Vec<Resource>,
    running: bool,
    cancelled: bool,
}

impl Expected {
    fn conflicts_with(&self, other: &Self) -> bool {
        self.resources.iter().any(|mine| {
            other
                .resources
                .iter()
                .any(|theirs| mine.conflicts_with(theirs))
        })
    }
}

/// The task that must be claimed next: the first that waits and that nothing before it stands in the way of.
fn next(open: &[Expected]) -> Option<usize> {
    (0..open.len()).find(|at| {
        let task = &open[*at];
        !task.running
            && !open[..*at]
                .iter()
                .any(|earlier| earlier.conflicts_with(task))
    })
}

async fn run(store: &Store, steps: Vec<Step>) {
    let now = store.now();
    let mut open: Vec<Expected> = Vec::new();
    for step in steps {
        match step {
            Step::Enqueue(needs) => {
                let resource = |(number, exclusive): (u8, bool)| Resource {
                    name: format!("r{number}"),
                    exclusive,
                };
                let resources: Vec<Resource> = needs.into_iter().map(resource).collect();
                let id = TaskId::new();
                let task = NewTask {
                    id,
                    kind: "k".to_owned(),
                    args: Value::Null,
                    tags: vec![],
                    resources: resources.clone(),
                    group: None,
                };
                store.task_enqueue(&task).await.unwrap();
                open.push(Expected {
                    id,
                    resources,
                    running: false,
                    cancelled: false,
                });
            }
            Step::Claim => {
                let expected = next(&open);
                let claimed = store.task_claim("w", now).await.unwrap();
                assert_eq!(claimed.map(|task| task.id), expected.map(|at| open[at].id));
                if let Some(at) = expected {
                    open[at].running = true;
                }
            }
            Step::Finish(place) => {
                let running: Vec<usize> = (0..open.len()).filter(|at| open[*at].running).collect();
                if let Some(at) = running.get(place) {
                    let outcome = TaskOutcome::Finished {
                        result: Value::Null,
                        error: None,
                        spawned: vec![],
                    };
                    end(store, open[*at].id, &outcome).await;
                    open.remove(*at);
                }
            }
            Step::Cancel(place) if place < open.len() => {
                store.task_cancel(open[place].id).await.unwrap();
                if open[place].running {
                    open[place].cancelled = true;
                } else {
                    open.remove(place);
                }
            }
            Step::Cancel(_) => {}
            Step::Crash => {
                let after = now + pith_core::clock::SignedDuration::from_secs(1);
                store
                    .task_requeue_lost(after, (1000, |_| pith_core::SignedDuration::ZERO), now)
                    .await
                    .unwrap();
                open.retain(|task| !task.cancelled);
                for task in &mut open {
                    task.running = false;
                }
            }
        }
        for (at, task) in open.iter().enumerate() {
            let clashes = open[..at]
                .iter()
                .any(|other| other.running && task.running && task.conflicts_with(other));
            assert!(!clashes, "two tasks that conflict run at once: {open:?}");
        }
    }
    for task in &open {
        let outcome = TaskOutcome::Error {
            detail: None,
            traceback: None,
        };
        match task.running {
            true => end(store, task.id, &outcome).await,
            false => drop(store.task_cancel(task.id).await.unwrap()),
        }
    }
    assert!(store.task_claim("w", now).await.unwrap().is_none());
}

/// Ends a task that runs.
async fn end(store: &Store, id: TaskId, outcome: &TaskOutcome) {
    let task = store.task_get(id).await.unwrap().unwrap();
    let finished = store.task_finish(task.fence(), outcome, store.now());
    finished.await.unwrap();
}

/// Tries `cases` random runs on one store; the cases leave it empty.
fn check(cases: u32, open: impl AsyncFnOnce() -> Option<Fixture>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some(fixture) = runtime.block_on(open()) else {
        return;
    };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(async {
                // A failed case leaves tasks behind: each starts by ending them.
                clear(&fixture.store).await;
                run(&fixture.store, steps).await;
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(fixture.store.close());
}

async fn clear(store: &Store) {
    for task in
        crate::fixture::collect(store.tasks_stream(TaskListing::default(), Window::default())).await
    {
        store.task_cancel(task.id).await.unwrap();
    }
    let later = store.now() + pith_core::clock::SignedDuration::from_secs(1);
    store
        .task_requeue_lost(later, (1000, |_| pith_core::SignedDuration::ZERO), later)
        .await
        .unwrap();
    store
        .task_delete_in_states(&pith_core::task::TaskState::ALL)
        .await
        .unwrap();
}

#[test]
fn the_queue_is_fair_and_safe_on_sqlite() {
    check(60, async || Some(Fixture::sqlite().await));
}

#[test]
fn the_queue_is_fair_and_safe_on_postgresql() {
    check(25, Fixture::postgres);
}
