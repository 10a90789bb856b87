use std::collections::BTreeMap;

use pith_core::{Document, ObjectId};
use pith_store::{Importer, RepositoryUpdate, StoreError};
use serde_json::json;

use crate::fixture::{Fixture, distributor, document, repository};
use crate::on_both_engines;

on_both_engines!(
    a_repository_reads_back_as_saved,
    an_id_is_taken_once,
    an_update_changes_what_it_names,
    a_repository_and_its_plugins_are_saved_together_or_not_at_all,
    deleting_takes_everything_along_but_the_units,
    an_importer_replaces_the_one_before,
    a_distributor_of_the_same_id_is_replaced,
    hostile_text_survives_the_trip,
);

fn importer(f: &Fixture, repo: &str) -> Importer {
    Importer {
        repo_id: repo.to_owned(),
        oid: ObjectId::new(f.now()),
        type_id: "yum_importer".to_owned(),
        config: document(json!({ "feed": "http://example.org/" })),
        scratchpad: None,
        last_sync: None,
        last_updated: f.now(),
        last_override: None,
    }
}

async fn a_repository_reads_back_as_saved(f: Fixture) {
    let saved = f.repository("a").await;
    assert_eq!(
        f.store.repository_get("a").await.unwrap(),
        Some(saved.clone())
    );
    assert_eq!(
        f.store.repository_get("A").await.unwrap(),
        None,
        "ids are case-sensitive"
    );
    let b = f.repository("b").await;
    assert_eq!(
        f.store.repository_list(None).await.unwrap(),
        [saved, b.clone()]
    );
    let picked = f
        .store
        .repository_list(Some(&["b".to_owned(), "x".to_owned(), "b".to_owned()]))
        .await
        .unwrap();
    assert_eq!(picked, [b]);
    assert_eq!(f.store.repository_list(Some(&[])).await.unwrap(), []);
}

async fn an_id_is_taken_once(f: Fixture) {
    let saved = f.repository("a").await;
    let error = f.store.repository_create(&saved).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Duplicate { what: "repository", ref id } if id == "a"),
        "{error}"
    );
}

async fn an_update_changes_what_it_names(f: Fixture) {
    let mut expected = f.repository("a").await;
    expected.display_name = None;
    expected.notes = document(json!({ "k": [1, 2.5, null, "x"] }));
    let update = RepositoryUpdate {
        display_name: Some(None),
        notes: Some(expected.notes.clone()),
        ..RepositoryUpdate::default()
    };
    assert_eq!(
        f.store.repository_update("a", &update).await.unwrap(),
        expected
    );
    let unchanged = f
        .store
        .repository_update("a", &RepositoryUpdate::default())
        .await
        .unwrap();
    assert_eq!(unchanged, expected);
    let pad = document(json!({ "checksum": "sha256" }));
    f.store.repository_set_scratchpad("a", &pad).await.unwrap();
    assert_eq!(
        f.store
            .repository_get("a")
            .await
            .unwrap()
            .unwrap()
            .scratchpad,
        pad
    );
    let error = f.store.repository_update("x", &update).await.unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");
}

async fn a_repository_and_its_plugins_are_saved_together_or_not_at_all(f: Fixture) {
    let twins = [
        distributor("a", "d", f.now()),
        distributor("a", "d", f.now()),
    ];
    let error = f
        .store
        .repository_create_full(&repository("a", f.now()), None, &twins)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Duplicate {
                what: "distributor",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(f.store.repository_get("a").await.unwrap(), None);

    let importer = importer(&f, "a");
    f.store
        .repository_create_full(&repository("a", f.now()), Some(&importer), &twins[..1])
        .await
        .unwrap();
    assert_eq!(f.store.importer_get("a").await.unwrap(), Some(importer));
    assert_eq!(
        f.store.distributor_get("a", "d").await.unwrap().as_ref(),
        Some(&twins[0])
    );
}

async fn deleting_takes_everything_along_but_the_units(f: Fixture) {
    f.repository("a").await;
    f.store.importer_set(&importer(&f, "a")).await.unwrap();
    f.store
        .distributor_create(&distributor("a", "d", f.now()))
        .await
        .unwrap();
    let ids = f.units("rpm", &["x", "y"]).await;
    f.add("a", "rpm", &ids).await;
    assert_eq!(
        f.store.repository_unit_counts("a").await.unwrap(),
        BTreeMap::from([("rpm".to_owned(), 2)])
    );
    f.store.repository_delete("a").await.unwrap();
    assert_eq!(f.store.importer_list(None).await.unwrap(), []);
    assert_eq!(f.store.distributor_list(None).await.unwrap(), []);
    assert!(f.store.unit_memberships(&ids).await.unwrap().is_empty());
    assert!(f.store.unit_get("rpm", ids[0]).await.unwrap().is_some());
    assert!(
        f.store
            .repository_unit_counts_all()
            .await
            .unwrap()
            .is_empty()
    );
    assert!(matches!(
        f.store.repository_delete("a").await.unwrap_err(),
        StoreError::Missing { .. }
    ));
    f.repository("a").await;
    assert!(
        f.store
            .repository_unit_counts("a")
            .await
            .unwrap()
            .is_empty(),
        "a new one of the name starts empty"
    );
}

async fn an_importer_replaces_the_one_before(f: Fixture) {
    f.repository("a").await;
    f.store.importer_set(&importer(&f, "a")).await.unwrap();
    let mut other = importer(&f, "a");
    other.type_id = "iso_importer".to_owned();
    f.store.importer_set(&other).await.unwrap();
    let config = document(json!({ "feed": null }));
    let at = f.later(5);
    f.set_config("a", config.clone()).await;
    let updated = f.store.importer_get("a").await.unwrap().unwrap();
    assert_eq!((&updated.config, updated.last_updated), (&config, at));
    f.store
        .importer_set_scratchpad("a", Some(&config))
        .await
        .unwrap();
    f.store
        .importer_set_last_sync("a", at, Some(&Document::new()))
        .await
        .unwrap();
    let listed = f
        .store
        .importer_list(Some(&["a".to_owned()]))
        .await
        .unwrap();
    assert_eq!(listed[0].last_sync, Some(at));
    assert_eq!(listed[0].last_override, Some(Document::new()));
    assert_eq!(
        (listed.len(), listed[0].scratchpad.as_ref()),
        (1, Some(&config))
    );
    assert!(f.store.importer_remove("a").await.unwrap());
    assert!(!f.store.importer_remove("a").await.unwrap());
    let homeless = f.store.importer_set(&importer(&f, "x")).await.unwrap_err();
    assert!(
        matches!(
            homeless,
            StoreError::Missing {
                what: "repository",
                ..
            }
        ),
        "{homeless}"
    );
}

async fn a_distributor_of_the_same_id_is_replaced(f: Fixture) {
    f.repository("a").await;
    let mut one = distributor("a", "d", f.now());
    f.store.distributor_create(&one).await.unwrap();
    one.auto_publish = false;
    f.store.distributor_create(&one).await.unwrap();
    assert_eq!(
        f.store
            .distributor_list(Some(&["a".to_owned()]))
            .await
            .unwrap(),
        [one]
    );
    let at = f.later(5);
    let updated = f
        .store
        .distributor_update("a", "d", None, Some(true))
        .await
        .unwrap();
    assert!(updated.auto_publish && updated.last_updated == at);
    f.store
        .distributor_set_last_publish("a", "d", at, None)
        .await
        .unwrap();
    let read = f.store.distributor_get("a", "d").await.unwrap().unwrap();
    assert_eq!(read.last_publish, Some(at));
    assert!(f.store.distributor_remove("a", "d").await.unwrap());
    assert!(!f.store.distributor_remove("a", "d").await.unwrap());
}

async fn hostile_text_survives_the_trip(f: Fixture) {
    let mut hostile = repository("'; DROP TABLE repos; --", f.now());
    hostile.description = Some("nul \0, quote ', json( \u{1F980}".to_owned());
    hostile.notes = document(json!({ "nul\0": ["\0"], "big": u64::MAX, "$1": "jsonb(?)" }));
    f.store.repository_create(&hostile).await.unwrap();
    let read = f.store.repository_get(&hostile.id).await.unwrap().unwrap();
    assert_eq!(
        read.description.as_deref(),
        Some("nul \u{fffd}, quote ', json( \u{1F980}")
    );
    assert_eq!(
        read.notes,
        document(json!({ "nul\u{fffd}": ["\u{fffd}"], "big": u64::MAX, "$1": "jsonb(?)" }))
    );
}
