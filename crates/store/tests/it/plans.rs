//! Hot queries use their indexes. The statements are those that the store really sends: they are taken from it with a
//! repository of the kind that makes a scan tempting.

use pith_core::UnitId;
use pith_core::criteria::Filter;
use pith_store::{Engine, Held, NewUnit, OnConflict, UnitQuery};
use serde_json::json;

use crate::fixture::{Fixture, REPO, unit};
use crate::on_both_engines;

on_both_engines!(
    a_lookup_by_an_indexed_field_does_not_scan,
    a_page_of_a_repository_starts_where_the_last_one_ended,
    filters_on_names_checksums_and_nevras_use_an_index,
);

async fn filled(f: &Fixture) {
    f.repository(REPO).await;
    f.store
        .ensure_unit_indexes(&[("rpm", "name"), ("rpm", "checksums.sha256")])
        .await
        .unwrap();
    let units: Vec<NewUnit> = (0..20_000)
        .map(|i| {
            unit(
                "rpm",
                &format!("{i}"),
                json!({ "name": format!("n{i}"), "checksums": { "sha256": format!("{i:064}") } }),
            )
        })
        .collect();
    let saved = f.store.units_save(&units, OnConflict::Keep).await.unwrap();
    let ids: Vec<UnitId> = saved.iter().map(|unit| unit.id).collect();
    f.add(REPO, "rpm", &ids).await;
    f.store.analyze().await.unwrap();
}

async fn a_lookup_by_an_indexed_field_does_not_scan(f: Fixture) {
    filled(&f).await;
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
        let plan = f.store.units_explain(&query).await.unwrap();
        let scan = match f.store.engine() {
            Engine::Sqlite => "SCAN",
            Engine::Postgres => "Seq Scan on units",
        };
        assert!(
            !plan.contains(scan) && plan.contains("unit_rpm_"),
            "{field}:\n{plan}"
        );
        assert_eq!(
            f.store.units_count(&query).await.unwrap(),
            values.len() as i64
        );
    }
}

async fn a_page_of_a_repository_starts_where_the_last_one_ended(f: Fixture) {
    filled(&f).await;
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some(REPO),
        ..UnitQuery::default()
    };
    let plan = f.store.units_explain(&query).await.unwrap();
    assert!(
        !plan.contains("Sort") && !plan.contains("TEMP B-TREE"),
        "{plan}"
    );
}

async fn filters_on_names_checksums_and_nevras_use_an_index(f: Fixture) {
    filled(&f).await;
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
        if !everywhere && f.store.engine() == Engine::Postgres {
            continue;
        }
        let filter = Filter::parse(&asked).unwrap();
        let held = |_: &str| Held::Plain;
        let decided = f.store.unit_filter(&filter, &held);
        assert!(decided.is_exact(), "{asked}");
        for repo in [Some(REPO), None] {
            let query = UnitQuery {
                type_ids: vec!["rpm"],
                repo,
                filter: Some(&decided),
                ..UnitQuery::default()
            };
            let plan = f.store.units_explain(&query).await.unwrap();
            let scan = match f.store.engine() {
                Engine::Sqlite => "SCAN",
                Engine::Postgres => "Seq Scan on units",
            };
            assert!(
                !plan.contains(scan) && plan.contains("unit_rpm_"),
                "{asked} in {repo:?}:\n{plan}"
            );
        }
    }
}
