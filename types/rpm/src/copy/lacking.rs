//! Packages of the sources that cannot be complete, because something that they need cannot come.

use std::collections::HashSet;

use super::rich::{Need, Word};
use super::universe::{Place, Sides, Universe};

/// The packages that are known to lack something, of all that a solve may lead to.
pub(super) struct Lacking {
    reached: Vec<u32>,
    lacking: HashSet<u32>,
}

const EITHER: Sides = Sides {
    left: true,
    otherwise: true,
};

impl Lacking {
    /// The packages that lack something as the repositories are.
    pub(super) fn new(universe: &Universe, start: &[u32]) -> Self {
        let mut found = Self {
            reached: reached(universe, start),
            lacking: HashSet::new(),
        };
        found.spread(universe);
        found
    }

    /// Tells whether a package is known to lack something.
    pub(super) fn has(&self, number: u32) -> bool {
        self.lacking.contains(&number)
    }

    /// Notes that a package turned out to lack something, and with it those that cannot be without it.
    pub(super) fn add(&mut self, universe: &Universe, number: u32) {
        self.lacking.insert(number);
        self.spread(universe);
    }

    fn spread(&mut self, universe: &Universe) {
        loop {
            let before = self.lacking.len();
            for number in &self.reached {
                let mut needs = universe.package(*number).requires.iter();
                if !self.lacking.contains(number) && !needs.all(|need| self.can(universe, need)) {
                    self.lacking.insert(*number);
                }
            }
            if self.lacking.len() == before {
                return;
            }
        }
    }

    /// Tells whether packages that are complete could satisfy a need, under whatever condition.
    fn can(&self, universe: &Universe, need: &Need) -> bool {
        let complete = |number: u32| !self.lacking.contains(&number);
        match need {
            Need::Plain(plain) => universe.providers(plain).any(complete),
            Need::Rich(rich) => match rich.word {
                Word::And => self.can(universe, &rich.left) && self.can(universe, &rich.right),
                Word::Or => self.can(universe, &rich.left) || self.can(universe, &rich.right),
                Word::With | Word::Without => {
                    let found = universe.candidates(need, &|_| EITHER);
                    found.into_iter().any(complete)
                }
                // There may be something else for which the condition does not hold.
                Word::If | Word::Unless => true,
            },
        }
    }
}

/// The packages of the sources that the needs of `start` may lead to, in the order of reading.
fn reached(universe: &Universe, start: &[u32]) -> Vec<u32> {
    let mut reached: HashSet<u32> = start.iter().copied().collect();
    let mut queue = start.to_vec();
    while let Some(number) = queue.pop() {
        let package = universe.package(number);
        for need in package.requires.iter().chain(&package.recommends) {
            for candidate in universe.candidates(need, &|_| EITHER) {
                let from_source = universe.package(candidate).place != Place::There;
                if from_source && reached.insert(candidate) {
                    queue.push(candidate);
                }
            }
        }
    }
    let mut reached: Vec<u32> = reached.into_iter().collect();
    reached.sort_unstable();
    reached
}
