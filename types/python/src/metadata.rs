//! Core metadata: the headers of `METADATA` and `PKG-INFO`.

use std::io::{self, BufRead};

/// Bytes of headers that are read; the description, which may be long, stands behind them.
const MOST: u64 = 1 << 20;
/// Characters that are kept of a text for people.
const LONGEST_TEXT: usize = 2048;

/// The facts of a package that its metadata tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The name of the project.
    pub name: String,
    /// The version.
    pub version: String,
    /// The author's name.
    pub author: Option<String>,
    /// One line on the project.
    pub summary: Option<String>,
    /// The versions of Python that it works with.
    pub requires_python: Option<String>,
}

/// A document that is no metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A field that every package has is missing.
    #[error("the metadata of the package has no {0}")]
    Missing(&'static str),
    /// Headers that do not end.
    #[error("the metadata of the package has more than a megabyte of headers")]
    TooLong,
    /// The document cannot be read.
    #[error("the metadata of the package cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads headers up to the first empty line.
///
/// # Errors
/// [`MetadataError`].
pub fn read(document: impl BufRead) -> Result<Metadata, MetadataError> {
    let mut document = document.take(MOST);
    let mut found = Metadata::default();
    let mut current: Option<(String, String)> = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = document.read_until(b'\n', &mut line)?;
        if read == 0 && document.limit() == 0 {
            return Err(MetadataError::TooLong);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if read == 0 || text.is_empty() {
            break;
        }
        if text.starts_with([' ', '\t']) {
            if let Some((_, value)) = &mut current {
                value.push(' ');
                value.push_str(text.trim());
            }
            continue;
        }
        found.take(current.take());
        let header = text.split_once(':');
        current = header.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    found.take(current);
    match () {
        () if found.name.is_empty() => Err(MetadataError::Missing("Name")),
        () if found.version.is_empty() => Err(MetadataError::Missing("Version")),
        () => Ok(found),
    }
}

impl Metadata {
    /// Takes a header; the first of a name counts.
    fn take(&mut self, header: Option<(String, String)>) {
        let Some((name, value)) = header else {
            return;
        };
        let value: String = value
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_TEXT)
            .collect();
        // What was not known was written so by older tools.
        if value.is_empty() || value == "UNKNOWN" {
            return;
        }
        let optional = match name.as_str() {
            "name" if self.name.is_empty() => {
                self.name = value;
                return;
            }
            "version" if self.version.is_empty() => {
                self.version = value;
                return;
            }
            "author" => &mut self.author,
            "summary" => &mut self.summary,
            "requires-python" => &mut self.requires_python,
            _ => return,
        };
        optional.get_or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn headers_are_read_and_the_description_is_not() {
        let text = "Metadata-Version: 2.1\r\nName: a\r\nVersion: 1\nSummary: one\n  line\nAuthor: UNKNOWN\n\
                    Requires-Python: >=3.8\n\nName: other\n";
        let found = read(text.as_bytes()).unwrap();
        let expected = Metadata {
            name: "a".to_owned(),
            version: "1".to_owned(),
            author: None,
            summary: Some("one line".to_owned()),
            requires_python: Some(">=3.8".to_owned()),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_hundred_megabytes_of_headers_are_refused_and_as_much_description_is_not_read() {
        let endless = io::repeat(b'x').take(100 << 20);
        let headers =
            io::BufReader::new("Name: a\nVersion: 1\nSummary: ".as_bytes().chain(endless));
        assert!(matches!(read(headers), Err(MetadataError::TooLong)));
        let endless = io::repeat(b'x').take(100 << 20);
        let described = io::BufReader::new("Name: a\nVersion: 1\n\n".as_bytes().chain(endless));
        assert_eq!(read(described).unwrap().version, "1");
        assert!(matches!(
            read(&b"Name: a\n"[..]),
            Err(MetadataError::Missing("Version"))
        ));
    }
}
