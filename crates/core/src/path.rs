//! Relative paths that are safe by construction: no name from outside becomes a path without passing here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Longest path, in bytes.
pub const MAX_PATH: usize = 4096;
/// Longest segment, in bytes: what file systems and clients can hold.
pub const MAX_SEGMENT: usize = 255;

/// A relative path of one or more segments joined by `/`. It has no empty, `.` or `..` segment, no backslash, no
/// control character, and does not start with `/`; so it cannot leave the folder or mount it is put below.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RelativePath(String);

/// The reason why a text is not a [`RelativePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not a safe relative path: {reason}", shorten(.path))]
pub struct UnsafePath {
    /// The text as it came.
    pub path: String,
    /// The fault in it.
    pub reason: &'static str,
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl RelativePath {
    /// Checks `text`.
    ///
    /// # Errors
    /// [`UnsafePath`] with the reason.
    pub fn new(text: impl Into<String>) -> Result<Self, UnsafePath> {
        let path = text.into();
        let reason = if path.is_empty() {
            "it is empty"
        } else if path.len() > MAX_PATH {
            "it is too long"
        } else if path.starts_with('/') {
            "it is absolute"
        } else if path.contains('\\') {
            "it holds a backslash"
        } else if path.chars().any(char::is_control) {
            "it holds a control character"
        } else if path.split('/').any(|s| s == "..") {
            "it points outside of its folder"
        } else if path.split('/').any(|s| s.is_empty() || s == ".") {
            "it has an empty or '.' segment"
        } else if path.split('/').any(|s| s.len() > MAX_SEGMENT) {
            "one of its segments is too long"
        } else {
            return Ok(Self(path));
        };
        Err(UnsafePath { path, reason })
    }

    /// Checks a text that may be longer than it must: empty and `.` segments are dropped, and `..` takes back the segment before
    /// it. It still names a file and leads nowhere else.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn cleaned(text: &str) -> Result<Self, UnsafePath> {
        let names_a_file = !matches!(text.rsplit('/').next(), None | Some("" | "." | ".."));
        let mut segments: Vec<&str> = Vec::new();
        let mut stays_inside = !text.starts_with('/');
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => stays_inside &= segments.pop().is_some(),
                _ => segments.push(segment),
            }
        }
        match stays_inside && names_a_file {
            true => Self::new(segments.join("/")),
            false => Self::new(text),
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// `self/other`.
    ///
    /// # Errors
    /// [`UnsafePath`] when the result is too long.
    pub fn join(&self, other: &Self) -> Result<Self, UnsafePath> {
        Self::new(format!("{}/{}", self.0, other.0))
    }
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RelativePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for RelativePath {
    type Err = UnsafePath;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for RelativePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for good in [
            "a",
            "Packages/w/walrus-5.21-1.noarch.rpm",
            "a b/ü",
            "..a/b..",
            "a:b^c~d",
        ] {
            assert_eq!(RelativePath::new(good).unwrap().as_str(), good);
        }
        assert_eq!(RelativePath::new("a/b/c.rpm").unwrap().file_name(), "c.rpm");
    }

    #[test]
    fn more_words_for_the_same_path_are_understood() {
        for (text, path) in [
            ("./a", "a"),
            ("a//b", "a/b"),
            ("a/./b/../c", "a/c"),
            (".//./a b", "a b"),
            ("a", "a"),
        ] {
            assert_eq!(RelativePath::cleaned(text).unwrap().as_str(), path);
        }
        for bad in [
            "",
            ".",
            "./",
            "a/",
            "a/..",
            "../a",
            "a/../../b/c",
            "/a",
            "a\\b",
            "./a\n",
        ] {
            assert!(RelativePath::cleaned(bad).is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn names_that_could_escape_or_confuse_are_refused() {
        let long = "a/".repeat(3000) + "b";
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a/..",
            "a//b",
            "./a",
            "a/.",
            "a\\b",
            "a\0b",
            "a\nb",
            &long,
        ] {
            assert!(RelativePath::new(bad).is_err(), "{bad:?} passed");
        }
        assert!(RelativePath::new("x".repeat(256)).is_err());
    }
}
