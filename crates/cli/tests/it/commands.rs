//! The bodies that creating, changing, syncing and publishing send, and what is printed.

use serde_json::{Value, json};

use crate::fake::{Fake, PASSWORD, pith, pith_args, report, task};

fn importer() -> Value {
    json!({"feed": "https://host/pub/demo/", "download_policy": "on_demand", "validate": true,
           "remove_missing": false, "max_downloads": 3, "retain_old_count": 1,
           "type_skip_list": ["srpm", "drpm"], "proxy_host": "http://proxy", "proxy_port": 3128,
           "basic_auth_username": "u", "basic_auth_password": PASSWORD, "ssl_ca_cert": "PEM\n"})
}

#[tokio::test]
async fn creating_an_rpm_repository_sends_what_pulp_admin_sends() {
    let fake = Fake::start().await;
    fake.on(
        "GET plugins/distributors/export_distributor",
        200,
        json!({}),
    )
    .on("POST repositories", 201, json!({"id": "demo"}));
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, "PEM\n").unwrap();
    let ran = pith_args(
        &fake.url,
        &[
            "rpm",
            "repo",
            "create",
            "--repo-id",
            "demo",
            "--display-name",
            "Demo",
            "--note",
            "team=a",
            "--feed",
            "https://host/pub/demo/",
            "--download-policy",
            "on_demand",
            "--validate",
            "true",
            "--remove-missing",
            "false",
            "--max-downloads",
            "3",
            "--retain-old-count",
            "1",
            "--skip",
            "srpm,drpm",
            "--proxy-host",
            "http://proxy",
            "--proxy-port",
            "3128",
            "--basicauth-user",
            "u",
            "--basicauth-pass",
            PASSWORD,
            "--feed-ca-cert",
            ca.to_str().unwrap(),
            "--serve-http",
            "true",
            "--checksum-type",
            "sha256",
        ],
    )
    .await;
    assert_eq!(
        ran.out,
        "created demo; `pith rpm repo sync run demo` fills it\n"
    );
    assert_eq!(
        fake.body("POST repositories"),
        json!({
            "id": "demo", "display_name": "Demo", "description": null,
            "notes": {"_repo-type": "rpm-repo", "team": "a"},
            "importer_type_id": "yum_importer", "importer_config": importer(),
            "distributors": [
                {"distributor_type_id": "yum_distributor", "distributor_id": "yum_distributor", "auto_publish": true,
                 "distributor_config": {"http": true, "https": true, "relative_url": "pub/demo",
                                        "checksum_type": "sha256", "skip": ["srpm", "drpm"]}},
                {"distributor_type_id": "export_distributor", "distributor_id": "export_distributor",
                 "auto_publish": false, "distributor_config": {"http": true, "https": true}}]
        })
    );
    let authorization = fake.seen()[0].authorization.clone().unwrap();
    assert!(authorization.starts_with("Basic "));
}

#[tokio::test]
async fn a_server_without_the_export_plugin_gets_no_export_distributor() {
    let fake = Fake::start().await;
    fake.on("POST repositories", 201, json!({"id": "demo"}));
    let ran = pith(&fake.url, "--json rpm repo create demo").await;
    assert_eq!(ran.json(), json!({"id": "demo"}));
    let body = fake.body("POST repositories");
    assert_eq!(body["distributors"].as_array().unwrap().len(), 1);
    assert_eq!(
        body["distributors"][0]["distributor_config"]["relative_url"],
        "demo"
    );
}

#[tokio::test]
async fn creating_a_repository_of_files_spells_the_settings_its_own_way() {
    let fake = Fake::start().await;
    fake.on("POST repositories", 201, json!({"id": "files"}));
    pith(&fake.url, "iso repo create files --feed https://host/isos/").await;
    assert_eq!(
        fake.body("POST repositories"),
        json!({
            "id": "files", "display_name": "files", "description": null, "notes": {"_repo-type": "iso-repo"},
            "importer_type_id": "iso_importer", "importer_config": {"feed": "https://host/isos/"},
            "distributors": [{"distributor_type_id": "iso_distributor", "distributor_id": "iso_distributor",
                              "auto_publish": true,
                              "distributor_config": {"serve_http": false, "serve_https": true}}]
        })
    );
}

#[tokio::test]
async fn updating_sends_only_what_changes_and_waits_for_the_distributor() {
    let fake = Fake::start().await;
    let mut answer = report(&["t1"]);
    answer["result"] = json!({"id": "demo"});
    fake.on(
        "GET plugins/distributors/export_distributor",
        200,
        json!({}),
    )
    .on(
        "GET repositories/demo",
        200,
        json!({"notes": {"_repo-type": "rpm-repo"}}),
    )
    .on("PUT repositories/demo", 202, answer)
    .task("t1", "update_distributor", &[], &Value::Null);
    let args = [
        "rpm",
        "repo",
        "update",
        "demo",
        "--feed",
        "",
        "--note",
        "team=",
        "--serve-http",
        "false",
        "--json",
    ];
    let ran = pith_args(&fake.url, &args).await;
    assert_eq!(ran.json(), json!({"id": "demo"}));
    assert_eq!(
        fake.body("PUT repositories/demo"),
        json!({"delta": {"notes": {"team": null}}, "importer_config": {"feed": null},
               "distributor_configs": {"yum_distributor": {"http": false}, "export_distributor": {"http": false}}})
    );
}

#[tokio::test]
async fn an_update_of_nothing_is_refused_before_anything_is_sent() {
    let fake = Fake::start().await;
    let ran = pith(&fake.url, "rpm repo update demo").await;
    assert_eq!(ran.exit.code(), 2);
    assert!(fake.lines().is_empty());
}

#[tokio::test]
async fn a_sync_follows_its_publish_and_sums_up() {
    let fake = Fake::start().await;
    let result =
        json!({"result": "success", "added_count": 36, "updated_count": 0, "removed_count": -2});
    fake.on("POST repositories/demo/actions/sync", 202, report(&["t1"]))
        .on(
            "GET tasks/t1",
            200,
            task("t1", "waiting", "sync", &[], &Value::Null),
        )
        .task("t1", "sync", &["t2"], &result)
        .task(
            "t2",
            "publish",
            &[],
            &json!({"result": "skipped", "summary": "Skipped: no change."}),
        );
    let ran = pith(&fake.url, "rpm repo sync run demo --force-full").await;
    assert_eq!(
        fake.body("POST repositories/demo/actions/sync"),
        json!({"override_config": {"force_full": true}})
    );
    assert_eq!(
        ran.out,
        "sync of demo: 36 added, 0 updated, 2 removed\npublish of demo: Skipped: no change.\n"
    );
    insta::assert_snapshot!(ran.err, @r"
    sync of demo: waiting (task t1)
    sync of demo: finished
    publish of demo: finished
    ");
}

#[tokio::test]
async fn a_publish_names_its_distributor() {
    let fake = Fake::start().await;
    fake.on(
        "POST repositories/demo/actions/publish",
        202,
        report(&["t1"]),
    )
    .task("t1", "publish", &[], &Value::Null);
    let ran = pith(&fake.url, "--json iso repo publish run demo").await;
    assert_eq!(
        fake.body("POST repositories/demo/actions/publish"),
        json!({"id": "iso_distributor", "override_config": {}})
    );
    assert_eq!(ran.json()[0]["task_id"], "t1");
    assert_eq!(ran.err, "");
}

#[tokio::test]
async fn a_command_in_the_background_prints_the_call_report_and_asks_no_more() {
    let fake = Fake::start().await;
    fake.on("POST repositories/demo/actions/sync", 202, report(&["t1"]));
    let ran = pith(&fake.url, "--json rpm repo sync run demo --bg").await;
    assert_eq!(ran.json(), report(&["t1"]));
    let ran = pith(&fake.url, "rpm repo sync run demo --bg").await;
    assert_eq!(ran.out, "task t1 started; `pith task wait t1` follows it\n");
    assert_eq!(fake.lines().len(), 2);
}

#[tokio::test]
async fn content_is_searched_by_type_and_shown_in_a_table() {
    let fake = Fake::start().await;
    let unit = json!({"metadata": {"name": "walrus", "epoch": "0", "version": "5.21", "release": "1", "arch": "noarch"}});
    fake.on("POST repositories/demo/search/units", 200, json!([unit]));
    let ran = pith(
        &fake.url,
        "rpm repo content rpm demo --match name=^wal --limit 5",
    )
    .await;
    assert_eq!(
        fake.body("POST repositories/demo/search/units"),
        json!({"criteria": {"type_ids": ["rpm"], "filters": {"unit": {"name": {"$regex": "^wal"}}}, "limit": 5,
                            "fields": {"unit": ["name", "epoch", "version", "release", "arch"]}}})
    );
    insta::assert_snapshot!(ran.out, @r"
    NAME    EPOCH  VERSION  RELEASE  ARCH
    walrus  0      5.21     1        noarch
    ");
}

#[tokio::test]
async fn listing_one_kind_leaves_out_the_others() {
    let fake = Fake::start().await;
    let repo = |id: &str, kind: &str| {
        json!({"id": id, "notes": {"_repo-type": kind}, "content_unit_counts": {"rpm": 3},
               "importers": [{"config": {"feed": "https://host/"}, "last_sync": "2015-11-03T16:40:12Z"}],
               "distributors": [{"last_publish": null}]})
    };
    fake.on(
        "GET repositories",
        200,
        json!([repo("a", "rpm-repo"), repo("b", "iso-repo")]),
    );
    let ran = pith(&fake.url, "rpm repo list --details").await;
    insta::assert_snapshot!(ran.out, @r"
    ID  TYPE  CONTENT  FEED           LAST SYNC            LAST PUBLISH
    a   rpm   rpm: 3   https://host/  2015-11-03 16:40:12  -
    ");
    let ran = pith(&fake.url, "--json repo list").await;
    assert_eq!(ran.json().as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn searching_one_kind_adds_its_note_to_the_filters() {
    let fake = Fake::start().await;
    fake.on("POST repositories/search", 200, json!([]));
    pith(&fake.url, "iso repo search --str-eq display_name=x").await;
    assert_eq!(
        fake.body("POST repositories/search"),
        json!({"criteria": {"filters": {"$and": [{"notes._repo-type": "iso-repo"}, {"display_name": "x"}]}}})
    );
}

#[tokio::test]
async fn the_status_page_shows_workers() {
    let fake = Fake::start().await;
    fake.on(
        "GET status",
        200,
        json!({"versions": {"platform_version": "2.21"}, "database_connection": {"connected": true},
        "messaging_connection": {"connected": false},
        "known_workers": [{"_id": "scheduler@host", "last_heartbeat": "2015-01-02T20:39:58Z"}]}),
    );
    let ran = pith(&fake.url, "status").await;
    insta::assert_snapshot!(ran.out.replace(&fake.url, "URL"), @r"
    server     URL/
    user       admin
    version    2.21
    database   connected
    messaging  NOT connected

    WORKER          LAST SIGN OF LIFE
    scheduler@host  2015-01-02 20:39:58
    ");
}
