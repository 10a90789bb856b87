//! The packages of a repository as a solver sees them.
//!
//! This is the one place that holds something of every package of a repository in memory: names and versions of what it
//! provides and requires, no more.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::Units;
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Document, UnitId};
use rpm_version::Evr;
use serde_json::Value;

use super::version::Dependency;
use crate::metadata::{filelists, snippet};
use crate::types::RPM;
use crate::units::FILELISTS;

/// What a solver reads of packages.
pub(super) fn select() -> Select {
    Select {
        fields: Some(&[
            "name",
            "epoch",
            "version",
            "release",
            "arch",
            "provides",
            "requires",
            "recommends",
        ]),
        ..Select::all(RPM)
    }
}

/// What tells the files of packages.
pub(super) fn select_files() -> Select {
    Select {
        fields: Some(&["name"]),
        parts: &[FILELISTS],
        ..Select::all(RPM)
    }
}

/// A package.
pub(super) struct Package {
    pub(super) id: UnitId,
    pub(super) name: Box<str>,
    evr: [Box<str>; 3],
    pub(super) arch: Box<str>,
    /// What it requires and what it recommends, rich ones taken apart.
    pub(super) needs: Vec<Dependency>,
}

impl Package {
    pub(super) fn evr(&self) -> Evr<'_> {
        Evr::new(&*self.evr[0], &*self.evr[1], &*self.evr[2])
    }
}

/// Packages and who provides what.
#[derive(Default)]
pub(super) struct Universe {
    pub(super) packages: Vec<Package>,
    provides: HashMap<Box<str>, Vec<(u32, Dependency)>>,
    by_id: HashMap<UnitId, u32>,
}

fn dependencies<'a>(doc: &'a Document, field: &str) -> impl Iterator<Item = Dependency> + 'a {
    let list = doc.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Dependency::of)
}

impl Universe {
    /// Reads the packages of a stream.
    pub(super) async fn read(mut units: Units<'_>) -> Result<Self, ContentError> {
        let mut universe = Self::default();
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                universe.push(unit);
            }
        }
        Ok(universe)
    }

    fn push(&mut self, unit: &RepoUnit) {
        let text = |field: &str| -> Box<str> {
            let value = unit.doc.get(field).and_then(Value::as_str);
            value.unwrap_or("").into()
        };
        let Ok(number) = u32::try_from(self.packages.len()) else {
            return;
        };
        let needs =
            dependencies(&unit.doc, "requires").chain(dependencies(&unit.doc, "recommends"));
        for provided in dependencies(&unit.doc, "provides") {
            let providers = self.provides.entry(provided.name.clone()).or_default();
            providers.push((number, provided));
        }
        self.by_id.insert(unit.id, number);
        self.packages.push(Package {
            id: unit.id,
            name: text("name"),
            evr: [text("epoch"), text("version"), text("release")],
            arch: text("arch"),
            needs: needs.flat_map(Dependency::plain).collect(),
        });
    }

    /// The number of a package.
    pub(super) fn number(&self, id: UnitId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Paths that somebody needs and nobody provides by name.
    pub(super) fn needed_paths(&self) -> HashSet<Box<str>> {
        let needs = self.packages.iter().flat_map(|package| &package.needs);
        needs
            .map(|need| &need.name)
            .filter(|name| name.starts_with('/') && !self.provides.contains_key(*name))
            .cloned()
            .collect()
    }

    /// Notes which packages have the files at `paths`.
    pub(super) async fn read_files(
        &mut self,
        mut units: Units<'_>,
        paths: &HashSet<Box<str>>,
    ) -> Result<(), ContentError> {
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                let part = unit.parts.first().and_then(Option::as_ref);
                let (Some(part), Some(number)) = (part, self.number(unit.id)) else {
                    continue;
                };
                let Ok(text) = snippet::unpack(part) else {
                    continue;
                };
                let see = |_, path: &str| {
                    if paths.contains(path) {
                        let name: Box<str> = path.into();
                        let provided = Dependency {
                            name: name.clone(),
                            bound: None,
                        };
                        let providers = self.provides.entry(name).or_default();
                        providers.push((number, provided));
                    }
                };
                if let Err(error) = filelists::each(&text, see) {
                    tracing::warn!(unit = %unit.id, %error, "the file list of a package cannot be read");
                }
            }
        }
        Ok(())
    }

    /// Who satisfies `need`.
    pub(super) fn providers<'a>(&'a self, need: &'a Dependency) -> impl Iterator<Item = u32> + 'a {
        let named = self.provides.get(&need.name).into_iter().flatten();
        named
            .filter(|(_, provided)| provided.satisfies(need))
            .map(|(number, _)| *number)
    }
}
