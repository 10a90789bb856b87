//! Packages that are one file under several checksums, as feeds that name files by different algorithms give them. In the
//! one algorithm of a publication they are the same package, which is published once.

use std::collections::HashMap;

use pith_content::seen::SeenHashes;
use pith_content::unit::RepoUnit;
use pith_core::UnitId;

use super::names::enumerated;
use super::texts::text;
use crate::named::of_unit;

/// Packages that wait until all file names are known, with what they may be the same as.
pub struct Aside {
    /// The type.
    pub type_id: &'static str,
    /// The package.
    pub unit: RepoUnit<()>,
    /// A package that was published, with this file name or this file.
    pub like: UnitId,
}

/// Finds packages that may be the same.
#[derive(Default)]
pub struct Files {
    /// The package that was published last by its own file name.
    last: Option<(String, UnitId)>,
    /// Packages by the beginnings of their digests.
    by_file: HashMap<u64, UnitId>,
}

impl Files {
    /// The package that `unit`, which is called `file`, may be the same as, of those that were published. They come in the order
    /// of their file names.
    #[must_use]
    pub fn like<D>(&self, unit: &RepoUnit<D>, file: &str) -> Option<UnitId> {
        let last = self.last.as_ref().filter(|(name, _)| name == file);
        let same = start(unit).and_then(|start| self.by_file.get(&start));
        last.map(|(_, id)| *id).or(same.copied())
    }

    /// Notes a package that is published as `file`.
    pub fn published<D>(&mut self, unit: &RepoUnit<D>, file: &str) {
        if self.last.as_ref().is_none_or(|(name, _)| name != file) {
            self.last = Some((file.to_owned(), unit.id));
        }
        if let Some(start) = start(unit) {
            self.by_file.entry(start).or_insert(unit.id);
        }
    }
}

fn start<D>(unit: &RepoUnit<D>) -> Option<u64> {
    let file = unit.blob.or(unit.promised)?;
    let (start, _) = file.0.split_first_chunk::<8>()?;
    Some(u64::from_be_bytes(*start))
}

/// Files that a report names; it counts the others.
const NAMED: usize = 20;

/// The packages that were left out because they are published already.
#[derive(Default)]
pub struct Repeated {
    /// The packages like one that was published first, by that: names and checksums.
    seen: HashMap<UnitId, Vec<([String; 5], String)>>,
    /// Names and checksums.
    files: SeenHashes,
    count: u64,
    examples: Vec<String>,
}

impl Repeated {
    /// Tells whether nobody has asked for packages like `like` yet, so that this one must be noted.
    #[must_use]
    pub fn is_new(&self, like: UnitId) -> bool {
        !self.seen.contains_key(&like)
    }

    /// Notes a package, with its checksum in the algorithm of the publication; false when it is published already.
    pub fn note(&mut self, like: UnitId, unit: &RepoUnit, checksum: &str) -> bool {
        let seen = self.seen.entry(like).or_default();
        let name = of_unit(&unit.doc).map(str::to_owned);
        let own = (name, checksum.to_owned());
        let new = !seen.contains(&own);
        if new {
            seen.push(own);
        } else {
            self.left_out(unit);
        }
        new
    }

    /// Does what [`Repeated::note`] does, for files that are told apart by their whole names and checksums.
    pub fn note_file(&mut self, unit: &RepoUnit, checksum: &str) -> bool {
        let new = self.files.insert((text(unit, "filename"), checksum));
        if !new {
            self.left_out(unit);
        }
        new
    }

    fn left_out(&mut self, unit: &RepoUnit) {
        self.count += 1;
        if self.examples.len() < NAMED {
            self.examples.push(text(unit, "filename").to_owned());
        }
    }

    /// The number of packages that were left out.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The packages that were left out; `None` when none were.
    #[must_use]
    pub fn report(&self) -> Option<String> {
        let files = enumerated(&self.examples, usize::try_from(self.count).ok()?)?;
        let packages = match self.count {
            1 => "1 package that the repository has under another checksum too is published once",
            _ => "packages that the repository has under other checksums too are published once",
        };
        let count = match self.count {
            1 => String::new(),
            count => format!("{count} "),
        };
        Some(format!("{count}{packages}: {files}"))
    }
}
