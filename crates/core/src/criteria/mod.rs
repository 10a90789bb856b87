//! Search criteria: what clients send to the search endpoints, parsed, checked and evaluated
//! (pulp2/search#criteria, pulp2/search#association-criteria).
//!
//! A filter is parsed once into a [`Filter`] and then decides document after document with the semantics of the
//! document database that Pulp 2 stood on: an array matches when one of its elements does, what is missing counts as
//! null, values compare only within their class. Two values that JSON cannot write have a form of their own in the
//! documents given to a filter: `{"$date": <milliseconds>}` is a date, `{"$oid": "<24 hex>"}` an object id.

mod effort;
mod error;
mod filter;
mod matching;
mod order;
mod parser;
mod pattern;
mod project;

#[cfg(test)]
mod properties;

use serde_json::{Map, Value};

use crate::Document;

pub use effort::Effort;
pub use error::CriteriaError;
pub use filter::{
    BsonType, Comparison, Conditions, Filter, MAX_DEPTH, MAX_NODES, MAX_PATTERNS, Test,
};
pub use order::{SortKey, compare, compare_by, sort_values};
pub use pattern::{MAX_PATTERN, Pattern, Required};
pub use project::project;

/// Most keys of a sort: as many as the database of Pulp 2 took.
pub const MAX_SORT_KEYS: usize = 32;

/// Plain criteria (pulp2/search#criteria).
#[derive(Debug, Clone, Default)]
pub struct Criteria {
    /// The condition on documents; `None` is all.
    pub filter: Option<Filter>,
    /// The order; `None` is the collection's own.
    pub sort: Option<Vec<SortKey>>,
    /// The most documents to return.
    pub limit: Option<u64>,
    /// The number of documents to leave out first.
    pub skip: u64,
    /// The fields to show; `None` is all.
    pub fields: Option<Vec<String>>,
}

impl Criteria {
    /// Reads criteria from a body.
    ///
    /// # Errors
    /// [`CriteriaError`], for the first thing that is wrong in the order filters, sort, limit, skip, fields, unknown
    /// keys, and last the contents of the filter.
    pub fn parse(value: &Value) -> Result<Self, CriteriaError> {
        let map = value
            .as_object()
            .ok_or_else(|| CriteriaError::invalid("criteria"))?;
        let filters = present(map, "filters");
        if filters.is_some_and(|f| !f.is_object()) {
            return Err(CriteriaError::invalid("filters"));
        }
        let mut criteria = Self {
            filter: None,
            sort: parse_sort(present(map, "sort"))?,
            limit: parse_count(present(map, "limit"), "limit", 1)?,
            skip: parse_count(present(map, "skip"), "skip", 0)?.unwrap_or(0),
            fields: parse_fields(present(map, "fields"))?,
        };
        refuse_unknown(map, &["filters", "sort", "limit", "skip", "fields"])?;
        criteria.filter = filters.map(Filter::parse).transpose()?;
        Ok(criteria)
    }

    /// The field names of the sort, for checks against the names that a collection knows.
    pub fn sort_names(&self) -> impl Iterator<Item = &str> {
        self.sort.iter().flatten().map(|key| key.field.as_str())
    }
}

/// Criteria over what repositories have: conditions on the association and on the unit (pulp2/search#association-criteria).
#[derive(Debug, Clone, Default)]
pub struct UnitCriteria {
    /// The types to look at; `None` is all.
    pub type_ids: Option<Vec<String>>,
    /// Condition on the association.
    pub association: Option<Filter>,
    /// Condition on the unit.
    pub unit: Option<Filter>,
    /// The order by the association.
    pub association_sort: Vec<SortKey>,
    /// The order by the unit.
    pub unit_sort: Vec<SortKey>,
    /// The most documents to return, over all types.
    pub limit: Option<u64>,
    /// The number of documents to leave out first, over all types.
    pub skip: u64,
    /// The fields of the association to show.
    pub association_fields: Option<Vec<String>>,
    /// The fields of the unit to show.
    pub unit_fields: Option<Vec<String>>,
}

impl UnitCriteria {
    /// Reads criteria from a body. `remove_duplicates` is accepted and has nothing to do: a unit is associated once.
    ///
    /// # Errors
    /// [`CriteriaError`] for the first thing that is wrong.
    pub fn parse(value: &Value) -> Result<Self, CriteriaError> {
        let map = value
            .as_object()
            .ok_or_else(|| CriteriaError::invalid("criteria"))?;
        let (association_filter, unit_filter) = halves(map, "filters")?;
        for filter in [association_filter, unit_filter].into_iter().flatten() {
            if !filter.is_object() {
                return Err(CriteriaError::invalid("filters"));
            }
        }
        let (association_sort, unit_sort) = halves(map, "sort")?;
        let association_sort = parse_sort(association_sort)?.unwrap_or_default();
        let unit_sort = parse_sort(unit_sort)?.unwrap_or_default();
        let limit = parse_count(present(map, "limit"), "limit", 1)?;
        let skip = parse_count(present(map, "skip"), "skip", 0)?.unwrap_or(0);
        let (association_fields, unit_fields) = halves(map, "fields")?;
        let association_fields = parse_fields(association_fields)?;
        let unit_fields = parse_fields(unit_fields)?;
        let known = [
            "type_ids",
            "filters",
            "sort",
            "limit",
            "skip",
            "fields",
            "remove_duplicates",
        ];
        refuse_unknown(map, &known)?;
        Ok(Self {
            type_ids: type_ids(present(map, "type_ids"))?,
            association: association_filter.map(Filter::parse_plain).transpose()?,
            unit: unit_filter.map(Filter::parse_plain).transpose()?,
            association_sort,
            unit_sort,
            limit,
            skip,
            association_fields,
            unit_fields,
        })
    }
}

/// The value of `key`, null counting as absent.
fn present<'a>(map: &'a Document, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

/// The `association` and `unit` halves of `filters`, `sort` or `fields`.
type Halves<'a> = (Option<&'a Value>, Option<&'a Value>);

fn halves<'a>(map: &'a Document, key: &str) -> Result<Halves<'a>, CriteriaError> {
    let Some(value) = present(map, key) else {
        return Ok((None, None));
    };
    let inner = value
        .as_object()
        .ok_or_else(|| CriteriaError::invalid(key))?;
    refuse_unknown(inner, &["association", "unit"])?;
    Ok((present(inner, "association"), present(inner, "unit")))
}

/// Reads type ids; one text is wrapped; nothing or an empty list is every type; a list of texts names them; anything else but a
/// list names no type, as recorded.
fn type_ids(value: Option<&Value>) -> Result<Option<Vec<String>>, CriteriaError> {
    let wrong = || CriteriaError::invalid("type_ids");
    match value {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one.clone()])),
        Some(Value::Array(many)) if many.is_empty() => Ok(None),
        Some(Value::Array(many)) => many
            .iter()
            .map(|one| one.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Ok(Some(Vec::new())),
    }
}

fn refuse_unknown(map: &Map<String, Value>, known: &[&str]) -> Result<(), CriteriaError> {
    let unknown: Vec<String> = map
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
        .cloned()
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(CriteriaError::Invalid(unknown))
    }
}

fn parse_sort(value: Option<&Value>) -> Result<Option<Vec<SortKey>>, CriteriaError> {
    let Some(value) = value else { return Ok(None) };
    let wrong = || CriteriaError::invalid("sort");
    let entries = value.as_array().ok_or_else(wrong)?;
    if entries.len() > MAX_SORT_KEYS {
        return Err(CriteriaError::Filter(format!(
            "a sort has at most {MAX_SORT_KEYS} keys"
        )));
    }
    let key = |entry: &Value| {
        let pair = entry.as_array()?;
        let field = pair.first()?.as_str()?.to_owned();
        let descending = match pair.get(1)? {
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "ascending" | "1" => false,
                "descending" | "-1" => true,
                _ => return None,
            },
            Value::Number(number) => match number.as_f64()? {
                1.0 => false,
                -1.0 => true,
                _ => return None,
            },
            _ => return None,
        };
        Some(SortKey { field, descending })
    };
    entries
        .iter()
        .map(|entry| key(entry).ok_or_else(wrong))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// A whole number of at least `least`; numeric text is read, fractions are cut, booleans refused.
fn parse_count(
    value: Option<&Value>,
    name: &str,
    least: u64,
) -> Result<Option<u64>, CriteriaError> {
    let Some(value) = value else { return Ok(None) };
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let fraction = number.as_f64()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "cutting is what the rule says, the range is checked"
            )]
            (fraction > -1.0 && fraction < 9e15).then_some(fraction as u64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if number >= least => Ok(Some(number)),
        _ => Err(CriteriaError::invalid(name)),
    }
}

fn parse_fields(value: Option<&Value>) -> Result<Option<Vec<String>>, CriteriaError> {
    let Some(value) = value else { return Ok(None) };
    value
        .as_array()
        .and_then(|names| {
            names
                .iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect()
        })
        .map(Some)
        .ok_or_else(|| CriteriaError::invalid("fields"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::PulpError;

    fn invalid(value: &Value) -> Vec<String> {
        match Criteria::parse(value).unwrap_err() {
            CriteriaError::Invalid(names) => names,
            CriteriaError::Filter(reason) => panic!("{reason}"),
        }
    }

    #[test]
    fn the_first_wrong_property_in_the_documented_order_is_named() {
        let all =
            json!({"fields": 1, "skip": "x", "limit": 0, "sort": "x", "filters": [], "bogus": 1});
        let mut criteria = all.as_object().unwrap().clone();
        for name in ["filters", "sort", "limit", "skip", "fields", "bogus"] {
            assert_eq!(invalid(&Value::Object(criteria.clone())), [name]);
            criteria.remove(name);
        }
        assert_eq!(invalid(&json!([])), ["criteria"]);
        assert_eq!(invalid(&json!({"x": 1, "y": 1})), ["x", "y"]);
    }

    #[test]
    fn counts_take_numeric_text_and_cut_fractions_but_no_booleans() {
        for (given, read) in [(json!("1"), 1), (json!(1.5), 1), (json!(7), 7)] {
            let criteria = Criteria::parse(&json!({"limit": given})).unwrap();
            assert_eq!(criteria.limit, Some(read));
        }
        for bad in [json!(true), json!(-1), json!(0), json!("x"), json!([])] {
            assert_eq!(invalid(&json!({"limit": bad})), ["limit"]);
        }
        assert_eq!(Criteria::parse(&json!({"skip": 0})).unwrap().skip, 0);
        assert_eq!(
            Criteria::parse(&json!({"limit": null})).unwrap().limit,
            None
        );
    }

    #[test]
    fn sort_directions_are_words_or_numbers() {
        let sort = |direction: Value| Criteria::parse(&json!({"sort": [["a", direction]]}));
        for up in [json!("Ascending"), json!("1"), json!(1)] {
            assert!(!sort(up).unwrap().sort.unwrap()[0].descending);
        }
        for down in [json!("DESCENDING"), json!("-1"), json!(-1)] {
            assert!(sort(down).unwrap().sort.unwrap()[0].descending);
        }
        for bad in [
            json!({"sort": [["a"]]}),
            json!({"sort": ["a", "ascending"]}),
            json!({"sort": [[1, 1]]}),
        ] {
            assert_eq!(invalid(&bad), ["sort"]);
        }
    }

    #[test]
    fn a_sort_has_a_bounded_number_of_keys() {
        let keys = |count| vec![json!(["a", 1]); count];
        assert!(Criteria::parse(&json!({"sort": keys(MAX_SORT_KEYS)})).is_ok());
        assert!(Criteria::parse(&json!({"sort": keys(MAX_SORT_KEYS + 1)})).is_err());
        let unit = json!({"sort": {"unit": keys(MAX_SORT_KEYS + 1)}});
        assert!(UnitCriteria::parse(&unit).is_err());
    }

    #[test]
    fn an_operator_that_does_not_exist_is_reported_below_criteria() {
        let error = Criteria::parse(&json!({"filters": {"id": {"$bogus": 1}}})).unwrap_err();
        let error = PulpError::from(error);
        assert_eq!(error.status, 400);
        assert_eq!(error.extra["property_names"], json!(["criteria"]));
        assert_eq!(error.detail.sub_errors[0].code, "PLP0000");
        assert!(error.detail.sub_errors[0].description.contains("$bogus"));
    }

    #[test]
    fn unit_criteria_split_into_association_and_unit() {
        let criteria = UnitCriteria::parse(&json!({
            "type_ids": "rpm", "filters": {"unit": {"name": "bear"}}, "remove_duplicates": "x",
            "sort": {"association": [["created", "descending"]]}, "fields": {"unit": ["name"], "association": []},
        }))
        .unwrap();
        assert_eq!(criteria.type_ids.as_deref(), Some(&["rpm".to_owned()][..]));
        assert!(criteria.unit.is_some() && criteria.association.is_none());
        assert!(criteria.association_sort[0].descending);
        assert_eq!(criteria.association_fields, Some(Vec::new()));
        let names = |value: Value| match UnitCriteria::parse(&value).unwrap_err() {
            CriteriaError::Invalid(names) => names,
            CriteriaError::Filter(reason) => vec![reason],
        };
        assert_eq!(names(json!({"filters": {"name": "bear"}})), ["name"]);
        assert_eq!(names(json!({"filters": {"unit": "x"}})), ["filters"]);
        assert_eq!(names(json!({"sort": {"unit": "name"}})), ["sort"]);
        assert_eq!(names(json!({"fields": ["name"]})), ["fields"]);
        assert_eq!(
            UnitCriteria::parse(&json!({"type_ids": []}))
                .unwrap()
                .type_ids,
            None
        );
        let number = UnitCriteria::parse(&json!({"type_ids": 5})).unwrap();
        assert_eq!(number.type_ids, Some(vec![]));
        assert_eq!(names(json!({"type_ids": ["rpm", 5]})), ["type_ids"]);
    }
}
