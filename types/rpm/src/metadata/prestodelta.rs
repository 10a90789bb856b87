//! prestodelta.xml (and deltainfo.xml): delta packages.

use std::io::{self, BufRead, Write};

use pith_content::Bent;
use pith_core::{Digest, RelativePath};

use super::odd::Odd;
use super::repomd::strongest;
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
    /// The location as it stands, where that is something else.
    pub given: Option<String>,
    /// The base that it was made of.
    pub sequence: String,
    /// Size in bytes; 0 when nobody says.
    pub size: u64,
    /// Digest of the file.
    pub digest: Digest,
}

/// A prestodelta document, delta by delta.
pub struct DeltaStream<R> {
    children: Children<R>,
    ready: std::vec::IntoIter<Delta>,
    odd: Odd,
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
            odd: Odd::default(),
        })
    }

    /// Notes what is odd in `bent`.
    #[must_use]
    pub fn noting(mut self, bent: &Bent) -> Self {
        self.odd = Odd::new(bent);
        self
    }

    /// The next delta; `None` after the last.
    ///
    /// # Errors
    /// When the document is broken.
    pub fn next_delta(&mut self) -> Result<Option<Delta>, MetadataError> {
        loop {
            if let Some(delta) = self.ready.next() {
                return Ok(Some(delta));
            }
            let Some(package) = self.children.next_child()? else {
                return Ok(None);
            };
            let name = package.attr("name").unwrap_or_default();
            self.odd.bytes(
                self.children.replaced(),
                &format!("delta packages of {name}"),
            );
            let deltas = package.all("delta");
            let deltas: Vec<_> = deltas
                .filter_map(|d| match delta(&package, d, &self.odd) {
                    Ok(delta) => Some(delta),
                    Err(why) => {
                        self.odd
                            .left_out(&format!("a delta package of {name}: {why}"));
                        None
                    }
                })
                .collect();
            self.ready = deltas.into_iter();
        }
    }
}

/// A delta package; an error when nothing says which file it is or how to verify it: clients can do without it.
fn delta(package: &Element, delta: &Element, odd: &Odd) -> Result<Delta, MetadataError> {
    let name = package.attr("name").unwrap_or_default();
    let want = |element: &Element, key: &str, default: &str| {
        element
            .attr(key)
            .filter(|value| !value.is_empty())
            .map_or_else(
                || {
                    odd.missing(&format!("delta package of {name}: {key}"));
                    default.to_owned()
                },
                str::to_owned,
            )
    };
    let digest = strongest(delta, "checksum", "sha256")?;
    let (Some(filename), Some(digest)) = (delta.text_of("filename"), digest) else {
        return Err(MetadataError::structure("it has no file name or checksum"));
    };
    let location = href::read(filename, || format!("{name}.drpm"))?;
    Ok(Delta {
        name: name.to_owned(),
        arch: want(package, "arch", "noarch"),
        new: [
            want(package, "epoch", "0"),
            want(package, "version", ""),
            want(package, "release", ""),
        ],
        old: [
            want(delta, "oldepoch", "0"),
            want(delta, "oldversion", ""),
            want(delta, "oldrelease", ""),
        ],
        filename: location.path,
        given: location.given,
        sequence: delta.text_of("sequence").unwrap_or_default().to_owned(),
        size: delta
            .text_of("size")
            .and_then(|size| size.parse().ok())
            .unwrap_or(0),
        digest,
    })
}

/// Writes prestodelta.xml (pulp2/rpm-metadata#prestodelta).
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
