//! The file list of one package, out of its filelists snippet.

use super::MetadataError;
use super::xml::Children;

/// Files and directories of a package; ghosts count as files (reference: rpm §2.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Paths of files.
    pub file: Vec<String>,
    /// Paths of directories.
    pub dir: Vec<String>,
}

/// Reads a rendered or unrendered filelists snippet.
///
/// # Errors
/// When it is not a `<package>` element.
pub fn files(snippet: &[u8]) -> Result<Files, MetadataError> {
    let mut files = Files::default();
    let mut children = Children::open(snippet, "package")?;
    while let Some(child) = children.next_child()? {
        if child.name == "file" {
            let list = if child.attr("type") == Some("dir") {
                &mut files.dir
            } else {
                &mut files.file
            };
            list.push(super::snippet::plain(&child.text));
        }
    }
    Ok(files)
}
