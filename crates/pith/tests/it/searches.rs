//! Searches over repositories, distributors, tasks and users: what goes to the database changes no answer.

use pith_core::criteria::Criteria;
use pith_core::{Document, TaskId};
use pith_engine::repositories::Expand;
use pith_store::NewTask;
use serde_json::{Value, json};

use crate::harness::{Harness, On};

crate::on_both!(
    a_narrowed_search_answers_as_one_that_looks_at_everything,
    one_of_thousands_of_repositories_is_found_by_its_id,
    clients_poll_tasks_by_their_ids,
);

/// More than a page.
const MANY: usize = 150;

async fn filled(h: &Harness) -> Vec<TaskId> {
    let mut tasks = Vec::new();
    for at in 0..MANY {
        // Made in another order than their ids sort.
        let id = format!("r{:03}", (at * 7) % MANY);
        h.repository(&id, if at % 3 == 0 { "iso" } else { "rpm" }, "/", json!({}))
            .await;
        let task = NewTask {
            id: TaskId::new(),
            kind: "t".to_owned(),
            args: Value::Null,
            tags: vec!["all".to_owned(), format!("n{}", at % 5)],
            resources: Vec::new(),
            group: None,
        };
        tasks.push(h.engine.store.task_enqueue(&task).await.unwrap().id);
    }
    tasks
}

fn criteria(filter: &Value, more: &Value) -> Criteria {
    let mut asked = more.clone();
    asked["filters"] = filter.clone();
    Criteria::parse(&asked).unwrap()
}

async fn search(h: &Harness, what: &str, criteria: &Criteria) -> Vec<Value> {
    let engine = &h.engine;
    match what {
        "repositories" => engine.repository_search(criteria, Expand::default()).await,
        "distributors" => engine.distributor_search(criteria).await,
        "users" => engine.user_search(criteria).await,
        _ => {
            let found = engine.task_search(criteria).await;
            found.map(|found| found.into_iter().map(Value::Object).collect())
        }
    }
    .unwrap()
}

async fn a_narrowed_search_answers_as_one_that_looks_at_everything(on: On) {
    let Some(h) = Harness::idle(on).await else {
        return;
    };
    let tasks = filled(&h).await;
    let filters = [
        ("repositories", json!({"id": "r007"})),
        (
            "repositories",
            json!({"id": {"$in": ["r149", "r000", "x", 3]}}),
        ),
        ("repositories", json!({"id": {"$regex": "^r01"}})),
        (
            "repositories",
            json!({"repo_id": {"$regex": "^r01.*[0-4]$"}}),
        ),
        (
            "repositories",
            json!({"id": {"$regex": "^R01", "$options": "i"}}),
        ),
        ("repositories", json!({"id": {"$ne": "r007"}})),
        (
            "repositories",
            json!({"id": {"$gte": "r1"}, "display_name": null}),
        ),
        (
            "distributors",
            json!({"repo_id": {"$in": ["r003", "r001"]}}),
        ),
        (
            "distributors",
            json!({"distributor_type_id": "iso_distributor"}),
        ),
        (
            "distributors",
            json!({"repo_id": {"$regex": "^r1"}, "auto_publish": true}),
        ),
        (
            "tasks",
            json!({"task_id": {"$in": [tasks[140], tasks[2], "x"]}}),
        ),
        ("tasks", json!({"tags": "n3"})),
        ("tasks", json!({"tags": {"$all": ["all", "n3"]}})),
        ("tasks", json!({"tags": {"$in": ["n1", "n2"]}})),
        (
            "tasks",
            json!({"state": {"$in": ["waiting", "error"]}, "tags": {"$in": ["n4"]}}),
        ),
        ("tasks", json!({"state": {"$nin": ["waiting"]}})),
        ("tasks", json!({"state": "finished"})),
        ("users", json!({"login": "admin"})),
        ("users", json!({"login": {"$regex": "^a"}})),
    ];
    let windows = [
        json!({}),
        json!({"skip": 1, "limit": 2}),
        json!({"skip": 140}),
        json!({"limit": 3, "sort": [["_id", "descending"]]}),
    ];
    for (what, filter) in &filters {
        // Nothing of alternatives goes to the database.
        let everything = json!({"$or": [filter, filter]});
        for window in &windows {
            let found = search(&h, what, &criteria(filter, window)).await;
            let wanted = search(&h, what, &criteria(&everything, window)).await;
            assert_eq!(found, wanted, "{what} {filter} {window}");
        }
    }
    let all = search(
        &h,
        "distributors",
        &criteria(&json!({}), &json!({"limit": 2})),
    )
    .await;
    let repos: Vec<&Value> = all.iter().map(|one| &one["repo_id"]).collect();
    assert_eq!(repos, ["r000", "r007"], "oldest first");
}

async fn one_of_thousands_of_repositories_is_found_by_its_id(on: On) {
    let Some(h) = Harness::idle(on).await else {
        return;
    };
    let now = h.engine.clock.now();
    for at in 0..5_000 {
        let one = pith_store::Repository {
            id: format!("r{at}"),
            oid: pith_core::ObjectId::new(now),
            display_name: None,
            description: None,
            notes: Document::new(),
            scratchpad: Document::new(),
            last_unit_added: None,
            last_unit_removed: None,
            version: 0,
        };
        h.engine.store.repository_create(&one).await.unwrap();
    }
    let one = criteria(&json!({"id": "r4321"}), &json!({}));
    let started = std::time::Instant::now();
    for _ in 0..50 {
        let found = search(&h, "repositories", &one).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["id"], "r4321");
    }
    println!("a search by id: {:?}", started.elapsed() / 50);
    let page = criteria(&json!({}), &json!({"skip": 4_990, "limit": 20}));
    assert_eq!(search(&h, "repositories", &page).await.len(), 10);
}

async fn clients_poll_tasks_by_their_ids(on: On) {
    let Some(h) = Harness::idle(on).await else {
        return;
    };
    let tasks = filled(&h).await;
    let asked = json!({"task_id": {"$in": [tasks[9], tasks[4]]}});
    let found = search(&h, "tasks", &criteria(&asked, &json!({}))).await;
    let ids: Vec<&Value> = found.iter().map(|task| &task["task_id"]).collect();
    assert_eq!(ids, [&json!(tasks[4]), &json!(tasks[9])], "oldest first");
}
