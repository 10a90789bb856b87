//! Properties that hold for every filter and document.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Criteria, Filter, compare, project};
use crate::Document;

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        (-3i8..4).prop_map(|n| json!(f64::from(n) / 2.0)),
        "[abc]{0,2}".prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn document() -> impl Strategy<Value = Document> {
    prop::collection::btree_map("[xyz]", value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        "[xyz]",
        "[xyz]\\.[xyz]",
        "[xyz]\\.0",
        "[xyz]\\.[xyz]\\.[xyz]"
    ]
}

fn holds(filter: &Value, document: &Document) -> bool {
    Filter::parse(filter).unwrap().matches(document)
}

proptest! {
    #[test]
    fn opposites_never_agree(doc in document(), path in path(), value in scalar()) {
        let eq = holds(&json!({&path: {"$eq": value}}), &doc);
        prop_assert_eq!(eq, !holds(&json!({&path: {"$ne": value}}), &doc));
        prop_assert_eq!(eq, holds(&json!({&path: {"$in": [value]}}), &doc));
        prop_assert_eq!(eq, !holds(&json!({&path: {"$nin": [value]}}), &doc));
        prop_assert_eq!(eq, !holds(&json!({"$nor": [{&path: value}]}), &doc));
        prop_assert_eq!(eq, !holds(&json!({&path: {"$not": {"$eq": value}}}), &doc));
        let exists = holds(&json!({&path: {"$exists": true}}), &doc);
        prop_assert_eq!(exists, !holds(&json!({&path: {"$exists": false}}), &doc));
    }

    #[test]
    fn at_least_is_more_or_equal(doc in document(), path in path(), value in scalar()) {
        let one = |operator: &str| holds(&json!({&path: {operator: value}}), &doc);
        prop_assert_eq!(one("$gte"), one("$gt") || one("$eq"));
        prop_assert_eq!(one("$lte"), one("$lt") || one("$eq"));
    }

    #[test]
    fn the_order_of_values_is_total(a in value(), b in value(), c in value()) {
        prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        prop_assert!(compare(&a, &a).is_eq());
        if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
            prop_assert!(compare(&a, &c).is_le());
        }
    }

    #[test]
    fn narrowing_never_loses_a_match_on_plain_values(
        doc in prop::collection::btree_map("[xyz]", scalar(), 0..4),
        a in scalar(), b in scalar(),
    ) {
        let doc: Document = doc.into_iter().collect();
        let filter = Filter::parse(&json!({"x": a, "y": {"$in": [a, b]}})).unwrap();
        if filter.matches(&doc) {
            for (field, values) in filter.narrow() {
                let found = doc.get(&field).unwrap_or(&Value::Null);
                prop_assert!(values.iter().any(|value| compare(value, found).is_eq()));
            }
        }
    }

    #[test]
    fn any_json_is_criteria_or_an_error(value in value(), other in value()) {
        let _ = Criteria::parse(&json!({"filters": value, "sort": other, "fields": value}));
        let _ = Filter::parse(&json!({"x": {"$not": value, "$all": other, "$elemMatch": value}}));
    }

    #[test]
    fn a_projection_holds_nothing_that_was_not_asked_for(doc in document(), path in path()) {
        let cut = project(&doc, &[path.as_str()]);
        prop_assert!(cut.len() <= 1);
        let root = path.split('.').next().unwrap();
        prop_assert!(cut.keys().all(|key| key == root));
        prop_assert_eq!(project(&cut, &[path.as_str()]), cut);
    }
}
