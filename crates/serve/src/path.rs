//! Request paths, made safe once, and names turned back into URLs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986; so `:` too, since a name is no URL scheme.
const IN_A_SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A request path: decoded, without empty and `.` segments, without anything that a file system or a URL parser could
/// take for a separator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath {
    /// Segments joined by `/`, without a slash at either end; empty for the root.
    pub path: String,
    /// The path without decoding, where that differs: what a client asks for that takes a published name for a piece of a URL.
    pub literal: Option<String>,
    /// Is true when the request named a directory, by a slash at its end.
    pub is_dir: bool,
}

/// A request path that no honest client sends: `..`, NUL, backslash, an encoded slash, bytes that are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path holds '..', a backslash, an encoded slash, a NUL or bytes that are not UTF-8")]
pub struct Unsafe;

impl RequestPath {
    /// Reads the path of a request URI, still percent-encoded.
    ///
    /// # Errors
    /// [`Unsafe`], to be answered with 400.
    pub fn parse(raw: &str) -> Result<Self, Unsafe> {
        let mut path = String::with_capacity(raw.len());
        let mut literal = String::new();
        let mut is_dir = true;
        for raw_segment in raw.split('/') {
            let segment: Cow<'_, str> = percent_decode_str(raw_segment)
                .decode_utf8()
                .map_err(|_| Unsafe)?;
            if segment == ".." || segment.contains(['/', '\\', '\0']) {
                return Err(Unsafe);
            }
            is_dir = segment.is_empty() || segment == ".";
            if is_dir {
                continue;
            }
            if !path.is_empty() {
                path.push('/');
                literal.push('/');
            }
            path.push_str(&segment);
            literal.push_str(raw_segment);
        }
        Ok(Self {
            literal: Some(literal).filter(|literal| *literal != path),
            path,
            is_dir,
        })
    }

    /// The last segments of the path without decoding: as many as there are in `rest`, which is an end of the decoded path.
    #[must_use]
    pub fn literal_end(&self, rest: &str) -> Option<&str> {
        let literal = self.literal.as_deref()?;
        let slashes = rest.matches('/').count();
        let at = literal.rmatch_indices('/').nth(slashes);
        Some(at.map_or(literal, |(at, _)| &literal[at + 1..]))
    }
}

/// One name as a segment of a URL.
#[must_use]
pub fn encode_segment(name: &str) -> String {
    utf8_percent_encode(name, IN_A_SEGMENT).to_string()
}

/// The URL path of the directory `path` (as in [`RequestPath`]): absolute, with a slash at its end.
#[must_use]
pub fn directory_url(path: &str) -> String {
    let mut url = String::from("/");
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        url.push_str(&encode_segment(segment));
        url.push('/');
    }
    url
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(raw: &str) -> (String, bool) {
        let path = RequestPath::parse(raw).unwrap();
        (path.path, path.is_dir)
    }

    #[test]
    fn slashes_collapse_and_names_are_decoded() {
        assert_eq!(
            parsed("/pulp//repos/a%20b/"),
            ("pulp/repos/a b".into(), true)
        );
        assert_eq!(parsed("///x/./y%2B+"), ("x/y++".into(), false));
        assert_eq!(parsed("/x/%c3%bc"), ("x/ü".into(), false));
        assert_eq!(parsed("/"), (String::new(), true));
        assert_eq!(parsed("/a/%2e"), ("a".into(), true));
        assert_eq!(parsed("/..a/b.."), ("..a/b..".into(), false));
    }

    #[test]
    fn the_end_of_a_path_is_found_without_decoding_too() {
        let path = RequestPath::parse("/pulp//r%65pos/./a%3Ab/c%2B.rpm").unwrap();
        assert_eq!(path.path, "pulp/repos/a:b/c+.rpm");
        assert_eq!(path.literal_end("a:b/c+.rpm"), Some("a%3Ab/c%2B.rpm"));
        assert_eq!(
            path.literal_end(&path.path),
            Some("pulp/r%65pos/a%3Ab/c%2B.rpm")
        );
        assert_eq!(RequestPath::parse("/a+b").unwrap().literal_end("a+b"), None);
    }

    #[test]
    fn paths_that_could_escape_or_confuse_are_refused() {
        for bad in [
            "/..",
            "/a/../b",
            "/a/%2e%2E/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/%ff",
            "/.%2e/",
        ] {
            assert_eq!(RequestPath::parse(bad), Err(Unsafe), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(names in proptest::collection::vec("[^/\\\\\0]{1,8}", 1..4)) {
            prop_assume!(names.iter().all(|name| name != "." && name != ".."));
            let path = names.join("/");
            prop_assert_eq!(parsed(&directory_url(&path)), (path, true));
        }

        #[test]
        fn no_request_path_panics_or_escapes(raw in "[/.%0-9a-f\\\\]{0,30}") {
            if let Ok(RequestPath { path, .. }) = RequestPath::parse(&raw) {
                prop_assert!(path.is_empty() || path.split('/').all(|s| !s.is_empty() && s != "." && s != ".."));
            }
        }
    }
}
