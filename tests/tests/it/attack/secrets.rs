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
            "headers": "X-Auth: sesame",
        });
        scene.admin.create_rpm_with("paid", &importer).unwrap();
        let path = "/repositories/paid/importers/yum_importer/";
        let overriding = json!({"schedule": "P1D", "override_config": importer});
        let schedules = format!("{path}schedules/sync/");
        scene.admin_does("POST", &schedules, &overriding, 201);
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
