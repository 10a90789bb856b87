//! Odd feeds and uploads through the whole engine: what was bent is told, and advisories lose nothing.

use pith_core::Sha256;
use pith_core::task::TaskState;
use pith_pulp::jobs::ImportUpload;
use pith_store::{HistoryKind, HistoryQuery, Task};
use pith_testkit::repos::{Compression, Spec, write_repository};
use serde_json::{Value, json};

use crate::harness::{Harness, On};

crate::on_both!(
    what_was_bent_is_in_the_history_and_in_the_result,
    a_manifest_with_marks_blanks_and_capitals_is_mirrored,
    package_lists_of_uploads_are_kept_and_older_uploads_change_nothing,
);

/// Replaces text in the updateinfo of a feed whose documents are not compressed.
fn change_updateinfo(folder: &std::path::Path, from: &str, to: &str) {
    let mut files = std::fs::read_dir(folder.join("repodata")).unwrap();
    let path = files
        .find_map(|entry| {
            let path = entry.unwrap().path();
            path.to_string_lossy()
                .ends_with("-updateinfo.xml")
                .then_some(path)
        })
        .unwrap();
    let old = std::fs::read_to_string(&path).unwrap();
    let new = old.replace(from, to);
    assert_ne!(old, new);
    let (before, after) = (Sha256::of(old.as_bytes()), Sha256::of(new.as_bytes()));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(path.with_file_name(format!("{after}-updateinfo.xml")), &new).unwrap();
    let repomd = folder.join("repodata/repomd.xml");
    let index = std::fs::read_to_string(&repomd).unwrap();
    let size = |text: &str| format!("<size>{}</size>", text.len());
    let index = index
        .replace(&before.to_string(), &after.to_string())
        .replace(&size(&old), &size(&new));
    std::fs::write(repomd, index).unwrap();
}

async fn what_was_bent_is_in_the_history_and_in_the_result(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        compression: Compression::Plain,
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    h.upstream.serve_dir("/r/", folder.path().to_owned());
    h.repository("plain", "rpm", "/r/", json!({})).await;
    let task = h.sync("plain").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(task.result["details"].get("upstream"), None);
    change_updateinfo(folder.path(), " version=\"1\"><id>", "><id>");
    h.repository("odd", "rpm", "/r/", json!({})).await;
    let task = h.sync("odd").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let note = &task.result["details"]["upstream"]["missing_attribute"];
    assert_eq!(note["count"], spec.errata, "{task:?}");
    assert_eq!(note["names"][0], "advisory EXSA-2026:0000: version");
    assert_eq!(task.result["details"]["content"]["state"], "FINISHED");
    let query = HistoryQuery {
        repo_id: "odd",
        ..HistoryQuery::default()
    };
    let history = h.engine.store.history_list(HistoryKind::Sync, &query).await;
    assert_eq!(
        &history.unwrap()[0].details["upstream"]["missing_attribute"],
        note
    );
}

async fn a_manifest_with_marks_blanks_and_capitals_is_mirrored(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let digest = Sha256::of(b"one").to_string().to_ascii_uppercase();
    let manifest = format!(
        "\u{feff}a.iso,{digest},3\r\n\r\n\"sub/b.iso\" , {digest} , 3\r\n# twice\r\n./a.iso,{digest},3\r\n"
    );
    h.upstream.put("/f/PULP_MANIFEST", manifest);
    h.upstream.put("/f/a.iso", b"one".to_vec());
    h.upstream.put("/f/sub/b.iso", b"one".to_vec());
    h.repository("files", "iso", "/f/", json!({})).await;
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(
        h.units("files", "iso", "name").await,
        ["a.iso", "sub/b.iso"]
    );
    let details = &task.result["details"];
    let notes = details["upstream"].as_object().unwrap();
    let kinds: Vec<&str> = notes.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["file_twice", "name_cleaned"]);
    assert_eq!(details["upstream"]["file_twice"]["names"], json!(["a.iso"]));
}

async fn upload(h: &Harness, repo: &str, metadata: Value) -> Task {
    let job = ImportUpload {
        repo_id: repo.to_owned(),
        upload_id: Value::Null,
        unit_type_id: json!("erratum"),
        unit_key: json!({"id": "A"}),
        unit_metadata: metadata,
        override_config: Value::Null,
    };
    h.ended(h.engine.enqueue(job).await.unwrap()).await
}

async fn package_lists_of_uploads_are_kept_and_older_uploads_change_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    h.repository("own", "rpm", "/none/", json!({})).await;
    let package = json!({"name": "p", "epoch": 0, "version": "1", "mine": [null, true], "sums": "ab", "type": "md5"});
    let advisory = |title: &str, updated: &str, packages: Value| json!({"title": title, "updated": updated, "version": "1", "pkglist": [{"packages": packages, "name": null}]});
    let given = advisory("first", "2024-01-02", json!([package]));
    let task = upload(&h, "own", given).await;
    assert_eq!(task.result["success_flag"], true, "{task:?}");
    assert_eq!(task.result["details"], json!({}));
    let older = upload(&h, "own", advisory("older", "1600000000", json!([]))).await;
    let note = &older.result["details"]["upstream"]["older_advisory"];
    assert_eq!(note["names"], json!(["A"]), "{older:?}");
    let unreadable = upload(&h, "own", advisory("bad", "soon", json!([]))).await;
    let error = unreadable.error.unwrap();
    assert_eq!(error["code"], "PLP0047");
    assert!(
        error["description"].as_str().unwrap().contains("'soon'"),
        "{error}"
    );
    assert_eq!(h.units("own", "erratum", "title").await, ["first"]);
    let query = pith_store::UnitQuery {
        repo: Some("own"),
        ..pith_store::UnitQuery::default()
    };
    let units: Vec<_> =
        futures::TryStreamExt::try_concat(h.engine.store.units_stream(&query).unwrap())
            .await
            .unwrap();
    let parts = h
        .engine
        .store
        .unit_parts(&[units[0].unit.id], &["pkglist"])
        .await;
    let parts = parts.unwrap().remove(&units[0].unit.id).unwrap();
    let lists = pith_type_rpm::advisories::pkglists(&parts[0].data);
    let shown = json!(lists[0].collections[0].packages);
    assert_eq!(shown, json!([package]));
}
