//! Lists of mirrors: plain ones, a URL a line (pulp2/rpm-sync#feed), and metalinks, which also say which `repomd.xml` is
//! the right one.

use std::io::BufRead;

use pith_content::base::Base;
use pith_core::digest::deciding;
use pith_core::{Algorithm, Digest, MultiHasher};

use crate::metadata::MetadataError;
use crate::metadata::xml::{Element, tree};

/// Largest list, in bytes.
pub const MAX_SIZE: u64 = 4 << 20;
/// The most mirrors that are tried.
const MAX_MIRRORS: usize = 20;
/// The most older files that count.
const MAX_OLDER: usize = 50;
/// The file that a metalink of a repository is about.
const REPOMD: &str = "repodata/repomd.xml";

/// Mirrors, and what is known of the `repomd.xml` that they should have.
#[derive(Debug, Default)]
pub struct Mirrors {
    /// Best first.
    pub bases: Vec<Base>,
    /// The `repomd.xml` that counts, then older ones that will do; empty when nothing is known.
    pub expected: Vec<Expected>,
}

/// The promises of a metalink for one version of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    size: Option<u64>,
    digests: Vec<Digest>,
}

impl Expected {
    fn of(element: &Element) -> Self {
        let hashes = element.child("verification").map(|v| v.all("hash"));
        let digest = |hash: &Element| {
            // Newer metalinks write `sha-256`.
            let name = hash.attr("type")?.trim().replace('-', "");
            let algorithm: Algorithm = name.parse().ok()?;
            Digest::new(algorithm, hash.text.trim()).ok()
        };
        Self {
            size: element.text_of("size").and_then(|size| size.parse().ok()),
            digests: hashes.into_iter().flatten().filter_map(digest).collect(),
        }
    }

    /// Tells whether `file` is this version: the strong digests that are given and known here decide.
    fn is(&self, file: &[u8]) -> bool {
        let algorithms: Vec<Algorithm> = self.digests.iter().map(Digest::algorithm).collect();
        let mut hasher = MultiHasher::new(&algorithms);
        hasher.update(file);
        let hashed = hasher.finish();
        self.size.is_none_or(|size| size == hashed.size)
            && deciding(&self.digests).all(|digest| hashed.matches(digest))
    }
}

impl Mirrors {
    /// Reads a list of either kind.
    ///
    /// # Errors
    /// When it begins as a metalink and is none that can be used.
    pub fn read(list: &[u8]) -> Result<Self, MetadataError> {
        let plain = list.strip_prefix(b"\xef\xbb\xbf").unwrap_or(list);
        let start = plain.trim_ascii_start();
        let head = &start[..start.len().min(4096)];
        if head.starts_with(b"<") && memchr::memmem::find(head, b"<metalink").is_some() {
            return Self::metalink(plain);
        }
        let text = String::from_utf8_lossy(plain);
        Ok(Self {
            bases: lines(&text).take(MAX_MIRRORS).collect(),
            expected: Vec::new(),
        })
    }

    fn metalink(text: impl BufRead) -> Result<Self, MetadataError> {
        let root = tree(text, "metalink")?;
        let files = root.child("files").into_iter().flat_map(|f| f.all("file"));
        let file = files
            .into_iter()
            .find(|file| file.attr("name") == Some("repomd.xml"))
            .ok_or_else(|| MetadataError::structure("the metalink is not about repomd.xml"))?;
        // The prefix is a matter of taste.
        let older = file.children.iter().filter(|child| {
            let local = child.name.rsplit(':').next();
            local == Some("alternates")
        });
        let older = older.flat_map(|all| &all.children).map(Expected::of);
        let mut expected = vec![Expected::of(file)];
        expected.extend(older.take(MAX_OLDER).filter(|old| !old.digests.is_empty()));
        if expected[0].digests.is_empty() {
            // No digest that is known here: any file may be the one.
            expected.clear();
        }
        let resources = file.child("resources");
        let mut urls: Vec<(i64, Base)> = resources
            .into_iter()
            .flat_map(|all| all.all("url"))
            .filter_map(|url| {
                let preference = url.attr("preference").and_then(|p| p.trim().parse().ok());
                let base = web(url.text.trim().strip_suffix(REPOMD)?)?;
                Some((preference.unwrap_or(0), base))
            })
            .collect();
        urls.sort_by_key(|(preference, _)| std::cmp::Reverse(*preference));
        let mut bases: Vec<Base> = Vec::new();
        for (_, base) in urls {
            if bases.len() < MAX_MIRRORS && !bases.contains(&base) {
                bases.push(base);
            }
        }
        Ok(Self { bases, expected })
    }

    /// Returns which of the expected versions `repomd` is, 0 being the one that counts; `None` when it is none of them.
    #[must_use]
    pub fn version(&self, repomd: &[u8]) -> Option<usize> {
        if self.expected.is_empty() {
            return Some(0);
        }
        self.expected.iter().position(|version| version.is(repomd))
    }
}

/// A folder at a web server; nothing else is a mirror.
fn web(url: &str) -> Option<Base> {
    let base = Base::parse(url).ok()?;
    let url = base.address();
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(base)
}

/// The URLs of a plain list: one a line, at its start or after words, `=` and blanks, so that comments do not count.
fn lines(text: &str) -> impl Iterator<Item = Base> {
    text.lines().filter_map(|line| {
        let at = line.find("http://").or_else(|| line.find("https://"))?;
        let (before, url) = line.split_at(at);
        let plain = before
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '=' || c.is_whitespace());
        let apart = before.is_empty() || before.ends_with(char::is_whitespace);
        let url = url.split_whitespace().next()?;
        (plain && apart).then(|| web(url)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bases(mirrors: &Mirrors) -> Vec<String> {
        mirrors.bases.iter().map(ToString::to_string).collect()
    }

    fn listed(text: &str) -> Vec<String> {
        bases(&Mirrors::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn mirrorlists_are_read_line_by_line() {
        let text = "# repo = x http://no/\nhttp://a/os/\nbaseurl = https://b/os/ \n<url>http://no/</url>\nx\n";
        assert_eq!(listed(text), ["http://a/os/", "https://b/os/"]);
        let text = "\u{feff}http://a/os\r\n\r\n#http://no/\r\nhttp://b/$basearch/\r\nftp://no/\r\nhttp://\r\n";
        assert_eq!(listed(text), ["http://a/os/", "http://b/$basearch/"]);
    }

    const METALINK: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="other"><resources><url preference="100">http://no/repodata/repomd.xml</url></resources></file>
  <file name="repomd.xml">
   <size>3</size>
   <verification><hash type="md5">ACBD18DB4CC2F85CEDEF654FCCC4A4D8</hash><hash type="whirlpool">x</hash></verification>
   <mm0:alternates><mm0:alternate><size>3</size>
    <verification><hash type="sha1">62cdb7020ff920e5aa642c3d4066950dd1f01f4d</hash></verification>
   </mm0:alternate></mm0:alternates>
   <resources maxconnections="1">
    <url protocol="rsync" preference="100">rsync://no/repodata/repomd.xml</url>
    <url protocol="http" preference="90">http://second/os/repodata/repomd.xml</url>
    <url protocol="https" preference="99">https://first/os/repodata/repomd.xml</url>
    <url protocol="http">http://last/repodata/repomd.xml</url>
    <url protocol="http" preference="98">http://no/index.html</url>
   </resources>
  </file>
 </files>
</metalink>"#;

    #[test]
    fn a_metalink_names_mirrors_by_preference_and_the_files_that_they_should_have() {
        let mirrors = Mirrors::read(METALINK.as_bytes()).unwrap();
        assert_eq!(
            bases(&mirrors),
            ["https://first/os/", "http://second/os/", "http://last/"]
        );
        assert_eq!(mirrors.version(b"foo"), Some(0));
        assert_eq!(mirrors.version(b"bar"), Some(1));
        assert_eq!(mirrors.version(b"baz"), None);
        assert_eq!(Mirrors::default().version(b"baz"), Some(0));
        for broken in ["<metalink></metalink>", "<metalink><files>", "<metalink"] {
            assert!(Mirrors::read(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn the_strongest_digest_of_a_metalink_decides() {
        let metalink = |hashes: &str| {
            let text = METALINK.replace(
                "<hash type=\"md5\">ACBD18DB4CC2F85CEDEF654FCCC4A4D8</hash>",
                hashes,
            );
            Mirrors::read(text.as_bytes()).unwrap()
        };
        let sha256 = pith_core::Sha256::of(b"foo");
        let wrong = "0".repeat(32);
        for hashes in [
            format!("<hash type='md5'>{wrong}</hash><hash type='sha256'>{sha256}</hash>"),
            format!("<hash type='SHA-256'> {sha256} </hash><hash type='md5'>{wrong}</hash>"),
            format!("<hash type='sha256'>{sha256}</hash><hash type='blake3'>{sha256}</hash>"),
        ] {
            assert_eq!(metalink(&hashes).version(b"foo"), Some(0), "{hashes}");
            assert_eq!(metalink(&hashes).version(b"baz"), None, "{hashes}");
        }
        let weak = format!("<hash type='md5'>{wrong}</hash>");
        assert_eq!(metalink(&weak).version(b"foo"), None);
    }

    proptest! {
        #[test]
        fn any_text_gives_only_web_servers(text in "(?s).{0,400}") {
            for base in Mirrors::read(text.as_bytes()).map(|m| m.bases).unwrap_or_default() {
                prop_assert!(matches!(base.address().scheme(), "http" | "https"));
            }
        }
    }
}
