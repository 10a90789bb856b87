//! The file list of one package, out of its filelists snippet.

use super::MetadataError;
use super::snippet::plain;
use super::xml::{attribute, each_child};

/// The kinds of paths in a file list; ghosts count as files (pulp2/rpm-units#packages).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathKind {
    /// A file.
    File,
    /// A directory.
    Dir,
}

/// Shows `see` each path of a rendered or unrendered filelists snippet.
///
/// # Errors
/// When it is not a `<package>` element.
pub fn each(snippet: &[u8], mut see: impl FnMut(PathKind, &str)) -> Result<(), MetadataError> {
    each_child(snippet, "package", |tag, text| {
        if tag.name().as_ref() == b"file" {
            let dir = attribute(tag, b"type")?.is_some_and(|kind| kind == "dir");
            see(
                if dir { PathKind::Dir } else { PathKind::File },
                &plain(text),
            );
        }
        Ok(())
    })
}
