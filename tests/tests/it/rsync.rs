//! Repositories that are sent to another machine over ssh, with a real ssh server, and what clients find there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pith_e2e::repodata::{Repodata, sha256};
use pith_e2e::tools::{is_root, missing, run, sample_files, sample_repo, wait_for};
use pith_e2e::{Api, Dnf, Feed, Nginx, Pith, Sshd};
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::dnf::SAMPLE;

/// A server, another machine, and the folder there that `root` is a part of.
struct Scene {
    server: Pith,
    api: Api,
    feed: Feed,
    sshd: Sshd,
    there: TempDir,
}

/// Nothing where what it takes is not installed.
fn scene(options: &[&str]) -> Option<Scene> {
    if missing(&["sshd", "ssh", "ssh-keygen", "rsync"]) {
        return None;
    }
    let sshd = Sshd::start().unwrap();
    let keys = sshd.keys();
    let options: Vec<&str> = ["--allow-ssh-keys", keys.to_str().unwrap()]
        .into_iter()
        .chain(options.iter().copied())
        .collect();
    let server = Pith::start_with(&options).unwrap();
    Some(Scene {
        api: server.api().unwrap(),
        server,
        feed: Feed::of(&sample_repo()).unwrap(),
        sshd,
        there: tempfile::tempdir().unwrap(),
    })
}

impl Scene {
    /// The settings of a distributor that sends what another one has published.
    fn settings(&self, predistributor: &str, more: &Value) -> Value {
        let mut settings = json!({
            "predistributor_id": predistributor,
            "remote": {
                "host": "127.0.0.1", "port": self.sshd.port(), "ssh_user": self.sshd.user().unwrap(),
                "ssh_identity_file": self.sshd.keys().join("id"), "root": self.root(),
            },
        });
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        settings
    }

    /// The folder that is sent to; it is not there at first, nor is the one above it.
    fn root(&self) -> PathBuf {
        self.there.path().join("srv/mirror")
    }

    /// Gives a repository a distributor `away` of this type.
    fn add_away(&self, repo: &str, type_id: &str, settings: &Value) {
        let body = json!({"distributor_id": "away", "distributor_type_id": type_id, "distributor_config": settings});
        let path = format!("/repositories/{repo}/distributors/");
        let made = self.api.call("POST", &path, Some(&body)).unwrap();
        made.expect(201).unwrap();
    }

    /// A synced and published repository `zoo/sample` of packages.
    fn packages(&self, more: &Value) {
        let importer = json!({"feed": self.feed.url("/feed/")});
        self.api.create_rpm_with("sample", &importer).unwrap();
        self.api.sync("sample").unwrap();
        self.publish("sample", "yum_distributor");
        let settings = self.settings("yum_distributor", more);
        self.add_away("sample", "rpm_rsync_distributor", &settings);
    }

    fn publish(&self, repo: &str, distributor: &str) {
        let path = format!("/repositories/{repo}/actions/publish/");
        self.api.run(&path, &json!({"id": distributor})).unwrap();
    }

    /// The task of a publish by `away`.
    fn send(&self, repo: &str, overriding: &Value) -> Value {
        let body = json!({"id": "away", "override_config": overriding});
        let path = format!("/repositories/{repo}/actions/publish/");
        let tasks = self.api.spawn(&path, &body).unwrap();
        self.api.wait(&tasks).unwrap().remove(0)
    }

    fn sent(&self, repo: &str) -> Value {
        let task = self.send(repo, &json!({}));
        assert_eq!(task["state"], "finished", "{task:#}");
        assert_eq!(task["result"]["result"], "success", "{task:#}");
        task
    }

    /// The files below a folder there, sorted.
    fn found(&self, below: &str) -> Vec<String> {
        let folder = self.root().join(below);
        let listed = run(Command::new("find")
            .arg(folder)
            .args(["!", "-type", "d", "-printf", "%P\n"]));
        let mut found: Vec<String> = listed.unwrap().lines().map(str::to_owned).collect();
        found.sort();
        found
    }
}

/// Where a link leads to, without leaving `root`.
fn target(root: &Path, path: &str) -> PathBuf {
    let link = root.join(path);
    let to = fs::read_link(&link).unwrap();
    assert!(to.is_relative(), "{to:?}");
    let to = link.parent().unwrap().join(to);
    let to = fs::canonicalize(to).unwrap();
    to.strip_prefix(fs::canonicalize(root).unwrap())
        .unwrap()
        .to_owned()
}

#[test]
fn dnf_installs_from_a_web_server_that_a_repository_was_sent_to() {
    let Some(scene) = scene(&[]) else { return };
    if missing(&["dnf", "rpm", "nginx"]) {
        return;
    }
    scene.packages(&json!({}));
    let task = scene.sent("sample");
    let steps = task["result"]["details"].as_array().unwrap();
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            (
                step["step_type"].as_str().unwrap(),
                step["state"].as_str().unwrap(),
            )
        })
        .collect();
    let names = [
        "Unit query step (rpm, drpm, srpm)",
        "Rsync step (origin)",
        "Rsync step (content)",
        "Rsync step (repodata)",
        "UpdateLastPredistDate",
    ];
    assert_eq!(steps, names.map(|name| (name, "FINISHED")));

    let units = scene.api.units("sample", "rpm").unwrap();
    let packages = scene.found("sample/Packages");
    assert_eq!(packages.len(), units.len());
    for unit in &units {
        let unit = &unit["metadata"];
        let name = unit["filename"].as_str().unwrap();
        let stored = unit["_storage_path"].as_str().unwrap();
        let stored = stored.strip_prefix("/var/lib/pulp/").unwrap();
        let link = format!("sample/Packages/{}/{name}", &name[..1]);
        assert_eq!(target(&scene.root(), &link), Path::new(stored), "{link}");
        let mode = fs::metadata(scene.root().join(stored)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o644);
    }
    let nginx = Nginx::of(&scene.root()).unwrap();
    let dnf = Dnf::new(&nginx.url("/sample/")).unwrap();
    assert_eq!(dnf.packages().unwrap(), SAMPLE);
    if is_root() {
        dnf.install(&["greet"]).unwrap();
        assert_eq!(dnf.installed().unwrap()[0], "greet-1.2-1");
    }
    assert!(scene.server.leftovers().unwrap().is_empty());
    // Nothing of it is served here.
    assert_eq!(
        scene.api.raw("GET", "/content/units/", None).unwrap().0,
        404
    );
}

#[test]
fn what_changes_is_sent_and_nothing_is_sent_twice() {
    let Some(scene) = scene(&[]) else { return };
    scene.packages(&json!({}));
    scene.sent("sample");
    let skipped = scene.send("sample", &json!({}));
    assert_eq!(
        skipped["result"]["summary"],
        "Skipped: Predistributor yum_distributor has not published since last publish."
    );
    // What was sent is not looked at there again: somebody has replaced one that stays the same.
    let units = scene.found("content/units");
    let kept = scene.root().join("content/units").join(&units[0]);
    fs::write(&kept, "mine").unwrap();

    let more = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 3,
        ..Spec::default()
    };
    write_repository(more.path(), &spec).unwrap();
    scene.feed.serve("/more/", more.path());
    let change = json!({"importer_config": {"feed": scene.feed.url("/more/")}});
    let path = "/repositories/sample/importers/yum_importer/";
    let changed = scene.api.call("PUT", path, Some(&change)).unwrap();
    let changed = changed.expect(202).unwrap();
    let task = changed["spawned_tasks"][0]["task_id"].as_str().unwrap();
    scene.api.wait(&[task.to_owned()]).unwrap();
    scene.api.sync("sample").unwrap();
    // Not before the other distributor has published it.
    let skipped = scene.send("sample", &json!({}));
    assert_eq!(skipped["result"]["result"], "skipped", "{skipped:#}");
    scene.publish("sample", "yum_distributor");
    scene.sent("sample");
    assert_eq!(scene.found("content/units").len(), units.len() + 3);
    assert_eq!(fs::read(&kept).unwrap(), b"mine");
    let there = scene.root().join("sample");
    let repodata = Repodata::read(|path| Ok(fs::read(there.join(path))?)).unwrap();
    assert_eq!(repodata.packages("primary").unwrap().len(), units.len() + 3);

    // All of it, whatever was sent before.
    let task = scene.send("sample", &json!({"force_full": true}));
    assert_eq!(task["result"]["result"], "success", "{task:#}");
    assert_ne!(fs::read(&kept).unwrap(), b"mine");
}

#[test]
fn delete_removes_what_is_not_published_from_the_repository_alone() {
    let Some(scene) = scene(&[]) else { return };
    scene.packages(&json!({"delete": true}));
    scene.sent("sample");
    let units = scene.found("content/units");
    for name in [
        "sample/Packages/g/stray.rpm",
        "sample/repodata/stray",
        "letter",
        "content/units/letter",
    ] {
        fs::write(scene.root().join(name), "x").unwrap();
    }
    let body = json!({"criteria": {"type_ids": ["rpm"], "filters": {"unit": {"name": "greet"}}}});
    scene
        .api
        .run("/repositories/sample/actions/unassociate/", &body)
        .unwrap();
    scene.publish("sample", "yum_distributor");
    scene.sent("sample");
    let packages = scene.found("sample/Packages");
    assert!(
        packages.len() < units.len()
            && !packages
                .iter()
                .any(|name| name.contains("greet-1") || name.contains("stray")),
        "{packages:?}"
    );
    let documents = scene.found("sample/repodata");
    assert!(!documents.contains(&"stray".to_owned()), "{documents:?}");
    assert_eq!(
        scene.found("content/units").len(),
        units.len() + 1,
        "files of units stay"
    );
    assert!(scene.root().join("letter").exists());
}

#[test]
fn files_are_sent_with_their_manifest_and_units_alone_when_asked_for() {
    let Some(scene) = scene(&[]) else { return };
    scene.feed.serve("/files/", &sample_files());
    scene
        .api
        .create_files("files", &scene.feed.url("/files/"))
        .unwrap();
    scene.api.sync("files").unwrap();
    scene.publish("files", "iso_distributor");
    let more = json!({"content_units_only": true, "remote_units_path": "units/all"});
    let settings = scene.settings("iso_distributor", &more);
    scene.add_away("files", "iso_rsync_distributor", &settings);
    scene.sent("files");
    assert_eq!(scene.found("").len(), 3);
    assert!(
        scene
            .found("")
            .iter()
            .all(|name| name.starts_with("units/all/iso/"))
    );
    let task = scene.send("files", &json!({"content_units_only": false}));
    assert_eq!(task["result"]["result"], "success", "{task:#}");
    let published = scene.found("files");
    assert_eq!(published.len(), 4, "{published:?}");
    for name in &published {
        let served = scene
            .api
            .download(&format!("/pulp/isos/files/{name}"))
            .unwrap();
        assert_eq!(
            fs::read(scene.root().join("files").join(name)).unwrap(),
            served
        );
    }
}

#[test]
fn options_are_rsyncs_and_metadata_is_left_out_when_asked_for() {
    let Some(scene) = scene(&[]) else { return };
    let more = json!({"skip_repodata": true, "delete": true, "rsync_extra_args": ["--chmod=F600", "--no-compress"]});
    scene.packages(&more);
    scene.sent("sample");
    let units = scene.found("content/units");
    let first = fs::metadata(scene.root().join("content/units").join(&units[0])).unwrap();
    assert_eq!(first.permissions().mode() & 0o777, 0o600);
    let repodata = scene.root().join("sample/repodata");
    assert!(!repodata.exists());
    // Somebody else makes it there.
    fs::create_dir(&repodata).unwrap();
    for name in ["repodata/repomd.xml", "stray"] {
        fs::write(scene.root().join("sample").join(name), "mine").unwrap();
    }
    let task = scene.send("sample", &json!({"force_full": true}));
    assert_eq!(task["result"]["result"], "success", "{task:#}");
    let found = scene.found("sample");
    assert!(
        found.contains(&"repodata/repomd.xml".to_owned()),
        "{found:?}"
    );
    assert!(!found.contains(&"stray".to_owned()), "{found:?}");
}

/// A repository `files` with these files, published and sent.
fn files(scene: &Scene, files: &[(&str, &str)]) {
    put(scene, files);
    scene
        .api
        .create_files("files", &scene.feed.url("/feed/"))
        .unwrap();
    let settings = scene.settings("iso_distributor", &json!({}));
    scene.add_away("files", "iso_rsync_distributor", &settings);
    changed(scene);
    scene.sent("files");
}

fn put(scene: &Scene, files: &[(&str, &str)]) {
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    let files: Vec<_> = files.iter().map(owned).collect();
    scene.feed.put_files(&files);
}

/// Brings what changed upstream, and publishes it here.
fn changed(scene: &Scene) {
    scene.api.sync("files").unwrap();
    scene.publish("files", "iso_distributor");
}

#[test]
fn after_a_send_that_did_not_end_nothing_is_taken_to_be_there() {
    let Some(scene) = scene(&[]) else { return };
    let numbers: Vec<String> = (0..300).map(|number| format!("file-{number}")).collect();
    let with = |first| {
        let others = numbers.iter().map(|name| (name.as_str(), name.as_str()));
        others.chain([("a", first)]).collect::<Vec<_>>()
    };
    files(&scene, &with("old"));
    put(&scene, &with("new"));
    changed(&scene);
    // The link has come when the manifest is on its way, which takes a while.
    let slow = json!({"rsync_extra_args": ["--bwlimit=10", "--no-compress", "--whole-file"]});
    let body = json!({"id": "away", "override_config": slow});
    let publish = "/repositories/files/actions/publish/";
    let task = scene.api.spawn(publish, &body).unwrap().remove(0);
    let path = format!("/tasks/{task}/");
    wait_for("the manifest to be sent", || {
        let task = scene.api.get(&path)?;
        let step = &task["progress_report"]["away"][3];
        Ok((step["state"] == "IN_PROGRESS").then_some(()))
    })
    .unwrap();
    let cancelled = scene.api.call("DELETE", &path, None).unwrap();
    assert_eq!(cancelled.status, 200);
    let read = |name: &str| fs::read_to_string(scene.root().join("files").join(name)).unwrap();
    assert_eq!(read("a"), "new");
    put(&scene, &with("old"));
    changed(&scene);
    // As it was, and so as it was sent the last time.
    scene.sent("files");
    assert_eq!(read("a"), "old");
    assert!(read("PULP_MANIFEST").contains(&sha256(b"old")));
    assert!(scene.server.leftovers().unwrap().is_empty());
}

#[test]
fn a_folder_gives_way_to_a_file_and_files_of_the_same_bytes_are_each_sent() {
    let Some(scene) = scene(&[]) else { return };
    files(&scene, &[("d/e", "one"), ("twin", "one")]);
    assert_eq!(scene.found("content/units/iso").len(), 2);
    assert_eq!(target(&scene.root(), "files/d/e").file_name().unwrap(), "e");
    put(&scene, &[("d", "two"), ("twin", "one")]);
    changed(&scene);
    scene.sent("files");
    assert_eq!(scene.found("files"), ["PULP_MANIFEST", "d", "twin"]);
}

#[test]
fn nothing_is_sent_any_more_once_the_server_was_killed() {
    let Some(mut scene) = scene(&[]) else { return };
    files(&scene, &[("a", "one")]);
    let large = "x".repeat(200_000);
    put(&scene, &[("a", "one"), ("large", &large)]);
    changed(&scene);
    let slow = json!({"rsync_extra_args": ["--bwlimit=1", "--no-compress", "--whole-file"]});
    let body = json!({"id": "away", "override_config": slow});
    scene
        .api
        .spawn("/repositories/files/actions/publish/", &body)
        .unwrap();
    let data = scene.server.data();
    let running = || {
        let found = run(Command::new("ps").args(["-eo", "args"])).unwrap();
        let data = data.display().to_string();
        let mut lines = found.lines().map(str::to_owned);
        lines.find(|line| line.starts_with("rsync") && line.contains(&data))
    };
    wait_for("rsync to run", || Ok(running())).unwrap();
    scene.server.kill().unwrap();
    wait_for("rsync to end", || Ok(running().is_none().then_some(()))).unwrap();
}

#[test]
fn two_repositories_are_not_sent_to_one_folder() {
    let Some(scene) = scene(&[]) else { return };
    scene.packages(&json!({"delete": true}));
    scene.sent("sample");
    scene.feed.serve("/files/", &sample_files());
    scene
        .api
        .create_files("sub", &scene.feed.url("/files/"))
        .unwrap();
    scene.api.sync("sub").unwrap();
    let settings = scene.settings("iso_distributor", &json!({"delete": true}));
    scene.add_away("sub", "iso_rsync_distributor", &settings);
    for folder in ["sample", "sample/sub", "content", "content/units/iso"] {
        let change = json!({"distributor_config": {"relative_url": folder}});
        let path = "/repositories/sub/distributors/iso_distributor/";
        let changed = scene.api.call("PUT", path, Some(&change)).unwrap();
        let changed = changed.expect(202).unwrap();
        let task = changed["spawned_tasks"][0]["task_id"].as_str().unwrap();
        scene.api.wait(&[task.to_owned()]).unwrap();
        scene.publish("sub", "iso_distributor");
        let task = scene.send("sub", &json!({"remote_units_path": "u"}));
        let told = task["error"]["description"].as_str().unwrap();
        assert!(
            told.contains("repository 'sample' was sent to"),
            "{folder}: {told}"
        );
    }
    assert!(!scene.found("sample").is_empty() && !scene.found("content").is_empty());
}

#[test]
fn a_machine_that_is_another_one_by_now_gets_nothing() {
    let Some(mut scene) = scene(&[]) else { return };
    scene.packages(&json!({}));
    scene.sent("sample");
    scene.sshd.become_another().unwrap();
    fs::remove_dir_all(scene.root()).unwrap();
    let task = scene.send("sample", &json!({"force_full": true}));
    assert_eq!(task["state"], "error", "{task:#}");
    let told = task["error"]["description"].as_str().unwrap();
    assert!(
        told.contains("rsync to 127.0.0.1 failed") && told.contains("Host key verification failed"),
        "{told}"
    );
    assert!(!scene.root().exists());
    scene.sshd.stop();
    let task = scene.send("sample", &json!({"force_full": true}));
    let told = task["error"]["description"].as_str().unwrap();
    assert!(told.contains("Connection refused"), "{told}");
    assert!(scene.server.leftovers().unwrap().is_empty());
}

#[test]
fn with_a_file_of_known_machines_others_get_nothing() {
    let known = tempfile::NamedTempFile::new().unwrap();
    let file = known.path().to_str().unwrap();
    let Some(scene) = scene(&["--ssh-known-hosts", file]) else {
        return;
    };
    scene.packages(&json!({}));
    let task = scene.send("sample", &json!({}));
    let told = task["error"]["description"].as_str().unwrap();
    assert!(told.contains("Host key verification failed"), "{told}");
    fs::write(known.path(), scene.sshd.known().unwrap()).unwrap();
    scene.sent("sample");
}

#[test]
fn a_repository_without_its_files_or_its_predistributor_is_not_sent() {
    let Some(scene) = scene(&[]) else { return };
    let importer = json!({"feed": scene.feed.url("/feed/"), "download_policy": "on_demand"});
    scene.api.create_rpm_with("late", &importer).unwrap();
    scene.api.sync("late").unwrap();
    let nobody = json!({"predistributor_id": null});
    scene.add_away(
        "late",
        "rpm_rsync_distributor",
        &scene.settings("yum_distributor", &json!({})),
    );
    let skipped = scene.send("late", &json!({}));
    assert_eq!(
        skipped["result"]["result"], "skipped",
        "nothing is published: {skipped:#}"
    );
    scene.publish("late", "yum_distributor");
    for only_units in [false, true] {
        let task = scene.send("late", &json!({"content_units_only": only_units}));
        assert_eq!(task["error"]["code"], "PLP0045", "{task:#}");
    }
    // What has come since is sent, though the other distributor has not published again.
    let download = "/repositories/late/actions/download/";
    scene.api.run(download, &json!({})).unwrap();
    scene.sent("late");
    let count = scene.api.units("late", "rpm").unwrap().len();
    assert_eq!(scene.found("content/units/rpm").len(), count);
    assert_eq!(scene.found("content/units").len(), count);
    let task = scene.send("late", &nobody);
    assert_eq!(task["error"]["code"], "RPM1010", "{task:#}");
    let task = scene.send("late", &json!({"predistributor_id": "nobody"}));
    assert_eq!(task["error"]["code"], "PLP0009", "{task:#}");
    let task = scene.send("late", &json!({"predistributor_id": "away"}));
    assert_eq!(task["state"], "error", "{task:#}");
}
