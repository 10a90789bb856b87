//! Packages that a solve chose early and that turned out to be needless: one goes when all that was satisfied with it stays
//! satisfied without it, and without those that cannot be without it.

use std::collections::{HashMap, HashSet};

use super::rich::Need;
use super::solved::Solved;
use super::state::State;
use super::universe::{Place, Universe};

/// The most packages that may go together: where there are more, they hang on something that is needed.
const TOGETHER: usize = 100;

/// Leaves out what is needless, beginning with what came last. What `start` names stays, and what modules brought. `before`
/// are the conditional needs of the destinations that were satisfied before.
pub(super) fn leave_out(
    solved: &mut Solved<'_>,
    universe: &Universe,
    start: &[u32],
    before: &[(u32, Need)],
) {
    let chosen: Vec<u32> = solved.packages().map(|(_, number)| number).collect();
    let mut kept: HashSet<u32> = start.iter().copied().collect();
    kept.extend(chosen.iter().filter(|number| solved.is_of_module(**number)));
    let mut pass = Pass {
        universe,
        present: chosen.iter().copied().collect(),
        gone: HashSet::new(),
        kept,
        needs: Vec::new(),
        parts: HashMap::new(),
    };
    for (owner, need) in before {
        pass.note(*owner, need.clone(), Strength::Strong);
    }
    for owner in &chosen {
        let package = universe.package(*owner);
        for need in package.requires.iter().flat_map(Need::split) {
            pass.note(*owner, need, Strength::Strong);
        }
        for need in package.recommends.iter().flat_map(Need::split) {
            pass.note(*owner, need, Strength::Weak);
        }
    }
    loop {
        let before = pass.gone.len();
        for number in chosen.iter().rev() {
            pass.take_out(*number);
        }
        if pass.gone.len() == before {
            break;
        }
    }
    solved.leave_out(&pass.gone);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

struct Pass<'a> {
    universe: &'a Universe,
    present: HashSet<u32>,
    gone: HashSet<u32>,
    kept: HashSet<u32>,
    /// Needs that are satisfied, and whose they are.
    needs: Vec<(u32, Need, Strength)>,
    /// The needs that a chosen package has a part in, as a provider or in a condition.
    parts: HashMap<u32, Vec<usize>>,
}

impl Pass<'_> {
    fn note(&mut self, owner: u32, need: Need, strength: Strength) {
        if !self.satisfied(&need, &HashSet::new()) {
            return;
        }
        let at = self.needs.len();
        need.plain(&mut |plain| {
            let providers = self.universe.providers(plain);
            for provider in providers.filter(|number| self.present.contains(number)) {
                self.parts.entry(provider).or_default().push(at);
            }
        });
        self.needs.push((owner, need, strength));
    }

    /// Tells whether a need is satisfied without these and what went before.
    fn satisfied(&self, need: &Need, without: &HashSet<u32>) -> bool {
        let present = |number: u32| {
            let is_there = self.universe.package(number).place == Place::There;
            let is_left = self.present.contains(&number) && !self.gone.contains(&number);
            (is_there || is_left) && !without.contains(&number)
        };
        let state = State {
            universe: self.universe,
            present,
            lacking: None,
        };
        state.satisfied(need)
    }

    /// Takes a package out if it is needless.
    fn take_out(&mut self, number: u32) {
        if self.gone.contains(&number) || self.kept.contains(&number) {
            return;
        }
        let mut out = HashSet::from([number]);
        let mut queue = vec![number];
        let mut wishing = HashSet::new();
        while let Some(number) = queue.pop() {
            for at in self.parts.get(&number).into_iter().flatten() {
                let (owner, need, strength) = &self.needs[*at];
                let goes = self.gone.contains(owner) || out.contains(owner);
                if goes || self.satisfied(need, &out) {
                    continue;
                }
                if *strength == Strength::Weak {
                    wishing.insert(*owner);
                } else if self.kept.contains(owner)
                    || !self.present.contains(owner)
                    || out.len() > TOGETHER
                {
                    return;
                } else {
                    out.insert(*owner);
                    queue.push(*owner);
                }
            }
        }
        if wishing.is_subset(&out) {
            self.gone.extend(out);
        }
    }
}
