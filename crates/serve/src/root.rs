//! Top-level directories of published content.

use http::{HeaderMap, HeaderName, HeaderValue};
use pith_core::RelativePath;

/// The file that names the sub-directories of its directory.
pub(crate) const LISTING: &str = "listing";

/// A top-level directory of published content, and what holds for all of it.
#[derive(Debug, Clone)]
pub struct ServedRoot {
    path: RelativePath,
    pub(crate) pages: bool,
    pub(crate) listing: bool,
    pub(crate) index: Vec<String>,
    headers: HeaderMap,
}

impl ServedRoot {
    /// A root such as `pulp/isos`, whose directories are pages.
    #[must_use]
    pub fn new(path: RelativePath) -> Self {
        Self {
            path,
            pages: true,
            listing: false,
            index: Vec::new(),
            headers: HeaderMap::new(),
        }
    }

    /// Puts a `listing` file in every directory above the mounts.
    #[must_use]
    pub fn with_listing(mut self) -> Self {
        self.listing = true;
        self
    }

    /// Leaves out pages of directories.
    #[must_use]
    pub fn without_pages(mut self) -> Self {
        self.pages = false;
        self
    }

    /// Shows files of these names in the place of pages, the first that there is.
    #[must_use]
    pub fn with_index<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.index = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// Adds a header to every answer.
    #[must_use]
    pub fn with_header(mut self, name: &HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &RelativePath {
        &self.path
    }

    pub(crate) fn holds(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path.as_str());
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }

    /// Adds the headers of the root to an answer, where it has none of that name.
    pub(crate) fn mark(&self, answer: &mut HeaderMap) {
        for (name, value) in &self.headers {
            answer.entry(name).or_insert_with(|| value.clone());
        }
    }
}
