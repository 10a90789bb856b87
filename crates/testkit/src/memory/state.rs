//! The units of a repository, and the changes that its task has made so far.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use pith_content::publish::Entry;
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Sha256, Timestamp, UnitId};
use serde_json::Value;

/// A unit, found by the digest of its key.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its type.
    pub type_id: &'static str,
    /// The unit, without its parts.
    pub unit: RepoUnit,
    /// All of its parts.
    pub parts: Vec<(String, Vec<u8>)>,
    /// Its place in the order in which units came.
    pub order: usize,
}

/// Paths with what stands there.
pub type Publication = BTreeMap<String, (Entry, Timestamp)>;

/// Everything that changes in a repository.
#[derive(Debug, Default)]
pub struct State {
    /// All units that were ever there.
    pub units: HashMap<Sha256, Stored>,
    /// Those that the repository has, or will have when its task ends well.
    pub repo: HashSet<Sha256>,
    /// The publication that is served.
    pub served: Publication,
    /// The last that was told of progress.
    pub progress: Value,
    /// Those that its task was handed, or takes out.
    pub(super) touched: HashSet<Sha256>,
    /// The publication that grows.
    pub(super) building: Publication,
    /// The repository as it was before the task that runs.
    before: Option<Before>,
}

/// The state that a task may have to put back.
#[derive(Debug, Default)]
struct Before {
    repo: HashSet<Sha256>,
    replaced: HashMap<Sha256, Stored>,
}

impl State {
    /// Begins a task.
    pub(super) fn begin(&mut self) {
        self.touched.clear();
        self.before = Some(Before {
            repo: self.repo.clone(),
            replaced: HashMap::new(),
        });
    }

    /// Ends the task: one that did not go well leaves the repository as it was.
    pub(super) fn end(&mut self, is_well: bool) {
        let before = self.before.take().unwrap_or_default();
        if !is_well {
            self.repo = before.repo;
            self.units.extend(before.replaced);
        }
    }

    /// Those that the repository has, whatever its task has made of it.
    pub(super) fn present(&self) -> &HashSet<Sha256> {
        self.before.as_ref().map_or(&self.repo, |it| &it.repo)
    }

    /// Puts a unit into the repository, in the place of one of the same key.
    pub(super) fn put(&mut self, key: Sha256, unit: Stored) {
        let known = self.units.insert(key, unit);
        if let (Some(before), Some(known)) = (&mut self.before, known) {
            before.replaced.entry(key).or_insert(known);
        }
        self.take(key);
    }

    /// Puts a known unit into the repository.
    pub(super) fn take(&mut self, key: Sha256) {
        self.touched.insert(key);
        self.repo.insert(key);
    }

    /// Takes units out.
    pub(super) fn take_out(&mut self, ids: &[UnitId]) {
        for key in self.keys(ids) {
            self.repo.remove(&key);
            self.touched.insert(key);
        }
    }

    /// Forgets of units that the task brought them.
    pub(super) fn leave_out(&mut self, ids: &[UnitId]) {
        for key in self.keys(ids) {
            self.touched.remove(&key);
            if !self.present().contains(&key) {
                self.repo.remove(&key);
            }
        }
    }

    /// Takes out the units of these types that the task was not handed.
    pub(super) fn keep_touched(&mut self, type_ids: &[&str]) {
        let (units, touched) = (&self.units, &self.touched);
        self.repo
            .retain(|key| touched.contains(key) || !type_ids.contains(&units[key].type_id));
    }

    /// The keys of units, in the order in which they came.
    pub(super) fn keys(&self, ids: &[UnitId]) -> Vec<Sha256> {
        let found = self.units.iter();
        let found = found.filter(|(_, stored)| ids.contains(&stored.unit.id));
        let mut found: Vec<_> = found.map(|(key, stored)| (stored.order, *key)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect()
    }

    /// Those units of `among` that `select` selects, as it wants them.
    pub(super) fn select(
        &self,
        among: impl IntoIterator<Item = Sha256>,
        select: &Select,
    ) -> Vec<RepoUnit> {
        let among = among.into_iter().filter_map(|key| self.units.get(&key));
        let among = among.filter(|it| it.type_id == select.type_id);
        let mut found: Vec<&Stored> = among.filter(|it| it.is_one_of(select)).collect();
        let text = |it: &Stored, field: &str| it.unit.doc.get(field).map(ToString::to_string);
        found.sort_by_key(|it| {
            let keys: Vec<_> = select.sort.iter().map(|field| text(it, field)).collect();
            (keys, it.order)
        });
        found.into_iter().map(|it| it.selected(select)).collect()
    }
}

impl Stored {
    /// Tells whether the choice is not narrowed to others.
    fn is_one_of(&self, select: &Select) -> bool {
        select.only.as_ref().is_none_or(|only| {
            let own = self.unit.doc.get(only.field).and_then(Value::as_str);
            own.is_some_and(|own| only.values.iter().any(|value| value == own))
        })
    }

    fn selected(&self, select: &Select) -> RepoUnit {
        let mut unit = self.unit.clone();
        if let Some(fields) = select.fields {
            unit.doc.retain(|name, _| fields.contains(&name.as_str()));
        }
        let part = |name: &&str| {
            let found = self.parts.iter().find(|(known, _)| known == name);
            found.map(|(_, data)| Bytes::from(data.clone()))
        };
        unit.parts = select.parts.iter().map(part).collect();
        unit
    }
}
