//! The main command: one line from nothing to a repository that clients use.

use std::ffi::OsString;

use pith_e2e::server::section;
use pith_e2e::tools::{is_root, missing, sample_files, sample_repo};
use pith_e2e::{Dnf, Feed, Mirror, Pith};

use crate::dnf::SAMPLE;

#[test]
fn what_mirror_prints_is_a_working_dnf_configuration() {
    if missing(&["dnf"]) {
        return;
    }
    let feed = Feed::of(&sample_repo()).unwrap();
    let mirror = Mirror::start(&feed.url("/feed/")).unwrap();
    let dnf = Dnf::with_configuration(&section(mirror.printed()).unwrap()).unwrap();
    assert_eq!(dnf.packages().unwrap(), SAMPLE);
    if is_root() {
        dnf.install(&["greet"]).unwrap();
        assert_eq!(
            dnf.installed().unwrap(),
            ["greet-1.2-1", "greet-messages-1.0-3"]
        );
    }
}

#[test]
fn mirror_takes_a_plain_path() {
    let mirror = Mirror::start(sample_repo().to_str().unwrap()).unwrap();
    let printed = section(mirror.printed()).unwrap();
    assert!(printed.contains("/pulp/repos/"), "{printed}");
}

#[test]
fn mirror_with_exit_leaves_a_folder_that_serve_goes_on_with() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let (printed, folder) = Mirror::once(&feed.url("/feed/")).unwrap();
    let printed = section(&printed).unwrap();
    let url = printed
        .lines()
        .find_map(|line| line.strip_prefix("baseurl="))
        .unwrap();
    let path = &url[url.find("/pulp/repos/").unwrap()..];

    let server = Pith::start_in(folder, &[] as &[OsString]).unwrap();
    let api = server.api().unwrap();
    let repomd = api.download(&format!("{path}repodata/repomd.xml")).unwrap();
    assert!(String::from_utf8(repomd).unwrap().contains("primary"));
    assert_eq!(
        server.leftovers().unwrap(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[test]
fn mirror_knows_a_file_repository_by_its_manifest() {
    let (_, folder) = Mirror::once(sample_files().to_str().unwrap()).unwrap();
    let server = Pith::start_in(folder, &[] as &[OsString]).unwrap();
    let api = server.api().unwrap();
    let repositories = api.get("/repositories/").unwrap();
    let id = repositories[0]["id"].as_str().unwrap();
    let manifest = api
        .download(&format!("/pulp/isos/{id}/PULP_MANIFEST"))
        .unwrap();
    assert_eq!(String::from_utf8(manifest).unwrap().lines().count(), 3);
}

#[test]
fn mirror_of_nothing_fails_and_says_what_is_not_there() {
    let feed = Feed::start().unwrap();
    let error = Mirror::once(&feed.url("/feed/")).unwrap_err().to_string();
    assert!(
        error.contains("404") || error.contains("not found"),
        "{error}"
    );
    assert!(error.contains(&feed.url("/feed/")), "{error}");
}
