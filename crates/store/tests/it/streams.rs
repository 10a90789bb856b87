use futures::TryStreamExt;
use pith_core::UnitId;
use pith_store::{NewUnit, StreamedUnit, UnitQuery};
use serde_json::json;

use crate::fixture::{Fixture, REPO, SaveUnits, unit};
use crate::on_both_engines;

on_both_engines!(large_units_come_in_their_place_and_a_few_at_a_time);

/// Bytes of a large document, and of the part of another one.
const LARGE: usize = 700_000;
/// Bytes of one batch at most: those that a stream reads at once and one unit more.
const BATCH: usize = (4 << 20) + LARGE;

/// One of three is large by its document, one by its part.
fn units() -> Vec<NewUnit> {
    let text = |n: usize, large| "x".repeat(if n % 3 == large { LARGE } else { 9 });
    let one = |n: usize| NewUnit {
        parts: vec![("p".to_owned(), text(n, 1).into_bytes())],
        ..unit(
            "t",
            &n.to_string(),
            json!({ "name": format!("{n:02}"), "text": text(n, 0) }),
        )
    };
    (0..60).map(one).collect()
}

fn bytes(unit: &StreamedUnit) -> usize {
    let text = unit.unit.doc.get("text").and_then(|text| text.as_str());
    text.map_or(0, str::len) + unit.parts.iter().map(|part| part.data.len()).sum::<usize>()
}

async fn large_units_come_in_their_place_and_a_few_at_a_time(f: Fixture) {
    f.repository(REPO).await;
    let saved = f.store.units_save(&units()).await.unwrap();
    let ids: Vec<UnitId> = saved.iter().map(|unit| unit.id).collect();
    f.add(REPO, "t", &ids).await;
    let all = UnitQuery {
        type_ids: vec!["t"],
        repo: Some(REPO),
        parts: vec!["p"],
        ..UnitQuery::default()
    };
    let up: Vec<String> = (0..60).map(|n| format!("{n:02}")).collect();
    let down: Vec<String> = up.iter().rev().cloned().collect();
    let asked = [
        (all.clone(), &up[..]),
        (
            UnitQuery {
                repo: None,
                ..all.clone()
            },
            &up[..],
        ),
        (
            UnitQuery {
                ids: Some(ids),
                ..all.clone()
            },
            &up[..],
        ),
        (
            UnitQuery {
                sort: vec![("name", true)],
                ..all.clone()
            },
            &down[..],
        ),
        (
            UnitQuery {
                skip: 7,
                limit: Some(40),
                ..all.clone()
            },
            &up[7..47],
        ),
        (
            UnitQuery {
                fields: Some(vec!["name", "text"]),
                ..all.clone()
            },
            &up[..],
        ),
    ];
    for (query, names) in asked {
        let mut stream = f.store.units_stream(&query).unwrap();
        let (mut found, mut batches) = (Vec::new(), 0);
        while let Some(batch) = stream.try_next().await.unwrap() {
            assert!(batch.iter().map(bytes).sum::<usize>() <= BATCH, "{query:?}");
            batches += 1;
            for unit in batch {
                let large = usize::from(bytes(&unit) >= LARGE);
                let name = unit.unit.doc["name"].as_str().unwrap().to_owned();
                assert_eq!(
                    large,
                    usize::from(name.parse::<usize>().unwrap() % 3 < 2),
                    "{name}"
                );
                found.push(name);
            }
        }
        assert_eq!(found, names, "{query:?}");
        assert!(
            batches >= names.len() / 3 * 2 * LARGE / BATCH,
            "{batches}: {query:?}"
        );
    }
}
