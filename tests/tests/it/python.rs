//! Python packages: pip installs what pith mirrored and published.

use std::path::PathBuf;
use std::process::Command;

use pith_e2e::tools::{find, missing, run};
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::python::{sdist, wheel, wheel_name};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Files of one project below an upstream's `/index/`, with a page in HTML.
fn put(feed: &Feed, project: &str, files: &[(String, Vec<u8>)]) {
    let mut page = String::from("<!DOCTYPE html><html><body>\n");
    for (name, bytes) in files {
        let digest = sha256(bytes);
        page.push_str(&format!(
            "<a href=\"../../files/{name}#sha256={digest}\">{name}</a><br>\n"
        ));
        feed.replace(&format!("/index/files/{name}"), bytes);
    }
    feed.replace(&format!("/index/simple/{project}/"), page.as_bytes());
}

fn create(api: &Api, id: &str, feed: &str, names: &str) {
    let body = json!({
        "id": id, "notes": {"_repo-type": "PYTHON"},
        "importer_type_id": "python_importer",
        "importer_config": {"feed": feed, "package_names": names},
        "distributors": [{
            "distributor_type_id": "python_distributor", "distributor_id": "cli_python_distributor",
            "distributor_config": {},
        }],
    });
    api.call("POST", "/repositories/", Some(&body))
        .unwrap()
        .expect(201)
        .unwrap();
}

/// pip, in an environment of its own, that knows one index.
struct Pip {
    folder: TempDir,
    index: String,
}

impl Pip {
    fn new(index: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, index }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    fn command(&self, what: &[&str]) -> Command {
        let mut pip = Command::new(find("pip").unwrap());
        pip.args(what)
            .args([
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--isolated",
            ])
            .args(["--index-url", &self.index, "--trusted-host", "127.0.0.1"])
            .env("HOME", self.folder.path());
        pip
    }

    /// Installs, and answers what the module says of itself.
    fn install(&self, project: &str) -> String {
        let target = self.target();
        run(self
            .command(&["install"])
            .args(["--no-deps", "--upgrade", "--target"])
            .arg(&target)
            .arg(project))
        .unwrap();
        let module = std::fs::read_to_string(target.join("shelf_reader.py"));
        module.unwrap()
    }
}

#[test]
fn pip_installs_what_was_mirrored_and_sees_what_changed_upstream() {
    if missing(&["pip"]) {
        return;
    }
    let feed = Feed::start().unwrap();
    let files = |text: &str| {
        vec![
            (
                wheel_name("shelf-reader", "0.1"),
                wheel("shelf-reader", "0.1", text),
            ),
            (
                "shelf-reader-0.1.tar.gz".to_owned(),
                sdist("shelf-reader", "0.1", text).unwrap(),
            ),
        ]
    };
    put(&feed, "shelf-reader", &files("first"));
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    create(&api, "py", &feed.url("/index/"), "Shelf_Reader");
    api.sync("py").unwrap();
    api.publish("py").unwrap();
    let index = server.url("/pulp/python/web/py/simple/");
    assert!(
        Pip::new(index.clone())
            .install("shelf.reader")
            .contains("first")
    );

    // A lock file with hashes.
    let pip = Pip::new(index.clone());
    let [(_, bytes), _] = <[_; 2]>::try_from(files("first")).unwrap();
    let lock = pip.folder.path().join("lock.txt");
    let line = format!("shelf-reader==0.1 --hash=sha256:{}\n", sha256(&bytes));
    std::fs::write(&lock, line).unwrap();
    let mut download = pip.command(&["download"]);
    download
        .args(["--no-deps", "--require-hashes", "--dest"])
        .arg(pip.target());
    run(download.arg("--requirement").arg(&lock)).unwrap();
    let versions = run(pip.command(&["index", "versions"]).arg("shelf-reader")).unwrap();
    assert!(versions.contains("Available versions: 0.1"), "{versions}");

    // Upstream changes a file in place and adds one.
    let mut changed = files("second");
    changed.push((
        wheel_name("shelf-reader", "0.2"),
        wheel("shelf-reader", "0.2", "newer"),
    ));
    put(&feed, "shelf-reader", &changed);
    api.sync("py").unwrap();
    api.publish("py").unwrap();
    assert!(
        Pip::new(index.clone())
            .install("shelf-reader==0.1")
            .contains("second")
    );
    assert!(Pip::new(index).install("shelf-reader").contains("newer"));

    // Another pith mirrors what this one published, by the JSON API of Pulp.
    create(
        &api,
        "again",
        &server.url("/pulp/python/web/py/"),
        "shelf-reader",
    );
    api.sync("again").unwrap();
    api.publish("again").unwrap();
    assert_eq!(api.units("again", "python_package").unwrap().len(), 3);
    let again = Pip::new(server.url("/pulp/python/web/again/simple/"));
    assert!(again.install("shelf-reader").contains("newer"));
}

#[test]
fn the_command_line_uploads_what_pip_installs() {
    if missing(&["pip"]) {
        return;
    }
    let server = Pith::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(wheel_name("shelf-reader", "0.1"));
    std::fs::write(&file, wheel("shelf-reader", "0.1", "uploaded")).unwrap();
    for line in [
        "python repo create --repo-id own".to_owned(),
        format!(
            "python repo uploads upload --repo-id own --file {}",
            file.display()
        ),
        "python repo publish run --repo-id own".to_owned(),
    ] {
        server.client(&line).unwrap().done().unwrap();
    }
    let pip = Pip::new(server.url("/pulp/python/web/own/simple/"));
    assert!(pip.install("shelf-reader").contains("uploaded"));
    let units = server
        .api()
        .unwrap()
        .units("own", "python_package")
        .unwrap();
    let metadata = &units[0]["metadata"];
    assert_eq!(metadata["_checksum_type"], "sha512", "{metadata}");
    assert_eq!(metadata["packagetype"], "bdist_wheel");
}
