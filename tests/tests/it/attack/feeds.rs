//! Feeds that take their time: they hold nobody but those who sync them, and those not for ever.

use pith_e2e::Feed;
use pith_e2e::feed::Fault;
use pith_e2e::tools::{sample_repo, wait_for};
use serde_json::json;

use super::Scene;

/// Repositories whose feed sends a few bytes and then nothing.
fn stalled(scene: &Scene, feed: &Feed, count: usize) -> Vec<String> {
    let repomd = "/feed/repodata/repomd.xml";
    feed.misbehave(repomd, Fault::StallAfter(20));
    let start = |number| {
        let id = format!("slow{number}");
        // Nothing but the server's own limits ends the wait.
        let settings = json!({"feed": feed.url("/feed/"), "read_timeout": 3600});
        scene.admin.create_rpm_with(&id, &settings).unwrap();
        let path = format!("/repositories/{id}/actions/sync/");
        scene.admin.spawn(&path, &json!({})).unwrap()
    };
    let tasks = (0..count).flat_map(start).collect();
    feed.wait_for_requests(repomd, count.min(2)).unwrap();
    tasks
}

#[test]
fn a_publish_starts_while_every_worker_waits_for_a_slow_feed() {
    Scene::on_each_database_with(&["--workers", "2"], |scene| {
        let feed = Feed::of(&sample_repo()).unwrap();
        let tasks = stalled(scene, &feed, 3);
        scene.admin.publish("theirs").unwrap();
        for task in tasks {
            let path = format!("/tasks/{task}/");
            scene.admin.call("DELETE", &path, None).unwrap();
        }
    });
}

#[test]
fn a_sync_ends_when_its_time_is_up_and_says_which_limit_it_was() {
    for (option, named) in [
        ("--feed-task-timeout", "--feed-task-timeout"),
        ("--feed-file-timeout", "--feed-file-timeout"),
    ] {
        let scene = Scene::start(None, &[option, "5s"]);
        let feed = Feed::of(&sample_repo()).unwrap();
        let tasks = stalled(&scene, &feed, 1);
        let ended = scene.admin.wait(&tasks).unwrap().remove(0);
        let said = ended["error"].to_string();
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn a_task_whose_process_died_twice_waits_and_lets_others_go_on() {
    let mut scene = Scene::start(None, &[]);
    let feed = Feed::of(&sample_repo()).unwrap();
    let task = stalled(&scene, &feed, 1).remove(0);
    let repomd = "/feed/repodata/repomd.xml";
    scene.server.kill().unwrap();
    scene.server.start_again().unwrap();
    // Whoever kills it once may be its operator: the task goes on.
    feed.wait_for_requests(repomd, 2).unwrap();
    scene.server.kill().unwrap();
    scene.server.start_again().unwrap();
    let admin = scene.server.api().unwrap();
    let found = wait_for("the task in the queue", || {
        let found = admin.get(&format!("/tasks/{task}/"))?;
        Ok((found["state"] == "waiting").then_some(found))
    });
    assert_eq!(found.unwrap()["state"], "waiting");
    admin.publish("theirs").unwrap();
    assert_eq!(feed.requests_for(repomd), 2);
    let log = scene.server.log().unwrap();
    assert!(log.contains("took over lost tasks"), "{log}");
}
