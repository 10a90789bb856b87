//! Operations that the recordings at hand do not show succeed, each used once with success. `endpoints.rs` reads the
//! same list, so that what it says is covered is what this test has sent.

use std::sync::Arc;

use pith_api::routes::routes;
use pith_pulp::jobs::SyncRepository;
use pith_testkit::harness::Harness;
use serde_json::{Value, json};

use crate::groups::{call, finished};
use crate::replay::ask;
use crate::server::Server;

/// Method, path of the route, path to send, body. `UNIT`, `TASK`, `GROUP` and `UPLOAD` are filled in.
pub(crate) const CALLS: &[(&str, &str, &str, &str)] = &[
    (
        "POST",
        "/repositories/<repo>/actions/sync/",
        "/repositories/r/actions/sync/",
        "",
    ),
    (
        "POST",
        "/repositories/<repo>/actions/publish/",
        "/repositories/r/actions/publish/",
        r#"{"id": "h"}"#,
    ),
    (
        "GET",
        "/repositories/<repo>/history/publish/<distributor>/",
        "/repositories/r/history/publish/h/",
        "",
    ),
    (
        "GET",
        "/repo_groups/search/",
        "/repo_groups/search/?limit=1",
        "",
    ),
    (
        "POST",
        "/repo_groups/search/",
        "/repo_groups/search/",
        r#"{"criteria": {}}"#,
    ),
    (
        "GET",
        "/repositories/<repo>/history/sync/",
        "/repositories/r/history/sync/?limit=1",
        "",
    ),
    (
        "GET",
        "/repositories/<repo>/search/units/",
        "/repositories/r/search/units/?limit=1",
        "",
    ),
    (
        "POST",
        "/repositories/<repo>/search/units/",
        "/repositories/r/search/units/",
        r#"{"criteria": {}}"#,
    ),
    (
        "GET",
        "/content/units/<type>/search/",
        "/content/units/harness_type/search/?limit=1",
        "",
    ),
    (
        "GET",
        "/content/units/<type>/<unit>/",
        "/content/units/harness_type/UNIT/",
        "",
    ),
    (
        "PUT",
        "/content/units/<type>/<unit>/pulp_user_metadata/",
        "/content/units/harness_type/UNIT/pulp_user_metadata/",
        r#"{"a": 1}"#,
    ),
    (
        "GET",
        "/content/units/<type>/<unit>/pulp_user_metadata/",
        "/content/units/harness_type/UNIT/pulp_user_metadata/",
        "",
    ),
    (
        "DELETE",
        "/content/uploads/<upload>/",
        "/content/uploads/UPLOAD/",
        "",
    ),
    (
        "GET",
        "/content/sources/<source>/",
        "/content/sources/near/",
        "",
    ),
    (
        "POST",
        "/content/sources/<source>/action/<action>/",
        "/content/sources/near/action/refresh/",
        "",
    ),
    ("GET", "/tasks/search/", "/tasks/search/?limit=1", ""),
    (
        "POST",
        "/tasks/search/",
        "/tasks/search/",
        r#"{"criteria": {"limit": 1}}"#,
    ),
    ("DELETE", "/tasks/<task>/", "/tasks/TASK/", ""),
    ("DELETE", "/task_groups/<group>/", "/task_groups/GROUP/", ""),
    (
        "DELETE",
        "/repo_groups/<group>/distributors/<distributor>/",
        "/repo_groups/g/distributors/d/",
        r#"{"force": true}"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_recordings_do_not_show_succeeds_too() {
    let server = Server::start(vec![Arc::new(Harness)]).await;
    for (path, body) in [
        (
            "/repositories/",
            json!({"id": "r", "importer_type_id": "harness_importer", "importer_config": {"num_units": 3},
                "distributors": [{"distributor_type_id": "harness_distributor", "distributor_id": "h"}]}),
        ),
        (
            "/repo_groups/",
            json!({"id": "g", "distributors": [{
                "distributor_type_id": "harness_group_distributor", "distributor_id": "d",
            }]}),
        ),
    ] {
        assert_eq!(call(&server, "POST", path, body).await.0, 201);
    }
    server.content_source("near");
    let (_, report) = call(&server, "POST", "/repositories/r/actions/sync/", json!({})).await;
    let task = finished(&server, &report).await;
    assert_eq!(task["result"]["added_count"], 3, "{task}");
    let (_, units) = call(&server, "GET", "/content/units/harness_type/", Value::Null).await;
    let (_, upload) = call(&server, "POST", "/content/uploads/", Value::Null).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (unit, upload) = (text(&units[0]["_id"]), text(&upload["upload_id"]));
    let sync = SyncRepository {
        repo_id: "r".to_owned(),
        override_config: Value::Null,
    };
    let group = server.engine.enqueue_group(&[sync]).await.unwrap();
    for (method, route, path, body) in CALLS {
        let path = path
            .replace("UNIT", &unit)
            .replace("UPLOAD", &upload)
            .replace("GROUP", &group.to_string())
            .replace("TASK", &text(&task["task_id"]));
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        let path = format!("/pulp/api/v2{path}");
        let (status, answer) = ask(&server.router, method, &path, &body).await;
        let route = routes()
            .find(|r| r.verb.name() == *method && r.path == *route)
            .unwrap();
        assert_eq!(status, route.success, "{method} {path}: {answer}");
    }
}
