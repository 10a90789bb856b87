//! Cutting packages into chunks: what stands in a chunk, and where it ends, does not depend on what stands in others, so
//! that one package that comes or goes changes one chunk of each document, seldom two.

use pith_content::unit::RepoUnit;
use pith_core::{Algorithm, MultiHasher};

use crate::metadata::members::Key;

/// Part of every key: to be counted up when the same packages would be written otherwise.
const FORMAT: &str = "pith rpm chunk 1";
/// A chunk ends with one package in so many.
const MEAN: u8 = 128;
/// A chunk has at most so many packages.
const MOST: usize = 512;

/// Packages that stand together in the documents.
pub struct Chunk {
    /// Digest over what decides how they are written.
    pub key: Key,
    /// The packages.
    pub units: Vec<RepoUnit>,
}

/// Cuts a stream of packages.
pub struct Cutter {
    algorithm: Algorithm,
    units: Vec<RepoUnit>,
}

impl Cutter {
    /// A cutter for documents with checksums of this algorithm.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            units: Vec::new(),
        }
    }

    /// Adds a package; answers the chunk that ends with it.
    pub fn push(&mut self, unit: RepoUnit) -> Option<Chunk> {
        // Ids are random here and stay with their packages.
        let last = unit.id.0.as_bytes()[15].is_multiple_of(MEAN);
        self.units.push(unit);
        if last || self.units.len() == MOST {
            self.end()
        } else {
            None
        }
    }

    /// The packages since the last chunk.
    pub fn end(&mut self) -> Option<Chunk> {
        let units = std::mem::take(&mut self.units);
        (!units.is_empty()).then(|| Chunk {
            key: key(self.algorithm, &units),
            units,
        })
    }
}

/// Everything that decides how packages are written: which they are, in which order, the time when their document or
/// snippets last changed, and the file, which may tell the checksum. Whether the file is here makes no difference.
fn key(algorithm: Algorithm, units: &[RepoUnit]) -> Key {
    let mut hasher = MultiHasher::new(&[]);
    for text in [FORMAT, algorithm.name()] {
        hasher.update(text.as_bytes());
        hasher.update(&[0]);
    }
    for unit in units {
        hasher.update(unit.id.0.as_bytes());
        hasher.update(&unit.changed.as_nanosecond().to_le_bytes());
        match unit.blob.or(unit.promised) {
            Some(file) => {
                hasher.update(&[1]);
                hasher.update(&file.0);
            }
            None => hasher.update(&[0]),
        }
    }
    hasher.finish().sha256.0
}

#[cfg(test)]
mod tests {
    use pith_core::{Document, Sha256, Timestamp, UnitId};

    use super::*;

    fn unit() -> RepoUnit {
        RepoUnit {
            id: UnitId::new(),
            doc: Document::new(),
            blob: None,
            promised: None,
            size: None,
            downloaded: true,
            updated: Timestamp::UNIX_EPOCH,
            changed: Timestamp::UNIX_EPOCH,
            parts: Vec::new(),
        }
    }

    fn cut(units: &[RepoUnit]) -> Vec<Key> {
        let mut cutter = Cutter::new(Algorithm::Sha256);
        let mut keys: Vec<Key> = units
            .iter()
            .filter_map(|unit| cutter.push(unit.clone()))
            .map(|chunk| chunk.key)
            .collect();
        keys.extend(cutter.end().map(|chunk| chunk.key));
        keys
    }

    #[test]
    fn a_package_that_comes_or_goes_changes_few_chunks() {
        let mut units: Vec<RepoUnit> = (0..5000).map(|_| unit()).collect();
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
        let key = |change: fn(&mut RepoUnit)| {
            let mut unit = first.clone();
            change(&mut unit);
            cut(&[unit])
        };
        let same = key(|_| {});
        assert_ne!(same, key(|u| u.id = UnitId::new()));
        assert_ne!(same, key(|u| u.changed = Timestamp::MAX));
        assert_ne!(same, key(|u| u.blob = Some(Sha256::of(b"file"))));
        assert_eq!(same, key(|u| u.updated = Timestamp::MAX));
        assert_eq!(
            key(|u| u.blob = Some(Sha256::of(b"file"))),
            key(|u| u.promised = Some(Sha256::of(b"file")))
        );
    }
}
