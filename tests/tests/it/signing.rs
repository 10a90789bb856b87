//! Repositories whose metadata is signed, as dnf checks it (`repo_gpgcheck`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pith_e2e::tools::{is_root, missing, sample_repo};
use pith_e2e::{Api, Dnf, Feed, Pith};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEYS: &str = "/pith/signing_keys/";
const SIGNED: [&str; 2] = ["repomd.xml.asc", "repomd.xml.key"];

/// A server with the sample repository, synced and not signed.
struct Scene {
    server: Pith,
    api: Api,
    _feed: Feed,
    folder: TempDir,
}

impl Scene {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let exports = folder.path().to_str().unwrap();
        let server = Pith::start_with(&["--allow-exports-to", exports]).unwrap();
        let api = server.api().unwrap();
        let feed = Feed::of(&sample_repo()).unwrap();
        api.create_rpm("sample", &feed.url("/feed/")).unwrap();
        api.sync("sample").unwrap();
        api.publish("sample").unwrap();
        Self {
            server,
            api,
            _feed: feed,
            folder,
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let answer = self.api.call(method, path, Some(body)).unwrap();
        answer.expect(status).unwrap()
    }

    fn make_key(&self, name: &str) -> Value {
        let body = json!({ "name": name, "user_id": format!("{name} <a@example.org>") });
        self.call("POST", KEYS, &body, 201)
    }

    /// Changes settings of the distributor of a repository.
    fn set(&self, repo: &str, settings: &Value) {
        let id = self.api.distributor(repo).unwrap();
        let path = format!("/repositories/{repo}/distributors/{id}/");
        let report = self.call(
            "PUT",
            &path,
            &json!({ "distributor_config": settings }),
            202,
        );
        let task = report["spawned_tasks"][0]["task_id"].as_str().unwrap();
        let ended = self.api.wait(&[task.to_owned()]).unwrap().remove(0);
        assert_eq!(ended["state"], "finished", "{ended:#}");
    }

    /// Publishes; whether that was skipped.
    fn publish(&self, repo: &str) -> bool {
        let task = self.api.publish(repo).unwrap();
        task["result"]["result"] == "skipped"
    }

    fn repodata(&self, repo: &str, name: &str) -> Option<Vec<u8>> {
        let path = format!("/pulp/repos/{repo}/repodata/{name}");
        let (status, bytes) = self.api.raw("GET", &path, None).unwrap();
        (status == 200).then_some(bytes)
    }

    /// A file with the public part of a key.
    fn key_file(&self, key: &Value) -> PathBuf {
        let name = key["fingerprint"].as_str().unwrap();
        let file = self.folder.path().join(format!("{name}.asc"));
        fs::write(&file, key["public_key"].as_str().unwrap()).unwrap();
        file
    }

    /// A dnf that checks the metadata with this key.
    fn dnf(&self, key: &Value) -> Dnf {
        let (url, key) = (self.server.url("/pulp/repos/sample/"), self.key_file(key));
        let text = format!(
            "[pith]\nname=pith\nbaseurl={url}\ngpgcheck=0\nrepo_gpgcheck=1\ngpgkey=file://{}\n",
            key.display()
        );
        Dnf::with_configuration(&text).unwrap()
    }

    /// Tells whether the signature of a document is good, by this key alone.
    fn verifies(&self, key: &Value, signature: &[u8], document: &[u8]) -> bool {
        let at = |name: &str| self.folder.path().join(name);
        let _ = fs::remove_file(at("ring.gpg"));
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--quiet", "--output"])
            .arg(at("ring.gpg"));
        let made = gpg.arg("--dearmor").arg(self.key_file(key)).status();
        assert!(made.unwrap().success());
        fs::write(at("signature"), signature).unwrap();
        fs::write(at("document"), document).unwrap();
        let mut gpgv = Command::new("gpgv");
        gpgv.arg("--keyring")
            .args([at("ring.gpg"), at("signature"), at("document")]);
        gpgv.output().unwrap().status.success()
    }

    fn is_signed_by(&self, repo: &str, key: &Value) -> bool {
        let signature = self.repodata(repo, "repomd.xml.asc").unwrap();
        let repomd = self.repodata(repo, "repomd.xml").unwrap();
        let public = self.repodata(repo, "repomd.xml.key").unwrap();
        public == key["public_key"].as_str().unwrap().as_bytes()
            && self.verifies(key, &signature, &repomd)
    }
}

#[test]
fn dnf_installs_what_its_key_signed_and_nothing_else() {
    if missing(&["dnf", "rpm", "gpg"]) {
        return;
    }
    let scene = Scene::start();
    let key = scene.make_key("zoo");
    let stranger = scene.make_key("stranger");
    // Unsigned metadata is refused by a client that asks for signatures.
    assert!(scene.dnf(&key).makecache().is_err());
    scene.set("sample", &json!({ "gpg_sign_metadata": true }));
    assert!(!scene.publish("sample"), "the settings have changed");
    let refused = scene.dnf(&stranger).makecache().unwrap_err().to_string();
    assert!(
        refused.to_lowercase().contains("sign") || refused.contains("GPG"),
        "{refused}"
    );
    let dnf = scene.dnf(&key);
    dnf.makecache().unwrap();
    if is_root() {
        dnf.install(&["greet"]).unwrap();
        assert!(dnf.installed().unwrap().contains(&"greet-1.2-1".to_owned()));
    }
    // After a rotation the old key checks no more, and the new one does.
    let new = scene.call(
        "POST",
        &format!("{KEYS}zoo/actions/rotate/"),
        &json!({}),
        201,
    );
    assert!(!scene.publish("sample"), "the key has changed");
    assert!(scene.dnf(&key).makecache().is_err());
    scene.dnf(&new).makecache().unwrap();
}

#[test]
fn what_is_served_is_signed_by_the_key_that_the_settings_mean() {
    if missing(&["gpg", "gpgv"]) {
        return;
    }
    let scene = Scene::start();
    assert!(
        SIGNED
            .iter()
            .all(|name| scene.repodata("sample", name).is_none())
    );
    let zoo = scene.make_key("zoo");
    let other = scene.make_key("other");
    scene.set("sample", &json!({ "gpg_sign_metadata": true }));
    scene.publish("sample");
    assert!(scene.is_signed_by("sample", &zoo));
    assert!(scene.publish("sample"), "nothing has changed");
    scene.set("sample", &json!({ "signing_key": "other" }));
    assert!(!scene.publish("sample"));
    assert!(scene.is_signed_by("sample", &other));
    let path = format!("{KEYS}other/actions/rotate/");
    let new = scene.call("POST", &path, &json!({ "algorithm": "rsa4096" }), 201);
    assert!(!scene.publish("sample"));
    assert!(scene.is_signed_by("sample", &new));
    assert!(scene.publish("sample"));
    // What was signed is not, once the settings say so.
    scene.set("sample", &json!({ "gpg_sign_metadata": false }));
    assert!(!scene.publish("sample"));
    assert!(
        SIGNED
            .iter()
            .all(|name| scene.repodata("sample", name).is_none())
    );
}

#[test]
fn a_clone_that_should_be_signed_takes_nothing_that_is_not() {
    let scene = Scene::start();
    scene.make_key("zoo");
    scene
        .api
        .create_rpm("clone", "http://127.0.0.1:9/")
        .unwrap();
    let body = json!({
        "distributor_id": "clone_clone", "distributor_type_id": "yum_clone_distributor",
        "distributor_config": {
            "source_repo_id": "sample", "source_distributor_id": "yum_distributor",
            "destination_distributor_id": "yum_distributor",
        },
    });
    scene.call("POST", "/repositories/clone/distributors/", &body, 201);
    scene.set("clone", &json!({ "gpg_sign_metadata": true }));
    let clone = || {
        let body = json!({ "id": "clone_clone" });
        let tasks = scene
            .api
            .spawn("/repositories/clone/actions/publish/", &body);
        scene.api.wait(&tasks.unwrap()).unwrap().remove(0)
    };
    let refused = clone();
    assert_eq!(refused["state"], "error", "{refused:#}");
    assert!(
        refused["error"].to_string().contains("is not signed"),
        "{refused:#}"
    );
    scene.set("sample", &json!({ "gpg_sign_metadata": true }));
    scene.publish("sample");
    assert_eq!(clone()["result"]["result"], "success");
    for name in ["repomd.xml", "repomd.xml.asc", "repomd.xml.key"] {
        assert_eq!(
            scene.repodata("clone", name),
            scene.repodata("sample", name)
        );
    }
    // The key that the settings mean is another one now, until the source has been signed with it.
    scene.call(
        "POST",
        &format!("{KEYS}zoo/actions/rotate/"),
        &json!({}),
        201,
    );
    assert_eq!(clone()["state"], "error");
    scene.publish("sample");
    assert_eq!(clone()["result"]["result"], "success");
}

#[test]
fn exports_are_signed_like_what_is_served() {
    if missing(&["gpg", "gpgv"]) {
        return;
    }
    let scene = Scene::start();
    let key = scene.make_key("zoo");
    let export = scene.folder.path().join("export");
    fs::create_dir(&export).unwrap();
    let body = json!({
        "distributor_id": "out", "distributor_type_id": "export_distributor",
        "distributor_config": { "http": false, "https": false, "export_dir": export, "gpg_sign_metadata": true },
    });
    scene.call("POST", "/repositories/sample/distributors/", &body, 201);
    scene
        .api
        .run(
            "/repositories/sample/actions/publish/",
            &json!({ "id": "out" }),
        )
        .unwrap();
    let read = |name: &str| fs::read(export.join("sample/repodata").join(name)).unwrap();
    assert_eq!(
        read("repomd.xml.key"),
        key["public_key"].as_str().unwrap().as_bytes()
    );
    assert!(scene.verifies(&key, &read("repomd.xml.asc"), &read("repomd.xml")));
}

#[test]
fn an_export_of_a_group_is_signed_in_each_repository_and_holds_its_key() {
    if missing(&["gpg", "gpgv"]) {
        return;
    }
    let scene = Scene::start();
    let of_type = json!({ "delta": { "notes": { "_repo-type": "rpm-repo" } } });
    scene.call("PUT", "/repositories/sample/", &of_type, 200);
    let export = scene.folder.path().join("export");
    fs::create_dir(&export).unwrap();
    let group = json!({
        "id": "all", "repo_ids": ["sample"],
        "distributors": [{
            "distributor_id": "out", "distributor_type_id": "group_export_distributor",
            "distributor_config": { "http": false, "https": false, "export_dir": export, "gpg_sign_metadata": true },
        }],
    });
    // There is no key yet.
    let refused = scene.call("POST", "/repo_groups/", &group, 400);
    assert!(refused.to_string().contains("PTH0004"), "{refused}");
    let key = scene.make_key("zoo");
    scene.call("POST", "/repo_groups/", &group, 201);
    let tasks = scene
        .api
        .spawn("/repo_groups/all/actions/publish/", &json!({ "id": "out" }));
    let ended = scene.api.wait(&tasks.unwrap()).unwrap().remove(0);
    assert_eq!(ended["state"], "finished", "{ended:#}");
    let read = |name: &str| fs::read(export.join("sample/repodata").join(name)).unwrap();
    assert!(scene.verifies(&key, &read("repomd.xml.asc"), &read("repomd.xml")));
    let path = format!("{KEYS}zoo/");
    let refused = scene.call("DELETE", &path, &json!({}), 409);
    assert!(
        refused.to_string().contains("out of group all"),
        "{refused}"
    );
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let each = entries.flat_map(|path| match path.is_dir() {
        true => files_below(&path),
        false => vec![path],
    });
    each.collect()
}

#[test]
fn secret_parts_are_in_no_file_of_the_server_and_in_no_log() {
    if missing(&["gpg"]) {
        return;
    }
    let scene = Scene::start();
    scene.make_key("zoo");
    let path = format!("{KEYS}zoo/actions/export/");
    let body = json!({ "passphrase": "sesame-of-the-export" });
    let exported = scene.call("POST", &path, &body, 200);
    let secret = exported["secret_key"].as_str().unwrap();
    assert!(secret.starts_with("-----BEGIN PGP PRIVATE KEY BLOCK-----\n"));
    scene.set("sample", &json!({ "gpg_sign_metadata": true }));
    scene.publish("sample");
    for file in files_below(&scene.server.data()) {
        let bytes = fs::read(&file).unwrap();
        let has = |text: &str| {
            bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes())
        };
        assert!(!has("PGP PRIVATE KEY"), "{}", file.display());
        assert!(!has("sesame-of-the-export"), "{}", file.display());
    }
    let log = scene.server.log().unwrap();
    assert!(log.contains("was exported") && !log.contains("PGP PRIVATE KEY"));
    assert!(!log.contains("sesame-of-the-export"));
}

#[test]
fn the_command_line_makes_shows_rotates_and_deletes_keys() {
    let server = Pith::start().unwrap();
    let pith = |line: &str| server.client(line).unwrap();
    let made = pith("key create zoo --user-id Zoo --json").json().unwrap();
    assert_eq!(made["default"], true);
    let shown = pith("key show zoo --json").json().unwrap();
    assert_eq!(shown, made);
    let public = pith("key export zoo").done().unwrap();
    assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----"));
    let secret = pith("key export zoo --secret").done().unwrap();
    assert!(secret.starts_with("-----BEGIN PGP PRIVATE KEY BLOCK-----"));
    // A passphrase protects what is secret and in a file; where nothing is, it would count for nothing.
    for line in [
        "key export zoo --passphrase-stdin",
        "key rotate zoo --passphrase-stdin",
    ] {
        let refused = pith(line);
        assert_eq!(refused.code, Some(2), "{line}: {}", refused.err);
        assert!(refused.err.contains("no passphrase"), "{}", refused.err);
    }
    assert_eq!(pith("key show zoo --json").json().unwrap(), made);
    let new = pith("key rotate zoo --json").json().unwrap();
    assert_ne!(new["fingerprint"], made["fingerprint"]);
    let listed = pith("key list --json").json().unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    pith("key delete zoo").done().unwrap();
    assert_eq!(pith("key show zoo").code, Some(3));
}
