//! The head of a request, as far as it is kept: nothing else of it stays in memory while its body is waited for.

use std::borrow::Cow;

use http::header::{
    AUTHORIZATION, COOKIE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, PROXY_AUTHORIZATION, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;
use pith_content::routes::{BodyKind, Route};

/// Headers by which published content is asked for.
const CONDITIONS: [HeaderName; 6] = [
    RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
    IF_RANGE,
];
/// Headers that no endpoint sees.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// The part of a head that is kept.
pub(super) struct Head {
    /// The request by which published content is asked for.
    pub(super) parts: Parts,
    /// The headers that the endpoint is told.
    pub(super) told: HeaderMap,
}

impl Head {
    pub(super) fn of(mut parts: Parts, route: &Route) -> Self {
        let all = std::mem::take(&mut parts.headers);
        let of_route = route.headers.iter().filter_map(|name| name.parse().ok());
        let of_route = of_route.filter(|name| !SECRET.contains(name));
        let told = only(&all, of_route);
        // Who sends a body asks for nothing that is published.
        if route.body == BodyKind::Nothing {
            parts.headers = only(&all, CONDITIONS);
        }
        Self { parts, told }
    }
}

fn only(all: &HeaderMap, names: impl IntoIterator<Item = HeaderName>) -> HeaderMap {
    let mut some = HeaderMap::new();
    for name in names {
        for value in all.get_all(&name) {
            some.append(name.clone(), value.clone());
        }
    }
    some
}

/// The segments of a request's path, decoded; `None` for a path that no honest client sends.
pub(super) fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let decoded = segments.map(|segment| {
        let decoded = percent_decode_str(segment).decode_utf8().ok()?;
        let is_safe = !matches!(&*decoded, "." | "..")
            && !decoded.contains(|c: char| matches!(c, '/' | '\\') || c.is_control());
        is_safe.then_some(decoded)
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_segment_by_segment_and_lead_nowhere_else() {
        let read = |path| segments(path).map(|found| found.join("|"));
        assert_eq!(read("/v2//a%20b/").as_deref(), Some("v2|a b"));
        for path in [
            "/v2/../x",
            "/v2/%2e%2e/x",
            "/v2/a%2fb",
            "/v2/a%00",
            "/v2/%ff",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
    }
}
