//! Folders of the server's machine, written through exports.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::{Scene, ended};

/// What somebody has who may do all with one repository.
const ALL: &[&str] = &["CREATE", "READ", "UPDATE", "EXECUTE"];

/// A repository `mine` with an export distributor that names no folder, and somebody who may do all with it.
fn mallory(scene: &Scene) -> pith_e2e::Api {
    let feed = scene.feed.url("/feed/");
    scene.admin.create_rpm("mine", &feed).unwrap();
    scene.admin.sync("mine").unwrap();
    let body = distributor("export", None);
    scene.admin_does("POST", "/repositories/mine/distributors/", &body, 201);
    scene.user("mallory", &[("/v2/repositories/mine/", ALL)])
}

fn distributor(id: &str, folder: Option<&str>) -> Value {
    let mut config = json!({"http": true, "https": false});
    if let Some(folder) = folder {
        config["export_dir"] = folder.into();
    }
    json!({"distributor_id": id, "distributor_type_id": "export_distributor", "distributor_config": config})
}

#[test]
fn no_folder_is_written_unless_the_server_says_so() {
    Scene::on_each_database(|scene| {
        let mallory = mallory(scene);
        let out = tempfile::tempdir().unwrap();
        let data = scene.server.data();
        for folder in [
            out.path(),
            data.as_path(),
            "/etc".as_ref(),
            "/no/such".as_ref(),
        ] {
            let folder = folder.to_str().unwrap();
            let body = distributor("new", Some(folder));
            let path = "/repositories/mine/distributors/";
            let answer = mallory.call("POST", path, Some(&body)).unwrap();
            assert_eq!(answer.status, 400, "{folder}");
            let told = answer.body["error"].to_string();
            assert!(
                told.contains("PTH0002") && told.contains("--allow-exports-to"),
                "{told}"
            );
            let body = json!({"distributor_config": {"export_dir": folder}});
            let path = "/repositories/mine/distributors/export/";
            let task = ended(&mallory, &scene.admin, "PUT", path, &body);
            assert_eq!(task["state"], "error", "{folder}");
            let body = json!({"id": "export", "override_config": {"export_dir": folder}});
            let path = "/repositories/mine/actions/publish/";
            let task = ended(&mallory, &scene.admin, "POST", path, &body);
            assert_eq!(task["state"], "error", "{folder}");
        }
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    });
}

#[test]
fn one_repository_of_a_group_gets_neither_between_the_others_nor_in_their_way() {
    let opened = tempfile::tempdir().unwrap();
    let options = ["--allow-exports-to", opened.path().to_str().unwrap()];
    Scene::on_each_database_with(&options, |scene| {
        let feed = scene.feed.url("/feed/");
        let out = tempfile::tempdir_in(opened.path()).unwrap();
        for id in ["mine", "victim"] {
            scene.admin.create_rpm(id, &feed).unwrap();
            let delta = json!({"delta": {"notes": {"_repo-type": "rpm-repo"}}});
            scene.admin_does("PUT", &format!("/repositories/{id}/"), &delta, 200);
            scene.admin.sync(id).unwrap();
        }
        let mallory = scene.user("mallory", &[("/v2/repositories/mine/", ALL)]);
        let body = json!({"id": "g", "repo_ids": ["victim", "mine"], "distributors": [{
            "distributor_id": "all", "distributor_type_id": "group_export_distributor",
            "distributor_config": {"http": false, "https": false, "export_dir": out.path()},
        }]});
        scene.admin_does("POST", "/repo_groups/", &body, 201);
        let export = distributor("export", None);
        scene.admin_does("POST", "/repositories/mine/distributors/", &export, 201);
        for path in [
            "victim",
            "victim/Packages",
            "victim/repodata/repomd.xml",
            "listing",
        ] {
            let body = json!({"distributor_config": {"relative_url": path}});
            let put = "/repositories/mine/distributors/export/";
            let task = ended(&mallory, &scene.admin, "PUT", put, &body);
            assert_eq!(task["state"], "finished", "{path}: {task}");
            let publish = "/repo_groups/g/actions/publish/";
            scene.admin.run(publish, &json!({"id": "all"})).unwrap();
            for id in ["mine", "victim"] {
                assert!(
                    out.path().join(id).join("repodata/repomd.xml").is_file(),
                    "{path}: {id}"
                );
            }
            assert!(
                !out.path().join("victim/Packages/repodata").exists(),
                "{path}"
            );
        }
    });
}

#[test]
fn an_export_leaves_its_folder_neither_by_name_nor_by_links() {
    let open = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let shown = open.path().to_str().unwrap();
    symlink(other.path(), open.path().join("link")).unwrap();
    fs::create_dir(open.path().join("sub")).unwrap();
    symlink(other.path(), open.path().join("sub/mine")).unwrap();
    Scene::on_each_database_with(&["--allow-exports-to", shown], |scene| {
        let mallory = mallory(scene);
        let other = other.path().to_str().unwrap();
        for settings in [
            json!({"export_dir": format!("{shown}/link")}),
            json!({"export_dir": format!("{shown}/sub")}),
            json!({"export_dir": format!("{shown}/../{}", other.rsplit('/').next().unwrap())}),
            json!({"export_dir": shown, "relative_url": "link/mine"}),
            json!({"export_dir": shown, "relative_url": "../mine"}),
            json!({"export_dir": shown, "relative_url": "sub/mine"}),
            json!({"export_dir": other}),
        ] {
            let body = json!({"id": "export", "override_config": settings});
            let path = "/repositories/mine/actions/publish/";
            let task = ended(&mallory, &scene.admin, "POST", path, &body);
            assert_eq!(task["state"], "error", "{body}: {task}");
        }
        assert_eq!(fs::read_dir(other).unwrap().count(), 0);
        let body = json!({"id": "export", "override_config": {"export_dir": shown, "relative_url": "fine"}});
        let path = "/repositories/mine/actions/publish/";
        let task = ended(&mallory, &scene.admin, "POST", path, &body);
        assert_eq!(task["state"], "finished", "{task}");
        // The same name in the next server.
        fs::remove_dir_all(open.path().join("fine")).unwrap();
    });
}

#[test]
fn nobody_publishes_what_another_repository_has() {
    Scene::on_each_database(|scene| {
        let mallory = mallory(scene);
        let clone = |config: Value| json!({"distributor_id": "clone", "distributor_type_id": "yum_clone_distributor", "distributor_config": config});
        let source =
            json!({"source_repo_id": "theirs", "source_distributor_id": "yum_distributor"});
        let path = "/repositories/mine/distributors/";
        let answer = mallory
            .call("POST", path, Some(&clone(source.clone())))
            .unwrap();
        assert_eq!(answer.status, 400);
        let body = clone(json!({"destination_distributor_id": "yum_distributor"}));
        let answer = mallory.call("POST", path, Some(&body)).unwrap();
        answer.expect(201).unwrap();
        let body = json!({"id": "clone", "override_config": source});
        let publish = "/repositories/mine/actions/publish/";
        let task = ended(&mallory, &scene.admin, "POST", publish, &body);
        assert!(task["error"].to_string().contains("PTH0003"), "{task}");
        // The same is said of what is not there.
        let mut none = body.clone();
        none["override_config"]["source_repo_id"] = "nothing".into();
        let other = ended(&mallory, &scene.admin, "POST", publish, &none);
        let text = |task: &Value| task["error"].to_string().replace("nothing", "theirs");
        assert_eq!(text(&other), text(&task));
        let body = json!({"distributor_config": source});
        let path = "/repositories/mine/distributors/clone/";
        let task = ended(&mallory, &scene.admin, "PUT", path, &body);
        assert_eq!(task["state"], "error", "{task}");
    });
}
