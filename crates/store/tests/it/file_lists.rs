use pith_core::Sha256;
use pith_store::{NewUnit, StoreError};
use serde_json::json;

use crate::fixture::{Fixture, REPO, SaveUnits, unit};
use crate::on_both_engines;

on_both_engines!(
    what_a_list_names_is_needed_as_long_as_the_list_is,
    what_no_unit_came_for_goes,
    who_saves_a_list_that_names_a_deleted_file_is_told,
    a_unit_misses_its_file_when_its_list_names_one_that_is_lost,
    a_list_is_forgotten_some_time_after_it_is_gone,
);

const SIZE: i64 = 7;

/// The digest of a blob.
fn blob(name: &str) -> Sha256 {
    Sha256::of(name.as_bytes())
}

/// A unit of which the file is a list.
fn listed(name: &str, list: &str) -> NewUnit {
    NewUnit {
        blob: Some(blob(list)),
        size: Some(SIZE),
        ..unit("t", name, json!({ "name": name }))
    }
}

/// Notes that a list names these blobs.
async fn put(f: &Fixture, list: &str, named: &[&str]) {
    let named: Vec<_> = named.iter().map(|name| (blob(name), SIZE)).collect();
    let put = f.store.file_list_put((blob(list), SIZE), &named);
    put.await.unwrap();
}

/// Judges all blobs; the names of those that are condemned.
async fn condemned<'a>(f: &Fixture, of: &[&'a str]) -> Vec<&'a str> {
    let mut after = None;
    while let Some(last) = f.store.blobs_judge_page(after).await.unwrap() {
        after = Some(last);
    }
    let condemned = f.store.blobs_condemned(f.now(), None).await.unwrap();
    let is_condemned = |name: &&&str| condemned.contains(&blob(name));
    of.iter().filter(is_condemned).copied().collect()
}

async fn what_a_list_names_is_needed_as_long_as_the_list_is(f: Fixture) {
    let all = ["l", "m", "large", "pack", "shared"];
    put(&f, "l", &["large", "shared"]).await;
    put(&f, "m", &["pack", "shared"]).await;
    let units = [listed("a", "l"), listed("b", "m")];
    let saved = f.store.units_save(&units).await.unwrap();
    assert_eq!(condemned(&f, &all).await, [""; 0]);
    let named = f.store.file_list(blob("l")).await.unwrap();
    assert_eq!(named.len(), 2);
    // Without a sweep, in which all would be found.
    f.store.units_delete_orphans(&[saved[0].id]).await.unwrap();
    let now = f.store.blobs_condemned(f.now(), None).await.unwrap();
    assert_eq!(now.len(), 2);
    assert_eq!(condemned(&f, &all).await, ["l", "large"]);
    let later = f.later(1);
    assert!(!f.store.blob_claim(blob("shared"), later).await.unwrap());
    assert!(f.store.blob_claim(blob("large"), later).await.unwrap());
}

async fn what_no_unit_came_for_goes(f: Fixture) {
    put(&f, "l", &["large"]).await;
    assert_eq!(condemned(&f, &["l", "large"]).await, ["l", "large"]);
    f.store.units_save(&[listed("a", "l")]).await.unwrap();
    assert_eq!(condemned(&f, &["l", "large"]).await, [""; 0]);
}

async fn who_saves_a_list_that_names_a_deleted_file_is_told(f: Fixture) {
    put(&f, "l", &["large"]).await;
    let later = f.later(1);
    assert!(f.store.blob_claim(blob("large"), later).await.unwrap());
    let units = [listed("a", "l")];
    let refused = f.store.units_save(&units).await;
    assert!(matches!(refused, Err(StoreError::BlobsGone(gone)) if gone == [blob("large")]));
    f.store.blob_gone(blob("large")).await.unwrap();
    assert!(f.store.blob_revive(blob("large")).await.unwrap());
    f.store.units_save(&units).await.unwrap();
}

async fn a_unit_misses_its_file_when_its_list_names_one_that_is_lost(f: Fixture) {
    f.repository(REPO).await;
    put(&f, "l", &["large", "pack"]).await;
    let saved = f.store.units_save(&[listed("a", "l")]).await.unwrap();
    f.add(REPO, "t", &[saved[0].id]).await;
    f.store.units_set_blob_gone(blob("pack")).await.unwrap();
    let missing = f.store.repository_units_not_downloaded(REPO).await;
    assert_eq!(missing.unwrap(), 1);
}

async fn a_list_is_forgotten_some_time_after_it_is_gone(f: Fixture) {
    put(&f, "l", &["large"]).await;
    let made = f.now();
    let gone = f.later(10);
    for blob in [blob("l"), blob("large")] {
        assert!(f.store.blob_claim(blob, gone).await.unwrap());
        f.store.blob_gone(blob).await.unwrap();
    }
    f.store.blobs_forget_gone(made).await.unwrap();
    assert_eq!(f.store.file_list(blob("l")).await.unwrap().len(), 1);
    // Somebody makes it again at this moment.
    let again = f.later(10);
    put(&f, "l", &["large"]).await;
    f.store.blobs_forget_gone(gone).await.unwrap();
    assert_eq!(f.store.file_list(blob("l")).await.unwrap().len(), 1);
    f.store.blobs_forget_gone(again).await.unwrap();
    assert!(f.store.file_list(blob("l")).await.unwrap().is_empty());
}
