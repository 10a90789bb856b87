//! Schedules, histories and old tasks.

use serde_json::{Value, json};

use crate::fake::{Fake, pith};

const SYNCS: &str = "repositories/demo/importers/yum_importer/schedules/sync";

fn schedule() -> Value {
    json!({"_id": "s1", "schedule": "PT6H", "enabled": true, "next_run": "2015-01-02T00:00:00Z",
           "last_run_at": null, "total_run_count": 0, "remaining_runs": null, "consecutive_failures": 0})
}

#[tokio::test]
async fn a_schedule_is_made_changed_listed_and_removed() {
    let fake = Fake::start().await;
    fake.on(&format!("POST {SYNCS}"), 201, schedule())
        .on(&format!("GET {SYNCS}"), 200, json!([schedule()]))
        .on(&format!("PUT {SYNCS}/s1"), 200, schedule())
        .on(&format!("DELETE {SYNCS}/s1"), 200, Value::Null);
    let line =
        "rpm repo sync schedules create --repo-id demo --schedule PT6H --failure-threshold 3";
    let ran = pith(&fake.url, line).await;
    assert_eq!(
        fake.body(&format!("POST {SYNCS}")),
        json!({"schedule": "PT6H", "failure_threshold": 3, "enabled": true, "override_config": {}})
    );
    assert_eq!(
        ran.out,
        "created schedule s1; it runs next at 2015-01-02 00:00:00\n"
    );
    let ran = pith(&fake.url, "rpm repo sync schedules list demo").await;
    insta::assert_snapshot!(ran.out, @r"
    SCHEDULE  WHEN  ENABLED  NEXT RUN             LAST RUN  RUNS  RUNS LEFT  FAILURES
    s1        PT6H  true     2015-01-02 00:00:00  -         0     -          0
    ");
    let ran = pith(&fake.url, "rpm repo sync schedules next demo").await;
    assert_eq!(ran.out, "next run at 2015-01-02 00:00:00\n");
    let line = "rpm repo sync schedules update demo --schedule-id s1 --enabled false";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body(&format!("PUT {SYNCS}/s1")),
        json!({"enabled": false})
    );
    let line = "rpm repo sync schedules update demo --schedule-id s1";
    assert_eq!(pith(&fake.url, line).await.exit.code(), 2);
    let line = "rpm repo sync schedules delete demo --schedule-id s1";
    assert_eq!(pith(&fake.url, line).await.out, "removed schedule s1\n");
}

#[tokio::test]
async fn publishes_are_scheduled_at_the_distributor_of_the_kind() {
    let fake = Fake::start().await;
    let path = "POST repositories/demo/distributors/iso_distributor/schedules/publish";
    fake.on(path, 201, schedule());
    let line = "iso repo publish schedules create demo -s P1D --force-full";
    pith(&fake.url, line).await;
    assert_eq!(
        fake.body(path),
        json!({"schedule": "P1D", "failure_threshold": null, "enabled": true,
               "override_config": {"force_full": true}})
    );
}

#[tokio::test]
async fn a_history_of_publishes_asks_for_the_distributor_that_publishes_by_itself() {
    let fake = Fake::start().await;
    fake.on(
        "GET repositories/demo/distributors",
        200,
        json!([{"id": "export", "auto_publish": false}, {"id": "yum", "auto_publish": true}]),
    )
    .on(
        "GET repositories/demo/history/publish/yum",
        200,
        json!([{"started": "2015-01-02T00:00:00Z", "completed": "2015-01-02T00:00:01Z",
                "result": "success", "distributor_id": "yum", "error_message": null}]),
    );
    let ran = pith(&fake.url, "repo history publish --repo-id demo --limit 5").await;
    assert_eq!(
        fake.lines().last().unwrap(),
        "GET repositories/demo/history/publish/yum?limit=5"
    );
    insta::assert_snapshot!(ran.out, @r"
    STARTED              COMPLETED            RESULT   DISTRIBUTOR  ERROR
    2015-01-02 00:00:00  2015-01-02 00:00:01  success  yum          -
    ");
}

#[tokio::test]
async fn old_tasks_are_searched_shown_and_forgotten() {
    let fake = Fake::start().await;
    fake.on("POST tasks/search", 200, json!([]))
        .on("GET repositories/demo", 200, json!({"id": "demo"}))
        .on("DELETE tasks", 204, Value::Null)
        .on(
            "GET task_groups/g1/state_summary",
            200,
            json!({"total": 2, "finished": 2}),
        )
        .on("DELETE task_groups/g1", 200, Value::Null);
    pith(&fake.url, "task search --str-eq state=error --limit 1").await;
    let ran = pith(&fake.url, "history --repo-id demo --failed").await;
    assert_eq!(ran.out, "nothing has failed\n");
    let seen = fake.seen();
    let searches = seen.iter().filter(|seen| seen.line.starts_with("POST"));
    let bodies: Vec<Value> = searches.map(crate::fake::Seen::json).collect();
    assert_eq!(
        bodies,
        [
            json!({"criteria": {"filters": {"state": "error"}, "limit": 1}}),
            json!({"criteria": {"filters": {"state": {"$in": ["error", "canceled"]},
                                            "tags": "pulp:repository:demo"},
                                "limit": 20, "sort": [["finish_time", "descending"]]}})
        ]
    );
    pith(&fake.url, "task purge --all").await;
    assert_eq!(
        fake.lines().last().unwrap(),
        "DELETE tasks?state=finished&state=error&state=skipped"
    );
    let ran = pith(&fake.url, "task group show g1").await;
    assert!(ran.out.contains("total     2"), "{}", ran.out);
    assert_eq!(
        pith(&fake.url, "task groups cancel g1").await.exit.code(),
        0
    );
}
