//! What people say of packages and advisories stays in their own repositories.

use std::path::Path;

use pith_e2e::repodata::Repodata;
use pith_e2e::tools::sample_repo;
use pith_e2e::{Api, Feed};
use serde_json::{Value, json};

use super::Scene;

/// The documents that a repository serves, by kind.
fn served(scene: &Scene, repo: &str) -> Vec<String> {
    let read = |path: &str| scene.admin.download(&format!("/pulp/repos/{repo}/{path}"));
    let repodata = Repodata::read(read).unwrap();
    let kinds = ["primary", "filelists", "other", "updateinfo"];
    kinds
        .iter()
        .map(|kind| repodata.document(kind).unwrap().canonical())
        .collect()
}

/// Uploads an advisory.
fn upload(scene: &Scene, by: &Api, repo: &str, key: &Value, metadata: &Value) {
    let upload = by.call("POST", "/content/uploads/", Some(&json!({})));
    let upload = upload.unwrap().expect(201).unwrap();
    let body = json!({
        "upload_id": upload["upload_id"], "unit_type_id": "erratum", "unit_key": key, "unit_metadata": metadata,
    });
    let path = format!("/repositories/{repo}/actions/import_upload/");
    let task = by.spawn(&path, &body);
    let tasks = scene.admin.wait(&task.unwrap()).unwrap();
    assert_eq!(tasks[0]["state"], "finished");
}

/// A feed that lists the packages of `theirs` and has none of them.
fn list_without_files(feed: &Feed, folder: &Path) {
    let repodata = folder.join("repodata");
    std::fs::create_dir_all(&repodata).unwrap();
    for entry in std::fs::read_dir(sample_repo().join("repodata")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, repodata.join(path.file_name().unwrap())).unwrap();
    }
    feed.serve("/feed/", folder);
}

#[test]
fn who_knows_the_digest_of_a_file_does_not_get_the_file() {
    Scene::on_each_database(|scene| {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::start().unwrap();
        list_without_files(&feed, folder.path());
        let importer = json!({"feed": feed.url("/feed/"), "download_policy": "on_demand"});
        scene.admin.create_rpm_with("mine", &importer).unwrap();
        scene.admin.sync("mine").unwrap();
        scene.admin.publish("mine").unwrap();
        let get = |repo: &str| {
            let path = format!("/pulp/repos/{repo}/Packages/g/greet-1.2-1.noarch.rpm");
            scene.admin.download(&path)
        };
        assert!(get("theirs").is_ok());
        assert!(get("mine").is_err(), "its own feed does not have it");
        let immediate =
            json!({"override_config": {"download_policy": "immediate", "force_full": true}});
        let synced = scene
            .admin
            .run("/repositories/mine/actions/sync/", &immediate);
        assert!(synced.is_err());
        assert!(get("mine").is_err());
        // Once its feed has the file, it is served.
        feed.serve("/feed/", &sample_repo());
        assert!(get("mine").is_ok());
    });
}

#[test]
fn an_advisory_of_another_repository_is_not_written_nor_kept_from_changing_nor_read() {
    Scene::on_each_database(|scene| {
        scene
            .admin
            .create_rpm("mine", "http://127.0.0.1:9/")
            .unwrap();
        let rights = [
            (
                "/v2/repositories/mine/",
                ["READ", "UPDATE", "EXECUTE"].as_slice(),
            ),
            (
                "/v2/content/uploads/",
                &["CREATE", "READ", "UPDATE", "DELETE"],
            ),
        ];
        let mallory = scene.user("mallory", &rights);
        let before = served(scene, "theirs");
        let advisory = scene.admin.units("theirs", "erratum").unwrap().remove(0);
        let id = &advisory["metadata"]["id"];
        let forged = json!({
            "title": "nothing to see", "type": "enhancement", "updated": "9999-12-31 00:00:00", "version": "99",
            "severity": "None", "pkglist": [],
        });
        upload(scene, &mallory, "mine", &json!({"id": id}), &forged);
        let own = mallory.units("mine", "erratum").unwrap().remove(0);
        assert_eq!(own["metadata"]["title"], "nothing to see");
        assert_eq!(own["metadata"]["pkglist"], json!([]), "theirs is not shown");
        let publish = scene.admin.publish("theirs").unwrap();
        assert_eq!(publish["result"]["result"], "skipped");
        assert_eq!(served(scene, "theirs"), before);
        let after = scene.admin.units("theirs", "erratum").unwrap().remove(0);
        assert_eq!(after, advisory);
        // What its owner says later is heard.
        let later = json!({"title": "Corrected", "type": "security", "updated": "2030-01-01 00:00:00", "version": "2",
            "pkglist": advisory["metadata"]["pkglist"]});
        upload(scene, &scene.admin, "theirs", &json!({"id": id}), &later);
        scene.admin.publish("theirs").unwrap();
        let corrected = served(scene, "theirs").pop().unwrap();
        assert!(corrected.contains("Corrected"), "{corrected}");
    });
}
