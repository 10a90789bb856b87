//! Whoever may log in, or tries to, takes no more memory and time than others leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pith_e2e::wire::get_from;
use pith_e2e::{Api, Pith};
use serde_json::{Value, json};

use super::Scene;

/// The most memory that a server of these tests may take, in MiB. It was built without optimisation.
const MEMORY: u64 = 300;

/// The answer that somebody gets who logs in from `127.0.0.host`.
fn login(server: &Pith, host: u8, user: &str, password: &str) -> (u16, Value) {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    let line = format!("Authorization: Basic {credentials}\r\n");
    let path = "/pulp/api/v2/repositories/";
    let (status, body) = get_from(host, server.address(), path, &line).unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

/// Does `attack` on several threads again and again for as long as `meanwhile` takes.
fn under(attack: impl Fn() + Sync, threads: usize, meanwhile: impl FnOnce()) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    attack();
                }
            });
        }
        // Also when it fails: the others are waited for.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(meanwhile));
        over.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn a_flood_of_wrong_passwords_keeps_nobody_else_out() {
    Scene::on_each_database(|scene| {
        let (server, password) = (&scene.server, scene.server.password().unwrap());
        scene.user("ann", &[]);
        let right = |host| login(server, host, "admin", &password).0;
        assert_eq!(right(1), 200);
        let guess = |host, user| login(server, host, user, "wrong");
        let guesser = Api::of(server.address(), Some(("admin", "wrong")));
        under(
            || drop(guesser.call("GET", "/repositories/", None)),
            8,
            || {
                // Where they are guessed, further guesses are refused for a while…
                let refused = std::iter::repeat_with(|| guess(1, "admin"));
                let (_, body) = { refused }.find(|(status, _)| *status == 429).unwrap();
                assert_eq!(body["http_status"], 429);
                assert_eq!(body["error"]["code"], "PLP0000");
                // …and elsewhere the right password counts, also one that was not used yet.
                assert_eq!(right(9), 200);
                let (_, body) = login(server, 9, "ann", "secret");
                assert_eq!(
                    body["error"]["code"], "PLP0026",
                    "recognised, without that right"
                );
                assert_eq!(guess(9, "admin").0, 401);
                // Whoever was recognised before is so again, also there.
                assert_eq!(right(1), 200);
            },
        );
        let log = server.log().unwrap();
        assert!(log.contains("a login failed") && log.contains("127.0.0.9"));
    });
}

#[test]
fn failed_logins_are_logged_without_passwords_and_in_one_line() {
    let server = Pith::start().unwrap();
    let (status, _) = login(&server, 9, "eve\n\u{1b}[2J forged", "hunter2-wrong");
    assert_eq!(status, 401);
    let log = server.log().unwrap();
    let mut lines = log.lines().filter(|line| line.contains("a login failed"));
    let line = lines.next().unwrap();
    assert!(line.contains("127.0.0.9"), "{line}");
    assert!(line.contains(r"eve\n\u{1b}[2J forged"), "{line}");
    assert!(!log.contains("hunter2-wrong"));
}

#[test]
fn passwords_that_are_set_all_at_once_cost_what_few_do() {
    Scene::on_each_database(|scene| {
        let ann = scene.user("ann", &[("/v2/users/ann/", &["UPDATE"])]);
        let set = |by: &Api| {
            let body = json!({"delta": {"password": "secret"}});
            by.call("PUT", "/users/ann/", Some(&body)).unwrap().status
        };
        let statuses: Vec<u16> = thread::scope(|scope| {
            let all: Vec<_> = (0..40).map(|_| scope.spawn(|| set(&ann))).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(statuses.contains(&200));
        assert!(
            statuses.iter().all(|status| matches!(status, 200 | 429)),
            "{statuses:?}"
        );
        let memory = scene.server.peak_memory().unwrap();
        assert!(memory < MEMORY, "{memory} MiB");
    });
}

#[test]
fn bodies_of_many_values_cost_little_memory_and_little_of_them_comes_back() {
    Scene::on_each_database(|scene| {
        let ann = scene.user("ann", &[("/v2/users/ann/", &["UPDATE"])]);
        let objects = format!(r#"{{"delta":[{}{{}}]}}"#, r#"{"":0},"#.repeat(740_000));
        let keys: Vec<String> = (0..100_000)
            .map(|n| format!(r#""unknown-{n}":0"#))
            .collect();
        let keys = format!(r#"{{"delta":{{{}}}}}"#, keys.join(","));
        thread::scope(|scope| {
            for body in [&objects, &keys].repeat(8) {
                scope.spawn(|| {
                    let answer = ann.put("/users/ann/", body.as_bytes()).unwrap();
                    assert_eq!(answer.status, 400);
                    assert!(answer.body.to_string().len() < 300_000);
                });
            }
            let (status, _) = get_from(9, scene.server.address(), "/livez", "").unwrap();
            assert_eq!(status, 200);
        });
        let memory = scene.server.peak_memory().unwrap();
        assert!(memory < MEMORY, "{memory} MiB");
    });
}

#[test]
fn criteria_that_sort_or_compare_without_measure_are_refused() {
    Scene::on_each_database(|scene| {
        let search = |criteria: &Value| {
            let path = "/repositories/theirs/search/units/";
            let body = json!({ "criteria": criteria });
            scene.admin.call("POST", path, Some(&body)).unwrap()
        };
        let sort = vec![json!(["description", "ascending"]); 200];
        let refused = search(&json!({"type_ids": ["rpm"], "sort": {"unit": sort}}));
        assert_eq!(refused.status, 400);
        let few = vec![json!(["description", "ascending"]); 10];
        assert_eq!(
            search(&json!({"type_ids": ["rpm"], "sort": {"unit": few}})).status,
            200
        );
        // Each of many conditions looks at each of many values: one search is refused, and the next is served.
        let digits: Vec<Value> = (0..9000)
            .map(|n| json!({"files.file": {"$regex": format!("{n}$")}}))
            .collect();
        let many: Vec<Value> = digits.iter().take(150).cloned().collect();
        assert_eq!(
            search(&json!({"type_ids": ["rpm"], "filters": {"unit": {"$or": many}}})).status,
            200
        );
        assert_eq!(
            search(&json!({"type_ids": ["rpm"], "filters": {"unit": {"$or": digits}}})).status,
            400
        );
    });
}

#[test]
fn answers_take_no_more_memory_than_there_is_for_all_and_leave_room_for_small_ones() {
    Scene::on_each_database(|scene| {
        let notes = json!({"text": "x".repeat(3 << 20)});
        for number in 0..16 {
            let body = json!({"id": format!("fat-{number:02}"), "notes": notes});
            scene.admin_does("POST", "/repositories/", &body, 201);
        }
        let eve = scene.user("eve", &[("/v2/repositories/", &["READ"])]);
        let list = || {
            eve.call("GET", "/repositories/", None)
                .map(|answer| answer.status)
        };
        let some = json!({"criteria": {"filters": {"id": {"$in": ["fat-01", "fat-02"]}}}});
        thread::scope(|scope| {
            let all: Vec<_> = (0..6).map(|_| scope.spawn(list)).collect();
            // Whoever asks for little gets it meanwhile.
            let found = scene
                .admin
                .call("POST", "/repositories/search/", Some(&some))
                .unwrap();
            assert_eq!(
                (found.status, found.body.as_array().unwrap().len()),
                (200, 2)
            );
            for one in all {
                assert_eq!(one.join().unwrap().unwrap(), 503);
            }
        });
        let ids = json!({"criteria": {"fields": ["id"], "limit": 2}});
        let found = scene
            .admin
            .call("POST", "/repositories/search/", Some(&ids))
            .unwrap();
        assert_eq!(
            (found.status, found.body.as_array().unwrap().len()),
            (200, 2)
        );
        let memory = scene.server.peak_memory().unwrap();
        assert!(memory < MEMORY, "{memory} MiB");
    });
}

#[test]
fn settings_that_grow_by_pieces_end_before_they_are_in_the_way_of_others() {
    Scene::on_each_database(|scene| {
        let body = |id: &str| {
            json!({"id": id, "importer_type_id": "python_importer", "distributors": [{
                "distributor_id": "d", "distributor_type_id": "python_distributor", "distributor_config": {},
            }]})
        };
        scene.admin_does("POST", "/repositories/", &body("mine"), 201);
        let all: &[&str] = &["CREATE", "READ", "UPDATE"];
        let mallory = scene.user("mallory", &[("/v2/repositories/mine/", all)]);
        let long = "x".repeat(1_500_000);
        let state = |task: &Value| task["state"].as_str().unwrap().to_owned();
        let grow = |path: &str, what: &str| {
            let mut states = Vec::new();
            for number in 0..4 {
                let body = json!({what: {(format!("k{number}")): long}});
                let task = super::ended(&mallory, &scene.admin, "PUT", path, &body);
                states.push(state(&task));
            }
            assert_eq!(states, ["finished", "finished", "error", "error"], "{path}");
        };
        grow("/repositories/mine/distributors/d/", "distributor_config");
        grow(
            "/repositories/mine/importers/python_importer/",
            "importer_config",
        );
        let statuses = (0..4).map(|number| {
            let body = json!({"delta": {"notes": {(format!("k{number}")): long}}});
            let answer = mallory.call("PUT", "/repositories/mine/", Some(&body));
            answer.unwrap().status
        });
        assert_eq!(statuses.collect::<Vec<_>>(), [200, 200, 400, 400]);
        // Nor by many of them.
        let statuses = (0..6).map(|number| {
            let body = json!({
                "distributor_id": format!("more{number}"), "distributor_type_id": "python_distributor",
                "distributor_config": {"k": long},
            });
            let answer = mallory.call("POST", "/repositories/mine/distributors/", Some(&body));
            answer.unwrap().status
        });
        let refused = statuses.filter(|status| *status == 400).count();
        assert!(refused >= 3, "{refused}");
        scene.admin_does("POST", "/repositories/", &body("other"), 201);
        let listed = scene.admin.call("GET", "/repositories/?details=true", None);
        assert_eq!(listed.unwrap().status, 200);
    });
}
