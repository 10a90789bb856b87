//! Settings, uploads, history, workers.

use pith_core::task::TaskState;
use pith_core::{ObjectId, TaskId, Timestamp};
use pith_store::{History, HistoryKind, HistoryQuery, NewTask, StoreError, Upload};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::Fixture;
use crate::on_both_engines;

on_both_engines!(
    a_setting_made_twice_keeps_the_first_value,
    uploads_only_grow,
    uploads_count_by_owner_and_each_for_a_little,
    history_is_listed_as_it_was_written,
    workers_are_known_by_their_heartbeat,
    a_task_that_is_given_back_waits_again_however_often,
);

async fn a_setting_made_twice_keeps_the_first_value(f: Fixture) {
    assert_eq!(f.store.setting_get("key").await.unwrap(), None);
    assert_eq!(
        f.store
            .setting_get_or_set("key", &json!("first"))
            .await
            .unwrap(),
        json!("first")
    );
    assert_eq!(
        f.store
            .setting_get_or_set("key", &json!("second"))
            .await
            .unwrap(),
        json!("first")
    );
    assert_eq!(
        f.store.setting_get("key").await.unwrap(),
        Some(json!("first"))
    );
}

async fn uploads_only_grow(f: Fixture) {
    let upload = Upload {
        id: Uuid::now_v7(),
        created: f.now(),
        size: 0,
        owner: Some("0123".to_owned()),
    };
    f.store.upload_create(&upload).await.unwrap();
    f.store.upload_set_size(upload.id, 10).await.unwrap();
    f.store.upload_set_size(upload.id, 5).await.unwrap();
    let grown = Upload {
        size: 10,
        ..upload.clone()
    };
    let found = f.store.upload_get(upload.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&grown));
    assert_eq!(f.store.uploads_list(None).await.unwrap().len(), 1);
    assert_eq!(f.store.uploads_list(Some("0123")).await.unwrap(), [grown]);
    assert!(f.store.uploads_list(Some("4567")).await.unwrap().is_empty());
    assert!(f.store.upload_delete(upload.id).await.unwrap());
    assert!(f.store.upload_set_size(upload.id, 1).await.is_err());
}

async fn uploads_count_by_owner_and_each_for_a_little(f: Fixture) {
    for (owner, size) in [
        (Some("a"), 5 << 20),
        (Some("a"), 0),
        (Some("b"), 9),
        (None, 3 << 20),
    ] {
        let upload = Upload {
            id: Uuid::now_v7(),
            created: f.now(),
            size,
            owner: owner.map(str::to_owned),
        };
        f.store.upload_create(&upload).await.unwrap();
    }
    for (owner, own) in [("a", 6), ("b", 1), ("c", 0)] {
        let found = f.store.uploads_use(owner).await.unwrap();
        assert_eq!((found.own >> 20, found.all >> 20), (own, 10));
    }
}

fn entry(f: &Fixture, at: Timestamp, actor: &str) -> History {
    History {
        oid: ObjectId::new(f.now()),
        repo_id: "a".to_owned(),
        actor_id: actor.to_owned(),
        actor_type: "yum".to_owned(),
        started: at,
        completed: at,
        result: "success".to_owned(),
        error_message: None,
        exception: None,
        traceback: Value::Null,
        added: Some(3),
        updated: None,
        removed: Some(0),
        summary: json!({ "packages": "ok" }),
        details: Value::Null,
    }
}

async fn history_is_listed_as_it_was_written(f: Fixture) {
    let orphan = f
        .store
        .history_add(HistoryKind::Sync, &entry(&f, f.now(), "yum"))
        .await
        .unwrap_err();
    assert!(matches!(orphan, StoreError::Missing { .. }));
    f.repository("a").await;
    let first = entry(&f, f.now(), "yum");
    let second = entry(&f, f.later(10), "yum");
    let publish = entry(&f, f.now(), "dist");
    f.store
        .history_add(HistoryKind::Sync, &second)
        .await
        .unwrap();
    f.store
        .history_add(HistoryKind::Sync, &first)
        .await
        .unwrap();
    f.store
        .history_add(HistoryKind::Publish, &publish)
        .await
        .unwrap();
    let of = |query: HistoryQuery<'static>| {
        let store = f.store.clone();
        async move { store.history_list(HistoryKind::Sync, &query).await.unwrap() }
    };
    let all = HistoryQuery {
        repo_id: "a",
        ..HistoryQuery::default()
    };
    assert_eq!(of(all.clone()).await, [first.clone(), second.clone()]);
    assert_eq!(
        of(HistoryQuery {
            ascending: true,
            limit: Some(1),
            ..all.clone()
        })
        .await,
        *std::slice::from_ref(&second)
    );
    assert_eq!(
        of(HistoryQuery {
            start: Some(second.started),
            ..all.clone()
        })
        .await,
        *std::slice::from_ref(&second)
    );
    assert_eq!(
        of(HistoryQuery {
            end: Some(first.started),
            ..all.clone()
        })
        .await,
        *std::slice::from_ref(&first)
    );
    assert_eq!(
        of(HistoryQuery {
            actor_id: Some("other"),
            ..all.clone()
        })
        .await,
        []
    );
    assert_eq!(
        f.store
            .history_delete_before(HistoryKind::Sync, second.completed)
            .await
            .unwrap(),
        1
    );
    assert_eq!(of(all.clone()).await, [second]);
    assert_eq!(
        f.store
            .history_list(HistoryKind::Publish, &all)
            .await
            .unwrap(),
        [publish]
    );
}

async fn workers_are_known_by_their_heartbeat(f: Fixture) {
    f.store.worker_beat("w1", f.now()).await.unwrap();
    let started = f.now();
    let beat = f.later(5);
    f.store.worker_beat("w1", beat).await.unwrap();
    let workers = f.store.workers_list().await.unwrap();
    assert_eq!(
        (workers[0].started, workers[0].heartbeat, workers.len()),
        (started, beat, 1)
    );
    let gone = ["w1".to_owned()];
    assert_eq!(f.store.tasks_hand_back(&gone).await.unwrap(), 0);
    assert!(f.store.workers_list().await.unwrap().is_empty());
}

/// The numbers of started tasks are bounded, but not by workers that are told to stop.
async fn a_task_that_is_given_back_waits_again_however_often(f: Fixture) {
    let task = NewTask {
        id: TaskId::new(),
        kind: "test".to_owned(),
        args: Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    };
    f.store.task_enqueue(&task).await.unwrap();
    let worker = ["w1".to_owned()];
    for time in 1..=5 {
        f.store.worker_beat("w1", f.now()).await.unwrap();
        let claimed = f.store.task_claim("w1", f.now()).await.unwrap().unwrap();
        assert_eq!((claimed.id, claimed.attempt), (task.id, time));
        assert_eq!(f.store.tasks_hand_back(&worker).await.unwrap(), 1);
        let waiting = f.store.task_get(task.id).await.unwrap().unwrap();
        assert_eq!(waiting.state, TaskState::Waiting);
        assert_eq!(waiting.worker, None);
    }
    // A worker that dies is another matter, as often as ever.
    for given_up in [false, false, true] {
        f.store.task_claim("w1", f.now()).await.unwrap().unwrap();
        let late = f.later(100);
        let lost = f
            .store
            .task_requeue_lost(late, (3, |_| pith_core::SignedDuration::ZERO), late)
            .await
            .unwrap();
        assert_eq!(lost.given_up == [task.id], given_up, "{lost:?}");
    }
}
