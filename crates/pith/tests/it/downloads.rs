//! Tasks that bring what is missing: after a sync in the background, and when somebody asks for it.

use pith_core::task::TaskState;
use pith_core::{Sha256, TaskId};
use pith_pulp::jobs::DownloadRepository;
use pith_store::Task;
use serde_json::json;

use crate::deferred::{Front, mirrored, missing, whole};
use crate::harness::{Harness, On, put_files};

crate::on_both!(
    a_background_sync_is_followed_by_a_download,
    a_download_gets_what_can_be_had_and_counts_what_cannot,
    verifying_mends_what_is_broken_and_marks_what_is_lost,
    an_immediate_sync_brings_what_a_deferred_one_left,
);

async fn download(h: &Harness, repo: &str, verify_all_units: bool) -> Task {
    let job = DownloadRepository {
        repo_id: repo.to_owned(),
        verify_all_units,
    };
    let id: TaskId = h.engine.enqueue(job).await.unwrap();
    h.ended(id).await
}

async fn a_background_sync_is_followed_by_a_download(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(
        &h.upstream,
        "/f/",
        &[("a.iso", b"first"), ("b.iso", b"second")],
    );
    let config = json!({"download_policy": "background"});
    h.repository("r", "iso", "/f/", config).await;
    let task = h.sync("r").await;
    let mut tasks = Vec::new();
    for id in &task.spawned {
        tasks.push(h.engine.store.task_get(*id).await.unwrap().unwrap());
    }
    let kinds: Vec<&str> = tasks.iter().map(|task| task.kind.as_str()).collect();
    let kind = "pulp.server.controllers.repository.download_repo";
    assert_eq!(kinds, ["pulp.server.managers.repo.publish.publish", kind]);
    assert_eq!(tasks[1].tags, ["pulp:repository:r", "pulp:action:download"]);
    let step = &tasks[1].progress["background_download"][0];
    assert_eq!(
        (&step["items_total"], &step["num_success"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(step["state"], "FINISHED");
    assert_eq!(missing(&h, "r").await, 0);
    // What was published before the files came is served without another request.
    let front = Front::of(&h.engine);
    assert!(whole(front.get("/pulp/isos/r/a.iso").await).await.unwrap() == b"first"[..]);
    assert_eq!(h.upstream.requests("/f/a.iso"), 1);
}

async fn a_download_gets_what_can_be_had_and_counts_what_cannot(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    mirrored(&h, "r", "/f/", &[("a.iso", b"first"), ("b.iso", b"second")]).await;
    h.upstream.remove("/f/a.iso");
    let task = download(&h, "r", false).await;
    assert_eq!(task.state, TaskState::Finished);
    assert_eq!(task.error, None);
    let step = &task.progress["background_download"][0];
    assert_eq!(step["state"], "FAILED");
    assert_eq!(
        (&step["num_success"], &step["num_failures"]),
        (&json!(1), &json!(1))
    );
    let said = step["error_details"][0]["error"]["description"]
        .as_str()
        .unwrap();
    assert!(said.contains("/f/a.iso"), "{said}");
    assert_eq!(missing(&h, "r").await, 1);
}

async fn verifying_mends_what_is_broken_and_marks_what_is_lost(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let files: [(&str, &[u8]); 4] = [
        ("broken.iso", b"to be broken"),
        ("gone.iso", b"to be removed"),
        ("lost.iso", b"to be lost"),
        ("whole.iso", b"left alone"),
    ];
    put_files(&h.upstream, "/f/", &files);
    h.repository("r", "iso", "/f/", json!({})).await;
    h.sync("r").await;
    let path = |bytes: &[u8]| h.file_of(Sha256::of(bytes));
    let spoil = |bytes: &[u8]| {
        std::fs::remove_file(path(bytes)).unwrap();
        std::fs::write(path(bytes), b"TO BE BROKEN").unwrap();
    };
    spoil(files[0].1);
    std::fs::remove_file(path(files[1].1)).unwrap();
    spoil(files[2].1);
    h.upstream.remove("/f/lost.iso");
    let task = download(&h, "r", true).await;
    let step = &task.progress["background_download"][0];
    assert_eq!(
        (&step["items_total"], &step["num_success"]),
        (&json!(4), &json!(3))
    );
    assert_eq!(missing(&h, "r").await, 1);
    assert_eq!(std::fs::read(path(files[0].1)).unwrap(), files[0].1);
    assert_eq!(std::fs::read(path(files[1].1)).unwrap(), files[1].1);
    assert!(!path(files[2].1).exists(), "nobody may be served it");
    assert_eq!(h.upstream.requests("/f/whole.iso"), 1);
    // Back again, it is mended by the next sync.
    h.upstream.put("/f/lost.iso", files[2].1);
    h.sync("r").await;
    assert_eq!(missing(&h, "r").await, 0);
}

async fn an_immediate_sync_brings_what_a_deferred_one_left(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    mirrored(&h, "later", "/f/", &[("a.iso", b"first")]).await;
    h.repository("now", "iso", "/f/", json!({})).await;
    h.sync("now").await;
    assert_eq!(missing(&h, "later").await, 0);
    let front = Front::of(&h.engine);
    assert!(
        whole(front.get("/pulp/isos/later/a.iso").await)
            .await
            .unwrap()
            == b"first"[..]
    );
    assert_eq!(h.upstream.requests("/f/a.iso"), 1);
}
