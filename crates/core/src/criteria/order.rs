//! The order of values of every class, and sorting documents by fields.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::Document;

/// One key of a sort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// The field, possibly dotted.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// Classes of values, in their order. Missing counts as [`Class::Null`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Null,
    Number,
    Text,
    Object,
    Array,
    ObjectId,
    Bool,
    Date,
}

pub(super) fn class(value: &Value) -> Class {
    match value {
        Value::Null => Class::Null,
        Value::Number(_) => Class::Number,
        Value::String(_) => Class::Text,
        Value::Array(_) => Class::Array,
        Value::Bool(_) => Class::Bool,
        Value::Object(map) if map.len() == 1 && map.contains_key("$date") => Class::Date,
        Value::Object(map) if map.len() == 1 && map.contains_key("$oid") => Class::ObjectId,
        Value::Object(_) => Class::Object,
    }
}

/// The total order over values: by class (null, numbers, text, objects, arrays, object ids, booleans, dates), then by
/// value; text compares by bytes.
#[must_use]
pub fn compare(a: &Value, b: &Value) -> Ordering {
    class(a).cmp(&class(b)).then_with(|| match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Array(a), Value::Array(b)) => a
            .iter()
            .zip(b)
            .map(|(a, b)| compare(a, b))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        (Value::Object(a), Value::Object(b)) => a
            .iter()
            .zip(b)
            .map(|((a_key, a), (b_key, b))| {
                class(a)
                    .cmp(&class(b))
                    .then_with(|| a_key.cmp(b_key))
                    .then_with(|| compare(a, b))
            })
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len())),
        _ => Ordering::Equal,
    })
}

fn compare_numbers(a: &Number, b: &Number) -> Ordering {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return a.cmp(&b);
    }
    if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
        return a.cmp(&b);
    }
    let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// The values by which `document` sorts under `keys`: of an array the smallest element ascending, the largest
/// descending; an empty array and a missing field sort as null.
#[must_use]
pub fn sort_values(document: &Document, keys: &[SortKey]) -> Vec<Value> {
    keys.iter()
        .map(|key| {
            let mut parts = key.field.split('.');
            let value = parts.next().and_then(|first| document.get(first));
            let mut best: Option<&Value> = None;
            let rest: Vec<&str> = parts.collect();
            extreme(value, &rest, key.descending, &mut best);
            best.cloned().unwrap_or(Value::Null)
        })
        .collect()
}

fn extreme<'a>(
    value: Option<&'a Value>,
    path: &[&str],
    descending: bool,
    best: &mut Option<&'a Value>,
) {
    match (value, path.split_first()) {
        (Some(Value::Array(items)), Some((next, rest))) => {
            if let Some(item) = next.parse::<usize>().ok().and_then(|i| items.get(i)) {
                extreme(Some(item), rest, descending, best);
            }
            for item in items.iter().filter(|item| item.is_object()) {
                extreme(Some(item), path, descending, best);
            }
        }
        (Some(Value::Object(map)), Some((next, rest))) => {
            extreme(map.get(*next), rest, descending, best);
        }
        (_, Some(_)) => consider(&Value::Null, descending, best),
        (Some(Value::Array(items)), None) => {
            for item in items {
                consider(item, descending, best);
            }
        }
        (value, None) => consider(value.unwrap_or(&Value::Null), descending, best),
    }
}

fn consider<'a>(value: &'a Value, descending: bool, best: &mut Option<&'a Value>) {
    let better = best.is_none_or(|best| {
        let ordering = compare(value, best);
        if descending {
            ordering.is_gt()
        } else {
            ordering.is_lt()
        }
    });
    if better {
        *best = Some(value);
    }
}

/// Compares what [`sort_values`] gave for two documents.
#[must_use]
pub fn compare_by(keys: &[SortKey], a: &[Value], b: &[Value]) -> Ordering {
    keys.iter()
        .zip(a.iter().zip(b))
        .map(|(key, (a, b))| {
            let ordering = compare(a, b);
            if key.descending {
                ordering.reverse()
            } else {
                ordering
            }
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes_sort_in_the_order_of_the_database() {
        let sorted = [
            json!(null),
            json!(-1.5),
            json!(7),
            json!(u64::MAX),
            json!("A"),
            json!("a"),
            json!({"k": 1}),
            json!([1]),
            json!({"$oid": "5638e2f7a21e1a0d9c8a7b11"}),
            json!(false),
            json!(true),
            json!({"$date": 5}),
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
        }
    }

    #[test]
    fn an_array_sorts_by_its_extreme_element() {
        let key = |descending| {
            vec![SortKey {
                field: "a.b".into(),
                descending,
            }]
        };
        let doc = json!({"a": [{"b": 3}, {"b": [1, 9]}]});
        let doc = doc.as_object().unwrap();
        assert_eq!(sort_values(doc, &key(false)), [json!(1)]);
        assert_eq!(sort_values(doc, &key(true)), [json!(9)]);
        let empty = json!({"a": {"b": []}});
        assert_eq!(
            sort_values(empty.as_object().unwrap(), &key(true)),
            [Value::Null]
        );
    }

    #[test]
    fn several_keys_decide_in_their_order() {
        let keys = [
            SortKey {
                field: "a".into(),
                descending: true,
            },
            SortKey {
                field: "b".into(),
                descending: false,
            },
        ];
        let order = |a: &[Value], b: &[Value]| compare_by(&keys, a, b);
        assert!(order(&[json!(2), json!(9)], &[json!(1), json!(0)]).is_lt());
        assert!(order(&[json!(1), json!(0)], &[json!(1), json!(1)]).is_lt());
        assert!(order(&[json!(1), json!(1)], &[json!(1), json!(1)]).is_eq());
    }
}
