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

/// A page for `dir`, a path without slashes at its ends.
pub(crate) struct Page(String);

impl Page {
    pub(crate) fn new(dir: &str) -> Self {
        let title = format!("Index of /{dir}");
        let title = escaped(&title);
        Self(format!(
            "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n\
             <table>\n<tr><th>Name</th><th>Last modified</th><th>Size</th></tr>\n\
             <tr><td><a href=\"../\">Parent Directory</a></td><td></td><td></td></tr>\n"
        ))
    }

    /// Adds a line; the caller brings directories first.
    pub(crate) fn row(&mut self, row: Row<'_>) {
        let slash = if row.is_dir { "/" } else { "" };
        let (url, name) = (encode_segment(row.name), escaped(row.name));
        let date = date(row.mtime);
        let size = if row.is_dir {
            "-".to_owned()
        } else {
            row.size.to_string()
        };
        let _ = writeln!(
            self.0,
            "<tr><td><a href=\"{url}{slash}\">{name}{slash}</a></td><td>{date}</td><td>{size}</td></tr>"
        );
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push_str("</table>\n</body>\n</html>\n");
        self.0
    }
}

/// The page of `dir` within a publication that stands at `url_dir`.
pub(crate) fn of_publication(
    publication: &Publication,
    dir: &str,
    url_dir: &str,
) -> Result<String> {
    let mut page = Page::new(url_dir);
    // Twice over the index costs less than keeping the names of a large directory.
    for dirs in [true, false] {
        for child in publication.list(dir) {
            let child = child?;
            if child.is_dir == dirs {
                page.row(Row {
                    name: child.name,
                    is_dir: dirs,
                    size: child.size,
                    mtime: child.mtime,
                });
            }
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
    fn times_that_cannot_be_are_not_shown() {
        assert_eq!(date(i64::MAX), "-");
        assert_eq!(date(0), "-");
    }
}
