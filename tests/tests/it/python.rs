//! Python packages: pip installs what pith mirrored and published.

use std::path::PathBuf;
use std::process::Command;

use pith_e2e::tools::{find, missing, run};
use pith_e2e::{Api, Feed, Pith};
use pith_testkit::python::{sdist, wheel, wheel_name};
use pith_testkit::upstream::Fault;
use serde_json::{Value, json};
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
    create_with(api, id, &json!({"feed": feed, "package_names": names}));
}

fn create_with(api: &Api, id: &str, config: &Value) {
    let body = json!({
        "id": id, "notes": {"_repo-type": "PYTHON"},
        "importer_type_id": "python_importer",
        "importer_config": config,
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

#[test]
fn pip_installs_files_that_come_when_they_are_asked_for() {
    if missing(&["pip"]) {
        return;
    }
    let feed = Feed::start().unwrap();
    let file = |version: &str| {
        let name = wheel_name("shelf-reader", version);
        (name, wheel("shelf-reader", version, version))
    };
    put(&feed, "shelf-reader", &[file("0.1"), file("0.2")]);
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    // A page in HTML tells no sizes, and its links start where a redirect led to.
    let page = feed.url("/index/simple/shelf-reader/");
    feed.misbehave("/old/simple/shelf-reader/", Fault::RedirectTo(page));
    let config = json!({
        "feed": feed.url("/old/simple/"), "package_names": "shelf-reader", "download_policy": "on_demand",
    });
    create_with(&api, "py", &config);
    api.sync("py").unwrap();
    api.publish("py").unwrap();
    let asked = |version: &str| {
        feed.requests_for(&format!(
            "/index/files/{}",
            wheel_name("shelf-reader", version)
        ))
    };
    assert_eq!((asked("0.1"), asked("0.2")), (0, 0));
    let pip = Pip::new(server.url("/pulp/python/web/py/simple/"));
    assert!(pip.install("shelf-reader").contains("0.2"));
    assert_eq!((asked("0.1"), asked("0.2")), (0, 1));

    // What is yanked upstream is yanked here, though no file has changed.
    let page = format!(
        "<a href=\"../../files/{old}#sha256={}\">{old}</a><a data-yanked=\"broken\" href=\"../../files/{new}#sha256={}\">{new}</a>",
        sha256(&file("0.1").1),
        sha256(&file("0.2").1),
        old = file("0.1").0,
        new = file("0.2").0,
    );
    feed.replace("/index/simple/shelf-reader/", page.as_bytes());
    api.sync("py").unwrap();
    api.publish("py").unwrap();
    assert!(pip.install("shelf-reader").contains("0.1"));
}
