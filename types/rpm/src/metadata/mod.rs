//! Repository metadata as pure code: what a mirror says goes in through `Read`, typed values and snippets come out.
//!
//! Everything read here is hostile: sizes, depth and counts are capped, entities are refused, and no text from a
//! document becomes a path without passing [`href`]. Nothing in this module opens a file or a connection.

pub mod compression;
pub mod comps;
pub mod comps_writer;
pub mod dates;
pub mod delta_package;
pub mod describe;
pub mod filelists;
pub mod header;
pub mod href;
pub(crate) mod limits;
pub mod loose;
pub mod members;
pub mod modules;
pub(crate) mod odd;
pub mod other;
pub mod package_file;
pub mod pkglist;
pub mod prestodelta;
pub mod primary;
pub mod repomd;
pub mod snippet;
pub mod sort_index;
pub mod updateinfo;
pub mod writer;
pub mod xml;
mod xml_writer;

/// The reason why a metadata document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The bytes could not be read or decompressed.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// A document that is not well-formed XML.
    #[error("is not well-formed: {0}")]
    Xml(String),
    /// XML of another kind.
    #[error("is malformed: its root element is <{found}> and not <{wanted}>")]
    Foreign {
        /// The root element that it has.
        found: String,
        /// The root element that it should have.
        wanted: String,
    },
    /// XML with entities of its own, which only those have who mean harm.
    #[error("declares entities of its own")]
    Entities,
    /// Well-formed, and yet not what the format asks for.
    #[error("is malformed: {0}")]
    Structure(String),
    /// Larger than pith is willing to read.
    #[error(
        "is too large: {what}: {found} or more were found, and at most {limit} are read; mend the document, or take another \
         feed"
    )]
    Limit {
        /// The thing of which there is too much.
        what: &'static str,
        /// The limit, in the unit of `what`.
        limit: u64,
        /// The amount that was found so far.
        found: u64,
    },
    /// A path that points outside of the repository.
    #[error("names an unsafe path: {0}")]
    UnsafePath(String),
}

impl MetadataError {
    /// Tells whether what was read before the fault, if anything, stands for itself.
    pub(crate) fn is_broken_text(&self) -> bool {
        matches!(self, Self::Xml(_) | Self::Foreign { .. })
    }

    /// A root element called `found`, where `wanted` should be.
    pub(crate) fn foreign(found: &str, wanted: &str) -> Self {
        Self::Foreign {
            found: found.chars().take(60).collect(),
            wanted: wanted.to_owned(),
        }
    }

    pub(crate) fn structure(text: impl Into<String>) -> Self {
        Self::Structure(text.into())
    }
}

/// The next element of a document in the first of two passes: a fault in its text ends the pass, and is told in the second one.
///
/// # Errors
/// Any other failure.
pub(crate) fn unless_broken<T>(
    next: Result<Option<T>, MetadataError>,
) -> Result<Option<T>, MetadataError> {
    match next {
        Err(error) if error.is_broken_text() => Ok(None),
        other => other,
    }
}

impl From<quick_xml::Error> for MetadataError {
    fn from(error: quick_xml::Error) -> Self {
        match error {
            quick_xml::Error::Io(io) => Self::Io(std::io::Error::new(io.kind(), io.to_string())),
            other => Self::Xml(other.to_string()),
        }
    }
}

impl From<quick_xml::events::attributes::AttrError> for MetadataError {
    fn from(error: quick_xml::events::attributes::AttrError) -> Self {
        Self::Xml(error.to_string())
    }
}

impl From<std::str::Utf8Error> for MetadataError {
    fn from(error: std::str::Utf8Error) -> Self {
        Self::Xml(error.to_string())
    }
}
