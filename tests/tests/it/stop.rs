//! A server that is told to stop ends by itself, whatever its clients do, and what it was at goes on later.

use std::io::{Read, Write};
use std::net::TcpStream;

use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres;
use serde_json::json;

fn files(size: usize) -> Vec<(String, Vec<u8>)> {
    vec![
        ("large.bin".to_owned(), vec![7; size]),
        ("small.bin".to_owned(), vec![8; 100]),
    ]
}

/// A request of which `sent` is sent and nothing more.
fn begin(server: &Pith, sent: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.address()).unwrap();
    socket.write_all(sent.as_bytes()).unwrap();
    socket
}

/// An upload of which a few bytes have come.
fn slow_upload(server: &Pith, api: &Api) -> TcpStream {
    let made = api.call("POST", "/content/uploads/", None).unwrap();
    let made = made.expect(201).unwrap();
    let path = format!(
        "/pulp/api/v2/content/uploads/{}/0/",
        made["upload_id"].as_str().unwrap()
    );
    let authorization = api.authorization().unwrap();
    begin(
        server,
        &format!(
            "PUT {path} HTTP/1.1\r\nHost: pith\r\nAuthorization: {authorization}\r\nContent-Length: 100000\r\n\r\nslow"
        ),
    )
}

/// A download that has begun, by a client that reads no further.
fn slow_download(server: &Pith) -> TcpStream {
    let ask = "GET /pulp/isos/files/large.bin HTTP/1.1\r\nHost: pith\r\n\r\n";
    let mut socket = begin(server, ask);
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    socket
}

/// A connection that has had its answer and stays open.
fn idle(server: &Pith) -> TcpStream {
    let mut socket = begin(server, "GET /livez HTTP/1.1\r\nHost: pith\r\n\r\n");
    let mut head = [0; 12];
    socket.read_exact(&mut head).unwrap();
    socket
}

#[test]
fn a_server_with_slow_clients_stops_by_itself_and_the_sync_goes_on_at_the_next_start() {
    let feed = Feed::start().unwrap();
    feed.put_files(&files(32 << 20));
    let mut server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();

    let stalled = "/feed/small.bin";
    let mut changed = files(32 << 20);
    changed[1].1 = vec![9; 100];
    feed.put_files(&changed);
    let asked = feed.requests_for(stalled);
    feed.stall_once(stalled, 10);
    let sync = "/repositories/files/actions/sync/";
    let tasks = api.spawn(sync, &json!({})).unwrap();
    feed.wait_for_requests(stalled, asked + 1).unwrap();
    let clients = [
        slow_upload(&server, &api),
        slow_download(&server),
        begin(&server, "POST /pulp/api/v2/repositories/ HTTP/1.1\r\n"),
        idle(&server),
    ];
    // Not killed: it ends while all of them are still connected.
    let status = server.terminate().unwrap();
    assert!(status.success(), "{status}");
    drop(clients);

    server.start_again().unwrap();
    for task in api.wait(&tasks).unwrap() {
        assert_eq!(task["state"], "finished", "{task:#}");
    }
    api.publish("files").unwrap();
    let served = api.download("/pulp/isos/files/small.bin").unwrap();
    assert_eq!(served, changed[1].1);
}

#[test]
fn the_task_of_a_process_that_was_told_to_stop_goes_on_in_another_at_once_on_postgres() {
    let Some(database) = postgres::database() else {
        return;
    };
    let storage = tempfile::tempdir().unwrap();
    let storage = format!("file://{}", storage.path().join("blobs").display());
    let options = ["--database", &database.url, "--storage", &storage];
    let feed = Feed::start().unwrap();
    feed.put_files(&files(1000));
    let mut first = Pith::start_with(&options).unwrap();
    let api = first.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    let stalled = "/feed/small.bin";
    let sync = "/repositories/files/actions/sync/";
    // More often than a task may lose its worker: being told to stop is no accident.
    let times = 4;
    feed.stall_times(stalled, 10, times);
    let tasks = api.spawn(sync, &json!({})).unwrap();
    for time in 1..=times {
        feed.wait_for_requests(stalled, time).unwrap();
        let second = Pith::start_with(&options).unwrap();
        assert!(first.terminate().unwrap().success());
        first = second;
    }
    for task in api.at(first.address()).wait(&tasks).unwrap() {
        assert_eq!(task["state"], "finished", "{task:#}");
    }
}

#[test]
fn a_log_that_takes_nothing_stops_no_work() {
    let folder = tempfile::tempdir().unwrap();
    // Whatever is written there fails, as on a full disk.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("log")).unwrap();
    let server = Pith::start_in(folder, &[]).unwrap();
    let feed = Feed::start().unwrap();
    feed.put_files(&files(100));
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    for _ in 0..3 {
        api.sync("files").unwrap();
        api.publish("files").unwrap();
    }
    assert_eq!(api.units("files", "iso").unwrap().len(), 2);
}
