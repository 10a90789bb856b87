//! Configurations with problems that clients know by codes.

use std::sync::Arc;

use pith_testkit::harness::Harness;
use serde_json::{Value, json};

use crate::groups::{call, finished};
use crate::server::Server;

/// Every problem of `error`, as its code and the setting that it names.
fn problems(error: &Value) -> Vec<(&str, &str)> {
    assert_eq!(error["code"], "PLP1000", "{error}");
    assert_eq!(error["description"], "A validation error occurred.");
    let problems = error["sub_errors"].as_array().unwrap().iter();
    let shown = problems.map(|one| {
        let code = one["code"].as_str().unwrap();
        (code, one["data"]["field"].as_str().unwrap())
    });
    shown.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn problems_with_codes_are_told_one_by_one_wherever_a_configuration_is_given() {
    let server = Server::start(vec![Arc::new(Harness)]).await;
    let both = [("HAR1001", "refuse_coded"), ("HAR1002", "refuse_coded")];
    let refused = json!({"refuse_coded": ["HAR1001", "HAR1002"]});
    for body in [json!({"id": "r"}), json!({"id": "g"})] {
        let kind = ["/repositories/", "/repo_groups/"][usize::from(body["id"] == "g")];
        assert_eq!(call(&server, "POST", kind, body).await.0, 201);
    }
    let importer = json!({"importer_type_id": "harness_importer", "importer_config": refused});
    let distributor =
        json!({"distributor_type_id": "harness_distributor", "distributor_config": refused});
    let of_group =
        json!({"distributor_type_id": "harness_group_distributor", "distributor_config": refused});
    let whole =
        json!({"id": "s", "importer_type_id": "harness_importer", "importer_config": refused});
    for (path, body) in [
        ("/repositories/r/importers/", importer),
        ("/repositories/r/distributors/", distributor),
        ("/repo_groups/g/distributors/", of_group),
        ("/repositories/", whole),
    ] {
        let (status, error) = call(&server, "POST", path, body).await;
        assert_eq!(
            (status, problems(&error["error"])),
            (400, both.to_vec()),
            "{path}"
        );
    }
    assert_eq!(
        call(&server, "GET", "/repositories/s/", Value::Null)
            .await
            .0,
        404
    );

    // Those that a task finds end it.
    let plain = json!({"importer_type_id": "harness_importer"});
    let (_, report) = call(&server, "POST", "/repositories/r/importers/", plain).await;
    assert_eq!(finished(&server, &report).await["state"], "finished");
    let (path, changed) = (
        "/repositories/r/importers/harness_importer/",
        json!({"importer_config": refused}),
    );
    let (_, report) = call(&server, "PUT", path, changed).await;
    assert_eq!(problems(&finished(&server, &report).await["error"]), both);
    let sync = json!({"override_config": refused});
    let (_, report) = call(&server, "POST", "/repositories/r/actions/sync/", sync).await;
    assert_eq!(problems(&finished(&server, &report).await["error"]), both);
}
