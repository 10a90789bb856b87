//! The same binary on PostgreSQL and an S3-compatible store: nothing that clients see changes, and two processes share the
//! work.

use pith_e2e::tools::{missing, rounds, sample_repo};
use pith_e2e::{Api, Dnf, Feed, Pith};
use pith_testkit::{postgres, s3};
use serde_json::{Value, json};

use crate::dnf::SAMPLE;

/// An S3 server for as long as the value lives.
pub(crate) struct Store {
    pub(crate) url: String,
    _server: s3::S3,
    _runtime: tokio::runtime::Runtime,
}

impl Store {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(s3::start()).unwrap();
        Self {
            url: server.storage_url("blobs"),
            _server: server,
            _runtime: runtime,
        }
    }
}

#[test]
fn dnf_reads_from_either_process_on_postgres_and_s3() {
    let Some(database) = postgres::database() else {
        return;
    };
    if missing(&["dnf"]) {
        return;
    }
    let store = Store::start();
    let options = ["--database", &database.url, "--storage", &store.url];
    let first = Pith::start_with(&options).unwrap();
    let second = Pith::start_with(&options).unwrap();
    let feed = Feed::of(&sample_repo()).unwrap();
    let api = first.api().unwrap();
    api.create_rpm("sample", &feed.url("/feed/")).unwrap();
    api.sync("sample").unwrap();
    api.publish("sample").unwrap();
    for server in [&first, &second] {
        let repomd = "/pulp/repos/sample/repodata/repomd.xml";
        api_of(server).download(repomd).unwrap();
        let dnf = Dnf::new(&server.url("/pulp/repos/sample/")).unwrap();
        dnf.makecache().unwrap();
        assert_eq!(dnf.packages().unwrap(), SAMPLE);
    }
}

/// Two processes on a database and a storage of their own.
fn on_a_folder(test: impl Fn(&Pith, &Pith)) {
    let storage = tempfile::tempdir().unwrap();
    two_processes(&format!("file://{}", storage.path().display()), test);
}

fn on_s3(test: impl Fn(&Pith, &Pith)) {
    two_processes(&Store::start().url, test);
}

fn two_processes(storage: &str, test: impl Fn(&Pith, &Pith)) {
    let Some(database) = postgres::database() else {
        return;
    };
    let options = ["--database", &database.url, "--storage", storage];
    let first = Pith::start_with(&options).unwrap();
    let second = Pith::start_with(&options).unwrap();
    test(&first, &second);
}

/// Waits for the tasks of a call.
fn done(api: &Api, method: &str, path: &str, body: Option<&Value>) {
    let report = api.call(method, path, body).unwrap().expect(202).unwrap();
    let task = report["spawned_tasks"][0]["task_id"].as_str().unwrap();
    let tasks = api.wait(&[task.to_owned()]).unwrap();
    assert!(
        tasks.iter().all(|task| task["state"] == "finished"),
        "{tasks:#?}"
    );
}

/// Publishes, moves, hides and deletes through one process; the other is asked once each time.
fn what_is_published_is_seen(first: &Pith, second: &Pith) {
    let feed = Feed::of(&sample_repo()).unwrap();
    let (api, other) = (first.api().unwrap(), api_of(second));
    api.create_rpm("all", &feed.url("/feed/")).unwrap();
    api.sync("all").unwrap();
    let status = |path: &str| other.raw("GET", path, None).unwrap().0;
    for round in 0..rounds(4) {
        let id = format!("r{round}");
        api.create_rpm(&id, &feed.url("/feed/")).unwrap();
        let repomd = format!("/pulp/repos/{id}/repodata/repomd.xml");
        assert_eq!(status(&repomd), 404, "before the first publish");
        api.publish(&id).unwrap();
        let empty = other.download(&repomd).unwrap();
        let copy = json!({"source_repo_id": "all", "criteria": {"type_ids": ["rpm"]}});
        let actions = format!("/repositories/{id}/actions");
        api.run(&format!("{actions}/associate/"), &copy).unwrap();
        api.publish(&id).unwrap();
        assert_ne!(other.download(&repomd).unwrap(), empty, "round {round}");

        let distributor = format!("/repositories/{id}/distributors/yum_distributor/");
        let change = |config: Value| {
            let body = json!({ "distributor_config": config });
            done(&api, "PUT", &distributor, Some(&body));
            api.publish(&id).unwrap();
        };
        change(json!({"relative_url": format!("moved{round}")}));
        let moved = format!("/pulp/repos/moved{round}/repodata/repomd.xml");
        assert_eq!((status(&repomd), status(&moved)), (404, 200));
        if round % 2 == 0 {
            done(&api, "DELETE", &distributor, None);
        } else {
            done(&api, "DELETE", &format!("/repositories/{id}/"), None);
        }
        assert_eq!(status(&moved), 404, "round {round}");
    }
}

#[test]
fn what_one_process_publishes_the_other_serves_at_once_from_a_folder() {
    on_a_folder(what_is_published_is_seen);
}

#[test]
fn what_one_process_publishes_the_other_serves_at_once_from_s3() {
    on_s3(what_is_published_is_seen);
}

/// Users and what they may do are changed through one process; the other is asked once each time.
#[test]
fn what_one_process_says_of_users_counts_in_the_other_at_once() {
    on_a_folder(|first, second| {
        let api = first.api().unwrap();
        let as_user = |login: &str, password: &str| {
            let client = Api::of(second.address(), Some((login, password)));
            client.call("GET", "/repositories/", None).unwrap().status
        };
        let ok = |method: &str, path: &str, body: Option<&Value>| {
            let answer = api.call(method, path, body).unwrap();
            assert!(answer.status < 300, "{method} {path}: {answer:?}");
        };
        let may = |action: &str, login: &str| {
            let body =
                json!({"login": login, "resource": "/v2/repositories/", "operations": ["READ"]});
            ok(
                "POST",
                &format!("/permissions/actions/{action}/"),
                Some(&body),
            );
        };
        for round in 0..rounds(4) {
            let login = format!("u{round}");
            assert_eq!(as_user(&login, "one"), 401, "there is nobody yet");
            let user = json!({"login": login, "name": login, "password": "one"});
            ok("POST", "/users/", Some(&user));
            may("grant_to_user", &login);
            assert_eq!(as_user(&login, "one"), 200);
            let path = format!("/users/{login}/");
            ok("PUT", &path, Some(&json!({"delta": {"password": "two"}})));
            assert_eq!((as_user(&login, "one"), as_user(&login, "two")), (401, 200));
            may("revoke_from_user", &login);
            assert_eq!(as_user(&login, "two"), 401);
            may("grant_to_user", &login);
            assert_eq!(as_user(&login, "two"), 200);
            ok("DELETE", &path, None);
            assert_eq!(as_user(&login, "two"), 401);
        }
    });
}

/// Published content needs no password, so the second process need not know one.
fn api_of(server: &Pith) -> Api {
    Api::new(server.address(), None)
}
