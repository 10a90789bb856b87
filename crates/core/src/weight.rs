//! The memory that JSON needs.

use serde_json::Value;

use crate::Document;

/// Bytes of memory that a document takes, about.
#[must_use]
pub fn document_weight(document: &Document) -> usize {
    let fields = document.iter();
    fields
        .map(|(key, value)| 96 + key.len() + value_weight(value))
        .sum()
}

/// Bytes of memory that a value takes, about.
#[must_use]
pub fn value_weight(value: &Value) -> usize {
    32 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_weight).sum(),
        Value::Object(fields) => document_weight(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The bytes of memory that a JSON text needs once it is read, estimated rather too high: an object has a table of its own, and
/// each further value a place in one.
#[must_use]
pub fn json_weight(text: &[u8]) -> usize {
    const OBJECT: usize = 600;
    const VALUE: usize = 160;
    let mut weight = text.len();
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            // An empty one has none.
            b'{' if bytes.peek() == Some(&&b'}') => {}
            b'{' => weight += OBJECT,
            b'[' | b',' => weight += VALUE,
            b'"' => {
                while let Some(inside) = bytes.next() {
                    match inside {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_values_weigh_more_than_one_long_text() {
        let objects = format!("[{}1]", r#"{"":0},"#.repeat(100_000));
        assert!(json_weight(objects.as_bytes()) > 50 * 1024 * 1024);
        let text = format!(
            r#"["{}", "{}"]"#,
            "{,".repeat(1_000_000),
            r#"\"{"#.repeat(1000)
        );
        assert!(json_weight(text.as_bytes()) < text.len() + 1000);
        let packages = r#"{"name": "n", "version": "1", "sum": ["sha256", "00"]},"#.repeat(10_000);
        assert!(json_weight(packages.as_bytes()) < 20 * 1024 * 1024);
        assert_eq!(json_weight(b"{}"), 2);
    }
}
