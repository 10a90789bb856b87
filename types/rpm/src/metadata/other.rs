//! The changelog of one package, out of its other snippet.

use super::MetadataError;
use super::snippet::plain;
use super::xml::{attribute, each_child};

/// Shows `see` each entry of a rendered or unrendered other snippet: seconds since 1970; who, when in words, and often
/// the version; what.
///
/// # Errors
/// When it is not a `<package>` element.
pub fn each(snippet: &[u8], mut see: impl FnMut(i64, &str, &str)) -> Result<(), MetadataError> {
    each_child(snippet, "package", |tag, text| {
        if tag.name().as_ref() == b"changelog" {
            let date = attribute(tag, b"date")?.and_then(|date| date.parse().ok());
            let author = attribute(tag, b"author")?.unwrap_or_default();
            see(date.unwrap_or(0), &plain(&author), &plain(text));
        }
        Ok(())
    })
}
