//! A repository as far as it must be known to tell what applies: packages by name, the modules that list them, and the advisories
//! that are about them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use pith_content::profile::{Applicability, Applies, Profiles};
use pith_core::UnitId;
use rpm_version::Nevra;

use super::links::{Links, number};
use super::modules::{self, Module};
use super::packages::Packages;
use super::reported::{Installed, entries};
use crate::advisories::RepoPkglist;
use crate::interned::compare_versions;
use crate::metadata::updateinfo::Collection;
use crate::type_ids::{ERRATUM, MODULEMD, RPM};

/// An index that grows.
pub(super) struct Builder {
    packages: Packages,
    modules: Vec<Module>,
    listed_by: Vec<(u32, u32)>,
    claimed_by: Vec<(u32, u32)>,
    advisories: Vec<UnitId>,
    plain: Vec<(u32, u32)>,
    modular: Vec<(u32, u32)>,
}

impl Builder {
    /// An index of packages alone.
    pub(super) fn new(packages: Packages) -> Self {
        Self {
            packages,
            modules: Vec::new(),
            listed_by: Vec::new(),
            claimed_by: Vec::new(),
            advisories: Vec::new(),
            plain: Vec::new(),
            modular: Vec::new(),
        }
    }

    /// Adds a module that lists these artifacts.
    pub(super) fn module(
        &mut self,
        module: Module,
        artifacts: impl IntoIterator<Item = impl AsRef<str>>,
    ) {
        let build = number(self.modules.len());
        for artifact in artifacts {
            let (name, epoch, version, release, arch) = Nevra::parse_values(artifact.as_ref());
            let packages = self.packages.named([name, epoch, version, release, arch]);
            self.listed_by
                .extend(packages.map(|package| (package, build)));
            let name = self.packages.name(name);
            self.claimed_by.extend(name.map(|name| (name, build)));
        }
        self.modules.push(module);
    }

    /// Adds an advisory with what repositories say of its packages. What this one says counts, or where it says nothing, what all
    /// the others do.
    pub(super) fn advisory(&mut self, id: UnitId, lists: &[RepoPkglist], repo_id: &str) {
        let own = lists.iter().find(|list| list.repo_id == repo_id);
        let lists = own.map_or(lists, std::slice::from_ref);
        let advisory = number(self.advisories.len());
        let before = (self.plain.len(), self.modular.len());
        for collection in lists.iter().flat_map(|list| &list.collections) {
            self.collection(advisory, collection);
        }
        if before != (self.plain.len(), self.modular.len()) {
            self.advisories.push(id);
        }
    }

    fn collection(&mut self, advisory: u32, collection: &Collection) {
        let links = match collection.module {
            Some(_) => &mut self.modular,
            None => &mut self.plain,
        };
        for package in &collection.packages {
            let (epoch, version) = (package.epoch_or_zero(), package.version.as_str());
            let (name, release) = (package.name.as_str(), package.release.as_str());
            let packages = self
                .packages
                .named([name, epoch, version, release, &package.arch]);
            links.extend(packages.map(|package| (package, advisory)));
        }
    }

    /// The index of all that was added.
    pub(super) fn finish(self) -> Index {
        let packages = self.packages.len();
        let mut by_name: HashMap<String, Vec<u32>> = HashMap::new();
        for (build, module) in self.modules.iter().enumerate() {
            let builds = by_name.entry(module.name.clone()).or_default();
            builds.push(number(build));
        }
        Index {
            listed_by: Links::new(packages, self.listed_by),
            claimed_by: Links::new(self.packages.names(), self.claimed_by),
            plain: Links::new(packages, self.plain),
            modular: Links::new(packages, self.modular),
            packages: self.packages,
            modules: self.modules,
            by_name,
            advisories: self.advisories,
        }
    }
}

/// The index of a repository.
pub(super) struct Index {
    packages: Packages,
    modules: Vec<Module>,
    by_name: HashMap<String, Vec<u32>>,
    /// The modules that list a package.
    listed_by: Links,
    /// The modules that list a package of a name, in whatever version.
    claimed_by: Links,
    advisories: Vec<UnitId>,
    /// The advisories about a package that name no module.
    plain: Links,
    /// The advisories that name it as a package of a module.
    modular: Links,
}

impl Applies for Index {
    fn to(&self, profiles: &Profiles) -> Applicability {
        let named = entries(profiles, MODULEMD);
        let enabled = modules::enabled(&self.modules, &self.by_name, &named);
        let installed: Vec<Installed<'_>> = entries(profiles, RPM);
        let mut found = Found::default();
        for (series, newest) in self.newest(&installed) {
            for package in self.packages.newer(series, newest) {
                self.judge(package, &enabled, &mut found);
            }
        }
        let module = |build: u32| self.modules[build as usize].id;
        let advisory = |advisory: u32| self.advisories[advisory as usize];
        let all = [
            (RPM, found.packages),
            (MODULEMD, found.modules.into_iter().map(module).collect()),
            (
                ERRATUM,
                found.advisories.into_iter().map(advisory).collect(),
            ),
        ];
        let mut applicable: Applicability = BTreeMap::new();
        for (unit_type, mut ids) in all.into_iter().filter(|(_, ids)| !ids.is_empty()) {
            ids.sort_unstable();
            applicable.insert(unit_type, ids);
        }
        applicable
    }
}

/// The packages, modules and advisories that apply.
#[derive(Default)]
struct Found {
    packages: Vec<UnitId>,
    modules: BTreeSet<u32>,
    advisories: BTreeSet<u32>,
}

impl Index {
    /// The packages that the repository has of each name and architecture that is installed, with the newest version that is.
    fn newest<'a>(&self, installed: &'a [Installed<'_>]) -> Vec<(Range<u32>, [&'a str; 3])> {
        let series = |package: &'a Installed<'_>| {
            let series = self
                .packages
                .series(package.name.as_str(), package.arch.as_str());
            Some((series?, package.evr()))
        };
        let mut all: Vec<_> = installed.iter().filter_map(series).collect();
        all.sort_unstable_by(|(a, first), (b, second)| {
            let newest = || compare_versions(*second, *first);
            a.start.cmp(&b.start).then_with(newest)
        });
        all.dedup_by_key(|(series, _)| series.start);
        all
    }

    /// Notes a package that is newer than what is installed, when the modules let it count, with all that applies for its sake.
    fn judge(&self, package: u32, enabled: &HashSet<u32>, found: &mut Found) {
        let listed_by = self.listed_by.of(package);
        if listed_by.is_empty() {
            let claimed_by = self.claimed_by.of(self.packages.name_of(package));
            if claimed_by.iter().any(|build| enabled.contains(build)) {
                return;
            }
        } else {
            let mut builds = listed_by.iter().filter(|build| enabled.contains(build));
            let Some(first) = builds.next() else {
                return;
            };
            found.modules.insert(*first);
            found.modules.extend(builds);
            found.advisories.extend(self.modular.of(package));
        }
        found.packages.push(self.packages.id(package));
        found.advisories.extend(self.plain.of(package));
    }
}
