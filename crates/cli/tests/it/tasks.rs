//! `pith task …` and waiting.

use std::time::Duration;

use pith_cli::{Client, Error, Format, Trust, Ui, wait_until};
use serde_json::{Value, json};
use url::Url;

use crate::fake::{Fake, families, pith, task};

#[tokio::test]
async fn listing_asks_for_tasks_that_are_not_over() {
    let fake = Fake::start().await;
    fake.on(
        "POST tasks/search",
        200,
        json!([task("t1", "running", "sync", &[], &Value::Null)]),
    );
    let ran = pith(&fake.url, "task list --repo-id demo").await;
    assert_eq!(
        fake.body("POST tasks/search"),
        json!({"criteria": {"filters": {"state": {"$in": ["waiting", "accepted", "running"]},
                                        "tags": "pulp:repository:demo"},
                            "limit": 100, "sort": [["id", "descending"]]}})
    );
    insta::assert_snapshot!(ran.out, @r"
    TASK  STATE    WHAT          STARTED              FINISHED
    t1    running  sync of demo  2015-11-03 16:40:10  -
    ");
}

#[tokio::test]
async fn cancelling_shows_what_became_of_the_task() {
    let fake = Fake::start().await;
    fake.on("DELETE tasks/t1", 200, Value::Null)
        .on(
            "GET tasks/t1",
            200,
            task("t1", "canceled", "sync", &[], &Value::Null),
        )
        .on("DELETE tasks/t2", 200, Value::Null)
        .task("t2", "sync", &[], &Value::Null);
    let ran = pith(&fake.url, "tasks cancel --task-id t1 --task-id t2").await;
    assert_eq!(
        ran.out,
        "sync of demo is cancelled (task t1)\nsync of demo was over already: finished (task t2)\n"
    );
}

#[tokio::test]
async fn showing_a_task_lists_its_steps() {
    let fake = Fake::start().await;
    let mut running = task("t1", "running", "publish", &["t2"], &Value::Null);
    running["progress_report"] = json!({"yum_distributor": [
        {"step_type": "rpms", "description": "Publishing RPMs", "state": "IN_PROGRESS", "items_total": 35,
         "num_processed": 4, "num_failures": 0, "error_details": []}]});
    fake.on("GET tasks/t1", 200, running);
    let ran = pith(&fake.url, "task show t1").await;
    insta::assert_snapshot!(ran.out, @r"
    task          t1
    what          publish of demo
    state         running
    worker        w
    started       2015-11-03 16:40:10
    finished      -
    step          Publishing RPMs: started (4 of 35)
    started task  t2
    ");
}

#[tokio::test]
async fn a_task_that_spawns_itself_is_waited_for_once() {
    let fake = Fake::start().await;
    fake.task("t1", "sync", &["t1", "t1"], &Value::Null);
    let ran = pith(&fake.url, "--json task wait t1").await;
    assert_eq!(ran.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn waiting_for_a_task_that_is_not_there_is_not_found() {
    let fake = Fake::start().await;
    let ran = pith(&fake.url, "task wait nosuch").await;
    assert_eq!(ran.exit.code(), 3);
}

#[tokio::test]
async fn an_interrupted_wait_says_that_the_task_goes_on() {
    let fake = Fake::start().await;
    fake.on(
        "GET tasks/t1",
        200,
        task("t1", "running", "sync", &[], &Value::Null),
    );
    let client = Client::new(Url::parse(&fake.url).unwrap(), None, &Trust::default()).unwrap();
    let (mut ui, _) = Ui::captured(Format::Text, families());
    let asked = fake.clone();
    let stop = async move {
        while asked.lines().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let error = wait_until(&client, vec!["t1".into()], &mut ui, stop)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)));
    assert_eq!(error.exit().code(), 130);
    assert_eq!(
        error.to_string(),
        "stopped waiting; task t1 goes on on the server"
    );
    assert!(error.hint().contains("pith task cancel t1"));
    assert!(
        fake.lines().iter().all(|line| line.starts_with("GET")),
        "nothing was cancelled"
    );
}
