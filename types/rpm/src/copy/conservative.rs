//! The conservative solve: a package comes only where neither the destinations nor what was chosen satisfies a need
//! (pulp2/rpm-copy#dependencies).
//!
//! Versions of a package stand beside each other in a repository, and packages of a repository do not conflict, so a solve
//! never has to take anything back: what leaves no choice is taken first, then one choice after the other, and weak needs
//! at the end. A provider that lacks something itself is taken only where all of them do.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use tokio_util::sync::CancellationToken;

use super::lacking::Lacking;
use super::needless;
use super::rich::Need;
use super::solved::{Modules, Solved};
use super::state::State;
use super::universe::{Place, Solvable, Universe};
use crate::interned::Symbol;

/// Walks started over at most for each reason there is.
const AGAIN: usize = 200;

/// Packages chosen in all walks together, after which no smaller answer is looked for.
const ENOUGH: usize = 20_000;

/// Follows what the packages `start` need beyond what is there; `None` when it was cancelled.
pub(super) fn solve<'a>(
    universe: &'a Universe,
    modules: &'a Modules,
    start: &[u32],
    cancelled: &CancellationToken,
) -> Option<Solved<'a>> {
    let mut search = Search {
        facts: Facts::new(universe, start),
        modules,
        start,
        cancelled,
        effort: Cell::new(0),
    };
    let best = search.whole()?;
    Some(search.smaller(best)?.solved)
}

/// An answer.
struct Answer<'a> {
    solved: Solved<'a>,
    branches: Vec<Branch>,
    /// Needs that are not met though they should be.
    unmet: usize,
    size: usize,
}

struct Search<'a, 's> {
    facts: Facts<'a>,
    modules: &'a Modules,
    start: &'s [u32],
    cancelled: &'s CancellationToken,
    /// Packages chosen in all walks.
    effort: Cell<usize>,
}

impl<'a> Search<'a, '_> {
    /// The first answer of which nothing lacks anything, or the one of which the least does.
    fn whole(&mut self) -> Option<Answer<'a>> {
        let mut best: Option<Answer<'a>> = None;
        for _ in 0..AGAIN {
            let walk = self.walk(Vec::new())?;
            let enough = self.has_enough();
            // Something else may do where what was chosen lacks something beside the rest.
            let suspect = walk.suspect(self.start);
            let answer = self.answer(walk);
            if best.as_ref().is_none_or(|best| answer.unmet < best.unmet) {
                best = Some(answer);
            }
            match suspect {
                Some(suspect) if !enough => self.facts.lacking.add(self.facts.universe, suspect),
                _ => break,
            }
        }
        best
    }

    /// Tries what else could have been chosen, for an answer with fewer packages.
    fn smaller(&self, mut best: Answer<'a>) -> Option<Answer<'a>> {
        'again: loop {
            for (at, (chosen, choice)) in best.branches.iter().enumerate() {
                let before = best.branches[..at].iter().map(|(chosen, _)| *chosen);
                let before: Vec<u32> = before.collect();
                for other in choice.iter().filter(|other| *other != chosen) {
                    if self.has_enough() {
                        return Some(best);
                    }
                    let answer = self.answer(self.walk([&before[..], &[*other]].concat())?);
                    if (answer.unmet, answer.size) < (best.unmet, best.size) {
                        best = answer;
                        continue 'again;
                    }
                }
            }
            return Some(best);
        }
    }

    /// Tells whether so much was tried that what was found must do.
    fn has_enough(&self) -> bool {
        self.effort.get() > ENOUGH
    }

    fn answer(&self, walk: Walk<'a, '_>) -> Answer<'a> {
        let (unmet, branches, mut solved) = (walk.unmet().count(), walk.branches, walk.solved);
        let facts = &self.facts;
        needless::leave_out(&mut solved, facts.universe, self.start, &facts.conditional);
        Answer {
            size: solved.packages().count(),
            solved,
            branches,
            unmet,
        }
    }

    /// One walk, started over with what turned out to come anyway.
    fn walk(&self, mut settled: Vec<u32>) -> Option<Walk<'a, '_>> {
        let fixed = settled.len();
        for again in 0.. {
            let mut walk = Walk::new(&self.facts, self.modules, settled);
            for number in self.start {
                walk.choose(*number);
            }
            while walk.turn() {
                if self.cancelled.is_cancelled() {
                    return None;
                }
            }
            let effort = self.effort.get() + walk.solved.packages().count();
            self.effort.set(effort);
            let may = again < AGAIN && !self.has_enough();
            match walk.came_anyway(fixed).filter(|_| may) {
                Some(better) => settled = better,
                None => return Some(walk),
            }
        }
        None
    }
}

/// The facts that do not change during a walk.
struct Facts<'a> {
    universe: &'a Universe,
    lacking: Lacking,
    newest: HashMap<Symbol, Newest>,
    /// Conditional needs of packages of the destinations, which they satisfy: what comes must not break them.
    conditional: Vec<(u32, Need)>,
    /// Packages that packages of the destinations recommend.
    recommended: HashSet<u32>,
}

impl<'a> Facts<'a> {
    fn new(universe: &'a Universe, start: &[u32]) -> Self {
        let there = State {
            universe,
            present: |number| universe.package(number).place == Place::There,
            lacking: None,
        };
        let (mut conditional, mut recommended) = (Vec::new(), HashSet::new());
        for (number, package) in (0u32..).zip(universe.packages()) {
            if package.place != Place::There {
                continue;
            }
            let needs = package.requires.iter().filter(|need| need.is_conditional());
            let needs = needs.flat_map(Need::split);
            let whole = needs.filter(|need| there.satisfied(need));
            conditional.extend(whole.map(|need| (number, need)));
            for need in &package.recommends {
                recommended.extend(there.candidates(need));
            }
        }
        Self {
            universe,
            lacking: Lacking::new(universe, start),
            newest: newest(universe),
            conditional,
            recommended,
        }
    }
}

/// The newest versions of a name.
#[derive(Default, Clone, Copy)]
struct Newest {
    source: Option<Symbol>,
    there: Option<Symbol>,
}

fn newest(universe: &Universe) -> HashMap<Symbol, Newest> {
    let mut found: HashMap<Symbol, Newest> = HashMap::new();
    for package in universe.packages() {
        let newest = found.entry(package.name).or_default();
        let known = match package.place {
            Place::There => &mut newest.there,
            Place::Source(_) => &mut newest.source,
        };
        if known.is_none_or(|v| universe.table.compare(package.version, v).is_gt()) {
            *known = Some(package.version);
        }
    }
    found
}

/// A choice that was made, and what there was to choose from.
type Branch = (u32, Vec<u32>);

/// A need and whose it is.
type Owned<'n> = (u32, &'n Need);

struct Walk<'a, 'f> {
    universe: &'a Universe,
    facts: &'f Facts<'a>,
    solved: Solved<'a>,
    /// The choices to begin with.
    settled: Vec<u32>,
    /// Choices that were made, and what there was to choose from.
    branches: Vec<Branch>,
    /// Packages whose needs were not looked at yet.
    fresh: Vec<u32>,
    /// Needs that leave a choice, as far as they were looked at.
    strong: VecDeque<Owned<'f>>,
    weak: VecDeque<Owned<'f>>,
    /// Needs that hold or do not hold as packages come.
    conditional: Vec<Owned<'f>>,
    /// Packages that something chosen or there recommends.
    recommended: HashSet<u32>,
}

impl<'a, 'f> Walk<'a, 'f> {
    fn new(facts: &'f Facts<'a>, modules: &'a Modules, settled: Vec<u32>) -> Self {
        let conditional = facts.conditional.iter().map(|(owner, need)| (*owner, need));
        Self {
            universe: facts.universe,
            facts,
            solved: Solved::new(facts.universe, modules),
            settled,
            branches: Vec::new(),
            fresh: Vec::new(),
            strong: VecDeque::new(),
            weak: VecDeque::new(),
            conditional: conditional.collect(),
            recommended: facts.recommended.clone(),
        }
    }

    /// The choices to begin with where another candidate of an early choice came later anyway, so that it was needless.
    fn came_anyway(&self, fixed: usize) -> Option<Vec<u32>> {
        let skipped = self.settled.len().max(fixed);
        let mut branches = self.branches.iter().enumerate().skip(skipped);
        let came = |chosen: u32, choice: &[u32]| {
            let mut others = choice.iter().copied().filter(|number| *number != chosen);
            others.rfind(|number| self.solved.is_present(*number))
        };
        let (at, instead) =
            branches.find_map(|(at, (chosen, choice))| Some((at, came(*chosen, choice)?)))?;
        let before = self.branches[..at].iter().map(|(chosen, _)| *chosen);
        Some(before.chain([instead]).collect())
    }

    /// The needs that should be met: those of what was chosen, and those that the destinations met before.
    fn owed(&self) -> impl Iterator<Item = Owned<'_>> {
        let chosen = self.solved.packages().flat_map(|(_, owner)| {
            let needs = self.universe.package(owner).requires.iter();
            needs.map(move |need| (owner, need))
        });
        let there = self.facts.conditional.iter();
        chosen.chain(there.map(|(owner, need)| (*owner, need)))
    }

    /// Those of them that are not met.
    fn unmet(&self) -> impl Iterator<Item = Owned<'_>> {
        let state = self.state();
        self.owed().filter(move |(_, need)| !state.satisfied(need))
    }

    /// A package that should not have come: it lacks something, or makes a condition hold under which something else does.
    fn suspect(&self, start: &[u32]) -> Option<u32> {
        let lacking = &self.facts.lacking;
        let complete = State {
            universe: self.universe,
            present: |number| {
                let counts = !lacking.has(number) || start.contains(&number);
                counts && self.solved.is_present(number)
            },
            lacking: None,
        };
        let (mut owners, mut conditions) = (Vec::new(), Vec::new());
        for (owner, need) in self.owed().filter(|(_, need)| !complete.satisfied(need)) {
            owners.push(owner);
            need.conditions(&mut |plain| conditions.extend(self.universe.providers(plain)));
        }
        let may_go = |number: &u32| {
            let from_source = self.universe.package(*number).place != Place::There;
            from_source && complete.is_present(*number) && !start.contains(number)
        };
        owners.into_iter().chain(conditions).find(may_go)
    }

    fn recommend(&mut self, need: &Need) {
        let candidates = self.state().candidates(need);
        self.recommended.extend(candidates);
    }

    fn choose(&mut self, number: u32) {
        self.solved.choose(number, &mut self.fresh);
    }

    /// Chooses one or more packages; whether it did.
    fn turn(&mut self) -> bool {
        let mut new = Vec::new();
        while let Some(number) = self.fresh.pop() {
            let package = self.universe.package(number);
            for need in &package.requires {
                if need.is_conditional() {
                    self.conditional.push((number, need));
                } else {
                    new.push((number, need));
                }
            }
            for need in &package.recommends {
                self.weak.push_back((number, need));
                self.recommend(need);
            }
        }
        // What left a choice once leaves one ever after, or is satisfied.
        let forced = self.take_forced(&mut new);
        self.strong.extend(new);
        let mut pending = self.conditional.clone();
        let forced = self.take_forced(&mut pending) || forced;
        if forced || self.take_first_strong() || self.take_first(&pending) {
            return true;
        }
        while let Some((owner, need)) = self.weak.front().copied() {
            if self.choose_for(owner, need, true) {
                return true;
            }
            self.weak.pop_front();
        }
        false
    }

    fn take_first_strong(&mut self) -> bool {
        while let Some((owner, need)) = self.strong.front().copied() {
            if self.choose_for(owner, need, false) {
                return true;
            }
            self.strong.pop_front();
        }
        false
    }

    /// Drops the needs that are satisfied, and takes what leaves no choice; whether there was some.
    fn take_forced(&mut self, needs: &mut Vec<Owned<'f>>) -> bool {
        let mut taken = false;
        needs.retain(|(owner, need)| {
            for choice in self.open(*owner, need, false) {
                match choice[..] {
                    [one] => {
                        taken = true;
                        self.choose(one);
                    }
                    _ => return true,
                }
            }
            false
        });
        taken
    }

    /// Takes the best for the first need that is open.
    fn take_first(&mut self, needs: &[Owned<'f>]) -> bool {
        let mut needs = needs.iter();
        needs.any(|(owner, need)| self.choose_for(*owner, need, false))
    }

    /// Takes the best for a need; whether it was open.
    fn choose_for(&mut self, owner: u32, need: &Need, weak: bool) -> bool {
        let first = self.open(owner, need, weak).into_iter().next();
        if let Some(choice) = first {
            self.branch(owner, choice);
            return true;
        }
        false
    }

    fn branch(&mut self, owner: u32, choice: Vec<u32>) {
        let (choice, serious) = self.serious(owner, choice);
        let settled = self.settled.get(self.branches.len()).copied();
        let settled = settled.filter(|number| choice.contains(number));
        if let Some(number) = settled.or_else(|| self.best(&serious)) {
            self.branches.push((number, choice));
            self.choose(number);
        }
    }

    /// Returns what is still to be chosen for a need: of each list one. Nothing where it is satisfied, or nobody can satisfy
    /// it; for a weak one what lacks something itself does not come.
    fn open(&self, owner: u32, need: &Need, weak: bool) -> Vec<Vec<u32>> {
        let mut open = self.state().open(need);
        let owner = self.universe.package(owner);
        open.retain_mut(|choice| {
            // Whatever was chosen already brings a solve no further.
            choice.retain(|number| !self.solved.is_present(*number));
            let complete = |number: &u32| !self.facts.lacking.has(*number);
            if weak || choice.iter().any(complete) {
                choice.retain(complete);
            }
            *choice = self.solved.without_rivals(std::mem::take(choice));
            self.one_a_package(owner, choice);
            !choice.is_empty()
        });
        open
    }

    /// Keeps one of the same version of a package in several sources, or for several architectures.
    fn one_a_package(&self, owner: &Solvable, choice: &mut Vec<u32>) {
        let mut best: HashMap<(Symbol, Symbol), u32> = HashMap::new();
        for number in &*choice {
            let package = self.universe.package(*number);
            let known = best
                .entry((package.name, package.version))
                .or_insert(*number);
            if self.universe.better(owner, *number, *known).is_gt() {
                *known = *number;
            }
        }
        choice.retain(|number| {
            let package = self.universe.package(*number);
            best.get(&(package.name, package.version)) == Some(number)
        });
    }

    fn state(&self) -> State<'_, impl Fn(u32) -> bool> {
        State {
            universe: self.universe,
            present: |number| self.solved.is_present(number),
            lacking: Some(&self.facts.lacking),
        }
    }

    /// The newest of each name, and those of them that libsolv would look at: updates of what the destination has, if some are;
    /// then only those that are recommended, if some are.
    fn serious(&self, owner: u32, choice: Vec<u32>) -> (Vec<u32>, Vec<u32>) {
        let owner = self.universe.package(owner);
        let mut newest: BTreeMap<Symbol, u32> = BTreeMap::new();
        for number in choice {
            let known = newest
                .entry(self.universe.package(number).name)
                .or_insert(number);
            if self.universe.better(owner, number, *known).is_gt() {
                *known = number;
            }
        }
        let newest: Vec<u32> = newest.into_values().collect();
        let mut serious = newest.clone();
        Self::prefer(&mut serious, |number| self.is_update(number));
        Self::prefer(&mut serious, |number| self.recommended.contains(&number));
        (newest, serious)
    }

    fn prefer(choice: &mut Vec<u32>, preferred: impl Fn(u32) -> bool) {
        if choice.iter().any(|number| preferred(*number)) {
            choice.retain(|number| preferred(*number));
        }
    }

    fn newest(&self, number: u32) -> Newest {
        let name = self.universe.package(number).name;
        self.facts.newest.get(&name).copied().unwrap_or_default()
    }

    /// Tells whether the destination has the package in older versions only.
    fn is_update(&self, number: u32) -> bool {
        let version = self.universe.package(number).version;
        let older = |there| self.universe.table.compare(there, version).is_lt();
        self.newest(number).there.is_some_and(older)
    }

    /// The one of them that libsolv would take: of which there is no newer version, then whose name comes first; but before all
    /// that one of which the destination has some version.
    fn best(&self, choice: &[u32]) -> Option<u32> {
        let universe = self.universe;
        let merits = |number: u32| {
            let (version, newest) = (universe.package(number).version, self.newest(number));
            let newer = |other| universe.table.compare(other, version).is_gt();
            (newest.there.is_some(), !newest.source.is_some_and(newer))
        };
        let name = |number: u32| universe.table.names.text(universe.package(number).name);
        choice.iter().copied().max_by(|a, b| {
            let merits = merits(*a).cmp(&merits(*b));
            merits.then_with(|| name(*b).cmp(name(*a)))
        })
    }
}
