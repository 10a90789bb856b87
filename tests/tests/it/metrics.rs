//! `/metrics`: what stands there, who may read it, and that no request adds a name to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

use pith_e2e::tools::wait_for;
use pith_e2e::wire::{connect_from, get_from};
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres;
use serde_json::json;

/// The samples of a page by name and labels, as they are written.
#[derive(Debug)]
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Reads a page, and sees that it is as the format says: each name has its help and its type before its samples, once.
    fn parse(page: &str) -> Self {
        let mut samples = BTreeMap::new();
        let (mut types, mut current) = (BTreeSet::new(), String::new());
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                current = rest.split(' ').next().unwrap().to_owned();
                assert!(types.insert(current.clone()), "{current} stands twice");
                continue;
            }
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current);
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let ends = ["", "_bucket", "_sum", "_count"];
            let is_own = ends.iter().any(|end| name == format!("{current}{end}"));
            assert!(is_own, "{line} below {current}");
            assert_eq!(sample.contains('{'), sample.ends_with('}'), "{line}");
            let before = samples.insert(sample.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{line}");
        }
        Self(samples)
    }

    fn of(server: &Pith) -> Self {
        let (status, page) = server.api().unwrap().raw("GET", "/metrics", None).unwrap();
        assert_eq!(status, 200);
        Self::parse(&String::from_utf8(page).unwrap())
    }

    fn get(&self, sample: &str) -> f64 {
        self.0.get(sample).copied().unwrap_or(0.0)
    }
}

/// Waits until a sample is as large as this: a page may be a second old.
fn reaches(server: &Pith, sample: &str, least: f64) -> Metrics {
    wait_for(sample, || {
        let metrics = Metrics::of(server);
        Ok((metrics.get(sample) >= least).then_some(metrics))
    })
    .unwrap()
}

#[test]
fn counts_go_up_by_what_was_done() {
    counts_go_up(&Pith::start().unwrap(), "readers");
    if let Some(database) = postgres::database() {
        let server = Pith::start_with(&["--database", &database.url]).unwrap();
        counts_go_up(&server, "all");
    }
}

fn counts_go_up(server: &Pith, pool: &str) {
    let feed = Feed::start().unwrap();
    feed.put_files(&[("a.bin".into(), vec![7; 5000])]);
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    for _ in 0..3 {
        api.raw("GET", "/pulp/isos/files/a.bin", None).unwrap();
    }
    api.raw("GET", "/pulp/isos/files/none.bin", None).unwrap();
    let content = |status| {
        format!(
            "pith_http_requests_total{{area=\"content\",group=\"\",method=\"GET\",status=\"{status}\"}}"
        )
    };
    let metrics = reaches(server, &content(404), 1.0);
    assert_eq!(metrics.get(&content(200)), 3.0);
    let of_content = "{area=\"content\",group=\"\"}";
    let answered = format!("pith_http_request_duration_seconds_count{of_content}");
    assert_eq!(metrics.get(&answered), 4.0);
    assert!(metrics.get(&format!("pith_http_sent_bytes_total{of_content}")) >= 15_000.0);
    let made = "pith_http_requests_total{area=\"api\",group=\"repositories\",method=\"POST\",status=\"201\"}";
    assert_eq!(metrics.get(made), 1.0);
    for (kind, count) in [("sync.sync", 1.0), ("publish.publish", 1.0)] {
        let ended = format!(
            "pith_tasks_ended_total{{kind=\"pulp.server.managers.repo.{kind}\",state=\"finished\"}}"
        );
        assert!(metrics.get(&ended) >= count, "{metrics:?}");
    }
    assert!(metrics.get("pith_fetches_total{result=\"fetched\"}") >= 2.0);
    assert!(metrics.get("pith_fetched_bytes_total") >= 5000.0);
    assert_eq!(metrics.get("pith_database_up"), 1.0);
    assert_eq!(metrics.get("pith_queue_length"), 0.0);
    assert!(metrics.get("pith_workers{state=\"idle\"}") >= 2.0);
    for positive in [
        "process_resident_memory_bytes",
        "pith_connections_max",
        "pith_connections{protocol=\"http/1\"}",
        "pith_http_requests_in_flight",
        "pith_disk_free_bytes{disk=\"files\"}",
        "pith_disk_size_bytes{disk=\"files\"}",
        &format!("pith_database_connections_max{{pool=\"{pool}\"}}"),
    ] {
        assert!(metrics.get(positive) > 0.0, "{positive}: {metrics:?}");
    }
    // No name of anything that somebody made.
    let names = ["group=\"files\"", "a.bin", "admin"];
    assert!(
        metrics
            .0
            .keys()
            .all(|sample| names.iter().all(|name| !sample.contains(name)))
    );
}

#[test]
fn strangers_read_no_metrics_unless_they_come_from_an_address_that_may() {
    let server = Pith::start_with(&["--metrics-readers", "127.0.0.7"]).unwrap();
    let get = |host| get_from(host, server.address(), "/metrics", "").unwrap();
    assert_eq!(get(1).0, 401);
    let (status, page) = get(7);
    assert_eq!(status, 200);
    Metrics::parse(&String::from_utf8(page).unwrap());
    // Nobody becomes another by saying so.
    let forwarded = "X-Forwarded-For: 127.0.0.7\r\n";
    assert_eq!(
        get_from(1, server.address(), "/metrics", forwarded)
            .unwrap()
            .0,
        401
    );
    let user = json!({ "login": "ann", "password": "secret" });
    let made = server.api().unwrap().call("POST", "/users/", Some(&user));
    made.unwrap().expect(201).unwrap();
    for (login, password, expected) in [("ann", "secret", 403), ("admin", "wrong", 401)] {
        let api = Api::of(server.address(), Some((login, password)));
        let (status, page) = api.raw("GET", "/metrics", None).unwrap();
        assert_eq!(status, expected, "{login}");
        assert!(!String::from_utf8_lossy(&page).contains("pith_build_info"));
    }
}

#[test]
fn a_flood_of_odd_paths_and_methods_adds_few_names() {
    let server = Pith::start().unwrap();
    let before = Metrics::of(&server).0.len();
    let mut stream = connect_from(1, server.address()).unwrap();
    for number in 0..300 {
        let path = match number % 4 {
            0 => format!("/nothing-{number}"),
            1 => format!("/pulp/repos/{number}/x"),
            2 => format!("/pulp/api/v2/{number}/"),
            _ => format!("/pulp/api/v2/repositories/{number}/"),
        };
        let head = format!("M{number} {path} HTTP/1.1\r\nHost: pith\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
    }
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nHost: pith\r\nConnection: close\r\n\r\n")
        .unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let odd =
        "pith_http_requests_total{area=\"content\",group=\"\",method=\"other\",status=\"405\"}";
    let metrics = reaches(&server, odd, 75.0);
    let more = metrics.0.len() - before;
    assert!(more < 80, "{more} more: {metrics:?}");
    assert!(
        metrics
            .0
            .keys()
            .all(|sample| !sample.contains("M1") && !sample.contains("nothing"))
    );
}
