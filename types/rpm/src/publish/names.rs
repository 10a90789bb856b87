//! The names under which files are published. A file name is no identity: upstreams have different files of one name in different
//! folders.
//!
//! Of files that want one name, that has it whose package is called so; then the one that came into the repository first; of
//! those that came together the one with the smaller checksum. So a path stays with its file while others come. The other ones
//! get the name that says what they are, and where that is taken too, their checksum before it. All names are told apart by
//! their last part: clients put files of all folders into one.

use std::cmp::Ordering;

use pith_content::ContentError;
use pith_content::seen::SeenHashes;
use pith_content::unit::RepoUnit;
use pith_core::{RelativePath, UnitId};

use super::texts::{Texts, text};
use crate::metadata::primary::published_path;

/// Files that a report names; it counts the others.
const NAMED: usize = 20;

/// Compares two files that want one name: the one that is less comes first.
#[must_use]
pub fn by_arrival<D: Texts>(a: &RepoUnit<D>, b: &RepoUnit<D>) -> Ordering {
    let checksums = || a.doc.text("checksum").cmp(&b.doc.text("checksum"));
    let arrival = a.added.cmp(&b.added);
    arrival.then_with(checksums).then_with(|| a.id.cmp(&b.id))
}

/// Compares two packages with one file name: the one that is less comes first.
#[must_use]
pub fn by_right(a: &RepoUnit, b: &RepoUnit) -> Ordering {
    let is_another = |unit: &RepoUnit| nevra_file(unit).as_deref() != Some(text(unit, "filename"));
    let right = is_another(a).cmp(&is_another(b));
    right.then_with(|| by_arrival(a, b))
}

/// The names that are taken, as hashes: two names with one hash cost a file its name, and no more.
#[derive(Default)]
pub struct Names {
    taken: SeenHashes,
    moved: usize,
    examples: Vec<String>,
}

impl Names {
    /// The path, unless a file has its last part.
    ///
    /// # Errors
    /// When it is no path.
    pub fn own(&mut self, path: String) -> Result<Option<RelativePath>, ContentError> {
        let path = RelativePath::new(path)?;
        let free = self.taken.insert(path.file_name());
        Ok(free.then_some(path))
    }

    /// Another path for a package whose file name is taken: by its name, version and architecture, else with its checksum
    /// before that, else by its id.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_package(&mut self, unit: &RepoUnit) -> Result<RelativePath, ContentError> {
        let file = text(unit, "filename");
        let name = nevra_file(unit).unwrap_or_else(|| file.to_owned());
        let path = published_path(&name);
        let others = by_itself(&path, unit);
        self.first_free((unit.id, file), std::iter::once(path.clone()).chain(others))
    }

    /// A path by its id for a package that is called `file`.
    ///
    /// # Errors
    /// When it is taken.
    pub fn of_id(&mut self, id: UnitId, file: &str) -> Result<RelativePath, ContentError> {
        self.first_free((id, file), std::iter::once(format!("Packages/{id}.rpm")))
    }

    /// Another path for a file whose `path` is taken: with its checksum before the name, else by its id.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_file(&mut self, path: &str, unit: &RepoUnit) -> Result<RelativePath, ContentError> {
        let own = (unit.id, text(unit, "filename"));
        self.first_free(own, by_itself(path, unit))
    }

    fn first_free(
        &mut self,
        (id, file): (UnitId, &str),
        paths: impl Iterator<Item = String>,
    ) -> Result<RelativePath, ContentError> {
        for path in paths {
            // What an upstream says can make no path; its own id always does.
            if let Ok(Some(path)) = self.own(path) {
                self.moved += 1;
                if self.examples.len() < NAMED {
                    self.examples.push(format!("{file} as {path}"));
                }
                return Ok(path);
            }
        }
        Err(ContentError::other(format!(
            "no name is left for {file} ({id})"
        )))
    }

    /// Names the files that were published under another name than their own; `None` when all have theirs.
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

/// Names beside `path` that only this file can have: by its checksum, else by its id.
fn by_itself(path: &str, unit: &RepoUnit) -> impl Iterator<Item = String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let kind = name.rsplit_once('.').map_or("", |(_, kind)| kind);
    let checksum = Some(text(unit, "checksum")).filter(|checksum| !checksum.is_empty());
    let by_checksum = checksum.map(|checksum| {
        [
            format!("{folder}/{checksum}-{name}"),
            // Where the name alone is as long as a name can be.
            format!("{folder}/{checksum}.{kind}"),
        ]
    });
    let last = format!("{folder}/{}.{kind}", unit.id);
    by_checksum.into_iter().flatten().chain([last])
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
            added: None,
            updated: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
            parts: Vec::new(),
        }
    }

    #[test]
    fn every_package_gets_a_name_of_its_own() {
        let mut names = Names::default();
        let taken = ["Packages/c/cli.rpm", "Packages/b/b-1-2.noarch.rpm"];
        for path in taken {
            assert!(names.own(path.to_owned()).unwrap().is_some());
        }
        assert_eq!(names.own(taken[0].to_owned()).unwrap(), None);
        assert_eq!(names.own("Packages/x/cli.rpm".to_owned()).unwrap(), None);
        assert_eq!(names.report(), None);
        let path = |unit: &RepoUnit, names: &mut Names| names.of_package(unit).unwrap().to_string();
        assert_eq!(
            path(&package("a", "00"), &mut names),
            "Packages/a/a-1-2.noarch.rpm"
        );
        let b = package("b", "11");
        assert_eq!(path(&b, &mut names), "Packages/b/11-b-1-2.noarch.rpm");
        assert_eq!(path(&b, &mut names), "Packages/b/11.rpm");
        assert_eq!(path(&b, &mut names), format!("Packages/b/{}.rpm", b.id));
        assert_eq!(
            path(&package("a/b", "22"), &mut names),
            "Packages/c/22-cli.rpm"
        );
        let long = package(&"l".repeat(250), "33");
        assert_eq!(path(&long, &mut names), "Packages/l/33.rpm");
        let taken = names.of_id(b.id, "cli.rpm").unwrap_err().to_string();
        assert!(taken.contains("cli.rpm"), "{taken}");
        let report = names.report().unwrap();
        assert!(report.starts_with("6 files have the name"), "{report}");
        assert!(report.contains("cli.rpm as Packages/a/a-1-2.noarch.rpm"));
    }

    #[test]
    fn a_name_stays_with_the_package_that_is_called_so_then_with_the_one_that_came_first() {
        let came = |second: i64, checksum: &str| RepoUnit {
            added: Some(Timestamp::from_second(second).unwrap()),
            ..package("a", checksum)
        };
        let mut called_so = came(9, "ff");
        let name = nevra_file(&called_so).unwrap();
        called_so.doc.insert("filename".to_owned(), name.into());
        let order = [called_so, came(1, "dd"), came(2, "aa"), came(2, "bb")];
        for (at, first) in order.iter().enumerate() {
            for second in &order[at + 1..] {
                assert_eq!(by_right(first, second), Ordering::Less);
                assert_eq!(by_right(second, first), Ordering::Greater);
            }
        }
    }
}
