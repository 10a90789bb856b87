//! One line a request, when it has ended, without what clients would slip into it.

use std::io::{Read, Write};

use pith_e2e::tools::wait_for;
use pith_e2e::wire::{connect_from, get_from};
use pith_e2e::{Api, Feed, Pith};
use serde_json::json;

/// The variable with which the log has a line of each request.
const ALL: &str = "PITH_LOG=info,requests=debug";

/// The line of the request for a path; it is written a moment after its client has the answer.
fn line(server: &Pith, path: &str) -> String {
    let wanted = format!(" path=\"{path}\" ");
    wait_for(&format!("a line of {path}"), || {
        let log = server.log()?;
        let of_requests = |line: &&str| line.contains(" requests: request ");
        let mut lines = log.lines().filter(of_requests);
        Ok(lines.find(|line| line.contains(&wanted)).map(str::to_owned))
    })
    .unwrap()
}

fn has(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

fn publish(server: &Pith, files: &[(String, Vec<u8>)]) -> Feed {
    let feed = Feed::start().unwrap();
    feed.put_files(files);
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    feed
}

#[test]
fn each_request_has_a_line_with_who_asked_for_what_and_what_came_of_it() {
    let server = Pith::start_with(&[ALL]).unwrap();
    let _feed = publish(&server, &[("a.bin".into(), b"0123456789".to_vec())]);
    let api = server.api().unwrap();

    let made = line(&server, "/pulp/api/v2/repositories/");
    has(
        &made,
        &[" INFO ", "method=\"POST\"", "status=201", "who=\"admin\""],
    );
    has(
        &made,
        &[
            "area=\"api\"",
            "address=127.0.0.1",
            "protocol=\"http/1.1\"",
            "end=\"whole\"",
        ],
    );
    has(&made, &[" bytes=", " ms=", " head_ms="]);

    api.raw("GET", "/pulp/isos/files/a.bin?token=hunter2", None)
        .unwrap();
    let read = line(&server, "/pulp/isos/files/a.bin");
    has(
        &read,
        &[
            "DEBUG",
            "status=200",
            "bytes=10 ",
            "area=\"content\"",
            "end=\"whole\"",
        ],
    );
    assert!(!read.contains("who="), "{read}");

    let id = "X-Request-Id: build-7/3\r\n";
    get_from(9, server.address(), "/livez", id).unwrap();
    // The server was asked whether it lives when it started, without such a name.
    wait_for("the line of the named request", || {
        let log = server.log()?;
        let named = log
            .lines()
            .find(|line| line.contains("request_id=\"build-7/3\""));
        Ok(named.map(|line| {
            has(
                line,
                &["path=\"/livez\"", "address=127.0.0.9", "area=\"server\""],
            );
        }))
    })
    .unwrap();

    // A stranger's attempts are no changes, and are not told unasked.
    let stranger = Api::of(server.address(), None);
    let refused = stranger
        .raw("DELETE", "/pulp/api/v2/users/eve/", None)
        .unwrap();
    assert_eq!(refused.0, 401);
    has(
        &line(&server, "/pulp/api/v2/users/eve/"),
        &["DEBUG", "status=401", "method=\"DELETE\""],
    );
    let mut stream = connect_from(1, server.address()).unwrap();
    let head = b"PROPFIND /nothing HTTP/1.1\r\nHost: pith\r\nConnection: close\r\n\r\n";
    stream.write_all(head).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    has(
        &line(&server, "/nothing"),
        &[
            "DEBUG",
            "status=404",
            "method=\"PROPFIND\"",
            "area=\"nowhere\"",
        ],
    );
    assert!(!server.log().unwrap().contains("hunter2"));
}

#[test]
fn a_client_that_left_is_told_of_with_what_it_took() {
    let server = Pith::start_with(&[ALL]).unwrap();
    let size = 32 * 1024 * 1024;
    let _feed = publish(&server, &[("large.bin".into(), vec![7; size])]);
    let mut stream = connect_from(1, server.address()).unwrap();
    let head = b"GET /pulp/isos/files/large.bin HTTP/1.1\r\nHost: pith\r\n\r\n";
    stream.write_all(head).unwrap();
    stream.read_exact(&mut [0; 1000]).unwrap();
    drop(stream);
    let left = line(&server, "/pulp/isos/files/large.bin");
    has(&left, &["status=200", "end=\"left\""]);
    let bytes = left.split(" bytes=").nth(1).unwrap();
    let bytes: usize = bytes.split(' ').next().unwrap().parse().unwrap();
    assert!((1..size).contains(&bytes), "{left}");
}

#[test]
fn nothing_that_a_client_sends_begins_another_line_or_makes_one_long() {
    let server = Pith::start_with(&[ALL]).unwrap();
    let (before, mut sent) = (server.log().unwrap().len(), 0);
    for target in [
        "/pulp/api/v2/repositories/%0a2026%1b[2J/?q=%0a".to_owned(),
        "/pulp/repos/\u{85}\u{9b}2J/x".to_owned(),
        "/pulp/repos/a%22%20who=%22admin\"/x".to_owned(),
        format!("/pulp/repos/{}", "x".repeat(20_000)),
    ] {
        let mut stream = connect_from(1, server.address()).unwrap();
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: pith\r\nX-Request-Id: a b\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        sent += 1;
    }
    // A name with a line of its own, which an error repeats.
    let api = server.api().unwrap();
    let name = "x\n2026-01-01T00:00:00Z  INFO requests: request forged";
    let body = json!({ "id": name, "importer_type_id": "no\nsuch" });
    api.raw("POST", "/pulp/api/v2/repositories/", Some(&body))
        .unwrap();
    line(&server, "/pulp/api/v2/repositories/");
    let log = server.log().unwrap().split_off(before);
    let is_control = |character: char| character.is_control() && character != '\n';
    assert!(
        !log.contains(is_control) && !log.contains("request_id"),
        "{log}"
    );
    for line in log.lines() {
        assert!(line.starts_with("20") && line.len() < 2000, "{line}");
        assert!(
            !line.ends_with("forged") && !line.contains(" who=\"admin\"/x"),
            "{line}"
        );
    }
    let of_requests = log.lines().filter(|line| line.contains(" requests: "));
    assert!(of_requests.count() > sent);
}

#[test]
fn unasked_the_log_tells_of_changes_alone() {
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.get("/repositories/").unwrap();
    let body = json!({ "id": "made" });
    api.raw("POST", "/pulp/api/v2/repositories/", Some(&body))
        .unwrap();
    let criteria = json!({ "criteria": {} });
    api.raw("POST", "/pulp/api/v2/repositories/search/", Some(&criteria))
        .unwrap();
    api.raw("DELETE", "/pulp/api/v2/repositories/made/", None)
        .unwrap();
    line(&server, "/pulp/api/v2/repositories/made/");
    let log = server.log().unwrap();
    let lines = log.lines().filter(|line| line.contains(" requests: "));
    assert_eq!(lines.count(), 2, "{log}");
}
