//! The packages of a repository as advisories name them.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::publish::PublishContext;
use pith_core::UnitId;

use super::texts::Texts;
use crate::metadata::updateinfo::ErratumPackage;
use crate::named::{LeftOut, PARTS, exact, values, with_epoch};
use crate::type_ids::RPM;

/// Packages by the hash of what is left of their names, sorted.
type Table = Vec<(u64, UnitId)>;

/// The packages of a repository by name, version and architecture, as hashes: enough to know which advisories concern it.
#[derive(Default)]
pub struct Known {
    state: RandomState,
    hashes: HashSet<u64>,
    /// Made when they are asked for, which is seldom.
    tables: BTreeMap<LeftOut, Table>,
}

impl Known {
    /// Notes a package.
    pub fn insert(&mut self, package: &impl Texts) {
        let name = PARTS.map(|part| package.text(part));
        let hash = self.hash(
            LeftOut::NOTHING,
            with_epoch(name.each_ref().map(|part| &**part)),
        );
        self.hashes.insert(hash);
    }

    fn hash(&self, left_out: LeftOut, values: [&str; 5]) -> u64 {
        self.state.hash_one(left_out.from(values))
    }

    fn has_exactly(&self, package: &ErratumPackage) -> bool {
        let hash = self.hash(LeftOut::NOTHING, exact(package));
        self.hashes.contains(&hash)
    }

    /// Makes ready for questions about packages of advisories. `wanted` are those of which [`Known::candidates`] is asked.
    ///
    /// # Errors
    /// What the context fails with.
    pub async fn prepare<'a>(
        &mut self,
        ctx: &dyn PublishContext,
        packages: impl Iterator<Item = &'a ErratumPackage>,
        wanted: impl Fn(&ErratumPackage) -> bool,
    ) -> Result<(), ContentError> {
        let mut lacking: BTreeMap<LeftOut, Table> = BTreeMap::new();
        for package in packages {
            let table = match self.has_exactly(package) {
                true => wanted(package).then_some(LeftOut::NOTHING),
                false => LeftOut::of(package).filter(|left_out| *left_out != LeftOut::NOTHING),
            };
            if let Some(table) = table.filter(|table| !self.tables.contains_key(table)) {
                lacking.entry(table).or_default();
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        let mut units = ctx.outlines(RPM, &PARTS).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in batch {
                let name = PARTS.map(|part| unit.doc.text(part));
                let values = with_epoch(name.each_ref().map(|part| &**part));
                for (left_out, table) in &mut lacking {
                    table.push((self.hash(*left_out, values), unit.id));
                }
            }
        }
        for table in lacking.values_mut() {
            table.sort_unstable();
        }
        self.tables.extend(lacking);
        Ok(())
    }

    /// Tells whether the repository has this package.
    #[must_use]
    pub fn contains(&self, package: &ErratumPackage) -> bool {
        self.has_exactly(package) || self.by_parts(package).next().is_some()
    }

    /// The packages that are meant; one that is named in full comes first.
    pub fn candidates(&self, package: &ErratumPackage) -> Vec<UnitId> {
        let exactly: Vec<UnitId> = self.look_up(LeftOut::NOTHING, exact(package)).collect();
        match exactly.is_empty() {
            true => self.by_parts(package).collect(),
            false => exactly,
        }
    }

    fn by_parts(&self, package: &ErratumPackage) -> impl Iterator<Item = UnitId> {
        let left_out = LeftOut::of(package).unwrap_or(LeftOut::NOTHING);
        self.look_up(left_out, values(package))
    }

    fn look_up(&self, left_out: LeftOut, values: [&str; 5]) -> impl Iterator<Item = UnitId> {
        let table = self.tables.get(&left_out).map_or(&[][..], Vec::as_slice);
        let hash = self.hash(left_out, values);
        let start = table.partition_point(|(own, _)| *own < hash);
        let same = table[start..]
            .iter()
            .take_while(move |(own, _)| *own == hash);
        same.map(|(_, id)| *id)
    }
}
