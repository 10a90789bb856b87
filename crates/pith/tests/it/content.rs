//! Copies, removals, uploads and orphans with the real content types.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use pith_core::criteria::UnitCriteria;
use pith_core::task::TaskState;
use pith_core::{SignedDuration, UnitId};
use pith_pulp::jobs::{
    Associate, DeleteOrphans, DeleteRepository, ImportUpload, Orphans, Unassociate,
};
use pith_store::{Task, UnitQuery};
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};

use crate::harness::{Harness, On, put_files};

crate::on_both!(
    a_copy_shares_units_and_keeps_their_ids,
    what_the_database_decides_is_copied_and_removed_as_a_search_finds_it,
    a_copied_file_takes_the_place_of_one_with_its_name,
    a_copy_clones_what_belongs_to_one_repository,
    a_recursive_copy_brings_what_is_required,
    a_conservative_copy_brings_only_what_is_missing,
    a_copy_of_a_module_brings_its_packages_and_its_removal_takes_them,
    a_copy_that_fails_or_is_cancelled_changes_nothing,
    what_was_removed_comes_back_with_a_sync,
    orphans_go_and_published_files_stay,
    uploads_that_nobody_came_back_for_go,
    a_comps_file_is_imported_whole,
);

async fn copy(h: &Harness, from: &str, to: &str, criteria: Value, over: Value) -> Task {
    let job = Associate {
        repo_id: to.to_owned(),
        source_repo_id: from.to_owned(),
        criteria,
        override_config: serde_json::from_value(over).unwrap(),
    };
    h.ended(h.engine.enqueue(job).await.unwrap()).await
}

async fn remove(h: &Harness, repo: &str, criteria: Value) -> Task {
    let job = Unassociate {
        repo_id: repo.to_owned(),
        criteria,
    };
    h.ended(h.engine.enqueue(job).await.unwrap()).await
}

async fn ids(h: &Harness, repo: &str) -> Vec<UnitId> {
    let query = UnitQuery {
        repo: Some(repo),
        ..UnitQuery::default()
    };
    let units: Vec<_> = h
        .engine
        .store
        .units_stream(&query)
        .unwrap()
        .try_concat()
        .await
        .unwrap();
    let mut ids: Vec<UnitId> = units.iter().map(|unit| unit.unit.id).collect();
    ids.sort();
    ids
}

async fn counts(h: &Harness, repo: &str) -> BTreeMap<String, i64> {
    h.engine.store.repository_unit_counts(repo).await.unwrap()
}

fn names(task: &Task) -> Vec<String> {
    let units = task.result["units_successful"].as_array().unwrap();
    let key = |unit: &Value| {
        let key = &unit["unit_key"];
        let name = key["name"].as_str().or(key["id"].as_str());
        format!(
            "{}:{}",
            unit["type_id"].as_str().unwrap(),
            name.unwrap_or_default()
        )
    };
    let mut names: Vec<String> = units.iter().map(key).collect();
    names.sort();
    names
}

/// A synced repository `zoo` of `spec` and an empty one called `copy`.
async fn zoo(h: &Harness, spec: &Spec) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), spec).unwrap();
    h.upstream.serve_dir("/r/", folder.path().to_owned());
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.repository("copy", "rpm", "/none/", json!({})).await;
    let task = h.sync("zoo").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    folder
}

async fn a_copy_shares_units_and_keeps_their_ids(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::of(20)).await;
    let task = copy(&h, "zoo", "copy", json!({"type_ids": ["rpm"]}), json!({})).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(names(&task).len(), 20);
    assert_eq!(task.result["units_failed_signature_filter"], json!([]));
    let first = &task.result["units_successful"][0];
    assert_eq!(first["type_id"], "rpm");
    assert_eq!(first["signing_key"], Value::Null);
    assert_eq!(first["unit_key"].as_object().unwrap().len(), 7);
    let shared = ids(&h, "copy").await;
    let source = ids(&h, "zoo").await;
    assert!(shared.iter().all(|id| source.contains(id)));
    assert!(task.spawned.is_empty(), "nothing is published by itself");
    let repo = h
        .engine
        .store
        .repository_get("copy")
        .await
        .unwrap()
        .unwrap();
    assert!(repo.last_unit_added.is_some() && repo.last_unit_removed.is_none());
    assert_eq!(repo.version, 1);
    let again = copy(&h, "zoo", "copy", json!({"type_ids": ["rpm"]}), json!({})).await;
    assert_eq!(names(&again).len(), 20);
    let repo = h
        .engine
        .store
        .repository_get("copy")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(repo.version, 1, "a copy of what is there makes no version");
    let some = json!({"type_ids": ["rpm"], "limit": 3, "filters": {"unit": {"name": {"$regex": "^[a-c]"}}}});
    assert_eq!(
        names(&copy(&h, "zoo", "copy", some, json!({})).await).len(),
        3
    );
    assert_eq!(h.published("pulp/repos/copy").await.len(), 0);
}

async fn what_the_database_decides_is_copied_and_removed_as_a_search_finds_it(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::of(20)).await;
    for filter in [
        json!({"name": {"$regex": "^[a-c]"}}),
        json!({"name": {"$gte": "c", "$ne": "d"}}),
        json!({"$nor": [{"name": {"$regex": "e"}}]}),
        json!({"$or": [{"size": {"$gt": 0}}, {"name": {"$in": ["x"]}}]}),
        json!({"requires": {"$elemMatch": {"name": {"$exists": true}}}}),
    ] {
        let criteria = json!({"type_ids": ["rpm"], "filters": {"unit": filter}});
        let asked = UnitCriteria::parse(&criteria).unwrap();
        let found = h.pulp.repository_units("zoo", asked).await.unwrap();
        let found = found.try_concat().await.unwrap().len();
        let copied = copy(&h, "zoo", "copy", criteria.clone(), json!({})).await;
        assert_eq!(names(&copied).len(), found, "{criteria}");
        let removed = remove(&h, "copy", criteria.clone()).await;
        assert_eq!(names(&removed).len(), found, "{criteria}");
        assert!(counts(&h, "copy").await.is_empty(), "{criteria}");
    }
}

async fn a_copied_file_takes_the_place_of_one_with_its_name(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/a/", &[("x.iso", b"one"), ("y.iso", b"y")]);
    put_files(&h.upstream, "/b/", &[("x.iso", b"two"), ("z.iso", b"z")]);
    h.repository("a", "iso", "/a/", json!({})).await;
    h.repository("b", "iso", "/b/", json!({})).await;
    h.sync("a").await;
    h.sync("b").await;
    let task = copy(&h, "a", "b", json!({}), json!({})).await;
    assert_eq!(names(&task), ["iso:x.iso", "iso:y.iso"], "{task:?}");
    assert!(task.result.get("units_failed_signature_filter").is_none());
    assert_eq!(
        h.units("b", "iso", "name").await,
        ["x.iso", "y.iso", "z.iso"]
    );
    let one = pith_core::Sha256::of(b"one").to_string();
    assert!(h.units("b", "iso", "checksum").await.contains(&one));
    assert_eq!(counts(&h, "b").await["iso"], 3);
    let repo = h.engine.store.repository_get("b").await.unwrap().unwrap();
    assert!(repo.last_unit_removed.is_some());
}

async fn a_copy_clones_what_belongs_to_one_repository(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::full()).await;
    let task = copy(&h, "zoo", "copy", json!({}), json!({})).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(counts(&h, "copy").await, counts(&h, "zoo").await);
    for type_id in [
        "package_group",
        "package_category",
        "modulemd_defaults",
        "yum_repo_metadata_file",
    ] {
        let repos = h.units("copy", type_id, "repo_id").await;
        assert!(
            repos.iter().all(|repo| repo == "copy"),
            "{type_id}: {repos:?}"
        );
    }
    let failed = task.result["units_failed_signature_filter"]
        .as_array()
        .unwrap();
    assert!(
        failed
            .iter()
            .all(|unit| unit["unit_key"]["repo_id"] == "zoo")
    );
    assert_eq!(failed.len(), 7, "Pulp lists the originals of clones");
    let before = ids(&h, "copy").await;
    copy(&h, "zoo", "copy", json!({}), json!({})).await;
    assert_eq!(ids(&h, "copy").await, before, "clones keep their ids");
    let publish = h.publish("copy", "yum_distributor", Value::Null).await;
    assert_eq!(publish.state, TaskState::Finished, "{publish:?}");
}

async fn a_recursive_copy_brings_what_is_required(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::of(20)).await;
    // Package 12 needs 6, which needs 3, which needs 1.
    let one = json!({"type_ids": ["rpm"], "filters": {"unit": {"name": "mellow-anvil"}}});
    let plain = copy(&h, "zoo", "copy", one.clone(), json!({})).await;
    assert_eq!(names(&plain), ["rpm:mellow-anvil"]);
    let task = copy(&h, "zoo", "copy", one, json!({"recursive": true})).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let expected = [
        "rpm:brisk-anvil",
        "rpm:dusty-anvil",
        "rpm:gentle-anvil",
        "rpm:mellow-anvil",
    ];
    assert_eq!(names(&task), expected);
    assert_eq!(counts(&h, "copy").await["rpm"], 4);
    let errata = json!({"type_ids": ["erratum"]});
    let task = copy(&h, "zoo", "copy", errata, json!({"recursive": true})).await;
    assert!(
        names(&task).len() > 1,
        "an erratum brings its packages: {task:?}"
    );
}

async fn a_conservative_copy_brings_only_what_is_missing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::of(20)).await;
    let named = |name: &str| json!({"type_ids": ["rpm"], "filters": {"unit": {"name": name}}});
    copy(&h, "zoo", "copy", named("gentle-anvil"), json!({})).await;
    let over = json!({"recursive_conservative": true});
    let task = copy(&h, "zoo", "copy", named("mellow-anvil"), over).await;
    assert_eq!(
        names(&task),
        ["rpm:mellow-anvil"],
        "what it needs is there: {task:?}"
    );
    let over = json!({"recursive_conservative": true});
    let task = copy(&h, "zoo", "copy", named("gentle-anvil"), over).await;
    let expected = ["rpm:brisk-anvil", "rpm:dusty-anvil", "rpm:gentle-anvil"];
    assert_eq!(names(&task), expected);
}

async fn a_copy_of_a_module_brings_its_packages_and_its_removal_takes_them(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::full()).await;
    // Each of the two modules lists two packages; they share one.
    let both = json!({"type_ids": ["modulemd"]});
    let task = copy(&h, "zoo", "copy", both.clone(), json!({})).await;
    assert_eq!(counts(&h, "copy").await["rpm"], 3, "{task:?}");
    let one = json!({"type_ids": ["modulemd"], "filters": {"unit": {"name": "module-0"}}});
    let task = remove(&h, "copy", one).await;
    assert_eq!(
        names(&task).len(),
        2,
        "the module and the package that no other lists: {task:?}"
    );
    assert_eq!(counts(&h, "copy").await["rpm"], 2);
    remove(&h, "copy", both).await;
    assert!(counts(&h, "copy").await.is_empty());
}

async fn a_copy_that_fails_or_is_cancelled_changes_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::of(20)).await;
    let failed = copy(
        &h,
        "zoo",
        "copy",
        json!({}),
        json!({"additional_repos": {"zoo": "copy"}}),
    )
    .await;
    assert_eq!(failed.state, TaskState::Error);
    assert!(
        failed.error.unwrap()["description"]
            .as_str()
            .unwrap()
            .contains("recursive flags")
    );
    put_files(&h.upstream, "/f/", &[("a.iso", b"a")]);
    h.repository("files", "iso", "/f/", json!({})).await;
    let failed = copy(&h, "zoo", "files", json!({"type_ids": ["iso"]}), json!({})).await;
    assert_eq!(failed.error.unwrap()["code"], "PLP0044");
    h.upstream.fault(
        "/f/PULP_MANIFEST",
        pith_testkit::upstream::Fault::StallBeforeHead,
    );
    let sync = h.enqueue_sync("files").await;
    h.until(sync, |task| task.state == TaskState::Running).await;
    let waiting = Unassociate {
        repo_id: "files".to_owned(),
        criteria: json!({}),
    };
    let waiting = h.engine.enqueue(waiting).await.unwrap();
    h.engine.cancel(waiting).await.unwrap();
    h.engine.cancel(sync).await.unwrap();
    h.until(waiting, |task| task.state == TaskState::Canceled)
        .await;
    h.until(sync, |task| task.state == TaskState::Canceled)
        .await;
    for repo in ["copy", "files"] {
        let repo = h.engine.store.repository_get(repo).await.unwrap().unwrap();
        assert_eq!(
            (repo.version, repo.last_unit_added),
            (0, None),
            "{}",
            repo.id
        );
    }
}

async fn what_was_removed_comes_back_with_a_sync(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo(&h, &Spec::of(20)).await;
    let before = ids(&h, "zoo").await;
    let task = remove(&h, "zoo", json!({"type_ids": ["rpm"]})).await;
    assert_eq!(names(&task).len(), 20);
    assert!(!counts(&h, "zoo").await.contains_key("rpm"));
    let nothing = remove(&h, "zoo", json!({"type_ids": ["rpm"]})).await;
    assert_eq!(nothing.result, json!({}));
    let sync = h.sync("zoo").await;
    assert_eq!(sync.result["added_count"], 20, "{sync:?}");
    assert_eq!(ids(&h, "zoo").await, before, "the same units");
}

async fn delete_orphans(h: &Harness, orphans: Orphans) -> Value {
    let task = h.engine.enqueue(DeleteOrphans { orphans }).await.unwrap();
    let task = h.ended(task).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    task.result
}

async fn orphans_go_and_published_files_stay(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/a/", &[("x.iso", b"one"), ("y.iso", b"y")]);
    h.repository("a", "iso", "/a/", json!({})).await;
    h.sync("a").await;
    assert_eq!(delete_orphans(&h, Orphans::All).await, json!({}));
    remove(&h, "a", json!({"filters": {"unit": {"name": "x.iso"}}})).await;
    let counted = h.pulp.orphan_counts().await.unwrap();
    assert_eq!(counted["iso"]["count"], 1);
    assert_eq!(delete_orphans(&h, Orphans::All).await, json!({"iso": 1}));
    let blob = pith_core::Sha256::of(b"one");
    let sweep = || h.engine.sweep_blobs(SignedDuration::ZERO);
    sweep().await.unwrap();
    assert!(
        h.engine.blobs.contains(blob).await.unwrap(),
        "the publication still lists it"
    );
    assert_eq!(h.published("pulp/isos/a").await.len(), 3);
    // Two publishes later the old publication is forgotten, or the repository goes altogether.
    let gone = DeleteRepository {
        repo_id: "a".to_owned(),
    };
    h.ended(h.engine.enqueue(gone).await.unwrap()).await;
    assert_eq!(
        delete_orphans(
            &h,
            Orphans::OfType {
                type_id: "iso".to_owned()
            }
        )
        .await,
        json!(1)
    );
    sweep().await.unwrap();
    assert!(!h.engine.blobs.contains(blob).await.unwrap());
    // And what was deleted can come again, though its row still says that it is gone.
    h.repository("a", "iso", "/a/", json!({})).await;
    let sync = h.sync("a").await;
    assert_eq!(sync.state, TaskState::Finished, "{sync:?}");
    assert!(h.engine.blobs.contains(blob).await.unwrap());
    sweep().await.unwrap();
    assert!(h.engine.blobs.contains(blob).await.unwrap());
}

async fn uploads_that_nobody_came_back_for_go(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let id = uuid::Uuid::now_v7();
    let uploads = h.engine.blobs.uploads();
    uploads.create(id).await.unwrap();
    let upload = pith_store::Upload {
        id,
        created: h.engine.clock.now(),
        size: 0,
        owner: None,
    };
    h.engine.store.upload_create(&upload).await.unwrap();
    assert_eq!(
        h.engine
            .expire_uploads(SignedDuration::from_hours(1))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        h.engine
            .expire_uploads(-SignedDuration::from_hours(1))
            .await
            .unwrap(),
        1
    );
    assert_eq!(uploads.len(id).await.unwrap(), None);
    assert!(h.engine.store.uploads_list(None).await.unwrap().is_empty());
}

async fn a_comps_file_is_imported_whole(on: On) {
    const COMPS: &str = "<comps><group><id>g</id><name>G</name><packagelist><packagereq type=\"mandatory\">bear\
        </packagereq></packagelist></group><category><id>c</id><name>C</name><grouplist><groupid>g</groupid>\
        </grouplist></category></comps>";
    let Some(h) = Harness::start(on).await else {
        return;
    };
    h.repository("copy", "rpm", "/none/", json!({})).await;
    let id = uuid::Uuid::now_v7();
    let uploads = h.engine.blobs.uploads();
    uploads.create(id).await.unwrap();
    let write = async |text: String| {
        let data = futures::stream::iter([Ok::<_, std::io::Error>(text.into())]);
        uploads.write_at(id, 0, data, 1 << 20).await.unwrap();
    };
    write(COMPS.to_owned()).await;
    let job = |upload: Value, type_id: &str| ImportUpload {
        repo_id: "copy".to_owned(),
        upload_id: upload,
        unit_type_id: json!(type_id),
        unit_key: json!({}),
        unit_metadata: Value::Null,
        override_config: Value::Null,
    };
    let task = h
        .engine
        .enqueue(job(json!(id), "package_group"))
        .await
        .unwrap();
    let task = h.ended(task).await;
    assert_eq!(task.result["success_flag"], true, "{task:?}");
    assert_eq!(h.units("copy", "package_group", "id").await, ["g"]);
    assert_eq!(
        h.units("copy", "package_category", "repo_id").await,
        ["copy"]
    );
    // What changed in it since replaces what is there.
    write(
        COMPS
            .replace("<name>G<", "<name>H<")
            .replace("<name>C<", "<name>D<"),
    )
    .await;
    let task = h.engine.enqueue(job(json!(id), "package_group"));
    let task = h.ended(task.await.unwrap()).await;
    assert_eq!(task.result["success_flag"], true, "{task:?}");
    assert_eq!(h.units("copy", "package_group", "name").await, ["H"]);
    assert_eq!(h.units("copy", "package_category", "name").await, ["D"]);
    let task = h
        .engine
        .enqueue(job(Value::Null, "package_group"))
        .await
        .unwrap();
    let failed = h.ended(task).await;
    assert_eq!(failed.error.unwrap()["code"], "PLP0047");
}
