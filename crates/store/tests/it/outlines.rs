use pith_core::{Sha256, UnitId};
use pith_store::{FieldTexts, NewUnit, StreamedUnit, UnitQuery};
use serde_json::json;

use crate::fixture::{Fixture, REPO, SaveUnits, collect, names, unit};
use crate::on_both_engines;

on_both_engines!(
    an_outline_has_what_the_repository_has_by_text,
    an_outline_tells_what_a_stream_of_units_tells,
    an_outline_longer_than_a_page_stays_in_order,
    a_changed_unit_shows_another_time_and_a_learned_field_does_not,
    picked_units_come_in_the_order_asked_for,
    impossible_names_are_refused_in_outlines,
);

async fn outline(f: &Fixture, fields: &[&str]) -> Vec<StreamedUnit<FieldTexts>> {
    collect(f.store.units_outline("rpm", REPO, fields).unwrap()).await
}

/// The only field of each.
fn texts(outline: &[StreamedUnit<FieldTexts>]) -> Vec<String> {
    let text = |unit: &StreamedUnit<FieldTexts>| serde_json::from_str(&unit.unit.doc.0).unwrap();
    outline.iter().map(text).collect()
}

async fn an_outline_has_what_the_repository_has_by_text(f: Fixture) {
    f.repository(REPO).await;
    let ids = f
        .units("rpm", &["b", "a-b", "a", "ä", "gone", "B", "a b", "a\"c"])
        .await;
    f.add(REPO, "rpm", &ids).await;
    f.repository("other").await;
    let elsewhere = f.units("rpm", &["elsewhere"]).await;
    f.add("other", "rpm", &elsewhere).await;
    let sources = f.units("srpm", &["source"]).await;
    f.add(REPO, "srpm", &sources).await;
    let task = f.task().await;
    task.stage_remove(&[(ids[4], "rpm")]).await.unwrap();
    task.content_commit(REPO, f.now()).await.unwrap();
    let found = outline(&f, &["name"]).await;
    let mut right = vec!["B", "a", "a b", "a-b", "a\"c", "b", "ä"];
    let mut found = texts(&found);
    // Where a text is escaped the order is some order, the same every time.
    assert_eq!(found[0], "B");
    found.sort();
    right.sort_unstable();
    assert_eq!(found, right);
}

async fn an_outline_tells_what_a_stream_of_units_tells(f: Fixture) {
    f.repository(REPO).await;
    let mut first = unit("rpm", "x", json!({"name": "x", "epoch": 0, "big": [1, 2]}));
    first.blob = Some(Sha256::of(b"file"));
    first.size = Some(4);
    let mut second = unit("rpm", "y", json!({"name": "y", "big": "no"}));
    second.downloaded = false;
    let saved = f.store.units_save(&[first, second]).await.unwrap();
    f.later(5);
    let ids: Vec<UnitId> = saved.iter().map(|unit| unit.id).collect();
    f.add(REPO, "rpm", &ids).await;
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some(REPO),
        sort: vec![("name", false)],
        fields: Some(vec!["name", "epoch"]),
        ..UnitQuery::default()
    };
    let mut streamed = collect(f.store.units_fields_stream(&query).unwrap()).await;
    for unit in &mut streamed {
        unit.association = None;
    }
    assert_eq!(outline(&f, &["name", "epoch"]).await, streamed);
}

async fn an_outline_longer_than_a_page_stays_in_order(f: Fixture) {
    f.repository(REPO).await;
    let mut all: Vec<String> = (0..1300)
        .map(|n| format!("{:04}", n * 769 % 1300))
        .collect();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let ids = f.units("rpm", &names).await;
    f.add(REPO, "rpm", &ids).await;
    all.sort();
    assert_eq!(texts(&outline(&f, &["name"]).await), all);
}

async fn a_changed_unit_shows_another_time_and_a_learned_field_does_not(f: Fixture) {
    f.repository(REPO).await;
    let ids = f.units("rpm", &["a"]).await;
    f.add(REPO, "rpm", &ids).await;
    let saved = f.now();
    f.later(1);
    f.store
        .units_set_field("rpm", "checksums", &[(ids[0], json!({"md5": "00"}))])
        .await
        .unwrap();
    f.store
        .unit_set_blob(ids[0], Sha256::of(b"file"), 4)
        .await
        .unwrap();
    assert_eq!(outline(&f, &["name"]).await[0].unit.last_updated, saved);
    let changed = f.later(1);
    let note = json!({"mine": true});
    let noted = f.store.unit_set_user_metadata("rpm", ids[0], &note).await;
    noted.unwrap();
    assert_eq!(outline(&f, &["name"]).await[0].unit.last_updated, changed);
}

async fn picked_units_come_in_the_order_asked_for(f: Fixture) {
    let texts: Vec<String> = (0..600).map(|n| format!("{n:03}")).collect();
    let units: Vec<NewUnit> = texts
        .iter()
        .map(|text| {
            let mut unit = unit("rpm", text, json!({"name": text, "other": 1}));
            unit.parts = vec![("primary".to_owned(), text.clone().into_bytes())];
            unit
        })
        .collect();
    let saved = f.store.units_save(&units).await.unwrap();
    let mut ids: Vec<UnitId> = saved.iter().rev().map(|unit| unit.id).collect();
    ids.insert(1, UnitId::new());
    let found = f
        .store
        .units_pick("rpm", &ids, Some(&["name"]), &["primary", "none"])
        .await
        .unwrap();
    let right: Vec<String> = texts.iter().rev().cloned().collect();
    assert_eq!(names(&found), right);
    for (unit, text) in found.iter().zip(right) {
        assert_eq!(unit.unit.doc.len(), 1);
        assert_eq!(unit.parts.len(), 1);
        assert_eq!(unit.parts[0].data, text.into_bytes());
    }
}

async fn impossible_names_are_refused_in_outlines(f: Fixture) {
    assert!(f.store.units_outline("rpm", REPO, &["na'me"]).is_err());
    assert!(f.store.units_outline("r'pm", REPO, &["name"]).is_err());
    let picked = f.store.units_pick("rpm", &[], Some(&["a'"]), &[]).await;
    assert!(picked.is_err());
}
