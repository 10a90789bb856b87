//! Units that several repositories share: advisories that several tasks change at the same time, packages that one
//! repository takes and another does not.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use futures::TryStreamExt;
use pith_content::unit::WantedUnit;
use pith_content::{ContentType, Distributor, Importer, UnitType};
use pith_core::task::TaskState;
use pith_core::{Document, SystemClock};
use pith_engine::Job;
use pith_store::UnitQuery;
use pith_testkit::repos::Spec;
use pith_type_rpm::{Rpm, advisories, units};
use serde_json::{Value, json};

use crate::harness::{Harness, On};
use crate::rpm::Feed;

crate::on_both!(
    repositories_that_are_synced_at_once_keep_their_package_lists,
    an_upload_during_a_sync_keeps_the_package_lists_of_both,
    known_packages_pass_the_signature_policy_of_a_sync_too,
);

/// As much of the RPM family as syncs and uploads need. The next two merges happen at the same time once it is armed: both
/// tasks have read what is stored, and neither has written.
struct Meeting {
    barrier: Barrier,
    left: AtomicUsize,
}

impl Meeting {
    async fn harness(on: On) -> Option<(Harness, Arc<Self>)> {
        let meeting = Arc::new(Self {
            barrier: Barrier::new(2),
            left: AtomicUsize::new(0),
        });
        let rpm = Arc::clone(&meeting);
        let harness = Harness::start_with(on, Arc::new(SystemClock), rpm).await;
        Some((harness?, meeting))
    }

    fn arm(&self) {
        self.left.store(2, Ordering::SeqCst);
    }

    fn assert_met(&self) {
        assert_eq!(self.left.load(Ordering::SeqCst), 0);
    }
}

impl ContentType for Meeting {
    fn name(&self) -> &'static str {
        Rpm.name()
    }

    fn unit_types(&self) -> &'static [UnitType] {
        Rpm.unit_types()
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        Rpm.importers()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Rpm.distributors()
    }

    fn presented_fields(
        &self,
        type_id: &str,
    ) -> &'static [(&'static str, &'static [&'static str])] {
        Rpm.presented_fields(type_id)
    }

    fn merge(
        &self,
        type_id: &str,
        known: &Document,
        parts: &[(String, Vec<u8>)],
        wanted: &mut WantedUnit,
    ) {
        let step = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        let waits = type_id == "erratum" && self.left.fetch_update(order, order, step).is_ok();
        if waits {
            tokio::task::block_in_place(|| self.barrier.wait());
        }
        Rpm.merge(type_id, known, parts, wanted);
    }
}

/// For each advisory, the repositories whose package lists it has.
async fn lists(h: &Harness) -> Vec<(Value, BTreeSet<String>)> {
    let query = UnitQuery {
        type_ids: vec!["erratum"],
        parts: vec![units::PKGLIST],
        ..UnitQuery::default()
    };
    let found = h.engine.store.units_stream(&query).unwrap();
    let found = found.try_concat().await.unwrap();
    let of = |part: &pith_store::Part| advisories::pkglists(&part.data);
    found
        .into_iter()
        .map(|one| {
            let lists = one.parts.iter().flat_map(of);
            let repos = lists.map(|list| list.repo_id).collect();
            (one.unit.doc["id"].clone(), repos)
        })
        .collect()
}

fn set(repos: &[&str]) -> BTreeSet<String> {
    repos.iter().map(|repo| (*repo).to_owned()).collect()
}

async fn repositories_that_are_synced_at_once_keep_their_package_lists(on: On) {
    let Some((h, meeting)) = Meeting::harness(on).await else {
        return;
    };
    let _feed = Feed::new(&h, "/r/", &Spec::full());
    for repo in ["first", "left", "right"] {
        h.repository(repo, "rpm", "/r/", json!({})).await;
    }
    assert_eq!(h.sync("first").await.state, TaskState::Finished);
    meeting.arm();
    let tasks = [h.enqueue_sync("left").await, h.enqueue_sync("right").await];
    for task in tasks {
        let task = h.ended(task).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
    }
    meeting.assert_met();
    let lists = lists(&h).await;
    assert!(!lists.is_empty());
    for (id, repos) in lists {
        assert_eq!(repos, set(&["first", "left", "right"]), "{id}");
    }
}

async fn an_upload_during_a_sync_keeps_the_package_lists_of_both(on: On) {
    let Some((h, meeting)) = Meeting::harness(on).await else {
        return;
    };
    let mut spec = Spec::full();
    spec.errata = 1;
    let _feed = Feed::new(&h, "/r/", &spec);
    for repo in ["first", "synced", "uploaded"] {
        h.repository(repo, "rpm", "/r/", json!({})).await;
    }
    assert_eq!(h.sync("first").await.state, TaskState::Finished);
    let (id, _) = lists(&h).await.remove(0);
    let upload = Job::ImportUpload {
        repo_id: "uploaded".to_owned(),
        upload_id: Value::Null,
        unit_type_id: json!("erratum"),
        unit_key: json!({"id": id}),
        unit_metadata: json!({
            "title": "Mine", "type": "bugfix", "updated": "2030-01-01 00:00:00", "version": "9",
            "pulp_user_metadata": {"mine": true}, "pkglist": [],
        }),
        override_config: Value::Null,
    };
    meeting.arm();
    let sync = h.enqueue_sync("synced").await;
    let upload = h.engine.enqueue(upload).await.unwrap();
    for task in [sync, upload] {
        let task = h.ended(task).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
    }
    meeting.assert_met();
    let expected = set(&["first", "synced", "uploaded"]);
    assert_eq!(lists(&h).await, [(id, expected)]);
    let query = UnitQuery {
        type_ids: vec!["erratum"],
        ..UnitQuery::default()
    };
    let found = h.engine.store.units_stream(&query).unwrap();
    let doc = &found.try_concat().await.unwrap()[0].unit.doc;
    assert_eq!(doc["title"], "Mine");
    assert_eq!(doc["pulp_user_metadata"], json!({"mine": true}));
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
