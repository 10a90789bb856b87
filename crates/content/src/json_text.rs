//! JSON written by hand, where a tree of values would cost more than the text itself.

use pith_core::Document;
use serde::Serialize;

/// Appends `value` as JSON. Nothing is appended when it cannot be JSON: a map whose keys are no text.
pub fn push(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
    }
}

/// Appends `,"name":value`.
pub fn push_member(out: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    out.push(b',');
    push(out, name);
    out.push(b':');
    push(out, value);
}

/// Appends `,"name":value` for each field of a document.
pub fn push_members(out: &mut Vec<u8>, document: &Document) {
    for (name, value) in document {
        push_member(out, name, value);
    }
}

/// Appends an item of a list: a comma, unless it is the first after `[`, then `value`.
pub fn push_item(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    if out.last().is_some_and(|last| *last != b'[') {
        out.push(b',');
    }
    push(out, value);
}
