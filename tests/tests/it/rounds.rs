//! kill -9 at random moments, again and again, while a sync, a publish, an upload, a copy and a deletion run: what was
//! acknowledged is there, what is served is old or new, and every task ends. `PITH_KILL_ROUNDS` says how often.

use std::collections::BTreeSet;
use std::time::Duration;

use pith_e2e::repodata::sha256;
use pith_e2e::tools::{Scatter, pause};
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres;
use serde_json::{Value, json};

use crate::crash::{manifest, published};
use crate::scale_out::Store;

/// Rounds when nobody asks for more.
const ROUNDS: usize = 6;
/// Files of a generation.
const FILES: usize = 30;
/// The latest moment of a kill, in microseconds: after that all is done.
const LATEST: u64 = 900_000;

/// Promises to clients, which they must find kept.
#[derive(Default)]
struct Acknowledged {
    repositories: BTreeSet<String>,
    uploads: BTreeSet<String>,
    /// Syncs and publishes that were taken.
    syncs: usize,
    publishes: usize,
}

struct Rounds {
    server: Pith,
    feed: Feed,
    told: Acknowledged,
}

/// The files of generation `number`: same names, other bytes.
fn generation(number: usize) -> Vec<(String, Vec<u8>)> {
    let file = |file| {
        let text = format!("generation {number} of file {file}\n");
        (format!("file-{file:02}.bin"), text.repeat(100).into_bytes())
    };
    (0..FILES).map(file).collect()
}

impl Rounds {
    fn start(options: &[&str]) -> Self {
        let feed = Feed::start().unwrap();
        feed.put_files(&generation(0));
        let server = Pith::start_with(options).unwrap();
        let api = server.api().unwrap();
        api.create_files("files", &feed.url("/feed/")).unwrap();
        for id in ["copy", "box"] {
            api.create_files(id, "").unwrap();
        }
        let auto = json!({"distributor_config": {}, "delta": {"auto_publish": true}});
        let path = "/repositories/files/distributors/iso_distributor/";
        let changed = api.call("PUT", path, Some(&auto)).unwrap();
        let changed = changed.expect(202).unwrap();
        let task = changed["spawned_tasks"][0]["task_id"].as_str().unwrap();
        api.wait(&[task.to_owned()]).unwrap();
        api.sync("files").unwrap();
        let told = Acknowledged {
            repositories: ["files", "copy", "box"].map(str::to_owned).into(),
            syncs: 1,
            publishes: 1,
            ..Acknowledged::default()
        };
        Self { server, feed, told }
    }

    /// Starts one task of each kind, kills the server after `moment`, starts it again and looks.
    fn round(&mut self, number: usize, moment: Duration) {
        let api = self.server.api().unwrap();
        let (old, new) = (generation(number - 1), generation(number));
        self.feed.put_files(&new);
        let mut tasks = vec![self.upload(&api, number)];
        let doomed = format!("doomed-{number}");
        let kept = format!("kept-{number}");
        for id in [&doomed, &kept] {
            api.create_files(id, "").unwrap();
        }
        self.told.repositories.insert(kept);
        let mut spawn = |path: &str, body: &Value| tasks.extend(api.spawn(path, body).unwrap());
        spawn("/repositories/files/actions/sync/", &json!({}));
        spawn(
            "/repositories/copy/actions/associate/",
            &json!({"source_repo_id": "files"}),
        );
        spawn(
            "/repositories/files/actions/publish/",
            &json!({"id": "iso_distributor", "override_config": {"force_full": true}}),
        );
        self.told.syncs += 1;
        // One of its own, and one that follows from the sync.
        self.told.publishes += 2;
        let gone = api.call("DELETE", &format!("/repositories/{doomed}/"), None);
        let gone = gone.unwrap().expect(202).unwrap();
        let task = gone["spawned_tasks"][0]["task_id"].as_str().unwrap();
        tasks.push(task.to_owned());
        pause(moment);
        self.server.kill().unwrap();
        self.server.start_again().unwrap();

        let seen = published(&api, "files");
        assert!(
            seen == manifest(&old) || seen == manifest(&new),
            "round {number}: neither the old publication nor the new one: {seen:?}"
        );
        for task in api.wait(&tasks).unwrap() {
            assert_eq!(task["state"], "finished", "round {number}: {task:#}");
        }
        assert_eq!(published(&api, "files"), manifest(&new), "round {number}");
        self.look(&api, number, &new, &doomed);
    }

    /// An upload that the server has, and the task that imports it.
    fn upload(&mut self, api: &Api, number: usize) -> String {
        let (name, bytes) = (format!("upload-{number}.bin"), number.to_string());
        let upload = api.call("POST", "/content/uploads/", Some(&json!({})));
        let upload = upload.unwrap().expect(201).unwrap();
        let id = upload["upload_id"].as_str().unwrap();
        let written = api.put(&format!("/content/uploads/{id}/0/"), bytes.as_bytes());
        written.unwrap().expect(200).unwrap();
        let body = json!({
            "upload_id": id,
            "unit_type_id": "iso",
            "unit_key": {"name": name, "size": bytes.len(), "checksum": sha256(bytes.as_bytes())},
            "unit_metadata": {},
        });
        self.told.uploads.insert(name);
        let tasks = api.spawn("/repositories/box/actions/import_upload/", &body);
        tasks.unwrap().remove(0)
    }

    /// Looks for all that clients were told.
    fn look(&self, api: &Api, number: usize, new: &[(String, Vec<u8>)], doomed: &str) {
        let names = |repo: &str| -> Vec<(String, String)> {
            let units = api.units(repo, "iso").unwrap();
            let text = |unit: &Value, key: &str| unit["metadata"][key].as_str().unwrap().to_owned();
            let unit = |unit: &Value| (text(unit, "name"), text(unit, "checksum"));
            units.iter().map(unit).collect()
        };
        let mut files = names("files");
        files.sort();
        let wanted = |(name, bytes): &(String, Vec<u8>)| (name.clone(), sha256(bytes));
        let wanted: Vec<_> = new.iter().map(wanted).collect();
        assert_eq!(files, wanted, "round {number}");
        let copied: BTreeSet<_> = names("copy").into_iter().collect();
        let missing: Vec<_> = wanted
            .iter()
            .filter(|file| !copied.contains(*file))
            .collect();
        assert!(missing.is_empty(), "round {number}: {missing:?}");
        let uploads: BTreeSet<String> = names("box").into_iter().map(|(name, _)| name).collect();
        assert_eq!(uploads, self.told.uploads, "round {number}");
        let all = api.get("/repositories/").unwrap();
        let all: BTreeSet<String> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|repository| repository["id"].as_str().unwrap().to_owned())
            .collect();
        assert!(!all.contains(doomed), "round {number}");
        assert_eq!(all, self.told.repositories, "round {number}");
        let count = |history: &str| {
            let path = format!("/repositories/files/history/{history}/?limit=100000");
            api.get(&path).unwrap().as_array().unwrap().len()
        };
        let entries = (count("sync"), count("publish/iso_distributor"));
        let told = (self.told.syncs, self.told.publishes);
        assert_eq!(entries, told, "round {number}: syncs and publishes");
    }
}

fn rounds(options: &[&str], seed: u64) {
    let count = std::env::var("PITH_KILL_ROUNDS").ok();
    let count = count.map_or(ROUNDS, |count| count.parse().unwrap());
    let mut all = Rounds::start(options);
    let mut moments = Scatter::new(seed);
    for number in 1..=count {
        all.round(number, Duration::from_micros(moments.below(LATEST)));
    }
    println!("{count} rounds: lost 0, mixed 0, stuck 0");
}

#[test]
fn nothing_is_lost_mixed_or_stuck_whenever_a_server_on_sqlite_is_killed() {
    rounds(&[], 11);
}

#[test]
fn nothing_is_lost_mixed_or_stuck_whenever_a_server_on_postgres_is_killed() {
    let Some(database) = postgres::database() else {
        return;
    };
    rounds(&["--database", &database.url, "--lost-after", "2"], 12);
}

#[test]
fn nothing_is_lost_mixed_or_stuck_whenever_a_server_on_postgres_and_s3_is_killed() {
    let Some(database) = postgres::database() else {
        return;
    };
    let store = Store::start();
    let options = ["--database", &database.url, "--storage", &store.url];
    let options: Vec<&str> = options.into_iter().chain(["--lost-after", "2"]).collect();
    rounds(&options, 13);
}
