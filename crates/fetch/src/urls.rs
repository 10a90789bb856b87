//! URLs without their secrets, and who a URL's secrets belong to.

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

/// Whether secrets meant for `from` may go to `to` as well: the same scheme, host and port, or the same host's step from
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
