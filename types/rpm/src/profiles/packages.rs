//! The packages of a repository: of each its identity and its version, no more.

use std::collections::HashMap;
use std::ops::Range;

use pith_core::UnitId;

use super::links::number;
use crate::interned::{Names, Symbol, compare_versions};

/// The fields that tell the name of a package.
pub(super) const FIELDS: [&str; 5] = ["name", "epoch", "version", "release", "arch"];

/// A package.
struct Package {
    id: UnitId,
    name: Symbol,
    arch: Symbol,
    /// Epoch, version and release.
    version: [Symbol; 3],
}

/// Packages as they come.
#[derive(Default)]
pub(super) struct Collected {
    names: Names,
    packages: Vec<Package>,
}

impl Collected {
    /// Adds a package: its name, epoch, version, release and architecture.
    pub(super) fn push(&mut self, id: UnitId, texts: [&str; 5]) {
        let [name, epoch, version, release, arch] = with_epoch(texts);
        let names = &mut self.names;
        self.packages.push(Package {
            id,
            name: names.number(name),
            arch: names.number(arch),
            version: [epoch, version, release].map(|text| names.number(text)),
        });
    }

    /// The packages in order.
    pub(super) fn sorted(self) -> Packages {
        let Self {
            names,
            mut packages,
        } = self;
        packages.shrink_to_fit();
        let texts = |package: &Package| package.version.map(|part| names.text(part));
        packages.sort_unstable_by(|a, b| {
            let series = (a.name, a.arch).cmp(&(b.name, b.arch));
            let version = || compare_versions(texts(a), texts(b));
            series.then_with(version).then_with(|| a.id.cmp(&b.id))
        });
        let mut series: HashMap<(Symbol, Symbol), Range<u32>> = HashMap::new();
        for (at, package) in packages.iter().enumerate() {
            let at = number(at);
            let series = series.entry((package.name, package.arch));
            series.or_insert(at..at).end = at + 1;
        }
        series.shrink_to_fit();
        Packages {
            names,
            packages,
            series,
        }
    }
}

/// All packages. The number of one is its place; those of one name and architecture, a series, follow each other, older ones first.
pub(super) struct Packages {
    names: Names,
    packages: Vec<Package>,
    series: HashMap<(Symbol, Symbol), Range<u32>>,
}

impl Packages {
    /// The number of packages.
    pub(super) fn len(&self) -> usize {
        self.packages.len()
    }

    /// The number of texts of which [`Self::name`] gives the number.
    pub(super) fn names(&self) -> usize {
        self.names.len()
    }

    /// The number of a name, when there may be a package that has it.
    pub(super) fn name(&self, name: &str) -> Option<Symbol> {
        self.names.known(name)
    }

    /// The number of the name of a package.
    pub(super) fn name_of(&self, package: u32) -> Symbol {
        self.packages[package as usize].name
    }

    /// The unit of a package.
    pub(super) fn id(&self, package: u32) -> UnitId {
        self.packages[package as usize].id
    }

    /// The packages of a name and architecture.
    pub(super) fn series(&self, name: &str, arch: &str) -> Option<Range<u32>> {
        let key = (self.names.known(name)?, self.names.known(arch)?);
        self.series.get(&key).cloned()
    }

    /// Those of a series that are newer than a version.
    pub(super) fn newer(&self, series: Range<u32>, than: [&str; 3]) -> impl Iterator<Item = u32> {
        let is_newer = move |package: &u32| {
            let version = self.packages[*package as usize].version;
            let version = version.map(|part| self.names.text(part));
            compare_versions(version, than).is_gt()
        };
        series.rev().take_while(is_newer)
    }

    /// The packages of exactly this name, epoch, version, release and architecture: one, or several with other digests.
    pub(super) fn named(&self, texts: [&str; 5]) -> impl Iterator<Item = u32> {
        let [name, epoch, version, release, arch] = with_epoch(texts);
        let version = [epoch, version, release].map(|text| self.names.known(text));
        let series = self.series(name, arch).unwrap_or_default();
        series.filter(move |package| {
            let own = self.packages[*package as usize].version;
            own.map(Some) == version
        })
    }
}

/// No epoch is epoch 0.
fn with_epoch([name, epoch, version, release, arch]: [&str; 5]) -> [&str; 5] {
    let epoch = if epoch.is_empty() { "0" } else { epoch };
    [name, epoch, version, release, arch]
}
