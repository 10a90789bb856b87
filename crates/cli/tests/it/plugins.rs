//! Importers, distributors, units and what the server can.

use serde_json::{Value, json};

use crate::fake::{Fake, pith, pith_args, report};

#[tokio::test]
async fn importers_and_distributors_are_given_changed_and_taken() {
    let fake = Fake::start().await;
    fake.on("POST repositories/demo/importers", 202, report(&["t1"]))
        .on("PUT repositories/demo/importers/i", 202, report(&["t1"]))
        .on(
            "POST repositories/demo/distributors",
            201,
            json!({"id": "d"}),
        )
        .on("PUT repositories/demo/distributors/d", 202, report(&["t1"]))
        .on(
            "DELETE repositories/demo/distributors/d",
            202,
            report(&["t1"]),
        )
        .on("POST repo_groups/g/distributors", 201, json!({"id": "d"}))
        .on("PUT repo_groups/g/distributors/d", 200, json!({"id": "d"}))
        .task("t1", "update_distributor", &[], &Value::Null);
    let config = r#"--config={"feed":"http://x/"}"#;
    pith(
        &fake.url,
        &format!("repo importer create demo --type yum_importer {config}"),
    )
    .await;
    assert_eq!(
        fake.body("POST repositories/demo/importers"),
        json!({"importer_type_id": "yum_importer", "importer_config": {"feed": "http://x/"}})
    );
    pith(
        &fake.url,
        &format!("repo importer update demo --importer-id i {config}"),
    )
    .await;
    assert_eq!(
        fake.body("PUT repositories/demo/importers/i"),
        json!({"importer_config": {"feed": "http://x/"}})
    );
    let line =
        "repo distributor create demo --type yum_distributor --distributor-id d --auto-publish";
    let ran = pith(&fake.url, line).await;
    assert_eq!(ran.out, "added distributor d\n");
    assert_eq!(
        fake.body("POST repositories/demo/distributors"),
        json!({"distributor_type_id": "yum_distributor", "distributor_id": "d",
               "distributor_config": {}, "auto_publish": true})
    );
    let line = "repo distributor update demo --distributor-id d --auto-publish false";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body("PUT repositories/demo/distributors/d"),
        json!({"distributor_config": {}, "delta": {"auto_publish": false}})
    );
    let line = "repo distributor delete demo --distributor-id d";
    assert_eq!(pith(&fake.url, line).await.exit.code(), 0);
    let line = "repo group distributor update g --distributor-id d --config={}";
    assert_eq!(pith(&fake.url, line).await.out, "changed d\n");
    let line = "repo group distributor create g --type group_export_distributor";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST repo_groups/g/distributors"),
        json!({"distributor_type_id": "group_export_distributor", "distributor_config": {}})
    );
}

#[tokio::test]
async fn units_are_found_everywhere_and_noted_on() {
    let fake = Fake::start().await;
    let unit =
        json!({"_id": "u", "name": "walrus", "version": "1", "repository_memberships": ["a", "b"]});
    fake.on("POST content/units/rpm/search", 200, json!([unit]))
        .on("GET content/units/rpm/u", 200, unit)
        .on(
            "PUT content/units/rpm/u/pulp_user_metadata",
            200,
            Value::Null,
        );
    let line = "content units search rpm --str-eq name=walrus --include-repos";
    let ran = pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST content/units/rpm/search"),
        json!({"criteria": {"filters": {"name": "walrus"}}, "include_repos": true})
    );
    insta::assert_snapshot!(ran.out, @r"
    UNIT  ID  NAME    VERSION  REPOSITORIES
    u     -   walrus  1        a, b
    ");
    let ran = pith(&fake.url, "content units show rpm u").await;
    assert!(
        ran.out.contains("name              walrus\n"),
        "{}",
        ran.out
    );
    let args = [
        "content",
        "units",
        "set-metadata",
        "rpm",
        "u",
        r#"{"a": 1}"#,
    ];
    pith_args(&fake.url, &args).await;
    assert_eq!(
        fake.body("PUT content/units/rpm/u/pulp_user_metadata"),
        json!({"a": 1})
    );
}

#[tokio::test]
async fn applicability_is_regenerated_for_named_repositories() {
    let fake = Fake::start().await;
    let path = "POST repositories/actions/content/regenerate_applicability";
    let group = json!({"group_id": "g1", "_href": "/pulp/api/v2/task_groups/g1/"});
    fake.on(path, 202, group)
        .on("GET repositories/demo", 200, json!({"id": "demo"}));
    let ran = pith(&fake.url, "repo applicability --repo-id demo --parallel").await;
    assert_eq!(
        fake.body(path),
        json!({"repo_criteria": {"filters": {"id": {"$in": ["demo"]}}}, "parallel": true})
    );
    assert_eq!(
        ran.out,
        "started; `pith task group show g1` counts its tasks\n"
    );
}
