//! prestodelta.xml (and deltainfo.xml): delta packages.

use std::io::{self, BufRead, Write};

use pith_core::{Digest, RelativePath};

use super::xml::{Children, Element, XmlWriter};
use super::{MetadataError, href};

/// One delta package.
#[derive(Debug, Clone, PartialEq)]
pub struct Delta {
    /// Name of the package it leads to.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Epoch, version and release it leads to.
    pub new: [String; 3],
    /// Epoch, version and release it starts from.
    pub old: [String; 3],
    /// Path within the repository.
    pub filename: RelativePath,
    /// What it was made of.
    pub sequence: String,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the file.
    pub digest: Digest,
}

/// A prestodelta document, delta by delta.
pub struct DeltaStream<R> {
    children: Children<R>,
    ready: std::vec::IntoIter<Delta>,
}

impl<R: BufRead> DeltaStream<R> {
    /// Opens a document whose root is `prestodelta` or `deltainfo`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn open(input: R, root: &str) -> Result<Self, MetadataError> {
        Ok(Self {
            children: Children::open(input, root)?,
            ready: Vec::new().into_iter(),
        })
    }

    /// The next delta; `None` after the last.
    ///
    /// # Errors
    /// When the document is broken or a path is unsafe.
    pub fn next_delta(&mut self) -> Result<Option<Delta>, MetadataError> {
        loop {
            if let Some(delta) = self.ready.next() {
                return Ok(Some(delta));
            }
            let Some(package) = self.children.next_child()? else {
                return Ok(None);
            };
            let deltas: Result<Vec<_>, _> =
                package.all("delta").map(|d| delta(&package, d)).collect();
            self.ready = deltas?.into_iter();
        }
    }
}

fn delta(package: &Element, delta: &Element) -> Result<Delta, MetadataError> {
    let want = |element: &Element, key: &str| {
        element
            .attr(key)
            .map(str::to_owned)
            .ok_or_else(|| MetadataError::structure(format!("a delta has no {key}")))
    };
    let text = |name: &str| {
        delta
            .text_of(name)
            .ok_or_else(|| MetadataError::structure(format!("a delta has no {name}")))
    };
    let algorithm = delta
        .child("checksum")
        .and_then(|c| c.attr("type"))
        .unwrap_or("sha256")
        .parse()
        .map_err(|e| MetadataError::structure(format!("{e}")))?;
    Ok(Delta {
        name: want(package, "name")?,
        arch: want(package, "arch")?,
        new: [
            want(package, "epoch")?,
            want(package, "version")?,
            want(package, "release")?,
        ],
        old: [
            want(delta, "oldepoch")?,
            want(delta, "oldversion")?,
            want(delta, "oldrelease")?,
        ],
        filename: href::check(text("filename")?)?,
        sequence: text("sequence")?.to_owned(),
        size: text("size")?
            .parse()
            .map_err(|_| MetadataError::structure("a delta's size is not a number"))?,
        digest: Digest::new(algorithm, text("checksum")?)
            .map_err(|e| MetadataError::structure(e.to_string()))?,
    })
}

/// Writes prestodelta.xml (reference: rpm §12.3).
pub struct DeltaWriter<W: Write>(XmlWriter<W>);

impl<W: Write> DeltaWriter<W> {
    /// Begins the document.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W) -> io::Result<Self> {
        let mut xml = XmlWriter::new(out);
        xml.line(r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        xml.start("prestodelta", &[])?;
        Ok(Self(xml))
    }

    /// Adds one delta. `digest` is what the publication says of the file.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn push(&mut self, delta: &Delta, digest: &Digest) -> io::Result<()> {
        let xml = &mut self.0;
        let [epoch, version, release] = &delta.new;
        xml.start(
            "newpackage",
            &[
                ("name", &delta.name),
                ("epoch", epoch),
                ("version", version),
                ("release", release),
                ("arch", &delta.arch),
            ],
        )?;
        let [epoch, version, release] = &delta.old;
        xml.start(
            "delta",
            &[
                ("oldepoch", epoch),
                ("oldversion", version),
                ("oldrelease", release),
            ],
        )?;
        xml.leaf("filename", &[], delta.filename.as_str())?;
        xml.leaf("sequence", &[], &delta.sequence)?;
        xml.leaf("size", &[], &delta.size.to_string())?;
        xml.leaf(
            "checksum",
            &[("type", digest.algorithm().name())],
            digest.hex(),
        )?;
        xml.end()?;
        xml.end()
    }

    /// Ends the document.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.end()
    }
}
