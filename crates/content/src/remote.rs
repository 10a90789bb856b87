//! Other machines that publications are sent to, by rsync over ssh ([decision 20](../../../docs/decisions/0020-rsync.md)).

use std::path::PathBuf;

use pith_core::RelativePath;

/// The folder of another machine that a configuration names. The server's settings must open the key (`--allow-ssh-keys`), and
/// whoever names it must be a super-user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The setting that names it.
    pub setting: &'static str,
    /// The machine: a name or an address.
    pub host: String,
    /// The port of its ssh server, when it is not the usual one.
    pub port: Option<u16>,
    /// The user there.
    pub user: String,
    /// The file of this machine that has the user's key.
    pub identity: PathBuf,
    /// The folder.
    pub root: String,
    /// Arguments for rsync besides the platform's own: none that could run a program or touch a file of this machine.
    pub arguments: Vec<String>,
    /// The folder below the root that has the files of all units.
    pub units: RelativePath,
    /// The distributor whose publications are sent.
    pub predistributor: Option<String>,
    /// Is true when what is not published is removed from the publication's folder there.
    pub deletes: bool,
    /// Is true when all is sent again, whatever is there.
    pub is_forced: bool,
}

impl Remote {
    /// Tells whether two configurations change the same there, and in the same way.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let other = Self {
            is_forced: self.is_forced,
            ..other.clone()
        };
        *self == other
    }

    /// A folder of the root, from the root of the machine or of the user's home.
    #[must_use]
    pub fn place(&self, folder: &RelativePath) -> String {
        match self.root.trim_end_matches('/') {
            "" if self.root.is_empty() => folder.to_string(),
            root => format!("{root}/{folder}"),
        }
    }
}

/// A path of the publication of another distributor.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// The path.
    pub path: &'a str,
    /// The path of the file below the folder of all units ([`crate::UnitType::stored_at`]), when it is that of a unit which the
    /// repository has.
    pub stored_at: Option<&'a str>,
}

/// The thing that comes of such a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The same file, at this path.
    File(RelativePath),
    /// A symbolic link at a path to another one; only for publications that are sent.
    Link {
        /// Its path.
        at: RelativePath,
        /// The path that it leads to.
        to: RelativePath,
    },
}

/// The text of a symbolic link at `at` that leads to `to`, wherever the folder is that both are in.
#[must_use]
pub fn link_text(at: &RelativePath, to: &RelativePath) -> String {
    let (at, to) = (at.as_str(), to.as_str());
    let up = at.matches('/').count();
    format!("{}{to}", "../".repeat(up))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_from_their_folder_to_the_file() {
        let path = |text: &str| RelativePath::new(text).unwrap();
        for (at, text) in [("a", "u/f"), ("a/b", "../u/f"), ("a/b/c", "../../u/f")] {
            assert_eq!(link_text(&path(at), &path("u/f")), text);
        }
    }
}
