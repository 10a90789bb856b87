//! Cancelling tasks and groups of tasks, with syncs that end only when they are cancelled.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pith_content::sync::{SyncContext, SyncReport};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{
    Config, ContentError, ContentType, Distributor, Importer, PluginDescriptor, Problems, UnitType,
};
use pith_pulp::jobs::SyncRepository;
use serde_json::{Value, json};

use crate::client;
use crate::server::Server;
use crate::units::post;

struct Patient;

impl ContentType for Patient {
    fn name(&self) -> &'static str {
        "patient"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        &[]
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        vec![Arc::new(Patient)]
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        Vec::new()
    }
}

#[async_trait]
impl Importer for Patient {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &PluginDescriptor {
            id: "patient_importer",
            display_name: "Patient",
            types: &[],
            platform: &[],
            own: &[],
        }
    }

    fn validate(&self, _config: &Config) -> Result<(), Problems> {
        Ok(())
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        ctx.cancelled().cancelled().await;
        Err(ContentError::Cancelled)
    }

    async fn upload(
        &self,
        _ctx: &dyn UploadContext,
        _upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        Ok(UploadReport::default())
    }
}

const API: &str = "/pulp/api/v2";

/// A server whose one worker is busy with the first of two syncs of the same repository; the ids of the tasks.
async fn busy() -> (Server, [String; 2]) {
    let server = Server::start(vec![Arc::new(Patient)]).await;
    let repository = json!({"id": "slow", "importer_type_id": "patient_importer"});
    let (status, _) = post(&server, &format!("{API}/repositories/"), repository).await;
    assert_eq!(status, 201);
    let mut ids = [String::new(), String::new()];
    for id in &mut ids {
        let path = format!("{API}/repositories/slow/actions/sync/");
        let (status, report) = post(&server, &path, json!({})).await;
        assert_eq!(status, 202);
        *id = text(&report["spawned_tasks"][0]["task_id"]);
    }
    until(&server, &ids[0], "running").await;
    (server, ids)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Returns what an administrator is answered.
pub(crate) async fn ask(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let path = path.strip_prefix(API).unwrap_or(path);
    client::ask(&server.router, &client::ADMIN, method, path, None).await
}

async fn task(server: &Server, id: &str) -> Value {
    let (status, task) = ask(server, "GET", &format!("{API}/tasks/{id}/")).await;
    assert_eq!(status, 200);
    task
}

pub(crate) async fn until(server: &Server, id: &str, state: &str) {
    while task(server, id).await["state"] != state {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn delete(server: &Server, path: &str) -> (u16, Value) {
    ask(server, "DELETE", &format!("{API}{path}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_waiting_task_never_ran_and_a_running_one_is_cancelled_at_once() {
    let (server, [running, waiting]) = busy().await;
    assert_eq!(task(&server, &waiting).await["state"], "waiting");
    for id in [&waiting, &running, &waiting] {
        let answer = delete(&server, &format!("/tasks/{id}/")).await;
        assert_eq!(answer, (200, Value::Null));
        assert_eq!(task(&server, id).await["state"], "canceled");
    }
    let never = task(&server, &waiting).await;
    assert_eq!(
        (&never["start_time"], &never["finish_time"]),
        (&Value::Null, &Value::Null)
    );
    assert!(task(&server, &running).await["start_time"].is_string());
    let path = format!("{API}/repositories/slow/history/sync/");
    loop {
        let (_, history) = ask(&server, "GET", &path).await;
        if let [entry] = history.as_array().unwrap().as_slice() {
            assert_eq!(entry["result"], "canceled");
            assert_eq!(entry["summary"], "Sync was cancelled");
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(task(&server, &running).await["state"], "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_narrow_a_list_and_a_purge_leaves_what_is_cancelled_or_goes_on() {
    let (server, [running, waiting]) = busy().await;
    let count = async |tags: &str| {
        let path = format!("{API}/tasks/?{tags}");
        let (_, found) = ask(&server, "GET", &path).await;
        found.as_array().unwrap().len()
    };
    assert_eq!(count("tag=pulp:repository:slow").await, 2);
    assert_eq!(
        count("tag=pulp:repository:slow&tag=pulp:action:sync").await,
        2
    );
    assert_eq!(
        count("tag=pulp:repository:slow&tag=pulp:action:publish").await,
        0
    );
    let path = "/repositories/actions/content/regenerate_applicability/";
    let body = json!({"repo_criteria": {"filters": {"id": "slow"}}});
    let (_, report) = post(&server, &format!("{API}{path}"), body).await;
    let other = text(&report["spawned_tasks"][0]["task_id"]);
    delete(&server, &format!("/tasks/{waiting}/")).await;
    delete(&server, &format!("/tasks/{running}/")).await;
    until(&server, &other, "finished").await;
    let purge = delete(&server, "/tasks/?state=finished&state=error&state=skipped").await;
    assert_eq!(purge, (204, Value::Null));
    assert_eq!(count("").await, 2);
    let (status, _) = ask(&server, "GET", &format!("{API}/tasks/{other}/")).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_summed_up_and_cancelled_and_not_listed() {
    let (server, [first, _]) = busy().await;
    let sync = SyncRepository {
        repo_id: "slow".to_owned(),
        override_config: Value::Null,
    };
    let jobs = [sync.clone(), sync.clone(), sync];
    let group = server.engine.enqueue_group(&jobs).await.unwrap();
    let summary = async || {
        let path = format!("{API}/task_groups/{group}/state_summary/");
        ask(&server, "GET", &path).await
    };
    let expected = |state: &str| {
        let mut counts = json!({
            "total": 3, "waiting": 0, "skipped": 0, "accepted": 0, "running": 0, "suspended": 0, "finished": 0,
            "error": 0, "canceled": 0,
        });
        counts[state] = json!(3);
        (200, counts)
    };
    assert_eq!(summary().await, expected("waiting"));
    let (_, listed) = ask(&server, "GET", &format!("{API}/tasks/")).await;
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let (status, _) = ask(&server, "GET", &format!("{API}/task_groups/{group}/")).await;
    assert_eq!(status, 404);
    let cancel = format!("/task_groups/{group}/");
    assert_eq!(delete(&server, &cancel).await, (200, Value::Null));
    assert_eq!(summary().await, expected("canceled"));
    assert_eq!(task(&server, &first).await["state"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn applicability_in_parallel_is_a_group_and_without_consumers_an_empty_one() {
    let (server, _) = busy().await;
    let path = format!("{API}/repositories/actions/content/regenerate_applicability/");
    let body = json!({"repo_criteria": {"filters": {"id": "slow"}}, "parallel": true});
    let (status, report) = post(&server, &path, body).await;
    assert_eq!(status, 202);
    let href = text(&report["_href"]);
    assert_eq!(
        href,
        format!("{API}/task_groups/{}/", text(&report["group_id"]))
    );
    let summary = ask(&server, "GET", &format!("{href}state_summary/")).await;
    assert_eq!((summary.0, &summary.1["total"]), (200, &json!(0)));
    for parallel in [json!("yes"), json!(1), json!([0])] {
        let body = json!({"repo_criteria": {}, "parallel": parallel});
        let (status, error) = post(&server, &path, body).await;
        assert_eq!(
            (status, &error["property_names"]),
            (400, &json!(["parallel"]))
        );
    }
    let (status, report) = post(
        &server,
        &path,
        json!({"repo_criteria": {}, "parallel": null}),
    )
    .await;
    assert_eq!(
        (status, report["spawned_tasks"].as_array().unwrap().len()),
        (202, 1)
    );
}
