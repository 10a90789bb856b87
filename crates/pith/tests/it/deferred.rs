//! Files that come when somebody asks, and what a bad upstream does to those who wait.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode};
use futures::TryStreamExt;
use futures::future::join_all;
use futures::stream::BoxStream;
use pith_core::task::TaskState;
use pith_core::{Sha256, UnitId};
use pith_engine::Engine;
use pith_pulp::jobs::{DeleteRepository, UpdateImporter};
use pith_store::{Task, UnitQuery};
use pith_testkit::upstream::Fault;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::feeds::copy;
use crate::guards::{GuardOptions, Guards};
use crate::harness::{Harness, On, put_files};
use crate::published::Published;

crate::on_both!(
    a_deferred_sync_brings_no_file_and_says_what_is_missing,
    a_thousand_clients_cause_one_request_upstream,
    heads_and_ranges_are_answered_as_if_the_file_were_here,
    a_broken_or_lying_upstream_breaks_the_answer_and_leaves_nothing,
    a_failure_before_the_first_byte_has_a_status,
    the_sources_of_the_repository_that_is_read_are_asked_first_and_alone,
    nothing_of_anothers_source_leaves_before_it_is_verified,
    what_one_feed_promised_is_kept_back_from_another_until_it_is_verified,
    another_source_goes_on_where_the_first_broke_off,
    another_source_with_other_bytes_cuts_off_who_has_the_first_ones,
    a_client_that_goes_away_does_not_stop_the_download,
    two_processes_may_fetch_the_same_file,
    without_an_importer_nothing_can_be_fetched,
    what_was_copied_can_be_fetched_when_its_source_is_gone,
);

/// A text that is different everywhere.
pub(crate) fn text(size: usize) -> Vec<u8> {
    (0..)
        .flat_map(|n: u32| n.to_le_bytes())
        .take(size)
        .collect()
}

pub(crate) struct Front {
    router: Router,
}

impl Front {
    /// Returns what the binary serves, as it serves it.
    pub(crate) fn of(engine: &Arc<Engine>) -> Self {
        let guards = Guards::open(&GuardOptions {
            repo_auth: true,
            repo_auth_ca: None,
            repo_auth_crl: None,
            repo_auth_prefixes: None,
        });
        let published = Published::new(Arc::clone(engine), guards.unwrap()).unwrap();
        Self {
            router: published.router(pith_serve::Protocol::Http),
        }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.ask(Method::GET, path, &[]).await
    }

    async fn range(&self, path: &str, range: &str) -> Response<Body> {
        self.ask(Method::GET, path, &[("range", range)]).await
    }
}

/// The body, when it ended well.
pub(crate) async fn whole(response: Response<Body>) -> Option<Bytes> {
    let mut pieces = response.into_body().into_data_stream();
    let mut whole = Vec::new();
    // Each piece goes before the next one is asked for, as when it is sent: what is on its way is bounded.
    while let Some(piece) = pieces.try_next().await.ok()? {
        whole.extend_from_slice(&piece);
    }
    Some(whole.into())
}

fn length(response: &Response<Body>) -> usize {
    let length = response.headers()["content-length"].to_str().unwrap();
    length.parse().unwrap()
}

/// An on-demand repository of files, synced and published.
fn deferred() -> Value {
    json!({"download_policy": "on_demand", "connect_timeout": 1, "read_timeout": 1})
}

pub(crate) async fn mirrored(h: &Harness, repo: &str, feed: &str, files: &[(&str, &[u8])]) -> Task {
    put_files(&h.upstream, feed, files);
    h.repository(repo, "iso", feed, deferred()).await;
    let task = h.sync(repo).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    task
}

pub(crate) async fn missing(h: &Harness, repo: &str) -> i64 {
    let store = &h.engine.store;
    store.repository_units_not_downloaded(repo).await.unwrap()
}

/// Waits until nothing of the repository is missing.
async fn complete(h: &Harness, repo: &str) {
    for _ in 0..3000 {
        if missing(h, repo).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the files never came");
}

async fn ids(h: &Harness, repo: &str) -> Vec<UnitId> {
    let query = UnitQuery {
        repo: Some(repo),
        ..UnitQuery::default()
    };
    let stream = h.engine.store.units_stream(&query).unwrap();
    let units: Vec<_> = stream.try_concat().await.unwrap();
    units.iter().map(|unit| unit.unit.id).collect()
}

async fn a_deferred_sync_brings_no_file_and_says_what_is_missing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let files: [(&str, &[u8]); 2] = [("a.iso", b"first"), ("b/c.iso", b"second")];
    let task = mirrored(&h, "r", "/f/", &files).await;
    assert_eq!(h.upstream.requests("/f/a.iso"), 0);
    assert_eq!(missing(&h, "r").await, 2);
    let progress = &task.progress["iso_importer"];
    assert_eq!(progress["num_isos"], json!(null));
    assert_eq!(progress["num_isos_finished"], 0);
    // The catalog follows the feed: no host, no password.
    let mut urls = Vec::new();
    for id in ids(&h, "r").await {
        urls.extend(
            h.engine
                .store
                .sources_of(id, "")
                .await
                .unwrap()
                .remove(0)
                .urls,
        );
    }
    urls.sort();
    assert_eq!(urls, ["a.iso", "b/c.iso"]);
    // A sync of the same adds nothing.
    h.sync("r").await;
    for id in ids(&h, "r").await {
        let sources = h.engine.store.sources_of(id, "").await;
        assert_eq!(sources.unwrap().len(), 1);
    }
    assert_eq!(missing(&h, "r").await, 2);
}

async fn a_thousand_clients_cause_one_request_upstream(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(600_000);
    mirrored(&h, "r", "/f/", &[("big.iso", &big)]).await;
    let slow = Fault::Slow {
        chunk: 60_000,
        every: Duration::from_millis(20),
    };
    h.upstream.fault("/f/big.iso", slow);
    let front = Front::of(&h.engine);
    let client = || async {
        let response = front.get("/pulp/isos/r/big.iso").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(length(&response), big.len());
        assert!(whole(response).await.unwrap() == big);
    };
    join_all((0..1000).map(|_| client())).await;
    complete(&h, "r").await;
    client().await;
    assert_eq!(h.upstream.requests("/f/big.iso"), 1);
    assert!(h.engine.blobs.contains(Sha256::of(&big)).await.unwrap());
    h.assert_no_leftovers().await;
}

async fn heads_and_ranges_are_answered_as_if_the_file_were_here(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(300_000);
    mirrored(&h, "r", "/f/", &[("big.iso", &big)]).await;
    let front = Front::of(&h.engine);
    let path = "/pulp/isos/r/big.iso";
    let head = front.ask(Method::HEAD, path, &[]).await;
    assert_eq!((head.status(), length(&head)), (StatusCode::OK, big.len()));
    let etag = head.headers()["etag"].to_str().unwrap().to_owned();
    let same = front
        .ask(Method::GET, path, &[("if-none-match", &etag)])
        .await;
    assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        h.upstream.requests("/f/big.iso"),
        0,
        "nobody asked for bytes"
    );
    let slow = Fault::Slow {
        chunk: 50_000,
        every: Duration::from_millis(10),
    };
    h.upstream.fault("/f/big.iso", slow);
    let ranges = [
        "bytes=250000-250009",
        "bytes=100-",
        "bytes=0-0,299999-",
        "bytes=400000-",
    ];
    let answers = join_all(ranges.map(|range| front.range(path, range))).await;
    let mut bodies = Vec::new();
    for (answer, status) in answers.into_iter().zip([206, 206, 206, 416]) {
        assert_eq!(answer.status(), status);
        bodies.push(whole(answer).await.unwrap());
    }
    assert!(bodies[0] == big[250_000..250_010] && bodies[1] == big[100..]);
    assert!(bodies[2].windows(2).any(|pair| pair == [big[0], b'\r']));
    let resumed = front
        .ask(
            Method::GET,
            path,
            &[("range", "bytes=7-"), ("if-range", &etag)],
        )
        .await;
    assert_eq!(resumed.status(), StatusCode::PARTIAL_CONTENT);
    assert!(whole(resumed).await.unwrap() == big[7..]);
    assert_eq!(h.upstream.requests("/f/big.iso"), 1);
}

async fn a_broken_or_lying_upstream_breaks_the_answer_and_leaves_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(300_000);
    mirrored(&h, "r", "/f/", &[("big.iso", &big)]).await;
    let front = Front::of(&h.engine);
    let faults = [
        Fault::WrongBytes,
        Fault::WeakCutAfter(200_000),
        Fault::CutAfter(0),
        Fault::NoLengthCutAfter(299_999),
        Fault::ContentLength(299_999),
        Fault::ContentLength(400_000),
        Fault::StallAfter(100_000),
        Fault::Endless,
        Fault::ChunkedGarbage,
        Fault::NotHttp,
    ];
    for fault in faults {
        h.upstream.fault("/f/big.iso", fault.clone());
        for range in ["bytes=0-", "bytes=0-99"] {
            let answer = front.range("/pulp/isos/r/big.iso", range).await;
            let status = answer.status();
            let body = whole(answer).await;
            let broken = status.is_server_error() || (status.is_success() && body.is_none());
            assert!(broken, "{fault:?} {range}: {status} {}", body.is_some());
        }
        assert_eq!(missing(&h, "r").await, 1, "{fault:?}");
        h.upstream.clear_faults("/f/big.iso");
    }
    h.assert_no_leftovers().await;
    let answer = front.get("/pulp/isos/r/big.iso").await;
    assert!(whole(answer).await.unwrap() == big);
}

async fn a_failure_before_the_first_byte_has_a_status(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    mirrored(&h, "r", "/f/", &[("a.iso", b"bytes")]).await;
    let front = Front::of(&h.engine);
    for (fault, status) in [
        (Fault::Status(404), 404),
        (Fault::Status(410), 404),
        (Fault::Status(403), 502),
        (Fault::Status(500), 502),
        (Fault::Status(503), 503),
        (Fault::Status(429), 503),
        (Fault::Hangup, 502),
        (Fault::ContentLength(9), 502),
        (Fault::StallBeforeHead, 504),
    ] {
        h.upstream.fault("/f/a.iso", fault.clone());
        let answer = front.get("/pulp/isos/r/a.iso").await;
        assert_eq!(answer.status(), status, "{fault:?}");
        h.upstream.clear_faults("/f/a.iso");
    }
}

/// Reads until at least `bytes` are there.
async fn read_some(
    body: &mut BoxStream<'static, Result<Bytes, axum::Error>>,
    bytes: usize,
) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < bytes {
        read.extend_from_slice(&body.try_next().await.unwrap().unwrap());
    }
    read
}

/// One file in two repositories, the second of which has a copy of it and was synced last.
async fn at_two_upstreams(h: &Harness, big: &[u8]) {
    mirrored(h, "good", "/good/", &[("big.iso", big)]).await;
    h.repository("bad", "iso", "/bad/", deferred()).await;
    copy(h, ("good", "bad"), json!({}), json!({})).await;
    put_files(&h.upstream, "/bad/", &[("big.iso", big)]);
    assert_eq!(h.sync("bad").await.state, TaskState::Finished);
    assert_eq!(ids(h, "good").await, ids(h, "bad").await);
}

async fn the_sources_of_the_repository_that_is_read_are_asked_first_and_alone(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(300_000);
    at_two_upstreams(&h, &big).await;
    let front = Front::of(&h.engine);
    let answer = front.get("/pulp/isos/good/big.iso").await;
    assert!(whole(answer).await.unwrap() == big);
    assert_eq!(h.upstream.requests("/bad/big.iso"), 0);
}

async fn nothing_of_anothers_source_leaves_before_it_is_verified(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(300_000);
    at_two_upstreams(&h, &big).await;
    h.upstream.fault("/good/big.iso", Fault::Status(404));
    h.upstream.put("/bad/big.iso", vec![b'E'; big.len()]);
    let slow = Fault::Slow {
        chunk: 30_000,
        every: Duration::from_millis(10),
    };
    h.upstream.fault("/bad/big.iso", slow);
    let front = Front::of(&h.engine);
    for range in ["bytes=0-", "bytes=0-9", "bytes=5-5,7-7"] {
        let answer = front.range("/pulp/isos/good/big.iso", range).await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY, "{range}");
    }
    assert!(h.upstream.requests("/bad/big.iso") > 0);
    // What is the file is passed on, once that is known.
    h.upstream.put("/bad/big.iso", big.clone());
    let answer = front.get("/pulp/isos/good/big.iso").await;
    assert!(whole(answer).await.unwrap() == big);
}

async fn what_one_feed_promised_is_kept_back_from_another_until_it_is_verified(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(300_000);
    mirrored(&h, "r", "/f/", &[("big.iso", &big)]).await;
    let elsewhere = pith_testkit::upstream::Upstream::start().await.unwrap();
    elsewhere.put("/f/big.iso", vec![b'E'; big.len()]);
    let slow = Fault::Slow {
        chunk: 30_000,
        every: Duration::from_millis(10),
    };
    elsewhere.fault("/f/big.iso", slow);
    let change = UpdateImporter {
        repo_id: "r".to_owned(),
        importer_id: "iso_importer".to_owned(),
        config: serde_json::from_value(json!({"feed": format!("{}/f/", elsewhere.url())})).unwrap(),
    };
    let task = h.ended(h.engine.enqueue(change).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let front = Front::of(&h.engine);
    for range in ["bytes=0-", "bytes=0-9"] {
        let answer = front.range("/pulp/isos/r/big.iso", range).await;
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY, "{range}");
    }
    elsewhere.put("/f/big.iso", big.clone());
    let answer = front.get("/pulp/isos/r/big.iso").await;
    assert!(whole(answer).await.unwrap() == big);
    assert_eq!(h.upstream.requests("/f/big.iso"), 0);
}

async fn another_source_goes_on_where_the_first_broke_off(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(900_000);
    at_two_upstreams(&h, &big).await;
    h.upstream
        .fault("/bad/big.iso", Fault::WeakCutAfter(700_000));
    let front = Front::of(&h.engine);
    let answer = front.get("/pulp/isos/bad/big.iso").await;
    assert!(whole(answer).await.unwrap() == big);
    assert!(h.upstream.requests("/bad/big.iso") > 0);
    assert_eq!(h.upstream.requests("/good/big.iso"), 1);
    complete(&h, "bad").await;
}

async fn another_source_with_other_bytes_cuts_off_who_has_the_first_ones(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(900_000);
    at_two_upstreams(&h, &big).await;
    h.upstream.fault("/bad/big.iso", Fault::WrongBytes);
    // The good one waits until the client has bytes of the bad one.
    let slow = Fault::Slow {
        chunk: 300_000,
        every: Duration::from_millis(300),
    };
    h.upstream.fault("/good/big.iso", slow);
    let front = Front::of(&h.engine);
    let answer = front.get("/pulp/isos/bad/big.iso").await;
    assert_eq!(answer.status(), StatusCode::OK);
    if let Some(body) = whole(answer).await {
        assert!(body == big, "nobody may get a mixture");
    }
    complete(&h, "good").await;
    assert!(
        whole(front.get("/pulp/isos/good/big.iso").await)
            .await
            .unwrap()
            == big
    );
}

async fn a_client_that_goes_away_does_not_stop_the_download(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(600_000);
    mirrored(&h, "r", "/f/", &[("big.iso", &big)]).await;
    let slow = Fault::Slow {
        chunk: 100_000,
        every: Duration::from_millis(50),
    };
    h.upstream.fault("/f/big.iso", slow);
    let front = Front::of(&h.engine);
    let (one, other) = (
        front.get("/pulp/isos/r/big.iso").await,
        front.get("/pulp/isos/r/big.iso").await,
    );
    let mut body: BoxStream<'static, _> = Box::pin(one.into_body().into_data_stream());
    assert!(big.starts_with(&read_some(&mut body, 1).await));
    drop(body);
    assert!(whole(other).await.unwrap() == big);
    drop(front.get("/pulp/isos/r/big.iso").await);
    complete(&h, "r").await;
    assert_eq!(h.upstream.requests("/f/big.iso"), 1);
}

async fn two_processes_may_fetch_the_same_file(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let big = text(200_000);
    mirrored(&h, "r", "/f/", &[("big.iso", &big)]).await;
    let other = h.another_process().await;
    let fronts = [Front::of(&h.engine), Front::of(&other)];
    let answers = join_all(fronts.iter().map(|front| async {
        whole(front.get("/pulp/isos/r/big.iso").await)
            .await
            .unwrap()
    }))
    .await;
    assert!(answers.iter().all(|body| *body == big));
    complete(&h, "r").await;
    assert!(h.upstream.requests("/f/big.iso") <= 2);
    other.store.close().await;
}

async fn without_an_importer_nothing_can_be_fetched(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    mirrored(&h, "r", "/f/", &[("a.iso", b"first")]).await;
    let front = Front::of(&h.engine);
    assert!(h.engine.store.importer_remove("r").await.unwrap());
    let answer = front.get("/pulp/isos/r/a.iso").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(h.upstream.requests("/f/a.iso"), 0);
}

async fn what_was_copied_can_be_fetched_when_its_source_is_gone(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let files: [(&str, &[u8]); 3] = [
        ("a.iso", b"first"),
        ("b.iso", b"second"),
        ("c.iso", b"third"),
    ];
    mirrored(&h, "r", "/f/", &files).await;
    h.repository("copy", "iso", "/other/", json!({})).await;
    let ab = json!({"filters": {"unit": {"name": {"$in": ["a.iso", "b.iso"]}}}});
    copy(&h, ("r", "copy"), ab, json!({})).await;
    h.publish("copy", "iso_distributor", Value::Null).await;
    // A token of the feed is in no entry, and goes with the importer.
    let feed = format!("{}/f/?secret", h.upstream.url());
    let change = UpdateImporter {
        repo_id: "r".to_owned(),
        importer_id: "iso_importer".to_owned(),
        config: serde_json::from_value(
            json!({"feed": feed, "basic_auth_username": "u", "basic_auth_password": "secret"}),
        )
        .unwrap(),
    };
    let delete = DeleteRepository {
        repo_id: "r".to_owned(),
    };
    let changed = h.ended(h.engine.enqueue(change).await.unwrap()).await;
    assert_eq!(changed.state, TaskState::Finished, "{changed:?}");
    let deleted = h.ended(h.engine.enqueue(delete).await.unwrap()).await;
    assert_eq!(deleted.state, TaskState::Finished, "{deleted:?}");
    let mut entries = 0;
    for id in ids(&h, "copy").await {
        for source in h.engine.store.sources_of(id, "").await.unwrap() {
            assert_eq!(source.repo_id, "");
            assert!(!source.urls.concat().contains("secret"), "{source:?}");
            entries += 1;
        }
    }
    assert_eq!(entries, 2);
    let front = Front::of(&h.engine);
    let answer = front.get("/pulp/isos/copy/a.iso").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(whole(answer).await.unwrap(), "first");
    // Where the feed wants credentials that nobody has any more, the log says so.
    h.upstream.fault("/f/b.iso", Fault::Status(403));
    let answer = front.get("/pulp/isos/copy/b.iso").await;
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let mut said = Vec::new();
    for id in ids(&h, "copy").await {
        let stored = h.engine.deferred_store(id, "copy").await;
        said.extend(stored.err().map(|why| why.to_string()));
    }
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("without credentials"), "{said:?}");
}
