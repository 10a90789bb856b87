//! Roots outside of `/pulp`, and what is said of single paths below them.

use std::sync::Arc;

use pith_content::ContentType;
use pith_core::Sha256;
use pith_engine::Registry;
use pith_testkit::notes::Notes;
use serde_json::json;

use super::on_both;
use super::scene::{On, Scene};

on_both!(
    a_type_is_served_below_its_own_root_as_it_says,
    a_guard_keeps_a_root_of_a_type_to_those_it_admits,
);

#[test]
fn types_whose_roots_meet_are_not_registered() {
    let notes = || -> Arc<dyn ContentType> { Arc::new(Notes) };
    assert!(Registry::new(vec![notes()]).is_ok());
    let error = Registry::new(vec![notes(), notes()]).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the root 'notes' meets 'notes', which belongs to notes"
    );
}

async fn a_type_is_served_below_its_own_root_as_it_says(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    scene.repository("zoo", json!({})).await;
    for (name, text) in [("ape", "eats fruit"), ("yak", "eats grass")] {
        let task = scene.upload("zoo", name, text).await;
        assert_eq!(task["state"], "finished", "{task}");
    }
    let published = scene.publish("zoo").await;
    assert_eq!(published["state"], "finished", "{published}");

    let note = scene.get("/notes/zoo/ape").await;
    assert_eq!((note.status, note.text.as_str()), (200, "eats fruit"));
    assert_eq!(note.header("content-type"), "text/x-note; charset=utf-8");
    assert_eq!(note.header("x-notes"), "1");
    let digest = format!("sha256:{}", Sha256::of(b"eats fruit"));
    assert_eq!(note.header("x-note-digest"), digest);

    let folder = scene.get("/notes/zoo/").await;
    assert_eq!((folder.status, folder.text.as_str()), (200, "ape\nyak"));
    assert_eq!(folder.header("content-type"), "text/plain");
    let without_slash = scene.get("/notes/zoo").await;
    assert_eq!(without_slash.status, 301);
    assert_eq!(without_slash.header("location"), "/notes/zoo/");

    let last = scene.get("/notes/zoo/-/last").await;
    assert_eq!((last.status, last.header("location")), (302, "../yak"));

    // No pages; and nothing of it below the roots of others.
    for path in ["/notes/zoo/-/", "/pulp/isos/zoo/", "/pulp/repos/zoo/ape"] {
        let answer = scene.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(scene.get("/notes/none").await.header("x-notes"), "1");
    scene.stop().await;
}

async fn a_guard_keeps_a_root_of_a_type_to_those_it_admits(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    let readers = pith_trust::Authority::generate(&[], pith_core::Timestamp::UNIX_EPOCH).unwrap();
    let ca = json!({ "readers_ca": readers.certificate_pem() });
    scene.repository("vault", ca).await;
    scene.upload("vault", "secret", "x").await;
    let published = scene.publish("vault").await;
    assert_eq!(published["state"], "finished", "{published}");
    for path in ["/notes/vault/secret", "/notes/vault/", "/notes/vault/none"] {
        assert_eq!(scene.get(path).await.status, 403, "{path}");
    }
    scene.stop().await;
}
