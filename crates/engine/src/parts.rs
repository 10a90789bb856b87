//! Parts of units between the database and content types.

use pith_store::Part;

/// Parts as content types take them.
#[must_use]
pub fn named(parts: Vec<Part>) -> Vec<(String, Vec<u8>)> {
    let parts = parts.into_iter();
    parts.map(|part| (part.name, part.data)).collect()
}
