//! Directory listings: a page for people, and the `listing` file that old clients read.

use std::fmt::Write as _;

use pith_blobs::{Publication, Result};
use pith_core::Timestamp;
use pith_core::html::escaped;

use crate::path::encode_segment;

/// One line of a page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    pub(crate) is_dir: bool,
    pub(crate) size: u64,
    /// Seconds since 1970; 0 when nobody knows.
    pub(crate) mtime: i64,
}

/// The bytes of rows that a page has at most: of some 20,000 names.
const MOST: usize = 4 * 1024 * 1024;

/// A page for `dir`, a path without slashes at its ends: directories first.
pub(crate) struct Page {
    dirs: String,
    files: String,
    has_more: bool,
}

impl Page {
    pub(crate) fn new(dir: &str) -> Self {
        let title = format!("Index of /{dir}");
        let title = escaped(&title);
        let dirs = format!(
            "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n\
             <table>\n<tr><th>Name</th><th>Last modified</th><th>Size</th></tr>\n\
             <tr><td><a href=\"../\">Parent Directory</a></td><td></td><td></td></tr>\n"
        );
        Self {
            dirs,
            files: String::new(),
            has_more: false,
        }
    }

    /// Adds a line. Tells whether there is room for another one.
    pub(crate) fn row(&mut self, row: Row<'_>) -> bool {
        if self.dirs.len() + self.files.len() > MOST {
            self.has_more = true;
            return false;
        }
        let slash = if row.is_dir { "/" } else { "" };
        let (url, name) = (encode_segment(row.name), escaped(row.name));
        let date = date(row.mtime);
        let size = if row.is_dir {
            "-".to_owned()
        } else {
            row.size.to_string()
        };
        let rows = match row.is_dir {
            true => &mut self.dirs,
            false => &mut self.files,
        };
        let _ = writeln!(
            rows,
            "<tr><td><a href=\"{url}{slash}\">{name}{slash}</a></td><td>{date}</td><td>{size}</td></tr>"
        );
        true
    }

    pub(crate) fn finish(self) -> String {
        let mut page = self.dirs;
        page.push_str(&self.files);
        page.push_str("</table>\n");
        if self.has_more {
            page.push_str("<p>This directory has more files than are shown here.</p>\n");
        }
        page.push_str("</body>\n</html>\n");
        page
    }
}

/// The page of `dir` within a publication that stands at `url_dir`. It takes a while, so it is not for the threads that serve.
pub(crate) fn of_publication(
    publication: &Publication,
    dir: &str,
    url_dir: &str,
) -> Result<String> {
    let mut page = Page::new(url_dir);
    for child in publication.list(dir) {
        let child = child?;
        let goes_on = page.row(Row {
            name: child.name,
            is_dir: child.is_dir,
            size: child.size,
            mtime: child.mtime,
        });
        if !goes_on {
            break;
        }
    }
    Ok(page.finish())
}

fn date(seconds: i64) -> String {
    let at = (seconds != 0)
        .then(|| Timestamp::from_second(seconds).ok())
        .flatten();
    at.map_or_else(
        || "-".to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_for_html_and_for_urls() {
        let mut page = Page::new("<x>");
        page.row(Row {
            name: "javascript:\"<b>'",
            is_dir: false,
            size: 5,
            mtime: 86_400,
        });
        let page = page.finish();
        assert!(page.contains("Index of /&lt;x&gt;"));
        assert!(page.contains(
            "<a href=\"javascript%3A%22%3Cb%3E%27\">javascript:&quot;&lt;b&gt;&#39;</a></td><td>1970-01-02 00:00</td><td>5</td>"
        ));
    }

    #[test]
    fn directories_come_first_and_a_page_that_is_full_says_so() {
        let row = |name, is_dir| Row {
            name,
            is_dir,
            size: 1,
            mtime: 0,
        };
        let mut page = Page::new("d");
        assert!(page.row(row("a-file", false)));
        assert!(page.row(row("z-dir", true)));
        let long = "x".repeat(10_000);
        let rows = (0..1000).take_while(|_| page.row(row(&long, false)));
        assert!(rows.count() < 1000);
        let page = page.finish();
        assert!(page.find("z-dir").unwrap() < page.find("a-file").unwrap());
        assert!(page.contains("more files than are shown"));
        assert!(page.len() < 2 * MOST);
    }

    #[test]
    fn times_that_cannot_be_are_not_shown() {
        assert_eq!(date(i64::MAX), "-");
        assert_eq!(date(0), "-");
    }
}
