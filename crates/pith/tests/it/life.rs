//! The effects of tasks on repositories when all goes well, and when somebody interferes.

use pith_core::task::TaskState;
use pith_pulp::jobs::{DeleteRepository, SyncRepository};
use pith_store::{HistoryKind, HistoryQuery};
use pith_testkit::upstream::Fault;
use serde_json::json;

use crate::harness::{Harness, On, put_files};

crate::on_both!(
    a_sync_mirrors_publishes_and_writes_history,
    a_second_sync_adds_nothing_and_its_publish_is_skipped,
    files_that_left_the_feed_stay_unless_asked_to_go,
    a_file_that_became_a_folder_upstream_is_named_until_it_is_removed,
    a_name_with_new_content_replaces_the_old_file,
    cancelling_a_running_sync_stops_it_and_changes_nothing,
    a_task_whose_process_died_runs_again,
    deleting_a_repository_stops_serving_it,
);

async fn a_sync_mirrors_publishes_and_writes_history(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(
        &h.upstream,
        "/f/",
        &[("a.iso", b"aaa"), ("sub/b.iso", b"bb")],
    );
    h.repository("files", "iso", "/f/", json!({})).await;
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(task.result["added_count"], 2);
    assert_eq!(task.result["result"], "success");
    assert_eq!(task.progress["iso_importer"]["num_isos_finished"], 2);
    assert_eq!(task.spawned.len(), 1, "one auto-publish");
    assert_eq!(
        h.units("files", "iso", "name").await,
        ["a.iso", "sub/b.iso"]
    );
    let published = h.published("pulp/isos/files").await;
    let paths: Vec<&str> = published.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["PULP_MANIFEST", "a.iso", "sub/b.iso"]);
    assert_eq!(published[1].1, b"aaa");
    let manifest = String::from_utf8(published[0].1.clone()).unwrap();
    assert_eq!(manifest.lines().count(), 2);
    assert!(manifest.contains("sub/b.iso,"));
    let query = HistoryQuery {
        repo_id: "files",
        ..HistoryQuery::default()
    };
    assert_eq!(
        h.engine
            .store
            .history_list(HistoryKind::Sync, &query)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        h.engine
            .store
            .history_list(HistoryKind::Publish, &query)
            .await
            .unwrap()[0]
            .result,
        "success"
    );
    h.assert_no_leftovers().await;
}

async fn a_second_sync_adds_nothing_and_its_publish_is_skipped(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa")]);
    h.repository("files", "iso", "/f/", json!({})).await;
    h.sync("files").await;
    let again = h.sync("files").await;
    assert_eq!(again.result["added_count"], 0, "{again:?}");
    assert_eq!(again.result["removed_count"], 0);
    assert_eq!(
        h.upstream.requests("/f/a.iso"),
        1,
        "the file is not fetched twice"
    );
    let publish = h
        .engine
        .store
        .task_get(again.spawned[0])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(publish.result["result"], "skipped", "{publish:?}");
    assert_eq!(
        h.engine
            .store
            .repository_get("files")
            .await
            .unwrap()
            .unwrap()
            .version,
        1
    );
    let forced = h
        .publish("files", "iso_distributor", json!({"force_full": true}))
        .await;
    assert_eq!(forced.result["result"], "success");
}

async fn files_that_left_the_feed_stay_unless_asked_to_go(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa"), ("b.iso", b"bbb")]);
    h.repository("keep", "iso", "/f/", json!({})).await;
    h.repository("mirror", "iso", "/f/", json!({"remove_missing": true}))
        .await;
    h.sync("keep").await;
    h.sync("mirror").await;
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa")]);
    h.sync("keep").await;
    let task = h.sync("mirror").await;
    assert_eq!(h.units("keep", "iso", "name").await, ["a.iso", "b.iso"]);
    assert_eq!(h.units("mirror", "iso", "name").await, ["a.iso"]);
    assert_eq!(task.result["removed_count"], 1);
    assert_eq!(h.published("pulp/isos/mirror").await.len(), 2);
}

async fn a_file_that_became_a_folder_upstream_is_named_until_it_is_removed(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa"), ("a.iso-", b"")]);
    h.repository("files", "iso", "/f/", json!({})).await;
    h.sync("files").await;
    let before = h.published("pulp/isos/files").await;
    put_files(&h.upstream, "/f/", &[("a.iso/x", b"below")]);
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let publish = h.engine.store.task_get(task.spawned[0]).await;
    let publish = publish.unwrap().unwrap();
    assert_eq!(publish.state, TaskState::Error, "{publish:?}");
    let said = publish.error.unwrap().to_string();
    assert!(
        said.contains("'a.iso' is a file of the repository"),
        "{said}"
    );
    assert!(said.contains("sync with remove_missing"), "{said}");
    assert_eq!(h.published("pulp/isos/files").await, before);
    let mirror = SyncRepository {
        repo_id: "files".to_owned(),
        override_config: json!({"remove_missing": true}),
    };
    let task = h.ended(h.engine.enqueue(mirror).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let published = h.published("pulp/isos/files").await;
    let paths: Vec<&str> = published.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["PULP_MANIFEST", "a.iso/x"]);
}

async fn a_name_with_new_content_replaces_the_old_file(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"old")]);
    h.repository("files", "iso", "/f/", json!({})).await;
    h.sync("files").await;
    put_files(&h.upstream, "/f/", &[("a.iso", b"newer")]);
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(h.units("files", "iso", "name").await, ["a.iso"]);
    let published = h.published("pulp/isos/files").await;
    assert_eq!(published[1].1, b"newer");
}

async fn cancelling_a_running_sync_stops_it_and_changes_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(
        &h.upstream,
        "/f/",
        &[("a.iso", b"aaa"), ("stuck.iso", b"0123456789")],
    );
    h.upstream.fault("/f/stuck.iso", Fault::StallAfter(3));
    h.repository("files", "iso", "/f/", json!({})).await;
    let id = h.enqueue_sync("files").await;
    let stuck = async {
        while h.upstream.requests("/f/stuck.iso") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), stuck)
        .await
        .expect("the download starts");
    assert!(h.engine.cancel(id).await.unwrap());
    // The next task for the repository runs, so the cancelled one has let go of it.
    h.upstream.clear_faults("/f/stuck.iso");
    let next = h.sync("files").await;
    assert_eq!(next.state, TaskState::Finished, "{next:?}");
    assert_eq!(
        h.engine.store.task_get(id).await.unwrap().unwrap().state,
        TaskState::Canceled
    );
    assert_eq!(
        h.engine
            .store
            .repository_get("files")
            .await
            .unwrap()
            .unwrap()
            .version,
        1
    );
    assert_eq!(
        next.result["added_count"], 2,
        "the cancelled run added nothing"
    );
    let query = HistoryQuery {
        repo_id: "files",
        ascending: true,
        ..HistoryQuery::default()
    };
    let history = h
        .engine
        .store
        .history_list(HistoryKind::Sync, &query)
        .await
        .unwrap();
    let results: Vec<&str> = history.iter().map(|entry| entry.result.as_str()).collect();
    assert_eq!(results, ["canceled", "success"]);
    assert_eq!((history[0].added, history[1].added), (Some(0), Some(2)));
    h.assert_no_leftovers().await;
}

async fn a_task_whose_process_died_runs_again(on: On) {
    let Some(mut h) = Harness::start(on).await else {
        return;
    };
    if matches!(on, On::Postgres) {
        // Another process could still be alive there; it is given half a minute. The rule itself is tested in the store.
        return;
    }
    put_files(
        &h.upstream,
        "/f/",
        &[("a.iso", b"aaa"), ("stuck.iso", b"0123456789")],
    );
    h.upstream
        .fault_times("/f/stuck.iso", Fault::StallAfter(3), 1);
    h.repository("files", "iso", "/f/", json!({})).await;
    let id = h.enqueue_sync("files").await;
    h.until(id, |task| task.state == TaskState::Running).await;
    let waiting = async {
        while h.upstream.requests("/f/stuck.iso") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), waiting)
        .await
        .expect("the download starts");
    h.crash_and_restart().await;
    let task = h.ended(id).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(task.attempt, 2);
    assert_eq!(
        h.units("files", "iso", "name").await,
        ["a.iso", "stuck.iso"]
    );
    h.assert_no_leftovers().await;
}

async fn deleting_a_repository_stops_serving_it(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa")]);
    h.repository("files", "iso", "/f/", json!({})).await;
    h.sync("files").await;
    let job = DeleteRepository {
        repo_id: "files".to_owned(),
    };
    let id = h.engine.enqueue(job.clone()).await.unwrap();
    assert_eq!(h.ended(id).await.state, TaskState::Finished);
    assert!(h.published("pulp/isos/files").await.is_empty());
    assert!(
        h.engine
            .store
            .repository_get("files")
            .await
            .unwrap()
            .is_none()
    );
    let again = h.engine.enqueue(job).await.unwrap();
    let task = h.ended(again).await;
    assert_eq!(task.state, TaskState::Error);
    assert_eq!(task.error.unwrap()["code"], "PLP0009");
}
