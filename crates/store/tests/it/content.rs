use std::collections::BTreeMap;

use pith_core::UnitId;
use pith_store::{Committed, StoreError, UnitQuery};

use crate::fixture::{Fixture, REPO, collect, names};
use crate::on_both_engines;

on_both_engines!(
    a_commit_adds_refreshes_and_removes_at_once,
    a_commit_without_a_difference_makes_no_version,
    the_last_word_of_staging_counts,
    removing_what_is_missing_upstream_spares_the_staged,
    the_content_after_a_commit_can_be_read_before_it,
    old_versions_are_kept_until_they_are_pruned,
    staging_of_one_task_is_nothing_to_another,
    a_commit_to_a_deleted_repository_fails,
    two_commits_to_one_repository_follow_each_other,
);

fn pairs(ids: &[UnitId]) -> Vec<(UnitId, &'static str)> {
    ids.iter().map(|id| (*id, "t")).collect()
}

async fn content(f: &Fixture) -> Vec<String> {
    f.names(&UnitQuery {
        repo: Some(REPO),
        ..UnitQuery::default()
    })
    .await
}

async fn a_commit_adds_refreshes_and_removes_at_once(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b", "c"]).await;
    f.add(REPO, "t", &ids[..2]).await;
    let first = f.now();
    let task = f.task().await;
    task.stage_add(&pairs(&ids[1..])).await.unwrap();
    task.stage_remove(&pairs(&ids[..1])).await.unwrap();
    let at = f.later(10);
    let done = task.content_commit(REPO, at).await.unwrap();
    assert_eq!(
        done,
        Committed {
            version: Some(2),
            added: 1,
            updated: 1,
            removed: 1
        }
    );
    let query = UnitQuery {
        repo: Some(REPO),
        ..UnitQuery::default()
    };
    let found = collect(f.store.units_stream(&query).unwrap()).await;
    let dates: Vec<_> = found
        .iter()
        .map(|unit| (unit.created.unwrap(), unit.updated.unwrap()))
        .collect();
    assert_eq!(dates, [(first, at), (at, at)]);
    assert_eq!(names(&found), ["b", "c"]);
    let repository = f.store.repository_get(REPO).await.unwrap().unwrap();
    let facts = (
        repository.version,
        repository.last_unit_added,
        repository.last_unit_removed,
    );
    assert_eq!(facts, (2, Some(at), Some(at)));
    assert_eq!(
        f.store.repository_unit_counts(REPO).await.unwrap(),
        BTreeMap::from([("t".to_owned(), 2)])
    );
    assert_eq!(f.store.unit_memberships(&ids).await.unwrap().len(), 2);
    let versions = f.store.versions_beyond(1).await.unwrap();
    assert_eq!(versions, [(REPO.to_owned(), 1, 2)]);
}

async fn a_commit_without_a_difference_makes_no_version(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b"]).await;
    f.add(REPO, "t", &ids[..1]).await;
    let before = f.store.repository_get(REPO).await.unwrap();
    let task = f.task().await;
    task.stage_add(&pairs(&ids[..1])).await.unwrap();
    task.stage_remove(&pairs(&ids[1..])).await.unwrap();
    let done = task.content_commit(REPO, f.later(10)).await.unwrap();
    assert_eq!(
        done,
        Committed {
            version: None,
            added: 0,
            updated: 1,
            removed: 0
        }
    );
    assert_eq!(f.store.repository_get(REPO).await.unwrap(), before);
    let empty = f.task().await.content_commit(REPO, f.now()).await.unwrap();
    assert_eq!(empty, Committed::default());
}

async fn the_last_word_of_staging_counts(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b"]).await;
    let task = f.task().await;
    task.stage_add(&pairs(&[ids[0], ids[0], ids[1]]))
        .await
        .unwrap();
    task.stage_remove(&pairs(&ids[1..])).await.unwrap();
    let done = task.content_commit(REPO, f.now()).await.unwrap();
    assert_eq!((done.added, done.removed), (1, 0));
    assert_eq!(content(&f).await, ["a"]);
}

async fn removing_what_is_missing_upstream_spares_the_staged(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b"]).await;
    let other = f.units("o", &["o"]).await;
    f.add(REPO, "t", &ids).await;
    f.add(REPO, "o", &other).await;
    let task = f.task().await;
    task.stage_add(&pairs(&ids[..1])).await.unwrap();
    assert_eq!(
        task.stage_remove_missing(REPO, &["t", "x"]).await.unwrap(),
        1
    );
    task.content_commit(REPO, f.now()).await.unwrap();
    assert_eq!(content(&f).await, ["o", "a"]);
}

async fn the_content_after_a_commit_can_be_read_before_it(f: Fixture) {
    f.repository(REPO).await;
    let many: Vec<String> = (0..1200).map(|i| format!("{i:04}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let ids = f.units("t", &many).await;
    f.add(REPO, "t", &ids[..800]).await;
    let first = f.now();
    let now = f.later(10);
    let task = f.task().await;
    task.stage_remove(&pairs(&ids[..100])).await.unwrap();
    task.stage_add(&pairs(&ids[700..])).await.unwrap();
    let query = UnitQuery {
        repo: Some(REPO),
        type_ids: vec!["t"],
        ..UnitQuery::default()
    };
    let before = collect(task.units_stream_after(&query).unwrap()).await;
    assert_eq!(
        f.store.units_count(&query).await.unwrap(),
        800,
        "nobody else sees it"
    );
    let dates: Vec<_> = before
        .iter()
        .map(|unit| (unit.created.unwrap(), unit.updated.unwrap()))
        .collect();
    assert_eq!(
        (dates[0], dates[650], dates[1000]),
        ((first, first), (first, now), (now, now))
    );
    let backwards = UnitQuery {
        sort: vec![("name", true)],
        limit: Some(2),
        ..query.clone()
    };
    let last = collect(task.units_stream_after(&backwards).unwrap()).await;
    assert_eq!(names(&last), ["1199", "1198"]);
    task.content_commit(REPO, now).await.unwrap();
    let after = collect(f.store.units_stream(&query).unwrap()).await;
    assert_eq!(before, after);
    let no_repo = task.units_stream_after(&UnitQuery::default());
    assert!(matches!(no_repo, Err(StoreError::Missing { .. })));
}

async fn old_versions_are_kept_until_they_are_pruned(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b"]).await;
    f.add(REPO, "t", &ids[..1]).await;
    let task = f.task().await;
    task.stage_add(&pairs(&ids[1..])).await.unwrap();
    task.stage_remove(&pairs(&ids[..1])).await.unwrap();
    task.content_commit(REPO, f.now()).await.unwrap();
    f.add(REPO, "t", &ids[..1]).await;
    let versions = async |keep| f.store.versions_beyond(keep).await.unwrap();
    assert_eq!(versions(2).await, [(REPO.to_owned(), 1, 2)]);
    assert_eq!(versions(3).await, []);
    assert_eq!(f.store.version_prune(REPO, 2).await.unwrap(), 1);
    assert_eq!(versions(2).await, []);
    assert_eq!(f.store.version_prune(REPO, 2).await.unwrap(), 0);
    assert_eq!(content(&f).await, ["a", "b"]);
}

async fn staging_of_one_task_is_nothing_to_another(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a"]).await;
    let (one, two) = (f.task().await, f.task().await);
    one.stage_add(&pairs(&ids)).await.unwrap();
    assert_eq!(
        two.content_commit(REPO, f.now()).await.unwrap(),
        Committed::default()
    );
    assert_eq!(content(&f).await, [""; 0]);
    assert_eq!(one.content_commit(REPO, f.now()).await.unwrap().added, 1);
}

async fn a_commit_to_a_deleted_repository_fails(f: Fixture) {
    let task = f.task().await;
    let error = task.content_commit("gone", f.now()).await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::Missing {
            what: "repository",
            ..
        }
    ));
}

async fn two_commits_to_one_repository_follow_each_other(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("t", &["a", "b"]).await;
    let (one, two) = (f.task().await, f.task().await);
    one.stage_add(&pairs(&ids)).await.unwrap();
    two.stage_add(&pairs(&ids)).await.unwrap();
    let now = f.now();
    let (a, b) = tokio::join!(one.content_commit(REPO, now), two.content_commit(REPO, now));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!((a.added + b.added, a.updated + b.updated), (2, 2));
    assert_eq!(f.store.repository_unit_counts(REPO).await.unwrap()["t"], 2);
    assert_eq!(content(&f).await, ["a", "b"]);
}
