//! Other people's programs read the same packages and must see the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use pith_testkit::repos::{Spec, write_repository};
use pith_type_rpm::metadata::describe::{FileFacts, describe};
use pith_type_rpm::metadata::filelists::{self, PathKind};
use pith_type_rpm::metadata::package_file::IdStream;
use pith_type_rpm::metadata::primary::{Package, PrimaryStream};
use pith_type_rpm::metadata::repomd::Repomd;
use pith_type_rpm::metadata::{compression, other, primary};
use serde_json::json;

use crate::again::Zoo;
use crate::fake::Fake;
use crate::publish::synced;

/// Runs createrepo_c; false when it is not installed and this is a laptop.
fn createrepo(folder: &Path) -> bool {
    let run = Command::new("createrepo_c")
        .args(["--quiet", "--no-database", "--general-compress-type=gz"])
        .arg(folder)
        .status();
    match run {
        Ok(status) => {
            assert!(status.success(), "createrepo_c failed");
            true
        }
        Err(error) => {
            assert!(
                std::env::var_os("CI").is_none(),
                "createrepo_c is missing: {error}"
            );
            eprintln!("SKIPPED: createrepo_c is not installed");
            false
        }
    }
}

type Everything = BTreeMap<String, (Package, Vec<String>, Vec<(i64, String, String)>)>;

fn files(snippet: &[u8]) -> Vec<String> {
    let mut files = Vec::new();
    let see = |entry, path: &str| {
        if entry == PathKind::File {
            files.push(path.to_owned());
        }
    };
    filelists::each(snippet, see).unwrap();
    files
}

fn changelog(snippet: &[u8]) -> Vec<(i64, String, String)> {
    let mut changes = Vec::new();
    let see = |date, author: &str, text: &str| {
        changes.push((date, author.to_owned(), text.to_owned()));
    };
    other::each(snippet, see).unwrap();
    changes
}

fn read(folder: &Path) -> Everything {
    let repomd = std::fs::read(folder.join("repodata/repomd.xml")).unwrap();
    let repomd = Repomd::read(repomd.as_slice()).unwrap();
    let open = |kind: &str| {
        let path = folder.join(repomd.get(kind).unwrap().href.as_str());
        compression::open(std::fs::File::open(path).unwrap(), 1 << 30).unwrap()
    };
    let mut all = Everything::new();
    let mut snippet = Vec::new();
    let mut stream = PrimaryStream::open(open("primary")).unwrap();
    while let Some(mut package) = stream.next(&mut snippet).unwrap() {
        // When the file was written is no property of the package.
        package.time = None;
        let id = package.digest.as_ref().unwrap().hex().to_owned();
        all.insert(id, (package, Vec::new(), Vec::new()));
    }
    let mut stream = IdStream::open(open("filelists"), "filelists").unwrap();
    while let Some(id) = stream.next(&mut snippet).unwrap().map(str::to_owned) {
        let mut files = files(&snippet);
        files.sort();
        all.get_mut(&id).unwrap().1 = files;
    }
    let mut stream = IdStream::open(open("other"), "otherdata").unwrap();
    while let Some(id) = stream.next(&mut snippet).unwrap().map(str::to_owned) {
        all.get_mut(&id).unwrap().2 = changelog(&snippet);
    }
    all
}

#[tokio::test]
async fn what_createrepo_c_wrote_comes_out_as_it_went_in() {
    let spec = Spec {
        packages: 20,
        sources: 2,
        ..Spec::default()
    };
    let feed = tempfile::tempdir().unwrap();
    write_repository(feed.path(), &spec).unwrap();
    std::fs::remove_dir_all(feed.path().join("repodata")).unwrap();
    if !createrepo(feed.path()) {
        return;
    }
    let mut repo = Fake::new(feed.path(), json!({"http": true}));
    repo.sync().await.unwrap();
    repo.publish().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    repo.write_out(folder.path());
    let (mut theirs, mut ours) = (read(feed.path()), read(folder.path()));
    for (package, _, _) in theirs.values_mut().chain(ours.values_mut()) {
        // Packages are published in another folder.
        package.href = Some(package.filename().parse().unwrap());
    }
    assert_eq!(ours.len(), 22);
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn an_uploaded_package_is_described_as_createrepo_c_describes_it() {
    let (_feed, repo) = synced(
        &Spec {
            packages: 20,
            sources: 2,
            ..Spec::default()
        },
        json!({"http": true}),
    )
    .await;
    repo.publish().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    repo.write_out(folder.path());
    std::fs::remove_dir_all(folder.path().join("repodata")).unwrap();
    if !createrepo(folder.path()) {
        return;
    }
    let mut expected = read(folder.path());
    for (checksum, (theirs, listed, changes)) in &mut expected {
        let bytes =
            std::fs::read(folder.path().join(theirs.href.as_ref().unwrap().as_str())).unwrap();
        let facts = FileFacts {
            sha256: checksum,
            size: bytes.len() as u64,
            time: 0,
            changelog_limit: 10,
        };
        let own = describe(&mut std::io::Cursor::new(&bytes), facts).unwrap();
        let mut package = primary::package(&own.primary, &mut Vec::new()).unwrap();
        package.time = None;
        theirs.href.clone_from(&package.href);
        assert_eq!(&package, theirs);
        assert_eq!(&files(&own.filelists), listed);
        assert_eq!(&changelog(&own.other), changes);
    }
}

#[tokio::test]
async fn createrepo_c_reads_documents_that_were_partly_taken_over() {
    let mut zoo = Zoo::of(700).await;
    zoo.publish().await;
    let gone = zoo.packages()[300];
    zoo.remove(gone);
    let packages = zoo.packages().len();
    let read = zoo.publish().await;
    assert!(0 < read && read < packages, "{read} of {packages}");
    let folder = tempfile::tempdir().unwrap();
    zoo.repo.write_out(folder.path());
    let merged = tempfile::tempdir().unwrap();
    // It reads all three documents of every repository that it merges.
    let run = Command::new("mergerepo_c")
        .args(["--no-database", "--all", "--repo"])
        .arg(folder.path())
        .arg("--outputdir")
        .arg(merged.path())
        .output();
    let Ok(run) = run else {
        assert!(std::env::var_os("CI").is_none(), "mergerepo_c is missing");
        eprintln!("SKIPPED: mergerepo_c is not installed");
        return;
    };
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    // The packages are copies of six, and it keeps one of a name and version.
    assert_eq!(primaries(merged.path()), 6);
    let reader = rpmrepo_metadata::RepositoryReader::new_from_directory(folder.path()).unwrap();
    assert_eq!(reader.iter_packages().unwrap().count(), packages);
}

/// Returns how many packages the primary.xml of a repository has.
fn primaries(folder: &Path) -> usize {
    let repomd = std::fs::read(folder.join("repodata/repomd.xml")).unwrap();
    let repomd = Repomd::read(repomd.as_slice()).unwrap();
    let path = folder.join(repomd.get("primary").unwrap().href.as_str());
    let mut open = compression::open(std::fs::File::open(path).unwrap(), 1 << 30).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut open, &mut text).unwrap();
    text.matches("<package type=").count()
}

#[tokio::test]
async fn rpmrepo_metadata_reads_what_is_published() {
    let spec = Spec {
        packages: 20,
        ..Spec::default()
    };
    let (_feed, repo) = synced(&spec, json!({"http": true})).await;
    repo.publish().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    repo.write_out(folder.path());
    let reader = rpmrepo_metadata::RepositoryReader::new_from_directory(folder.path()).unwrap();
    let packages: Vec<_> = reader
        .iter_packages()
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let expected = read(folder.path());
    assert_eq!(packages.len(), expected.len());
    for package in packages {
        let (own, files, changes) = &expected[package.pkgid()];
        assert_eq!(package.name(), own.name);
        assert_eq!(Some(package.size_package()), own.size);
        assert_eq!(package.files().len(), files.len());
        assert_eq!(package.changelogs().len(), changes.len());
    }
}
