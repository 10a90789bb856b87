//! Sending files.

use serde_json::{Value, json};

use crate::fake::{Fake, pith_args};

const SEGMENT: usize = 1024 * 1024;

#[tokio::test]
async fn a_file_travels_in_segments_with_its_size_and_digest() {
    let fake = Fake::start().await;
    fake.takes_upload();
    fake.task("t1", "import_upload", &[], &json!({"success_flag": true}));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("big.iso");
    let bytes: Vec<u8> = (0..2 * SEGMENT + 10).map(|n| (n % 251) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    let args = [
        "iso",
        "repo",
        "uploads",
        "upload",
        "--repo-id",
        "demo",
        file.to_str().unwrap(),
    ];
    let ran = pith_args(&fake.url, &args).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    let sent: Vec<_> = fake
        .seen()
        .into_iter()
        .filter(|seen| seen.line.starts_with("PUT"))
        .collect();
    assert_eq!(
        sent.iter().map(|seen| seen.body.len()).collect::<Vec<_>>(),
        [SEGMENT, SEGMENT, 10]
    );
    assert_eq!(
        sent.iter()
            .flat_map(|seen| seen.body.to_vec())
            .collect::<Vec<u8>>(),
        bytes
    );
    let digest = pith_core::Sha256::of(&bytes).to_string();
    assert_eq!(
        fake.body("POST repositories/demo/actions/import_upload"),
        json!({"upload_id": "u1", "unit_type_id": "iso", "unit_metadata": {}, "override_config": {},
               "unit_key": {"name": "big.iso", "size": 2 * SEGMENT + 10, "checksum": digest}})
    );
    assert_eq!(fake.lines().last().unwrap(), "DELETE content/uploads/u1");
    assert_eq!(ran.out, "import upload of demo: done\n");
    assert!(
        ran.err.starts_with("sent big.iso (2.0 MiB)\n"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn a_package_has_its_type_from_its_name_and_no_key() {
    let fake = Fake::start().await;
    fake.takes_upload();
    fake.task("t1", "import_upload", &[], &Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("walrus-1-1.src.rpm");
    std::fs::write(&file, b"").unwrap();
    let args = [
        "rpm",
        "repo",
        "uploads",
        "rpm",
        "--repo-id",
        "demo",
        "-f",
        file.to_str().unwrap(),
    ];
    let ran = pith_args(&fake.url, &args).await;
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    assert_eq!(
        fake.body("POST repositories/demo/actions/import_upload"),
        json!({"upload_id": "u1", "unit_type_id": "srpm", "unit_key": {}, "unit_metadata": {}, "override_config": {}})
    );
}

#[tokio::test]
async fn a_failed_import_fails_the_command_and_leaves_no_upload_behind() {
    let fake = Fake::start().await;
    fake.takes_upload();
    let error = json!({"code": "PLP0047", "description": "The importer refused", "data": {}, "sub_errors": []});
    fake.on(
        "GET tasks/t1",
        200,
        json!({"task_id": "t1", "state": "error", "tags": ["pulp:action:import_upload"], "error": error}),
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.rpm");
    std::fs::write(&file, b"x").unwrap();
    let args = [
        "rpm",
        "repo",
        "uploads",
        "upload",
        "--repo-id",
        "demo",
        file.to_str().unwrap(),
    ];
    let ran = pith_args(&fake.url, &args).await;
    assert_eq!(ran.exit.code(), 1);
    assert_eq!(fake.lines().last().unwrap(), "DELETE content/uploads/u1");
}

#[tokio::test]
async fn a_file_that_is_not_there_or_of_no_known_type_is_refused_before_it_is_sent() {
    let fake = Fake::start().await;
    fake.takes_upload();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("comps.xml");
    std::fs::write(&file, b"x").unwrap();
    for path in [file.to_str().unwrap(), "/surely/not/there.rpm"] {
        let args = [
            "rpm",
            "repo",
            "uploads",
            "upload",
            "--repo-id",
            "demo",
            path,
        ];
        assert_eq!(pith_args(&fake.url, &args).await.exit.code(), 2);
    }
    assert!(fake.lines().iter().all(|line| line.starts_with("GET")));
}
