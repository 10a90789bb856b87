//! The network that the server is in, looked into through feeds.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use pith_e2e::Feed;
use pith_e2e::feed::Fault;
use serde_json::json;

use super::{Forged, Scene, ended, fetched, forge};

#[test]
fn nothing_of_an_inner_host_that_a_document_names_reaches_clients() {
    Scene::on_each_database(|scene| {
        let (feed, inner) = (Feed::start().unwrap(), Feed::start().unwrap());
        let secret = b"internal only ".repeat(100);
        inner.replace("/config.json", &secret);
        let slow = Fault::Slow {
            chunk: 100,
            every: Duration::from_millis(20),
        };
        inner.misbehave("/config.json", slow);
        let digest = "ab".repeat(32);
        // Even with the right size: that can be found out.
        let package = |size| Forged {
            sha256: &digest,
            size,
            base: "",
            href: "config.json",
        };
        forge(&feed, "/listed/", &package(None));
        feed.replace(
            "/list",
            format!("{}\n{}\n", feed.url("/listed/"), inner.url("/")).as_bytes(),
        );
        let based = Forged {
            base: &inner.url("/"),
            ..package(Some(secret.len()))
        };
        forge(&feed, "/based/", &based);
        for (number, path) in ["/list", "/based/"].iter().enumerate() {
            let id = format!("up{number}");
            let importer = json!({"feed": feed.url(path), "download_policy": "on_demand"});
            scene.admin.create_rpm_with(&id, &importer).unwrap();
            scene.admin.sync(&id).unwrap();
            scene.admin.publish(&id).unwrap();
            let url = scene
                .server
                .url(&format!("/pulp/repos/{id}/Packages/c/config.json"));
            for range in [None, Some("bytes=0-9"), Some("bytes=1-2,5-6")] {
                let (status, body) = fetched(&url, range);
                let body = String::from_utf8_lossy(&body).into_owned();
                assert!(
                    !body.contains("in") && status == 502,
                    "{path} {range:?}: {status} {body}"
                );
            }
            let asked = inner.requests_for("/config.json");
            assert!(asked > 0, "it was not tried");
        }
    });
}

#[test]
fn feeds_on_this_machine_and_in_private_networks_take_a_setting() {
    let scene = Scene::start(None, &["--allow-private-feeds"]);
    drop(scene);
    let server = pith_e2e::Pith::start_with(&["--allow-private-feeds=false"]).unwrap();
    let (api, feed) = (server.api().unwrap(), Feed::start().unwrap());
    for inner in [
        feed.url("/"),
        "http://10.1.2.3/".to_owned(),
        "http://[::1]/".to_owned(),
    ] {
        let refused = api.create_rpm("r", &inner).unwrap_err().to_string();
        assert!(refused.contains("--allow-private-feeds"), "{refused}");
    }
    let named = feed.url("/").replace("127.0.0.1", "localhost");
    api.create_rpm("r", &named).unwrap();
    let refused = api.sync("r").unwrap_err().to_string();
    assert!(refused.contains("--allow-private-feeds"), "{refused}");
    assert_eq!(feed.requests(), 0);
}

#[test]
fn no_proxy_leads_to_this_machine_where_feeds_must_not() {
    let server = pith_e2e::Pith::start_with(&["--allow-private-feeds=false"]).unwrap();
    let api = server.api().unwrap();
    api.create_rpm("r", "http://example.invalid/").unwrap();
    let inner = TcpListener::bind("127.0.0.1:0").unwrap();
    inner.set_nonblocking(true).unwrap();
    let port = inner.local_addr().unwrap().port();
    for scheme in ["http", "https", "socks4", "socks4a", "socks5", "socks5h"] {
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
            let proxy = format!("{scheme}://{host}");
            let overriding = json!({"proxy_host": proxy, "proxy_port": port});
            let body = json!({"override_config": overriding});
            let _ = api.run("/repositories/r/actions/sync/", &body);
            assert!(inner.accept().is_err(), "{proxy}");
        }
    }
}

#[test]
fn errors_tell_super_users_alone_what_inner_hosts_have() {
    Scene::on_each_database(|scene| {
        let feed = Feed::start().unwrap();
        scene
            .admin
            .create_rpm("own", "http://127.0.0.1:9/")
            .unwrap();
        let eve = scene.user("eve", &[("/v2/repositories/own/", &["READ", "EXECUTE"])]);
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}/", listener.local_addr().unwrap())
        };
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let no_http = format!("http://{}/", other.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in other.incoming() {
                let _ = stream.and_then(|mut stream| stream.write_all(b"SSH-2.0-x\r\n"));
            }
        });
        let said = |by: &pith_e2e::Api, inner: &str| {
            let body = json!({"override_config": {"feed": inner}});
            let path = "/repositories/own/actions/sync/";
            let task = ended(by, &scene.admin, "POST", path, &body);
            let told = json!([
                task["error"],
                task["traceback"],
                task["progress_report"],
                task["result"]
            ]);
            let host = inner.trim_start_matches("http://").trim_end_matches('/');
            told.to_string().replace(host, "HOST")
        };
        let nothing_there = feed.url("/");
        let told = said(&eve, &closed);
        assert!(told.contains("HOST"), "{told}");
        assert_eq!(said(&eve, &nothing_there), told);
        assert_eq!(said(&eve, &no_http), told);
        assert!(said(&scene.admin, &nothing_there).contains("404"));
        // Nor are sizes and digests told, of files that are not what was promised.
        let digest = "ab".repeat(32);
        let package = Forged {
            sha256: &digest,
            size: Some(5),
            base: "",
            href: "f.rpm",
        };
        forge(&feed, "/wrong/", &package);
        feed.replace("/wrong/f.rpm", b"7 bytes");
        let wrong = feed.url("/wrong/");
        assert!(said(&scene.admin, &wrong).contains("limit of 5"));
        let told = said(&eve, &wrong);
        assert!(
            !told.contains("actual") && !told.contains("limit"),
            "{told}"
        );
        let history = eve
            .get("/repositories/own/history/sync/")
            .unwrap()
            .to_string();
        assert!(
            !history.contains("refused") && !history.contains("valid HTTP"),
            "{history}"
        );
    });
}
