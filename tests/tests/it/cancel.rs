//! A cancel against the commit of a task: whichever comes first, the task's state says what happened.

use std::time::Duration;

use pith_e2e::tools::{Scatter, pause, rounds};
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::postgres;
use serde_json::{Value, json};

use crate::crash::{manifest, published};

/// The latest moment of a cancel, in microseconds: a sync of this size has ended then.
const LATEST: u64 = 120_000;

fn generation(number: usize) -> Vec<(String, Vec<u8>)> {
    let file = |file| {
        let text = format!("generation {number} of file {file}\n");
        (format!("file-{file}.bin"), text.into_bytes())
    };
    (0..5).map(file).collect()
}

/// What the repository has, as its manifest would say it.
fn content(api: &Api) -> Vec<String> {
    let line = |unit: &Value| {
        let data = &unit["metadata"];
        let text = |key: &str| data[key].as_str().unwrap().to_owned();
        format!("{},{},{}", text("name"), text("checksum"), data["size"])
    };
    let units = api.units("files", "iso").unwrap();
    let mut lines: Vec<String> = units.iter().map(line).collect();
    lines.sort();
    lines
}

fn entries(api: &Api, history: &str) -> usize {
    let path = format!("/repositories/files/history/{history}/?limit=100000");
    let all = api.get(&path).unwrap();
    let all = all.as_array().unwrap();
    all.iter()
        .filter(|entry| entry["result"] == "success")
        .count()
}

/// Starts a task, cancels it after `moment`, and tells whether it finished; otherwise it was cancelled.
fn finished(api: &Api, tasks: &[String], moment: Duration) -> bool {
    pause(moment);
    let path = format!("/tasks/{}/", tasks[0]);
    let answer = api.call("DELETE", &path, None).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = api.get(&path).unwrap()["state"].clone();
    let ended = api.wait(tasks).unwrap();
    let state = &ended[0]["state"];
    assert!(
        *state == "finished" || *state == "canceled",
        "{:#}",
        ended[0]
    );
    if told == "finished" || told == "canceled" {
        assert_eq!(told, *state, "an end that was told stays");
    }
    *state == "finished"
}

/// `PITH_TEST_ROUNDS` says how often.
fn the_state_says_what_happened(options: &[&str], seed: u64) {
    let (server, feed) = (Pith::start_with(options).unwrap(), Feed::start().unwrap());
    let api = server.api().unwrap();
    feed.put_files(&generation(0));
    api.create_files("files", &feed.url("/feed/")).unwrap();
    api.sync("files").unwrap();
    api.publish("files").unwrap();
    let (mut here, mut served) = (manifest(&generation(0)), manifest(&generation(0)));
    let mut moments = Scatter::new(seed);
    let mut won = [0, 0];
    for number in 1..=rounds(12) {
        feed.put_files(&generation(number));
        let before = entries(&api, "sync");
        let sync = api.spawn("/repositories/files/actions/sync/", &json!({}));
        let moment = Duration::from_micros(moments.below(LATEST));
        let did = finished(&api, &sync.unwrap(), moment);
        if did {
            here = manifest(&generation(number));
            won[0] += 1;
        }
        assert_eq!(content(&api), here, "round {number}: finished {did}");
        assert_eq!(entries(&api, "sync"), before + usize::from(did));

        let before = entries(&api, "publish/iso_distributor");
        let publish = api.spawn(
            "/repositories/files/actions/publish/",
            &json!({"id": "iso_distributor", "override_config": {"force_full": true}}),
        );
        let moment = Duration::from_micros(moments.below(LATEST / 2));
        let did = finished(&api, &publish.unwrap(), moment);
        if did {
            served.clone_from(&here);
            won[1] += 1;
        }
        assert_eq!(published(&api, "files"), served, "round {number}: {did}");
        let after = entries(&api, "publish/iso_distributor");
        assert_eq!(after, before + usize::from(did), "round {number}");
    }
    println!("syncs and publishes that came before their cancel: {won:?}");
}

#[test]
fn a_cancelled_task_changed_nothing_and_a_finished_one_all_on_sqlite() {
    the_state_says_what_happened(&[], 21);
}

#[test]
fn a_cancelled_task_changed_nothing_and_a_finished_one_all_on_postgres() {
    let Some(database) = postgres::database() else {
        return;
    };
    the_state_says_what_happened(&["--database", &database.url], 22);
}
