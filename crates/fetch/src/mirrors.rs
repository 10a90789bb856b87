//! Mirror lists: one URL a line, with comments and `key = ` decorations in between (reference: rpm §6.1).

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

/// No more mirrors than this are taken from a list.
pub const MAX_MIRRORS: usize = 256;
/// Longer lines are not mirrors.
const MAX_LINE: usize = 4096;

/// A URL at the start of a line, or after words, `=` and blanks that end in a blank. A line that starts with `#` has
/// neither, so commented mirrors do not count.
#[expect(
    clippy::unwrap_used,
    reason = "the pattern is a constant that every test compiles"
)]
static LINE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:[\w=\s]*\s)?(https?://\S*)").unwrap());

/// The mirrors that `text` names, in its order, each once; at most [`MAX_MIRRORS`]. Lines that are no mirrors are passed
/// over. The caller shuffles, since Pulp does.
#[must_use]
// tidy: allow(unused): syncs by metalink and mirrorlist are to use it
pub fn parse_mirrorlist(text: &str) -> Vec<Url> {
    let mut mirrors: Vec<Url> = Vec::new();
    for line in text.lines().filter(|line| line.len() <= MAX_LINE) {
        let Some(url) = LINE
            .captures(line)
            .and_then(|found| Url::parse(found.get(1)?.as_str()).ok())
        else {
            continue;
        };
        if url.has_host() && !mirrors.contains(&url) {
            mirrors.push(url);
        }
        if mirrors.len() == MAX_MIRRORS {
            break;
        }
    }
    mirrors
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Vec<String> {
        parse_mirrorlist(text)
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn urls_at_the_start_or_after_words_count() {
        let text = "# repo = x country = de\nhttp://a.example/x/\nurl = https://b.example/y\n  http://c.example/z\n";
        assert_eq!(
            parse(text),
            [
                "http://a.example/x/",
                "https://b.example/y",
                "http://c.example/z"
            ]
        );
    }

    #[test]
    fn comments_and_other_schemes_do_not_count() {
        let text = "#http://a.example/\n# http://b.example/\nftp://c.example/\nx-y http://d.example/\nurl=http://e.example/";
        assert!(parse(text).is_empty());
    }

    #[test]
    fn repeats_and_line_ends_of_other_systems_do_no_harm() {
        assert_eq!(
            parse("http://a.example/\r\nhttp://a.example/\r\n"),
            ["http://a.example/"]
        );
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let text: String = (0..100_000)
            .map(|n| format!("http://m{n}.example/\n"))
            .collect();
        assert_eq!(parse(&text).len(), MAX_MIRRORS);
    }

    proptest! {
        #[test]
        fn any_text_gives_only_web_urls(text in "(?s).{0,400}") {
            for url in parse_mirrorlist(&text) {
                prop_assert!(matches!(url.scheme(), "http" | "https"));
            }
        }

        #[test]
        fn every_plain_line_is_found(hosts in proptest::collection::hash_set("[a-z]{1,12}", 0..20)) {
            let text: String = hosts.iter().map(|host| format!("https://{host}.example/repo/\n")).collect();
            prop_assert_eq!(parse_mirrorlist(&text).len(), hosts.len());
        }
    }
}
