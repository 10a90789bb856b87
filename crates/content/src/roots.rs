//! URL roots: the top-level paths that a family owns. Everything that it serves lies below them.

use pith_core::RelativePath;

use crate::publish::Mount;

/// A path that belongs to one family, and what holds for everything that is served below it.
#[derive(Debug, Clone, Copy)]
pub struct Root {
    /// The path without slashes at its ends, such as `v2`.
    pub path: &'static str,
    /// Is true when directories are shown as pages of links.
    pub pages: bool,
    /// Is true when each directory above mounts has a file `listing` with the names in it.
    pub listing: bool,
    /// The names of files that stand for the directory they are in: the first that is there is shown in the place of a page.
    pub index: &'static [&'static str],
    /// Headers of every answer below the root.
    pub headers: &'static [(&'static str, &'static str)],
}

/// Paths of the platform, which no root may meet.
const PLATFORM: &[&str] = &["pulp/api", "pith", "livez", "readyz", "metrics"];

/// The reason why a root cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The root is no path.
    #[error("the root '{0}' is not a relative path")]
    NoPath(&'static str),
    /// The path of a route is none, or lies below no root of its family.
    #[error("the route '{0}' is no path below a root of its family")]
    NoRoute(&'static str),
    /// Somebody else's root equals it, holds it or lies below it.
    #[error("the root '{path}' meets '{other}', which belongs to {owner}")]
    Taken {
        /// The root.
        path: &'static str,
        /// The other one.
        other: &'static str,
        /// The family that has the other one, or the platform.
        owner: &'static str,
    },
}

impl Root {
    /// A root with pages for its directories, and nothing else.
    #[must_use]
    pub const fn at(path: &'static str) -> Self {
        Self {
            path,
            pages: true,
            listing: false,
            index: &[],
            headers: &[],
        }
    }

    /// Tells whether a path without slashes at its ends is the root or lies below it.
    #[must_use]
    pub fn holds(&self, path: &str) -> bool {
        is_within(path, self.path)
    }

    /// A mount at `below` the root, or at the root itself where that is empty; `None` when that is no path.
    #[must_use]
    pub fn mount(&self, below: &str, http: bool, https: bool) -> Option<Mount> {
        let path = match below.is_empty() {
            true => self.path.to_owned(),
            false => format!("{}/{below}", self.path),
        };
        let prefix = RelativePath::new(path).ok()?;
        Some(Mount {
            prefix,
            http,
            https,
        })
    }

    /// Checks the root of one family against the platform and `others`, which are roots and the families that have them.
    ///
    /// # Errors
    /// [`RootError`].
    pub fn check(
        &self,
        others: impl IntoIterator<Item = (&'static str, &'static Self)>,
    ) -> Result<(), RootError> {
        let is_path = RelativePath::new(self.path).is_ok_and(|path| path.as_str() == self.path);
        if !is_path {
            return Err(RootError::NoPath(self.path));
        }
        let others = others.into_iter().map(|(owner, root)| (owner, root.path));
        let mut all = PLATFORM
            .iter()
            .map(|path| ("the platform", *path))
            .chain(others);
        let meets = |other: &str| is_within(self.path, other) || is_within(other, self.path);
        match all.find(|(_, other)| meets(other)) {
            None => Ok(()),
            Some((owner, other)) => Err(RootError::Taken {
                path: self.path,
                other,
                owner,
            }),
        }
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    let below = path.strip_prefix(folder);
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    static V2: Root = Root::at("v2");

    #[test]
    fn roots_that_meet_others_are_refused() {
        let others = [("docker", &V2)];
        for path in ["v2", "v2/x", "pulp", "pulp/api", "pulp/api/v3", "pith/x"] {
            let checked = Root::at(path).check(others);
            assert!(matches!(checked, Err(RootError::Taken { .. })), "{path}");
        }
        for path in ["/v3", "v3/", "v3/../v4", ""] {
            let checked = Root::at(path).check(others);
            assert_eq!(checked, Err(RootError::NoPath(path)));
        }
        for path in ["v3", "v22", "pulp/deb"] {
            assert_eq!(Root::at(path).check(others), Ok(()));
        }
    }
}
