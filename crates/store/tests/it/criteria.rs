//! The decisions of the database on filters against those of the evaluator, over documents and filters made at random.

use std::collections::BTreeSet;

use pith_core::criteria::Filter;
use pith_core::{Document, UnitId};
use pith_store::{Held, NewUnit, UnitQuery};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::fixture::{Fixture, REPO, SaveUnits, collect, unit};
use crate::on_both_engines;

on_both_engines!(
    the_database_and_the_evaluator_agree,
    an_expression_for_the_end_of_a_text_holds_only_there,
    hostile_names_and_values_stay_values,
);

/// Documents, and filters asked of them.
const DOCUMENTS: usize = 120;
const FILTERS: usize = 400;

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[ab]{0,3}",
        1 => "[aB\"'\\\\%_$é😀\n]{0,3}",
    ]
    .prop_map(Value::from)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => (-3i64..4).prop_map(Value::from),
        1 => (-3i8..4).prop_map(|n| json!(f64::from(n) / 2.0)),
        1 => Just(json!(9_007_199_254_740_993_i64)),
        4 => text(),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// `name` and `n` are plain, `x` and `y` anything.
fn document() -> impl Strategy<Value = Document> {
    let plain = || prop::option::of(scalar());
    (
        plain(),
        plain(),
        prop::option::of(value()),
        prop::option::of(value()),
    )
        .prop_map(|(name, n, x, y)| {
            [("name", name), ("n", n), ("x", x), ("y", y)]
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?)))
                .collect()
        })
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "name|n",
        3 => "[xy]",
        2 => "[xy]\\.[xyz]",
        1 => "[xy]\\.[xyz]\\.[xyz]",
        1 => "[xy]\\.0",
    ]
}

fn operator() -> impl Strategy<Value = Value> {
    let pattern = "(\\^)?[abB]{0,2}(\\.\\*)?[ab]?(\\$)?";
    prop_oneof![
        4 => scalar(),
        1 => value(),
        1 => scalar().prop_map(|v| json!({"$ne": v})),
        2 => prop::collection::vec(scalar(), 0..3).prop_map(|v| json!({"$in": v})),
        1 => prop::collection::vec(scalar(), 0..3).prop_map(|v| json!({"$nin": v})),
        1 => prop::collection::vec(scalar(), 0..3).prop_map(|v| json!({"$all": v})),
        3 => ("\\$(gt|gte|lt|lte)", scalar()).prop_map(|(op, v)| json!({op: v})),
        1 => any::<bool>().prop_map(|v| json!({"$exists": v})),
        2 => (pattern, "[im]?").prop_map(|(p, o)| json!({"$regex": p, "$options": o})),
        1 => (any::<bool>(), text(), any::<bool>())
            .prop_map(|(start, text, end)| json!({"$regex": literal(start, &text, end)})),
        1 => pattern.prop_map(|p| json!({"$not": p})),
        1 => (0..3u8).prop_map(|n| json!({"$size": n})),
        1 => prop::sample::select(vec!["string", "number", "bool", "null", "int", "array"])
            .prop_map(|t| json!({"$type": t})),
        1 => (1..3i8, 0..2i8).prop_map(|(a, b)| json!({"$mod": [a, b]})),
        1 => scalar().prop_map(|v| json!({"$elemMatch": {"$gte": v}})),
        1 => (scalar(), scalar()).prop_map(|(a, b)| json!({"$elemMatch": {"x": a, "y": {"$ne": b}}})),
        1 => scalar().prop_map(|v| json!({"$not": {"$gt": v}})),
    ]
}

/// An expression for a text that has `text` where the flags say.
fn literal(at_start: bool, text: &Value, at_end: bool) -> String {
    let escaped = text
        .as_str()
        .unwrap_or_default()
        .chars()
        .flat_map(|each| {
            each.is_ascii_punctuation()
                .then_some('\\')
                .into_iter()
                .chain([each])
        })
        .collect::<String>();
    let (start, end) = (
        if at_start { "^" } else { "" },
        if at_end { "$" } else { "" },
    );
    format!("{start}{escaped}{end}")
}

fn filter() -> impl Strategy<Value = Value> {
    let one = (path(), operator()).prop_map(|(path, operator)| json!({path: operator}));
    one.prop_recursive(2, 6, 3, |inner| {
        ("\\$(and|or|nor)", prop::collection::vec(inner, 1..4)).prop_map(|(op, v)| json!({op: v}))
    })
}

fn held(field: &str) -> Held {
    if ["name", "n"].contains(&field) {
        Held::Plain
    } else {
        Held::Anyhow
    }
}

async fn filled(f: &Fixture, documents: &[Document]) -> Vec<UnitId> {
    f.repository(REPO).await;
    f.store
        .ensure_unit_indexes(&[("rpm", "name")])
        .await
        .unwrap();
    let units: Vec<NewUnit> = documents
        .iter()
        .enumerate()
        .map(|(i, doc)| unit("rpm", &i.to_string(), Value::Object(doc.clone())))
        .collect();
    let saved = f.store.units_save(&units).await.unwrap();
    let ids: Vec<UnitId> = saved.iter().map(|unit| unit.id).collect();
    f.add(REPO, "rpm", &ids).await;
    ids
}

async fn found(f: &Fixture, filter: &Filter, repo: Option<&str>) -> (BTreeSet<UnitId>, bool) {
    let decided = f.store.unit_filter(filter, &held);
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo,
        filter: Some(&decided),
        ..UnitQuery::default()
    };
    let units = collect(f.store.units_stream(&query).unwrap()).await;
    (
        units.iter().map(|unit| unit.unit.id).collect(),
        decided.is_exact(),
    )
}

async fn the_database_and_the_evaluator_agree(f: Fixture) {
    let mut runner = TestRunner::default();
    let mut make = || document().new_tree(&mut runner).unwrap().current();
    let documents: Vec<Document> = (0..DOCUMENTS).map(|_| make()).collect();
    let ids = filled(&f, &documents).await;
    let mut exact = 0;
    for at in 0..FILTERS {
        let asked = filter().new_tree(&mut runner).unwrap().current();
        let filter = Filter::parse(&asked).unwrap();
        let wanted: BTreeSet<UnitId> = ids
            .iter()
            .zip(&documents)
            .filter(|(_, doc)| filter.matches(doc))
            .map(|(id, _)| *id)
            .collect();
        let (found, is_exact) = found(&f, &filter, (at % 2 == 0).then_some(REPO)).await;
        let document = |id: &UnitId| &documents[ids.iter().position(|i| i == id).unwrap()];
        if let Some(lost) = wanted.difference(&found).next() {
            panic!("{asked} lost {}", json!(document(lost)));
        }
        if is_exact && let Some(more) = found.difference(&wanted).next() {
            panic!("{asked} let {} through", json!(document(more)));
        }
        exact += usize::from(is_exact);
    }
    assert!(
        exact > FILTERS / 5,
        "only {exact} of {FILTERS} are decided by the database"
    );
}

async fn an_expression_for_the_end_of_a_text_holds_only_there(f: Fixture) {
    let documents: Vec<Document> = [
        json!({"x": ["ba"], "y": {"y": {}}}),
        json!({"x": ["ab"]}),
        json!({"x": "b\n"}),
    ]
    .iter()
    .map(|doc| doc.as_object().unwrap().clone())
    .collect();
    let ids = filled(&f, &documents).await;
    for (asked, wanted) in [
        (json!({"x": {"$regex": "b$"}}), &ids[1..2]),
        (json!({"x": {"$regex": "^b"}}), &[ids[0], ids[2]]),
        (
            json!({"$nor": [{"x": {"$regex": "b$"}}]}),
            &[ids[0], ids[2]],
        ),
        (
            json!({"$and": [
                {"x": {"$regex": "^b"}},
                {"y.y.y": {"$not": {"$gt": -3}}},
                {"$nor": [{"x": {"$regex": "b$"}}]},
            ]}),
            &[ids[0], ids[2]],
        ),
    ] {
        let filter = Filter::parse(&asked).unwrap();
        let (found, _) = found(&f, &filter, None).await;
        assert_eq!(found, wanted.iter().copied().collect(), "{asked}");
    }
}

async fn hostile_names_and_values_stay_values(f: Fixture) {
    let odd = "'; DROP TABLE units; --";
    let documents: Vec<Document> = [odd, "plain", "\" || true"]
        .iter()
        .map(|name| {
            json!({"name": name, "x": [name]})
                .as_object()
                .unwrap()
                .clone()
        })
        .collect();
    let ids = filled(&f, &documents).await;
    for field in ["name", "x"] {
        for condition in [
            json!(odd),
            json!({"$gte": odd, "$lte": odd}),
            json!({"$regex": "^'; DROP"}),
            json!({"$regex": "TABLE units; --$"}),
            json!({"$regex": "DROP TABLE"}),
        ] {
            let filter = Filter::parse(&json!({field: condition})).unwrap();
            let (found, exact) = found(&f, &filter, None).await;
            assert_eq!(found, BTreeSet::from([ids[0]]), "{field} {condition}");
            assert!(exact);
        }
    }
    for path in [odd, "x.'", "x.\"", "x.a.b.c.d.e.f", "", "x..y"] {
        let filter = Filter::parse(&json!({path: "plain"})).unwrap();
        found(&f, &filter, Some(REPO)).await;
    }
}
