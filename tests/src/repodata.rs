//! Published RPM metadata, read into a form in which two writers can be compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

use anyhow::{Context, ensure};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use sha2::{Digest as _, Sha256};

/// An XML element. Attributes and children have no order here; blanks around texts do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// The name with its prefix.
    pub name: String,
    /// Without name space declarations.
    pub attributes: BTreeMap<String, String>,
    /// Trimmed.
    pub text: String,
    /// In document order.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// An attribute, or nothing.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.text.is_empty() && self.children.is_empty()
    }

    /// One line per element and the same lines for the same meaning: empty elements are left out, siblings are sorted.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut line = self.name.clone();
        for (name, value) in &self.attributes {
            let _ = write!(line, " {name}={value:?}");
        }
        if !self.text.is_empty() {
            let _ = write!(line, " {:?}", self.text);
        }
        let mut children: Vec<String> = self
            .children
            .iter()
            .filter(|child| !child.is_empty())
            .map(Element::canonical)
            .collect();
        children.sort();
        for child in children.iter().flat_map(|child| child.lines()) {
            let _ = write!(line, "\n  {child}");
        }
        line
    }
}

/// Reads a whole document.
///
/// # Errors
/// When it is not well formed.
pub fn parse(text: &str) -> anyhow::Result<Element> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event()?;
        let top = open.last_mut().context("more ends than starts")?;
        match event {
            Event::Start(start) => open.push(element(&start)?),
            Event::Empty(start) => top.children.push(element(&start)?),
            Event::End(_) => {
                let mut done = open.pop().context("more ends than starts")?;
                done.text = done.text.trim().to_owned();
                open.last_mut()
                    .context("more ends than starts")?
                    .children
                    .push(done);
            }
            Event::Text(text) => top.text.push_str(&text.decode()?),
            Event::CData(text) => top.text.push_str(&text.decode()?),
            Event::GeneralRef(reference) => match reference.resolve_char_ref()? {
                Some(character) => top.text.push(character),
                None => {
                    let name = reference.decode()?;
                    let known = quick_xml::escape::resolve_predefined_entity(&name);
                    top.text
                        .push_str(known.with_context(|| format!("unknown entity {name}"))?);
                }
            },
            Event::Eof => break,
            _ => {}
        }
    }
    ensure!(open.len() == 1, "the document ends within an element");
    let root = open
        .pop()
        .and_then(|document| document.children.into_iter().next());
    root.context("an empty document")
}

fn element(start: &BytesStart<'_>) -> anyhow::Result<Element> {
    let mut attributes = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute?;
        let name = String::from_utf8(attribute.key.as_ref().to_vec())?;
        if !name.starts_with("xmlns") {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
            attributes.insert(name, value.into_owned());
        }
    }
    Ok(Element {
        name: String::from_utf8(start.name().as_ref().to_vec())?,
        attributes,
        ..Element::default()
    })
}

/// The documents that a `repomd.xml` names.
#[derive(Debug)]
pub struct Repodata {
    documents: BTreeMap<String, Vec<u8>>,
}

impl Repodata {
    /// Reads `repomd.xml` and everything it names through `read`, which takes paths relative to the repository.
    ///
    /// # Errors
    /// When a document is missing or is not what `repomd.xml` says.
    pub fn read(mut read: impl FnMut(&str) -> anyhow::Result<Vec<u8>>) -> anyhow::Result<Self> {
        let repomd = parse(&String::from_utf8(read("repodata/repomd.xml")?)?)?;
        let mut documents = BTreeMap::new();
        for data in repomd.all("data") {
            let path = data
                .child("location")
                .context("no location")?
                .attribute("href");
            let stored = read(path)?;
            if let Some(checksum) = data
                .child("checksum")
                .filter(|sum| sum.attribute("type") == "sha256")
            {
                ensure!(
                    sha256(&stored) == checksum.text,
                    "{path} is not what repomd.xml says"
                );
            }
            documents.insert(data.attribute("type").to_owned(), unpacked(stored)?);
        }
        Ok(Self { documents })
    }

    /// The types of the documents.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.documents.keys().map(String::as_str)
    }

    /// One document.
    ///
    /// # Errors
    /// When there is none of this type.
    pub fn document(&self, kind: &str) -> anyhow::Result<Element> {
        let bytes = self
            .documents
            .get(kind)
            .with_context(|| format!("no {kind} in repomd.xml"))?;
        parse(std::str::from_utf8(bytes)?)
    }

    /// The packages of `primary`, `filelists` or `other` by their checksum, without what belongs to the place and not
    /// to the package: the location and the time of the file.
    ///
    /// # Errors
    /// When there is no such document, or its head miscounts the packages.
    pub fn packages(&self, kind: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let document = self.document(kind)?;
        let mut packages = BTreeMap::new();
        for package in document.all("package") {
            let mut package = package.clone();
            let id = match package.attribute("pkgid") {
                "" => package
                    .child("checksum")
                    .context("no checksum")?
                    .text
                    .clone(),
                id => id.to_owned(),
            };
            package.children.retain(|child| child.name != "location");
            for time in package
                .children
                .iter_mut()
                .filter(|child| child.name == "time")
            {
                time.attributes.remove("file");
            }
            packages.insert(id, package.canonical());
        }
        let counted = document.attribute("packages");
        ensure!(
            counted == packages.len().to_string(),
            "{kind} says {counted} packages and has {}",
            packages.len()
        );
        Ok(packages)
    }

    /// The location of each package, by its checksum.
    ///
    /// # Errors
    /// When there is no such document.
    pub fn locations(&self) -> anyhow::Result<BTreeMap<String, String>> {
        self.document("primary")?
            .all("package")
            .map(|package| {
                let id = package
                    .child("checksum")
                    .context("no checksum")?
                    .text
                    .clone();
                let path = package
                    .child("location")
                    .context("no location")?
                    .attribute("href");
                Ok((id, path.to_owned()))
            })
            .collect()
    }
}

/// The digest of some bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Unpacks by the first bytes, since names need not say how a document is packed.
fn unpacked(stored: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match stored.as_slice() {
        [0x1f, 0x8b, ..] => {
            flate2::read::MultiGzDecoder::new(&stored[..]).read_to_end(&mut bytes)?
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::Decoder::new(&stored[..])?.read_to_end(&mut bytes)?,
        [0xfd, b'7', b'z', b'X', b'Z', ..] => {
            liblzma::read::XzDecoder::new_multi_decoder(&stored[..]).read_to_end(&mut bytes)?
        }
        _ => return Ok(stored),
    };
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_same_meaning_has_one_canonical_form() {
        let one = "<?xml version='1.0'?>\n<p xmlns='x' b='2' a='1'>\n <t>x &amp; &#65;</t><v/>\n <u c=\"3\"/></p>";
        let other = "<p a='1' b='2'><u c='3'></u><t> x &amp; A </t></p>";
        assert_eq!(
            parse(one).unwrap().canonical(),
            parse(other).unwrap().canonical()
        );
        assert_ne!(
            parse("<p>1</p>").unwrap().canonical(),
            parse("<p>2</p>").unwrap().canonical()
        );
    }

    #[test]
    fn the_sample_repository_reads_whole() {
        let folder = crate::tools::sample_repo();
        let repodata = Repodata::read(|path| Ok(std::fs::read(folder.join(path))?)).unwrap();
        for kind in ["primary", "filelists", "other"] {
            assert_eq!(repodata.packages(kind).unwrap().len(), 10, "{kind}");
        }
        for (id, path) in repodata.locations().unwrap() {
            assert_eq!(sha256(&std::fs::read(folder.join(path)).unwrap()), id);
        }
    }

    #[test]
    fn an_unfinished_document_is_refused() {
        assert!(parse("<a><b></b>").is_err());
        assert!(parse("").is_err());
    }
}
