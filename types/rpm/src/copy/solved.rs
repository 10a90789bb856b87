//! The choices of a solve so far, and the builds of modules that it knows.

use std::collections::{HashMap, HashSet};

use pith_core::UnitId;

use super::universe::{Place, Universe};

/// A build of a module in a source.
pub(super) struct Build {
    pub(super) id: UnitId,
    pub(super) source: usize,
    pub(super) name: String,
    pub(super) packages: Vec<u32>,
    pub(super) chosen: bool,
    /// Is true when a destination has it, where that counts.
    pub(super) there: bool,
}

/// The builds of modules that sources have.
#[derive(Default)]
pub(super) struct Modules {
    pub(super) builds: Vec<Build>,
    /// The builds that list a package.
    pub(super) listed: HashMap<u32, Vec<usize>>,
}

/// The choices of a solve so far.
pub(super) struct Solved<'a> {
    pub(super) universe: &'a Universe,
    pub(super) modules: &'a Modules,
    pub(super) chosen: HashSet<u32>,
    pub(super) order: Vec<u32>,
    pub(super) builds: HashSet<usize>,
    /// Modules of which a build was chosen.
    pub(super) names: HashSet<&'a str>,
}

impl<'a> Solved<'a> {
    /// Nothing but what was selected of the modules.
    pub(super) fn new(universe: &'a Universe, modules: &'a Modules) -> Self {
        let builds = modules.builds.iter().enumerate();
        let selected = || builds.clone().filter(|(_, build)| build.chosen);
        Self {
            universe,
            modules,
            chosen: HashSet::new(),
            order: Vec::new(),
            builds: selected().map(|(at, _)| at).collect(),
            names: selected().map(|(_, build)| &*build.name).collect(),
        }
    }

    /// Chooses a package, with the modules that it needs and what they list; what is new goes into `queue`.
    pub(super) fn choose(&mut self, number: u32, queue: &mut Vec<u32>) {
        let mut pending = vec![number];
        while let Some(number) = pending.pop() {
            if !self.chosen.insert(number) {
                continue;
            }
            queue.push(number);
            self.order.push(number);
            let modules = self.modules;
            let listing = modules
                .listed
                .get(&number)
                .map_or(&[][..], |listing| listing);
            let comes = |at: &usize| self.builds.contains(at) || modules.builds[*at].there;
            if listing.iter().any(comes) {
                continue;
            }
            for at in listing {
                self.builds.insert(*at);
                self.names.insert(&modules.builds[*at].name);
                pending.extend(&modules.builds[*at].packages);
            }
        }
    }

    /// Tells whether a destination has the package, or it was chosen.
    pub(super) fn is_present(&self, number: u32) -> bool {
        self.universe.package(number).place == Place::There || self.chosen.contains(&number)
    }

    /// Tells whether a build of a module that comes lists the package.
    pub(super) fn is_of_module(&self, number: u32) -> bool {
        let listing = self.modules.listed.get(&number).into_iter().flatten();
        listing.into_iter().any(|at| self.builds.contains(at))
    }

    /// Takes packages back.
    pub(super) fn leave_out(&mut self, gone: &HashSet<u32>) {
        self.chosen.retain(|number| !gone.contains(number));
        self.order.retain(|number| !gone.contains(number));
    }

    /// Leaves out packages of other builds of modules that come, where there are others.
    pub(super) fn without_rivals(&self, candidates: Vec<u32>) -> Vec<u32> {
        if self.names.is_empty() || candidates.len() < 2 {
            return candidates;
        }
        let is_rival = |number: &u32| {
            let listing = self.modules.listed.get(number).map_or(&[][..], |all| all);
            let rival = |at: &usize| self.names.contains(&*self.modules.builds[*at].name);
            !listing.iter().any(|at| self.builds.contains(at)) && listing.iter().any(rival)
        };
        let (rivals, others): (Vec<u32>, Vec<u32>) = candidates.into_iter().partition(is_rival);
        if others.is_empty() { rivals } else { others }
    }

    /// The packages that were chosen, by source.
    pub(super) fn packages(&self) -> impl Iterator<Item = (usize, u32)> {
        self.order
            .iter()
            .filter_map(|number| match self.universe.package(*number).place {
                Place::There => None,
                Place::Source(source) => Some((source, *number)),
            })
    }
}
