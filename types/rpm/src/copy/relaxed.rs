//! The relaxed solve: of everything that a package requires or recommends, the newest of each name, whatever the destination
//! has of it (pulp2/rpm-copy#dependencies). A condition counts when something there is, in a source or a destination, could make it
//! hold: what is copied is to be complete beside everything that may come after it.

use std::collections::BTreeMap;

use super::rich::{Need, Rich, Word};
use super::solved::{Modules, Solved};
use super::universe::{Place, Sides, Solvable, Universe};

/// Follows what the packages `start` need.
pub(super) fn solve<'a>(universe: &'a Universe, modules: &'a Modules, start: &[u32]) -> Solved<'a> {
    let mut solved = Solved::new(universe, modules);
    let mut queue = Vec::new();
    for number in start {
        solved.choose(*number, &mut queue);
    }
    while let Some(number) = queue.pop() {
        let package = universe.package(number);
        for need in package.requires.iter().chain(&package.recommends) {
            for provider in wanted(universe, &solved, package, need) {
                solved.choose(provider, &mut queue);
            }
        }
    }
    solved
}

/// The newest package of each name that satisfies a need, where it is in a source.
fn wanted(universe: &Universe, solved: &Solved, package: &Solvable, need: &Need) -> Vec<u32> {
    let providers = universe.candidates(need, &|rich| possible(universe, rich));
    let mut newest: BTreeMap<u32, u32> = BTreeMap::new();
    for provider in solved.without_rivals(providers) {
        let best = newest
            .entry(universe.package(provider).name)
            .or_insert(provider);
        if universe.better(package, provider, *best).is_gt() {
            *best = provider;
        }
    }
    let from_source = |number: &u32| universe.package(*number).place != Place::There;
    newest.into_values().filter(from_source).collect()
}

fn possible(universe: &Universe, rich: &Rich) -> Sides {
    let somebody = !universe
        .candidates(&rich.right, &|rich| possible(universe, rich))
        .is_empty();
    match rich.word {
        Word::If => Sides {
            left: somebody,
            otherwise: true,
        },
        _ => Sides {
            left: true,
            otherwise: somebody,
        },
    }
}
