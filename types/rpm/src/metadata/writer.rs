//! Writes primary, filelists and other: a header, rendered snippets one after the other, an end. The packages stand in
//! *chunks*, each of which is a run of members of its own and can be taken over from an older document.

use std::io::{self, Read, Seek};

use super::members::{Key, MemberPacker, Members, PLAIN};
use super::snippet::{Unpacker, render};

/// One of the three documents that hold packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageDocument {
    /// The packages themselves.
    Primary,
    /// Their files.
    Filelists,
    /// Their changes.
    Other,
}

/// The documents of packages.
pub const PACKAGE_DOCUMENTS: [PackageDocument; 3] = [
    PackageDocument::Filelists,
    PackageDocument::Other,
    PackageDocument::Primary,
];

impl PackageDocument {
    /// The type in repomd.xml, which is the name of the stored part too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Filelists => "filelists",
            Self::Other => "other",
        }
    }

    /// The name of the root element.
    #[must_use]
    pub fn root(self) -> &'static str {
        match self {
            Self::Primary => "metadata",
            Self::Filelists => "filelists",
            Self::Other => "otherdata",
        }
    }

    fn namespaces(self) -> &'static str {
        match self {
            Self::Primary => {
                r#"xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm""#
            }
            Self::Filelists => r#"xmlns="http://linux.duke.edu/metadata/filelists""#,
            Self::Other => r#"xmlns="http://linux.duke.edu/metadata/other""#,
        }
    }
}

/// The sink of a document: it gets each member as it is unpacked and as it is packed.
pub trait Sink {
    /// Takes the next member.
    ///
    /// # Errors
    /// When it cannot be written.
    fn member(&mut self, open: &[u8], packed: &[u8]) -> io::Result<()>;
}

/// A document being written.
pub struct PackageWriter<S> {
    out: S,
    kind: PackageDocument,
    unpacker: Unpacker,
    packer: MemberPacker,
    buffer: Vec<u8>,
    key: Key,
}

/// A member of so many bytes is ended before the next package.
const FULL: usize = 1 << 20;

impl<S: Sink> PackageWriter<S> {
    /// Begins a document of `packages` packages.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: S, kind: PackageDocument, packages: u64) -> io::Result<Self> {
        let mut writer = Self {
            out,
            kind,
            unpacker: Unpacker::default(),
            packer: MemberPacker::default(),
            buffer: Vec::new(),
            key: PLAIN,
        };
        let head = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} {} packages=\"{packages}\">\n",
            kind.root(),
            kind.namespaces()
        );
        writer.buffer.extend_from_slice(head.as_bytes());
        writer.flush(false)?;
        Ok(writer)
    }

    /// Begins a chunk of packages.
    pub fn begin(&mut self, key: Key) {
        self.key = key;
    }

    /// Adds a package to the chunk by its stored snippet.
    ///
    /// # Errors
    /// When the snippet is damaged or the document cannot be written.
    pub fn push(&mut self, stored: &[u8], checksum: &str, checksum_type: &str) -> io::Result<()> {
        if self.buffer.len() >= FULL {
            self.flush(true)?;
        }
        let template = self.unpacker.unpack(stored)?;
        render(template, checksum, checksum_type, &mut self.buffer);
        Ok(())
    }

    /// Ends the chunk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(&mut self) -> io::Result<()> {
        self.flush(false)?;
        self.key = PLAIN;
        Ok(())
    }

    /// Takes a chunk over from an older document.
    ///
    /// # Errors
    /// When the one cannot be read or the other not be written.
    pub fn copy<R: Read + Seek>(&mut self, key: &Key, old: &mut Members<R>) -> io::Result<()> {
        old.copy(key, |open, packed| self.out.member(open, packed))
    }

    fn flush(&mut self, more: bool) -> io::Result<()> {
        let packed = self.packer.pack(&self.key, more, &self.buffer)?;
        self.out.member(&self.buffer, packed)?;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the document and returns what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<S> {
        let end = format!("</{}>\n", self.kind.root());
        self.buffer.extend_from_slice(end.as_bytes());
        self.flush(false)?;
        Ok(self.out)
    }
}
