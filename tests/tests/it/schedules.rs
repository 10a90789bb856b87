//! Work that is scheduled happens without anybody asking, also after a crash.

use pith_e2e::tools::wait_for;
use pith_e2e::{Feed, Pith};
use serde_json::json;

#[test]
fn a_schedule_that_became_due_while_the_server_was_down_syncs_once_it_is_back() {
    let feed = Feed::start().unwrap();
    feed.put_files(&[("a.bin".into(), b"aaa".to_vec())]);
    let mut server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_files("files", &feed.url("/feed/")).unwrap();
    let path = "/repositories/files/importers/iso_importer/schedules/sync/";
    let body = json!({"schedule": "R1/2016-01-01T00:00:00Z/P1D", "enabled": false});
    let schedule = api.call("POST", path, Some(&body)).unwrap();
    let schedule = schedule.expect(201).unwrap();
    let one = format!("{path}{}/", schedule["_id"].as_str().unwrap());
    let on = json!({"enabled": true});
    api.call("PUT", &one, Some(&on))
        .unwrap()
        .expect(200)
        .unwrap();
    server.kill().unwrap();
    server.start_again().unwrap();
    wait_for("the scheduled sync", || {
        let history = api.get("/repositories/files/history/sync/")?;
        Ok(history
            .as_array()
            .is_some_and(|entries| !entries.is_empty())
            .then_some(()))
    })
    .unwrap();
    let after = api.get(&one).unwrap();
    assert_eq!(after["total_run_count"], 1);
    assert_eq!(after["enabled"], false, "its one run is over");
    assert_eq!(api.units("files", "iso").unwrap().len(), 1);
}
