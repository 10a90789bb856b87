//! Repositories on demand, with the clients that people use and an upstream that is slow, dies and lies.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pith_e2e::feed::Fault;
use pith_e2e::tools::{is_root, missing, run, sample_repo, wait_for};
use pith_e2e::{Dnf, Feed, Pith};
use serde_json::json;

const REPO: &str = "/repositories/sample/";

/// A server with the sample repository on demand, published, and its upstream.
fn on_demand() -> (Pith, Feed) {
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    let importer = json!({"feed": feed.url("/feed/"), "download_policy": "on_demand"});
    api.create_rpm_with("sample", &importer).unwrap();
    api.sync("sample").unwrap();
    api.publish("sample").unwrap();
    (server, feed)
}

/// Paths of the packages of the sample repository, relative to it.
fn packages() -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![sample_repo()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rpm") {
                let below = path.strip_prefix(sample_repo()).unwrap();
                found.push(below.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn locally_stored(server: &Pith) -> u64 {
    let path = format!("{REPO}?details=true");
    let repository = server.api().unwrap().get(&path).unwrap();
    repository["locally_stored_units"].as_u64().unwrap()
}

fn published(server: &Pith, package: &str) -> String {
    let name = Path::new(package).file_name().unwrap().to_str().unwrap();
    let page = server.url("/pulp/repos/sample/");
    let first = name.to_lowercase().chars().next().unwrap();
    format!("{page}Packages/{first}/{name}")
}

fn curl(arguments: &[&str]) -> anyhow::Result<String> {
    run(Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--noproxy", "*"])
        .args(arguments))
}

#[test]
fn dnf_installs_packages_that_were_not_here_from_a_slow_upstream() {
    if missing(&["dnf", "rpm"]) || !is_root() {
        return;
    }
    let (server, feed) = on_demand();
    for package in packages() {
        let slow = Fault::Slow {
            chunk: 700,
            every: Duration::from_millis(20),
        };
        feed.misbehave(&format!("/feed/{package}"), slow);
    }
    let before = locally_stored(&server);
    let dnf = Dnf::new(&server.url("/pulp/repos/sample/")).unwrap();
    dnf.install(&["greet", "tide-table"]).unwrap();
    assert_eq!(dnf.installed().unwrap().len(), 4);
    assert_eq!(locally_stored(&server), before + 4);
    let asked: usize = packages()
        .iter()
        .map(|package| feed.requests_for(&format!("/feed/{package}")))
        .sum();
    assert_eq!(asked, 4, "one request for each package");
}

#[test]
fn curl_sees_a_dying_or_lying_upstream_as_a_failure_and_can_go_on_when_it_is_well() {
    if missing(&["curl"]) {
        return;
    }
    let (server, feed) = on_demand();
    let package = packages().remove(0);
    let (path, url) = (format!("/feed/{package}"), published(&server, &package));
    let bytes = fs::read(sample_repo().join(&package)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("package.rpm");
    let target = target.to_str().unwrap();
    for fault in [
        Fault::WrongBytes,
        Fault::WeakCutAfter(bytes.len() / 2),
        Fault::NoLengthCutAfter(bytes.len() - 1),
        Fault::Status(500),
        Fault::Hangup,
    ] {
        feed.misbehave(&path, fault.clone());
        assert!(curl(&["--output", target, &url]).is_err(), "{fault:?}");
        feed.behave(&path);
    }
    // What a client has of a file that broke off is good for a resumed download.
    fs::write(target, &bytes[..bytes.len() / 3]).unwrap();
    curl(&["--continue-at", "-", "--output", target, &url]).unwrap();
    assert!(fs::read(target).unwrap() == bytes);
    let head = curl(&["--head", &published(&server, &packages()[1])]).unwrap();
    let size = fs::metadata(sample_repo().join(&packages()[1]))
        .unwrap()
        .len();
    assert!(
        head.to_lowercase()
            .contains(&format!("content-length: {size}\r")),
        "{head}"
    );
    // Whoever asks for the head begins to fetch the file, which may not have ended yet.
    wait_for("the scratch files to be gone", || {
        Ok(server.leftovers()?.is_empty().then_some(()))
    })
    .unwrap();
}

#[test]
fn hundreds_of_curls_for_one_file_are_one_request_upstream() {
    if missing(&["curl"]) {
        return;
    }
    let (server, feed) = on_demand();
    let package = packages().remove(2);
    let path = format!("/feed/{package}");
    let slow = Fault::Slow {
        chunk: 500,
        every: Duration::from_millis(50),
    };
    feed.misbehave(&path, slow);
    let url = published(&server, &package);
    let bytes = fs::read(sample_repo().join(&package)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec![
        "--parallel".to_owned(),
        "--parallel-max".to_owned(),
        "200".to_owned(),
    ];
    for number in 0..200 {
        let target = folder.path().join(number.to_string());
        arguments.extend([
            "--output".to_owned(),
            target.display().to_string(),
            url.clone(),
        ]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    curl(&arguments).unwrap();
    for number in 0..200 {
        assert!(fs::read(folder.path().join(number.to_string())).unwrap() == bytes);
    }
    assert_eq!(feed.requests_for(&path), 1);
}

#[test]
fn the_download_action_brings_everything() {
    let (server, _feed) = on_demand();
    let before = locally_stored(&server);
    let api = server.api().unwrap();
    let task = api
        .run(
            &format!("{REPO}actions/download/"),
            &json!({"verify_all_units": true}),
        )
        .unwrap();
    let step = &task["progress_report"]["background_download"][0];
    assert_eq!(step["num_success"], packages().len());
    assert_eq!(locally_stored(&server), before + packages().len() as u64);
}
