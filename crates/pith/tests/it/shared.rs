//! Units of which several repositories have one of the same key: each has what its own source says of it.

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_core::{Timestamp, UnitId};
use pith_pulp::jobs::{DownloadRepository, ImportUpload, SyncRepository, Unassociate};
use pith_store::UnitQuery;
use pith_testkit::repos::Spec;
use serde_json::{Value, json};

use crate::harness::{Harness, On};
use crate::rpm::Feed;
use crate::stale::{copy_all, publish, served};

crate::on_both!(
    what_the_feed_of_one_repository_says_changes_no_other,
    a_copied_advisory_joins_the_one_that_is_there,
    a_copy_takes_neither_files_nor_notes_nor_places_away,
    a_sync_for_later_takes_no_file_away,
    whoever_mends_a_lost_file_mends_it_for_all_who_had_it,
    what_is_removed_is_no_orphan_while_others_have_one_of_its_key,
    an_upload_by_who_may_do_all_changes_a_shared_document_everywhere,
    known_packages_pass_the_signature_policy_of_a_sync_too,
);

/// Makes the feed say other things of the same packages, modules and advisories.
fn forge(feed: &Feed) {
    for (kind, ending, before, after) in [
        (
            "primary",
            "primary.xml.gz",
            "<rpm:provides>",
            "<rpm:provides><rpm:entry name=\"forged\"/>",
        ),
        (
            "filelists",
            "filelists.xml.gz",
            "<file>",
            "<file>/forged</file><file>",
        ),
        (
            "updateinfo",
            "updateinfo.xml.gz",
            "<severity>Important",
            "<severity>forged",
        ),
        (
            "modules",
            "modules.yaml.gz",
            "summary: Module",
            "summary: forged",
        ),
    ] {
        let text = feed.plain(ending);
        assert!(text.contains(before), "{kind}");
        let text = text.replace(before, after);
        let text = text.replace("2026-01-03 03:04:05", "9999-01-03 03:04:05");
        let old = feed.document_file(ending);
        std::fs::remove_file(old).unwrap();
        feed.replace(kind, ending.trim_end_matches(".gz"), &text);
    }
}

const KINDS: [&str; 4] = ["primary", "filelists", "updateinfo", "modules"];

async fn documents(h: &Harness, repo: &str) -> Vec<String> {
    let mut documents = Vec::new();
    for kind in KINDS {
        // Collections are called by the repository that publishes them.
        let text = served(h, repo, kind).await;
        documents.push(text.replace(&format!("{repo}_"), "_"));
    }
    documents
}

async fn what_the_feed_of_one_repository_says_changes_no_other(on: On) {
    for policy in ["immediate", "on_demand"] {
        let Some(h) = Harness::start(on).await else {
            return;
        };
        let feed = Feed::new(&h, "/true/", &Spec::full());
        let forged = Feed::new(&h, "/forged/", &Spec::full());
        forge(&forged);
        let policy = json!({"download_policy": policy});
        for (repo, path) in [
            ("before", "/true/"),
            ("forged", "/forged/"),
            ("after", "/true/"),
        ] {
            h.repository(repo, "rpm", path, policy.clone()).await;
            assert_eq!(h.sync(repo).await.state, TaskState::Finished);
            publish(&h, repo).await;
        }
        let (before, after) = (documents(&h, "before").await, documents(&h, "after").await);
        for (at, kind) in KINDS.iter().enumerate() {
            assert!(
                before[at].contains("<package")
                    || before[at].contains("Fixes")
                    || before[at].contains("modulemd")
            );
            assert!(!before[at].contains("forged"), "{kind}");
            assert_eq!(before[at], after[at], "{kind}");
        }
        for (kind, text) in KINDS.iter().zip(documents(&h, "forged").await) {
            assert!(text.contains("forged"), "{kind}: {text}");
        }
        assert_eq!(publish(&h, "before").await, "skipped");
        // What is corrected later arrives, whatever date others gave.
        let text = feed.plain("updateinfo.xml.gz");
        let text = text.replace("2026-01-03 03:04:05", "2026-02-03 03:04:05");
        std::fs::remove_file(feed.document_file("updateinfo.xml.gz")).unwrap();
        let text = text.replace("Fixes bug", "Corrects bug");
        feed.replace("updateinfo", "updateinfo.xml", &text);
        assert_eq!(h.sync("before").await.state, TaskState::Finished);
        assert!(
            served(&h, "before", "updateinfo")
                .await
                .contains("Corrects bug")
        );
        assert_eq!(publish(&h, "after").await, "skipped");
        // A copy brings what its source says.
        h.repository("copy", "rpm", "/none/", json!({})).await;
        copy_all(&h, "before", "copy").await;
        publish(&h, "copy").await;
        assert_eq!(documents(&h, "copy").await, documents(&h, "before").await);
    }
}

async fn a_copied_advisory_joins_the_one_that_is_there(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::full());
    for repo in ["one", "other"] {
        h.repository(repo, "rpm", "/r/", json!({})).await;
    }
    h.sync("one").await;
    let text = feed.plain("updateinfo.xml.gz");
    let text = text.replace("2026-01-03 03:04:05", "2026-02-03 03:04:05");
    let text = text.replace("Fixes bug", "Corrects bug");
    std::fs::remove_file(feed.document_file("updateinfo.xml.gz")).unwrap();
    feed.replace("updateinfo", "updateinfo.xml", &text);
    h.sync("other").await;
    assert!(
        served(&h, "other", "updateinfo")
            .await
            .contains("Corrects bug")
    );
    // What is older comes in no newer one's place.
    copy_all(&h, "one", "other").await;
    publish(&h, "other").await;
    assert!(
        served(&h, "other", "updateinfo")
            .await
            .contains("Corrects bug")
    );
    assert!(
        !served(&h, "one", "updateinfo")
            .await
            .contains("Corrects bug")
    );
    copy_all(&h, "other", "one").await;
    publish(&h, "one").await;
    assert!(
        served(&h, "one", "updateinfo")
            .await
            .contains("Corrects bug")
    );
    let count = h.units("one", "erratum", "id").await.len();
    assert_eq!(count, text.matches("<update ").count(), "one of each");
}

/// The packages of a repository: name, id, whether the file is here, what clients noted, and when it came.
async fn packages(
    h: &Harness,
    repo: &str,
) -> Vec<(String, UnitId, bool, Value, Option<Timestamp>)> {
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some(repo),
        sort: vec![("name", false)],
        ..UnitQuery::default()
    };
    let found = h.engine.store.units_stream(&query).unwrap();
    let found = found.try_concat().await.unwrap().into_iter();
    let row = |one: pith_store::StreamedUnit| {
        let doc = one.unit.doc;
        let noted = doc.get("pulp_user_metadata").cloned().unwrap_or_default();
        let name = doc["name"].as_str().unwrap().to_owned();
        (name, one.unit.id, one.unit.downloaded, noted, one.created)
    };
    found.map(row).collect()
}

async fn a_copy_takes_neither_files_nor_notes_nor_places_away(on: On) {
    for is_forged in [false, true] {
        let Some(h) = Harness::start(on).await else {
            return;
        };
        let feed = Feed::new(&h, "/r/", &Spec::full());
        h.repository("here", "rpm", "/r/", json!({})).await;
        assert_eq!(h.sync("here").await.state, TaskState::Finished);
        let before = packages(&h, "here").await;
        let noted = json!({"mine": 1});
        let store = &h.engine.store;
        let note = store.unit_set_user_metadata("rpm", before[0].1, &noted);
        note.await.unwrap();
        // The same server under another name is another site, and its files are not here.
        if is_forged {
            forge(&feed);
        }
        let later = json!({"download_policy": "on_demand", "query_auth_token": "t"});
        h.repository("later", "rpm", "/r/", later).await;
        assert_eq!(h.sync("later").await.state, TaskState::Finished);
        assert!(packages(&h, "later").await.iter().all(|one| !one.2));
        copy_all(&h, "later", "here").await;
        let after = packages(&h, "here").await;
        assert_eq!(after.len(), before.len());
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before.0, after.0);
            assert_eq!(before.1 == after.1, !is_forged, "{}", before.0);
            assert!(after.2, "{} lost its file", after.0);
            assert_eq!(before.4, after.4, "{} came when it came", after.0);
        }
        assert_eq!(after[0].3, noted);
        publish(&h, "here").await;
        let text = served(&h, "here", "primary").await;
        assert_eq!(text.contains("forged"), is_forged);
        // What its own feed had is not the other's.
        assert!(packages(&h, "later").await.iter().all(|one| !one.2));
    }
}

/// Another server with the feed of `folder`.
async fn elsewhere(folder: &std::path::Path) -> pith_testkit::upstream::Upstream {
    let upstream = pith_testkit::upstream::Upstream::start().await.unwrap();
    upstream.serve_dir("/r/", folder);
    upstream
}

async fn sync_from(h: &Harness, repo: &str, feed: &str, policy: &str) {
    let over = json!({"feed": feed, "download_policy": policy, "force_full": true});
    let job = SyncRepository {
        repo_id: repo.to_owned(),
        override_config: over,
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}

async fn a_sync_for_later_takes_no_file_away(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::full());
    let other = elsewhere(&feed.folder).await;
    let later = json!({"download_policy": "on_demand"});
    h.repository("unfetched", "rpm", "/r/", later.clone()).await;
    h.sync("unfetched").await;
    // The same words and files from another server, and then from the first.
    h.repository("here", "rpm", "/r/", later).await;
    let url = format!("{}/r/", other.url());
    sync_from(&h, "here", &url, "immediate").await;
    assert_eq!(h.sync("here").await.state, TaskState::Finished);
    assert!(packages(&h, "here").await.iter().all(|one| one.2));
    assert!(packages(&h, "unfetched").await.iter().all(|one| !one.2));
}

async fn whoever_mends_a_lost_file_mends_it_for_all_who_had_it(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::full());
    let other = elsewhere(&feed.folder).await;
    for repo in ["mended", "gone"] {
        h.repository(repo, "rpm", "/r/", json!({})).await;
    }
    h.sync("mended").await;
    sync_from(&h, "gone", &format!("{}/r/", other.url()), "immediate").await;
    drop(other);
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some("mended"),
        ..UnitQuery::default()
    };
    let found = h.engine.store.units_stream(&query).unwrap();
    let blob = found.try_concat().await.unwrap()[0].unit.blob.unwrap();
    std::fs::remove_file(h.file_of(blob)).unwrap();
    let job = DownloadRepository {
        repo_id: "mended".to_owned(),
        verify_all_units: true,
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    for repo in ["mended", "gone"] {
        let packages = packages(&h, repo).await;
        assert!(packages.iter().all(|one| one.2), "{repo}: {packages:?}");
    }
}

async fn what_is_removed_is_no_orphan_while_others_have_one_of_its_key(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::full());
    h.repository("one", "rpm", "/r/", json!({})).await;
    h.sync("one").await;
    forge(&feed);
    h.repository("other", "rpm", "/r/", json!({})).await;
    h.sync("other").await;
    let count = packages(&h, "one").await.len();
    let orphans = async || h.engine.store.units_orphans_count().await.unwrap();
    assert!(orphans().await.is_empty());
    let remove = Unassociate {
        repo_id: "one".to_owned(),
        criteria: json!({"type_ids": ["rpm"]}),
    };
    let task = h.ended(h.engine.enqueue(remove).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    // In Pulp the two are one unit.
    assert!(orphans().await.is_empty());
    assert_eq!(h.engine.store.units_delete_replaced().await.unwrap(), 0);
    publish(&h, "one").await;
    let task = h.enqueue_sync("other").await;
    assert_eq!(h.ended(task).await.state, TaskState::Finished);
    let job = Unassociate {
        repo_id: "other".to_owned(),
        criteria: json!({"type_ids": ["rpm"]}),
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(
        orphans().await.get("rpm"),
        Some(&i64::try_from(2 * count).unwrap())
    );
}

async fn an_upload_by_who_may_do_all_changes_a_shared_document_everywhere(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = Feed::new(&h, "/r/", &Spec::full());
    for repo in ["one", "copy", "own"] {
        h.repository(repo, "rpm", "/r/", json!({})).await;
    }
    h.sync("one").await;
    h.sync("own").await;
    copy_all(&h, "one", "copy").await;
    for repo in ["one", "copy", "own"] {
        publish(&h, repo).await;
    }
    let id = h.units("one", "erratum", "id").await.remove(0);
    let upload = async |title: &str, date: &str, is_super_user: bool| {
        let job = ImportUpload {
            repo_id: "one".to_owned(),
            upload_id: Value::Null,
            unit_type_id: json!("erratum"),
            unit_key: json!({"id": id}),
            unit_metadata: json!({"title": title, "type": "bugfix", "updated": date, "version": "9"}),
            override_config: Value::Null,
        };
        let queued = pith_engine::on_behalf(is_super_user, h.engine.enqueue(job)).await;
        let task = h.ended(queued.unwrap()).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
    };
    let title = async |repo: &str| {
        let query = UnitQuery {
            type_ids: vec!["erratum"],
            repo: Some(repo),
            ..UnitQuery::default()
        };
        let found = h.engine.store.units_stream(&query).unwrap();
        let found = found.try_concat().await.unwrap();
        let mut found = found.iter().filter(|one| one.unit.doc["id"] == id.as_str());
        found.next().unwrap().unit.doc["title"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let before = title("own").await;
    upload("all", "2030-01-01 00:00:00", true).await;
    assert_eq!(
        (title("one").await, title("copy").await),
        ("all".to_owned(), "all".to_owned())
    );
    assert_eq!(publish(&h, "copy").await, "success");
    assert_eq!(publish(&h, "copy").await, "skipped");
    upload("mine", "2031-01-01 00:00:00", false).await;
    assert_eq!(
        (title("one").await, title("copy").await),
        ("mine".to_owned(), "all".to_owned())
    );
    assert_eq!(publish(&h, "copy").await, "skipped");
    assert_eq!(title("own").await, before, "it was never the same document");
}

async fn known_packages_pass_the_signature_policy_of_a_sync_too(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = Feed::new(&h, "/r/", &Spec::full());
    h.repository("open", "rpm", "/r/", json!({})).await;
    let key = json!({"require_signature": true, "allowed_keys": ["abcdef12"]});
    h.repository("signed", "rpm", "/r/", key).await;
    h.repository("strict", "rpm", "/r/", json!({"require_signature": true}))
        .await;
    assert_eq!(h.sync("open").await.state, TaskState::Finished);
    let all = h.units("open", "rpm", "name").await.len();
    assert!(all > 1);
    // Nobody knows a key of any of them: their files tell that they are not signed.
    assert_eq!(h.sync("strict").await.state, TaskState::Finished);
    assert!(h.units("strict", "rpm", "name").await.is_empty());
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        limit: Some(2),
        ..UnitQuery::default()
    };
    let found = h.engine.store.units_stream(&query).unwrap();
    let found = found.try_concat().await.unwrap();
    let keys = [json!("abcdef12"), json!("12345678")];
    let keys: Vec<_> = found.iter().map(|one| one.unit.id).zip(keys).collect();
    h.publish("open", "yum_distributor", Value::Null).await;
    let store = &h.engine.store;
    store
        .units_set_field("rpm", "signing_key", &keys)
        .await
        .unwrap();
    let task = h.publish("open", "yum_distributor", Value::Null).await;
    assert_eq!(
        task.result["result"], "skipped",
        "what was found is no change"
    );
    assert_eq!(h.sync("signed").await.state, TaskState::Finished);
    let name = found[0].unit.doc["name"].as_str().unwrap().to_owned();
    assert_eq!(h.units("signed", "rpm", "name").await, [name]);
}
