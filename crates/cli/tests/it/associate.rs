//! Copying, removing, orphans, downloads: the bodies that are sent, and what is printed.

use serde_json::{Value, json};

use crate::fake::{Fake, pith, pith_args, report};

fn copying(fake: &Fake, result: &Value) {
    let path = "POST repositories/b/actions/associate";
    fake.on(path, 202, report(&["t1"]))
        .task("t1", "associate", &[], result);
}

/// The keys that pulp-admin sends, and no others.
fn keys(body: &Value) -> Vec<&str> {
    body.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn copying_packages_sends_what_pulp_admin_sends() {
    let fake = Fake::start().await;
    let unit = json!({"type_id": "rpm", "unit_key": {"name": "walrus"}});
    copying(
        &fake,
        &json!({"units_successful": [unit], "units_failed_signature_filter": []}),
    );
    let line = "rpm repo copy rpm --from-repo-id a --to-repo-id b --str-eq name=walrus --recursive";
    let ran = pith(&fake.url, line).await;
    let body = fake.body("POST repositories/b/actions/associate");
    assert_eq!(
        keys(&body),
        ["criteria", "override_config", "source_repo_id"]
    );
    assert_eq!(keys(&body["criteria"]), ["fields", "filters", "type_ids"]);
    assert_eq!(body["source_repo_id"], "a");
    assert_eq!(body["override_config"], json!({"recursive": true}));
    assert_eq!(body["criteria"]["type_ids"], json!(["rpm"]));
    assert_eq!(
        body["criteria"]["filters"],
        json!({"unit": {"name": "walrus"}})
    );
    // Without the signing key a server takes a package for unsigned.
    let fields = body["criteria"]["fields"]["unit"].as_array().unwrap();
    assert!(fields.contains(&json!("signing_key")));
    assert_eq!(ran.out, "copy within demo: 1 rpm\n");
}

#[tokio::test]
async fn copying_everything_names_no_type() {
    let fake = Fake::start().await;
    copying(&fake, &json!({"units_successful": []}));
    let ran = pith(&fake.url, "rpm repo copy all -f a -t b").await;
    assert_eq!(
        fake.body("POST repositories/b/actions/associate"),
        json!({"source_repo_id": "a", "criteria": {}, "override_config": {}})
    );
    assert_eq!(ran.out, "copy within demo: nothing\n");
}

#[tokio::test]
async fn copying_files_needs_no_type_and_takes_dates() {
    let fake = Fake::start().await;
    copying(&fake, &json!({"units_successful": []}));
    let line = "iso repo copy -f a -t b --after 2015-01-01T00:00:00Z --limit 2 --sort name:desc";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST repositories/b/actions/associate")["criteria"],
        json!({"type_ids": ["iso"], "limit": 2, "sort": {"unit": [["name", "descending"]]},
               "filters": {"association": {"created": {"$gte": "2015-01-01T00:00:00Z"}}}})
    );
}

#[tokio::test]
async fn more_repositories_are_only_for_copies_that_follow_dependencies() {
    let fake = Fake::start().await;
    copying(&fake, &Value::Null);
    let line = "rpm repo copy rpm -f a -t b --additional-repo c=d";
    assert_eq!(pith(&fake.url, line).await.exit.code(), 2);
    pith(&fake.url, &format!("{line} --recursive-conservative")).await;
    assert_eq!(
        fake.body("POST repositories/b/actions/associate")["override_config"],
        json!({"recursive_conservative": true, "additional_repos": {"c": "d"}})
    );
}

#[tokio::test]
async fn removing_sends_criteria_and_a_dry_run_only_searches() {
    let fake = Fake::start().await;
    let found = json!([{"unit_type_id": "erratum", "metadata": {"id": "E-1", "title": "Title"}}]);
    fake.on("POST repositories/demo/search/units", 200, found)
        .on(
            "POST repositories/demo/actions/unassociate",
            202,
            report(&["t1"]),
        )
        .task("t1", "unassociate", &[], &json!({}));
    let line = "rpm repo remove errata demo --match id=^E";
    let ran = pith(&fake.url, &format!("{line} --dry-run")).await;
    assert_eq!(fake.lines(), ["POST repositories/demo/search/units"]);
    assert!(ran.out.contains("E-1"), "{}", ran.out);
    let ran = pith(&fake.url, line).await;
    assert_eq!(
        fake.body("POST repositories/demo/actions/unassociate"),
        json!({"criteria": {"type_ids": ["erratum"], "filters": {"unit": {"id": {"$regex": "^E"}}}}})
    );
    assert_eq!(ran.exit.code(), 0);
}

#[tokio::test]
async fn orphans_are_counted_listed_and_removed() {
    let fake = Fake::start().await;
    fake.on(
        "GET content/orphans",
        200,
        json!({"rpm": {"count": 2, "_href": "x"}, "iso": {"count": 0, "_href": "y"}}),
    )
    .on(
        "GET content/orphans/rpm",
        200,
        json!([{"_id": "u1", "_href": "x", "_content_type_id": "rpm", "name": "walrus"}]),
    )
    .on("DELETE content/orphans", 202, report(&["t1"]))
    .on("DELETE content/orphans/rpm/u1", 202, report(&["t2"]));
    for id in ["t1", "t2"] {
        let task = json!({"task_id": id, "state": "finished", "tags": ["pulp:content_unit:orphans"],
                          "result": {"rpm": 2}, "error": null, "spawned_tasks": []});
        fake.on(&format!("GET tasks/{id}"), 200, task);
    }
    let ran = pith(&fake.url, "orphan list").await;
    insta::assert_snapshot!(ran.out, @r"
    TYPE  ORPHANS
    rpm   2
    ");
    let ran = pith(&fake.url, "orphan list --type rpm").await;
    insta::assert_snapshot!(ran.out, @r"
    UNIT  KEY
    u1    name=walrus
    ");
    let ran = pith(&fake.url, "orphan remove --all").await;
    assert_eq!(ran.out, "remove orphans: 2 rpm\n");
    pith(&fake.url, "orphan remove --type rpm --unit-id u1").await;
    let deleted = |line: &str| fake.lines().contains(&line.to_owned());
    assert!(deleted("DELETE content/orphans"));
    assert!(deleted("DELETE content/orphans/rpm/u1"));
}

#[tokio::test]
async fn downloads_and_content_sources_start_their_tasks() {
    let fake = Fake::start().await;
    fake.on(
        "POST repositories/demo/actions/download",
        202,
        report(&["t1"]),
    )
    .on("POST content/sources/action/refresh", 202, report(&["t1"]))
    .on("POST content/sources/one/action/refresh", 202, report(&["t1"]))
    .on("DELETE content/catalog/one", 200, json!({"deleted": 3}))
    .on(
        "GET content/sources",
        200,
        json!([{"source_id": "one", "name": "One", "type": "yum", "base_url": "http://x/", "priority": "0"}]),
    )
    .task("t1", "download", &[], &Value::Null);
    pith(&fake.url, "rpm repo download demo --verify-all").await;
    assert_eq!(
        fake.body("POST repositories/demo/actions/download"),
        json!({"verify_all_units": true})
    );
    let ran = pith(&fake.url, "content sources list --json").await;
    assert_eq!(ran.json()[0]["source_id"], "one");
    pith(&fake.url, "content sources refresh").await;
    pith(&fake.url, "content sources refresh --source-id one").await;
    assert_eq!(
        fake.body("POST content/sources/one/action/refresh"),
        json!({})
    );
    assert_eq!(fake.body("POST content/sources/action/refresh"), json!({}));
    let ran = pith_args(&fake.url, &["content", "catalog", "delete", "one"]).await;
    assert_eq!(ran.out, "forgot 3 entries\n");
}
