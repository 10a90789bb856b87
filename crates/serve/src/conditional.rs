//! Conditional requests (RFC 9110, section 13).

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

/// The last second that a date in a header can say.
const LAST_SECOND: i64 = 253_402_300_799;

/// The marks that tell one state of a file from another.
pub(crate) struct Validators {
    /// The entity tag with its quotes; always strong.
    pub(crate) etag: String,
    /// The date of the last change in whole seconds; `None` when nobody knows.
    pub(crate) modified: Option<SystemTime>,
}

/// Seconds since 1970 as a time that a header can say; what cannot be said is cut.
pub(crate) fn time(seconds: i64) -> SystemTime {
    let seconds = u64::try_from(seconds.clamp(0, LAST_SECOND)).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The verdict on the conditions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

impl Validators {
    /// Evaluates the conditions in the order that the standard gives.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Verdict {
        if headers.contains_key(IF_MATCH) {
            if !self.is_listed(headers, &IF_MATCH, false) {
                return Verdict::Failed;
            }
        } else if self.compare(headers, &IF_UNMODIFIED_SINCE, |modified, date| {
            modified > date
        }) {
            return Verdict::Failed;
        }
        let unchanged = if headers.contains_key(IF_NONE_MATCH) {
            self.is_listed(headers, &IF_NONE_MATCH, true)
        } else {
            self.compare(headers, &IF_MODIFIED_SINCE, |modified, date| {
                modified <= date
            })
        };
        if unchanged {
            Verdict::NotModified
        } else {
            Verdict::Proceed
        }
    }

    /// Tells whether a `Range` header counts: no `If-Range`, or one that names exactly this state.
    pub(crate) fn allow_range(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(IF_RANGE) else {
            return true;
        };
        value.to_str().is_ok_and(|value| value == self.etag)
            || self.compare(headers, &IF_RANGE, |modified, date| modified == date)
    }

    fn compare(
        &self,
        headers: &HeaderMap,
        name: &http::HeaderName,
        holds: impl FnOnce(SystemTime, SystemTime) -> bool,
    ) -> bool {
        self.modified
            .zip(date(headers, name))
            .is_some_and(|(modified, date)| holds(modified, date))
    }

    fn is_listed(&self, headers: &HeaderMap, name: &http::HeaderName, weak: bool) -> bool {
        let tags = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','));
        tags.map(str::trim).any(|tag| {
            let tag = if weak {
                tag.strip_prefix("W/").unwrap_or(tag)
            } else {
                tag
            };
            tag == "*" || tag == self.etag
        })
    }
}

fn date(headers: &HeaderMap, name: &http::HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &str)]) -> Verdict {
        let validators = Validators {
            etag: "\"abc\"".to_owned(),
            modified: Some(time(784_111_777)),
        };
        let headers = pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
        validators.check(&headers.collect())
    }

    #[test]
    fn tags_win_over_dates_and_dates_compare_by_second() {
        const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
        for (pairs, expected) in [
            (vec![], Verdict::Proceed),
            (vec![("if-none-match", "\"abc\"")], Verdict::NotModified),
            (
                vec![("if-none-match", "\"x\", W/\"abc\"")],
                Verdict::NotModified,
            ),
            (vec![("if-none-match", "*")], Verdict::NotModified),
            (
                vec![("if-none-match", "\"x\""), ("if-modified-since", THEN)],
                Verdict::Proceed,
            ),
            (vec![("if-modified-since", THEN)], Verdict::NotModified),
            (vec![("if-modified-since", BEFORE)], Verdict::Proceed),
            (vec![("if-modified-since", "yesterday")], Verdict::Proceed),
            (vec![("if-match", "\"abc\"")], Verdict::Proceed),
            (vec![("if-match", "W/\"abc\"")], Verdict::Failed),
            (vec![("if-unmodified-since", BEFORE)], Verdict::Failed),
            (vec![("if-unmodified-since", THEN)], Verdict::Proceed),
        ] {
            assert_eq!(check(&pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn times_beyond_what_headers_can_say_are_cut() {
        for seconds in [i64::MIN, -1, 0, i64::MAX] {
            httpdate::fmt_http_date(time(seconds));
        }
    }
}
