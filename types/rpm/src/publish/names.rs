//! Where files are published. A file name is no identity: upstreams have different files of one name in different folders.
//! The first of them, in the order in which they came to the server, has its own name; the others get the name that says
//! what they are, and where that is taken too, a folder that nothing else has.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use pith_content::ContentError;
use pith_content::unit::RepoUnit;
use pith_core::RelativePath;

use super::packages::text;
use crate::metadata::primary::published_path;

/// Files that a report names; it counts the others.
const NAMED: usize = 20;

/// The paths that were given away, as hashes: two that have one hash cost a file its name, and no more.
#[derive(Default)]
pub struct Names {
    state: RandomState,
    taken: HashSet<u64>,
    moved: usize,
    examples: Vec<String>,
}

impl Names {
    /// The path, unless a file has it.
    ///
    /// # Errors
    /// When it is no path.
    pub fn own(&mut self, path: String) -> Result<Option<RelativePath>, ContentError> {
        let path = RelativePath::new(path).map_err(ContentError::other)?;
        let free = self.taken.insert(self.state.hash_one(path.as_str()));
        Ok(free.then_some(path))
    }

    /// Another path for a package whose file name is taken: by its name, version and architecture, else below its
    /// checksum, else below its id.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_package(&mut self, unit: &RepoUnit) -> Result<RelativePath, ContentError> {
        let file = text(unit, "filename");
        let name = nevra_file(unit).unwrap_or_else(|| file.to_owned());
        let wanted = [
            published_path(&name),
            within(&published_path(&name), text(unit, "checksum")),
        ];
        self.another(file, &wanted, &published_path(&name), unit)
    }

    /// Another path for a file whose `path` is taken: below its checksum, else below its id.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_file(&mut self, path: &str, unit: &RepoUnit) -> Result<RelativePath, ContentError> {
        let wanted = [within(path, text(unit, "checksum"))];
        self.another(text(unit, "filename"), &wanted, path, unit)
    }

    fn another(
        &mut self,
        file: &str,
        wanted: &[String],
        last: &str,
        unit: &RepoUnit,
    ) -> Result<RelativePath, ContentError> {
        let last = within(last, &unit.id.to_string());
        for path in wanted.iter().chain([&last]) {
            // What an upstream says can make no path; its own id always does.
            if let Ok(Some(path)) = self.own(path.clone()) {
                self.moved += 1;
                if self.examples.len() < NAMED {
                    self.examples.push(format!("{file} as {path}"));
                }
                return Ok(path);
            }
        }
        Err(ContentError::other(format!("{last} is published already")))
    }

    /// Which files were published under another name than their own; `None` when all have theirs.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let named = enumerated(&self.examples, self.moved)?;
        let (files, have, are) = match self.moved {
            1 => ("file", "has", "is"),
            _ => ("files", "have", "are"),
        };
        Some(format!(
            "{} {files} {have} the name of another one and {are} published under another name: {named}",
            self.moved
        ))
    }
}

/// Some examples out of `count`, and how many more there are; `None` when there are none.
pub(super) fn enumerated(examples: &[String], count: usize) -> Option<String> {
    if count == 0 {
        return None;
    }
    let more = match count.saturating_sub(examples.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!("{}{more}", examples.join(", ")))
}

/// `folder` put before the last segment of `path`.
fn within(path: &str, folder: &str) -> String {
    match path.rsplit_once('/') {
        Some((before, name)) => format!("{before}/{folder}/{name}"),
        None => format!("{folder}/{path}"),
    }
}

/// The usual file name of a package; `None` when its parts make no file name.
fn nevra_file(unit: &RepoUnit) -> Option<String> {
    let [name, version, release, arch] =
        ["name", "version", "release", "arch"].map(|field| text(unit, field));
    let file = format!("{name}-{version}-{release}.{arch}.rpm");
    let whole = ![name, version, release, arch].contains(&"") && !file.contains(['/', '\\']);
    whole.then_some(file)
}

#[cfg(test)]
mod tests {
    use pith_core::{Document, Timestamp, UnitId};
    use serde_json::json;

    use super::*;

    fn package(name: &str, checksum: &str) -> RepoUnit {
        let doc = json!({
            "name": name, "version": "1", "release": "2", "arch": "noarch", "filename": "cli.rpm", "checksum": checksum,
        });
        let doc: Document = serde_json::from_value(doc).unwrap();
        RepoUnit {
            id: UnitId::new(),
            doc,
            blob: None,
            promised: None,
            size: None,
            downloaded: true,
            updated: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
            parts: Vec::new(),
        }
    }

    #[test]
    fn every_package_gets_a_path_of_its_own() {
        let mut names = Names::default();
        let taken = ["Packages/c/cli.rpm", "Packages/b/b-1-2.noarch.rpm"];
        for path in taken {
            assert!(names.own(path.to_owned()).unwrap().is_some());
        }
        assert_eq!(names.own(taken[0].to_owned()).unwrap(), None);
        assert_eq!(names.report(), None);
        let path = |unit: &RepoUnit, names: &mut Names| names.of_package(unit).unwrap().to_string();
        assert_eq!(
            path(&package("a", "00"), &mut names),
            "Packages/a/a-1-2.noarch.rpm"
        );
        let b = package("b", "11");
        assert_eq!(path(&b, &mut names), "Packages/b/11/b-1-2.noarch.rpm");
        assert_eq!(
            path(&b, &mut names),
            format!("Packages/b/{}/b-1-2.noarch.rpm", b.id)
        );
        assert_eq!(
            path(&package("a/b", "22"), &mut names),
            "Packages/c/22/cli.rpm"
        );
        let report = names.report().unwrap();
        assert!(report.starts_with("4 files have the name"), "{report}");
        assert!(report.contains("cli.rpm as Packages/a/a-1-2.noarch.rpm"));
    }
}
