//! Uploads that go on after an interruption, and uploads that are no files.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake::{Fake, pith, pith_args, pith_in, report};

const SEGMENT: usize = 1024 * 1024;

/// A file of two segments and a bit, and a state folder.
struct Place {
    folder: TempDir,
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("big.iso");
        let bytes: Vec<u8> = (0..2 * SEGMENT + 10).map(|n| (n % 251) as u8).collect();
        std::fs::write(&file, &bytes).unwrap();
        Self {
            folder,
            file,
            bytes,
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn notes(&self) -> usize {
        std::fs::read_dir(self.state().join("uploads")).map_or(0, Iterator::count)
    }

    async fn upload(&self, fake: &Fake) -> crate::fake::Ran {
        let line = format!(
            "iso repo uploads upload --repo-id demo {}",
            self.file.display()
        );
        pith_in(&self.state(), &fake.url, &line).await
    }
}

/// A server that fails in the middle of the second segment, once.
async fn interrupted(place: &Place) -> Fake {
    let fake = Fake::start().await;
    let known = json!({"upload_ids": ["u1", "u9"]});
    fake.on("GET content/uploads", 200, known)
        .refuse("PUT content/uploads/u1/1048576", 503, "PLP0000", "busy")
        .takes_upload()
        .task("t1", "import_upload", &[], &Value::Null);
    let ran = place.upload(&fake).await;
    assert_eq!(ran.exit.code(), 6);
    assert!(
        ran.err.contains("`pith rpm repo uploads resume u1`"),
        "{}",
        ran.err
    );
    assert_eq!(place.notes(), 1);
    fake
}

fn count(fake: &Fake, line: &str) -> usize {
    fake.lines().iter().filter(|seen| *seen == line).count()
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_where_it_stopped() {
    let place = Place::new();
    let fake = interrupted(&place).await;
    let ran = pith_in(&place.state(), &fake.url, "iso repo uploads list").await;
    insta::assert_snapshot!(ran.out, @r"
    UPLOAD  WHAT     REPOSITORY  PROGRESS
    u1      big.iso  demo        1.0 MiB of 2.0 MiB sent
    u9      -        -           -
    ");
    let ran = pith_in(&place.state(), &fake.url, "iso repo uploads resume").await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    assert_eq!(count(&fake, "PUT content/uploads/u1/0"), 1, "sent once");
    assert_eq!(count(&fake, "PUT content/uploads/u1/1048576"), 2);
    let digest = pith_core::Sha256::of(&place.bytes).to_string();
    assert_eq!(
        fake.body("POST repositories/demo/actions/import_upload")["unit_key"],
        json!({"name": "big.iso", "size": place.bytes.len(), "checksum": digest})
    );
    assert_eq!(fake.lines().last().unwrap(), "DELETE content/uploads/u1");
    assert_eq!(place.notes(), 0);
    let ran = pith_in(&place.state(), &fake.url, "iso repo uploads resume").await;
    assert_eq!(ran.out, "no upload of this machine waits to go on\n");
}

#[tokio::test]
async fn a_file_that_changed_does_not_go_on() {
    let place = Place::new();
    let fake = interrupted(&place).await;
    std::fs::write(&place.file, b"other").unwrap();
    let ran = pith_in(&place.state(), &fake.url, "iso repo uploads resume u1").await;
    assert_eq!(ran.exit.code(), 2);
    assert_eq!(place.notes(), 1);
    let ran = pith_in(&place.state(), &fake.url, "iso repo uploads cancel u1").await;
    assert_eq!((ran.exit.code(), place.notes()), (0, 0));
}

#[tokio::test]
async fn an_upload_that_the_server_forgot_begins_again() {
    let place = Place::new();
    let fake = interrupted(&place).await;
    fake.on("GET content/uploads", 200, json!({"upload_ids": []}));
    // The first answer of the route still stands in the queue.
    pith_in(&place.state(), &fake.url, "iso repo uploads list").await;
    let ran = pith_in(&place.state(), &fake.url, "iso repo uploads resume u1").await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    assert_eq!(count(&fake, "PUT content/uploads/u1/0"), 2);
    assert_eq!(count(&fake, "POST content/uploads"), 2);
}

#[tokio::test]
async fn an_import_in_the_background_is_finished_by_resume_without_a_second_import() {
    let place = Place::new();
    let fake = Fake::start().await;
    fake.on("GET content/uploads", 200, json!({"upload_ids": ["u1"]}))
        .takes_upload()
        .task("t1", "import_upload", &[], &Value::Null);
    let line = format!(
        "iso repo uploads upload --repo-id demo --bg {}",
        place.file.display()
    );
    pith_in(&place.state(), &fake.url, &line).await;
    assert_eq!(place.notes(), 1);
    pith_in(&place.state(), &fake.url, "iso repo uploads resume").await;
    assert_eq!(
        count(&fake, "POST repositories/demo/actions/import_upload"),
        1
    );
    assert_eq!(fake.lines().last().unwrap(), "DELETE content/uploads/u1");
    assert_eq!(place.notes(), 0);
}

fn metadata_server(fake: &Fake) {
    fake.on("GET repositories/demo", 200, json!({"id": "demo"}))
        .on("POST content/uploads", 201, json!({"upload_id": "u1"}))
        .on("PUT content/uploads/u1/0", 200, Value::Null)
        .on(
            "POST repositories/demo/actions/import_upload",
            202,
            report(&["t1"]),
        )
        .on("DELETE content/uploads/u1", 200, Value::Null)
        .task("t1", "import_upload", &[], &Value::Null);
}

#[tokio::test]
async fn an_erratum_is_built_from_options_and_tables() {
    let fake = Fake::start().await;
    metadata_server(&fake);
    let folder = tempfile::tempdir().unwrap();
    let (references, packages) = (folder.path().join("r.csv"), folder.path().join("p.csv"));
    std::fs::write(&references, "http://x/,bugzilla,1,\"A, B\"\n").unwrap();
    std::fs::write(
        &packages,
        "bear,4.1,1,0,noarch,bear-4.1-1.noarch.rpm,aa,sha256,bear.src.rpm\n",
    )
    .unwrap();
    let args = [
        "rpm",
        "repo",
        "uploads",
        "erratum",
        "--repo-id",
        "demo",
        "--erratum-id",
        "E-1",
        "--title",
        "T",
        "--type",
        "security",
        "--release",
        "el7",
        "--from",
        "a@b",
        "--reboot-suggested",
        "--reference-csv",
        references.to_str().unwrap(),
        "--pkglist-csv",
        packages.to_str().unwrap(),
    ];
    let ran = pith_args(&fake.url, &args).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    assert_eq!(
        fake.body("POST repositories/demo/actions/import_upload"),
        json!({
            "upload_id": "u1", "unit_type_id": "erratum", "unit_key": {"id": "E-1"}, "override_config": {},
            "unit_metadata": {
                "title": "T", "description": "", "version": "1", "release": "el7", "type": "security",
                "status": "final", "updated": "", "issued": "", "severity": "", "rights": "", "summary": "",
                "solution": "", "from": "a@b", "pushcount": "1", "reboot_suggested": true,
                "restart_suggested": false, "relogin_suggested": false,
                "references": [{"href": "http://x/", "type": "bugzilla", "id": "1", "title": "A, B"}],
                "pkglist": [{"name": "el7", "short": "", "packages": [
                    {"name": "bear", "version": "4.1", "release": "1", "epoch": "0", "arch": "noarch",
                     "filename": "bear-4.1-1.noarch.rpm", "sums": "aa", "type": "sha256",
                     "src": "bear.src.rpm"}]}]}
        })
    );
    assert!(!fake.lines().iter().any(|line| line.starts_with("PUT")));
}

#[tokio::test]
async fn groups_categories_and_environments_belong_to_their_repository() {
    let lines = [
        (
            "group --group-id g --name G --mand-name bear --cond-name a=b --langonly de",
            "package_group",
            json!({"id": "g", "repo_id": "demo"}),
            json!({"mandatory_package_names": ["bear"], "default_package_names": [],
                   "optional_package_names": [], "conditional_package_names": [["a", "b"]],
                   "default": false, "user_visible": true, "langonly": "de"}),
        ),
        (
            "category --category-id g --name G --group x",
            "package_category",
            json!({"id": "g", "repo_id": "demo"}),
            json!({"packagegroupids": ["x"]}),
        ),
        (
            "environment --environment-id g --name G --group x --option y --default-option z",
            "package_environment",
            json!({"id": "g", "repo_id": "demo"}),
            json!({"group_ids": ["x"], "options": [{"group": "z", "default": "true"},
                                                   {"group": "y", "default": false}]}),
        ),
    ];
    for (line, unit_type, key, own) in lines {
        let fake = Fake::start().await;
        metadata_server(&fake);
        let ran = pith(
            &fake.url,
            &format!("rpm repo uploads {line} --repo-id demo"),
        )
        .await;
        assert_eq!(ran.exit.code(), 0, "{}", ran.err);
        let body = fake.body("POST repositories/demo/actions/import_upload");
        let mut metadata = json!({"name": "G", "description": "", "display_order": 1024,
                                  "translated_name": {}, "translated_description": {}});
        for (name, value) in own.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        assert_eq!(body["unit_type_id"], unit_type);
        assert_eq!(body["unit_key"], key);
        assert_eq!(body["unit_metadata"], metadata);
    }
}

#[tokio::test]
async fn a_file_of_metadata_is_verified_by_the_server() {
    let fake = Fake::start().await;
    metadata_server(&fake);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("productid");
    std::fs::write(&file, b"id").unwrap();
    let line = format!(
        "rpm repo uploads metafile --repo-id demo --data-type productid {}",
        file.display()
    );
    let ran = pith(&fake.url, &line).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    let body = fake.body("POST repositories/demo/actions/import_upload");
    assert_eq!(
        body["unit_key"],
        json!({"data_type": "productid", "repo_id": "demo"})
    );
    let digest = pith_core::Sha256::of(b"id").to_string();
    assert_eq!(
        body["unit_metadata"],
        json!({"checksum": digest, "checksum_type": "sha256"})
    );
}

#[tokio::test]
async fn a_home_that_cannot_be_written_is_no_reason_not_to_upload() {
    let place = Place::new();
    let fake = Fake::start().await;
    metadata_server(&fake);
    fake.on("PUT content/uploads/u1/1048576", 200, Value::Null)
        .on("PUT content/uploads/u1/2097152", 200, Value::Null);
    std::fs::write(place.state(), b"no folder").unwrap();
    let ran = place.upload(&fake).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    assert!(ran.err.contains("cannot go on"), "{}", ran.err);
}
