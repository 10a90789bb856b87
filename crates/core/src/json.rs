//! JSON as text, in the characters that `serde_json` writes, but faster: few texts need escapes, and whether one does is looked for
//! many bytes at a time.

use std::fmt::{Display, Write};

use serde_json::Value;

use crate::Document;

/// Appends a value.
pub fn push_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => push_plain(out, number),
        Value::String(text) => push_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => push_document(out, fields),
    }
}

/// Appends a document.
pub fn push_document(out: &mut String, document: &Document) {
    out.push('{');
    for (index, (name, value)) in document.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_text(out, name);
        out.push(':');
        push_value(out, value);
    }
    out.push('}');
}

/// Appends a text with its quotes.
pub fn push_text(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        // Special characters are single bytes.
        let (special, after) = special.split_at(1);
        push_escaped(out, special);
        rest = after;
    }
    out.push_str(rest);
    out.push('"');
}

fn push_escaped(out: &mut String, special: &str) {
    match special {
        "\n" => out.push_str("\\n"),
        "\"" => out.push_str("\\\""),
        "\\" => out.push_str("\\\\"),
        "\t" => out.push_str("\\t"),
        other => {
            let mut quoted = String::new();
            push_plain(&mut quoted, Value::from(other));
            out.push_str(quoted.trim_matches('"'));
        }
    }
}

/// Appends what `serde_json` makes of something.
fn push_plain(out: &mut String, value: impl Display) {
    // Writing to a text does not fail.
    let _ = write!(out, "{value}");
}

/// The bytes that are looked at together.
const WORD: usize = size_of::<u64>();

/// The place of the first character that needs an escape.
fn first_special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<WORD>();
    let plain_words = words.iter().take_while(|word| !has_special(**word));
    let plain = plain_words.count() * WORD;
    // What is too short for a word is looked at with some of what was before it.
    let last = bytes.last_chunk::<WORD>();
    if plain + rest.len() == bytes.len() && last.is_some_and(|last| !has_special(*last)) {
        return None;
    }
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let at = bytes[plain..].iter().position(is_special)?;
    Some(plain + at)
}

/// Tells whether one of these bytes needs an escape.
fn has_special(word: [u8; WORD]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([0x01; WORD]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; WORD]);
    let word = u64::from_ne_bytes(word);
    // The highest bit of a byte is borrowed where the byte is less than what is taken away from it; those that had the bit
    // before do not count. A borrow from the next byte begins at one that counts, so whether there is one is right.
    let any_below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let any_equal = |byte: u8| any_below(word ^ (ONES * u64::from(byte)), 1);
    (any_below(word, 0x20) | any_equal(b'"') | any_equal(b'\\')) & HIGH != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let texts = prop_oneof![".*", "[\u{0}-\u{24}\\\\\"\u{7f}\u{2028}a]*"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            texts.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let items = prop::collection::vec(inner.clone(), 0..8);
            let fields = prop::collection::btree_map(".*", inner, 0..8);
            prop_oneof![
                items.prop_map(Value::from),
                fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_value_is_written_as_serde_json_does(value in values()) {
            let mut text = "before".to_owned();
            push_value(&mut text, &value);
            prop_assert_eq!(&text[6..], serde_json::to_string(&value).unwrap());
        }
    }

    #[test]
    fn a_text_of_any_length_with_one_special_character_anywhere_is_escaped() {
        for length in 0..80 {
            for at in 0..=length {
                for special in ["\"", "\\", "\u{1f}", "\n"] {
                    let text = format!("{}{special}{}", "a".repeat(at), "b".repeat(length - at));
                    let mut written = String::new();
                    push_text(&mut written, &text);
                    assert_eq!(written, json!(text).to_string());
                }
            }
        }
    }
}
