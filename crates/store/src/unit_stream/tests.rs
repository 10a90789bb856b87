//! Hot queries use their indexes. The statements are those that the store really sends: they are taken from it with a
//! repository of the kind that makes a scan tempting.

use pith_core::criteria::Filter;
use pith_core::{Sha256, TaskId, UnitId};
use serde_json::{Value, json};

use super::{explain, explain_query};
use crate::staging;
use crate::transaction::tests::{Home, postgres, repository, sqlite};
use crate::unit_query::Plan;
use crate::{Backend, Fence, Held, NewTask, NewUnit, Store, UnitQuery};

const REPO: &str = "fedora";

/// A database of each kind with a repository of many packages.
async fn homes() -> Vec<Home> {
    let homes = [Some(sqlite().await), postgres().await];
    let homes: Vec<Home> = homes.into_iter().flatten().collect();
    for home in &homes {
        fill(&home.store).await;
    }
    homes
}

async fn fill(store: &Store) {
    store
        .repository_create(&repository(store, REPO))
        .await
        .unwrap();
    store
        .ensure_unit_indexes(&[("rpm", "name"), ("rpm", "checksums.sha256")])
        .await
        .unwrap();
    let package = |number: u32| {
        let checksum = format!("{number:064}");
        let doc = json!({ "name": format!("n{number}"), "checksums": { "sha256": checksum } });
        NewUnit {
            type_id: "rpm".to_owned(),
            key_digest: Sha256::of(checksum.as_bytes()),
            said: Sha256::of(b"said"),
            site: Sha256([0; 32]),
            doc: serde_json::from_value(doc).unwrap(),
            blob: None,
            size: None,
            downloaded: true,
            parts: Vec::new(),
        }
    };
    let units: Vec<NewUnit> = (0..20_000).map(package).collect();
    let task = NewTask {
        id: TaskId::new(),
        kind: "test".to_owned(),
        args: Value::Null,
        tags: Vec::new(),
        resources: Vec::new(),
        group: None,
    };
    store.task_enqueue(&task).await.unwrap();
    let claimed = store.task_claim("w", store.now()).await.unwrap().unwrap();
    let task = store.for_task(claimed.fence());
    task.units_save_staged(&units, &[]).await.unwrap();
    task.content_commit(REPO, store.now()).await.unwrap();
    store.analyze().await.unwrap();
}

/// Returns what the database says of the first page of a query.
async fn plan_of(store: &Store, query: &UnitQuery<'_>) -> String {
    let plan = Plan::new(query, None).unwrap();
    explain(store, &plan).await.unwrap()
}

/// Makes sure that an index of the type's fields is used.
async fn assert_uses_index(store: &Store, query: &UnitQuery<'_>, what: &str) {
    let plan = plan_of(store, query).await;
    let scan = match store.backend() {
        Backend::Sqlite => "SCAN",
        Backend::Postgres => "Seq Scan on units",
    };
    assert!(
        !plan.contains(scan) && plan.contains("unit_rpm_"),
        "{what}:\n{plan}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lookup_by_an_indexed_field_does_not_scan() {
    for home in homes().await {
        assert_lookups(&home.store).await;
    }
}

async fn assert_lookups(store: &Store) {
    for (field, values) in [
        ("name", vec![json!("n7")]),
        ("name", vec![json!("n7"), json!("n8")]),
        ("checksums.sha256", vec![json!(format!("{:064}", 7))]),
    ] {
        let query = UnitQuery {
            type_ids: vec!["rpm"],
            repo: Some(REPO),
            equals: vec![(field, values.clone())],
            ..UnitQuery::default()
        };
        assert_uses_index(store, &query, field).await;
        assert_eq!(
            store.units_count(&query).await.unwrap(),
            values.len() as i64
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_repository_starts_where_the_last_one_ended() {
    for home in homes().await {
        assert_page(&home.store).await;
    }
}

async fn assert_page(store: &Store) {
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some(REPO),
        ..UnitQuery::default()
    };
    let plan = plan_of(store, &query).await;
    assert!(
        !plan.contains("Sort") && !plan.contains("TEMP B-TREE"),
        "{plan}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_on_names_checksums_and_nevras_use_an_index() {
    for home in homes().await {
        assert_filters(&home.store).await;
    }
}

async fn assert_filters(store: &Store) {
    let nevra = |i: u32| json!({ "name": format!("n{i}"), "version": "1", "arch": "noarch" });
    let cases = [
        (json!({ "name": "n7" }), true),
        (json!({ "checksums.sha256": format!("{:064}", 7) }), true),
        (nevra(7), true),
        (json!({ "$or": [nevra(7), nevra(8), nevra(9)] }), true),
        (
            json!({ "name": { "$in": ["n7", "n8"] }, "size": { "$gt": 5 } }),
            true,
        ),
        (
            json!({ "$and": [{ "name": { "$regex": "^n7$" } }, { "release": "1" }] }),
            true,
        ),
        // only SQLite has an index in the order of texts
        (json!({ "name": { "$regex": "^n77" } }), false),
    ];
    for (asked, everywhere) in cases {
        if !everywhere && store.backend() == Backend::Postgres {
            continue;
        }
        let filter = Filter::parse(&asked).unwrap();
        let held = |_: &str| Held::Plain;
        let decided = store.unit_filter(&filter, &held);
        assert!(decided.is_exact(), "{asked}");
        for repo in [Some(REPO), None] {
            let query = UnitQuery {
                type_ids: vec!["rpm"],
                repo,
                filter: Some(&decided),
                ..UnitQuery::default()
            };
            assert_uses_index(store, &query, &format!("{asked} in {repo:?}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_sync_is_compared_by_keys_and_not_with_all_there_is() {
    for home in homes().await {
        assert_batches(&home.store).await;
    }
}

async fn assert_batches(store: &Store) {
    let task = store.for_task(Fence {
        task: TaskId::new(),
        attempt: 1,
    });
    let keys = [Sha256::of(b"a"), Sha256::of(b"b")];
    let ids = [UnitId(uuid::Uuid::nil()), UnitId(uuid::Uuid::max())];
    let known = explain_query(store, task.known_query(REPO, "rpm", &keys)).await;
    let known = known.unwrap();
    assert!(known.contains("key_digest"), "{known}");
    assert!(
        !known.contains("units_by_type") && !known.contains("Seq Scan on units"),
        "{known}"
    );
    // PostgreSQL goes by how much is staged.
    if store.backend() == Backend::Sqlite {
        let namesakes = staging::namesakes(store.backend(), task.fence(), &ids);
        let plan = explain_query(store, namesakes).await.unwrap();
        assert!(plan.contains("type_id=? AND unit_id=?"), "{plan}");
    }
}
