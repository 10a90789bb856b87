//! The decision whether a document fulfils a filter.

use std::cmp::Ordering;

use serde_json::Value;

use super::effort::Effort;
use super::filter::{BsonType, Comparison, Filter, Test};
use super::order::{Class, class, compare};
use crate::Document;

/// The most values that are looked through one by one; more are searched in their order.
const FEW: usize = 8;

impl Filter {
    /// Tells whether `document` fulfils the filter.
    #[must_use]
    pub fn matches(&self, document: &Document) -> bool {
        self.matches_within(&Effort::unlimited(), document)
    }

    /// Does what [`Filter::matches`] does, for as long as `effort` is not spent.
    #[must_use]
    pub fn matches_within(&self, effort: &Effort, document: &Document) -> bool {
        // What is found out with nothing left does not matter, and is found out at once.
        let holds = |f: &Self| effort.is_spent() || f.matches_within(effort, document);
        let fails = |f: &Self| effort.is_spent() || !f.matches_within(effort, document);
        match self {
            Self::All(filters) => !filters.iter().any(fails),
            Self::Any(filters) => filters.iter().any(holds),
            Self::None(filters) => !filters.iter().any(holds),
            Self::Field { path, test } => match path.split_first() {
                Some((first, rest)) => {
                    effort.compare();
                    test.holds(effort, document.get(first), rest)
                }
                None => false,
            },
        }
    }
}

/// The depth to which a walk looks into the last value of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    /// The value, and if it is an array each of its elements.
    Elements,
    /// Only the value.
    Whole,
}

/// Calls `found` with each value at `path` below `value` until it answers true; `None` stands for "missing".
/// Arrays on the way are walked through, and a number in the path picks one element.
fn any_at(
    value: Option<&Value>,
    path: &[String],
    leaf: Leaf,
    found: &mut dyn FnMut(Option<&Value>) -> bool,
) -> bool {
    let Some((next, rest)) = path.split_first() else {
        return match value {
            Some(Value::Array(items)) if leaf == Leaf::Elements => {
                items.iter().any(|item| found(Some(item))) || found(value)
            }
            other => found(other),
        };
    };
    match value {
        Some(Value::Object(map)) => any_at(map.get(next), rest, leaf, found),
        Some(Value::Array(items)) => {
            let picked = next
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index));
            picked.is_some_and(|item| any_at(Some(item), rest, leaf, found))
                || items
                    .iter()
                    .filter(|item| item.is_object())
                    .any(|item| any_at(Some(item), path, leaf, found))
        }
        _ => found(None),
    }
}

impl Test {
    /// Tells whether the values at `path` below `value` pass.
    fn holds(&self, effort: &Effort, value: Option<&Value>, path: &[String]) -> bool {
        self.holds_to(effort, Leaf::Elements, value, path)
    }

    /// Tells whether an element of an array passes. One that is an array itself is not looked into.
    fn holds_of(&self, effort: &Effort, element: &Value) -> bool {
        self.holds_to(effort, Leaf::Whole, Some(element), &[])
    }

    fn holds_to(
        &self,
        effort: &Effort,
        depth: Leaf,
        value: Option<&Value>,
        path: &[String],
    ) -> bool {
        let any = |leaf, test: &mut dyn FnMut(Option<&Value>) -> bool| {
            any_at(value, path, leaf, &mut |found| {
                effort.compare();
                effort.is_spent() || test(found)
            })
        };
        let fails = |test: &Self| effort.is_spent() || !test.holds_to(effort, depth, value, path);
        match self {
            Self::Always => true,
            Self::Equal(literal) => any(depth, &mut |v| equals(v, literal)),
            Self::In(literals) => any(depth, &mut |v| is_among(v, literals)),
            Self::NotIn(literals) => !any(depth, &mut |v| is_among(v, literals)),
            Self::Compare(how, literal) => any(depth, &mut |v| compares(*how, v, literal)),
            Self::Every(tests) => !tests.is_empty() && !tests.iter().any(fails),
            Self::Exists(wanted) => any(Leaf::Whole, &mut |v| v.is_some()) == *wanted,
            Self::Not(tests) => tests.iter().any(fails),
            Self::Matches(regex) => any(depth, &mut |v| {
                v.and_then(Value::as_str).is_some_and(|text| {
                    effort.search(text);
                    regex.is_match(text)
                })
            }),
            Self::Size(size) => any(Leaf::Whole, &mut |v| {
                v.and_then(Value::as_array)
                    .is_some_and(|items| u64::try_from(items.len()) == Ok(*size))
            }),
            Self::ElementIs(filter) => any(Leaf::Whole, &mut |v| {
                elements(v)
                    .filter_map(Value::as_object)
                    .any(|item| effort.is_spent() || filter.matches_within(effort, item))
            }),
            Self::ElementPasses(tests) => any(Leaf::Whole, &mut |v| {
                elements(v).any(|item| {
                    effort.is_spent() || tests.iter().all(|test| test.holds_of(effort, item))
                })
            }),
            Self::Remainder { divisor, remainder } => any(depth, &mut |v| {
                v.and_then(cut_to_whole)
                    .is_some_and(|number| number.checked_rem(*divisor).unwrap_or(0) == *remainder)
            }),
            Self::Type(kind) => any(depth, &mut |v| v.is_some_and(|v| is_of(v, *kind))),
        }
    }
}

fn elements(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

fn equals(value: Option<&Value>, literal: &Value) -> bool {
    match value {
        None => literal.is_null(),
        Some(value) => class(value) == class(literal) && compare(value, literal).is_eq(),
    }
}

/// Tells whether a value equals one of `literals`, which stand in order.
fn is_among(value: Option<&Value>, literals: &[Value]) -> bool {
    if literals.len() <= FEW {
        return literals.iter().any(|literal| equals(value, literal));
    }
    let value = value.unwrap_or(&Value::Null);
    let found = literals.binary_search_by(|literal| compare(literal, value));
    found.is_ok()
}

fn compares(how: Comparison, value: Option<&Value>, literal: &Value) -> bool {
    let value = value.unwrap_or(&Value::Null);
    if class(value) != class(literal) {
        return false;
    }
    let ordering = compare(value, literal);
    match how {
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
    }
}

fn cut_to_whole(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| {
        let fraction = number.as_f64()?;
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (fraction.abs() < 9e18).then_some(fraction as i64)
    })
}

fn is_of(value: &Value, kind: BsonType) -> bool {
    match kind {
        BsonType::Absent => false,
        BsonType::Number => class(value) == Class::Number,
        BsonType::Double => value.is_f64(),
        BsonType::Int | BsonType::Long => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok() == (kind == BsonType::Int)),
        BsonType::Text => class(value) == Class::Text,
        BsonType::Object => class(value) == Class::Object,
        BsonType::Array => class(value) == Class::Array,
        BsonType::ObjectId => class(value) == Class::ObjectId,
        BsonType::Bool => class(value) == Class::Bool,
        BsonType::Date => class(value) == Class::Date,
        BsonType::Null => class(value) == Class::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "cases read better")]
    fn matches(document: Value, filter: Value) -> bool {
        Filter::parse(&filter)
            .unwrap()
            .matches(document.as_object().unwrap())
    }

    #[test]
    fn an_element_that_is_an_array_itself_is_one_value() {
        let document = json!({"a": ["x", [true, null, 3]]});
        for (operators, expected) in [
            (json!({"$eq": null}), false),
            (json!({"$gte": -1}), false),
            (json!({"$in": [3]}), false),
            (json!({"$nin": [3, "x"]}), true),
            (json!({"$eq": "x"}), true),
            (json!({"$size": 3}), true),
            (json!({"$elemMatch": {"$eq": 3}}), true),
        ] {
            let filter = json!({"a": {"$elemMatch": operators}});
            assert_eq!(matches(document.clone(), filter), expected, "{operators}");
        }
    }

    #[test]
    fn an_array_matches_when_one_of_its_elements_does() {
        let doc = || json!({"tags": ["a", "b"], "n": [1, 5]});
        assert!(matches(doc(), json!({"tags": "a"})));
        assert!(matches(doc(), json!({"tags": ["a", "b"]})));
        assert!(!matches(doc(), json!({"tags": ["b", "a"]})));
        assert!(matches(doc(), json!({"n": {"$gt": 4}})));
        // each condition may be met by another element
        assert!(matches(doc(), json!({"n": {"$gt": 4, "$lt": 2}})));
        assert!(!matches(
            doc(),
            json!({"n": {"$elemMatch": {"$gt": 4, "$lt": 2}}})
        ));
        assert!(!matches(doc(), json!({"tags": {"$ne": "a"}})));
        assert!(matches(doc(), json!({"tags": {"$all": ["b", "a"]}})));
        assert!(!matches(doc(), json!({"tags": {"$all": []}})));
        assert!(matches(doc(), json!({"tags": {"$size": 2}})));
        assert!(!matches(doc(), json!({"tags": {"$size": 1}})));
        assert!(matches(
            doc(),
            json!({"tags": {"$regex": "^B", "$options": "i"}})
        ));
    }

    #[test]
    fn dotted_paths_walk_through_arrays_and_pick_by_number() {
        let doc = || json!({"provides": [{"name": "bear", "v": 1}, {"name": "cat"}, 7]});
        assert!(matches(doc(), json!({"provides.name": "cat"})));
        assert!(matches(doc(), json!({"provides.0.name": "bear"})));
        assert!(!matches(doc(), json!({"provides.1.name": "bear"})));
        assert!(matches(doc(), json!({"provides.v": null})));
        assert!(matches(
            doc(),
            json!({"provides": {"$elemMatch": {"name": "bear", "v": 1}}})
        ));
        assert!(!matches(
            doc(),
            json!({"provides": {"$elemMatch": {"name": "cat", "v": 1}}})
        ));
        assert!(matches(doc(), json!({"provides.name": {"$exists": true}})));
    }

    #[test]
    fn a_filter_stops_when_its_effort_is_spent() {
        let conditions: Vec<Value> = (0..1000).map(|n| json!({"provides.name": n})).collect();
        let filter = Filter::parse(&json!({ "$nor": conditions })).unwrap();
        let provides: Vec<Value> = (0..10).map(|n| json!({"name": n + 5000})).collect();
        let document = json!({ "provides": provides });
        let document = document.as_object().unwrap();
        let effort = Effort::new(100_000);
        assert!(filter.matches_within(&effort, document));
        let used = 100_000 - effort.left();
        assert!((10_000..=12_000).contains(&used), "{used}");
        let little = Effort::new(500);
        let _ = filter.matches_within(&little, document);
        assert!(little.is_spent());
    }

    #[test]
    fn many_listed_values_are_found_as_few_are() {
        let many: Vec<Value> = (0..500)
            .map(|n| json!(format!("v{}", n * 7919 % 500)))
            .chain([
                json!(null),
                json!(4),
                json!([1]),
                json!({"$oid": "5638e2f7a21e1a0d9c8a7b11"}),
            ])
            .collect();
        for (document, found) in [
            (json!({"a": "v499"}), true),
            (json!({"a": "v500"}), false),
            (json!({"a": 4.0}), true),
            (json!({"a": [1]}), true),
            (json!({"b": 1}), true),
            (json!({"a": 5}), false),
        ] {
            assert_eq!(
                matches(document.clone(), json!({"a": {"$in": many}})),
                found
            );
            assert_eq!(matches(document, json!({"a": {"$nin": many}})), !found);
        }
    }

    #[test]
    fn missing_counts_as_null() {
        let doc = || json!({"a": null, "s": "x", "o": {"k": 1}});
        assert!(matches(doc(), json!({"a": null})));
        assert!(matches(doc(), json!({"b": null})));
        assert!(matches(doc(), json!({"s.deeper": null})));
        assert!(!matches(doc(), json!({"s": null})));
        assert!(matches(doc(), json!({"b": {"$ne": 1}})));
        assert!(matches(doc(), json!({"a": {"$exists": true}})));
        assert!(matches(doc(), json!({"b": {"$exists": false}})));
        assert!(matches(doc(), json!({"b": {"$in": [null]}})));
        assert!(!matches(doc(), json!({"b": {"$nin": [null]}})));
        assert!(matches(doc(), json!({"o.k": 1})));
        assert!(matches(doc(), json!({"o": {"k": 1}})));
    }

    #[test]
    fn values_compare_only_within_their_class() {
        let doc = || json!({"n": 5, "s": "5", "t": true, "d": {"$date": 1000}});
        assert!(matches(doc(), json!({"n": 5.0})));
        assert!(!matches(doc(), json!({"s": 5})));
        assert!(!matches(doc(), json!({"n": "5"})));
        assert!(!matches(doc(), json!({"s": {"$gt": 1}})));
        assert!(!matches(doc(), json!({"t": 1})));
        assert!(matches(
            doc(),
            json!({"d": {"$lt": {"$date": "1970-01-01T00:00:02Z"}}})
        ));
        assert!(matches(
            doc(),
            json!({"d": {"$date": "1970-01-01T00:00:01"}})
        ));
        assert!(!matches(doc(), json!({"d": {"$lt": "2100"}})));
        assert!(matches(
            doc(),
            json!({"d": {"$type": 9}, "n": {"$type": "int"}, "t": {"$type": 8}})
        ));
        assert!(matches(doc(), json!({"n": {"$mod": [2, 1]}})));
    }

    #[test]
    fn logic_combines_and_not_takes_operators_or_a_pattern() {
        let doc = || json!({"a": 1, "s": "bear"});
        assert!(matches(doc(), json!({"$or": [{"a": 2}, {"s": "bear"}]})));
        assert!(!matches(doc(), json!({"$nor": [{"a": 2}, {"s": "bear"}]})));
        assert!(!matches(doc(), json!({"$and": [{"a": 1}, {"s": "cat"}]})));
        assert!(matches(doc(), json!({"s": {"$not": {"$regex": "^c"}}})));
        assert!(!matches(doc(), json!({"s": {"$not": "^b"}})));
        assert!(matches(doc(), json!({"missing": {"$not": {"$gt": 1}}})));
        assert!(matches(doc(), json!({})));
    }

    #[test]
    fn what_cannot_run_is_refused_with_a_reason() {
        let reason = |filter: Value| Filter::parse(&filter).unwrap_err().to_string();
        assert!(reason(json!({"a": {"$regex": "(?=x)"}})).contains("look-around"));
        assert!(reason(json!({"a": {"$regex": "("}})).contains("regular expression"));
        assert!(reason(json!({"a": {"$regex": "(a{1000}){1000}"}})).contains("too large"));
        assert!(reason(json!({"a": {"$regex": "x".repeat(3000)}})).contains("longer"));
        assert!(reason(json!({"$where": "1"})).contains("$where"));
        assert!(reason(json!({"$or": []})).contains("nonempty"));
        assert!(reason(json!({"a": {"$options": "i"}})).contains("$regex"));
        let mut deep = json!({"a": 1});
        for _ in 0..40 {
            deep = json!({"$and": [deep]});
        }
        assert!(reason(deep).contains("deeper"));
        let many: Vec<u32> = (0..30_000).collect();
        assert!(reason(json!({"a": {"$in": many}})).contains("more than"));
    }

    #[test]
    fn narrowing_lists_equalities_that_must_hold() {
        let filter = Filter::parse(&json!({
            "name": "bear", "arch": {"$in": ["noarch", "src"]}, "size": {"$gt": 1},
            "$and": [{"epoch": {"$eq": "0"}}], "$or": [{"x": 1}, {"y": 2}], "list": ["a"], "tags": {"$all": ["t", "u"]},
        }))
        .unwrap();
        let narrowed = filter.narrow();
        assert!(narrowed.contains(&("name".into(), vec![json!("bear")])));
        assert!(narrowed.contains(&("arch".into(), vec![json!("noarch"), json!("src")])));
        assert!(narrowed.contains(&("epoch".into(), vec![json!("0")])));
        assert!(narrowed.contains(&("tags".into(), vec![json!("u")])));
        assert_eq!(narrowed.len(), 5);
        assert!(filter.roots().contains("x"));
    }
}
