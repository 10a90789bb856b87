//! Files that the rules of a type read as a whole, whichever way they come.

use std::time::Duration;

use pith_core::{Algorithm, MultiHasher};
use pith_testkit::upstream::Upstream;
use serde_json::{Value, json};

use super::on_both;
use super::scene::{On, Scene};

const TEXT: &[u8] = b"one\ntwo\nthree";

on_both!(
    a_whole_file_is_read_and_digested_however_it_comes,
    a_file_that_is_none_of_its_type_is_refused_however_it_comes,
);

/// Asserts that a note has what its text tells.
fn assert_told(note: &Value) {
    assert_eq!(note["lines"], 3, "{note}");
    let mut hasher = MultiHasher::new(&[Algorithm::Md5, Algorithm::Sha224, Algorithm::Sha384]);
    hasher.update(TEXT);
    let digests = hasher.finish();
    let digests: serde_json::Map<String, Value> = (digests.all())
        .map(|(algorithm, hex)| (algorithm.name().to_owned(), hex.into()))
        .collect();
    assert_eq!(digests.len(), 4);
    assert_eq!(note["digests"], Value::Object(digests));
}

async fn a_whole_file_is_read_and_digested_however_it_comes(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    scene.repository("written", json!({})).await;
    let written = scene.admin("PUT", "/notes/written/cat", TEXT).await;
    assert_eq!(written.status, 201, "{}", written.text);
    assert_told(&scene.note("written", "cat").await);

    let upstream = Upstream::start().await.unwrap();
    for (repo, policy) in [("now", "immediate"), ("later", "on_demand")] {
        upstream.put(
            &format!("/{repo}/names"),
            format!("{repo} {}\n", TEXT.len()),
        );
        upstream.put(&format!("/{repo}/{repo}"), TEXT.to_vec());
        let feed = format!("{}/{repo}/", upstream.url());
        let importer = json!({ "feed": feed, "download_policy": policy });
        scene.mirror(repo, importer, json!({})).await;
        let synced = scene.sync(repo).await;
        assert_eq!(synced["state"], "finished", "{synced}");
    }
    assert_told(&scene.note("now", "now").await);
    let later = scene.note("later", "later").await;
    assert_eq!(later.get("lines"), None, "{later}");
    let published = scene.publish("later").await;
    assert_eq!(published["state"], "finished", "{published}");
    let read = scene.get("/notes/later/later").await;
    assert_eq!((read.status, read.text.as_bytes()), (200, TEXT));
    // Whoever asked has the bytes before the unit has its file.
    let told = async {
        loop {
            let note = scene.note("later", "later").await;
            if note.get("lines").and(note.get("digests")).is_some() {
                return note;
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(30), told).await;
    assert_told(&told.unwrap());
    scene.stop().await;
}

async fn a_file_that_is_none_of_its_type_is_refused_however_it_comes(on: On) {
    let Some(scene) = Scene::start(on).await else {
        return;
    };
    scene.repository("written", json!({})).await;
    let refused = scene.admin("PUT", "/notes/written/cat", b"a\0b").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(
        refused.text.contains("a note is a text"),
        "{}",
        refused.text
    );

    let upstream = Upstream::start().await.unwrap();
    upstream.put("/names", "cat 3\n".to_owned());
    upstream.put("/cat", b"a\0b".to_vec());
    let feed = json!({ "feed": format!("{}/", upstream.url()) });
    scene.mirror("now", feed, json!({})).await;
    let synced = scene.sync("now").await;
    assert_eq!(synced["state"], "error", "{synced}");
    for repo in ["written", "now"] {
        assert_eq!(scene.note(repo, "cat").await, Value::Null);
    }
    scene.stop().await;
}
