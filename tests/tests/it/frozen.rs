//! A process that is stopped in the middle of a task, long enough for another one to take the task over, and then goes on:
//! the task counts once, and what the repository has is what the second one made.

use std::fmt::Write as _;

use pith_e2e::repodata::sha256;
use pith_e2e::tools::wait_for;
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres::{self, Database, Locked};
use pith_testkit::upstream::Fault;
use serde_json::{Value, json};

use crate::scale_out::Store;

/// Files of a repository.
const FILES: usize = 60;
/// The log line of a worker that was too late.
const LATE: &str = "the worker was late and has changed nothing";

/// Two processes on one database and one storage.
struct Pair {
    servers: [Pith; 2],
    database: Database,
    feed: Feed,
    /// Each file has the bytes of this generation.
    generation: usize,
    _storage: (Option<Store>, tempfile::TempDir),
}

/// A repository and a task, as seen from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    task: Value,
    repository: Value,
    history: Vec<Value>,
    units: Vec<String>,
    published: Vec<u8>,
}

impl Pair {
    fn start(on_s3: bool) -> Option<Self> {
        let database = postgres::database()?;
        let folder = tempfile::tempdir().unwrap();
        let store = on_s3.then(Store::start);
        let storage = match &store {
            Some(store) => store.url.clone(),
            None => format!("file://{}", folder.path().display()),
        };
        let options = [
            "--database",
            &database.url,
            "--storage",
            &storage,
            "--lost-after",
            "2",
            "--workers",
            "1",
        ];
        let servers = [(); 2].map(|()| Pith::start_with(&options).unwrap());
        Some(Self {
            servers,
            database,
            feed: Feed::start().unwrap(),
            generation: 0,
            _storage: (store, folder),
        })
    }

    fn api(&self, number: usize) -> Api {
        let password = self.servers[0].password().unwrap();
        Api::new(self.servers[number].address(), Some(&password))
    }

    /// The files of the next generation: same names, other bytes.
    fn next_files(&mut self) {
        self.generation += 1;
        self.feed.put_files(&self.files());
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let file = |number| {
            let text = format!("{number} of generation {}\n", self.generation);
            (format!("{number:03}.bin"), text.repeat(300).into_bytes())
        };
        (0..FILES).map(file).collect()
    }

    /// Which process runs the task.
    fn runner(&self, task: &str) -> usize {
        let name = wait_for("a worker to take the task", || {
            let task = self.api(0).get(&format!("/tasks/{task}/"))?;
            Ok(task["worker_name"].as_str().map(str::to_owned))
        });
        let name = name.unwrap();
        let runs = |server: &Pith| name.contains(&format!("-{}@", server.pid()));
        self.servers.iter().position(runs).unwrap()
    }

    /// Freezes the process that runs the task, lets `go` take away what held it, waits until the other one has ended the
    /// task, and thaws the first. What was seen before and after that is the same; that is what is returned.
    fn freeze(&self, repo: &str, task: &str, go: impl FnOnce()) -> Seen {
        let frozen = self.runner(task);
        let api = self.api(1 - frozen);
        let late = |server: &Pith| server.log().unwrap().matches(LATE).count();
        let before = late(&self.servers[frozen]);
        self.servers[frozen].freeze().unwrap();
        go();
        let ended = api.wait(&[task.to_owned()]).unwrap();
        let seen = self.seen(&api, repo, task);
        self.servers[frozen].thaw().unwrap();
        wait_for("the late worker to be told", || {
            Ok((late(&self.servers[frozen]) > before).then_some(()))
        })
        .unwrap();
        assert_eq!(ended[0]["state"], "finished", "{:#}", ended[0]);
        assert_eq!(self.seen(&api, repo, task), seen);
        // Its content server looks for changes now and then.
        wait_for("the late process to show the same", || {
            let late = self.seen(&self.api(frozen), repo, task);
            Ok((late == seen).then_some(()))
        })
        .unwrap();
        seen
    }

    fn seen(&self, api: &Api, repo: &str, task: &str) -> Seen {
        let mut history = Vec::new();
        for list in ["sync/".to_owned(), "publish/iso_distributor/".to_owned()] {
            let found = api.get(&format!("/repositories/{repo}/history/{list}"));
            history.extend(found.unwrap().as_array().unwrap().clone());
        }
        let mut units: Vec<String> = api
            .units(repo, "iso")
            .unwrap()
            .iter()
            .map(|unit| {
                let metadata = &unit["metadata"];
                format!("{} {}", metadata["name"], metadata["checksum"])
            })
            .collect();
        units.sort();
        let manifest = format!("/pulp/isos/{repo}/PULP_MANIFEST");
        Seen {
            task: api.get(&format!("/tasks/{task}/")).unwrap(),
            repository: api
                .get(&format!("/repositories/{repo}/?details=true"))
                .unwrap(),
            history,
            units,
            published: api.raw("GET", &manifest, None).unwrap().1,
        }
    }

    /// The units that the repository must have.
    fn wanted(&self) -> Vec<String> {
        let files = self.files();
        let unit = |(name, bytes): &(String, Vec<u8>)| format!("\"{name}\" \"{}\"", sha256(bytes));
        files.iter().map(unit).collect()
    }

    /// Starts a task that comes to use the table of associations, which is locked until the answer is dropped.
    fn start_held(&self, path: &str, body: &Value) -> (String, Locked) {
        let mut locked = self.database.lock("repo_units").unwrap();
        let task = self.api(0).spawn(path, body).unwrap().remove(0);
        wait_for("the task to wait for the table", || {
            Ok(locked.is_waited_for()?.then_some(()))
        })
        .unwrap();
        (task, locked)
    }

    /// A sync that is stopped while a file comes.
    fn sync_of_files(&mut self) {
        self.next_files();
        let slow = "/feed/040.bin";
        let asked = self.feed.requests_for(slow);
        let fault = Fault::Slow {
            chunk: 500,
            every: std::time::Duration::from_millis(20),
        };
        self.feed.misbehave(slow, fault);
        let sync = "/repositories/files/actions/sync/";
        let task = self.api(0).spawn(sync, &json!({})).unwrap().remove(0);
        self.feed.wait_for_requests(slow, asked + 1).unwrap();
        let before = self.syncs();
        let seen = self.freeze("files", &task, || self.feed.behave(slow));
        assert_eq!(seen.units, self.wanted());
        assert_eq!(self.syncs(), before + 1);
    }

    /// A sync that is stopped while it commits, in its last transaction.
    fn sync_at_its_end(&mut self) {
        self.next_files();
        let before = self.syncs();
        let (task, locked) = self.start_held("/repositories/files/actions/sync/", &json!({}));
        let seen = self.freeze("files", &task, || drop(locked));
        assert_eq!(seen.units, self.wanted());
        assert_eq!(self.syncs(), before + 1);
    }

    fn syncs(&self) -> usize {
        let list = self.api(0).get("/repositories/files/history/sync/");
        list.unwrap().as_array().unwrap().len()
    }

    fn publish(&self) {
        let body = json!({"id": "iso_distributor", "override_config": {"force_full": true}});
        let path = "/repositories/files/actions/publish/";
        let (task, locked) = self.start_held(path, &body);
        let seen = self.freeze("files", &task, || drop(locked));
        let mut manifest = String::new();
        for (name, bytes) in self.files() {
            writeln!(manifest, "{name},{},{}", sha256(&bytes), bytes.len()).unwrap();
        }
        let published = String::from_utf8(seen.published).unwrap();
        let mut lines: Vec<&str> = published.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, manifest.lines().collect::<Vec<_>>());
    }

    fn copy(&self) {
        let path = "/repositories/copy/actions/associate/";
        let (task, locked) = self.start_held(path, &json!({"source_repo_id": "files"}));
        let seen = self.freeze("copy", &task, || drop(locked));
        assert_eq!(seen.units, self.wanted());
        assert_eq!(
            seen.task["result"]["units_successful"]
                .as_array()
                .map(Vec::len),
            Some(FILES)
        );
    }

    fn upload(&self, name: &str) {
        let api = self.api(0);
        let upload = api.call("POST", "/content/uploads/", Some(&json!({})));
        let upload = upload.unwrap().expect(201).unwrap();
        let id = upload["upload_id"].as_str().unwrap();
        let bytes = format!("uploaded {name}").into_bytes();
        let path = format!("/content/uploads/{id}/0/");
        api.put(&path, &bytes).unwrap().expect(200).unwrap();
        let body = json!({
            "upload_id": id,
            "unit_type_id": "iso",
            "unit_key": {"name": name, "size": bytes.len(), "checksum": sha256(&bytes)},
            "unit_metadata": {},
        });
        let path = "/repositories/copy/actions/import_upload/";
        let (task, locked) = self.start_held(path, &body);
        let seen = self.freeze("copy", &task, || drop(locked));
        let unit = format!("\"{name}\" \"{}\"", sha256(&bytes));
        assert_eq!(seen.units.iter().filter(|each| **each == unit).count(), 1);
    }
}

fn whatever_is_stopped_counts_once(on_s3: bool) {
    let Some(mut pair) = Pair::start(on_s3) else {
        return;
    };
    let api = pair.api(0);
    api.create_files("files", &pair.feed.url("/feed/")).unwrap();
    api.create_files("copy", "").unwrap();
    // First sync and re-sync, stopped in two places; each copy and upload besides into an empty repository and a full one.
    pair.sync_of_files();
    pair.publish();
    pair.copy();
    pair.upload("first.bin");
    pair.sync_at_its_end();
    pair.publish();
    pair.sync_of_files();
    pair.upload("second.bin");
}

#[test]
fn a_stopped_process_that_goes_on_changes_nothing_on_postgres_and_a_folder() {
    whatever_is_stopped_counts_once(false);
}

#[test]
fn a_stopped_process_that_goes_on_changes_nothing_on_postgres_and_s3() {
    whatever_is_stopped_counts_once(true);
}
