//! Pages of projects: what an index says of the files of one project. The JSON API of Pulp 2's index and the simple index in HTML and
//! in JSON are told apart by what stands in the page.

mod entry;
mod html;
mod json;

use std::io::{self, BufRead, BufReader, Read};

use pith_core::{Algorithm, Digest};
use url::Url;

/// Media types of pages, the best one first.
pub const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/json;q=0.9, application/vnd.pypi.simple.v1+html;q=0.5, \
                          text/html;q=0.1";

/// Characters that are kept of a text.
const LONGEST_TEXT: usize = 2048;

/// A file as a page lists it, before anything of it is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub filename: String,
    /// Its address, absolute or relative to the page.
    pub location: Location,
    /// Its digests.
    pub digests: Vec<Digest>,
    /// Its size.
    pub size: Option<u64>,
    /// Its version, where the page tells it.
    pub version: Option<String>,
    /// The word for its kind, where the page tells it.
    pub package_type: Option<String>,
    /// The versions of Python that it works with.
    pub requires_python: Option<String>,
    /// The reason why nobody should choose it any more, which may be empty.
    pub yanked: Option<String>,
}

/// The place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A URL, or a path relative to the page.
    OfPage(String),
    /// A path below the folder `packages` of the feed: what Pulp's pages have.
    OfPackages(String),
}

impl Default for Location {
    fn default() -> Self {
        Self::OfPage(String::new())
    }
}

/// The facts of a project, which stand before its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The name, as its people spell it.
    pub name: Option<String>,
    /// The author's name.
    pub author: Option<String>,
    /// One line on the project.
    pub summary: Option<String>,
}

/// Something that a page has, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The facts of the project.
    About(About),
    /// A file.
    File(Box<Listed>),
    /// The address that locations are relative to, instead of the page's own.
    Base(String),
}

/// A page that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// It is neither JSON nor HTML.
    #[error("it is no page of a Python index")]
    NoPage,
    /// JSON that says something else.
    #[error("it is not in the expected format: {0}")]
    Json(#[from] serde_json::Error),
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A taker of what a page has; `false` ends the reading.
pub trait Take {
    /// Takes the next item.
    fn take(&mut self, item: Item) -> bool;
}

impl<F: FnMut(Item) -> bool> Take for F {
    fn take(&mut self, item: Item) -> bool {
        self(item)
    }
}

/// Reads a page as a stream.
///
/// # Errors
/// [`PageError`].
pub fn read(page: impl Read, take: &mut dyn Take) -> Result<(), PageError> {
    let mut page = BufReader::new(page);
    match first_byte(&mut page)? {
        Some(b'{') => json::read(page, take),
        Some(b'<') => html::read(page, take),
        _ => Err(PageError::NoPage),
    }
}

/// Tells whether a page is JSON.
pub fn is_json(page: impl Read) -> bool {
    matches!(first_byte(&mut BufReader::new(page)), Ok(Some(b'{')))
}

/// The first byte that is no blank and no mark of the byte order. What stands before it is skipped.
fn first_byte(page: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let ahead = page.fill_buf()?;
        let skipped = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
        let place = ahead.iter().position(|byte| !skipped(byte));
        match place {
            Some(place) => {
                let first = ahead[place];
                page.consume(place);
                return Ok(Some(first));
            }
            None if ahead.is_empty() => return Ok(None),
            None => {
                let blank = ahead.len();
                page.consume(blank);
            }
        }
    }
}

/// The digest in the fragment of a link, such as `sha256=…`.
fn fragment_digest(fragment: &str) -> Option<Digest> {
    let (algorithm, hex) = fragment.split('&').next()?.split_once('=')?;
    Digest::new(algorithm.parse().ok()?, hex).ok()
}

/// A digest, when algorithm and text make one.
fn digest(algorithm: &str, hex: &str) -> Option<Digest> {
    let algorithm: Algorithm = algorithm.parse().ok()?;
    Digest::new(algorithm, hex).ok()
}

/// A text for people or clients, without what breaks lines; `None` when nothing is left.
fn text(value: &str) -> Option<String> {
    let plain: String = value
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_TEXT)
        .collect();
    (!plain.is_empty()).then_some(plain)
}

/// The address of a file, of a page that came from `page` and names `base`.
#[must_use]
pub fn resolve(page: &Url, base: Option<&str>, location: &str) -> Option<Url> {
    let base = base.and_then(|base| page.join(base).ok());
    let mut url = base.as_ref().unwrap_or(page).join(location).ok()?;
    url.set_fragment(None);
    let leads = match url.scheme() {
        "http" | "https" => true,
        // Files of this machine are for pages of this machine.
        scheme => scheme == "file" && page.scheme() == "file",
    };
    leads.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn all(page: &str) -> Vec<Item> {
        let mut items = Vec::new();
        read(page.as_bytes(), &mut |item| {
            items.push(item);
            true
        })
        .unwrap();
        items
    }

    fn files(page: &str) -> Vec<Listed> {
        let files = all(page).into_iter().filter_map(|item| match item {
            Item::File(file) => Some(*file),
            _ => None,
        });
        files.collect()
    }

    #[test]
    fn the_three_kinds_of_pages_say_the_same() {
        let api = format!(
            r#" {{"info": {{"name": "A", "author": null, "summary": "s"}}, "releases": {{"1": [{{"filename": "a-1.zip",
            "packagetype": "sdist", "url": "../a-1.zip", "digests": {{"sha256": "{SHA256}", "blake2b_256": "x"}}, "size": 3,
            "requires_python": ">=3", "yanked": true, "yanked_reason": "bad"}}]}}, "urls": [{{}}]}}"#
        );
        let simple = format!(
            r#"{{"meta": {{"api-version": "1.1"}}, "name": "a", "files": [{{"filename": "a-1.zip", "url": "../a-1.zip",
            "hashes": {{"sha256": "{SHA256}"}}, "requires-python": ">=3", "yanked": "bad", "size": 3}}]}}"#
        );
        let html = format!(
            "<!DOCTYPE html><html><body><!-- <a href='x'>x</a> --><a href=\"../a-1.zip#sha256={SHA256}\" \
             data-requires-python=\"&gt;=3\" data-yanked=\"bad\"> a-1.<b>zip</b>\n</a><a>no link</a></body></html>"
        );
        let (api, simple, html) = (files(&api), files(&simple), files(&html));
        let shared = Listed {
            filename: "a-1.zip".to_owned(),
            location: Location::OfPage("../a-1.zip".to_owned()),
            digests: vec![Digest::new(Algorithm::Sha256, SHA256).unwrap()],
            requires_python: Some(">=3".to_owned()),
            yanked: Some("bad".to_owned()),
            ..Listed::default()
        };
        assert_eq!(html, std::slice::from_ref(&shared));
        let sized = Listed {
            size: Some(3),
            ..shared
        };
        assert_eq!(simple, std::slice::from_ref(&sized));
        let told = Listed {
            version: Some("1".to_owned()),
            package_type: Some("sdist".to_owned()),
            ..sized
        };
        assert_eq!(api, [told]);
    }

    #[test]
    fn pages_of_pulp_are_read() {
        let sha512 = "ab".repeat(64);
        let page = format!(
            r#"{{"info": {{"author": "me", "name": "A", "summary": null}}, "releases": {{"1": [{{"checksum": "{sha512}",
            "checksum_type": "sha512", "filename": "a-1.zip", "md5_digest": null, "packagetype": "sdist",
            "path": "source/A/A/a-1.zip"}}], "2": []}}}}"#
        );
        let items = all(&page);
        let Item::About(about) = &items[0] else {
            panic!("{items:?}")
        };
        assert_eq!(
            (about.name.as_deref(), about.author.as_deref()),
            (Some("A"), Some("me"))
        );
        let file = &files(&page)[0];
        let below = Location::OfPackages("source/A/A/a-1.zip".to_owned());
        assert_eq!(file.location, below);
        assert_eq!(file.digests[0].hex(), sha512);
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let bad = [
            "",
            "nothing",
            "[]",
            "{",
            r#"{"files": 5}"#,
            r#"{"releases": []}"#,
            r#"{"files": [{"filename": 5}]}"#,
            r#"{"releases": {"1": [{"url": "x"}]}}"#,
            r#"{"message": "not found"}"#,
        ];
        for page in bad {
            assert!(read(page.as_bytes(), &mut |_| true).is_err(), "{page}");
        }
    }

    #[test]
    fn nothing_on_a_page_is_read_as_one_without_a_limit() {
        let long = "x".repeat(300 * 1024);
        let digests: Vec<String> = (0..60_000).map(|n| format!("\"{n}\":\"\"")).collect();
        let attributes: String = (0..60_000).map(|n| format!(" a{n}")).collect();
        let file = |fields: &str| {
            format!(r#"{{"files": [{{"filename": "a-1.zip", "url": "a-1.zip", {fields}}}]}}"#)
        };
        let bad = [
            file(&format!(r#""hashes": {{{}}}"#, digests.join(","))),
            file(&format!(r#""yanked": [{}0]"#, "0,".repeat(200_000))),
            file(&format!(r#""yanked": "{long}""#)),
            format!(r#"{{"{long}": 1, "files": []}}"#),
            format!(r#"{{"releases": {{"{long}": []}}}}"#),
            format!(r#"{{"info": {{"summary": "{}"}}}}"#, long.repeat(30)),
            format!(r#"{{"more": {}"#, "[".repeat(9 << 20)),
            format!("<a href=\"{long}\">a</a>"),
            format!("<a{attributes} href=a>a</a>"),
            format!("<!-- {long} --><a href=a>a</a>"),
        ];
        for page in bad {
            let read = read(page.as_bytes(), &mut |_| true);
            let said = read.map_err(|error| error.to_string());
            assert!(
                said.is_err_and(|said| said.contains("too long")),
                "{}",
                &page[..40]
            );
        }
    }

    #[test]
    fn a_long_description_is_no_harm() {
        let long = "x".repeat(1 << 20);
        let page = format!(
            r#"{{"info": {{"description": "{long}"}}, "releases": {{"1": [{{"filename": "a-1.zip", "url": "a"}}]}}, "urls": ["{long}"]}}"#
        );
        assert_eq!(files(&page).len(), 1);
    }

    #[test]
    fn links_are_relative_to_where_the_page_came_from() {
        let page: Url = "https://e.example/simple/a/".parse().unwrap();
        let of = |base, location| resolve(&page, base, location).map(String::from);
        assert_eq!(
            of(None, "../../p/a.zip#x=1").unwrap(),
            "https://e.example/p/a.zip"
        );
        assert_eq!(
            of(Some("/base/"), "a.zip?t=1").unwrap(),
            "https://e.example/base/a.zip?t=1"
        );
        assert_eq!(of(None, "javascript:x"), None);
    }

    #[test]
    fn a_page_of_a_hundred_thousand_files_is_a_stream() {
        let mut page = String::from("<html>");
        for number in 0..100_000 {
            page.push_str(&format!(
                "<a href=\"a-{number}.zip\">a-{number}.zip</a><br>\n"
            ));
        }
        let mut count = 0_u64;
        let mut taken = |_| {
            count += 1;
            count < 50_000
        };
        read(page.as_bytes(), &mut taken).unwrap();
        assert_eq!(count, 50_000, "a reader that has enough ends it");
    }
}
