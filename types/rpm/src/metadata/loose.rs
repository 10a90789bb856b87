//! Values of advisories as clients send them: texts that came as numbers, absent fields, unknown ones.

use pith_core::{Algorithm, Document};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value as a text; `None` for null and for what holds several values.
#[must_use]
pub fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("True".to_owned()),
        Value::Bool(false) => Some("False".to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Takes a field out of a document as a text.
pub fn take(document: &mut Document, key: &str) -> Option<String> {
    document.remove(key).and_then(text)
}

/// Takes a suggestion out of a document: the text that came, and none for null and false.
pub fn take_flag(document: &mut Document, key: &str) -> Option<String> {
    match document.remove(key)? {
        Value::Bool(false) => None,
        other => text(other),
    }
}

/// Takes the digests of a package out of a document: algorithm and digest, alternating. They come as `sum`, a list of
/// these, or as `sums` with the algorithm in `type`, as pulp-admin sends them.
pub fn take_sums(document: &mut Document) -> Option<Vec<String>> {
    let kind = take(document, "type").filter(|kind| !kind.is_empty());
    let mut pairs = Vec::new();
    for key in ["sum", "sums"] {
        add_sums(
            document.remove(key).unwrap_or_default(),
            kind.as_deref(),
            &mut pairs,
        );
    }
    (!pairs.is_empty()).then_some(pairs)
}

fn add_sums(value: Value, kind: Option<&str>, pairs: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            let flat = items.into_iter().flat_map(|item| match item {
                Value::Array(pair) => pair,
                other => vec![other],
            });
            let texts: Vec<String> = flat.filter_map(text).collect();
            let typed = texts
                .first()
                .is_some_and(|first| first.parse::<Algorithm>().is_ok());
            match kind {
                Some(kind) if !typed => {
                    pairs.extend(texts.into_iter().flat_map(|sum| [kind.to_owned(), sum]));
                }
                _ => {
                    let whole = texts.len() - texts.len() % 2;
                    pairs.extend(texts.into_iter().take(whole));
                }
            }
        }
        Value::Object(map) => {
            for (kind, sum) in map {
                pairs.extend(text(sum).into_iter().flat_map(|sum| [kind.clone(), sum]));
            }
        }
        other => {
            if let (Some(kind), Some(sum)) = (kind, text(other).filter(|sum| !sum.is_empty())) {
                pairs.extend([kind.to_owned(), sum]);
            }
        }
    }
}

/// Reads a text, or null for none. Other values are refused, as the fields of an advisory were in Pulp.
///
/// # Errors
/// When the value is no text.
pub fn as_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        value => Err(serde::de::Error::custom(format!("'{value}' is not a text"))),
    }
}

/// Reads a truth value that may be a text or a number.
///
/// # Errors
/// Those of the deserializer.
pub fn as_flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let given = text(Value::deserialize(from)?).unwrap_or_default();
    Ok(["true", "1"].contains(&given.to_ascii_lowercase().as_str()))
}
