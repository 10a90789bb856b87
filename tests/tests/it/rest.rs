//! A day of an old client: the calls that scripts make, in the order in which they make them.

use pith_e2e::tools::sample_repo;
use pith_e2e::{Api, Feed, Pith};
use serde_json::json;

#[test]
fn a_script_creates_syncs_publishes_searches_and_reads_history() {
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();

    let status = api.get("/status/").unwrap();
    assert!(
        status["api_version"].is_string() || status["versions"].is_object(),
        "{status}"
    );

    let created = api.create_rpm("walk", &feed.url("/feed/")).unwrap();
    assert_eq!(created["_href"], "/pulp/api/v2/repositories/walk/");
    let again = json!({"id": "walk"});
    let conflict = api
        .call("POST", "/repositories/", Some(&again))
        .unwrap()
        .expect(409)
        .unwrap();
    assert_eq!(conflict["error"]["code"], "PLP0018");

    let sync = api.sync("walk").unwrap();
    assert_eq!(
        sync["tags"],
        json!(["pulp:repository:walk", "pulp:action:sync"])
    );
    assert_eq!(sync["result"]["result"], "success", "{sync:#}");
    let repository = api.get("/repositories/walk/").unwrap();
    assert_eq!(repository["content_unit_counts"]["rpm"], 10);
    assert_eq!(repository["content_unit_counts"]["erratum"], 1);
    assert_eq!(repository["content_unit_counts"]["package_group"], 1);

    search(&api);
    history(&api);

    api.call("DELETE", "/repositories/walk/", None)
        .unwrap()
        .expect(202)
        .unwrap();
    let gone = pith_e2e::tools::wait_for("the repository to be gone", || {
        let answer = api.call("GET", "/repositories/walk/", None)?;
        Ok((answer.status == 404).then_some(answer.body))
    });
    assert_eq!(gone.unwrap()["http_status"], 404);
}

fn search(api: &Api) {
    let criteria = json!({"criteria": {
        "type_ids": ["rpm"],
        "filters": {"unit": {"name": {"$regex": "^greet"}, "version": {"$in": ["1.0", "1.2"]}}},
        "sort": {"unit": [["name", "ascending"], ["version", "descending"]]},
        "fields": {"unit": ["name", "version"]},
    }});
    let path = "/repositories/walk/search/units/";
    let units = api
        .call("POST", path, Some(&criteria))
        .unwrap()
        .expect(200)
        .unwrap();
    let found: Vec<(&str, &str)> = units
        .as_array()
        .unwrap()
        .iter()
        .map(|unit| {
            let metadata = &unit["metadata"];
            (
                metadata["name"].as_str().unwrap(),
                metadata["version"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("greet", "1.2"),
            ("greet", "1.0"),
            ("greet-messages", "1.0")
        ]
    );

    let criteria = json!({"criteria": {"filters": {"name": "tea-timer"}}});
    let path = "/content/units/rpm/search/";
    let units = api
        .call("POST", path, Some(&criteria))
        .unwrap()
        .expect(200)
        .unwrap();
    assert_eq!(units[0]["epoch"], "1");
    assert_eq!(units[0]["_content_type_id"], "rpm");
}

fn history(api: &Api) {
    api.publish("walk").unwrap();
    let syncs = api.get("/repositories/walk/history/sync/").unwrap();
    assert_eq!(syncs.as_array().unwrap().len(), 1);
    assert_eq!(syncs[0]["result"], "success");
    assert_eq!(syncs[0]["added_count"].as_u64(), Some(12), "{}", syncs[0]);

    let distributor = api.distributor("walk").unwrap();
    let publishes = api
        .get(&format!(
            "/repositories/walk/history/publish/{distributor}/"
        ))
        .unwrap();
    assert_eq!(publishes.as_array().unwrap().len(), 1);
    assert_eq!(publishes[0]["result"], "success");
}

#[test]
fn nobody_gets_in_without_the_password() {
    let server = Pith::start().unwrap();
    let address = server
        .url("")
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    for api in [Api::new(address, None), Api::new(address, Some("admin"))] {
        let refused = api.call("GET", "/repositories/", None).unwrap();
        assert_eq!(refused.status, 401, "{}", refused.body);
    }
}

#[test]
fn the_first_password_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let server = Pith::start().unwrap();
    let status = std::fs::metadata(server.data().join("admin-password")).unwrap();
    assert_eq!(status.permissions().mode() & 0o777, 0o600);
}
