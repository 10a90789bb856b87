use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pith_core::criteria::Filter;
use pith_core::{Sha256, TaskId, UnitId};
use pith_store::{Held, Store, StoreError, UnitQuery};
use serde_json::json;

use crate::fixture::{Fixture, REPO, SaveUnits, collect, unit};
use crate::on_both_engines;

on_both_engines!(
    staging_tells_which_units_are_gone,
    what_is_staged_is_no_orphan,
    a_selection_is_staged_in_one_statement,
    a_selection_by_a_filter_is_staged_in_one_statement,
    what_was_staged_can_be_read_and_taken_back,
    no_staged_unit_is_ever_deleted,
    a_file_goes_only_when_nothing_needs_it_and_its_grace_is_over,
    who_saves_a_row_for_a_deleted_file_is_told,
    a_chore_is_done_once,
    uploads_expire_by_age_and_not_while_a_task_wants_them,
);

async fn staging_tells_which_units_are_gone(f: Fixture) {
    let ids = f.units("t", &["a", "b"]).await;
    f.store.units_delete_orphans(&ids[..1]).await.unwrap();
    let staged = [(ids[0], "t"), (ids[1], "t")];
    let task = f.task().await;
    assert_eq!(task.stage_add(&staged).await.unwrap(), [ids[0]]);
    let page = task.staged_page(false, &[], None).await.unwrap();
    assert_eq!(page, [(ids[1], "t".to_owned())]);
}

async fn what_is_staged_is_no_orphan(f: Fixture) {
    let task = f.task().await;
    let new = unit("t", "a", json!({ "name": "a" }));
    let new = std::slice::from_ref(&new);
    let saved = task.units_save_staged(new, &[]).await;
    let id = saved.unwrap()[0].id;
    assert!(!f.store.unit_is_orphan("t", id).await.unwrap());
    assert!(f.store.units_orphans_count().await.unwrap().is_empty());
    assert!(
        f.store
            .units_delete_orphans(&[id])
            .await
            .unwrap()
            .is_empty()
    );
    f.end(&task).await;
    assert_eq!(f.store.units_orphans_count().await.unwrap()["t"], 1);
    assert!(f.store.unit_is_orphan("t", id).await.unwrap());
    assert!(!f.store.unit_is_orphan("other", id).await.unwrap());
}

async fn a_selection_is_staged_in_one_statement(f: Fixture) {
    f.repository(REPO).await;
    f.repository("copy").await;
    let ids = f.units("t", &["a", "b", "c"]).await;
    let others = f.units("s", &["d"]).await;
    f.add(REPO, "t", &ids).await;
    f.add(REPO, "s", &others).await;
    let task = f.task().await;
    let named = UnitQuery {
        type_ids: vec!["t"],
        repo: Some(REPO),
        equals: vec![("name", vec![json!("a"), json!("c"), json!("z")])],
        ..UnitQuery::default()
    };
    assert_eq!(task.stage_select(&named, false).await.unwrap(), 2);
    let done = task.content_commit("copy", f.now()).await.unwrap();
    assert_eq!((done.added, done.removed), (2, 0));
    let all = UnitQuery {
        repo: Some("copy"),
        ..UnitQuery::default()
    };
    assert_eq!(f.names(&all).await, ["a", "c"]);
    let task = f.task().await;
    assert_eq!(task.stage_select(&all, true).await.unwrap(), 2);
    let done = task.content_commit("copy", f.now()).await.unwrap();
    assert_eq!((done.added, done.removed), (0, 2));
}

async fn a_selection_by_a_filter_is_staged_in_one_statement(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b", "c", "cb"]).await;
    f.add(REPO, "t", &ids).await;
    f.units("t", &["elsewhere"]).await;
    for (asked, wanted) in [
        (json!({"name": {"$gte": "b"}}), &ids[1..]),
        (
            json!({"$nor": [{"name": {"$regex": "b$"}}]}),
            &[ids[0], ids[2]],
        ),
        (
            json!({"$or": [{"name": "a"}, {"_id": ids[3]}]}),
            &[ids[0], ids[3]],
        ),
        (json!({"name": {"$exists": false}}), &[]),
    ] {
        let filter = Filter::parse(&asked).unwrap();
        for held in [Held::Plain, Held::Anyhow] {
            let decided = f.store.unit_filter(&filter, &|_| held);
            assert!(decided.is_exact(), "{asked}");
            let query = UnitQuery {
                type_ids: vec!["t"],
                repo: Some(REPO),
                filter: Some(&decided),
                ..UnitQuery::default()
            };
            let task = f.task().await;
            let staged = task.stage_select(&query, false).await.unwrap();
            assert_eq!(staged, wanted.len() as u64, "{asked}");
            let page = task.staged_page(false, &[], None).await.unwrap();
            let mut found: Vec<UnitId> = page.into_iter().map(|(id, _)| id).collect();
            let mut wanted = wanted.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{asked}");
        }
    }
}

async fn what_was_staged_can_be_read_and_taken_back(f: Fixture) {
    let names: Vec<String> = (0..700).map(|n| format!("{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let ids = f.units("t", &names).await;
    let task = f.task().await;
    let pairs: Vec<(UnitId, &str)> = ids.iter().map(|id| (*id, "t")).collect();
    task.stage_add(&pairs).await.unwrap();
    task.stage_remove(&pairs[..1]).await.unwrap();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = task.staged_page(false, &["t"], after.as_ref()).await;
        let page = page.unwrap();
        let Some(last) = page.last().cloned() else {
            break;
        };
        found.extend(page.into_iter().map(|(id, _)| id));
        after = Some(last);
    }
    let mut expected = ids[1..].to_vec();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(task.staged_types(true).await.unwrap(), ["t"]);
    task.stage_forget("t", &ids[..1]).await.unwrap();
    assert!(task.staged_types(true).await.unwrap().is_empty());
}

/// Finds units by their keys and stages them, as a sync does, while somebody deletes orphans without a pause: every unit
/// that is staged must be there when its task commits.
async fn no_staged_unit_is_ever_deleted(f: Fixture) {
    f.repository(REPO).await;
    let stop = Arc::new(AtomicBool::new(false));
    let deleter = {
        let (store, stop) = (f.other().await, Arc::clone(&stop));
        tokio::spawn(async move {
            let mut deleted = 0;
            while !stop.load(Ordering::Relaxed) {
                let nil = UnitId(uuid::Uuid::nil());
                let page = store.units_orphans_page(None, nil).await.unwrap();
                let ids: Vec<UnitId> = page.into_iter().map(|(id, _)| id).collect();
                deleted += store.units_delete_orphans(&ids).await.unwrap().len();
                tokio::task::yield_now().await;
            }
            deleted
        })
    };
    for round in 0..40 {
        stage_and_check(&f.store, round).await;
    }
    stop.store(true, Ordering::Relaxed);
    deleter.await.unwrap();
}

async fn stage_and_check(store: &Store, round: usize) {
    let units: Vec<_> = (0..20)
        .map(|n| {
            unit(
                "t",
                &format!("{}", (round * 7 + n) % 60),
                json!({ "name": n.to_string() }),
            )
        })
        .collect();
    let keys: Vec<Sha256> = units.iter().map(|unit| unit.key_digest).collect();
    let task = crate::fixture::claimed(store).await;
    // Some are saved and left behind, so that there is something to find and something to delete.
    store.units_save(&units[..10]).await.unwrap();
    let known = task.units_known(REPO, "t", &keys).await.unwrap();
    let found: Vec<(UnitId, &str)> = known.values().map(|units| (units[0].id, "t")).collect();
    task.stage_add(&found).await.unwrap();
    let saved = task.units_save_staged(&units, &[]).await;
    let ids: Vec<UnitId> = saved.unwrap().iter().map(|unit| unit.id).collect();
    let there = |store: &Store| {
        let query = UnitQuery {
            ids: Some(ids.clone()),
            ..UnitQuery::default()
        };
        store.units_stream(&query).unwrap()
    };
    assert_eq!(collect(there(store)).await.len(), ids.len());
    if round.is_multiple_of(2) {
        let now = store.now();
        task.content_commit(REPO, now).await.unwrap();
        assert_eq!(collect(there(store)).await.len(), ids.len());
        let task = crate::fixture::claimed(store).await;
        let all = UnitQuery {
            repo: Some(REPO),
            ..UnitQuery::default()
        };
        let inside = collect(store.units_stream(&all).unwrap()).await;
        let count = task.stage_select(&all, true).await.unwrap();
        assert_eq!(inside.len() as u64, count, "every association has its unit");
        task.content_commit(REPO, now).await.unwrap();
    } else {
        crate::fixture::end(&task).await;
    }
}

/// Judges every blob.
async fn judge(store: &Store) {
    let mut after = None;
    while let Some(last) = store.blobs_judge_page(after).await.unwrap() {
        after = Some(last);
    }
}

async fn a_file_goes_only_when_nothing_needs_it_and_its_grace_is_over(f: Fixture) {
    let blob = Sha256::of(b"x");
    let mut new = unit("t", "a", json!({ "name": "a" }));
    new.blob = Some(blob);
    new.size = Some(1);
    let saved = f.store.units_save(&[new]).await.unwrap();
    judge(&f.store).await;
    let later = f.later(10);
    assert!(
        f.store
            .blobs_condemned(later, None)
            .await
            .unwrap()
            .is_empty()
    );
    f.store.units_delete_orphans(&[saved[0].id]).await.unwrap();
    let condemned = f.now();
    f.later(10);
    judge(&f.store).await;
    let before = condemned - pith_core::SignedDuration::from_secs(1);
    assert!(
        f.store
            .blobs_condemned(before, None)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!f.store.blob_claim(blob, before).await.unwrap(), "grace");
    assert_eq!(
        f.store.blobs_condemned(condemned, None).await.unwrap(),
        [blob]
    );
    // Somebody finds the file and needs it again.
    let mut again = unit("t", "b", json!({ "name": "b" }));
    (again.blob, again.size) = (Some(blob), Some(1));
    f.store.units_save(&[again]).await.unwrap();
    let condemned = f.store.blobs_condemned(f.now(), None).await;
    assert!(condemned.unwrap().is_empty());
    assert!(!f.store.blob_claim(blob, f.now()).await.unwrap());
}

async fn who_saves_a_row_for_a_deleted_file_is_told(f: Fixture) {
    let blob = Sha256::of(b"x");
    f.store
        .blobs_condemn_unknown(vec![(blob, 1)])
        .await
        .unwrap();
    judge(&f.store).await;
    let now = f.later(1);
    assert!(f.store.blob_claim(blob, now).await.unwrap());
    assert!(f.store.blob_claimed(blob).await.unwrap().is_some());
    assert!(
        !f.store.blob_revive(blob).await.unwrap(),
        "not while it is being deleted"
    );
    let mut new = unit("t", "a", json!({ "name": "a" }));
    new.blob = Some(blob);
    new.size = Some(1);
    let new = [new];
    let refused = f.store.units_save(&new).await;
    assert!(matches!(refused, Err(StoreError::BlobsGone(gone)) if gone == [blob]));
    f.store.blob_gone(blob).await.unwrap();
    let refused = f.store.units_save(&new).await;
    assert!(matches!(refused, Err(StoreError::BlobsGone(_))));
    assert!(f.store.blob_revive(blob).await.unwrap());
    f.store.units_save(&new).await.unwrap();
    judge(&f.store).await;
    let end = f.later(100);
    assert!(
        !f.store.blob_claim(blob, end).await.unwrap(),
        "it is needed"
    );
    assert_eq!(f.store.blobs_forget_gone(end).await.unwrap(), 0);
}

async fn a_chore_is_done_once(f: Fixture) {
    let now = f.now();
    let next = now + pith_core::SignedDuration::from_secs(60);
    let other = f.other().await;
    assert!(f.store.chore_take("sweep", now, next).await.unwrap());
    assert!(!other.chore_take("sweep", now, next).await.unwrap());
    assert!(other.chore_take("other", now, next).await.unwrap());
    let later = f.later(60);
    assert!(other.chore_take("sweep", later, later).await.unwrap());
}

async fn uploads_expire_by_age_and_not_while_a_task_wants_them(f: Fixture) {
    let ids = [
        uuid::Uuid::now_v7(),
        uuid::Uuid::now_v7(),
        uuid::Uuid::now_v7(),
    ];
    for id in ids {
        let upload = pith_store::Upload {
            id,
            created: f.now(),
            size: 0,
            owner: None,
        };
        f.store.upload_create(&upload).await.unwrap();
    }
    let task = pith_store::NewTask {
        id: TaskId::new(),
        kind: "import".to_owned(),
        args: json!({ "upload_id": ids[0] }),
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    };
    f.store.task_enqueue(&task).await.unwrap();
    let since = f.later(100);
    f.store.upload_set_size(ids[1], 5).await.unwrap();
    assert_eq!(f.store.uploads_expire(since).await.unwrap(), [ids[2]]);
    assert!(f.store.upload_set_size(ids[2], 5).await.is_err());
    assert!(f.store.upload_get(ids[2]).await.unwrap().is_none());
    assert_eq!(f.store.uploads_list(None).await.unwrap().len(), 2);
    let again = f.store.uploads_expire(since).await.unwrap();
    assert_eq!(again, [ids[2]], "its deletion may have been interrupted");
}
