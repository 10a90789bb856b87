//! The folders of this machine that may be feeds: none, unless the server's settings say so.
//!
//! A file is judged by the path of what was *opened*, so that neither a symbolic link nor a folder that is swapped meanwhile
//! leads anywhere else. What is not below a folder that is allowed is refused before anybody looks whether it is there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The reason for a feed that is not allowed.
const NOT_ALLOWED: &str = "it is not below a folder that the server's settings allow for file:// feeds \
                           (--allow-file-feeds DIR)";
/// The reason for a file that the server keeps for itself.
const OWN: &str = "it is among the files that the server keeps for itself";

/// The folders of this machine below which feeds may be; none by default.
#[derive(Debug, Clone, Default)]
pub struct FileFeeds {
    allowed: Vec<PathBuf>,
    never: Vec<PathBuf>,
}

impl FileFeeds {
    /// Allows what is below these folders.
    #[must_use]
    pub fn below(allowed: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            allowed: allowed.into_iter().collect(),
            never: Vec::new(),
        }
    }

    /// The same without these files, and without what is below these folders, wherever they are.
    #[must_use]
    pub fn without(mut self, never: impl IntoIterator<Item = PathBuf>) -> Self {
        self.never.extend(never);
        self
    }

    /// The same with one more folder.
    pub(crate) fn and(&self, folder: PathBuf) -> Self {
        let mut more = self.clone();
        more.allowed.push(folder);
        more
    }

    /// Tells whether `path` may be a feed, or a file of one, as far as its name and what is there now tell.
    ///
    /// # Errors
    /// Why it may not; the same whether or not there is such a file outside the folders that are allowed.
    pub(crate) fn check(&self, path: &Path) -> Result<(), &'static str> {
        self.check_name(path)?;
        match fs::canonicalize(path) {
            Ok(real) => self.check_real(&real),
            Err(_) => Ok(()),
        }
    }

    /// Judges a path by its name alone.
    pub(crate) fn check_name(&self, path: &Path) -> Result<(), &'static str> {
        let climbs = |part: Component<'_>| part == Component::ParentDir;
        let is_below =
            |folder: &PathBuf| path.starts_with(folder) || path.starts_with(real(folder));
        if !path.is_absolute()
            || path.components().any(climbs)
            || !self.allowed.iter().any(is_below)
        {
            return Err(NOT_ALLOWED);
        }
        match self.never.iter().any(is_below) {
            true => Err(OWN),
            false => Ok(()),
        }
    }

    /// Judges a file that is open, before anything of it is read.
    pub(crate) fn check_opened(&self, file: &File) -> Result<(), &'static str> {
        self.check_real(&path_of(file).ok_or("the system does not tell where it is")?)
    }

    /// Judges a path without symbolic links in it.
    fn check_real(&self, path: &Path) -> Result<(), &'static str> {
        let below = |folder: &PathBuf| path.starts_with(real(folder));
        if !self.allowed.iter().any(below) {
            return Err(NOT_ALLOWED);
        }
        // By number besides, for folders and files that can be reached under several names.
        let number = |path: &Path| {
            fs::metadata(path)
                .ok()
                .map(|found| (found.dev(), found.ino()))
        };
        let own: HashSet<(u64, u64)> = self.never.iter().filter_map(|own| number(own)).collect();
        let is_own = |path: &Path| number(path).is_some_and(|number| own.contains(&number));
        match self.never.iter().any(below) || path.ancestors().any(is_own) {
            true => Err(OWN),
            false => Ok(()),
        }
    }
}

/// A path without symbolic links in it; as it stands when there is nothing there.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns where an open file is.
fn path_of(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_is_below_an_allowed_folder_and_not_the_servers_own_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for made in ["feeds/in", "feeds/data", "other"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        for made in ["feeds/in/f", "feeds/data/key", "other/f", "feeds-f"] {
            fs::write(at(made), "x").unwrap();
        }
        symlink(at("other"), at("feeds/out")).unwrap();
        symlink("in", at("feeds/latest")).unwrap();
        symlink("../data", at("feeds/in/sideways")).unwrap();
        fs::hard_link(at("feeds/data/key"), at("feeds/in/key")).unwrap();
        let own = [at("feeds/data"), at("feeds/data/key")];
        let feeds = FileFeeds::below([at("feeds")]).without(own);
        let judged = |name: &str| {
            let file = File::open(at(name)).unwrap();
            [feeds.check(&at(name)), feeds.check_opened(&file)].map(|judged| judged.is_ok())
        };
        assert_eq!(judged("feeds/in/f"), [true; 2]);
        assert_eq!(judged("feeds/latest/f"), [true; 2]);
        for closed in [
            "other/f",
            "feeds-f",
            "feeds/data/key",
            "feeds/out/f",
            "feeds/in/sideways/key",
            "feeds/in/key",
        ] {
            assert_eq!(judged(closed), [false; 2], "{closed}");
        }
        assert!(feeds.check_name(&at("feeds/../other/f")).is_err());
        // What is outside is refused in the same words whether it is there or not.
        assert_eq!(feeds.check(&at("other/f")), feeds.check(&at("other/none")));
        assert!(feeds.check(&at("feeds/none")).is_ok());
        assert!(FileFeeds::default().check(&at("feeds/in/f")).is_err());
    }
}
