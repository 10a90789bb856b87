//! Digests of packages: which are known, which are worked out when, and one file that has several of them.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_core::{Algorithm, MultiHasher};
use pith_store::UnitQuery;
use pith_testkit::repos::Spec;
use serde_json::{Value, json};

use crate::feeds::{copy, documents};
use crate::harness::{Harness, On};
use crate::publishing::between;
use crate::rpm::Feed;
use crate::stale::served;

crate::on_both!(
    digests_are_kept_as_they_become_known,
    one_file_under_several_checksums_is_published_once,
    an_advisory_has_the_digests_that_are_asked_for,
    a_broken_file_is_fetched_again_when_digests_are_worked_out,
);

const USUAL: [Algorithm; 4] = [
    Algorithm::Md5,
    Algorithm::Sha1,
    Algorithm::Sha256,
    Algorithm::Sha512,
];

fn digest(bytes: &[u8], algorithm: Algorithm) -> String {
    let mut hasher = MultiHasher::new(&[algorithm]);
    hasher.update(bytes);
    hasher.finish().hex(algorithm).unwrap()
}

/// The digests that are known of each package, with `_last_updated`. They are those of the files of `feed`.
async fn known(h: &Harness, feed: &Feed, repo: &str) -> BTreeMap<String, (String, i128)> {
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some(repo),
        ..UnitQuery::default()
    };
    let units = h.engine.store.units_stream(&query).unwrap();
    let units: Vec<_> = units.try_concat().await.unwrap();
    let one = |unit: &pith_store::Unit| {
        let path = unit.doc["relativepath"].as_str().unwrap();
        let bytes = std::fs::read(feed.folder.join(path)).unwrap();
        let checksums = unit.doc["checksums"].as_object().unwrap();
        for (name, hex) in checksums {
            assert_eq!(*hex, json!(digest(&bytes, name.parse().unwrap())), "{name}");
        }
        let names: Vec<&str> = checksums.keys().map(String::as_str).collect();
        let changed = unit.last_updated.as_nanosecond();
        (path.to_owned(), (names.join(" "), changed))
    };
    units.iter().map(|unit| one(&unit.unit)).collect()
}

async fn digests(h: &Harness, feed: &Feed, repo: &str) -> BTreeSet<String> {
    let known = known(h, feed, repo).await;
    known.into_values().map(|(names, _)| names).collect()
}

async fn synced_with(h: &Harness, repo: &str, feed: &str, config: Value) {
    let feed = format!("{}{feed}", h.upstream.url());
    let mut changes = json!({"feed": feed});
    for absent in ["validate", "force_full", "download_policy"] {
        changes[absent] = Value::Null;
    }
    let config = config.as_object().unwrap().clone();
    changes.as_object_mut().unwrap().extend(config);
    h.set_config(repo, changes).await;
    let task = h.sync(repo).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}

async fn digests_are_kept_as_they_become_known(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let spec = Spec {
        packages: 3,
        // What two feeds say of one advisory is another matter.
        errata: 0,
        checksum: Algorithm::Sha1,
        ..Spec::default()
    };
    let feed = Feed::new(&h, "/r/", &spec);
    let later = json!({"download_policy": "on_demand"});
    h.repository("zoo", "rpm", "/r/", later).await;
    h.sync("zoo").await;
    let only = |names: &str| BTreeSet::from([names.to_owned()]);
    assert_eq!(digests(&h, &feed, "zoo").await, only("sha1"));
    let before = known(&h, &feed, "zoo").await;
    // A file that comes when somebody asks for it.
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some("zoo"),
        limit: Some(1),
        ..UnitQuery::default()
    };
    let first = h.engine.store.units_stream(&query).unwrap();
    let first = first.try_concat().await.unwrap().remove(0);
    h.engine.deferred_store(first.unit.id, "zoo").await.unwrap();
    let two: BTreeSet<String> = ["sha1", "sha1 sha256"].map(str::to_owned).into();
    assert_eq!(digests(&h, &feed, "zoo").await, two);
    synced_with(&h, "zoo", "/r/", json!({})).await;
    assert_eq!(digests(&h, &feed, "zoo").await, only("sha1 sha256"));
    // Another repository that has the same packages, and then validates them.
    h.repository("other", "rpm", "/r/", json!({})).await;
    h.sync("other").await;
    assert_eq!(digests(&h, &feed, "other").await, only("sha1 sha256"));
    let publish = |repo: &'static str| h.publish(repo, "yum_distributor", Value::Null);
    assert_eq!(publish("zoo").await.result["result"], "skipped");
    synced_with(&h, "other", "/r/", json!({"validate": true})).await;
    for repo in ["zoo", "other"] {
        let all = only("md5 sha1 sha256 sha512");
        assert_eq!(digests(&h, &feed, repo).await, all);
        // Nothing that is published has changed.
        let task = publish(repo).await;
        assert_eq!(task.result["result"], "skipped", "{repo}");
    }
    let changed = |known: BTreeMap<String, (String, i128)>| -> Vec<i128> {
        known.into_values().map(|(_, changed)| changed).collect()
    };
    assert_eq!(changed(known(&h, &feed, "zoo").await), changed(before));
    // What an older version stored is completed when everything is looked at again.
    let units = h.engine.store.units_stream(&UnitQuery {
        limit: None,
        ..query
    });
    let units = units.unwrap().try_concat().await.unwrap();
    let nothing: Vec<_> = units.iter().map(|one| (one.unit.id, json!({}))).collect();
    let store = &h.engine.store;
    let emptied = store.units_set_field("rpm", "checksums", &nothing).await;
    emptied.unwrap();
    synced_with(&h, "other", "/r/", json!({"force_full": true})).await;
    assert_eq!(digests(&h, &feed, "zoo").await, only("sha1 sha256"));
    let task = h
        .publish("zoo", "yum_distributor", json!({"checksum_type": "md5"}))
        .await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(digests(&h, &feed, "zoo").await, only("md5 sha1 sha256"));
}

async fn a_broken_file_is_fetched_again_when_digests_are_worked_out(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::of(2));
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.sync("zoo").await;
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        limit: Some(1),
        ..UnitQuery::default()
    };
    let units = h.engine.store.units_stream(&query).unwrap();
    let blob = units.try_concat().await.unwrap()[0].unit.blob.unwrap();
    h.engine.blobs.delete(blob).await.unwrap();
    synced_with(&h, "zoo", "/r/", json!({"validate": true})).await;
    assert!(h.engine.blobs.contains(blob).await.unwrap());
    let all = BTreeSet::from(["md5 sha1 sha256 sha512".to_owned()]);
    assert_eq!(digests(&h, &feed, "zoo").await, all);
}

async fn one_file_under_several_checksums_is_published_once(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    h.repository("all", "rpm", "/none/", json!({})).await;
    let mut feeds = Vec::new();
    for (repo, checksum) in [
        ("sha1", Algorithm::Sha1),
        ("sha256", Algorithm::Sha256),
        ("sha512", Algorithm::Sha512),
    ] {
        let spec = Spec {
            packages: 3,
            checksum,
            ..Spec::default()
        };
        let path = format!("/{repo}/");
        feeds.push(Feed::new(&h, &path, &spec));
        h.repository(repo, "rpm", &path, json!({})).await;
        let task = h.sync(repo).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let packages = json!({"type_ids": ["rpm"]});
        copy(&h, (repo, "all"), packages, json!({})).await;
    }
    assert_eq!(documents(&h, "all", "rpm").await.len(), 9);
    let mut wrote = BTreeMap::new();
    for over in [
        json!({}),
        json!({"force_full": true}),
        json!({"checksum_type": "md5"}),
    ] {
        let task = h.publish("all", "yum_distributor", over.clone()).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let steps = task.result["details"].as_array();
        if let Some(steps) = steps {
            let rpms = steps.iter().find(|step| step["step_type"] == "rpms");
            let said = rpms.unwrap()["details"].as_str().unwrap().to_owned();
            assert!(
                said.starts_with("6 packages that the repository has"),
                "{said}"
            );
        }
        let published = h.published("pulp/repos/all").await;
        for kind in ["primary", "filelists", "other"] {
            let document = served(&h, "all", kind).await;
            assert!(document.contains("packages=\"3\""), "{document}");
            let ends = document.matches("</package>").count();
            let pkgids = match kind {
                "primary" => between(&document, "pkgid=\"YES\">", "<"),
                _ => between(&document, "pkgid=\"", "\""),
            };
            let pkgids: BTreeSet<&str> = pkgids.into_iter().collect();
            assert_eq!((ends, pkgids.len()), (3, 3), "{kind}: {document}");
            wrote.insert(kind, document);
        }
        let primary = &wrote["primary"];
        let hrefs = between(primary, "<location href=\"", "\"/>");
        let files = published.iter().filter(|(path, _)| path.ends_with(".rpm"));
        let files: BTreeSet<&str> = files.map(|(path, _)| path.as_str()).collect();
        assert_eq!(hrefs.into_iter().collect::<BTreeSet<_>>(), files);
    }
    // A package that goes away leaves the others as they are.
    let gone = json!({"type_ids": ["rpm"], "filters": {"unit": {"checksumtype": "sha1"}}});
    crate::feeds::remove(&h, "all", gone).await;
    let over = json!({"checksum_type": "md5"});
    let task = h.publish("all", "yum_distributor", over).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(served(&h, "all", "primary").await, wrote["primary"]);
    for algorithm in USUAL {
        let kind = json!({"checksum_type": algorithm.name()});
        let task = h.publish("all", "yum_distributor", kind).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
    }
}

async fn an_advisory_has_the_digests_that_are_asked_for(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let spec = Spec {
        packages: 3,
        errata: 2,
        ..Spec::default()
    };
    let feed = Feed::new(&h, "/r/", &spec);
    let later = json!({"download_policy": "on_demand"});
    h.repository("zoo", "rpm", "/r/", later).await;
    h.sync("zoo").await;
    let publish = |kind: &str| {
        let over = json!({"updateinfo_checksum_type": kind});
        h.publish("zoo", "yum_distributor", over)
    };
    assert_eq!(publish("sha256").await.state, TaskState::Finished);
    // Neither the advisories nor files that are here tell it.
    for kind in ["sha512", "md5", "crc32"] {
        let task = publish(kind).await;
        assert_eq!(task.state, TaskState::Error);
        let error = task.error.unwrap().to_string();
        assert!(error.contains("RPM1012") && error.contains(kind), "{error}");
    }
    synced_with(&h, "zoo", "/r/", json!({})).await;
    for algorithm in USUAL {
        let task = publish(algorithm.name()).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let document = served(&h, "zoo", "updateinfo").await;
        let files = between(&document, "<filename>", "</filename>");
        let open = format!("<sum type=\"{}\">", algorithm.name());
        let sums = between(&document, &open, "</sum>");
        assert_eq!(files.len(), sums.len(), "{document}");
        assert!(!files.is_empty());
        let places = documents(&h, "zoo", "rpm").await;
        for (file, sum) in files.into_iter().zip(sums) {
            let place = places.iter().find(|doc| doc["filename"] == *file).unwrap();
            let place = place["relativepath"].as_str().unwrap();
            let bytes = std::fs::read(feed.folder.join(place)).unwrap();
            assert_eq!(sum, digest(&bytes, algorithm), "{file}");
        }
    }
    assert_eq!(
        digests(&h, &feed, "zoo").await,
        BTreeSet::from(["md5 sha1 sha256 sha512".to_owned()])
    );
}
