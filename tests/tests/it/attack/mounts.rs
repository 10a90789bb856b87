//! What is served at a path is what the settings of its repository say, whatever the override of somebody's publish.

use pith_e2e::Api;
use serde_json::{Value, json};

use super::{Scene, ended, fetched};

/// The state of a publish of `repo` by somebody.
fn publish(scene: &Scene, by: &Api, repo: &str, overriding: &Value) -> Value {
    let path = format!("/repositories/{repo}/actions/publish/");
    let body = json!({"id": "dist", "override_config": overriding});
    ended(by, &scene.admin, "POST", &path, &body)["state"].clone()
}

fn status(scene: &Scene, path: &str) -> u16 {
    fetched(&scene.server.url(path), None).0
}

/// Makes a repository of files with a distributor of these settings.
fn files(scene: &Scene, id: &str, config: &Value) {
    let body = json!({"id": id, "importer_type_id": "iso_importer", "distributors": [
        {"distributor_type_id": "iso_distributor", "distributor_id": "dist", "distributor_config": config}]});
    scene.admin_does("POST", "/repositories/", &body, 201);
}

#[test]
fn an_override_of_a_publish_takes_no_path_of_another_repository() {
    Scene::on_each_database(|scene| {
        let both =
            |url: &str| json!({"serve_http": true, "serve_https": true, "relative_url": url});
        files(scene, "vendor", &both("vendor/a"));
        files(scene, "mine", &both("mine"));
        let execute: &[&str] = &["EXECUTE"];
        let eve = scene.user("eve", &[("/v2/repositories/mine/", execute)]);
        assert_eq!(
            publish(scene, &scene.admin, "vendor", &json!({})),
            "finished"
        );
        assert_eq!(status(scene, "/pulp/isos/vendor/a/PULP_MANIFEST"), 200);
        assert_eq!(publish(scene, &scene.admin, "mine", &json!({})), "finished");
        for asked in [
            "vendor",
            "vendor/a",
            "vendor/a/x86_64",
            "mine/x86_64",
            "else",
        ] {
            let state = publish(scene, &eve, "mine", &json!({"relative_url": asked}));
            assert_eq!(state, "error", "{asked}");
        }
        assert_eq!(
            publish(scene, &eve, "mine", &json!({"relative_url": "mine"})),
            "finished"
        );
        for served in ["vendor/a", "mine"] {
            let path = format!("/pulp/isos/{served}/PULP_MANIFEST");
            assert_eq!(status(scene, &path), 200);
        }
    });
}

#[test]
fn an_override_of_a_publish_takes_no_path_from_its_readers() {
    let scene = Scene::start(None, &["--tls-listen", "127.0.0.1:0"]);
    let https = json!({"serve_http": false, "serve_https": true});
    files(&scene, "safe", &https);
    let both = json!({"serve_http": true, "serve_https": true});
    files(&scene, "open", &both);
    for repo in ["safe", "open"] {
        assert_eq!(publish(&scene, &scene.admin, repo, &json!({})), "finished");
    }
    let more = json!({"serve_http": true});
    assert_eq!(publish(&scene, &scene.admin, "safe", &more), "error");
    assert_eq!(status(&scene, "/pulp/isos/safe/PULP_MANIFEST"), 404);
    let less = json!({"serve_http": false});
    assert_eq!(publish(&scene, &scene.admin, "open", &less), "error");
    assert_eq!(status(&scene, "/pulp/isos/open/PULP_MANIFEST"), 200);
}

#[test]
fn no_repository_stands_in_the_place_of_the_list_of_others() {
    let scene = Scene::start(None, &[]);
    for url in ["listing", "os/listing", "os/listing/43"] {
        let body = json!({"id": "thief", "importer_type_id": "yum_importer", "distributors": [
            {"distributor_type_id": "yum_distributor", "distributor_id": "dist",
             "distributor_config": {"http": true, "https": true, "relative_url": url}}]});
        let answer = scene.admin.call("POST", "/repositories/", Some(&body));
        assert_eq!(answer.unwrap().status, 400, "{url}");
    }
    assert_eq!(status(&scene, "/pulp/repos/listing"), 200);
}
