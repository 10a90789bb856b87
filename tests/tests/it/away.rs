//! The database or the object store is away for a while: what can be served is served, the rest is refused clearly, and
//! everything goes on by itself when it is back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use pith_e2e::repodata::{Repodata, sha256};
use pith_e2e::tools::{sample_repo, wait_for};
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::{postgres, s3};
use serde_json::json;

fn files(number: usize) -> Vec<(String, Vec<u8>)> {
    let file = |file: usize| {
        let bytes = format!("generation {number} of file {file}\n").repeat(10);
        (format!("file-{file}.bin"), bytes.into_bytes())
    };
    (0..5).map(file).collect()
}

/// The whole answer to a `GET`, head and body.
fn answer(server: &Pith, api: &Api, path: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    let authorization = api.authorization().unwrap();
    let ask = format!(
        "GET {path} HTTP/1.1\r\nHost: pith\r\nAuthorization: {authorization}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(ask.as_bytes()).unwrap();
    let mut text = Vec::new();
    socket.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

/// Makes sure that an answer says that the same request may succeed later.
fn assert_away(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("\r\nretry-after:"),
        "{answer}"
    );
}

/// Syncs and publishes generation `number`; what is served then.
fn assert_works(api: &Api, feed: &Feed, number: usize) {
    feed.put_files(&files(number));
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    assert_serves(api, number);
}

fn assert_serves(api: &Api, number: usize) {
    for (name, bytes) in files(number) {
        let served = api.download(&format!("/pulp/isos/files/{name}")).unwrap();
        assert_eq!(served, bytes, "{name}");
    }
}

#[test]
fn a_postgres_that_was_away_is_used_again_and_tasks_end() {
    let Some(mut database) = postgres::own().unwrap() else {
        return;
    };
    let feed = Feed::start().unwrap();
    let server = Pith::start_with(&["--database", &database.url]).unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    assert_works(&api, &feed, 0);
    for round in 1..=2 {
        // In the middle of a sync, and of requests.
        feed.put_files(&files(round));
        let stalled = "/feed/file-3.bin";
        let asked = feed.requests_for(stalled);
        feed.stall_once(stalled, 10);
        let sync = "/repositories/files/actions/sync/";
        let tasks = api.spawn(sync, &json!({})).unwrap();
        feed.wait_for_requests(stalled, asked + 1).unwrap();
        database.stop().unwrap();

        let asked = answer(&server, &api, "/pulp/api/v2/repositories/files/");
        assert_away(&asked);
        assert!(asked.contains("the database does not work"), "{asked}");
        assert_serves(&api, round - 1);

        database.start().unwrap();
        wait_for("the database to be used again", || {
            let found = api.call("GET", "/repositories/files/", None)?;
            Ok((found.status == 200).then_some(()))
        })
        .unwrap();
        // Cancelled, for it would wait for the stalled download; it was noted while the database was there.
        let cancel = format!("/tasks/{}/", tasks[0]);
        api.call("DELETE", &cancel, None).unwrap();
        api.wait(&tasks).unwrap();
        assert_works(&api, &feed, round);
    }
}

#[test]
fn an_object_store_that_was_away_is_used_again_and_tasks_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut store = runtime.block_on(s3::start()).unwrap();
    let feed = Feed::start().unwrap();
    let server = Pith::start_with(&["--storage", &store.storage_url("blobs")]).unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    assert_works(&api, &feed, 0);

    store.stop();
    // What is at hand is served; what is not says that it may come later.
    assert_serves(&api, 0);
    feed.put_files(&files(1));
    let sync = "/repositories/files/actions/sync/";
    let tasks = api.wait(&api.spawn(sync, &json!({})).unwrap()).unwrap();
    assert_eq!(tasks[0]["state"], "error", "{:#}", tasks[0]);
    api.get("/repositories/files/").unwrap();

    runtime.block_on(store.start_again()).unwrap();
    assert_works(&api, &feed, 1);
}

/// The files of an SQLite database.
fn database_files(folder: &Path) -> Vec<PathBuf> {
    let names = ["pith.db", "pith.db-wal", "pith.db-shm"];
    names.iter().map(|name| folder.join(name)).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person moves the files, not pith"
)]
fn move_all(from: &[PathBuf], to: &[PathBuf]) {
    for (from, to) in from.iter().zip(to) {
        std::fs::rename(from, to).unwrap();
    }
}

#[test]
fn an_sqlite_file_that_was_moved_away_is_not_replaced_and_is_used_again() {
    let feed = Feed::start().unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    assert_works(&api, &feed, 0);
    let elsewhere = server.data().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let (here, there) = (database_files(&server.data()), database_files(&elsewhere));
    for round in 1..=2 {
        move_all(&here, &there);
        let new = json!({"id": format!("new-{round}")});
        let refused = api.call("POST", "/repositories/", Some(&new)).unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        let text = refused.body["error_message"].as_str().unwrap();
        assert!(text.contains("the database does not work"), "{text}");
        assert_serves(&api, round - 1);
        assert!(!here[0].exists(), "an empty database in its place");
        assert_eq!(api.raw("GET", "/readyz", None).unwrap().0, 503);

        move_all(&there, &here);
        wait_for("the database to be used again", || {
            let made = api.call("POST", "/repositories/", Some(&new))?;
            Ok((made.status == 201).then_some(()))
        })
        .unwrap();
        assert_works(&api, &feed, round);
    }
}

#[test]
fn an_sqlite_file_that_was_deleted_is_not_replaced_by_an_empty_one() {
    let feed = Feed::start().unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    assert_works(&api, &feed, 0);
    let files = database_files(&server.data());
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    for number in 0..3 {
        let new = json!({"id": format!("new-{number}")});
        let refused = api.call("POST", "/repositories/", Some(&new)).unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert_serves(&api, 0);
    }
    assert!(!files[0].exists(), "an empty database in its place");
}

/// Downloads what a client of the repository `rpms` reads, and makes sure that it is what the metadata says.
fn assert_serves_packages(api: &Api) {
    let read = |path: &str| api.download(&format!("/pulp/repos/rpms/{path}"));
    let metadata = Repodata::read(read).unwrap();
    let locations = metadata.locations().unwrap();
    assert!(!locations.is_empty());
    for (digest, location) in locations {
        let served = read(&location).unwrap();
        assert_eq!(sha256(&served), digest, "{location}");
    }
}

/// Brings back the files that a server has lost.
fn assert_comes_back(api: &Api, action: &str) {
    let started = api.call("POST", "/content/uploads/", Some(&json!({})));
    started.unwrap().expect(201).unwrap();
    assert_eq!(api.raw("GET", "/readyz", None).unwrap().0, 200);
    let body = match action {
        "download" => json!({"verify_all_units": true}),
        _ => json!({"override_config": {"force_full": true}}),
    };
    let path = format!("/repositories/rpms/actions/{action}/");
    api.run(&path, &body).unwrap();
    // Not skipped, although nothing of what it is made from has changed.
    let published = api.publish("rpms").unwrap();
    assert_eq!(published["result"]["result"], "success", "{published:#}");
    assert_serves_packages(api);
}

/// A server with a repository `rpms`, synced and published.
fn with_packages(feed: &Feed) -> Pith {
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_rpm("rpms", &feed.url("/feed/")).unwrap();
    api.sync("rpms").unwrap();
    api.publish("rpms").unwrap();
    server
}

#[test]
fn files_that_were_deleted_under_a_running_server_come_back() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = with_packages(&feed);
    let api = server.api().unwrap();
    for action in ["download", "sync"] {
        for entry in std::fs::read_dir(server.data().join("blobs")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
        assert_comes_back(&api, action);
    }
}

#[test]
fn a_disk_of_files_that_is_not_mounted_gets_nothing_in_its_place() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let mut server = with_packages(&feed);
    let (here, there) = (server.data().join("blobs"), server.data().join("elsewhere"));
    move_all(std::slice::from_ref(&here), std::slice::from_ref(&there));
    let api = server.api().unwrap();
    for empty_folder in [false, true] {
        if empty_folder {
            std::fs::create_dir(&here).unwrap();
        }
        let refused = api.call("POST", "/content/uploads/", Some(&json!({})));
        let refused = refused.unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        let text = refused.body["error_message"].as_str().unwrap();
        assert!(text.contains("mount its disk again"), "{text}");
        assert_eq!(api.raw("GET", "/readyz", None).unwrap().0, 503);
        let sync = json!({"override_config": {"force_full": true}});
        let sync = api
            .spawn("/repositories/rpms/actions/sync/", &sync)
            .unwrap();
        let ended = &api.wait(&sync).unwrap()[0];
        assert_eq!(ended["state"], "error", "{ended:#}");
        let text = ended["error"]["description"].as_str().unwrap();
        assert!(text.contains("mount its disk again"), "{text}");
        let served = std::fs::read_dir(&here).map(Iterator::count);
        assert_eq!(served.ok(), empty_folder.then_some(0));
    }
    // A start does not make a store of the empty folder either.
    server.kill().unwrap();
    assert!(server.start_again().is_err());
    let said = server.log().unwrap();
    assert!(
        said.contains("start once with --accept-lost-files"),
        "{said}"
    );
    assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0);

    std::fs::remove_dir(&here).unwrap();
    move_all(std::slice::from_ref(&there), std::slice::from_ref(&here));
    server.start_again().unwrap();
    assert_serves_packages(&server.api().unwrap());
}

#[test]
fn a_folder_of_files_that_is_lost_for_good_is_begun_anew_when_the_start_says_so() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let mut server = with_packages(&feed);
    std::fs::remove_dir_all(server.data().join("blobs")).unwrap();
    server.kill().unwrap();
    server.start_again_with("--accept-lost-files").unwrap();
    assert_comes_back(&server.api().unwrap(), "download");
    server.kill().unwrap();
    server.start_again().unwrap();
    assert_serves_packages(&server.api().unwrap());
}

#[test]
fn a_folder_of_files_of_an_earlier_version_is_adopted() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let mut server = with_packages(&feed);
    server.kill().unwrap();
    let mark = server.data().join("blobs").join("pith-files");
    std::fs::remove_file(&mark).unwrap();
    server.start_again().unwrap();
    assert!(mark.exists());
    assert_serves_packages(&server.api().unwrap());
}

#[test]
fn a_file_store_that_cannot_be_written_is_away_until_it_can() {
    let feed = Feed::start().unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    assert_works(&api, &feed, 0);
    let (here, there) = (
        [server.data().join("blobs")],
        [server.data().join("elsewhere")],
    );
    move_all(&here, &there);
    std::fs::write(&here[0], "in its place").unwrap();
    let refused = api.call("POST", "/content/uploads/", Some(&json!({})));
    let refused = refused.unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);
    let text = refused.body["error_message"].as_str().unwrap();
    assert!(text.contains("the file store does not work"), "{text}");
    let (status, text) = api.raw("GET", "/readyz", None).unwrap();
    assert_eq!(status, 503);
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("the file store does not work"), "{text}");

    std::fs::remove_file(&here[0]).unwrap();
    move_all(&there, &here);
    assert_eq!(api.raw("GET", "/readyz", None).unwrap().0, 200);
    assert_works(&api, &feed, 1);
}

/// Makes a server's repository `before`, harms its database, and makes sure that no write is acknowledged any more; the
/// folder of the server is left as a kill leaves it.
fn assert_refuses_after(harm: impl FnOnce(&Path)) -> Pith {
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    let new = |id: &str| json!({"id": id});
    let made = api.call("POST", "/repositories/", Some(&new("before")));
    assert_eq!(made.unwrap().status, 201);
    harm(&server.data());
    for _ in 0..2 {
        let refused = api.call("POST", "/repositories/", Some(&new("after")));
        let refused = refused.unwrap();
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert_eq!(api.raw("GET", "/readyz", None).unwrap().0, 503);
    }
    server
}

#[test]
fn an_sqlite_log_that_was_deleted_or_replaced_takes_nothing_with_it() {
    let delete: fn(&Path) = |log| std::fs::remove_file(log).unwrap();
    let replace: fn(&Path) = |log| {
        std::fs::remove_file(log).unwrap();
        std::fs::write(log, b"").unwrap();
    };
    for (name, harm) in [
        ("pith.db-wal", delete),
        ("pith.db-wal", replace),
        ("pith.db-shm", delete),
    ] {
        let mut server = assert_refuses_after(|data| harm(&data.join(name)));
        server.kill().unwrap();
        server.start_again().unwrap();
        let api = server.api().unwrap();
        let listed = api.get("/repositories/").unwrap();
        let ids: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|repo| &repo["id"])
            .collect();
        assert_eq!(ids, ["before"], "{name}");
    }
}

#[test]
fn an_sqlite_file_or_log_that_was_emptied_takes_no_writes() {
    for name in ["pith.db", "pith.db-wal"] {
        assert_refuses_after(|data| {
            let file = std::fs::File::options().write(true).open(data.join(name));
            file.unwrap().set_len(0).unwrap();
        });
    }
}
