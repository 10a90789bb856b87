//! MongoDB's rules for filters, written down as plainly as they can be: what searches are compared with.

use std::cmp::Ordering;

use regex::RegexBuilder;
use serde_json::Value;

/// Tells whether a document fulfils a filter of the operators that Pulp's reference lists.
pub(crate) fn fulfils(filter: &Value, document: &Value) -> bool {
    let all = |filters: &Value| -> Vec<bool> {
        let filters = filters.as_array().unwrap().iter();
        filters.map(|filter| fulfils(filter, document)).collect()
    };
    filter
        .as_object()
        .unwrap()
        .iter()
        .all(|(key, value)| match key.as_str() {
            "$and" => all(value).iter().all(|holds| *holds),
            "$or" => all(value).iter().any(|holds| *holds),
            "$nor" => !all(value).iter().any(|holds| *holds),
            "$comment" => true,
            path => {
                let names: Vec<&str> = path.split('.').collect();
                passes(value, &ends(Some(document), &names))
            }
        })
}

/// The values that a path leads to; `None` for an end where nothing is. Arrays on the way are walked through.
fn ends<'a>(value: Option<&'a Value>, path: &[&str]) -> Vec<Option<&'a Value>> {
    let Some((name, rest)) = path.split_first() else {
        return vec![value];
    };
    match value {
        Some(Value::Object(map)) => ends(map.get(*name), rest),
        Some(Value::Array(items)) => {
            let place = name.parse().ok().and_then(|at: usize| items.get(at));
            let objects = items.iter().filter(|item| item.is_object());
            place
                .map(|item| ends(Some(item), rest))
                .into_iter()
                .chain(objects.map(|item| ends(Some(item), path)))
                .flatten()
                .collect()
        }
        _ => vec![None],
    }
}

fn is_operators(value: &Value) -> bool {
    let literal = ["$oid", "$date"];
    value.as_object().is_some_and(|map| {
        map.keys().any(|key| key.starts_with('$'))
            && !(map.len() == 1 && literal.iter().any(|key| map.contains_key(*key)))
    })
}

/// Tells whether what a path leads to passes a condition.
fn passes(condition: &Value, ends: &[Option<&Value>]) -> bool {
    if !is_operators(condition) {
        return operator("$eq", condition, condition, ends);
    }
    let map = condition.as_object().unwrap();
    map.iter()
        .all(|(name, operand)| operator(name, operand, condition, ends))
}

fn operator(name: &str, operand: &Value, beside: &Value, ends: &[Option<&Value>]) -> bool {
    let elements = ends.iter().flat_map(|end| match end {
        Some(Value::Array(items)) => items.iter().collect(),
        _ => Vec::new(),
    });
    let elements: Vec<&Value> = elements.collect();
    let any = |test: &dyn Fn(Option<&Value>) -> bool| {
        ends.iter().any(|end| test(*end)) || elements.iter().any(|one| test(Some(one)))
    };
    let list = || operand.as_array().unwrap().iter();
    let ordered = |wanted: &[Ordering]| {
        any(&|value| {
            let value = value.unwrap_or(&Value::Null);
            compared(value, &literal(operand)).is_some_and(|order| wanted.contains(&order))
        })
    };
    match name {
        "$eq" => any(&|value| equal(value, operand)),
        "$ne" => !any(&|value| equal(value, operand)),
        "$in" => list().any(|one| any(&|value| equal(value, one))),
        "$nin" => !list().any(|one| any(&|value| equal(value, one))),
        "$all" => {
            list().count() > 0
                && list().all(|one| match one.get("$elemMatch") {
                    Some(inner) => operator("$elemMatch", inner, one, ends),
                    None => any(&|value| equal(value, one)),
                })
        }
        "$gt" => ordered(&[Ordering::Greater]),
        "$gte" => ordered(&[Ordering::Greater, Ordering::Equal]),
        "$lt" => ordered(&[Ordering::Less]),
        "$lte" => ordered(&[Ordering::Less, Ordering::Equal]),
        "$exists" => ends.iter().any(Option::is_some) == operand.as_bool().unwrap(),
        "$size" => ends.iter().flatten().any(|end| {
            end.as_array()
                .is_some_and(|items| Some(items.len() as u64) == operand.as_u64())
        }),
        "$regex" => any(&|value| found(value, operand, beside.get("$options"))),
        "$options" | "$comment" => true,
        "$not" if operand.is_string() => !any(&|value| found(value, operand, None)),
        "$not" => !passes(operand, ends),
        "$mod" => {
            let part = |at: usize| operand[at].as_i64().unwrap();
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            let whole = |value: &Value| value.as_f64().map(|number| number as i64);
            any(&|value| {
                value
                    .and_then(whole)
                    .is_some_and(|number| number % part(0) == part(1))
            })
        }
        "$type" => any(&|value| value.is_some_and(|value| is_of(value, operand.as_str().unwrap()))),
        "$elemMatch" if is_operators(operand) => elements.iter().any(|one| alone(operand, one)),
        "$elemMatch" => elements
            .iter()
            .any(|one| one.is_object() && fulfils(operand, one)),
        other => panic!("{other} is not known here"),
    }
}

/// Tells whether an element by itself passes: an array in an array is not walked through.
fn alone(condition: &Value, element: &Value) -> bool {
    let hidden = Value::Array(Vec::new());
    let seen = if element.is_array() { &hidden } else { element };
    passes(condition, &[Some(seen)])
}

/// A literal of a filter as documents hold it.
fn literal(value: &Value) -> Value {
    match value["$date"].as_str() {
        Some(date) => serde_json::json!({ "$date": millis(date) }),
        None => value.clone(),
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(date: &str) -> i64 {
    pith_core::clock::parse_iso(date).unwrap().as_millisecond()
}

fn equal(value: Option<&Value>, other: &Value) -> bool {
    let other = literal(other);
    match value {
        None => other.is_null(),
        Some(Value::Array(items)) => other.as_array().is_some_and(|others| {
            items.len() == others.len()
                && items
                    .iter()
                    .zip(others)
                    .all(|(item, other)| equal(Some(item), other))
        }),
        Some(value) => compared(value, &other) == Some(Ordering::Equal),
    }
}

/// The order of two values of one class; `None` between classes and for what has no order here.
fn compared(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::Number(one), Value::Number(other)) => one.as_f64()?.partial_cmp(&other.as_f64()?),
        (Value::String(one), Value::String(other)) => Some(one.as_bytes().cmp(other.as_bytes())),
        (Value::Object(one), Value::Object(other)) => {
            let special = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned();
            for key in ["$oid", "$date"] {
                match (special(one, key), special(other, key)) {
                    (Some(one), Some(other)) => return compared(&one, &other),
                    (None, None) => {}
                    _ => return None,
                }
            }
            // Their numbers are equal as numbers, too: 0 and 0.0.
            let same = |(name, one): (&String, &Value)| {
                let other = other.get(name);
                other.is_some_and(|other| equal(Some(one), other))
            };
            (one.len() == other.len() && one.iter().all(same)).then_some(Ordering::Equal)
        }
        _ => None,
    }
}

fn found(value: Option<&Value>, pattern: &Value, options: Option<&Value>) -> bool {
    let options = options.and_then(Value::as_str).unwrap_or_default();
    let pattern = RegexBuilder::new(pattern.as_str().unwrap())
        .case_insensitive(options.contains('i'))
        .multi_line(options.contains('m'))
        .build()
        .unwrap();
    value
        .and_then(Value::as_str)
        .is_some_and(|text| pattern.is_match(text))
}

fn is_of(value: &Value, kind: &str) -> bool {
    let key = |name: &str| value.get(name).is_some();
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "double" => value.is_f64(),
        "int" => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "date" => key("$date"),
        "objectId" => key("$oid"),
        "object" => value.is_object() && !key("$date") && !key("$oid"),
        other => panic!("{other} is not known here"),
    }
}
