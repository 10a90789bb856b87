//! A publish after a change shows the change, whatever changed and however it came; and only after none it is skipped.

use std::io::Read;

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_pulp::jobs::{Associate, ImportUpload};
use pith_store::{DistributorSettings, Task, UnitQuery};
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Harness, On};
use crate::rpm::Feed;

crate::on_both!(
    what_a_sync_changes_is_published_and_where_it_was_copied_when_it_is_copied_again,
    what_an_upload_changes_is_published_wherever_it_is,
    a_publish_is_skipped_only_while_everything_it_is_made_from_stays,
    a_feed_that_was_rolled_back_is_synced,
    file_lists_that_come_later_are_published,
    a_failed_sync_does_not_hide_what_the_next_one_must_do,
);

/// The document of this type that a repository serves now.
pub(crate) async fn served(h: &Harness, repo: &str, kind: &str) -> String {
    let published = h.published(&format!("pulp/repos/{repo}")).await;
    let bytes = |path: &str| {
        let found = published.iter().find(|(name, _)| name == path);
        found.map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    };
    let repomd = String::from_utf8(bytes("repodata/repomd.xml")).unwrap();
    let Some((_, data)) = repomd.split_once(&format!("<data type=\"{kind}\">")) else {
        return String::new();
    };
    let href = data.split_once("href=\"").unwrap().1;
    let (href, _) = href.split_once('"').unwrap();
    let (stored, mut text) = (bytes(href), String::new());
    if href.ends_with(".gz") {
        let mut reader = flate2::read::MultiGzDecoder::new(stored.as_slice());
        reader.read_to_string(&mut text).unwrap();
        return text;
    }
    String::from_utf8(stored).unwrap()
}

pub(crate) async fn publish(h: &Harness, repo: &str) -> String {
    let task = h.publish(repo, "yum_distributor", Value::Null).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    task.result["result"].as_str().unwrap().to_owned()
}

pub(crate) async fn copy_all(h: &Harness, from: &str, to: &str) {
    let job = Associate {
        repo_id: to.to_owned(),
        source_repo_id: from.to_owned(),
        criteria: json!({}),
        override_config: serde_json::from_value(json!({})).unwrap(),
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}

async fn upload(h: &Harness, repo: &str, type_id: &str, what: &Uploaded) -> Task {
    let upload_id = match what.file {
        None => Value::Null,
        Some(text) => {
            let id = Uuid::now_v7();
            let uploads = h.engine.blobs.uploads();
            uploads.create(id).await.unwrap();
            let data = futures::stream::iter([Ok::<_, std::io::Error>(text.into())]);
            uploads.write_at(id, 0, data, 1 << 20).await.unwrap();
            json!(id)
        }
    };
    let job = ImportUpload {
        repo_id: repo.to_owned(),
        upload_id,
        unit_type_id: json!(type_id),
        unit_key: what.key.clone(),
        unit_metadata: what.metadata.clone(),
        override_config: Value::Null,
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{type_id}: {task:?}");
    task
}

/// A package of `zoo` as an advisory lists it.
async fn one_package(h: &Harness) -> Value {
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some("zoo"),
        limit: Some(1),
        ..UnitQuery::default()
    };
    let units = h.engine.store.units_stream(&query).unwrap();
    let units = units.try_concat().await.unwrap();
    let doc = &units[0].unit.doc;
    json!({
        "name": doc["name"], "epoch": doc["epoch"], "version": doc["version"], "release": doc["release"],
        "arch": doc["arch"], "src": "s", "filename": doc["filename"], "sum": null,
    })
}

/// The upload of a client.
struct Uploaded {
    key: Value,
    metadata: Value,
    file: Option<&'static str>,
}

/// A change of a unit of a type in a feed: the document, and what is said otherwise in it.
struct Changed {
    type_id: &'static str,
    kind: &'static str,
    ending: &'static str,
    words: &'static [(&'static str, &'static str)],
}

const CHANGES: [Changed; 8] = [
    Changed {
        type_id: "erratum",
        kind: "updateinfo",
        ending: "updateinfo.xml.gz",
        words: &[
            ("2026-01-03 03:04:05", "2026-02-03 03:04:05"),
            ("Fixes bug 0.", "Fixes bug 0 for good."),
        ],
    },
    Changed {
        type_id: "package_group",
        kind: "group",
        ending: "comps.xml.gz",
        words: &[("<name>Group 0</name>", "<name>Group zero</name>")],
    },
    Changed {
        type_id: "package_category",
        kind: "group",
        ending: "comps.xml.gz",
        words: &[("All groups", "Every group")],
    },
    Changed {
        type_id: "package_environment",
        kind: "group",
        ending: "comps.xml.gz",
        words: &[("The least", "The very least")],
    },
    Changed {
        type_id: "package_langpacks",
        kind: "group",
        ending: "comps.xml.gz",
        words: &[("dictionary-%s", "words-%s")],
    },
    Changed {
        type_id: "modulemd",
        kind: "modules",
        ending: "modules.yaml.gz",
        words: &[("summary: Module 0", "summary: Module nought")],
    },
    Changed {
        type_id: "modulemd_defaults",
        kind: "modules",
        ending: "modules.yaml.gz",
        words: &[("\"1.10\": [default]", "\"1.10\": [minimal]")],
    },
    Changed {
        type_id: "yum_repo_metadata_file",
        kind: "productid",
        ending: "productid.gz",
        words: &[("nobody", "somebody")],
    },
];

/// Rewrites a document of the feed under the same revision; only `repomd.xml` shows it.
fn change(feed: &Feed, changed: &Changed) {
    let old = feed.document_file(changed.ending);
    let mut text = feed.plain(changed.ending);
    for (before, after) in changed.words {
        assert!(text.contains(before), "{}: no {before}", changed.type_id);
        text = text.replace(before, after);
    }
    std::fs::remove_file(old).unwrap();
    let name = changed.ending.trim_end_matches(".gz");
    feed.replace(changed.kind, name, &text);
}

/// Packages of which upstream does not list the files at first.
async fn file_lists_that_come_later_are_published(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    for (seed, policy) in (0..).zip(["immediate", "on_demand"]) {
        let path = format!("/{policy}/");
        let spec = Spec {
            packages: 3,
            seed,
            ..Spec::default()
        };
        let feed = Feed::new(&h, &path, &spec);
        let index = feed.folder.join("repodata/repomd.xml");
        let whole = std::fs::read_to_string(&index).unwrap();
        let without = whole.replace("\"filelists\"", "\"filelists_db\"");
        std::fs::write(&index, without.replace("\"other\"", "\"other_db\"")).unwrap();
        let copy = format!("copy-{policy}");
        let config = json!({"download_policy": policy});
        h.repository(policy, "rpm", &path, config).await;
        h.repository(&copy, "rpm", "/none/", json!({})).await;
        let task = h.sync(policy).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        copy_all(&h, policy, &copy).await;
        publish(&h, &copy).await;
        for repo in [policy, &copy] {
            for kind in ["filelists", "other"] {
                let text = served(&h, repo, kind).await;
                let entries =
                    text.matches("</file>").count() + text.matches("</changelog>").count();
                assert_eq!(
                    (text.matches("<package ").count(), entries),
                    (3, 0),
                    "{text}"
                );
            }
        }
        let fetched = h.upstream.total_requests();
        std::fs::write(&index, &whole).unwrap();
        let task = h.sync(policy).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let documents = whole.matches("<data ").count();
        assert!(
            h.upstream.total_requests() - fetched <= documents + 2,
            "packages came again"
        );
        assert_eq!(publish(&h, &copy).await, "skipped");
        copy_all(&h, policy, &copy).await;
        assert_eq!(publish(&h, &copy).await, "success");
        for repo in [policy, &copy] {
            let files = served(&h, repo, "filelists").await;
            let changes = served(&h, repo, "other").await;
            let entries = files
                .split("<package ")
                .zip(changes.split("<package "))
                .skip(1);
            let full = entries.filter(|(f, c)| f.contains("</file>") && c.contains("</changelog>"));
            assert_eq!(full.count(), 3, "{repo}: {files} {changes}");
        }
        assert_eq!(h.sync(policy).await.state, TaskState::Finished);
        assert_eq!(publish(&h, &copy).await, "skipped");
    }
}

/// The repository `zoo` of a feed with everything, and `copy` with all of it, both published.
async fn zoo_and_copy(h: &Harness) -> Feed {
    let feed = Feed::new(h, "/r/", &Spec::full());
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.repository("copy", "rpm", "/none/", json!({})).await;
    h.sync("zoo").await;
    copy_all(h, "zoo", "copy").await;
    assert_eq!(publish(h, "copy").await, "success");
    feed
}

async fn what_a_sync_changes_is_published_and_where_it_was_copied_when_it_is_copied_again(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = zoo_and_copy(&h).await;
    for changed in &CHANGES {
        let (type_id, kind) = (changed.type_id, changed.kind);
        let (_, after) = changed.words[changed.words.len() - 1];
        change(&feed, changed);
        let task = h.sync("zoo").await;
        assert_eq!(task.state, TaskState::Finished, "{type_id}: {task:?}");
        assert_eq!(task.result["added_count"], 0, "{type_id}: {task:?}");
        let auto = h.engine.store.task_get(task.spawned[0]).await;
        let auto = auto.unwrap().unwrap();
        assert_eq!(auto.result["result"], "success", "{type_id}");
        assert!(served(&h, "zoo", kind).await.contains(after), "{type_id}");
        // The copy has its own, which copying again renews.
        assert_eq!(publish(&h, "copy").await, "skipped", "{type_id}");
        copy_all(&h, "zoo", "copy").await;
        assert_eq!(publish(&h, "copy").await, "success", "{type_id}");
        assert!(served(&h, "copy", kind).await.contains(after), "{type_id}");
        for repo in ["zoo", "copy"] {
            assert_eq!(publish(&h, repo).await, "skipped", "{type_id} in {repo}");
        }
    }
}

async fn what_an_upload_changes_is_published_wherever_it_is(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo_and_copy(&h).await;
    let metadata = |key: Value, metadata: Value| Uploaded {
        key,
        metadata,
        file: None,
    };
    let file = |key: Value, file: &'static str| Uploaded {
        key,
        metadata: json!({}),
        file: Some(file),
    };
    let packages = json!([{"name": "c", "short": "", "packages": [one_package(&h).await]}]);
    let advisory = json!({
        "title": "t", "description": "Uploaded words", "version": "9", "release": "1", "type": "security", "status": "final",
        "updated": "2027-01-01 00:00:00", "issued": "2026-01-01 00:00:00", "severity": "Low", "pushcount": "1",
        "from": "a@b", "rights": "", "summary": "s", "solution": "", "references": [], "pkglist": packages,
    });
    let module = "---\ndocument: modulemd\nversion: 2\ndata:\n  name: module-0\n  stream: \"1.10\"\n  \
                  version: 20260102030400\n  context: deadbeef\n  arch: x86_64\n  summary: Uploaded words\n  \
                  description: d\n  license:\n    module: [MIT]\n...\n";
    let defaults = "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: module-0\n  stream: \"1.10\"\n  \
                    profiles:\n    \"1.10\": [uploaded]\n...\n";
    let of_repo = |id: &str| json!({"id": id, "repo_id": "zoo"});
    let rows = [
        (
            "erratum",
            "updateinfo",
            "Uploaded words",
            metadata(json!({"id": "EXSA-2026:0000"}), advisory),
        ),
        (
            "package_group",
            "group",
            "Uploaded group",
            metadata(of_repo("group-0"), json!({"name": "Uploaded group"})),
        ),
        (
            "package_category",
            "group",
            "Uploaded category",
            metadata(of_repo("everything"), json!({"name": "Uploaded category"})),
        ),
        (
            "package_environment",
            "group",
            "Uploaded environment",
            metadata(of_repo("minimal"), json!({"name": "Uploaded environment"})),
        ),
        (
            "package_langpacks",
            "group",
            "uploaded-%s",
            metadata(
                json!({"repo_id": "zoo"}),
                json!({"matches": [{"install": "uploaded-%s", "name": "words"}]}),
            ),
        ),
        (
            "modulemd",
            "modules",
            "Uploaded words",
            file(json!({}), module),
        ),
        (
            "modulemd_defaults",
            "modules",
            "[uploaded]",
            file(json!({}), defaults),
        ),
        (
            "yum_repo_metadata_file",
            "productid",
            "uploaded product",
            file(
                json!({"data_type": "productid", "repo_id": "zoo"}),
                "uploaded product",
            ),
        ),
    ];
    for (type_id, kind, words, what) in rows {
        assert_eq!(publish(&h, "zoo").await, "skipped", "{type_id}");
        upload(&h, "zoo", type_id, &what).await;
        assert_eq!(publish(&h, "zoo").await, "success", "{type_id}");
        assert!(served(&h, "zoo", kind).await.contains(words), "{type_id}");
        // The documents that both have, by a super-user.
        let shared = ["erratum", "modulemd"].contains(&type_id);
        let (result, shown) = match shared {
            true => ("success", words),
            false => ("skipped", ""),
        };
        assert_eq!(publish(&h, "copy").await, result, "{type_id}");
        assert!(served(&h, "copy", kind).await.contains(shown), "{type_id}");
        upload(&h, "zoo", type_id, &what).await;
        assert_eq!(publish(&h, "zoo").await, "skipped", "{type_id} again");
    }
}

async fn a_publish_is_skipped_only_while_everything_it_is_made_from_stays(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = zoo_and_copy(&h).await;
    let store = &h.engine.store;
    assert_eq!(publish(&h, "zoo").await, "skipped");
    // A checksum type that a sync notes beside the content.
    let pad = json!({"checksum_type": "sha512"});
    let pad = serde_json::from_value(pad).unwrap();
    store.repository_set_scratchpad("zoo", &pad).await.unwrap();
    assert_eq!(publish(&h, "zoo").await, "success");
    assert!(served(&h, "zoo", "primary").await.contains("\"sha512\""));
    assert_eq!(publish(&h, "zoo").await, "skipped");
    let other = json!({"http": true, "https": true, "relative_url": "elsewhere"});
    let other = serde_json::from_value(other).unwrap();
    let id = "yum_distributor";
    let settings = DistributorSettings {
        config: &other,
        guard: None,
    };
    let updated = store.distributor_update("zoo", id, Some(settings), None);
    updated.await.unwrap();
    assert_eq!(publish(&h, "zoo").await, "success");
    assert!(h.published("pulp/repos/zoo").await.is_empty());
    assert!(!h.published("pulp/repos/elsewhere").await.is_empty());
    let over = json!({"checksum_type": "md5"});
    let task = h.publish("zoo", id, over.clone()).await;
    assert_eq!(task.result["result"], "success");
    let task = h.publish("zoo", id, over).await;
    assert_eq!(task.result["result"], "skipped");
    assert_eq!(publish(&h, "zoo").await, "success");
}

async fn a_feed_that_was_rolled_back_is_synced(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let old = Spec {
        packages: 4,
        ..Spec::default()
    };
    let new = Spec {
        packages: 6,
        revision: old.revision + 100,
        ..old
    };
    let feed = Feed::new(&h, "/r/", &new);
    h.repository("zoo", "rpm", "/r/", json!({"remove_missing": true}))
        .await;
    h.sync("zoo").await;
    assert_eq!(h.units("zoo", "rpm", "name").await.len(), 6);
    feed.rewrite(&old);
    let task = h.sync("zoo").await;
    assert_eq!(task.result["removed_count"], 2, "{task:?}");
    let before = h.upstream.total_requests();
    h.sync("zoo").await;
    assert_eq!(h.upstream.total_requests() - before, 1, "the very same");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the feed of the test goes away and comes back"
)]
async fn a_failed_sync_does_not_hide_what_the_next_one_must_do(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let keep = tempfile::tempdir().unwrap();
    let folder = keep.path().join("feed");
    write_repository(&folder, &Spec::of(4)).unwrap();
    h.upstream.serve_dir("/r/", folder.clone());
    let skip = json!({"type_skip_list": ["rpm"]});
    h.repository("zoo", "rpm", "/r/", skip).await;
    h.sync("zoo").await;
    assert_eq!(h.units("zoo", "rpm", "name").await.len(), 0);
    h.set_config("zoo", json!({"type_skip_list": null})).await;
    // The feed is away for a while, with what was said of the settings since.
    std::fs::rename(&folder, keep.path().join("away")).unwrap();
    assert_eq!(h.sync("zoo").await.state, TaskState::Error);
    std::fs::rename(keep.path().join("away"), &folder).unwrap();
    let task = h.sync("zoo").await;
    assert_eq!(task.result["added_count"], 4, "{task:?}");
}
