//! The type on a repository in memory: no server, no database.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use pith_content::ContentError;
use pith_content::upload::Upload;
use pith_core::{Document, Sha256};
use pith_testkit::memory::Repository;
use pith_testkit::python::{sdist, wheel, wheel_name, zip};
use pith_type_python::{PACKAGE, Python, PythonDistributor, PythonImporter};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Writes files of a project, and its page as the JSON API has it.
fn write(folder: &Path, project: &str, files: &[(&str, &str, Vec<u8>)]) {
    let mut releases = json!({});
    for (version, name, bytes) in files {
        let below = folder.join("files");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join(name), bytes).unwrap();
        let kind = if name.ends_with(".whl") {
            "bdist_wheel"
        } else {
            "sdist"
        };
        let file = json!({
            "filename": name, "packagetype": kind, "url": format!("http://feed/files/{name}"),
            "digests": {"sha256": Sha256::of(bytes)}, "size": bytes.len(), "requires_python": ">=3.6",
        });
        let list = releases
            .as_object_mut()
            .unwrap()
            .entry(*version)
            .or_insert(json!([]));
        list.as_array_mut().unwrap().push(file);
    }
    let page =
        json!({"info": {"name": project, "author": null, "summary": "s"}, "releases": releases});
    let place = folder.join("pypi").join(project);
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("json"), page.to_string()).unwrap();
}

fn feed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("1.0", "a-1.0.tar.gz", sdist("a", "1.0", "x").unwrap()),
        ("1.0", "a-1.0-py3-none-any.whl", wheel("a", "1.0", "x")),
        (
            "2.0rc1",
            "a-2.0rc1-py3-none-any.whl",
            wheel("a", "2.0rc1", "x"),
        ),
    ];
    write(folder.path(), "a", &files);
    write(
        folder.path(),
        "B.c",
        &[("3", "B.c-3.tar.gz", sdist("B.c", "3", "x").unwrap())],
    );
    folder
}

fn names(repository: &Repository) -> Vec<String> {
    let docs = repository.docs("python_package").into_iter();
    let mut names: Vec<String> = docs
        .map(|doc| doc["filename"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

async fn synced(feed: &TempDir, settings: Value) -> Repository {
    let mut repository = Repository::new(&Python, feed.path(), settings);
    repository.sync(&PythonImporter).await.unwrap();
    repository
}

fn text(repository: &Repository, path: &str) -> String {
    let bytes = repository.served(path);
    String::from_utf8(bytes.unwrap_or_else(|| panic!("{path} is not served"))).unwrap()
}

#[tokio::test]
async fn projects_are_mirrored_described_and_published() {
    let repository = synced(&feed(), json!({"package_names": "a, B.c"})).await;
    assert_eq!(
        names(&repository),
        [
            "B.c-3.tar.gz",
            "a-1.0-py3-none-any.whl",
            "a-1.0.tar.gz",
            "a-2.0rc1-py3-none-any.whl"
        ]
    );
    let docs = repository.docs("python_package");
    let doc = docs
        .iter()
        .find(|doc| doc["filename"] == "a-1.0.tar.gz")
        .unwrap();
    assert_eq!(
        (&doc["packagetype"], &doc["version"]),
        (&json!("sdist"), &json!("1.0"))
    );
    assert_eq!(doc["author"], "the makers of a", "read from the file");
    assert_eq!(doc["_checksum_type"], "sha512");
    assert_eq!(doc["path"], "http://feed/files/a-1.0.tar.gz");
    repository.publish(&PythonDistributor).await.unwrap();
    let root = text(&repository, "simple/index.html");
    assert!(root.contains("<a href=\"b-c/\">b-c</a>"), "{root}");
    let page = text(&repository, "simple/b-c/index.html");
    let link = "<a href=\"../../packages/source/B/B.c/B.c-3.tar.gz#sha256=";
    assert!(
        page.contains(link) && page.contains("data-requires-python=\"&gt;=3.6\""),
        "{page}"
    );
    let page: Value = serde_json::from_str(&text(&repository, "pypi/a/json/index.json")).unwrap();
    assert_eq!(page["info"]["name"], "a");
    assert_eq!(page["releases"]["2.0rc1"][0]["checksum_type"], "sha512");
    assert_eq!(page["releases"]["1.0"].as_array().unwrap().len(), 2);
    let path = page["releases"]["1.0"][1]["path"].as_str().unwrap();
    assert_eq!(
        repository.served(&format!("packages/{path}")).unwrap(),
        sdist("a", "1.0", "x").unwrap()
    );
}

#[tokio::test]
async fn versions_kinds_and_prereleases_are_chosen() {
    let feed = feed();
    for (settings, left) in [
        (
            json!({"package_names": ["a<2.0.dev0", "B.c>3"]}),
            vec!["a-1.0-py3-none-any.whl", "a-1.0.tar.gz"],
        ),
        (
            json!({"package_names": "a,B.c", "package_types": ["sdist"]}),
            vec!["B.c-3.tar.gz", "a-1.0.tar.gz"],
        ),
        (
            json!({"package_names": "a", "prereleases": false}),
            vec!["a-1.0-py3-none-any.whl", "a-1.0.tar.gz"],
        ),
    ] {
        let found = names(&synced(&feed, settings.clone()).await);
        assert_eq!(found, left, "{settings}");
    }
}

#[tokio::test]
async fn what_left_the_feed_goes_if_it_should_and_changed_files_are_taken() {
    for (remove, left) in [
        (true, vec!["a-1.0.tar.gz"]),
        (
            false,
            vec![
                "B.c-3.tar.gz",
                "a-1.0-py3-none-any.whl",
                "a-1.0.tar.gz",
                "a-2.0rc1-py3-none-any.whl",
            ],
        ),
    ] {
        let feed = feed();
        let mut repository = synced(
            &feed,
            json!({"package_names": "a,B.c", "remove_missing": remove}),
        )
        .await;
        write(
            feed.path(),
            "a",
            &[("1.0", "a-1.0.tar.gz", sdist("a", "1.0", "other").unwrap())],
        );
        write(feed.path(), "B.c", &[]);
        repository.sync(&PythonImporter).await.unwrap();
        assert_eq!(names(&repository), left);
        repository.publish(&PythonDistributor).await.unwrap();
        let served = repository
            .served("packages/source/a/a/a-1.0.tar.gz")
            .unwrap();
        assert_eq!(served, sdist("a", "1.0", "other").unwrap());
    }
}

#[tokio::test]
async fn what_cannot_be_had_fails_the_sync_unless_told_to_go_on() {
    let feed = feed();
    std::fs::write(feed.path().join("files/a-1.0.tar.gz"), "damaged").unwrap();
    let names_of = "a,missing,B.c";
    let mut repository = Repository::new(&Python, feed.path(), json!({"package_names": names_of}));
    let failed = repository
        .sync(&PythonImporter)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        failed.contains("a-1.0.tar.gz") && failed.contains("missing"),
        "{failed}"
    );
    assert_eq!(names(&repository).len(), 0);
    let settings = json!({"package_names": names_of, "on_download_failure": "continue", "remove_missing": true});
    let mut repository = Repository::new(&Python, feed.path(), settings);
    let report = repository.sync(&PythonImporter).await.unwrap();
    assert_eq!(report.summary["sync_step_download_metadata"], "FAILED");
    assert_eq!(report.details[0]["error_details"][0]["name"], "missing");
    assert_eq!(names(&repository).len(), 3);
}

#[tokio::test]
async fn a_sync_needs_a_feed_and_names() {
    let feed = feed();
    let mut repository = Repository::new(&Python, feed.path(), json!({}));
    let failed = repository.sync(&PythonImporter).await.unwrap_err();
    let ContentError::Coded(detail) = failed else {
        panic!("{failed}")
    };
    assert_eq!(detail.code, "PLP0016");
    assert_eq!(detail.description, "Missing values for: ['package_names']");
}

fn upload(name: &str) -> Upload {
    Upload {
        type_id: PACKAGE.id.to_owned(),
        key: Document::from_iter([("filename".to_owned(), json!(name))]),
        metadata: Document::new(),
    }
}

#[tokio::test]
async fn uploads_are_what_their_metadata_says_and_never_change() {
    let feed = feed();
    let repository = Repository::new(&Python, feed.path(), json!({}));
    let name = wheel_name("up", "1.0");
    let bytes = wheel("up", "1.0", "x");
    for _ in 0..2 {
        repository
            .upload(&PythonImporter, upload(&name), Some(&bytes))
            .await
            .unwrap();
    }
    let docs = repository.docs("python_package");
    assert_eq!(
        (docs.len(), &docs[0]["summary"]),
        (1, &json!("up in one line"))
    );
    let other = wheel("up", "1.0", "other");
    let refused = repository
        .upload(&PythonImporter, upload(&name), Some(&other))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("another file of the name"),
        "{refused}"
    );
    let no_metadata = zip(&[("up.py".to_owned(), String::new())]);
    for (name, bytes, words) in [
        ("../up-1.0.zip", &bytes, "not a name"),
        (
            "up-1.0.tar.xz",
            &bytes,
            "Unknown distribution format: 'up-1.0.tar.xz'",
        ),
        ("else-1.0-py3-none-any.whl", &bytes, "called otherwise"),
        ("up-1.0-py3-none-any.whl", &no_metadata, "has no METADATA"),
        ("up-1.0-py3-none-any.whl", &bytes[..40].to_vec(), "damaged"),
        (
            "up-1.0-py3-none-any.whl",
            &b"text".to_vec(),
            "no wheel, egg or source archive",
        ),
    ] {
        let refused = repository
            .upload(&PythonImporter, upload(name), Some(bytes))
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(words), "{name}: {refused}");
    }
    let source = sdist("up", "2.0", "x").unwrap();
    repository
        .upload(&PythonImporter, upload("up-2.0.tar.gz"), Some(&source))
        .await
        .unwrap();
    assert_eq!(names(&repository).len(), 2);
}
