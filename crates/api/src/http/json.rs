//! JSON as Pulp wrote it: everything beyond ASCII escaped.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

/// Writes `\uXXXX` for what is not ASCII.
struct Ascii(CompactFormatter);

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0u16; 2];
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| !c.is_ascii()) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = tail.chars();
            if let Some(character) = chars.next() {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Appends a text that is JSON already.
pub(super) fn write_text(target: &mut Vec<u8>, text: &str) -> io::Result<()> {
    // What is not ASCII stands in strings only.
    Ascii(CompactFormatter).write_string_fragment(target, text)
}

/// Appends `value` as JSON.
pub(super) fn write(target: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(
        target,
        Ascii(CompactFormatter),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_not_ascii_is_escaped_and_reads_back() {
        let value = json!({"ü": "a\"ö\n€😀z", "n": [1, null]});
        let mut text = Vec::new();
        super::write(&mut text, &value).unwrap();
        assert!(text.is_ascii());
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("\\u00fc") && text.contains("\\ud83d\\ude00"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
