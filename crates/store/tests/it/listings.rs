//! Repositories, distributors, users and tasks in pages.

use pith_core::TaskId;
use pith_core::task::TaskState;
use pith_store::{DistributorListing, NewTask, TaskListing, Texts, Window};
use serde_json::Value;

use crate::fixture::{Fixture, collect, distributor, repository};
use crate::on_both_engines;

on_both_engines!(
    repositories_come_in_pages_in_the_order_they_were_made,
    a_window_is_kept_across_pages,
    distributors_are_found_by_repository_id_and_type,
    tasks_are_found_by_id_state_and_tag,
    counts_are_of_the_repositories_asked_for,
);

/// More than two pages.
const MANY: usize = 300;

async fn named(f: &Fixture, ids: Texts, window: Window) -> Vec<String> {
    let found = collect(f.store.repositories_stream(ids, window)).await;
    found.into_iter().map(|one| one.id).collect()
}

fn one_of(texts: &[&str]) -> Texts {
    Texts::OneOf(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn starting(prefix: &str) -> Texts {
    Texts::StartingWith(prefix.to_owned())
}

async fn repositories_come_in_pages_in_the_order_they_were_made(f: Fixture) {
    let mut made: Vec<String> = Vec::new();
    for at in 0..MANY {
        made.push(format!("r{:03}", MANY - at));
        f.repository(&made[at]).await;
    }
    for odd in ["R1", "a_b", "a%b", "aé", "a"] {
        f.repository(odd).await;
        made.push(odd.to_owned());
    }
    let all = Window::default();
    assert_eq!(named(&f, Texts::Any, all).await, made);
    assert_eq!(
        named(&f, one_of(&["r001", "r300", "none", "r300"]), all).await,
        ["r300", "r001"]
    );
    assert!(named(&f, one_of(&[]), all).await.is_empty());
    let many: Vec<&str> = made.iter().map(String::as_str).collect();
    assert_eq!(named(&f, one_of(&many), all).await, made);
    assert_eq!(named(&f, starting("r00"), all).await.len(), 9);
    assert_eq!(
        named(&f, starting("a"), all).await,
        ["a_b", "a%b", "aé", "a"]
    );
    assert_eq!(named(&f, starting("a_"), all).await, ["a_b"]);
    assert_eq!(named(&f, starting("a%"), all).await, ["a%b"]);
    assert_eq!(named(&f, starting("R"), all).await, ["R1"]);
    assert!(named(&f, starting("\u{10ffff}"), all).await.is_empty());
}

async fn a_window_is_kept_across_pages(f: Fixture) {
    let mut made: Vec<String> = Vec::new();
    for at in 0..MANY {
        made.push(format!("r{at:03}"));
        f.repository(&made[at]).await;
    }
    for (skip, limit) in [(0, 0), (0, 1), (3, 200), (150, 128), (290, 50), (400, 5)] {
        let window = Window {
            skip,
            limit: Some(limit),
        };
        let (skip, limit) = (skip as usize, limit as usize);
        let wanted: Vec<_> = made.iter().skip(skip).take(limit).collect();
        let found = named(&f, Texts::Any, window).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
    }
}

async fn distributors_are_found_by_repository_id_and_type(f: Fixture) {
    for repo in ["b", "a"] {
        let repository = repository(repo, f.now());
        f.store.repository_create(&repository).await.unwrap();
        for at in 0..MANY / 2 {
            let mut one = distributor(repo, &format!("d{at:03}"), f.now());
            if at == 7 {
                one.type_id = "export_distributor".to_owned();
            }
            f.store.distributor_create(&one).await.unwrap();
        }
    }
    let found = async |only: DistributorListing| -> Vec<(String, String)> {
        let found = collect(f.store.distributors_stream(only)).await;
        found.into_iter().map(|d| (d.repo_id, d.id)).collect()
    };
    let all = found(DistributorListing::default()).await;
    assert_eq!(all.len(), MANY);
    assert!(all.is_sorted());
    let of_one = DistributorListing {
        repos: one_of(&["b", "c"]),
        ..DistributorListing::default()
    };
    assert_eq!(found(of_one).await.len(), MANY / 2);
    let of_type = DistributorListing {
        types: one_of(&["export_distributor"]),
        repos: starting("a"),
        ids: starting("d00"),
    };
    assert_eq!(found(of_type).await, [("a".to_owned(), "d007".to_owned())]);
}

async fn tasks_are_found_by_id_state_and_tag(f: Fixture) {
    let mut ids: Vec<TaskId> = Vec::new();
    for at in 0..MANY {
        let tags = vec!["all".to_owned(), format!("n{}", at % 100)];
        let task = NewTask {
            id: TaskId::new(),
            kind: "k".to_owned(),
            args: Value::Null,
            tags,
            resources: Vec::new(),
            group: None,
        };
        ids.push(f.store.task_enqueue(&task).await.unwrap().id);
    }
    let found = async |only: TaskListing, window: Window| -> Vec<TaskId> {
        let found = collect(f.store.tasks_stream(only, window)).await;
        found.into_iter().map(|task| task.id).collect()
    };
    let all = Window::default();
    assert_eq!(found(TaskListing::default(), all).await, ids);
    let by_ids = TaskListing {
        ids: Some(vec![ids[200], ids[3], TaskId::new()]),
        ..TaskListing::default()
    };
    assert_eq!(found(by_ids, all).await, [ids[3], ids[200]]);
    let by_tags = |tags: &[&str]| TaskListing {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..TaskListing::default()
    };
    let window = Window {
        skip: 1,
        limit: Some(1),
    };
    assert_eq!(found(by_tags(&["all", "n5"]), all).await.len(), 3);
    assert_eq!(found(by_tags(&["all", "n5"]), window).await, [ids[105]]);
    assert!(found(by_tags(&["n5", "n6"]), all).await.is_empty());
    let in_state = |state| TaskListing {
        states: Some(vec![state]),
        ..TaskListing::default()
    };
    assert_eq!(found(in_state(TaskState::Waiting), all).await.len(), MANY);
    assert!(found(in_state(TaskState::Error), all).await.is_empty());
}

async fn counts_are_of_the_repositories_asked_for(f: Fixture) {
    for repo in ["a", "b", "c"] {
        f.repository(repo).await;
    }
    let ids = f.units("rpm", &["x", "y"]).await;
    f.add("a", "rpm", &ids).await;
    f.add("b", "rpm", &ids[..1]).await;
    let of = f
        .store
        .repository_unit_counts_of(&["a", "c"])
        .await
        .unwrap();
    assert_eq!(of.len(), 1);
    assert_eq!(of["a"]["rpm"], 2);
    assert!(
        f.store
            .repository_unit_counts_of(&[])
            .await
            .unwrap()
            .is_empty()
    );
}
