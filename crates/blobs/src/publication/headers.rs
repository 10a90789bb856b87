//! Headers of one entry, as the text that the index keeps: the content type, then each further header on a line of its own.

/// The most bytes that the headers of an entry may take as a text.
pub const MAX_HEADERS: usize = u8::MAX as usize;

/// The text of a content type, where there is one, and further headers.
#[must_use]
pub fn headers_text<'a>(
    content_type: Option<&str>,
    others: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let mut text = content_type.unwrap_or_default().to_owned();
    for (name, value) in others {
        text.extend(["\n", name, ": ", value]);
    }
    (!text.is_empty()).then_some(text)
}

/// The content type in such a text.
#[must_use]
pub fn content_type(text: &str) -> Option<&str> {
    text.lines().next().filter(|first| !first.is_empty())
}

/// The further headers in such a text.
pub fn further_headers(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_were_written() {
        let others = [("x-one", "1: 2"), ("x-two", "")];
        let text = headers_text(Some("text/plain"), others).unwrap();
        assert_eq!(content_type(&text), Some("text/plain"));
        assert_eq!(further_headers(&text).collect::<Vec<_>>(), others);
        let text = headers_text(None, others).unwrap();
        assert_eq!(content_type(&text), None);
        assert_eq!(further_headers(&text).collect::<Vec<_>>(), others);
        assert_eq!(headers_text(None, []), None);
    }
}
