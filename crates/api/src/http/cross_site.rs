//! Requests that a page of another site makes a browser send. The browser adds what it knows its user by, a login
//! certificate or a remembered password, so what such a page asks for is refused whatever it brings.
//!
//! Browsers send any site a GET or POST without asking first, as long as the body is a form or plain text; with each POST they
//! tell where it comes from. Clients that are no browsers send neither `Origin` nor `Sec-Fetch-Site`.

use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method};
use pith_core::error::PulpError;

/// Refuses what a page of another site asks for.
///
/// # Errors
/// 403 PLP0026.
pub(super) fn refuse_foreign(request: &Parts) -> Result<(), PulpError> {
    let is_harmless = matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_harmless || !is_foreign(request) {
        return Ok(());
    }
    Err(PulpError::forbidden(
        "Requests that a page of another site has a browser send are refused.",
    ))
}

/// Refuses a body whose content type is a text. A body without a content type, and one of `curl -d`, which claims to be a form,
/// are read as JSON.
///
/// # Errors
/// 415.
pub(super) fn refuse_text(headers: &HeaderMap) -> Result<(), PulpError> {
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = kind.as_bytes().trim_ascii_start();
    let is = |name: &[u8]| {
        kind.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    if is(b"text/plain") || is(b"multipart/") {
        return Err(PulpError::unsupported_media(
            "The request body must be JSON; send it as application/json",
        ));
    }
    Ok(())
}

fn is_foreign(request: &Parts) -> bool {
    let headers = &request.headers;
    if let Some(site) = headers.get("sec-fetch-site") {
        return !matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    // HTTP/2 has the host in the URI.
    let host = request.uri.authority().map(|host| host.as_str().as_bytes());
    let host = host.or_else(|| headers.get(HOST).map(http::HeaderValue::as_bytes));
    let site = [b"https://".as_slice(), b"http://"]
        .into_iter()
        .find_map(|scheme| origin.as_bytes().strip_prefix(scheme));
    match (site, host) {
        (Some(site), Some(host)) => !site.eq_ignore_ascii_case(host),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/x/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_a_page_of_another_site_asks_for_is_refused() {
        let foreign = |headers: &[(&str, &str)]| refuse_foreign(&parts("POST", headers)).is_err();
        let host = ("Host", "pith.example:8080");
        assert!(!foreign(&[host]));
        assert!(!foreign(&[host, ("Origin", "https://pith.example:8080")]));
        assert!(!foreign(&[
            host,
            ("Sec-Fetch-Site", "same-origin"),
            ("Origin", "null")
        ]));
        assert!(foreign(&[host, ("Origin", "https://evil.example")]));
        assert!(foreign(&[host, ("Origin", "https://pith.example")]));
        assert!(foreign(&[host, ("Origin", "null")]));
        assert!(foreign(&[host, ("Sec-Fetch-Site", "cross-site")]));
        assert!(foreign(&[host, ("Sec-Fetch-Site", "same-site")]));
        assert!(refuse_foreign(&parts("GET", &[("Sec-Fetch-Site", "cross-site")])).is_ok());
    }

    #[test]
    fn plain_text_is_no_json() {
        let taken = |kind: &str| refuse_text(&parts("POST", &[("Content-Type", kind)]).headers);
        assert!(taken("application/json").is_ok());
        assert!(taken("application/x-www-form-urlencoded").is_ok());
        assert!(refuse_text(&HeaderMap::new()).is_ok());
        for kind in [
            "text/plain",
            "Text/Plain; charset=utf-8",
            "multipart/form-data; boundary=x",
        ] {
            assert_eq!(taken(kind).unwrap_err().status, 415, "{kind}");
        }
    }
}
