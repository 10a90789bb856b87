//! Other machines, reached with the server's keys by somebody who may do all with one repository.

use std::fs;

use pith_e2e::Sshd;
use pith_e2e::tools::missing;
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
        // What decides which files are replaced and removed there is a super-user's too.
        for change in [
            json!({"delete": true}),
            json!({"remote_units_path": "elsewhere"}),
            json!({"predistributor_id": "other"}),
        ] {
            let body = json!({"distributor_config": change});
            let task = ended(
                &mallory,
                &scene.admin,
                "PUT",
                &format!("{path}away/"),
                &body,
            );
            assert!(
                task["error"].to_string().contains("PTH0006"),
                "{change}: {task}"
            );
        }
        let body = json!({"id": "away"});
        let publish = "/repositories/mine/actions/publish/";
        let task = ended(&mallory, &scene.admin, "POST", publish, &body);
        let text = task["error"].to_string();
        assert!(
            text.contains("a super-user must publish it there once"),
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

#[test]
fn nobody_is_sent_elsewhere_by_those_who_may_only_change_their_repository() {
    if missing(&["sshd", "ssh", "ssh-keygen", "rsync"]) {
        return;
    }
    let mut sshd = Sshd::start().unwrap();
    let (keys, there) = (sshd.keys(), tempfile::tempdir().unwrap());
    let known = tempfile::NamedTempFile::new().unwrap();
    fs::write(known.path(), sshd.known().unwrap()).unwrap();
    let options = [
        "--allow-ssh-keys",
        keys.to_str().unwrap(),
        "--ssh-known-hosts",
        known.path().to_str().unwrap(),
    ];
    let scene = Scene::start(None, &options);
    let feed = scene.feed.url("/feed/");
    scene.admin.create_rpm("mine", &feed).unwrap();
    scene.admin.sync("mine").unwrap();
    let publish = "/repositories/mine/actions/publish/";
    let yum = json!({"id": "yum_distributor"});
    scene.admin.run(publish, &yum).unwrap();
    let mut body = distributor("away", keys.join("id").to_str().unwrap());
    let remote = &mut body["distributor_config"]["remote"];
    remote["port"] = sshd.port().into();
    remote["ssh_user"] = sshd.user().unwrap().into();
    remote["root"] = there.path().to_str().unwrap().into();
    scene.admin_does("POST", "/repositories/mine/distributors/", &body, 201);
    let away = json!({"id": "away", "override_config": {"force_full": true}});
    scene.admin.run(publish, &away).unwrap();
    let mallory = scene.user("mallory", &[("/v2/repositories/mine/", ALL)]);
    let task = ended(&mallory, &scene.admin, "POST", publish, &away);
    assert_eq!(task["state"], "finished", "{task}");

    fs::write(there.path().join("letter"), "dear").unwrap();
    let moved = json!({"distributor_config": {"relative_url": ".ssh"}});
    let path = "/repositories/mine/distributors/yum_distributor/";
    let task = ended(&mallory, &scene.admin, "PUT", path, &moved);
    let told = task["error"].to_string();
    assert!(told.contains("a super-user may change it"), "{told}");
    // Nor as another one of the same name.
    let anew = json!({
        "distributor_id": "yum_distributor", "distributor_type_id": "yum_distributor",
        "distributor_config": {"relative_url": ".ssh", "http": true, "https": true},
    });
    let all = "/repositories/mine/distributors/";
    let answer = mallory.call("POST", all, Some(&anew)).unwrap();
    assert_eq!(answer.status, 400, "{}", answer.body);
    let other = json!({"distributor_config": {"checksum_type": "sha512"}});
    let task = ended(&mallory, &scene.admin, "PUT", path, &other);
    assert_eq!(task["state"], "finished", "{task}");

    let task = ended(&scene.admin, &scene.admin, "PUT", path, &moved);
    assert_eq!(task["state"], "finished", "{task}");
    scene.admin.run(publish, &yum).unwrap();
    let task = ended(&mallory, &scene.admin, "POST", publish, &away);
    let told = task["error"]["description"].as_str().unwrap();
    assert!(
        told.contains("a super-user must publish it there once"),
        "{told}"
    );
    assert!(!there.path().join(".ssh").exists());
    scene.admin.run(publish, &away).unwrap();
    assert!(there.path().join(".ssh/repodata").exists());

    // What fails there is told to super-users.
    sshd.stop();
    let task = ended(&mallory, &scene.admin, "POST", publish, &away);
    let told = task["error"].to_string();
    assert!(
        told.contains("super-users and the server's log are told why"),
        "{told}"
    );
    assert!(
        !told.contains("refused") && !told.contains("127.0.0.1"),
        "{told}"
    );
}

#[test]
fn a_key_that_is_not_there_is_no_other_key() {
    if missing(&["sshd", "ssh", "ssh-keygen", "rsync"]) {
        return;
    }
    let sshd = Sshd::start().unwrap();
    let (keys, there) = (sshd.keys(), tempfile::tempdir().unwrap());
    let outside = tempfile::tempdir().unwrap();
    fs::copy(keys.join("id"), outside.path().join("id")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("id"), keys.join("link")).unwrap();
    let options = ["--allow-ssh-keys", keys.to_str().unwrap()];
    let scene = Scene::start(None, &options);
    let feed = scene.feed.url("/feed/");
    scene.admin.create_rpm("mine", &feed).unwrap();
    let publish = "/repositories/mine/actions/publish/";
    scene
        .admin
        .run(publish, &json!({"id": "yum_distributor"}))
        .unwrap();
    for name in ["missing", "link", "."] {
        let mut body = distributor("away", keys.join(name).to_str().unwrap());
        let remote = &mut body["distributor_config"]["remote"];
        remote["port"] = sshd.port().into();
        remote["ssh_user"] = sshd.user().unwrap().into();
        remote["root"] = there.path().to_str().unwrap().into();
        scene.admin_does("POST", "/repositories/mine/distributors/", &body, 201);
        let body = json!({"id": "away"});
        let task = ended(&scene.admin, &scene.admin, "POST", publish, &body);
        let told = task["error"].to_string();
        assert!(
            told.contains("cannot be used: it is no file below"),
            "{name}: {told}"
        );
    }
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
}
