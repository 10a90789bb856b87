//! Groups of repositories.

use serde_json::{Value, json};

use crate::fake::{Fake, pith, report};

#[tokio::test]
async fn a_group_is_made_and_changed_as_pulp_admin_does() {
    let fake = Fake::start().await;
    let group = json!({"id": "g", "display_name": "G", "description": null, "repo_ids": ["a"]});
    fake.on("POST repo_groups", 201, group.clone())
        .on("GET repo_groups", 200, json!([group]))
        .on("PUT repo_groups/g", 200, group)
        .on("POST repo_groups/search", 200, json!([]))
        .on("DELETE repo_groups/g", 200, Value::Null);
    let line = "repo group create --group-id g --display-name G --description D --note k=v";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST repo_groups"),
        json!({"id": "g", "display_name": "G", "description": "D", "notes": {"k": "v"}})
    );
    let ran = pith(&fake.url, "repo group list").await;
    insta::assert_snapshot!(ran.out, @r"
    ID  NAME  DESCRIPTION  REPOSITORIES
    g   G     -            a
    ");
    pith(&fake.url, "repo group update g --note k=").await;
    assert_eq!(
        fake.body("PUT repo_groups/g"),
        json!({"notes": {"k": null}})
    );
    pith(&fake.url, "repo group search --str-eq id=g --fields id").await;
    assert_eq!(
        fake.body("POST repo_groups/search"),
        json!({"criteria": {"filters": {"id": "g"}, "fields": ["id"]}})
    );
    let ran = pith(&fake.url, "rpm repo group delete g").await;
    assert_eq!(ran.out, "deleted group g\n");
}

#[tokio::test]
async fn members_are_named_or_found_and_never_all_by_mistake() {
    let fake = Fake::start().await;
    fake.on(
        "POST repo_groups/g/actions/associate",
        200,
        json!(["a", "b"]),
    )
    .on("GET repositories/a", 200, json!({"id": "a"}))
    .on("GET repositories/b", 200, json!({"id": "b"}))
    .on("POST repo_groups/g/actions/unassociate", 200, json!([]))
    .on("POST repo_groups/g/actions/publish", 202, report(&["t1"]))
    .task("t1", "publish", &[], &Value::Null);
    let ran = pith(&fake.url, "repo group members add g").await;
    assert_eq!(ran.exit.code(), 2);
    assert!(fake.lines().is_empty());
    let line = "repo group members add --group-id g --repo-id a --repo-id b";
    let ran = pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST repo_groups/g/actions/associate"),
        json!({"criteria": {"filters": {"id": {"$in": ["a", "b"]}}}})
    );
    insta::assert_snapshot!(ran.out, @r"
    REPOSITORY
    a
    b
    ");
    pith(&fake.url, "repo group members remove g --match id=^z").await;
    assert_eq!(
        fake.body("POST repo_groups/g/actions/unassociate"),
        json!({"criteria": {"filters": {"id": {"$regex": "^z"}}}})
    );
    pith(&fake.url, "repo group publish g --distributor-id d").await;
    assert_eq!(
        fake.body("POST repo_groups/g/actions/publish"),
        json!({"id": "d", "override_config": {}})
    );
}
