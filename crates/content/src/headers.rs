//! Headers of the answer for one path of a publication.

/// Headers that the server gives by itself: of the connection, of the bytes, and those that protect browsers.
const OWN: &[&str] = &[
    "accept-ranges",
    "cache-control",
    "connection",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "location",
    "set-cookie",
    "transfer-encoding",
    "x-content-type-options",
];

/// Headers beside those that the server gives every file, none of which they replace. Together they have at most 250 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// The content type, where the name of the path does not tell.
    pub content_type: Option<String>,
    /// Further headers: names and values.
    pub others: Vec<(String, String)>,
}

impl Headers {
    /// Checks that the headers can be sent and are none that the server gives by itself.
    ///
    /// # Errors
    /// The reason why not.
    pub fn check(&self) -> Result<(), String> {
        let others = self.others.iter();
        let texts = others.flat_map(|(name, value)| [name, value]);
        let mut texts = texts.chain(&self.content_type);
        if texts.any(|text| text.contains(char::is_control)) {
            return Err("a header holds a control character".to_owned());
        }
        let own = |name: &str| OWN.iter().any(|own| own.eq_ignore_ascii_case(name));
        match self.others.iter().find(|(name, _)| own(name)) {
            Some((name, _)) => Err(format!("the server gives the header '{name}' by itself")),
            None => Ok(()),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.others.push((name.into(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_gives_by_itself_and_what_breaks_lines_is_refused() {
        let of_type = |kind: &str| Headers {
            content_type: Some(kind.to_owned()),
            others: Vec::new(),
        };
        let plain = of_type("text/plain");
        assert_eq!(plain.clone().with("X-Digest", "1").check(), Ok(()));
        for refused in [
            plain.clone().with("etag", "1"),
            plain.clone().with("Set-Cookie", "a=b"),
            plain.with("X-Digest", "1\r\nX-Other: 2"),
            of_type("text/plain\n"),
        ] {
            assert!(refused.check().is_err(), "{refused:?}");
        }
    }
}
