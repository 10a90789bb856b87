//! A judge of answers that knows nothing of how they were found: sets of packages, and what they need.

use std::collections::HashSet;

use crate::copy::rich::{Need, Word};
use crate::copy::universe::{Place, Universe};

pub(super) type Packages = HashSet<u32>;

/// Needs that are not met: whose, and which of its needs, with the sides of `and` and `if … else …` apart.
pub(super) type Unmet = HashSet<(u32, usize)>;

pub(super) struct Judge<'a> {
    universe: &'a Universe,
    there: Packages,
    /// Needs of the destination that it did not meet before.
    before: (Unmet, Unmet),
}

impl<'a> Judge<'a> {
    pub(super) fn new(universe: &'a Universe) -> Self {
        let is_there = |number: &u32| universe.package(*number).place == Place::There;
        let all = (0u32..).zip(universe.packages()).map(|(number, _)| number);
        let mut judge = Self {
            universe,
            there: all.filter(is_there).collect(),
            before: Default::default(),
        };
        judge.before = judge.unmet(&Packages::new());
        judge
    }

    fn meets(&self, need: &Need, packages: &Packages) -> bool {
        let rich = match need {
            Need::Plain(plain) => {
                let mut providers = self.universe.providers(plain);
                return providers.any(|number| packages.contains(&number));
            }
            Need::Rich(rich) => rich,
        };
        let meets = |need| self.meets(need, packages);
        let (left, right) = (&rich.left, &rich.right);
        match rich.word {
            Word::And => meets(left) && meets(right),
            Word::Or => meets(left) || meets(right),
            Word::With | Word::Without => packages.iter().any(|number| {
                let one = Packages::from([*number]);
                self.meets(left, &one) && self.meets(right, &one) == (rich.word == Word::With)
            }),
            Word::If if meets(right) => meets(left),
            Word::Unless if !meets(right) => meets(left),
            Word::If | Word::Unless => rich.otherwise.as_ref().is_none_or(meets),
        }
    }

    /// Returns what is not met where these packages were copied: requirements, and recommendations of what was copied.
    pub(super) fn unmet(&self, copied: &Packages) -> (Unmet, Unmet) {
        let present = copied | &self.there;
        let (mut strong, mut weak) = (Unmet::new(), Unmet::new());
        for owner in &present {
            let package = self.universe.package(*owner);
            let of = |needs: &[Need], unmet: &mut Unmet| {
                for (at, need) in needs.iter().flat_map(Need::split).enumerate() {
                    if !self.meets(&need, &present) {
                        unmet.insert((*owner, at));
                    }
                }
            };
            of(&package.requires, &mut strong);
            if !self.there.contains(owner) {
                of(&package.recommends, &mut weak);
            }
        }
        (&strong - &self.before.0, &weak - &self.before.1)
    }

    /// The packages beside `start` without which everything that is met would be met too.
    pub(super) fn needless(&self, copied: &Packages, start: &[u32]) -> Packages {
        let (strong, weak) = self.unmet(copied);
        let needless = |number: &&u32| {
            let rest = copied - &Packages::from([**number]);
            let (strong_left, weak_left) = self.unmet(&rest);
            strong_left.is_subset(&strong) && weak_left.is_subset(&weak)
        };
        let may_go = copied.iter().filter(|number| !start.contains(number));
        may_go.filter(needless).copied().collect()
    }

    /// Tells whether `other` has a package in an older version than `copied` has it.
    pub(super) fn is_older(&self, other: &Packages, copied: &Packages) -> bool {
        let package = |number: &u32| self.universe.package(*number);
        let table = &self.universe.table;
        other.difference(copied).map(package).any(|old| {
            let namesakes = copied
                .iter()
                .map(package)
                .filter(|new| new.name == old.name);
            let mut versions = namesakes.map(|new| new.version);
            versions.any(|version| table.compare(version, old.version).is_gt())
        })
    }

    /// The needs of these packages that whatever is there, here or to come could meet, and that are not met.
    pub(super) fn missed(&self, copied: &Packages, start: &[u32]) -> Vec<(u32, usize)> {
        let all: Packages = (0u32..)
            .zip(self.universe.packages())
            .map(|(n, _)| n)
            .collect();
        let could = |(owner, at): &(u32, usize)| {
            let requires = &self.universe.package(*owner).requires;
            let need = requires.iter().flat_map(Need::split).nth(*at).unwrap();
            start.contains(owner) && !need.is_conditional() && self.meets(&need, &all)
        };
        self.unmet(copied).0.into_iter().filter(could).collect()
    }
}
