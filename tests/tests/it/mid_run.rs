//! Clients in mid-run: what a publication served can be had at its own path for a while after the next one came.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pith_e2e::repodata::{Repodata, sha256};
use pith_e2e::tools::{is_root, missing, rounds, wait_for};
use pith_e2e::{Api, Dnf, Feed, Pith};
use pith_testkit::postgres;
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};

use crate::dnf::mirrored;

/// Publications that a reader lets pass between the metadata and what they name: their documents are gone by then.
const LATE: usize = 3;

/// A repository `all`, and `live`, which has one half of it or the other.
struct Flipping {
    api: Api,
    halves: [Vec<Value>; 2],
    flips: AtomicUsize,
}

impl Flipping {
    fn new(api: Api, feed: &Feed) -> Self {
        api.create_rpm("all", &feed.url("/feed/")).unwrap();
        api.sync("all").unwrap();
        let live = json!({
            "id": "live",
            "importer_type_id": "yum_importer",
            "distributors": [{
                "distributor_id": "yum_distributor",
                "distributor_type_id": "yum_distributor",
                "distributor_config": {
                    "http": true,
                    "https": false,
                    "relative_url": "live",
                    "remove_old_repodata_threshold": 0,
                },
            }],
        });
        let created = api.call("POST", "/repositories/", Some(&live)).unwrap();
        created.expect(201).unwrap();
        let mut halves = [Vec::new(), Vec::new()];
        for (number, unit) in api.units("all", "rpm").unwrap().into_iter().enumerate() {
            halves[number % 2].push(unit["metadata"]["name"].clone());
        }
        let this = Self {
            api,
            halves,
            flips: AtomicUsize::new(0),
        };
        this.flip();
        this
    }

    fn flip(&self) {
        let half = &self.halves[self.flips.load(Ordering::SeqCst) % 2];
        let copy = json!({
            "source_repo_id": "all",
            "criteria": {"type_ids": ["rpm"], "filters": {"unit": {"name": {"$in": half}}}},
        });
        let call = |action: &str, body: &Value| {
            let path = format!("/repositories/live/actions/{action}/");
            self.api.run(&path, body).unwrap();
        };
        call("unassociate", &json!({"criteria": {}}));
        call("associate", &copy);
        self.api.publish("live").unwrap();
        self.flips.fetch_add(1, Ordering::SeqCst);
    }

    /// Reads the metadata, and what it names some publications later; answers how many files that were.
    fn read(&self, reader: &Api, ended: &AtomicBool) -> anyhow::Result<usize> {
        let get = |path: &str| reader.download(&format!("/pulp/repos/live/{path}"));
        let wait = || {
            let until = self.flips.load(Ordering::SeqCst) + LATE;
            wait_for("the next publications", || {
                let done = ended.load(Ordering::SeqCst);
                Ok((done || self.flips.load(Ordering::SeqCst) >= until).then_some(()))
            })
        };
        let mut files = 0;
        let repodata = Repodata::read(|path| {
            let bytes = get(path)?;
            files += 1;
            if path == "repodata/repomd.xml" {
                wait()?;
            }
            Ok(bytes)
        })?;
        wait()?;
        for (id, path) in repodata.locations()? {
            anyhow::ensure!(sha256(&get(&path)?) == id, "{path} is another file");
            files += 1;
        }
        Ok(files)
    }
}

/// Flips what `writer` publishes while others read it through `reader`.
fn readers_lose_nothing(writer: &Pith, reader: &Pith) {
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::of(20)).unwrap();
    let feed = Feed::of(folder.path()).unwrap();
    let flipping = Flipping::new(writer.api().unwrap(), &feed);
    let ended = AtomicBool::new(false);
    let flips = rounds(8);
    let read = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let client = Api::new(reader.address(), None);
                    let (mut files, mut wrong) = (0, Vec::new());
                    while !ended.load(Ordering::SeqCst) {
                        match flipping.read(&client, &ended) {
                            Ok(more) => files += more,
                            Err(error) => wrong.push(format!("{error:#}")),
                        }
                    }
                    (files, wrong)
                })
            })
            .collect();
        let wrote = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..flips {
                flipping.flip();
            }
        }));
        ended.store(true, Ordering::SeqCst);
        let read: Vec<_> = readers.into_iter().map(|one| one.join().unwrap()).collect();
        wrote.unwrap();
        read
    });
    let files: usize = read.iter().map(|(files, _)| files).sum();
    let wrong: Vec<&String> = read.iter().flat_map(|(_, wrong)| wrong).collect();
    println!("{flips} flips, {files} files read, {} wrong", wrong.len());
    assert_eq!(wrong, Vec::<&String>::new());
    assert!(files > 0);
}

#[test]
fn readers_with_old_metadata_lose_nothing_over_many_publications() {
    let server = Pith::start().unwrap();
    readers_lose_nothing(&server, &server);
}

#[test]
fn readers_of_another_process_lose_nothing_over_many_publications() {
    let Some(database) = postgres::database() else {
        return;
    };
    let storage = tempfile::tempdir().unwrap();
    let storage = format!("file://{}", storage.path().display());
    let options = ["--database", &database.url, "--storage", &storage];
    let writer = Pith::start_with(&options).unwrap();
    let reader = Pith::start_with(&options).unwrap();
    readers_lose_nothing(&writer, &reader);
}

/// Removes a package and publishes.
fn leave_out(api: &Api, name: &str) {
    let criteria = json!({"type_ids": ["rpm"], "filters": {"unit": {"name": name}}});
    let path = "/repositories/sample/actions/unassociate/";
    api.run(path, &json!({ "criteria": criteria })).unwrap();
    api.publish("sample").unwrap();
}

#[test]
fn dnf_with_an_old_cache_installs_what_the_newest_publication_leaves_out() {
    if missing(&["dnf", "rpm"]) {
        return;
    }
    if !is_root() {
        eprintln!("SKIPPED: installing into another root folder needs root");
        return;
    }
    let (server, _feed) = mirrored();
    let url = server.url("/pulp/repos/sample/");
    let old = Dnf::new(&url).unwrap();
    old.makecache().unwrap();
    leave_out(&server.api().unwrap(), "moon-phases");
    let new = Dnf::new(&url).unwrap();
    assert!(!new.packages().unwrap().concat().contains("moon-phases"));
    old.install(&["moon-phases"]).unwrap();
    assert_eq!(old.installed().unwrap(), ["moon-phases-2026-1"]);
}

/// Where a package of the sample repository is published.
fn path_of(api: &Api, name: &str) -> String {
    let get = |path: &str| api.download(&format!("/pulp/repos/sample/{path}"));
    let locations = Repodata::read(get).unwrap().locations().unwrap();
    let path = locations.values().find(|path| path.contains(name)).unwrap();
    format!("/pulp/repos/sample/{path}")
}

fn status(api: &Api, path: &str) -> u16 {
    api.raw("GET", path, None).unwrap().0
}

#[test]
fn what_was_deleted_by_name_is_not_served_by_grace() {
    let (server, _feed) = mirrored();
    let api = server.api().unwrap();
    let paths = ["moon-phases", "tea-timer", "word-list"].map(|name| path_of(&api, name));
    let orphan = |name: &str| {
        let orphans = api.get("/content/orphans/rpm/").unwrap();
        let orphans = orphans.as_array().unwrap().clone();
        let found = orphans.into_iter().find(|orphan| orphan["name"] == name);
        let id = found.unwrap()["_id"].as_str().unwrap().to_owned();
        let call = api.call("DELETE", &format!("/content/orphans/rpm/{id}/"), None);
        let report = call.unwrap().expect(202).unwrap();
        let task = report["spawned_tasks"][0]["task_id"].as_str().unwrap();
        api.wait(&[task.to_owned()]).unwrap();
    };
    leave_out(&api, "moon-phases");
    assert_eq!(status(&api, &paths[0]), 200);
    orphan("moon-phases");
    assert_eq!(status(&api, &paths[0]), 404);
    // Deleted before the publish that leaves it out.
    let criteria = json!({"type_ids": ["rpm"], "filters": {"unit": {"name": "tea-timer"}}});
    let unassociate = "/repositories/sample/actions/unassociate/";
    api.run(unassociate, &json!({ "criteria": criteria }))
        .unwrap();
    orphan("tea-timer");
    api.publish("sample").unwrap();
    assert_eq!(status(&api, &paths[1]), 404);
    // Whoever clears away all orphans does not know what clients are in the middle of.
    leave_out(&api, "word-list");
    let call = api.call("DELETE", "/content/orphans/", None).unwrap();
    let report = call.expect(202).unwrap();
    let task = report["spawned_tasks"][0]["task_id"].as_str().unwrap();
    api.wait(&[task.to_owned()]).unwrap();
    assert_eq!(status(&api, &paths[2]), 200);
}

#[test]
fn grace_ends_with_the_path_with_the_repository_and_where_it_is_switched_off() {
    let (server, feed) = mirrored();
    let api = server.api().unwrap();
    let path = path_of(&api, "moon-phases");
    leave_out(&api, "moon-phases");
    assert_eq!(status(&api, &path), 200);
    let listing = api.download("/pulp/repos/sample/Packages/m/");
    assert!(!listing.is_ok_and(|page| String::from_utf8_lossy(&page).contains("moon-phases")));
    // At another path it was never served, and the old path is somebody else's to take.
    let moved = json!({"distributor_config": {"relative_url": "moved"}});
    let distributor = "/repositories/sample/distributors/yum_distributor/";
    let call = api.call("PUT", distributor, Some(&moved)).unwrap();
    let task = call.expect(202).unwrap()["spawned_tasks"][0]["task_id"].clone();
    api.wait(&[task.as_str().unwrap().to_owned()]).unwrap();
    api.publish("sample").unwrap();
    assert_eq!(status(&api, &path), 404);
    let moved_path = path.replace("/sample/", "/moved/");
    assert_eq!(status(&api, &moved_path), 404);
    let other = moved_path.replace(
        Path::new(&path).file_name().unwrap().to_str().unwrap(),
        "none",
    );
    assert_eq!(status(&api, &other), 404);

    let server = Pith::start_with(&["--publication-grace", "0"]).unwrap();
    let api = server.api().unwrap();
    api.create_rpm("sample", &feed.url("/feed/")).unwrap();
    api.sync("sample").unwrap();
    api.publish("sample").unwrap();
    let path = path_of(&api, "moon-phases");
    leave_out(&api, "moon-phases");
    assert_eq!(status(&api, &path), 404);
}
