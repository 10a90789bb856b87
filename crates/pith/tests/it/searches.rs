//! Searches over repositories, distributors, tasks and users: what goes to the database changes no answer.

use futures::TryStreamExt;
use pith_core::criteria::{Criteria, UnitCriteria};
use pith_core::{Document, TaskId};
use pith_pulp::auth::Principal;
use pith_pulp::error::told;
use pith_pulp::repositories::Expand;
use pith_pulp::search::Shown;
use pith_store::NewTask;
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};

use crate::harness::{Harness, On};

crate::on_both!(
    a_narrowed_search_answers_as_one_that_looks_at_everything,
    one_of_thousands_of_repositories_is_found_by_its_id,
    clients_poll_tasks_by_their_ids,
    documents_are_found_and_sorted_by_their_object_ids,
    units_are_found_and_sorted_by_what_they_have,
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
    let pulp = &h.pulp;
    match what {
        "repositories" => pulp.repository_search(criteria, Expand::default()).await,
        "distributors" => pulp.distributor_search(criteria).await,
        "users" => pulp.user_search(criteria).await,
        "groups" => pulp.group_search(criteria).await,
        _ => {
            let found = pulp.task_search(criteria).await;
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

/// Filters that only a document with this id passes, under any name that its collection knows it by.
fn by_id(name: &str, hex: &Value) -> Vec<Value> {
    let other = "000000000000000000000000";
    vec![
        json!({name: hex}),
        json!({name: {"$in": [hex, other]}}),
        json!({name: {"$eq": hex}}),
        json!({"$or": [{name: hex}, {name: {"$in": [other]}}]}),
        json!({"$and": [{"$or": [{name: hex}]}, {name: {"$nin": [other]}}]}),
        json!({"$nor": [{name: {"$not": {"$in": [hex]}}}]}),
        json!({name: {"$not": {"$ne": hex}}}),
    ]
}

async fn documents_are_found_and_sorted_by_their_object_ids(on: On) {
    let Some(h) = Harness::idle(on).await else {
        return;
    };
    filled(&h).await;
    for id in ["ann", "ben"] {
        let body = |value: Value| serde_json::from_value::<Document>(value).unwrap();
        h.pulp
            .user_create(&body(json!({"login": id})))
            .await
            .unwrap();
        h.pulp
            .group_create(&body(json!({"id": id})), &Principal::System)
            .await
            .unwrap();
    }
    for (what, names) in [
        ("repositories", &["_id"][..]),
        ("distributors", &["_id"]),
        ("users", &["_id", "id"]),
        ("tasks", &["_id", "id"]),
        ("groups", &["_id"]),
    ] {
        let all = search(&h, what, &criteria(&json!({}), &json!({}))).await;
        let hex = &all[1]["_id"]["$oid"];
        for name in names {
            for filter in by_id(name, hex) {
                let found = search(&h, what, &criteria(&filter, &json!({}))).await;
                assert_eq!(found, [all[1].clone()], "{what} {filter}");
            }
            let sorted =
                |direction: &str| criteria(&json!({}), &json!({"sort": [[name, direction]]}));
            let mut up = search(&h, what, &sorted("ascending")).await;
            let ids = |found: &[Value]| -> Vec<String> {
                let ids = found
                    .iter()
                    .map(|one| one["_id"]["$oid"].as_str().unwrap().to_owned());
                ids.collect()
            };
            assert!(ids(&up).is_sorted(), "{what} by {name}");
            let down = search(&h, what, &sorted("descending")).await;
            up.reverse();
            assert_eq!(ids(&up), ids(&down), "{what} by {name}");
        }
    }
    for (what, answered) in [
        ("repositories", false),
        ("users", false),
        ("tasks", true),
        ("groups", true),
    ] {
        let nonsense = criteria(&json!({"$or": [{"_id": "nonsense"}]}), &json!({}));
        let pulp = &h.pulp;
        let found = match what {
            "repositories" => pulp.repository_search(&nonsense, Expand::default()).await,
            "users" => pulp.user_search(&nonsense).await,
            "groups" => pulp.group_search(&nonsense).await,
            _ => pulp.task_search(&nonsense).await.map(|_| Vec::new()),
        };
        assert_eq!(found.is_ok(), answered, "{what}");
    }
}

async fn units_are_found_and_sorted_by_what_they_have(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::full()).unwrap();
    h.upstream.serve_dir("/r/", folder.path());
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.sync("zoo").await;
    let content = async |type_id: &str, asked: Value| {
        let criteria = Criteria::parse(&asked).unwrap();
        gathered(h.pulp.type_units(type_id, criteria, false).await.unwrap()).await
    };
    let associated = async |asked: Value| {
        let criteria = UnitCriteria::parse(&asked).unwrap();
        let found = h.pulp.repository_units("zoo", criteria).await.unwrap();
        gathered(found).await
    };
    let all = content("rpm", json!({})).await;
    assert_eq!(all.len(), 20);
    let id = &all[3]["_id"];
    for name in ["_id", "id"] {
        for filter in [
            json!({name: id}),
            json!({"$or": [{name: {"$in": [id]}}, {name: "x"}]}),
        ] {
            assert_eq!(
                content("rpm", json!({"filters": filter})).await,
                [all[3].clone()]
            );
            let asked = json!({"type_ids": ["rpm"], "filters": {"unit": filter}});
            let found = associated(asked).await;
            assert_eq!(found.len(), 1);
            assert_eq!(&found[0]["unit_id"], id);
        }
        let found = content("rpm", json!({"sort": [[name, "descending"]]})).await;
        let ids: Vec<&str> = found
            .iter()
            .map(|unit| unit["_id"].as_str().unwrap())
            .collect();
        assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    }
    // A stored name stands for the name on the wire.
    let erratum = &content("erratum", json!({})).await[0];
    let found = content("erratum", json!({"filters": {"errata_id": erratum["id"]}})).await;
    assert_eq!(&found[0], erratum);
    // Below a field, and by one that nobody has: every unit, in some order.
    for field in [
        "header_range.start",
        "checksums.sha256",
        "nothing.at.all",
        "bogus",
    ] {
        for direction in ["ascending", "descending"] {
            let found = content(
                "rpm",
                json!({"sort": [[field, direction]], "limit": 15, "skip": 10}),
            )
            .await;
            assert_eq!(found.len(), 10, "{field}");
        }
    }
    let found = content("rpm", json!({"sort": [["header_range.end", "ascending"]]})).await;
    let ends: Vec<i64> = found
        .iter()
        .map(|unit| unit["header_range"]["end"].as_i64().unwrap())
        .collect();
    assert!(ends.is_sorted(), "{ends:?}");
    let unknown =
        UnitCriteria::parse(&json!({"type_ids": ["rpm"], "sort": {"unit": [["bogus", 1]]}}));
    let refused = h.pulp.repository_units("zoo", unknown.unwrap()).await;
    let refused = told(&refused.err().unwrap());
    assert_eq!(
        refused.extra["property_names"],
        json!(["Field: <bogus> does not exist on objects in the <units_rpm> collection"])
    );
}

/// All documents of an answer, whichever form they have.
pub(crate) async fn gathered(stream: pith_pulp::search::DocumentStream) -> Vec<Value> {
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    let shown = batches.into_iter().flatten();
    shown
        .map(|shown| match shown {
            Shown::Document(document) => Value::Object(document),
            Shown::Text(text) => serde_json::from_str(&text).unwrap(),
        })
        .collect()
}
