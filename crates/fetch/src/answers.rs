//! The meaning of an answer's status and headers for a download.

use std::time::Duration;

use reqwest::header::{
    CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED,
    RETRY_AFTER,
};
use url::Url;

use crate::error::ErrorKind;
use crate::headers::{Told, Validators, told};

/// Facts about a complete body besides its bytes.
pub(crate) struct Meta {
    pub(crate) url: Url,
    pub(crate) content_type: Option<String>,
    pub(crate) validators: Validators,
    /// The headers that were asked for.
    pub(crate) told: Told,
    /// Is true when it was packed though nobody asked for that, and is unpacked.
    pub(crate) unpacked: bool,
}

impl Meta {
    /// Facts from the headers of an answer from `url`; `None` when those that are asked for are too large.
    pub(crate) fn of(headers: &HeaderMap, url: &Url, names: &[&'static str]) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        Some(Self {
            content_type: content_type.map(str::to_owned),
            validators: Validators::of(headers),
            told: told(headers, names)?,
            ..Self::without_headers(url)
        })
    }

    /// Facts about what has no headers.
    pub(crate) fn without_headers(url: &Url) -> Self {
        Self {
            url: url.clone(),
            content_type: None,
            validators: Validators::default(),
            told: Told::new(),
            unpacked: false,
        }
    }
}

/// The means by which the body of a `200` can be resumed.
pub(crate) struct Resume {
    /// A strong entity tag, or a date that is strong enough.
    pub(crate) validator: HeaderValue,
    /// The size of the whole, when it was told.
    total: Option<u64>,
}

impl Resume {
    /// Returns how the body of an answer with these headers could be resumed safely.
    pub(crate) fn new(headers: &HeaderMap, total: Option<u64>) -> Option<Self> {
        if let Some(etag) = headers
            .get(ETAG)
            .filter(|etag| etag.as_bytes().starts_with(b"\""))
        {
            return Some(Self {
                validator: etag.clone(),
                total,
            });
        }
        // A date is strong when the file was at rest for a while before the answer (RFC 9110 §8.8.2.2).
        let modified = headers.get(LAST_MODIFIED)?;
        let date = |value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
        let at_rest = date(headers.get(DATE)?)?
            .duration_since(date(modified)?)
            .ok()?;
        (at_rest >= Duration::from_secs(1)).then(|| Self {
            validator: modified.clone(),
            total,
        })
    }

    /// Tells whether a partial answer goes on after `received` bytes, in the same version of the file.
    pub(crate) fn continues(&self, received: u64, headers: &HeaderMap) -> Result<(), &'static str> {
        let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let Some((start, total)) = header(CONTENT_RANGE).and_then(content_range) else {
            return Err("the server resumed without saying where");
        };
        if start != received {
            return Err("the server resumed at another place");
        }
        if self
            .total
            .zip(total)
            .is_some_and(|(before, now)| before != now)
        {
            return Err("the server resumed a file of another size");
        }
        let before = self.validator.to_str().unwrap_or_default();
        if before.starts_with('"') && header(ETAG).is_some_and(|now| now != before) {
            return Err("the server resumed another version of the file");
        }
        Ok(())
    }
}

/// First byte and size of the whole in a `Content-Range`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total = total.trim().parse().ok();
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

/// The wait in a `Retry-After`, in seconds or until a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    // Measured by the server's own clock, which need not agree with ours.
    let now = date(headers.get(DATE)?.to_str().ok()?)?;
    date(text)?.duration_since(now).ok()
}

/// Returns what a status that is no success means.
pub(crate) fn status_kind(status: u16) -> ErrorKind {
    match status {
        404 | 410 => ErrorKind::NotFound { status },
        401 | 403 | 407 => ErrorKind::Denied { status },
        _ => ErrorKind::Status { status },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for wrong in [
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "5-9/10",
            "bytes 5-9",
            "bytes x-9/10",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn retry_after_comes_in_seconds_or_as_a_date_of_the_servers_clock() {
        assert_eq!(
            retry_after(&headers(&[(RETRY_AFTER, "7")])),
            Some(Duration::from_secs(7))
        );
        let date = (DATE, "Sun, 02 Jan 2022 00:00:00 GMT");
        let later = (RETRY_AFTER, "Sun, 02 Jan 2022 00:00:30 GMT");
        assert_eq!(
            retry_after(&headers(&[date, later])),
            Some(Duration::from_secs(30))
        );
        assert_eq!(retry_after(&headers(&[(RETRY_AFTER, "soon")])), None);
    }

    #[test]
    fn only_strong_validators_resume() {
        assert!(Resume::new(&headers(&[(ETAG, "\"a\"")]), None).is_some());
        assert!(Resume::new(&headers(&[(ETAG, "W/\"a\"")]), None).is_none());
        let modified = (LAST_MODIFIED, "Sun, 02 Jan 2022 00:00:00 GMT");
        assert!(
            Resume::new(
                &headers(&[modified.clone(), (DATE, "Sun, 02 Jan 2022 00:00:01 GMT")]),
                None
            )
            .is_some()
        );
        assert!(
            Resume::new(
                &headers(&[modified.clone(), (DATE, "Sun, 02 Jan 2022 00:00:00 GMT")]),
                None
            )
            .is_none()
        );
        assert!(Resume::new(&headers(&[modified]), None).is_none());
    }

    proptest! {
        #[test]
        fn no_header_text_breaks_the_parsers(text in "\\PC{0,60}") {
            let _ = content_range(&text);
            if let Ok(value) = HeaderValue::from_str(&text) {
                let _ = retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]));
            }
        }
    }
}
