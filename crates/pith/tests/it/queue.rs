//! Tasks that another version of pith has queued.

use pith_core::TaskId;
use pith_core::task::TaskState;
use pith_store::NewTask;
use serde_json::{Value, json};

use crate::harness::{Harness, On};

crate::on_both!(
    each_kind_that_older_versions_queued_is_known_to_the_workers,
    a_job_that_nobody_knows_fails_its_task_and_no_worker,
);

/// Queues a task with these arguments, as another version did; the code of the error that it ends with.
async fn run(h: &Harness, args: Value) -> Value {
    let task = NewTask {
        id: TaskId::new(),
        kind: "a.task.type".to_owned(),
        args,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    };
    h.engine.store.task_enqueue(&task).await.unwrap();
    let ended = h.ended(task.id).await;
    ended
        .error
        .map_or(Value::Null, |error| error["code"].clone())
}

async fn each_kind_that_older_versions_queued_is_known_to_the_workers(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let nowhere = json!({"repo_id": "none"});
    let with = |job: &str, further: Value| {
        let mut args = nowhere.clone();
        args["job"] = json!(job);
        for (key, value) in further.as_object().unwrap() {
            args[key] = value.clone();
        }
        args
    };
    let importer = json!({"importer_id": "i", "config": {}});
    let distributor = json!({"distributor_id": "d", "config": {}, "delta": {}});
    let upload =
        json!({"upload_id": null, "unit_type_id": "iso", "unit_key": {}, "unit_metadata": {}});
    let copy = json!({"source_repo_id": "none", "criteria": {}, "override_config": {}});
    let set = json!({"importer_type_id": "iso_importer", "config": {"feed": "http://a/"}});
    // What is not there is missing: the run has begun.
    for args in [
        with("sync", json!({})),
        with("publish", json!({"distributor_id": "d"})),
        with(
            "publish_group",
            json!({"group_id": "none", "distributor_id": "d"}),
        ),
        with("delete_repository", json!({})),
        with("set_importer", set),
        with("update_importer", importer.clone()),
        with("remove_importer", importer),
        with("update_distributor", distributor.clone()),
        with("remove_distributor", distributor),
        with("import_upload", upload),
        with("associate", copy),
        with("unassociate", json!({"criteria": {}, "discreet": true})),
        with(
            "batch_regenerate_applicability",
            json!({"profile_sets": ["x"]}),
        ),
    ] {
        assert_eq!(run(&h, args.clone()).await, "PLP0009", "{args}");
    }
    for args in [
        with("download_repository", json!({})),
        with("delete_orphans", json!({"orphans": {"what": "all"}})),
        with("refresh_content_sources", json!({"source_ids": []})),
        with("refresh_content_source", json!({"source_id": "none"})),
        with("regenerate_applicability", json!({"repo_criteria": {}})),
        with("reap_expired_documents", json!({})),
    ] {
        assert_eq!(run(&h, args.clone()).await, Value::Null, "{args}");
    }
}

async fn a_job_that_nobody_knows_fails_its_task_and_no_worker(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    for args in [
        json!({"job": "from_the_future", "repo_id": "zoo"}),
        json!({"job": "notes.fold", "args": {}}),
        json!({"job": "sync", "repo_id": 5}),
        json!({"job": 5}),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(run(&h, args.clone()).await, "PTH0001", "{args}");
    }
    h.repository("files", "iso", "/f/", json!({})).await;
    pith_testkit::upstream::Upstream::put(&h.upstream, "/f/PULP_MANIFEST", "");
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}
