//! Criteria of the search endpoints, from body or query (pulp2/search#post-and-get).

use pith_core::Document;
use pith_core::criteria::{Criteria, UnitCriteria};
use pith_core::error::PulpError;
use pith_engine::Error;
use serde_json::{Value, json};

use crate::operation::{Param, param, params};

/// The parameters of criteria.
pub(crate) const SEARCH: &[Param] = &[
    param("filters", "string", "Filters, as JSON text."),
    param(
        "sort",
        "string",
        "Pairs of field and direction, as JSON text.",
    ),
    param("limit", "integer", "At most this many."),
    param("skip", "integer", "Leave out this many from the start."),
];
/// The parameter of the fields that are shown.
pub(crate) const FIELD: &[Param] = &[params("field", "A field to show.")];

/// The criteria of a POST.
fn of_body(body: &mut Document) -> Result<Value, Error> {
    match body.remove("criteria") {
        None | Some(Value::Null) => Err(PulpError::missing_value(&["criteria"]).into()),
        Some(criteria) => Ok(criteria),
    }
}

/// The criteria of a GET: all parameters but `options`; `filters` and `sort` hold JSON.
fn of_query(pairs: Vec<(String, String)>, options: &[&str], field: bool) -> Result<Value, Error> {
    let mut criteria = Document::new();
    for (key, value) in pairs {
        match key.as_str() {
            name if options.contains(&name) => {}
            "filters" | "sort" => {
                let parsed: Value =
                    serde_json::from_str(&value).map_err(|_| PulpError::invalid_value(&[&key]))?;
                criteria.insert(key, parsed);
            }
            "field" if field => {
                let fields = criteria.entry("fields").or_insert_with(|| json!([]));
                if let Some(fields) = fields.as_array_mut() {
                    fields.push(Value::String(value));
                }
            }
            _ => {
                criteria.insert(key, Value::String(value));
            }
        }
    }
    Ok(Value::Object(criteria))
}

/// Plain criteria of a POST body.
pub(crate) fn plain_body(body: &mut Document) -> Result<Criteria, Error> {
    Ok(Criteria::parse(&of_body(body)?)?)
}

/// Plain criteria of a query, beside the options of the endpoint.
pub(crate) fn plain_query(
    pairs: Vec<(String, String)>,
    options: &[&str],
) -> Result<Criteria, Error> {
    Ok(Criteria::parse(&of_query(pairs, options, true)?)?)
}

/// Returns what of unit association criteria a POST body has; the repository is looked for before they are parsed.
pub(crate) fn units_body(body: &mut Document) -> Result<Value, Error> {
    of_body(body)
}

/// Unit association criteria of a query.
pub(crate) fn units_query(pairs: Vec<(String, String)>) -> Result<Value, Error> {
    of_query(pairs, &[], false)
}

/// Reads unit association criteria.
pub(crate) fn units(criteria: &Value) -> Result<UnitCriteria, Error> {
    Ok(UnitCriteria::parse(criteria)?)
}

/// An option beside `criteria`: the text `true` counts as true, any other value as Python takes it.
pub(crate) fn option(body: &Document, name: &str) -> bool {
    match body.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
    }
}
