//! The packages of all repositories of a copy as a solve sees them.
//!
//! This is the one place that holds something of every package in memory: names and versions of what it provides and needs,
//! each text once, no more.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::outline::Fields;
use pith_content::repository::{Outlines, Units};
use pith_content::unit::{RepoUnit, Select};
use pith_core::UnitId;

use super::entry::{Text, entries};
use super::rich::{Need, Rich, Word};
use super::version::{Bound, Dependency, Table};
use crate::interned::Symbol;
use crate::metadata::{filelists, snippet};
use crate::parts::FILELISTS;
use crate::type_ids::RPM;

/// The place of a package: the destinations, which count as one, or a source by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A destination.
    There,
    /// A source; 0 is the one that units were selected from.
    Source(usize),
}

/// The fields that a solve reads of packages.
pub(super) const FIELDS: &[&str] = &[
    "name",
    "epoch",
    "version",
    "release",
    "arch",
    "provides",
    "requires",
    "recommends",
];

/// Returns what tells the files of packages.
pub(super) fn select_files() -> Select {
    Select {
        fields: Some(&["name"]),
        parts: &[FILELISTS],
        ..Select::all(RPM)
    }
}

/// A package.
pub(super) struct Solvable {
    pub(super) id: UnitId,
    pub(super) place: Place,
    pub(super) name: Symbol,
    pub(super) version: Symbol,
    pub(super) arch: Symbol,
    pub(super) requires: Box<[Need]>,
    pub(super) recommends: Box<[Need]>,
}

/// Packages and who provides what. A package has a number, which is its place in the order of reading.
#[derive(Default)]
pub(super) struct Universe {
    pub(super) table: Table,
    packages: Vec<Solvable>,
    provides: HashMap<Symbol, Vec<(u32, Option<Bound>)>>,
    by_id: HashMap<(Place, UnitId), u32>,
    /// `noarch`, which fits every architecture.
    any_arch: Symbol,
}

impl Universe {
    /// One without packages.
    pub(super) fn new() -> Self {
        let mut universe = Self::default();
        universe.any_arch = universe.table.names.number("noarch");
        universe
    }

    /// Reads the packages of a stream.
    pub(super) async fn read(
        &mut self,
        place: Place,
        mut units: Outlines<'_>,
    ) -> Result<(), ContentError> {
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                self.push(place, unit.id, &unit.doc);
            }
        }
        Ok(())
    }

    /// Adds a package; one that is there already counts once.
    pub(super) fn push(&mut self, place: Place, id: UnitId, unit: &Fields) {
        let Ok(number) = u32::try_from(self.packages.len()) else {
            return;
        };
        if *self.by_id.entry((place, id)).or_insert(number) != number {
            return;
        }
        let table = &mut self.table;
        let text = |field| unit.get::<Text<'_>>(field).unwrap_or_default();
        let name = table.names.number(text("name").as_str());
        let version = ["epoch", "version", "release"].map(text);
        let version = table.version(version.each_ref().map(Text::as_str));
        let arch = table.names.number(text("arch").as_str());
        for provided in entries(unit, "provides") {
            if let Some(provided) = table.dependency(&provided) {
                let providers = self.provides.entry(provided.name).or_default();
                providers.push((number, provided.bound));
            }
        }
        let mut needs = |field| {
            let needs = entries(unit, field);
            let needs = needs.iter().filter_map(|entry| Need::of(entry, table));
            needs.collect()
        };
        let (requires, recommends) = (needs("requires"), needs("recommends"));
        self.packages.push(Solvable {
            id,
            place,
            name,
            version,
            arch,
            requires,
            recommends,
        });
    }

    /// Every package, by number.
    pub(super) fn packages(&self) -> &[Solvable] {
        &self.packages
    }

    /// A package by its number, which this universe has given.
    pub(super) fn package(&self, number: u32) -> &Solvable {
        &self.packages[number as usize]
    }

    /// The number of a package of a place.
    pub(super) fn number(&self, place: Place, id: UnitId) -> Option<u32> {
        self.by_id.get(&(place, id)).copied()
    }

    /// Paths that somebody needs and nobody provides by name.
    pub(super) fn needed_paths(&self) -> HashSet<Symbol> {
        let mut paths = HashSet::new();
        for package in &self.packages {
            for need in package.requires.iter().chain(&package.recommends) {
                need.plain(&mut |plain| {
                    let is_path = self.table.names.text(plain.name).starts_with('/');
                    if is_path && !self.provides.contains_key(&plain.name) {
                        paths.insert(plain.name);
                    }
                });
            }
        }
        paths
    }

    /// Notes which packages of a place have the files at `paths`.
    pub(super) async fn read_files(
        &mut self,
        place: Place,
        mut units: Units<'_>,
        paths: &HashSet<Symbol>,
    ) -> Result<(), ContentError> {
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                self.files_of(place, &unit, paths);
            }
        }
        Ok(())
    }

    fn files_of(&mut self, place: Place, unit: &RepoUnit, paths: &HashSet<Symbol>) {
        let part = unit.parts.first().and_then(Option::as_ref);
        let (Some(part), Some(number)) = (part, self.number(place, unit.id)) else {
            return;
        };
        let Ok(text) = snippet::unpack(part) else {
            return;
        };
        let (names, provides) = (&self.table.names, &mut self.provides);
        let see = |_, path: &str| {
            if let Some(path) = names.known(path).filter(|path| paths.contains(path)) {
                provides.entry(path).or_default().push((number, None));
            }
        };
        if let Err(error) = filelists::each(&text, see) {
            tracing::warn!(unit = %unit.id, %error, "the file list of a package cannot be read");
        }
    }

    /// The packages that satisfy a plain dependency.
    pub(super) fn providers(&self, need: &Dependency) -> impl Iterator<Item = u32> {
        let named = self.provides.get(&need.name).into_iter().flatten();
        let bound = need.bound;
        named
            .filter(move |(_, have)| self.table.satisfies(*have, bound))
            .map(|(number, _)| *number)
    }

    /// The packages that could satisfy a need or a part of it. `holds` decides over conditions.
    pub(super) fn candidates(&self, need: &Need, holds: &dyn Fn(&Rich) -> Sides) -> Vec<u32> {
        let mut found = match need {
            Need::Plain(plain) => self.providers(plain).collect(),
            Need::Rich(rich) => {
                let mut left = self.candidates(&rich.left, holds);
                let right = || self.candidates(&rich.right, holds);
                match rich.word {
                    Word::And | Word::Or => left.extend(right()),
                    Word::With => {
                        let right: HashSet<u32> = right().into_iter().collect();
                        left.retain(|number| right.contains(number));
                    }
                    Word::Without => {
                        let right: HashSet<u32> = right().into_iter().collect();
                        left.retain(|number| !right.contains(number));
                    }
                    Word::If | Word::Unless => {
                        let sides = holds(rich);
                        if !sides.left {
                            left.clear();
                        }
                        if let Some(otherwise) = rich.otherwise.as_ref().filter(|_| sides.otherwise)
                        {
                            left.extend(self.candidates(otherwise, holds));
                        }
                    }
                }
                left
            }
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Compares packages: newer is better; of equal versions the one of the architecture of the package that asks, then what was
    /// read first.
    pub(super) fn better(&self, asking: &Solvable, a: u32, b: u32) -> Ordering {
        let fits =
            |package: &Solvable| package.arch == asking.arch || package.arch == self.any_arch;
        let (first, second) = (self.package(a), self.package(b));
        let newer = self.table.compare(first.version, second.version);
        newer
            .then_with(|| fits(first).cmp(&fits(second)))
            .then_with(|| b.cmp(&a))
    }
}

/// The sides of a condition that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    /// The truth of what stands before the word.
    pub(super) left: bool,
    /// The truth of what stands behind `else`.
    pub(super) otherwise: bool,
}
