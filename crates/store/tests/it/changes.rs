//! Units that change while repositories have them.

use pith_core::Sha256;
use pith_store::NewUnit;
use serde_json::json;

use crate::fixture::{Fixture, SaveUnits, unit};
use crate::on_both_engines;

on_both_engines!(
    a_file_counts_as_a_change_when_it_is_another_or_gone,
    what_the_last_good_sync_was_made_from_goes_with_the_importer,
);

async fn changes(f: &Fixture, repo: &str) -> i64 {
    f.store.content_state(repo).await.unwrap().unwrap().changes
}

async fn a_file_counts_as_a_change_when_it_is_another_or_gone(f: Fixture) {
    let promised = Sha256::of(b"file");
    let new = NewUnit {
        blob: Some(promised),
        size: Some(4),
        downloaded: false,
        ..unit("t", "x", json!({"name": "x"}))
    };
    let saved = f.store.units_save(&[new]).await.unwrap();
    let id = saved[0].id;
    f.repository("a").await;
    f.repository("none").await;
    f.add("a", "t", &[id]).await;
    f.store.unit_set_blob(id, promised, 4).await.unwrap();
    assert_eq!(changes(&f, "a").await, 0, "it came as promised");
    f.store.units_set_blob_gone(promised).await.unwrap();
    assert_eq!(changes(&f, "a").await, 1, "it is gone");
    f.store.unit_set_blob(id, promised, 4).await.unwrap();
    assert_eq!(changes(&f, "a").await, 1, "it came back");
    let other = Sha256::of(b"another");
    f.store.unit_set_blob(id, other, 7).await.unwrap();
    assert_eq!(changes(&f, "a").await, 2, "it is another");
    assert_eq!(changes(&f, "none").await, 0);
    assert_eq!(f.store.content_state("missing").await.unwrap(), None);
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
