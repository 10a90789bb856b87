//! Files that a publication leaves out can be fetched for a day, and their space is given back after it.

use std::sync::Arc;

use axum::http::StatusCode;
use pith_core::task::TaskState;
use pith_core::{ManualClock, Sha256, SignedDuration};
use pith_engine::PUBLICATION_GRACE;
use pith_pulp::jobs::{DeleteOrphans, Orphans, Unassociate};
use serde_json::{Value, json};

use crate::deferred::{Front, mirrored, whole};
use crate::harness::{Harness, On, put_files};

crate::on_both!(
    a_file_that_was_left_out_is_served_for_a_day_and_then_its_space_is_given_back,
    a_file_that_never_came_can_still_be_fetched_while_its_grace_lasts,
    what_comes_back_or_changes_is_served_as_it_is_now,
);

async fn start(on: On) -> Option<(Harness, Arc<ManualClock>)> {
    let clock = Arc::new(ManualClock::new("2016-01-01T12:00:00Z".parse().unwrap()));
    let h = Harness::start_at(on, clock.clone()).await?;
    Some((h, clock))
}

fn later(clock: &ManualClock) {
    clock.advance(SignedDuration::from_secs(1));
}

/// Removes a file and publishes.
async fn leave_out(h: &Harness, clock: &ManualClock, name: &str) {
    later(clock);
    let job = Unassociate {
        repo_id: "r".to_owned(),
        criteria: json!({"filters": {"unit": {"name": name}}}),
    };
    h.ended(h.engine.enqueue(job).await.unwrap()).await;
    publish(h, clock).await;
}

async fn publish(h: &Harness, clock: &ManualClock) {
    later(clock);
    let task = h.publish("r", "iso_distributor", Value::Null).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_ne!(task.result["result"], "skipped", "{task:?}");
}

async fn a_file_that_was_left_out_is_served_for_a_day_and_then_its_space_is_given_back(on: On) {
    let Some((h, clock)) = start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"a"), ("b.iso", b"b")]);
    h.repository("r", "iso", "/f/", json!({})).await;
    h.sync("r").await;
    let other = Front::of(&h.another_process().await);
    let front = Front::of(&h.engine);
    let path = "/pulp/isos/r/a.iso";
    leave_out(&h, &clock, "a.iso").await;
    let orphans = DeleteOrphans {
        orphans: Orphans::All,
    };
    h.ended(h.engine.enqueue(orphans).await.unwrap()).await;
    let blob = Sha256::of(b"a");
    let day = PUBLICATION_GRACE;
    let sweep = async |expired| {
        let swept = h.engine.sweep_blobs(SignedDuration::ZERO).await.unwrap();
        assert_eq!(swept.expired, expired);
        (swept.in_grace.paths, swept.in_grace.bytes)
    };
    clock.advance(day - SignedDuration::from_secs(1));
    assert_eq!(sweep(0).await, (1, 1), "what only the grace holds");
    for front in [&front, &other] {
        let answer = front.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(whole(answer).await.unwrap(), "a");
    }
    let listing = front.get("/pulp/isos/r/").await;
    let listing = whole(listing).await.unwrap();
    assert!(!String::from_utf8_lossy(&listing).contains("a.iso"));
    later(&clock);
    assert_eq!(front.get(path).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(other.get(path).await.status(), StatusCode::NOT_FOUND);
    assert!(h.engine.blobs.contains(blob).await.unwrap());
    assert_eq!(sweep(1).await, (0, 0));
    assert!(!h.engine.blobs.contains(blob).await.unwrap());
    assert_eq!(
        front.get("/pulp/isos/r/b.iso").await.status(),
        StatusCode::OK
    );
}

async fn a_file_that_never_came_can_still_be_fetched_while_its_grace_lasts(on: On) {
    let Some((h, clock)) = start(on).await else {
        return;
    };
    let files: [(&str, &[u8]); 2] = [("a.iso", b"first"), ("b.iso", b"second")];
    mirrored(&h, "r", "/f/", &files).await;
    let front = Front::of(&h.engine);
    leave_out(&h, &clock, "a.iso").await;
    let answer = front.get("/pulp/isos/r/a.iso").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(whole(answer).await.unwrap(), "first");
    clock.advance(PUBLICATION_GRACE);
    let answer = front.get("/pulp/isos/r/a.iso").await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

async fn what_comes_back_or_changes_is_served_as_it_is_now(on: On) {
    let Some((h, clock)) = start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"one"), ("b.iso", b"b")]);
    h.repository("r", "iso", "/f/", json!({"remove_missing": true}))
        .await;
    h.sync("r").await;
    let front = Front::of(&h.engine);
    let served = async || {
        let answer = front.get("/pulp/isos/r/a.iso").await;
        whole(answer).await.unwrap()
    };
    leave_out(&h, &clock, "a.iso").await;
    assert_eq!(served().await, "one");
    put_files(&h.upstream, "/f/", &[("a.iso", b"two"), ("b.iso", b"b")]);
    later(&clock);
    h.sync("r").await;
    assert_eq!(served().await, "two");
    put_files(&h.upstream, "/f/", &[("a.iso", b"three"), ("b.iso", b"b")]);
    later(&clock);
    h.sync("r").await;
    assert_eq!(served().await, "three");
    leave_out(&h, &clock, "a.iso").await;
    assert_eq!(served().await, "three", "what was there last");
}
