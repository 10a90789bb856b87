//! Writes primary, filelists and other: a header, rendered snippets one after the other, an end.

use std::io::{self, Write};

use super::snippet::{Unpacker, render};

/// One of the three documents that hold packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the package is.
    Primary,
    /// What files it has.
    Filelists,
    /// How it changed.
    Other,
}

impl Kind {
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

/// A document being written.
pub struct PackageWriter<W> {
    out: W,
    kind: Kind,
    unpacker: Unpacker,
    buffer: Vec<u8>,
}

/// How much is gathered before it goes to the compressor.
const FLUSH: usize = 64 << 10;

impl<W: Write> PackageWriter<W> {
    /// Begins a document of `packages` packages.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(mut out: W, kind: Kind, packages: u64) -> io::Result<Self> {
        write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{} {} packages=\"{packages}\">\n",
            kind.root(),
            kind.namespaces()
        )?;
        Ok(Self {
            out,
            kind,
            unpacker: Unpacker::default(),
            buffer: Vec::with_capacity(FLUSH * 2),
        })
    }

    /// Adds a package by its stored snippet.
    ///
    /// # Errors
    /// When the snippet is damaged or the document cannot be written.
    pub fn push(&mut self, stored: &[u8], checksum: &str, checksum_type: &str) -> io::Result<()> {
        let template = self.unpacker.unpack(stored)?;
        render(template, checksum, checksum_type, &mut self.buffer);
        if self.buffer.len() >= FLUSH {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Ends the document and returns what it was written to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.buffer)?;
        writeln!(self.out, "</{}>", self.kind.root())?;
        Ok(self.out)
    }
}
