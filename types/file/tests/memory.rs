//! The type on a repository in memory: no server, no database.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use pith_content::ContentError;
use pith_content::upload::Upload;
use pith_core::{Document, Sha256, SignedDuration};
use pith_testkit::memory::Repository;
use pith_type_file::{File, IsoDistributor, IsoImporter};
use serde_json::{Value, json};
use tempfile::TempDir;

const MANIFEST: &str = "PULP_MANIFEST";

/// Writes a feed of these files.
fn write(folder: &Path, files: &[(&str, &str)]) {
    let line = |(name, text): &(&str, &str)| {
        std::fs::write(folder.join(name), text).unwrap();
        format!("{name},{},{}\n", Sha256::of(text.as_bytes()), text.len())
    };
    let lines: String = files.iter().map(line).collect();
    std::fs::write(folder.join(MANIFEST), lines).unwrap();
}

fn feed(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

fn names(repository: &Repository) -> Vec<Value> {
    let docs = repository.docs("iso").into_iter();
    docs.map(|doc| doc["name"].clone()).collect()
}

fn upload(name: &str, text: &str) -> Upload {
    let key = json!({
        "name": name,
        "size": text.len(),
        "checksum": Sha256::of(text.as_bytes()),
    });
    Upload {
        type_id: "iso".to_owned(),
        key: serde_json::from_value(key).unwrap(),
        metadata: Document::new(),
    }
}

#[tokio::test]
async fn a_feed_is_mirrored_and_published_as_it_is() {
    let files = [("a", "one"), ("b", "two"), ("c", "three"), ("d", "four")];
    let feed = feed(&files);
    let mut repository = Repository::new(&File, feed.path(), json!({}));
    repository.sync(&IsoImporter).await.unwrap();
    repository.publish(&IsoDistributor).await.unwrap();
    let manifest = std::fs::read_to_string(feed.path().join(MANIFEST)).unwrap();
    let served = String::from_utf8(repository.served(MANIFEST).unwrap()).unwrap();
    assert!(served.lines().eq(manifest.lines()), "{served}");
    for (name, text) in files {
        assert_eq!(repository.served(name).unwrap(), text.as_bytes());
    }
    repository.take_asked();
    repository.sync(&IsoImporter).await.unwrap();
    let asked = repository.take_asked();
    assert_eq!(asked, ["http://feed/PULP_MANIFEST"], "nothing comes twice");
}

#[tokio::test]
async fn what_left_the_feed_goes_if_it_should_and_a_changed_file_takes_the_old_ones_place() {
    for (remove, left) in [(true, vec!["b"]), (false, vec!["a", "b"])] {
        let feed = feed(&[("a", "one"), ("b", "two")]);
        let config = json!({ "remove_missing": remove });
        let mut repository = Repository::new(&File, feed.path(), config);
        repository.sync(&IsoImporter).await.unwrap();
        write(feed.path(), &[("b", "another")]);
        repository.clock.advance(SignedDuration::from_secs(1));
        repository.sync(&IsoImporter).await.unwrap();
        assert_eq!(names(&repository), left);
        repository.publish(&IsoDistributor).await.unwrap();
        assert_eq!(repository.served("b").unwrap(), b"another");
    }
}

#[tokio::test]
async fn a_sync_that_fails_leaves_the_repository_as_it_was() {
    let feed = feed(&[("a", "one")]);
    let mut repository = Repository::new(&File, feed.path(), json!({}));
    repository.sync(&IsoImporter).await.unwrap();
    write(feed.path(), &[("b", "two"), ("c", "three")]);
    std::fs::write(feed.path().join("c"), "damaged").unwrap();
    let failed = repository.sync(&IsoImporter).await;
    assert!(failed.is_err());
    assert_eq!(names(&repository), ["a"]);
}

#[tokio::test]
async fn an_upload_takes_the_place_of_what_had_its_name_and_must_be_what_it_says() {
    let feed = feed(&[("a", "one")]);
    let mut repository = Repository::new(&File, feed.path(), json!({}));
    repository.sync(&IsoImporter).await.unwrap();
    let refused = repository.upload(&IsoImporter, upload("a", "two"), Some(b"owt"));
    assert!(matches!(refused.await, Err(ContentError::Failed { .. })));
    assert_eq!(names(&repository), ["a"]);
    repository.clock.advance(SignedDuration::from_secs(1));
    let taken = repository.upload(&IsoImporter, upload("a", "two"), Some(b"two"));
    taken.await.unwrap();
    let docs = repository.docs("iso");
    assert_eq!(docs.len(), 1);
    assert_eq!(docs[0]["checksum"], json!(Sha256::of(b"two")));
}

#[tokio::test]
async fn a_copy_keeps_keys_and_takes_the_place_of_what_had_its_name() {
    let feed = feed(&[("a", "one"), ("b", "two")]);
    let mut source = Repository::new(&File, feed.path(), json!({}));
    source.sync(&IsoImporter).await.unwrap();
    let destination = source.beside("other", json!({}));
    let older = destination.upload(&IsoImporter, upload("a", "old"), Some(b"old"));
    older.await.unwrap();
    source.clock.advance(SignedDuration::from_secs(1));
    let units = source.ids("iso");
    let copied = destination.copy(&IsoImporter, &source, &units);
    copied.await.unwrap();
    assert_eq!(destination.docs("iso"), source.docs("iso"));
    let removed = destination.remove(&IsoImporter, &units[..1]);
    removed.await.unwrap();
    assert_eq!(names(&destination), ["b"]);
    assert_eq!(names(&source), ["a", "b"]);
}
