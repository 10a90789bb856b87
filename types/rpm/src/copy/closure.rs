//! Following requirements (reference: rpm §9.2).
//!
//! Relaxed: of everything that a chosen package requires or recommends, the newest provider of each name, whatever the
//! destination has. Conservative: a provider only where neither the destination nor the choice satisfies the need, the one
//! that bears the needed name before others, the newest before older.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashSet};

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::copy::CopyContext;
use pith_content::unit::Select;
use pith_core::UnitId;

use super::add;
use super::universe::{self, Package, Universe};
use super::version::Dependency;
use crate::types::RPM;

/// Packages looked at before others get a turn on this thread.
const TURN: usize = 1000;

/// Adds the packages that chosen packages need.
pub(super) async fn follow(ctx: &dyn CopyContext, conservative: bool) -> Result<(), ContentError> {
    let mut start: Vec<UnitId> = Vec::new();
    let select = Select {
        fields: Some(&[]),
        ..Select::all(RPM)
    };
    let mut units = ctx.chosen(select).await?;
    while let Some(batch) = units.try_next().await? {
        start.extend(batch.iter().map(|unit| unit.id));
    }
    drop(units);
    if start.is_empty() {
        return Ok(());
    }
    let mut source = Universe::read(ctx.source_units(universe::select()).await?).await?;
    let mut there = Universe::default();
    if conservative {
        there = Universe::read(ctx.units_after(universe::select()).await?).await?;
    }
    let paths = source.needed_paths();
    if !paths.is_empty() {
        let files = ctx.source_units(universe::select_files()).await?;
        source.read_files(files, &paths).await?;
        if conservative {
            let files = ctx.units_after(universe::select_files()).await?;
            there.read_files(files, &paths).await?;
        }
    }
    let start = start.into_iter().filter_map(|id| source.number(id));
    let mut walk = Walk::new(&source, conservative.then_some(&there), start);
    while walk.turn() {
        if ctx.cancelled().is_cancelled() {
            return Err(ContentError::Cancelled);
        }
        tokio::task::yield_now().await;
    }
    let found: Vec<UnitId> = walk.found().collect();
    add(ctx, RPM, &found).await
}

/// A walk along requirements.
struct Walk<'a> {
    source: &'a Universe,
    /// What counts as installed, in the conservative mode.
    there: Option<&'a Universe>,
    chosen: HashSet<u32>,
    queue: Vec<u32>,
    given: usize,
    order: Vec<u32>,
}

impl<'a> Walk<'a> {
    fn new(
        source: &'a Universe,
        there: Option<&'a Universe>,
        start: impl Iterator<Item = u32>,
    ) -> Self {
        let queue: Vec<u32> = start.collect();
        Self {
            source,
            there,
            chosen: queue.iter().copied().collect(),
            given: queue.len(),
            order: queue.clone(),
            queue,
        }
    }

    /// What was found beyond the start.
    fn found(&self) -> impl Iterator<Item = UnitId> {
        let found = self.order.iter().skip(self.given);
        found.map(|number| self.package(*number).id)
    }

    fn package(&self, number: u32) -> &'a Package {
        // Numbers come from the universe itself.
        &self.source.packages[number as usize]
    }

    /// Looks at some packages; whether there are more.
    fn turn(&mut self) -> bool {
        for _ in 0..TURN {
            let Some(number) = self.queue.pop() else {
                return false;
            };
            let package = self.package(number);
            for need in &package.needs {
                for provider in self.wanted(package, need) {
                    if self.chosen.insert(provider) {
                        self.queue.push(provider);
                        self.order.push(provider);
                    }
                }
            }
        }
        true
    }

    /// The packages that should come for `need`.
    fn wanted(&self, package: &Package, need: &Dependency) -> Vec<u32> {
        let providers = || self.source.providers(need);
        let Some(there) = self.there else {
            let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
            for provider in providers() {
                let name = &*self.package(provider).name;
                let best = newest.entry(name).or_insert(provider);
                if self.better(package, provider, *best) == Ordering::Greater {
                    *best = provider;
                }
            }
            return newest.into_values().collect();
        };
        let satisfied = there.providers(need).next().is_some()
            || providers().any(|provider| self.chosen.contains(&provider));
        if satisfied {
            return Vec::new();
        }
        let named = |number: u32| *self.package(number).name == *need.name;
        let best = providers().max_by(|a, b| {
            named(*a)
                .cmp(&named(*b))
                .then_with(|| self.package(*b).name.cmp(&self.package(*a).name))
                .then_with(|| self.better(package, *a, *b))
        });
        best.into_iter().collect()
    }

    /// Newer is better; of equal versions the one of the architecture of who asks.
    fn better(&self, asking: &Package, a: u32, b: u32) -> Ordering {
        let (a, b) = (self.package(a), self.package(b));
        let fits = |package: &Package| package.arch == asking.arch || &*package.arch == "noarch";
        let newer = a.evr().cmp(&b.evr());
        newer
            .then_with(|| fits(a).cmp(&fits(b)))
            .then_with(|| b.arch.cmp(&a.arch))
    }
}
