//! Sources of files: the catalog and alternate content sources.

use pith_core::{Algorithm, Digest, ObjectId, Sha256, SignedDuration};
use pith_store::{Alternate, FileSource, Importer, NewUnit};
use serde_json::json;

use crate::fixture::{Fixture, REPO, SaveUnits, unit};
use crate::on_both_engines;

on_both_engines!(
    a_source_noted_again_is_replaced_and_the_newest_comes_first,
    sources_go_with_the_importer_and_with_the_repository,
    sources_of_removed_units_stay_until_their_files_are_here,
    sources_go_with_orphans,
    what_alternate_sources_have_expires,
);

fn source(unit: pith_core::UnitId, repo: &str, url: &str) -> FileSource {
    FileSource {
        unit,
        path: String::new(),
        repo_id: repo.to_owned(),
        site: "http://a.example".to_owned(),
        in_internet: true,
        urls: vec![url.to_owned()],
        size: Some(3),
        digests: vec![Digest::new(Algorithm::Sha1, &"ab".repeat(20)).unwrap()],
    }
}

async fn importer(f: &Fixture, repo: &str) {
    let importer = Importer {
        repo_id: repo.to_owned(),
        oid: ObjectId::new(f.now()),
        type_id: "yum_importer".to_owned(),
        config: Default::default(),
        scratchpad: None,
        last_sync: None,
        last_updated: f.now(),
        last_override: None,
    };
    f.store.importer_set(&importer).await.unwrap();
}

/// The number of entries that a unit has by a repository.
async fn entries(f: &Fixture, unit: pith_core::UnitId, repo: &str) -> usize {
    let found = f.store.sources_of(unit, "").await.unwrap();
    found.iter().filter(|source| source.repo_id == repo).count()
}

async fn a_source_noted_again_is_replaced_and_the_newest_comes_first(f: Fixture) {
    let units = f.units("rpm", &["a", "b"]).await;
    let first = [
        source(units[0], "x", "old"),
        source(units[0], "y", "y"),
        source(units[1], "x", "b"),
    ];
    f.store.sources_put(&first).await.unwrap();
    f.later(1);
    let again = [
        source(units[0], "x", "passed over"),
        source(units[0], "x", "new"),
    ];
    f.store.sources_put(&again).await.unwrap();
    let found = f.store.sources_of(units[0], "").await.unwrap();
    assert_eq!(found, [again[1].clone(), first[1].clone()]);
    assert!(f.store.sources_of(units[0], "x").await.unwrap().is_empty());
    assert_eq!(entries(&f, units[0], "x").await, 1);
    assert_eq!(entries(&f, units[1], "x").await, 1);
    let file = f.store.unit_file(units[1]).await.unwrap().unwrap();
    assert_eq!(file.type_id, "rpm");
}

async fn sources_go_with_the_importer_and_with_the_repository(f: Fixture) {
    f.repository(REPO).await;
    importer(&f, REPO).await;
    let units = f.units("rpm", &["a"]).await;
    let entry = [source(units[0], REPO, "u"), source(units[0], "other", "u")];
    for way in ["replace", "remove", "delete"] {
        f.store.sources_put(&entry).await.unwrap();
        match way {
            "replace" => importer(&f, REPO).await,
            "remove" => assert!(f.store.importer_remove(REPO).await.unwrap()),
            _ => f.store.repository_delete(REPO).await.unwrap(),
        }
        assert_eq!(entries(&f, units[0], REPO).await, 0, "{way}");
        assert_eq!(entries(&f, units[0], "other").await, 1, "{way}");
    }
}

async fn sources_of_removed_units_stay_until_their_files_are_here(f: Fixture) {
    let new = [("a", false), ("b", true)].map(|(name, downloaded)| NewUnit {
        downloaded,
        ..unit("rpm", name, json!({ "name": name }))
    });
    let saved = f.store.units_save(&new).await.unwrap();
    let units = [saved[0].id, saved[1].id];
    f.repository(REPO).await;
    f.add(REPO, "rpm", &units).await;
    let entries = [source(units[0], REPO, "a"), source(units[1], REPO, "b")];
    f.store.sources_put(&entries).await.unwrap();
    let task = f.task().await;
    let both = [(units[0], "rpm"), (units[1], "rpm")];
    task.stage_remove(&both).await.unwrap();
    task.content_commit(REPO, f.now()).await.unwrap();
    assert_eq!(f.store.sources_of(units[0], "").await.unwrap().len(), 1);
    assert!(f.store.sources_of(units[1], "").await.unwrap().is_empty());
}

async fn sources_go_with_orphans(f: Fixture) {
    let units = f.units("rpm", &["a"]).await;
    let entry = [source(units[0], REPO, "a")];
    f.store.sources_put(&entry).await.unwrap();
    f.store.units_delete_orphans(&units).await.unwrap();
    assert_eq!(entries(&f, units[0], REPO).await, 0);
    assert_eq!(f.store.unit_file(units[0]).await.unwrap(), None);
}

async fn what_alternate_sources_have_expires(f: Fixture) {
    let key = Sha256::of(b"key");
    let alternate = |source: &str, url: &str| Alternate {
        type_id: "rpm".to_owned(),
        key_digest: key,
        source_id: source.to_owned(),
        url: url.to_owned(),
    };
    let soon = f.now() + SignedDuration::from_secs(10);
    let late = f.now() + SignedDuration::from_secs(100);
    let one = alternate("one", "u");
    f.store
        .alternates_put(&[one.clone(), one.clone()], soon)
        .await
        .unwrap();
    let two = [alternate("two", "v"), alternate("two", "w")];
    f.store.alternates_put(&two, late).await.unwrap();
    let keys = [key];
    let of = |now| f.store.alternates_of("rpm", &keys, now);
    assert_eq!(of(f.now()).await.unwrap()[&key].len(), 3);
    assert!(
        f.store
            .alternates_of("srpm", &keys, f.now())
            .await
            .unwrap()
            .is_empty()
    );
    f.later(11);
    assert_eq!(of(f.now()).await.unwrap()[&key], two);
    assert!(!f.store.alternates_any("one", f.now()).await.unwrap());
    assert!(f.store.alternates_any("two", f.now()).await.unwrap());
    assert_eq!(f.store.alternates_purge(f.now()).await.unwrap(), 1);
    assert_eq!(f.store.alternates_delete("two").await.unwrap(), 2);
    assert_eq!(f.store.alternates_delete("two").await.unwrap(), 0);
}
