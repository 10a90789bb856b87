//! Files of the server's machine, read through feeds.

use std::fs;

use pith_e2e::{Api, Feed};
use serde_json::{Value, json};

use super::{Forged, Scene, ended, fetched, forge};

/// What somebody has who may do all with one repository.
const ALL: &[&str] = &["CREATE", "READ", "UPDATE", "EXECUTE"];
const IMPORTER: &str = "/repositories/mine/importers/yum_importer/";

fn feed_of(scene: &Scene, by: &Api, feed: &str) -> Value {
    let body = json!({"importer_config": {"feed": feed}});
    ended(by, &scene.admin, "PUT", IMPORTER, &body)
}

#[test]
fn no_folder_is_a_feed_unless_the_server_says_so() {
    Scene::on_each_database(|scene| {
        scene
            .admin
            .create_rpm("mine", "http://127.0.0.1:9/")
            .unwrap();
        let mallory = scene.user("mallory", &[("/v2/repositories/mine/", ALL)]);
        let here = format!("file://{}/", scene.server.data().display());
        let stored = feed_of(scene, &mallory, &here);
        assert_eq!(stored["state"], "error");
        assert!(
            stored["error"].to_string().contains("--allow-file-feeds"),
            "{stored}"
        );
        let body = json!({"delta": {}, "importer_config": {"feed": here}});
        let answer = mallory
            .call("PUT", "/repositories/mine/", Some(&body))
            .unwrap();
        assert_eq!(answer.status, 400);
        let body = json!({"schedule": "P1D", "override_config": {"feed": here}});
        let path = format!("{IMPORTER}schedules/sync/");
        assert_eq!(
            mallory.call("POST", &path, Some(&body)).unwrap().status,
            400
        );
        // Nobody learns what is there: the same is said of what is not.
        let said = |feed: &str| {
            let body = json!({"override_config": {"feed": feed}});
            let path = "/repositories/mine/actions/sync/";
            let task = ended(&mallory, &scene.admin, "POST", path, &body);
            assert_eq!(task["state"], "error", "{task}");
            task["error"]
                .to_string()
                .replace(feed.trim_end_matches('?'), "")
        };
        assert_eq!(said("file:///etc/passwd?"), said("file:///etc/none?"));
    });
}

#[test]
fn the_servers_own_files_are_in_no_feed_and_what_came_over_the_network_leads_to_none() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("feeds")).unwrap();
    fs::write(at("feeds/secret"), "PRIVATE KEY of another").unwrap();
    // The data folder of the server is below it too.
    let allowed = std::env::temp_dir();
    let options = ["--allow-file-feeds", allowed.to_str().unwrap()];
    Scene::on_each_database_with(&options, |scene| {
        let feed = Feed::start().unwrap();
        let data = scene.server.data();
        scene
            .admin
            .create_rpm("mine", "http://127.0.0.1:9/")
            .unwrap();
        let mallory = scene.user("mallory", &[("/v2/repositories/mine/", ALL)]);
        assert_eq!(
            feed_of(scene, &mallory, &format!("file://{}/", data.display()))["state"],
            "error"
        );
        std::os::unix::fs::symlink(&data, at("feeds/link")).unwrap();
        for (number, href) in ["secret", "link/admin-password"].iter().enumerate() {
            let digest = format!("{number}").repeat(64);
            let package = Forged {
                sha256: &digest,
                size: None,
                base: "",
                href,
            };
            let path = format!("/{number}/");
            forge(&feed, &path, &package);
            let body = json!({"importer_config": {"feed": feed.url(&path), "download_policy": "on_demand"}});
            let stored = ended(&mallory, &scene.admin, "PUT", IMPORTER, &body);
            assert_eq!(stored["state"], "finished", "{stored}");
            scene.admin.sync("mine").unwrap();
            scene.admin.publish("mine").unwrap();
            let local = format!("file://{}/", at("feeds").display());
            assert_eq!(feed_of(scene, &mallory, &local)["state"], "finished");
            let name = href.rsplit('/').next().unwrap();
            let url = scene
                .server
                .url(&format!("/pulp/repos/mine/Packages/{}/{name}", &name[..1]));
            for range in [None, Some("bytes=0-3")].repeat(20) {
                let (status, body) = fetched(&url, range);
                assert_eq!(status, 404, "{href}: {}", String::from_utf8_lossy(&body));
            }
            // Synced from there it is a feed like others, of which nothing leaves that is not what was promised.
            let document = at("feeds/repodata");
            fs::create_dir_all(&document).unwrap();
            for name in ["repomd", "primary", "filelists", "other"] {
                let (_, bytes) = fetched(&feed.url(&format!("{path}repodata/{name}.xml")), None);
                fs::write(document.join(format!("{name}.xml")), bytes).unwrap();
            }
            scene.admin.sync("mine").unwrap();
            scene.admin.publish("mine").unwrap();
            for range in [None, Some("bytes=0-3")].repeat(20) {
                let (status, body) = fetched(&url, range);
                assert_eq!(status, 502, "{href}: {}", String::from_utf8_lossy(&body));
            }
        }
        fs::remove_file(at("feeds/link")).unwrap();
        fs::remove_dir_all(at("feeds/repodata")).unwrap();
    });
}
