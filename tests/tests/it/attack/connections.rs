//! Anybody who can connect keeps nobody else from being served, and takes no more memory than there is for all.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use pith_e2e::repodata::sha256;
use pith_e2e::tools::wait_for;
use pith_e2e::wire::{connect_from, get_from, without_window};
use pith_e2e::{Feed, Pith};

/// The most memory that a server of these tests may take, in MiB. It was built without optimisation.
const MEMORY: u64 = 300;
/// A large file, in bytes.
const LARGE: usize = 32 << 20;
/// Where it is published.
const PATH: &str = "/pulp/isos/files/large.bin";

/// A server with a large published file.
fn server(options: &[&str]) -> (Pith, Feed) {
    let server = Pith::start_with(options).unwrap();
    let api = server.api().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut listed = String::new();
    for (name, bytes) in [("large.bin", vec![7; LARGE]), ("small.bin", vec![7; 100])] {
        fs::write(folder.path().join(name), &bytes).unwrap();
        listed.push_str(&format!("{name},{},{}\n", sha256(&bytes), bytes.len()));
    }
    fs::write(folder.path().join("PULP_MANIFEST"), listed).unwrap();
    let feed = Feed::of(folder.path()).unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    (server, feed)
}

/// Somebody who behaves well gets answers, from whichever address.
fn serves(server: &Pith) {
    for host in [1, 9] {
        for path in ["/livez", "/pulp/isos/files/small.bin"] {
            let (status, _) = get_from(host, server.address(), path, "").unwrap();
            assert_eq!(status, 200, "{path} from 127.0.0.{host}");
        }
    }
    let (status, bytes) = get_from(9, server.address(), PATH, "").unwrap();
    assert_eq!((status, bytes.len()), (200, LARGE));
}

/// Connections from several addresses that send `bytes` and read nothing.
fn opened(server: &Pith, hosts: &[u8], each: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let open = |host: &u8| {
        let mut stream = connect_from(*host, server.address()).unwrap();
        // One that was let go meanwhile does not take them.
        let _ = stream.write_all(bytes);
        stream
    };
    let hosts = hosts
        .iter()
        .flat_map(|host| std::iter::repeat_n(host, each));
    hosts.map(open).collect()
}

#[test]
fn connections_that_send_nothing_keep_nobody_out() {
    let (server, _feed) = server(&["--max-connections", "40"]);
    let one_address = opened(&server, &[1], 60, b"");
    serves(&server);
    let many_addresses = opened(&server, &[2, 3, 4, 5, 6, 7], 20, b"GET / HTTP/1.1\r\nX");
    serves(&server);
    drop((one_address, many_addresses));
}

#[test]
fn answers_that_nobody_takes_cost_no_more_than_there_is_for_all() {
    let (server, _feed) = server(&[]);
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: pith\r\n\r\n");
    let plain = opened(&server, &[1], 500, request.as_bytes());
    let streams = opened(&server, &[1, 2], 20, &without_window(PATH, 64));
    serves(&server);
    let memory = server.peak_memory().unwrap();
    assert!(memory < MEMORY, "{memory} MiB");
    drop((plain, streams));
}

#[test]
fn who_takes_no_answer_is_let_go() {
    let (server, _feed) = server(&["--client-timeout", "1"]);
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: pith\r\n\r\n");
    for bytes in [request.into_bytes(), without_window(PATH, 1)] {
        let mut stream = connect_from(1, server.address()).unwrap();
        stream.write_all(&bytes).unwrap();
        // What is sent to a connection that is gone is refused by the other side.
        wait_for("the connection to be closed", || {
            let is_gone = stream.write_all(b"\0").is_err();
            Ok(is_gone.then_some(()))
        })
        .unwrap();
    }
    serves(&server);
}

#[test]
fn who_sends_no_body_is_let_go() {
    let (server, _feed) = server(&["--client-timeout", "1"]);
    let mut stream = connect_from(1, server.address()).unwrap();
    let login = server.api().unwrap().authorization().unwrap().to_owned();
    let head = format!(
        "POST /pulp/api/v2/repositories/ HTTP/1.1\r\nHost: pith\r\nAuthorization: {login}\r\nContent-Length: 5000000\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // Either way it ends.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    serves(&server);
}

#[test]
fn heads_are_bounded_and_end_in_time() {
    let (server, _feed) = server(&["--client-timeout", "1"]);
    let field = format!("X: {}\r\n", "a".repeat(4000));
    let mut large = connect_from(1, server.address()).unwrap();
    let _ = large.write_all(format!("GET /livez HTTP/1.1\r\n{}", field.repeat(20)).as_bytes());
    let mut answer = Vec::new();
    let _ = large.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    // Its client may see no more than that it was closed.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    for start in [
        "",
        "GET /livez HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = connect_from(1, server.address()).unwrap();
        stream.write_all(start.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 200 "), "{start}: {answer}");
    }
    serves(&server);
}

#[test]
fn slow_bodies_keep_no_request_from_its_turn() {
    let (server, _feed) = server(&[]);
    let started = server.api().unwrap().call("GET", "/users/", None);
    assert_eq!(started.unwrap().status, 200);
    // Four networks would have all turns; none of them sends what it announced.
    let request =
        "GET /pulp/api/v2/status/ HTTP/1.1\r\nHost: pith\r\nContent-Length: 100000\r\n\r\n{";
    let slow = opened(&server, &[2, 3, 4, 5], 16, request.as_bytes());
    let answer = server.api().unwrap().call("GET", "/users/", None).unwrap();
    assert_eq!(answer.status, 200);
    // They wait still: the time in which they would be given up has not passed.
    let mut first = slow.into_iter().next().unwrap();
    first.set_nonblocking(true).unwrap();
    let nothing = first.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_head_of_many_fields_is_refused_before_anybody_works_on_it() {
    let (server, _feed) = server(&[]);
    let get = |fields: usize| {
        let head: String = (0..fields).map(|n| format!("a{n}: \r\n")).collect();
        get_from(1, server.address(), "/livez", &head).unwrap().0
    };
    assert_eq!(get(50), 200);
    assert_eq!(get(150), 431);
}
