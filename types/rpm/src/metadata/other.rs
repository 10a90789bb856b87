//! The changelog of one package, out of its other snippet.

use super::MetadataError;
use super::xml::Children;

/// One entry of a changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Seconds since 1970.
    pub date: i64,
    /// Who, when in words, and often the version.
    pub author: String,
    /// What.
    pub text: String,
}

/// Reads a rendered or unrendered other snippet.
///
/// # Errors
/// When it is not a `<package>` element.
pub fn changelog(snippet: &[u8]) -> Result<Vec<Change>, MetadataError> {
    let mut changes = Vec::new();
    let mut children = Children::open(snippet, "package")?;
    while let Some(child) = children.next_child()? {
        if child.name == "changelog" {
            changes.push(Change {
                date: child.attr("date").and_then(|d| d.parse().ok()).unwrap_or(0),
                author: super::snippet::plain(child.attr("author").unwrap_or("")),
                text: super::snippet::plain(&child.text),
            });
        }
    }
    Ok(changes)
}
