//! Many who want the same thing at once: one of them gets it, and the others are told so before anything is made.

use std::collections::BTreeSet;
use std::sync::Barrier;

use pith_e2e::{Answer, Api, Feed, Pith};
use pith_testkit::postgres;
use serde_json::{Value, json};

/// Requests at once.
const CLIENTS: usize = 20;

/// Asks all servers in turn, all at the same moment.
fn at_once<T: Send>(servers: &[&Pith], ask: impl Fn(&Api, usize) -> T + Sync) -> Vec<T> {
    let gate = Barrier::new(CLIENTS);
    // Every process has the same administrator; only the first one has the password in its folder.
    let first = servers[0].api().unwrap();
    let apis: Vec<Api> = servers
        .iter()
        .map(|server| first.at(server.address()))
        .collect();
    std::thread::scope(|scope| {
        let client = |number: usize| {
            let (gate, ask, api) = (&gate, &ask, &apis[number % apis.len()]);
            scope.spawn(move || {
                gate.wait();
                ask(api, number)
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    })
}

fn distributor(kind: &str, path: &str) -> Value {
    let config = match kind {
        "yum_distributor" => json!({"http": true, "https": false, "relative_url": path}),
        _ => json!({"serve_http": true, "serve_https": false, "relative_url": path}),
    };
    json!({
        "distributor_id": kind,
        "distributor_type_id": kind,
        "distributor_config": config,
        "auto_publish": false,
    })
}

fn importer_of(kind: &str) -> &'static str {
    match kind {
        "yum_distributor" => "yum_importer",
        _ => "iso_importer",
    }
}

/// The number of the one that was accepted; all others were refused for the clash, in Pulp's words.
fn the_only_one(answers: Vec<Answer>) -> usize {
    let mut accepted = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        if answer.status == 201 {
            accepted.push(number);
            continue;
        }
        assert_eq!(answer.status, 400, "{}", answer.body);
        let text = answer.body["error_message"].as_str().unwrap();
        assert!(
            text.contains("conflicts with existing relative URL"),
            "{text}"
        );
    }
    assert_eq!(accepted.len(), 1, "accepted: {accepted:?}");
    accepted[0]
}

fn repositories(api: &Api) -> BTreeSet<String> {
    let all = api.get("/repositories/").unwrap();
    let all = all.as_array().unwrap();
    let id = |repository: &Value| repository["id"].as_str().unwrap().to_owned();
    all.iter().map(id).collect()
}

/// One path, or paths above and below each other, in new repositories, new distributors and changed ones.
fn one_gets_the_path(servers: &[&Pith]) {
    let (api, feed) = (servers[0].api().unwrap(), Feed::start().unwrap());
    for kind in ["yum_distributor", "iso_distributor"] {
        let id = |what: &str, number: usize| format!("{kind}-{what}-{number}");
        let wanted = |number: usize| match number % 2 {
            0 => "wanted/by",
            _ => "wanted/by/many",
        };
        let before = repositories(&api);
        let answers = at_once(servers, |api, number| {
            let repository = json!({
                "id": id("new", number),
                "importer_type_id": importer_of(kind),
                "importer_config": {"feed": feed.url("/feed/")},
                "distributors": [distributor(kind, wanted(number))],
            });
            api.call("POST", "/repositories/", Some(&repository))
                .unwrap()
        });
        let winner = id("new", the_only_one(answers));
        let mut now = before;
        now.insert(winner.clone());
        assert_eq!(repositories(&api), now, "nothing is left of the others");
        api.publish(&winner).unwrap();

        for number in 0..CLIENTS {
            let plain = json!({"id": id("old", number)});
            let made = api.call("POST", "/repositories/", Some(&plain)).unwrap();
            made.expect(201).unwrap();
        }
        let answers = at_once(servers, |api, number| {
            let path = format!("/repositories/{}/distributors/", id("old", number));
            let body = distributor(kind, "second");
            api.call("POST", &path, Some(&body)).unwrap()
        });
        let winner = id("old", the_only_one(answers));
        api.publish(&winner).unwrap();

        for number in 0..CLIENTS {
            let path = format!("/repositories/{}/distributors/", id("old", number));
            let body = distributor(kind, &format!("own-{number}"));
            let made = api.call("POST", &path, Some(&body)).unwrap();
            made.expect(201).unwrap();
        }
        let tasks: Vec<String> = at_once(servers, |api, number| {
            let path = format!("/repositories/{}/distributors/{kind}/", id("old", number));
            let body = json!({"distributor_config": {"relative_url": "third"}});
            let queued = api.call("PUT", &path, Some(&body)).unwrap();
            let queued = queued.expect(202).unwrap();
            queued["spawned_tasks"][0]["task_id"]
                .as_str()
                .unwrap()
                .to_owned()
        });
        let ended = api.wait(&tasks).unwrap();
        let finished = ended.iter().filter(|task| task["state"] == "finished");
        assert_eq!(finished.count(), 1, "{ended:#?}");
    }
}

/// One id, of anything that has one.
fn one_gets_the_id(servers: &[&Pith]) {
    for (path, body) in [
        ("/repositories/", json!({"id": "same"})),
        ("/repo_groups/", json!({"id": "same"})),
        ("/users/", json!({"login": "same", "password": "same"})),
        ("/roles/", json!({"role_id": "same"})),
    ] {
        let answers = at_once(servers, |api, _| {
            api.call("POST", path, Some(&body)).unwrap().status
        });
        let mut answers = answers;
        answers.sort_unstable();
        let mut expected = vec![409; CLIENTS];
        expected[0] = 201;
        assert_eq!(answers, expected, "{path}");
    }
}

#[test]
fn one_of_twenty_gets_a_path_or_an_id_on_sqlite() {
    let server = Pith::start().unwrap();
    one_gets_the_path(&[&server]);
    one_gets_the_id(&[&server]);
}

#[test]
fn one_of_twenty_gets_a_path_or_an_id_from_two_processes_on_postgres() {
    let Some(database) = postgres::database() else {
        return;
    };
    let storage = tempfile::tempdir().unwrap();
    let storage = format!("file://{}", storage.path().display());
    let options = ["--database", &database.url, "--storage", &storage];
    let first = Pith::start_with(&options).unwrap();
    let second = Pith::start_with(&options).unwrap();
    one_gets_the_path(&[&first, &second]);
    one_gets_the_id(&[&first, &second]);
}
