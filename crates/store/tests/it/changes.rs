//! Units that change while repositories have them.

use pith_core::{Sha256, UnitId};
use pith_store::{ContentState, NewUnit, OnConflict};
use serde_json::json;

use crate::fixture::{Fixture, SaveUnits, unit};
use crate::on_both_engines;

on_both_engines!(
    every_repository_that_has_a_unit_knows_that_it_changed,
    saving_a_unit_as_it_is_changes_nothing,
    a_unit_that_changes_gets_a_later_time_whatever_the_clock_says,
    a_file_counts_as_a_change_when_it_is_another_or_gone,
    many_units_that_change_at_once_are_one_change_of_their_repository,
    what_the_last_good_sync_was_made_from_goes_with_the_importer,
);

async fn changes(f: &Fixture, repo: &str) -> i64 {
    f.store.content_state(repo).await.unwrap().unwrap().changes
}

/// A unit in the repositories `a` and `b`, and not any more in `old`.
async fn shared(f: &Fixture) -> (NewUnit, UnitId) {
    let mut new = unit("t", "x", json!({"name": "x"}));
    new.parts = vec![("list".to_owned(), b"one".to_vec())];
    let saved = f
        .store
        .units_save(std::slice::from_ref(&new), OnConflict::Keep)
        .await
        .unwrap();
    for repo in ["a", "b", "old", "none"] {
        f.repository(repo).await;
        if repo != "none" {
            f.add(repo, "t", &[saved[0].id]).await;
        }
    }
    let task = f.task().await;
    let gone = [(saved[0].id, "t")];
    task.stage_remove(&gone).await.unwrap();
    task.content_commit("old", f.now()).await.unwrap();
    (new, saved[0].id)
}

async fn every_repository_that_has_a_unit_knows_that_it_changed(f: Fixture) {
    let (unit, _) = shared(&f).await;
    let document = NewUnit {
        doc: crate::fixture::document(json!({"name": "y"})),
        ..unit.clone()
    };
    let part = NewUnit {
        parts: vec![("list".to_owned(), b"two".to_vec())],
        ..document.clone()
    };
    let no_part = NewUnit {
        parts: Vec::new(),
        ..part.clone()
    };
    let file = NewUnit {
        blob: Some(Sha256::of(b"file")),
        size: Some(4),
        ..no_part.clone()
    };
    for (count, new) in (1..).zip([document, part, no_part, file]) {
        let now = f.later(1);
        let task = f.task().await;
        let staged = task
            .units_save_staged(&[new], &[None], OnConflict::Replace)
            .await
            .unwrap();
        assert!(!staged[0].new);
        for repo in ["a", "b"] {
            assert_eq!(changes(&f, repo).await, count, "{repo}");
            let repository = f.store.repository_get(repo).await.unwrap().unwrap();
            assert_eq!(repository.last_unit_added, Some(now), "{repo}");
            assert_eq!(repository.version, 1, "{repo}");
        }
        assert_eq!(changes(&f, "old").await, 0);
        assert_eq!(changes(&f, "none").await, 0);
    }
    assert_eq!(f.store.content_state("missing").await.unwrap(), None);
}

async fn saving_a_unit_as_it_is_changes_nothing(f: Fixture) {
    let (unit, id) = shared(&f).await;
    let before = f.store.unit_get("t", id).await.unwrap().unwrap();
    f.later(5);
    let other = NewUnit {
        doc: crate::fixture::document(json!({"name": "y"})),
        ..unit.clone()
    };
    f.store
        .units_save(&[unit], OnConflict::Replace)
        .await
        .unwrap();
    f.store
        .units_save(&[other], OnConflict::Keep)
        .await
        .unwrap();
    assert_eq!(f.store.unit_get("t", id).await.unwrap().unwrap(), before);
    let parts = f.store.unit_parts(&[id], &["list"]).await.unwrap();
    assert_eq!(parts[&id][0].data, b"one");
    let state = f.store.content_state("a").await.unwrap().unwrap();
    let same = ContentState {
        version: 1,
        changes: 0,
    };
    assert_eq!(state, same);
}

async fn a_unit_that_changes_gets_a_later_time_whatever_the_clock_says(f: Fixture) {
    let (unit, id) = shared(&f).await;
    let mut last = f.store.unit_get("t", id).await.unwrap().unwrap();
    for round in 0..3 {
        let new = NewUnit {
            doc: crate::fixture::document(json!({"name": "x", "round": round})),
            ..unit.clone()
        };
        f.store
            .units_save(&[new], OnConflict::Replace)
            .await
            .unwrap();
        let now = f.store.unit_get("t", id).await.unwrap().unwrap();
        assert!(now.last_updated > last.last_updated);
        last = now;
    }
}

async fn a_file_counts_as_a_change_when_it_is_another_or_gone(f: Fixture) {
    let promised = Sha256::of(b"file");
    let new = NewUnit {
        blob: Some(promised),
        size: Some(4),
        downloaded: false,
        ..unit("t", "x", json!({"name": "x"}))
    };
    let saved = f.store.units_save(&[new], OnConflict::Keep).await.unwrap();
    let id = saved[0].id;
    f.repository("a").await;
    f.add("a", "t", &[id]).await;
    f.store.unit_set_blob(id, promised, 4).await.unwrap();
    assert_eq!(changes(&f, "a").await, 0, "it came as promised");
    f.store.units_set_blob_here(promised, true).await.unwrap();
    assert_eq!(changes(&f, "a").await, 0, "it is here already");
    f.store.units_set_blob_here(promised, false).await.unwrap();
    assert_eq!(changes(&f, "a").await, 1, "it is gone");
    f.store.unit_set_blob(id, promised, 4).await.unwrap();
    assert_eq!(changes(&f, "a").await, 1, "it came back");
    let other = Sha256::of(b"another");
    f.store.unit_set_blob(id, other, 7).await.unwrap();
    assert_eq!(changes(&f, "a").await, 2, "it is another");
}

async fn many_units_that_change_at_once_are_one_change_of_their_repository(f: Fixture) {
    let unit = |n: usize, round: i64| unit("t", &n.to_string(), json!({"n": n, "round": round}));
    let first: Vec<NewUnit> = (0..500).map(|n| unit(n, 0)).collect();
    let saved = f.store.units_save(&first, OnConflict::Keep).await.unwrap();
    let ids: Vec<UnitId> = saved.iter().map(|unit| unit.id).collect();
    f.repository("a").await;
    f.add("a", "t", &ids).await;
    let second: Vec<NewUnit> = (0..500).map(|n| unit(n, 1)).collect();
    f.store
        .units_save(&second, OnConflict::Replace)
        .await
        .unwrap();
    assert_eq!(changes(&f, "a").await, 1);
}

async fn what_the_last_good_sync_was_made_from_goes_with_the_importer(f: Fixture) {
    f.repository("a").await;
    let importer = pith_store::Importer {
        repo_id: "a".to_owned(),
        oid: pith_core::ObjectId::new(f.now()),
        type_id: "t".to_owned(),
        config: pith_core::Document::new(),
        scratchpad: None,
        last_sync: None,
        last_updated: f.now(),
        last_override: None,
    };
    let made_from = crate::fixture::document(json!({"version": 3}));
    assert!(
        f.store
            .importer_set_made_from("a", &made_from)
            .await
            .is_err()
    );
    f.store.importer_set(&importer).await.unwrap();
    assert_eq!(f.store.importer_made_from("a").await.unwrap(), None);
    f.store
        .importer_set_made_from("a", &made_from)
        .await
        .unwrap();
    let noted = f.store.importer_made_from("a").await.unwrap();
    assert_eq!(noted, Some(made_from));
    f.store.importer_set(&importer).await.unwrap();
    assert_eq!(f.store.importer_made_from("a").await.unwrap(), None);
}
