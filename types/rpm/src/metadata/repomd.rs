//! repomd.xml: the index of a repository's metadata.

use std::io::{self, BufRead, Write};

use pith_content::Bent;
use pith_core::{Algorithm, Digest, RelativePath};

use super::odd::Odd;
use super::xml::{Element, XmlWriter, tree};
use super::{MetadataError, href};

/// Largest repomd.xml, in bytes.
pub const MAX_SIZE: u64 = 8 << 20;
/// Most entries.
const MAX_ENTRIES: usize = 1000;

/// One `<data>` entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// `primary`, `filelists`, `group`, …
    pub kind: String,
    /// The path of the file, relative to the repository.
    pub href: RelativePath,
    /// The location as it stands, where that is something else.
    pub given: Option<String>,
    /// Another place than the repository (`xml:base`).
    pub base: Option<String>,
    /// Digest of the file as stored; `None` when absent or not usable.
    pub checksum: Option<Digest>,
    /// The reason why the digest of the file is not usable, when there is one.
    pub unusable: Option<String>,
    /// Digest of the file unpacked.
    pub open_checksum: Option<Digest>,
    /// Size as stored, in bytes.
    pub size: Option<u64>,
    /// Size unpacked, in bytes.
    pub open_size: Option<u64>,
    /// Seconds since 1970.
    pub timestamp: Option<i64>,
}

/// A repository's index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Repomd {
    /// `None` when absent, 0 when not a number (pulp2/rpm-sync#nothing-changed).
    pub revision: Option<i64>,
    /// Entries in the order of the document.
    pub data: Vec<Data>,
}

impl Data {
    /// The place where upstream says that the file is.
    #[must_use]
    pub fn location(&self) -> &str {
        self.given.as_deref().unwrap_or(self.href.as_str())
    }
}

impl Repomd {
    /// Reads repomd.xml. An entry that does not say where its file is is left out.
    ///
    /// # Errors
    /// When it is not a repomd document or a location is unsafe.
    pub fn read(input: impl BufRead) -> Result<Self, MetadataError> {
        Self::noting(input, &Bent::default())
    }

    /// Does what [`Self::read`] does; what is left out is noted in `bent`.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn noting(input: impl BufRead, bent: &Bent) -> Result<Self, MetadataError> {
        let odd = Odd::new(bent);
        let root = tree(input, "repomd")?;
        let mut repomd = Self {
            revision: root
                .child("revision")
                .map(|r| r.text.trim().parse().unwrap_or(0)),
            data: Vec::new(),
        };
        for element in root.all("data") {
            if repomd.data.len() >= MAX_ENTRIES {
                return Err(MetadataError::Limit {
                    what: "number of entries",
                    limit: MAX_ENTRIES as u64,
                    found: repomd.data.len() as u64 + 1,
                });
            }
            let found = data(element)?;
            if found.is_none() {
                let kind = element.attr("type").unwrap_or_default();
                odd.left_out(&format!("the entry '{kind}' of repomd.xml has no location"));
            }
            if let Some(data) = found
                .as_ref()
                .filter(|data| repomd.get(&data.kind).is_some())
            {
                odd.again(&format!("{} at {}", data.kind, data.location()));
            }
            repomd.data.extend(found);
        }
        Ok(repomd)
    }

    /// The first entry of a kind.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Data> {
        self.data.iter().find(|d| d.kind == kind)
    }

    /// Writes repomd.xml (pulp2/rpm-metadata#repomd).
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let mut xml = XmlWriter::new(out);
        xml.line(r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        xml.start(
            "repomd",
            &[
                ("xmlns", "http://linux.duke.edu/metadata/repo"),
                ("xmlns:rpm", "http://linux.duke.edu/metadata/rpm"),
            ],
        )?;
        if let Some(revision) = self.revision {
            xml.leaf("revision", &[], &revision.to_string())?;
        }
        for data in &self.data {
            xml.start("data", &[("type", &data.kind)])?;
            xml.leaf("location", &[("href", data.href.as_str())], "")?;
            if let Some(timestamp) = data.timestamp {
                xml.leaf("timestamp", &[], &timestamp.to_string())?;
            }
            if let Some(size) = data.size {
                xml.leaf("size", &[], &size.to_string())?;
            }
            digest(&mut xml, "checksum", data.checksum.as_ref())?;
            if let Some(size) = data.open_size {
                xml.leaf("open-size", &[], &size.to_string())?;
            }
            digest(&mut xml, "open-checksum", data.open_checksum.as_ref())?;
            xml.end()?;
        }
        xml.end()
    }
}

fn digest<W: Write>(xml: &mut XmlWriter<W>, name: &str, digest: Option<&Digest>) -> io::Result<()> {
    let Some(digest) = digest else {
        return Ok(());
    };
    xml.leaf(name, &[("type", digest.algorithm().name())], digest.hex())
}

/// An entry; `None` when it does not say where its file is: it is as good as not there.
fn data(element: &Element) -> Result<Option<Data>, MetadataError> {
    let kind = element.attr("type").unwrap_or_default();
    let location = element.child("location").and_then(|l| l.attr("href"));
    let Some(location) = location.filter(|href| !href.trim().is_empty()) else {
        return Ok(None);
    };
    let location = href::read(location, || kind.to_owned())?;
    let base = element
        .child("location")
        .and_then(|l| l.attr("xml:base"))
        .filter(|b| !b.is_empty())
        .map(href::base)
        .transpose()?;
    let number = |name: &str| element.text_of(name).and_then(|t| t.parse().ok());
    let (checksum, unusable) = match strongest(element, "checksum", "") {
        Ok(Some(checksum)) => (Some(checksum), None),
        Ok(None) => {
            let algorithm = element
                .child("checksum")
                .map(|c| c.attr("type").unwrap_or(""));
            let unknown = |a| format!("the digest algorithm '{a}' is unknown");
            (None, algorithm.map(unknown))
        }
        Err(why) => (None, Some(why.to_string())),
    };
    // Nothing is verified by the other one.
    let open_checksum = strongest(element, "open-checksum", "").unwrap_or_default();
    Ok(Some(Data {
        kind: kind.to_owned(),
        href: location.path,
        given: location.given,
        base,
        checksum,
        unusable,
        open_checksum,
        // Nobody lists a document with nothing in it to say so: 0 says nothing.
        size: number("size").filter(|size| *size > 0),
        open_size: number("open-size"),
        timestamp: element
            .text_of("timestamp")
            .and_then(|t| t.split('.').next()?.parse().ok()),
    }))
}

/// The digest that decides, of those that children called `name` give; `kind` is the algorithm of those that name none. Digests
/// of algorithms that nobody knows are passed over.
///
/// # Errors
/// When it is malformed, or two of one algorithm contradict each other.
pub(super) fn strongest(
    element: &Element,
    name: &str,
    kind: &str,
) -> Result<Option<Digest>, MetadataError> {
    let known = |one: &Element| one.attr("type").unwrap_or(kind).parse::<Algorithm>().ok();
    let best = element.all(name).filter_map(known).max();
    let mut given = Vec::new();
    for one in element.all(name).filter(|one| known(one) == best) {
        given.extend(best.map(|best| Digest::new(best, one.text.trim())));
    }
    let given: Result<Vec<Digest>, _> = given.into_iter().collect();
    let given = given.map_err(|e| MetadataError::structure(e.to_string()))?;
    if given.iter().any(|digest| *digest != given[0]) {
        let text = format!("two elements '{name}' contradict each other");
        return Err(MetadataError::structure(text));
    }
    Ok(given.into_iter().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(checksums: &str) -> Result<Option<Digest>, MetadataError> {
        let text = format!(
            "<repomd><data type='primary'><location href='repodata/p.xml'/>{checksums}</data></repomd>"
        );
        let data = Repomd::read(text.as_bytes())?.data.remove(0);
        match data.unusable {
            Some(why) => Err(MetadataError::structure(why)),
            None => Ok(data.checksum),
        }
    }

    #[test]
    fn the_strongest_digest_of_an_entry_decides() {
        let (good, other) = ("a".repeat(64), "b".repeat(64));
        let md5 = "<checksum type='md5'>00000000000000000000000000000000</checksum>";
        let sha256 = format!("<checksum type='sha256'>{good}</checksum>");
        for checksums in [
            format!("{md5}{sha256}"),
            format!("<checksum type='blake3'>x</checksum>{sha256}"),
            format!("<checksum type='md5'>x</checksum>{sha256}{sha256}"),
        ] {
            let decides = entry(&checksums).unwrap().unwrap();
            assert_eq!(decides.hex(), good, "{checksums}");
        }
        assert_eq!(entry(md5).unwrap().unwrap().algorithm(), Algorithm::Md5);
        assert_eq!(entry("").unwrap(), None);
        assert!(entry("<checksum type='x'>1</checksum>").is_err());
        let two = format!("{sha256}<checksum type='sha256'>{other}</checksum>");
        assert!(entry(&two).is_err());
        assert!(entry(&format!("{md5}<checksum type='sha256'>x</checksum>")).is_err());
    }
}
