//! kill -9 at bad moments. What was published stays published, what was asked for gets done or is reported, and
//! nothing is left to clean by hand.

use std::path::PathBuf;
use std::time::Duration;

use pith_e2e::repodata::sha256;
use pith_e2e::tools::{Scatter, pause, sample_repo, wait_for};
use pith_e2e::{Api, Feed, Pith};
use serde_json::json;

/// The files of generation `number`: same names each time, other bytes.
fn generation(number: usize) -> Vec<(String, Vec<u8>)> {
    (0..40)
        .map(|file| {
            (
                format!("file-{file:02}.bin"),
                format!("generation {number} of file {file}\n")
                    .repeat(200)
                    .into_bytes(),
            )
        })
        .collect()
}

/// The manifest as published, each line checked against the file it names: what a client sees is whole. A publish that
/// is done again may take over between two downloads; then the look is taken again.
pub(crate) fn published(api: &Api, repo: &str) -> Vec<String> {
    let manifest = || {
        api.download(&format!("/pulp/isos/{repo}/PULP_MANIFEST"))
            .unwrap()
    };
    let mut lines = wait_for("a publication that stays for one look", || {
        let before = manifest();
        let lines: Vec<String> = String::from_utf8(before.clone())?
            .lines()
            .map(str::to_owned)
            .collect();
        let mut wrong = Vec::new();
        for line in &lines {
            let mut fields = line.split(',');
            let (name, digest) = (fields.next().unwrap(), fields.next().unwrap());
            let (status, bytes) = api.raw("GET", &format!("/pulp/isos/{repo}/{name}"), None)?;
            if status != 200 || sha256(&bytes) != digest {
                wrong.push(format!("{name}: {status}"));
            }
        }
        if manifest() != before {
            return Ok(None);
        }
        assert_eq!(
            wrong,
            Vec::<String>::new(),
            "not what the manifest beside them says"
        );
        Ok(Some(lines))
    })
    .unwrap();
    lines.sort();
    lines
}

pub(crate) fn manifest(files: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut lines: Vec<String> = files
        .iter()
        .map(|(name, bytes)| format!("{name},{},{}", sha256(bytes), bytes.len()))
        .collect();
    lines.sort();
    lines
}

fn server_with(feed: &Feed, files: &[(String, Vec<u8>)]) -> Pith {
    feed.put_files(files);
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    assert_eq!(published(&api, "files"), manifest(files));
    server
}

/// Waits for tasks that were cut off. Each ran again, or says that it did not: whether all finished.
fn settled(api: &Api, tasks: &[String]) -> bool {
    let tasks = api.wait(tasks).unwrap();
    tasks.iter().all(|task| task["state"] == "finished")
}

fn assert_clean(server: &Pith) {
    // What a crash left is taken away by the next start, though not before it answers.
    let clean = wait_for("temporary files to be gone", || {
        Ok(server.leftovers()?.is_empty().then_some(()))
    });
    assert!(
        clean.is_ok(),
        "left behind: {:?}",
        server.leftovers().unwrap() as Vec<PathBuf>
    );
}

#[test]
fn a_kill_during_sync_leaves_the_publication_and_the_sync_is_done_again_or_reported() {
    let feed = Feed::start().unwrap();
    let (old, new) = (generation(1), generation(2));
    let mut server = server_with(&feed, &old);
    let api = server.api().unwrap();

    feed.put_files(&new);
    let stalled = "/feed/file-20.bin";
    let asked = feed.requests_for(stalled);
    feed.stall_once(stalled, 100);
    let tasks = api
        .spawn("/repositories/files/actions/sync/", &json!({}))
        .unwrap();
    feed.wait_for_requests(stalled, asked + 1).unwrap();
    assert_eq!(published(&api, "files"), manifest(&old));
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_eq!(published(&api, "files"), manifest(&old));

    if !settled(&api, &tasks) {
        assert_eq!(
            api.units("files", "iso").unwrap().len(),
            old.len(),
            "a failed sync changed the repository"
        );
        api.sync("files").unwrap();
    }
    assert_eq!(
        published(&api, "files"),
        manifest(&old),
        "a sync changed what is published"
    );
    api.publish("files").unwrap();
    assert_eq!(published(&api, "files"), manifest(&new));
    assert_clean(&server);
}

#[test]
fn a_kill_during_the_first_sync_of_packages_loses_nothing_but_time() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let mut server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_rpm("sample", &feed.url("/feed/")).unwrap();
    let stalled = "/feed/tree-facts-2.4.1-7.noarch.rpm";
    feed.stall_once(stalled, 1000);
    let tasks = api
        .spawn("/repositories/sample/actions/sync/", &json!({}))
        .unwrap();
    feed.wait_for_requests(stalled, 1).unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();

    if !settled(&api, &tasks) {
        api.sync("sample").unwrap();
    }
    assert_eq!(api.units("sample", "rpm").unwrap().len(), 10);
    api.publish("sample").unwrap();
    assert_clean(&server);
}

#[test]
fn a_kill_during_publish_leaves_the_old_publication_or_the_new_one_whole() {
    let feed = Feed::start().unwrap();
    let mut server = server_with(&feed, &generation(0));
    let api = server.api().unwrap();
    let mut moments = Scatter::new(7);
    for round in 1..=12 {
        let (old, new) = (
            manifest(&generation(round - 1)),
            manifest(&generation(round)),
        );
        feed.put_files(&generation(round));
        api.sync("files").unwrap();
        let tasks = api.start_publish("files").unwrap();
        // From at once to well after: a publish of this size takes some milliseconds.
        pause(Duration::from_micros(moments.below(40_000)));
        server.kill().unwrap();
        server.start_again().unwrap();

        let seen = published(&api, "files");
        assert!(
            seen == old || seen == new,
            "round {round}: neither the old publication nor the new one: {seen:?}"
        );
        if !settled(&api, &tasks) {
            api.publish("files").unwrap();
        }
        assert_eq!(published(&api, "files"), new, "round {round}");
    }
    assert_clean(&server);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut server = Pith::start().unwrap();
    let api = server.api().unwrap();
    for number in 0..5 {
        let id = format!("repository-{number}");
        api.call("POST", "/repositories/", Some(&json!({"id": id})))
            .unwrap()
            .expect(201)
            .unwrap();
        server.kill().unwrap();
        server.start_again().unwrap();
        assert_eq!(
            api.get(&format!("/repositories/{id}/")).unwrap()["id"],
            id.as_str()
        );
    }
}
