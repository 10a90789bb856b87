//! Groups of repositories: the recording replayed, and what it does not show.

use std::sync::Arc;

use async_trait::async_trait;
use pith_content::group::{GroupDistributor, GroupPublishContext, OtherGroup};
use pith_content::{
    Config, ContentError, ContentType, Distributor, Importer, PluginDescriptor, Problem, Problems,
    UnitType,
};
use pith_core::Document;
use pith_testkit::harness::Harness;
use serde_json::{Value, json};

use crate::recordings::Known;
use crate::replay::{Exchange, ask, read, replay};
use crate::server::Server;

pub(crate) const GROUPS: &str = include_str!("../recordings/12_groups.jsonl");

/// An exception escaped in Pulp; pith names what is wrong.
const MENDED: &str = "500 unhandled in Pulp, 400 naming the property here";
/// The recorded server's database was a stand-in that choked on a configuration with a boolean in it.
const CHOKED: &str = "the stand-in database failed on the removal; it works here";
/// Follows from line 8, where the stand-in database took an id twice.
const TWICE: &str = "the recorded server had one group twice";
/// Follows from line 12.
const NUMBER: &str =
    "an id that is a number makes a group that no path leads to; 400 naming id here";

pub(crate) const KNOWN_GROUPS: Known = &[
    (
        8,
        "the stand-in database takes an id twice; 409 here, as with a real database",
    ),
    (12, NUMBER),
    (24, TWICE),
    (
        31,
        "the stand-in database ignored the removal of a key; it is removed here",
    ),
    (32, "the key removed by line 31"),
    (36, "the key removed by line 31"),
    (38, "the key removed by line 31"),
    (41, TWICE),
    (42, TWICE),
    (45, "the key removed by line 31"),
    (75, CHOKED),
    (76, MENDED),
    (85, MENDED),
    (100, "the task fails in both; PLP1010 says why"),
    (103, CHOKED),
    (104, CHOKED),
    (105, CHOKED),
    (111, CHOKED),
];

static DESCRIPTOR: PluginDescriptor = PluginDescriptor {
    id: "group_export_distributor",
    display_name: "Group Export Distributor",
    types: &["rpm"],
    platform: &[],
    own: &[],
};

/// The group distributor of the recorded server: its rules for a configuration, and its failure on a repository that
/// does not say what it holds.
struct GroupExport;

impl ContentType for GroupExport {
    fn name(&self) -> &'static str {
        "recorded group export"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        &[]
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        Vec::new()
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Vec::new()
    }

    fn group_distributors(&self) -> Vec<Arc<dyn GroupDistributor>> {
        vec![Arc::new(Self)]
    }
}

#[async_trait]
impl GroupDistributor for GroupExport {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &DESCRIPTOR
    }

    fn validate(
        &self,
        _group_id: &str,
        config: &Config,
        _others: &[OtherGroup],
    ) -> Result<(), Problems> {
        for key in ["http", "https"] {
            match config.get(key) {
                None => {
                    let text = format!("Missing required configuration key: {key}");
                    return Err(Problem::new(key, text).into());
                }
                Some(Value::Bool(_)) => {}
                Some(_) => {
                    let text = format!("{key} should be a boolean; got x instead");
                    return Err(Problem::new(key, text).into());
                }
            }
        }
        let keys = config.document().keys();
        let unknown = keys
            .clone()
            .find(|key| !matches!(key.as_str(), "http" | "https"));
        unknown.map_or(Ok(()), |key| {
            let text = format!("Configuration key '{key}' is not supported");
            Err(Problem::new(key, text).into())
        })
    }

    async fn publish(&self, ctx: &dyn GroupPublishContext) -> Result<(), ContentError> {
        self.validate(ctx.group_id(), ctx.config(), &[])?;
        let silent = |notes: &Document| !notes.contains_key("_repo-type");
        match ctx.repositories().iter().find(|repo| silent(&repo.notes)) {
            Some(repo) => Err(ContentError::other(format!(
                "{} has no _repo-type",
                repo.id
            ))),
            None => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_answer_as_recorded() {
    // The first two lines make repositories with plugins, which are not what this is about.
    let exchanges: Vec<Exchange> = read(GROUPS).into_iter().filter(|e| e.n > 2).collect();
    let server = Server::start(vec![Arc::new(GroupExport)]).await;
    // "All repositories" means those of earlier recordings too.
    let all = exchanges.iter().find(|exchange| exchange.n == 48).unwrap();
    for id in all.body.as_array().unwrap() {
        let body = Document::from_iter([("id".to_owned(), id.clone())]);
        server.pulp.repository_create(&body).await.unwrap();
    }
    let report = replay(&server.router, &exchanges).await;
    report.settle("12", KNOWN_GROUPS);
}

pub(crate) async fn call(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    ask(
        &server.router,
        method,
        &format!("/pulp/api/v2{path}"),
        &body,
    )
    .await
}

async fn harness_with_groups() -> Server {
    let server = Server::start(vec![Arc::new(Harness)]).await;
    for id in ["a", "b", "c"] {
        let (status, _) = call(&server, "POST", "/repositories/", json!({"id": id})).await;
        assert_eq!(status, 201);
    }
    let group = json!({
        "id": "g/1", "repo_ids": ["b"],
        "distributors": [{"distributor_type_id": "harness_group_distributor", "distributor_id": "d"}],
    });
    let (status, made) = call(&server, "POST", "/repo_groups/", group).await;
    assert_eq!(
        (status, &made["_href"]),
        (201, &json!("/pulp/api/v2/repo_groups/g%2F1/"))
    );
    let (_, search) = call(
        &server,
        "POST",
        "/repo_groups/search/",
        json!({"criteria": {}}),
    )
    .await;
    assert_eq!(search[0]["repo_ids"], json!(["b"]));
    let (status, _) = call(&server, "POST", "/repo_groups/", json!({"id": "g"})).await;
    assert_eq!(status, 201);
    server
}

pub(crate) async fn finished(server: &Server, report: &Value) -> Value {
    let href = report["spawned_tasks"][0]["_href"].as_str().unwrap();
    for _ in 0..3000 {
        let (_, task) = ask(&server.router, "GET", href, &Value::Null).await;
        if matches!(task["state"].as_str(), Some("finished" | "error")) {
            return task;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the task never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_publishes_through_its_distributor_and_notes_the_end_even_of_a_failure() {
    let server = harness_with_groups().await;
    let distributor = json!({
        "distributor_type_id": "harness_group_distributor", "distributor_id": "d",
        "distributor_config": {"a": 1, "b": null},
    });
    let (status, made) = call(&server, "POST", "/repo_groups/g/distributors/", distributor).await;
    assert_eq!((status, &made["config"]), (201, &json!({"a": 1})));
    let everything = json!({});
    let (_, all) = call(
        &server,
        "POST",
        "/repo_groups/g/actions/associate/",
        everything,
    )
    .await;
    assert_eq!(all, json!(["a", "b", "c"]));
    let publish = "/repo_groups/g/actions/publish/";
    let (status, report) = call(&server, "POST", publish, json!({"id": "d"})).await;
    assert_eq!(status, 202);
    let task = finished(&server, &report).await;
    assert_eq!(task["state"], "finished", "{task}");
    assert_eq!(task["result"], Value::Null);
    assert_eq!(
        task["progress_report"],
        json!({"harness_group_distributor": {"a": 0, "b": 0, "c": 0}})
    );
    assert_eq!(
        task["tags"],
        json!([
            "pulp:repository_group:g",
            "pulp:repository_group_distributor:d",
            "pulp:action:publish"
        ])
    );
    let (_, report) = call(
        &server,
        "POST",
        publish,
        json!({"id": "d", "override_config": {"fail": "no"}}),
    )
    .await;
    let task = finished(&server, &report).await;
    assert_eq!(
        (&task["state"], &task["error"]["description"]),
        (&json!("error"), &json!("no"))
    );
    let (_, after) = call(
        &server,
        "GET",
        "/repo_groups/g/distributors/d/",
        Value::Null,
    )
    .await;
    assert!(after["last_publish"].is_string(), "{after}");
    let (_, report) = call(&server, "POST", publish, json!({"id": 5})).await;
    assert_eq!(finished(&server, &report).await["error"]["code"], "PLP0009");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_distributor_leaves_no_group_and_a_deleted_repository_leaves_its_groups() {
    let server = harness_with_groups().await;
    let refused = json!({"id": "h", "distributors": [
        {"distributor_type_id": "harness_group_distributor"},
        {"distributor_type_id": "harness_group_distributor", "distributor_config": {"refuse": "never"}},
    ]});
    let (status, error) = call(&server, "POST", "/repo_groups/", refused).await;
    assert_eq!((status, &error["args"]), (400, &json!([["never"]])));
    let (status, _) = call(&server, "GET", "/repo_groups/h/", Value::Null).await;
    assert_eq!(status, 404);
    let (_, joined) = call(
        &server,
        "POST",
        "/repo_groups/g/actions/associate/",
        json!({}),
    )
    .await;
    assert_eq!(joined, json!(["a", "b", "c"]));
    let (_, report) = call(&server, "DELETE", "/repositories/b/", Value::Null).await;
    assert_eq!(finished(&server, &report).await["state"], "finished");
    let (_, group) = call(&server, "GET", "/repo_groups/g/", Value::Null).await;
    assert_eq!(group["repo_ids"], json!(["a", "c"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_named_and_never_a_server_fault() {
    let server = harness_with_groups().await;
    let long = "x".repeat(300);
    for (body, name) in [
        (json!({"id": 5}), "id"),
        (json!({"id": ""}), "id"),
        (json!({"id": long}), "id"),
        (json!({"id": "n", "repo_ids": 5}), "repo_ids"),
        (json!({"id": "n", "repo_ids": [5]}), "repo_ids"),
        (json!({"id": "n", "distributors": [5]}), "distributor_list"),
        (json!({"id": "n", "zzz": 1, "yyy": 2}), "yyy"),
    ] {
        let (status, error) = call(&server, "POST", "/repo_groups/", body.clone()).await;
        assert_eq!(
            (status, &error["property_names"][0]),
            (400, &json!(name)),
            "{body}"
        );
    }
    for (body, name) in [
        (json!({"notes": [1]}), "notes"),
        (json!({"scratchpad": {}}), "scratchpad"),
    ] {
        let (status, error) = call(&server, "PUT", "/repo_groups/g/", body.clone()).await;
        assert_eq!(
            (status, &error["property_names"][0]),
            (400, &json!(name)),
            "{body}"
        );
    }
    let (status, _) = call(&server, "POST", "/repositories/", json!({"id": long})).await;
    assert_eq!(status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_updated_whole_or_not_at_all() {
    let server = Server::start(vec![Arc::new(Harness)]).await;
    let repo = json!({
        "id": "r", "importer_type_id": "harness_importer", "importer_config": {"num_units": 1},
        "distributors": [{"distributor_type_id": "harness_distributor", "distributor_id": "d"}],
    });
    assert_eq!(call(&server, "POST", "/repositories/", repo).await.0, 201);
    let change = |importer: Value| {
        json!({
            "delta": {"display_name": "new", "notes": {"k": 1}},
            "importer_config": importer,
            "distributor_configs": {"d": {"x": 1}},
        })
    };
    let refused = change(json!({"refuse": "never"}));
    let (status, error) = call(&server, "PUT", "/repositories/r/", refused).await;
    assert_eq!((status, &error["error_message"]), (400, &json!("never")));
    let (_, after) = call(&server, "GET", "/repositories/r/?details=true", Value::Null).await;
    assert_eq!(
        (&after["display_name"], &after["notes"]),
        (&json!("r"), &json!({}))
    );
    assert_eq!(after["importers"][0]["config"], json!({"num_units": 1}));
    let (_, tasks) = call(&server, "GET", "/tasks/", Value::Null).await;
    assert_eq!(tasks, json!([]), "a refused update queues nothing");
    let taken = change(json!({"num_units": null, "feed": "http://u:p%40w@h/x/"}));
    let (status, report) = call(&server, "PUT", "/repositories/r/", taken).await;
    assert_eq!(
        (status, &report["result"]["display_name"]),
        (202, &json!("new"))
    );
    let task = finished(&server, &report).await;
    assert_eq!(task["result"]["config"], json!({"x": 1}), "{task}");
    assert_eq!(
        task["tags"],
        json!([
            "pulp:repository:r",
            "pulp:repository_distributor:d",
            "pulp:action:update_distributor"
        ])
    );
    let (_, after) = call(
        &server,
        "GET",
        "/repositories/r/importers/harness_importer/",
        Value::Null,
    )
    .await;
    assert_eq!(
        after["config"],
        json!({"feed": "http://h/x/", "basic_auth_username": "u", "basic_auth_password": "*****"})
    );
}
