//! Projections: documents cut down to the fields that were asked for.

use serde_json::Value;

use crate::Document;

/// Returns what `document` has of `fields`. A dotted field keeps only that piece of an object, in every element of an array on
/// the way; fields that are not there are left out.
#[must_use]
pub fn project(document: &Document, fields: &[impl AsRef<str>]) -> Document {
    let mut result = Document::new();
    for field in fields {
        let field = field.as_ref();
        match field.split_once('.') {
            None => {
                if let Some(value) = document.get(field) {
                    result.insert(field.to_owned(), value.clone());
                }
            }
            Some((first, rest)) => {
                if let Some(piece) = document.get(first).and_then(|value| piece(value, rest)) {
                    merge(&mut result, first, piece);
                }
            }
        }
    }
    result
}

fn piece(value: &Value, path: &str) -> Option<Value> {
    match value {
        Value::Object(map) => Some(Value::Object(project(map, &[path]))),
        Value::Array(items) => Some(Value::Array(
            items.iter().filter_map(|item| piece(item, path)).collect(),
        )),
        _ => None,
    }
}

fn merge(target: &mut Document, key: &str, value: Value) {
    match (target.get_mut(key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            for (key, value) in new {
                merge(old, &key, value);
            }
        }
        (Some(Value::Array(old)), Value::Array(new)) if old.len() == new.len() => {
            for (old, new) in old.iter_mut().zip(new) {
                if let (Value::Object(old), Value::Object(new)) = (old, new) {
                    for (key, value) in new {
                        merge(old, &key, value);
                    }
                }
            }
        }
        (Some(_), _) => {}
        (None, value) => {
            target.insert(key.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dotted_fields_keep_a_piece_of_each_element() {
        let doc =
            json!({"a": [{"b": 1, "c": 2, "d": 0}, {"b": 3}, 7], "o": {"x": 1, "y": 2}, "s": "t"});
        let doc = doc.as_object().unwrap();
        let cut = project(doc, &["a.b", "a.c", "o.x", "s.t", "none"]);
        assert_eq!(
            Value::Object(cut),
            json!({"a": [{"b": 1, "c": 2}, {"b": 3}], "o": {"x": 1}})
        );
        assert_eq!(
            Value::Object(project(doc, &["o", "o.x"])),
            json!({"o": {"x": 1, "y": 2}})
        );
    }
}
