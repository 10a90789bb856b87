//! Secrets of importers, sent to where somebody else likes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use super::{Scene, ended};

/// A server that answers nothing but 404, and what it is sent.
fn listener() -> (String, u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            let _ = stream.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            if heard
                .send(String::from_utf8_lossy(&head).into_owned())
                .is_err()
            {
                return;
            }
        }
    });
    (format!("http://{address}/"), address.port(), hears)
}

#[test]
fn stored_secrets_go_to_no_feed_or_proxy_that_somebody_else_names() {
    Scene::on_each_database(|scene| {
        let (feed, _, hears_feed) = listener();
        let importer = json!({
            "feed": feed.replace("http://", "http://bob:sesame@"), "query_auth_token": "T0KEN",
            "proxy_host": null,
        });
        scene.admin.create_rpm_with("paid", &importer).unwrap();
        let eve = scene.user(
            "eve",
            &[("/v2/repositories/paid/", &["READ", "UPDATE", "EXECUTE"])],
        );
        let (evil, port, hears) = listener();
        let sync = "/repositories/paid/actions/sync/";
        for overriding in [
            json!({"feed": evil}),
            json!({"proxy_host": "http://127.0.0.1", "proxy_port": port}),
            json!({"proxy_host": evil}),
            json!({"feed": evil, "auth_sites": [evil]}),
        ] {
            let body = json!({"override_config": overriding});
            ended(&eve, &scene.admin, "POST", sync, &body);
            let heard: Vec<String> = hears.try_iter().collect();
            assert!(!heard.is_empty(), "{overriding}: nothing was asked");
            for request in heard {
                let lower = request.to_ascii_lowercase();
                assert!(
                    !lower.contains("authorization") && !request.contains("T0KEN"),
                    "{overriding}: {request}"
                );
            }
        }
        // Nor do they when the settings are changed, by whoever does not know them.
        let path = "/repositories/paid/importers/yum_importer/";
        for changes in [
            json!({"feed": evil}),
            json!({"proxy_host": evil}),
            json!({"auth_sites": [evil]}),
            json!({"feed": evil, "basic_auth_password": "*****"}),
        ] {
            let body = json!({"importer_config": changes});
            let task = ended(&eve, &scene.admin, "PUT", path, &body);
            assert_eq!(task["state"], "error", "{changes}");
            assert!(
                task["error"].to_string().contains("basic_auth_password"),
                "{task}"
            );
        }
        // The same in an override that a schedule keeps.
        let schedules = format!("{path}schedules/sync/");
        let kept =
            json!({"feed": feed, "basic_auth_username": "bob", "basic_auth_password": "sesame"});
        let made = json!({"schedule": "P1D", "override_config": kept});
        let schedule = scene.admin_does("POST", &schedules, &made, 201);
        let schedule = format!("{schedules}{}/", schedule["_id"].as_str().unwrap());
        let masked =
            json!({"feed": evil, "basic_auth_username": "bob", "basic_auth_password": "*****"});
        let body = json!({"override_config": masked});
        assert_eq!(eve.call("PUT", &schedule, Some(&body)).unwrap().status, 400);
        // Whoever gives others may, and the feed itself gets its own.
        let own = json!({"feed": evil, "basic_auth_username": "eve", "basic_auth_password": "mine", "query_auth_token": "T0"});
        let body = json!({"override_config": own});
        ended(&eve, &scene.admin, "POST", sync, &body);
        let heard: Vec<String> = hears.try_iter().collect();
        assert!(
            heard
                .iter()
                .all(|request| request.contains("authorization: Basic ZXZlOm1pbmU=")),
            "{heard:?}"
        );
        hears_feed.try_iter().for_each(drop);
        ended(&eve, &scene.admin, "POST", sync, &json!({}));
        let heard: Vec<String> = hears_feed.try_iter().collect();
        assert!(!heard.is_empty());
        assert!(
            heard
                .iter()
                .all(|request| request.contains("?T0KEN") && request.contains("Ym9iOnNlc2FtZQ==")),
            "{heard:?}"
        );
    });
}

#[test]
fn no_answer_shows_a_password_or_token() {
    Scene::on_each_database(|scene| {
        let importer = json!({
            "feed": "http://bob:sesame@127.0.0.1:9/p?t0ken", "proxy_host": "http://pb:sesame@127.0.0.1:9/",
            "headers": "X-Auth: sesame", "api_key": "sesame", "nested": {"list": [{"password": "sesame"}]},
            "mirrors": ["http://u:sesame@127.0.0.1:9/"],
        });
        scene.admin.create_rpm_with("paid", &importer).unwrap();
        let path = "/repositories/paid/importers/yum_importer/";
        let overriding = json!({"schedule": "P1D", "override_config": importer});
        let schedules = format!("{path}schedules/sync/");
        scene.admin_does("POST", &schedules, &overriding, 201);
        let distributor = scene.admin.distributor("paid").unwrap();
        let publishes = format!("/repositories/paid/distributors/{distributor}/schedules/publish/");
        scene.admin_does("POST", &publishes, &overriding, 201);
        ended(
            &scene.admin,
            &scene.admin,
            "POST",
            "/repositories/paid/actions/sync/",
            &json!({"override_config": importer}),
        );
        let shown = scene.admin.get(path).unwrap();
        let all = [
            shown.clone(),
            scene.admin.get(&schedules).unwrap(),
            scene.admin.get(&publishes).unwrap(),
            scene.admin.get("/repositories/paid/?details=true").unwrap(),
            scene.admin.get("/repositories/paid/history/sync/").unwrap(),
            scene.admin.get("/tasks/").unwrap(),
        ];
        for document in all {
            let text = document.to_string();
            assert!(
                !text.contains("sesame") && !text.contains("t0ken"),
                "{text}"
            );
        }
        // What was shown may come back, and changes nothing.
        assert_eq!(
            shown["config"]["proxy_host"],
            "http://pb:*****@127.0.0.1:9/"
        );
        let body = json!({"importer_config": shown["config"]});
        let task = ended(&scene.admin, &scene.admin, "PUT", path, &body);
        assert_eq!(task["result"]["config"], shown["config"]);
    });
}

/// Bytes of the database, wherever they are.
fn at_rest(scene: &Scene) -> Vec<u8> {
    match &scene._database {
        None => ["pith.db", "pith.db-wal"]
            .iter()
            .flat_map(|name| std::fs::read(scene.server.data().join(name)).unwrap_or_default())
            .collect(),
        Some(database) => database.dump().unwrap(),
    }
}

#[test]
fn the_database_has_no_secret_in_the_clear_and_no_other_key_opens_it() {
    Scene::on_each_database(|scene| {
        let secrets = json!({
            "feed": "http://127.0.0.1:9/?sesame-query", "basic_auth_username": "bob",
            "basic_auth_password": "sesame-password", "proxy_host": "http://p:sesame-proxy@127.0.0.1:9",
            "api_key": "sesame-key", "nested": {"list": [{"password": "sesame-deep"}]},
            "mirrors": ["http://u:sesame-mirror@127.0.0.1:9/"],
        });
        scene.admin.create_rpm_with("paid", &secrets).unwrap();
        let importer = "/repositories/paid/importers/yum_importer/";
        let schedule = json!({"schedule": "P1D", "override_config": secrets});
        scene.admin_does(
            "POST",
            &format!("{importer}schedules/sync/"),
            &schedule,
            201,
        );
        ended(
            &scene.admin,
            &scene.admin,
            "PUT",
            importer,
            &json!({"importer_config": secrets}),
        );
        let body = json!({"override_config": secrets});
        ended(
            &scene.admin,
            &scene.admin,
            "POST",
            "/repositories/paid/actions/sync/",
            &body,
        );
        let stored = at_rest(scene);
        let has = |text: &[u8]| stored.windows(text.len()).any(|at| at == text);
        assert!(has(b"pith-sealed:1:") && has(b"paid"));
        assert!(!has(b"sesame"));
    });
}

#[test]
fn a_key_that_is_lost_stops_the_start_and_loses_nothing() {
    let mut server = pith_e2e::Pith::start().unwrap();
    let (feed, _, hears) = listener();
    let api = server.api().unwrap();
    let importer = json!({"feed": feed.replace("http://", "http://bob:sesame@")});
    api.create_rpm_with("paid", &importer).unwrap();
    server.kill().unwrap();
    let (key, away) = (
        server.data().join("secrets.key"),
        server.data().join("away"),
    );
    std::fs::copy(&key, &away).unwrap();
    for other in [
        None,
        Some(format!("pith-secrets-key:1:{}\n", "00".repeat(32))),
    ] {
        std::fs::remove_file(&key).unwrap();
        if let Some(other) = &other {
            std::fs::write(&key, other).unwrap();
        }
        assert!(server.start_again().is_err());
        let said = server.log().unwrap();
        assert!(
            said.lines().last().unwrap().contains("--secrets-key"),
            "{said}"
        );
        std::fs::copy(&away, &key).unwrap();
    }
    server.start_again().unwrap();
    let path = "/repositories/paid/actions/sync/";
    ended(&api, &api, "POST", path, &json!({}));
    assert!(
        hears
            .try_iter()
            .any(|request| request.contains("Ym9iOnNlc2FtZQ=="))
    );
}
