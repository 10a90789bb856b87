//! Exit codes and messages.

use serde_json::{Value, json};

use crate::fake::{Fake, pith, report, task};

#[tokio::test]
async fn each_refusal_has_its_exit_code_and_a_hint() {
    let fake = Fake::start().await;
    let cases = [
        (401, "PLP0025", "Authentication failed.", 4),
        (403, "PLP0026", "Permission denied", 4),
        (404, "PLP0009", "Missing resource(s): repository=demo", 3),
        (409, "PLP0018", "Duplicate resource: demo", 6),
        (400, "PLP0015", "Invalid properties: ['repo_id']", 6),
        (500, "PLP0000", "boom", 6),
    ];
    for (status, code, text, _) in cases {
        fake.refuse("GET repositories/demo", status, code, text);
    }
    for (_, _, text, exit) in cases {
        let ran = pith(&fake.url, "repo show demo").await;
        assert_eq!(ran.exit.code(), exit, "{text}");
        assert!(ran.err.contains(text), "{}", ran.err);
        assert!(ran.err.contains("\nhint: "), "{}", ran.err);
        assert_eq!(ran.out, "");
    }
}

#[tokio::test]
async fn with_json_an_error_is_one_document() {
    let fake = Fake::start().await;
    fake.refuse(
        "GET repositories/demo",
        404,
        "PLP0009",
        "Missing resource(s): repository=demo",
    );
    let ran = pith(&fake.url, "--json repo show demo").await;
    let document: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(document["exit_code"], 3);
    assert_eq!(document["error"]["code"], "PLP0009");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = pith(&url, "repo list").await;
    assert_eq!(ran.exit.code(), 5);
    assert!(ran.err.contains("cannot be reached"), "{}", ran.err);
    assert!(ran.err.contains("pith serve"), "{}", ran.err);
}

#[tokio::test]
async fn a_password_for_another_machine_needs_encryption() {
    let ran = pith("http://192.0.2.1:8080", "repo list").await;
    assert_eq!(ran.exit.code(), 4);
    assert!(ran.err.contains("plain HTTP"), "{}", ran.err);
}

#[tokio::test]
async fn a_failed_task_shows_what_pulp_says_and_the_nested_errors() {
    let fake = Fake::start().await;
    let mut failed = task("t1", "error", "sync", &[], &Value::Null);
    failed["progress_report"] =
        json!({"yum_importer": {"metadata": {"state": "FAILED", "error": "File not found"}}});
    failed["error"] = json!({"code": "RPM1004", "description": "Error retrieving metadata: File not found", "data": {},
        "sub_errors": [{"code": "PLP0000", "description": "inner", "data": {}, "sub_errors": []}]});
    fake.on("POST repositories/demo/actions/sync", 202, report(&["t1"]))
        .on("GET tasks/t1", 200, failed);
    let ran = pith(&fake.url, "rpm repo sync run demo").await;
    assert_eq!(ran.exit.code(), 1);
    insta::assert_snapshot!(ran.err, @r"
      Fetching metadata: failed: File not found
    sync of demo: error
    error: sync of demo failed: Error retrieving metadata: File not found (RPM1004, task t1)
      - inner (PLP0000)
    hint: check the feed: its repodata/repomd.xml must open from the server
    ");
    let ran = pith(&fake.url, "--json rpm repo sync run demo").await;
    assert_eq!(ran.exit.code(), 1);
    assert_eq!(ran.json()[0]["state"], "error");
}

#[tokio::test]
async fn an_answer_that_is_not_json_is_said_to_be_no_pulp() {
    let fake = Fake::start().await;
    fake.on("GET repositories", 302, json!("elsewhere"));
    let ran = pith(&fake.url, "repo list").await;
    assert_eq!(ran.exit.code(), 6);
    assert!(ran.err.contains("redirects elsewhere"), "{}", ran.err);
}
