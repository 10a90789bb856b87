//! Other machines, reached with the server's keys by somebody who may do all with one repository.

use std::fs;

use serde_json::{Value, json};

use super::{Scene, ended};

const ALL: &[&str] = &["CREATE", "READ", "UPDATE", "EXECUTE"];

fn distributor(id: &str, key: &str) -> Value {
    json!({
        "distributor_id": id, "distributor_type_id": "rpm_rsync_distributor",
        "distributor_config": {"predistributor_id": "yum_distributor", "remote": remote(key)},
    })
}

fn remote(key: &str) -> Value {
    json!({"host": "127.0.0.1", "port": 1, "ssh_user": "root", "ssh_identity_file": key, "root": "/srv"})
}

#[test]
fn the_servers_keys_are_the_operators_and_other_machines_are_named_by_super_users() {
    let open = tempfile::tempdir().unwrap();
    let key = open.path().join("id");
    fs::write(&key, "a key").unwrap();
    let (open, key) = (open.path().to_str().unwrap(), key.to_str().unwrap());
    Scene::on_each_database_with(&["--allow-ssh-keys", open], |scene| {
        let feed = scene.feed.url("/feed/");
        scene.admin.create_rpm("mine", &feed).unwrap();
        let path = "/repositories/mine/distributors/";
        // Not even a super-user names a key elsewhere, and nobody is told what is there.
        let mut told = Vec::new();
        for elsewhere in ["/root/.ssh/id_rsa", "/no/such", &format!("{open}/../x")] {
            let body = distributor("new", elsewhere);
            let answer = scene.admin.call("POST", path, Some(&body)).unwrap();
            assert_eq!(answer.status, 400, "{elsewhere}");
            let text = answer.body["error"].to_string();
            assert!(
                text.contains("PTH0006") && text.contains("--allow-ssh-keys"),
                "{text}"
            );
            told.push(text.replace(elsewhere, ""));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
        scene.admin_does("POST", path, &distributor("away", key), 201);

        let mallory = scene.user("mallory", &[("/v2/repositories/mine/", ALL)]);
        let answer = mallory
            .call("POST", path, Some(&distributor("new", key)))
            .unwrap();
        assert_eq!(answer.status, 400);
        assert!(
            answer.body["error"]
                .to_string()
                .contains("only super-users"),
            "{answer:?}"
        );
        let changes = [
            json!({"remote": {"host": "10.0.0.1", "ssh_user": "root", "ssh_identity_file": key, "root": "/srv"}}),
            json!({"rsync_extra_args": ["-W"]}),
        ];
        for change in changes {
            let body = json!({"distributor_config": change});
            let task = ended(
                &mallory,
                &scene.admin,
                "PUT",
                &format!("{path}away/"),
                &body,
            );
            assert!(task["error"].to_string().contains("PTH0006"), "{task}");
            scene
                .admin
                .run(
                    "/repositories/mine/actions/publish/",
                    &json!({"id": "yum_distributor"}),
                )
                .unwrap();
            let body = json!({"id": "away", "override_config": change});
            let task = ended(
                &mallory,
                &scene.admin,
                "POST",
                "/repositories/mine/actions/publish/",
                &body,
            );
            assert!(task["error"].to_string().contains("PTH0006"), "{task}");
        }
        // What somebody may run is run, and tells nothing of the machine.
        let body = json!({"id": "away"});
        let task = ended(
            &mallory,
            &scene.admin,
            "POST",
            "/repositories/mine/actions/publish/",
            &body,
        );
        let text = task["error"].to_string();
        assert!(
            text.contains("super-users and the server's log are told why"),
            "{text}"
        );
        assert!(
            !text.contains("refused") && !text.contains("127.0.0.1"),
            "{text}"
        );
        // Neither programs nor files of this machine come in with the arguments, whoever asks.
        for argument in [
            "-e sh",
            "--rsh=sh",
            "--rsync-path=sh",
            "--files-from=/etc/passwd",
            "--log-file=/tmp/x",
            "--out-format=%n",
        ] {
            let body = json!({"distributor_config": {"rsync_extra_args": [argument]}});
            let task = ended(
                &scene.admin,
                &scene.admin,
                "PUT",
                &format!("{path}away/"),
                &body,
            );
            assert!(
                task["error"].to_string().contains("cannot be used"),
                "{argument}: {task}"
            );
        }
    });
}
