//! Folders at an upstream, and where the files that documents name are from there.
//!
//! Locations in documents are names rather than URLs: dnf percent-encodes what is not plain in them, `%` too. Upstreams
//! that write them encoded already, or whose servers take the request as it stands, are served by the raw spelling as a
//! second try. A query in the address of a feed (`…/product?TOKEN`) goes behind every path at that server and is a
//! secret: it is neither shown nor kept.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// Everything but the unreserved characters and the slash, as dnf does.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Characters that cannot stand in the path and the query of a URL; `%` and `?` can.
const RAW: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// A folder at an upstream: what a feed, a mirror or an alternate content source is. Its texts show no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Base {
    /// The address as given.
    address: Url,
    /// The address with a slash at its end, without query.
    folder: Url,
    /// The query, sent with everything that is asked of the folder's server.
    query: Option<String>,
}

/// A text that is not the address of a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotABase(String);

impl Base {
    /// Reads an address that a person or a document gives.
    ///
    /// # Errors
    /// When it is no absolute URL.
    pub fn parse(text: &str) -> Result<Self, NotABase> {
        let text = text.trim();
        let is_file = text
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"));
        // In the path of a folder these are data.
        let data = || text.replace('?', "%3F").replace('#', "%23");
        let parsed = match is_file {
            true => Url::parse(&data()),
            false => Url::parse(text),
        };
        let mut address = parsed.map_err(|error| NotABase(error.to_string()))?;
        if address.cannot_be_a_base() {
            return Err(NotABase("it is no URL of a folder".to_owned()));
        }
        address.set_fragment(None);
        let mut folder = address.clone();
        folder.set_query(None);
        let path = format!("{}/", folder.path().trim_end_matches('/'));
        folder.set_path(&path);
        let query = address.query().filter(|query| !query.is_empty());
        Ok(Self {
            query: query.map(str::to_owned),
            folder,
            address,
        })
    }

    /// The address as given, for what is not a folder after all: a list of mirrors.
    #[must_use]
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// The site that it is at: scheme, host and port, or `file://` for this machine.
    #[must_use]
    pub fn site(&self) -> String {
        match self.folder.scheme() {
            "file" => "file://".to_owned(),
            _ => self.folder.origin().ascii_serialization(),
        }
    }

    /// Returns the URLs of a file that a document calls `location`, spellings in the order in which they are to be tried. A
    /// location may lead above the folder, and it may be a URL of its own.
    #[must_use]
    pub fn join(&self, location: &str) -> Vec<Url> {
        if let Some(url) = absolute(location) {
            return vec![self.with_query(url)];
        }
        // dnf looks for `/x` below the folder, a browser at the root of the server.
        let below = location.trim_start_matches('/');
        let mut starts = vec![format!("./{below}")];
        if below.len() < location.len() {
            starts.push(format!("/{below}"));
        }
        let mut urls = Vec::with_capacity(2);
        for start in &starts {
            for spelling in [ESCAPED, RAW] {
                let path = utf8_percent_encode(start, spelling).to_string();
                let url = self.folder.join(&path).map(|url| self.with_query(url));
                urls.extend(url.ok().filter(|url| !urls.contains(url)));
            }
        }
        urls
    }

    /// The folder that a document of this one names, by a URL or relative to this one (`xml:base`).
    ///
    /// # Errors
    /// When it is no URL.
    pub fn beside(&self, base: &str) -> Result<Self, NotABase> {
        if absolute(base).is_some() {
            return Self::parse(base);
        }
        let path = utf8_percent_encode(base, RAW).to_string();
        let joined = self.folder.join(&path);
        let joined = joined.map_err(|error| NotABase(error.to_string()))?;
        Self::parse(self.with_query(joined).as_str())
    }

    /// A URL as it may be kept for later: relative to the folder where [`Base::follow`] leads back to it, and without
    /// the folder's secrets.
    #[must_use]
    pub fn keep(&self, url: &Url) -> String {
        let mut plain = url.clone();
        if self.is_at_home(url) && plain.query() == self.query.as_deref() {
            plain.set_query(None);
        }
        let relative = self.folder.make_relative(&plain);
        // A name with a colon would be read as a URL of its own, and the folder itself has an empty one.
        let needs_dot =
            |path: &str| path.is_empty() || path.contains(':') && !path.starts_with('.');
        let relative = relative.map(|path| match needs_dot(&path) {
            true => format!("./{path}"),
            false => path,
        });
        match relative {
            Some(path) if self.follow(&path).as_ref() == Some(url) => path,
            _ => without_password(plain).into(),
        }
    }

    /// Returns where a URL leads that [`Base::keep`] gave, now that this is the folder.
    #[must_use]
    pub fn follow(&self, kept: &str) -> Option<Url> {
        match Url::parse(kept) {
            Ok(url) => Some(url),
            Err(_) => self.folder.join(kept).ok().map(|url| self.with_query(url)),
        }
    }

    /// Returns where such a URL leads without this folder's password and token: what may be kept when the feed is gone.
    #[must_use]
    pub fn follow_openly(&self, kept: &str) -> Option<Url> {
        let url = Url::parse(kept).or_else(|_| self.folder.join(kept));
        url.ok().map(without_password)
    }

    fn is_at_home(&self, url: &Url) -> bool {
        self.folder.has_host() && self.folder.origin() == url.origin()
    }

    /// `url` with the folder's query, where that belongs.
    fn with_query(&self, mut url: Url) -> Url {
        if let Some(query) = self.query.as_deref().filter(|_| self.is_at_home(&url)) {
            let both = match url.query().filter(|own| !own.is_empty()) {
                Some(own) => format!("{own}&{query}"),
                None => query.to_owned(),
            };
            url.set_query(Some(&both));
        }
        url
    }
}

/// The folder's URL as it may be shown.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(without_password(self.folder.clone()).as_str())
    }
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base({self})")
    }
}

/// A URL as it may be shown: without user, password, query and fragment.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    without_password(url).into()
}

/// A URL as it may be kept when there is no folder to keep it by.
#[must_use]
pub fn without_password(mut url: Url) -> Url {
    // What cannot carry a password has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// `text` when it is a URL of its own.
fn absolute(text: &str) -> Option<Url> {
    let (scheme, _) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let url = (!scheme.is_empty() && scheme.chars().all(plain)).then(|| Url::parse(text));
    url?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base(text: &str) -> Base {
        Base::parse(text).unwrap()
    }

    fn joined(feed: &str, location: &str) -> Vec<String> {
        base(feed)
            .join(location)
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn names_are_escaped_as_dnf_does_and_raw_at_second() {
        let of = |location| joined("http://h/os", location);
        assert_eq!(of("P/a-1.0~rc.rpm"), ["http://h/os/P/a-1.0~rc.rpm"]);
        assert_eq!(of("a+b"), ["http://h/os/a%2Bb", "http://h/os/a+b"]);
        assert_eq!(of("a%5Eb"), ["http://h/os/a%255Eb", "http://h/os/a%5Eb"]);
        assert_eq!(of("a b/ü"), ["http://h/os/a%20b/%C3%BC"]);
        assert_eq!(of("a:b"), ["http://h/os/a%3Ab", "http://h/os/a:b"]);
        assert_eq!(
            of("c#d?e"),
            ["http://h/os/c%23d%3Fe", "http://h/os/c%23d?e"]
        );
        assert_eq!(of("a\\..\\b"), ["http://h/os/a%5C..%5Cb"]);
    }

    #[test]
    fn locations_may_lead_above_the_folder_and_elsewhere() {
        let of = |location| joined("http://h/a/os/", location);
        assert_eq!(of("../pool/x"), ["http://h/a/pool/x"]);
        assert_eq!(of("../../../../x"), ["http://h/x"]);
        assert_eq!(of("/x"), ["http://h/a/os/x", "http://h/x"]);
        assert_eq!(of("//e/x"), ["http://h/a/os/e/x", "http://h/e/x"]);
        assert_eq!(of("https://e/x?s=1"), ["https://e/x?s=1"]);
        let beside = |base_: &str| base("http://h/a/os/").beside(base_).unwrap().to_string();
        assert_eq!(beside("http://e/os"), "http://e/os/");
        assert_eq!(beside("../other"), "http://h/a/other/");
        assert_eq!(beside("media://1#2"), "media://1/");
    }

    #[test]
    fn the_query_of_a_feed_goes_behind_every_path_of_its_server_and_is_not_shown() {
        for feed in ["http://h/p?T=1", "http://h/p/?T=1", " http://h/p///?T=1#x "] {
            assert_eq!(joined(feed, "a+b")[0], "http://h/p/a%2Bb?T=1");
            assert_eq!(joined(feed, "../x")[0], "http://h/x?T=1");
            assert_eq!(joined(feed, "http://h/x?s=1")[0], "http://h/x?s=1&T=1");
            assert_eq!(joined(feed, "http://e/x")[0], "http://e/x");
            let feed = base(feed);
            assert!(!format!("{feed} {feed:?}").contains('T'));
            assert_eq!(feed.address().query(), Some("T=1"));
            assert_eq!(feed.keep(&feed.join("a+b")[0]), "a%2Bb");
            assert_eq!(
                feed.beside("../q").unwrap().join("x")[0].query(),
                Some("T=1")
            );
        }
    }

    #[test]
    fn folders_of_this_machine_have_any_name() {
        assert_eq!(
            joined("file:///srv/a b#c?d", "x#y.iso"),
            ["file:///srv/a%20b%23c%3Fd/x%23y.iso"]
        );
        assert_eq!(
            base("http://bücher.example/ü/").to_string(),
            "http://xn--bcher-kva.example/%C3%BC/"
        );
        for bad in ["", "x", "mailto:x", "http://"] {
            assert!(Base::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn urls_are_kept_relative_and_follow_the_feed() {
        let feed = base("http://a.example/os/?T");
        let kept = |url: &str| feed.keep(&url.parse().unwrap());
        assert_eq!(kept("http://a.example/os/P/x.rpm?T"), "P/x.rpm");
        assert_eq!(kept("http://a.example/pool/x.rpm?T"), "../pool/x.rpm");
        assert_eq!(kept("http://a.example/os/http:x?T"), "./http:x");
        for other in ["http://b.example/os/x?s=1", "http://a.example/os/x?repo=1"] {
            assert_eq!(kept(other), other);
        }
        assert_eq!(kept("http://ann:secret@b.example/x"), "http://b.example/x");
        let moved = base("https://b.example/new?U");
        let follow = |kept: &str| moved.follow(kept).unwrap().to_string();
        assert_eq!(follow("../pool/x.rpm"), "https://b.example/pool/x.rpm?U");
        assert_eq!(follow("http://c.example/x"), "http://c.example/x");
    }

    proptest! {
        #[test]
        fn a_location_leads_to_the_same_server_and_is_found_again(location in "[^\0]{1,30}") {
            prop_assume!(absolute(&location).is_none());
            let feed = base("http://h.example:8080/a/b/?T");
            let urls = feed.join(&location);
            prop_assert!(!urls.is_empty());
            for url in urls {
                prop_assert_eq!(url.host_str(), Some("h.example"));
                prop_assert_eq!(url.port(), Some(8080));
                prop_assert!(url.query().unwrap_or_default().ends_with('T'));
                prop_assert_eq!(feed.follow(&feed.keep(&url)), Some(url));
            }
        }
    }
}
