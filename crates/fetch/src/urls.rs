//! URLs without their secrets, and who a URL's secrets belong to.

use std::path::PathBuf;

use url::Url;

/// `url` as it may be shown: without user name, password, query string (it may be a token) and fragment.
#[must_use]
pub fn clean(url: &Url) -> Url {
    let mut shown = url.clone();
    // These fail only for URLs that cannot have user and password, which then have none.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown
}

/// Tells whether secrets meant for `from` may go to `to` as well: the same scheme, host and port, or the same host's step from
/// HTTP to HTTPS on the usual ports.
pub(crate) fn same_site(from: &Url, to: &Url) -> bool {
    if from.host() != to.host() || to.host().is_none() {
        return false;
    }
    let origin = |url: &Url| (url.scheme().to_owned(), url.port_or_known_default());
    origin(from) == origin(to)
        || (origin(from) == ("http".to_owned(), Some(80))
            && origin(to) == ("https".to_owned(), Some(443)))
}

/// Tells whether two URLs are spellings of one: the same server, and the same name once nothing is percent-encoded any more.
pub(crate) fn respelt(one: &Url, other: &Url) -> bool {
    let server = |url: &Url| {
        let port = url.port_or_known_default();
        (
            url.scheme().to_owned(),
            url.host_str().map(str::to_owned),
            port,
        )
    };
    server(one) == server(other) && plain(one.path()) == plain(other.path())
}

/// A path without percent-encoding, however often it was encoded.
fn plain(path: &str) -> Vec<u8> {
    let mut bytes = path.as_bytes().to_vec();
    // Each round shortens it; a name that was encoded more often than this was not encoded here.
    for _ in 0..4 {
        let decoded: Vec<u8> = percent_encoding::percent_decode(&bytes).collect();
        if decoded == bytes {
            break;
        }
        bytes = decoded;
    }
    bytes
}

/// The path that a `file://` URL names on this machine.
pub(crate) fn path_of(url: &Url) -> Result<PathBuf, &'static str> {
    if url
        .host_str()
        .is_some_and(|host| !host.is_empty() && host != "localhost")
    {
        return Err("a file:// URL names another machine; write file:///path");
    }
    url.to_file_path()
        .map_err(|()| "the URL is not an absolute path")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_shown_url_has_no_secrets() {
        let url: Url = "https://me:hunter2@cdn.example.com:8443/a/b.rpm?token=hunter2#x"
            .parse()
            .unwrap();
        assert_eq!(clean(&url).as_str(), "https://cdn.example.com:8443/a/b.rpm");
    }

    #[test]
    fn spellings_of_one_name_at_one_server_are_the_same_file() {
        let respelt = |a: &str, b: &str| respelt(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(respelt("http://a/x%2By", "http://a:80/x+y"));
        assert!(respelt("http://a/x%255E", "http://a/x%5E"));
        assert!(!respelt("http://a/x", "http://a/y"));
        assert!(!respelt("http://a/x", "http://b/x"));
        assert!(!respelt("http://a/x", "https://a/x"));
    }

    #[test]
    fn secrets_stay_with_their_host_port_and_scheme() {
        let same = |a: &str, b: &str| same_site(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://a.example/x", "https://A.example:443/y"));
        assert!(same("http://a.example/x", "https://a.example/y"));
        assert!(!same("https://a.example/x", "http://a.example/y"));
        assert!(!same("https://a.example/x", "https://b.example/x"));
        assert!(!same("https://a.example/x", "https://a.example:8443/x"));
        assert!(!same("http://a.example:8080/x", "https://a.example/x"));
    }
}
