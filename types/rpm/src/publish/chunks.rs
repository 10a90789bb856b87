//! Cutting packages into chunks: what stands in a chunk, and where it ends, does not depend on what stands in others, so
//! that one package that comes or goes changes one chunk of each document, seldom two.

use pith_content::unit::RepoUnit;
use pith_core::{Algorithm, MultiHasher, RelativePath};

use crate::metadata::members::Key;

/// Part of every key: to be counted up when the same packages would be written otherwise. A new version of the program
/// writes everything anew in any case.
pub const FORMAT: &str = concat!("pith ", env!("CARGO_PKG_VERSION"), " rpm chunk 3");
/// A chunk ends with one package in so many.
const MEAN: u8 = 128;
/// A chunk has at most so many packages.
const MOST: usize = 512;

/// A package in its place.
#[derive(Clone)]
pub struct Placed {
    /// The package.
    pub unit: RepoUnit<()>,
    /// The path at which it is published, when that is not where its file name says.
    pub moved: Option<RelativePath>,
}

/// Packages that stand together in the documents.
pub struct Chunk {
    /// Digest over what decides how they are written.
    pub key: Key,
    /// The packages.
    pub packages: Vec<Placed>,
}

/// Cuts a stream of packages.
pub struct Cutter {
    algorithm: Algorithm,
    packages: Vec<Placed>,
}

impl Cutter {
    /// A cutter for documents with checksums of this algorithm.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            packages: Vec::new(),
        }
    }

    /// Adds a package; answers the chunk that ends with it.
    pub fn push(&mut self, package: Placed) -> Option<Chunk> {
        // Ids are random here and stay with their packages.
        let last = package.unit.id.0.as_bytes()[15].is_multiple_of(MEAN);
        self.packages.push(package);
        if last || self.packages.len() == MOST {
            self.end()
        } else {
            None
        }
    }

    /// The packages since the last chunk.
    pub fn end(&mut self) -> Option<Chunk> {
        let packages = std::mem::take(&mut self.packages);
        (!packages.is_empty()).then(|| Chunk {
            key: key(self.algorithm, &packages),
            packages,
        })
    }
}

/// Everything that decides how packages are written: which they are, in which order, the time when their document or
/// snippets last changed, the file, which may tell the checksum, and the path where it is not that of the file name. Whether
/// the file is here makes no difference, nor does what was worked out of it: a checksum is what it is.
fn key(algorithm: Algorithm, packages: &[Placed]) -> Key {
    let mut hasher = MultiHasher::new(&[]);
    for text in [FORMAT, algorithm.name()] {
        hasher.update(text.as_bytes());
        hasher.update(&[0]);
    }
    for Placed { unit, moved } in packages {
        hasher.update(unit.id.0.as_bytes());
        hasher.update(&unit.changed.as_nanosecond().to_le_bytes());
        match unit.blob.or(unit.promised) {
            Some(file) => {
                hasher.update(&[1]);
                hasher.update(&file.0);
            }
            None => hasher.update(&[0]),
        }
        // A path has no zero byte.
        hasher.update(moved.as_ref().map_or("", RelativePath::as_str).as_bytes());
        hasher.update(&[0]);
    }
    hasher.finish().sha256.0
}

#[cfg(test)]
mod tests {
    use pith_core::{Sha256, Timestamp, UnitId};

    use super::*;

    fn unit() -> RepoUnit<()> {
        RepoUnit {
            id: UnitId::new(),
            doc: (),
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

    fn unmoved(unit: &RepoUnit<()>) -> Placed {
        Placed {
            unit: unit.clone(),
            moved: None,
        }
    }

    fn cut(units: &[RepoUnit<()>]) -> Vec<Key> {
        cut_as(units, unmoved)
    }

    fn cut_as(units: &[RepoUnit<()>], placed: fn(&RepoUnit<()>) -> Placed) -> Vec<Key> {
        let mut cutter = Cutter::new(Algorithm::Sha256);
        let mut keys: Vec<Key> = units
            .iter()
            .filter_map(|unit| cutter.push(placed(unit)))
            .map(|chunk| chunk.key)
            .collect();
        keys.extend(cutter.end().map(|chunk| chunk.key));
        keys
    }

    #[test]
    fn a_package_that_comes_or_goes_changes_few_chunks() {
        let mut units: Vec<RepoUnit<()>> = (0..5000).map(|_| unit()).collect();
        let before = cut(&units);
        assert!((10..100).contains(&before.len()), "{}", before.len());
        units.remove(2000);
        units.insert(4000, unit());
        let after = cut(&units);
        let fresh = after.iter().filter(|key| !before.contains(key)).count();
        // Two places; a chunk of the most packages moves its successors up to the next end.
        assert!(fresh <= 12, "{fresh}");
    }

    #[test]
    fn what_changes_how_packages_are_written_changes_the_key() {
        let first = unit();
        let key = |change: fn(&mut RepoUnit<()>)| {
            let mut unit = first.clone();
            change(&mut unit);
            cut(&[unit])
        };
        let same = key(|_| {});
        assert_ne!(same, key(|u| u.id = UnitId::new()));
        assert_ne!(same, key(|u| u.changed = Timestamp::MAX));
        assert_ne!(same, key(|u| u.blob = Some(Sha256::of(b"file"))));
        assert_eq!(same, key(|u| u.updated = Timestamp::MAX));
        let moved = cut_as(std::slice::from_ref(&first), |unit| Placed {
            moved: Some("Packages/o/other.rpm".parse().unwrap()),
            ..unmoved(unit)
        });
        assert_ne!(same, moved);
        assert_eq!(
            key(|u| u.blob = Some(Sha256::of(b"file"))),
            key(|u| u.promised = Some(Sha256::of(b"file")))
        );
    }
}
