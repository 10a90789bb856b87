//! The conservative solve: a package comes only where neither the destinations nor what was chosen satisfies a need
//! (reference: rpm §9.2).
//!
//! Versions of a package stand beside each other in a repository, and packages of a repository do not conflict, so a solve
//! never has to take anything back: what leaves no choice is taken first, then one choice after the other, and weak needs
//! at the end. A provider that lacks something itself is taken only where all of them do.

use std::collections::{BTreeMap, HashMap, HashSet};

use tokio_util::sync::CancellationToken;

use super::rich::{Need, Rich, Word};
use super::solve::{Modules, Solved};
use super::universe::{Package, Place, Sides, Universe};
use super::version::Symbol;

/// Solves started over at most, to get rid of what turned out to be needless.
const AGAIN: usize = 200;

/// Follows what the packages `start` need beyond what is there; `None` when it was cancelled.
pub(super) fn solve<'a>(
    universe: &'a Universe,
    modules: &'a Modules,
    start: &[u32],
    cancelled: &CancellationToken,
) -> Option<Solved<'a>> {
    let facts = Facts {
        universe,
        lacking: lacking(universe, start),
        newest: newest(universe),
    };
    let mut settled: Vec<u32> = Vec::new();
    for again in 0.. {
        let mut walk = Walk::new(&facts, modules, &settled);
        walk.begin(start);
        while walk.turn() {
            if cancelled.is_cancelled() {
                return None;
            }
        }
        // Where another candidate of an early choice came later anyway, the choice was needless.
        let mut branches = walk.branches.iter().enumerate().skip(settled.len());
        let came = |chosen: u32, choice: &[u32]| {
            let others = choice.iter().filter(|number| **number != chosen);
            others
                .copied()
                .rfind(|number| walk.solved.is_present(*number))
        };
        let better = branches.find_map(|(at, (chosen, choice))| Some((at, came(*chosen, choice)?)));
        match better {
            Some((at, instead)) if again < AGAIN => {
                let before = walk.branches[..at].iter().map(|(chosen, _)| *chosen);
                settled = before.chain([instead]).collect();
            }
            _ => return Some(walk.solved),
        }
    }
    None
}

/// What does not change during a solve.
struct Facts<'a> {
    universe: &'a Universe,
    /// Packages of sources that cannot be complete.
    lacking: HashSet<u32>,
    /// The newest version of each name in the sources, and the names that a destination has.
    newest: HashMap<Symbol, (Option<Symbol>, bool)>,
}

fn newest(universe: &Universe) -> HashMap<Symbol, (Option<Symbol>, bool)> {
    let mut newest: HashMap<Symbol, (Option<Symbol>, bool)> = HashMap::new();
    for package in universe.packages() {
        let known = newest.entry(package.name).or_default();
        if package.place == Place::There {
            known.1 = true;
        } else if known
            .0
            .is_none_or(|v| universe.table.compare(package.version, v).is_gt())
        {
            known.0 = Some(package.version);
        }
    }
    newest
}

/// A need and whose it is.
type Owned<'a> = (u32, &'a Need);

struct Walk<'a, 'f> {
    universe: &'a Universe,
    facts: &'f Facts<'a>,
    solved: Solved<'a>,
    /// What to choose at the first choices.
    settled: &'f [u32],
    /// Choices that were made, and what there was to choose from.
    branches: Vec<(u32, Vec<u32>)>,
    /// Packages whose needs were not looked at yet.
    fresh: Vec<u32>,
    strong: Vec<Owned<'a>>,
    weak: Vec<Owned<'a>>,
    /// Needs that hold or do not hold as packages come.
    conditional: Vec<Owned<'a>>,
    /// Packages that something chosen or there recommends.
    recommended: HashSet<u32>,
}

impl<'a, 'f> Walk<'a, 'f> {
    fn new(facts: &'f Facts<'a>, modules: &'a Modules, settled: &'f [u32]) -> Self {
        Self {
            universe: facts.universe,
            facts,
            solved: Solved::new(facts.universe, modules),
            settled,
            branches: Vec::new(),
            fresh: Vec::new(),
            strong: Vec::new(),
            weak: Vec::new(),
            conditional: Vec::new(),
            recommended: HashSet::new(),
        }
    }

    fn begin(&mut self, start: &[u32]) {
        self.begin_there();
        for number in start {
            self.choose(*number);
        }
    }

    fn recommend(&mut self, need: &Need) {
        let candidates = self.candidates(need);
        self.recommended.extend(candidates);
    }

    fn choose(&mut self, number: u32) {
        self.solved.choose(number, &mut self.fresh);
    }

    /// What packages of the destinations need only under a condition may become needed now, and what they recommend is
    /// preferred.
    fn begin_there(&mut self) {
        for (number, package) in (0u32..).zip(self.universe.packages()) {
            if package.place == Place::There {
                let needs = package.requires.iter().filter(|need| need.is_conditional());
                self.conditional.extend(needs.map(|need| (number, need)));
                for need in &package.recommends {
                    self.recommend(need);
                }
            }
        }
    }

    /// Chooses one or more packages; whether it did.
    fn turn(&mut self) -> bool {
        while let Some(number) = self.fresh.pop() {
            let package = self.universe.package(number);
            for need in &package.requires {
                if need.is_conditional() {
                    self.conditional.push((number, need));
                } else {
                    self.strong.push((number, need));
                }
            }
            for need in &package.recommends {
                self.weak.push((number, need));
                self.recommend(need);
            }
        }
        let mut strong = std::mem::take(&mut self.strong);
        let forced = self.take_forced(&mut strong);
        let conditional = std::mem::take(&mut self.conditional);
        let mut pending = conditional.clone();
        let forced = self.take_forced(&mut pending) || forced;
        self.conditional = conditional;
        let chosen = forced || self.take_first(&strong, false) || self.take_first(&pending, false);
        self.strong = strong;
        if chosen {
            return true;
        }
        let mut weak = std::mem::take(&mut self.weak);
        weak.retain(|(owner, need)| !self.open(*owner, need, true).is_empty());
        let chosen = self.take_first(&weak, true);
        self.weak = weak;
        chosen
    }

    /// Drops the needs that are satisfied, and takes what leaves no choice; whether there was some.
    fn take_forced(&mut self, needs: &mut Vec<Owned<'a>>) -> bool {
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

    /// Takes the best for the first need.
    fn take_first(&mut self, needs: &[Owned<'a>], weak: bool) -> bool {
        for (owner, need) in needs {
            if let Some(choice) = self.open(*owner, need, weak).into_iter().next() {
                self.branch(*owner, choice);
                return true;
            }
        }
        false
    }

    fn branch(&mut self, owner: u32, choice: Vec<u32>) {
        let choice = self.serious(owner, choice);
        let settled = self.settled.get(self.branches.len()).copied();
        let settled = settled.filter(|number| choice.contains(number));
        if let Some(number) = settled.or_else(|| self.best(&choice)) {
            self.branches.push((number, choice));
            self.choose(number);
        }
    }

    /// What is still to be chosen for a need: of each list one. Nothing where it is satisfied, or nobody can satisfy it; for
    /// a weak one what lacks something itself does not come.
    fn open(&self, owner: u32, need: &Need, weak: bool) -> Vec<Vec<u32>> {
        let mut open = Vec::new();
        self.collect(need, &mut open);
        let owner = self.universe.package(owner);
        open.retain_mut(|choice| {
            choice.retain(|number| self.universe.package(*number).place != Place::There);
            let complete = |number: &u32| !self.facts.lacking.contains(number);
            if weak || choice.iter().any(complete) {
                choice.retain(complete);
            }
            *choice = self.solved.without_rivals(std::mem::take(choice));
            self.one_a_package(owner, choice);
            !choice.is_empty()
        });
        open
    }

    /// Of the same version of a package in several sources, or for several architectures, one is enough.
    fn one_a_package(&self, owner: &Package, choice: &mut Vec<u32>) {
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

    fn collect(&self, need: &Need, open: &mut Vec<Vec<u32>>) {
        if self.satisfied(need) {
            return;
        }
        match need {
            Need::Plain(_) => open.push(self.candidates(need)),
            Need::Rich(rich) => match rich.word {
                Word::And => {
                    self.collect(&rich.left, open);
                    self.collect(&rich.right, open);
                }
                Word::Or | Word::With | Word::Without => open.push(self.candidates(need)),
                Word::If | Word::Unless => {
                    let sides = self.sides(rich);
                    if sides.left {
                        self.collect(&rich.left, open);
                    }
                    if let Some(otherwise) = rich.otherwise.as_ref().filter(|_| sides.otherwise) {
                        self.collect(otherwise, open);
                    }
                }
            },
        }
    }

    fn candidates(&self, need: &Need) -> Vec<u32> {
        self.universe.candidates(need, &|rich| self.sides(rich))
    }

    /// Which side of a condition counts as things are.
    fn sides(&self, rich: &Rich) -> Sides {
        let holds = self.satisfied(&rich.right) == (rich.word == Word::If);
        Sides {
            left: holds,
            otherwise: !holds,
        }
    }

    /// Whether what is there and what was chosen satisfy a need.
    fn satisfied(&self, need: &Need) -> bool {
        let rich = match need {
            Need::Plain(plain) => {
                let mut providers = self.universe.providers(plain);
                return providers.any(|number| self.solved.is_present(number));
            }
            Need::Rich(rich) => rich,
        };
        match rich.word {
            Word::And => self.satisfied(&rich.left) && self.satisfied(&rich.right),
            Word::Or => self.satisfied(&rich.left) || self.satisfied(&rich.right),
            Word::With | Word::Without => {
                let candidates = self.candidates(need);
                candidates
                    .iter()
                    .any(|number| self.solved.is_present(*number))
            }
            Word::If | Word::Unless => {
                let sides = self.sides(rich);
                if sides.left {
                    return self.satisfied(&rich.left);
                }
                rich.otherwise
                    .as_ref()
                    .is_none_or(|side| self.satisfied(side))
            }
        }
    }

    /// The candidates that libsolv would look at: of each name the newest, and only those that are recommended if some are.
    fn serious(&self, owner: u32, choice: Vec<u32>) -> Vec<u32> {
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
        let mut serious: Vec<u32> = newest.into_values().collect();
        if serious
            .iter()
            .any(|number| self.recommended.contains(number))
        {
            serious.retain(|number| self.recommended.contains(number));
        }
        serious
    }

    /// The one of them that libsolv would take: of which the destination has another version, then of which there is no newer
    /// version, then whose name comes first.
    fn best(&self, choice: &[u32]) -> Option<u32> {
        let universe = self.universe;
        let merits = |number: u32| {
            let package = universe.package(number);
            let known = self
                .facts
                .newest
                .get(&package.name)
                .copied()
                .unwrap_or_default();
            let newer = |version| universe.table.compare(version, package.version).is_gt();
            (known.1, !known.0.is_some_and(newer))
        };
        let name = |number: u32| universe.table.names.text(universe.package(number).name);
        choice.iter().copied().max_by(|a, b| {
            let merits = merits(*a).cmp(&merits(*b));
            merits.then_with(|| name(*b).cmp(name(*a)))
        })
    }
}

/// Packages of the sources that cannot be complete, of those that `start` may lead to. What is needed by `start` itself and is
/// nowhere does not count: it is taken to be somewhere else.
fn lacking(universe: &Universe, start: &[u32]) -> HashSet<u32> {
    let all = |need: &Need| {
        universe.candidates(need, &|_| Sides {
            left: true,
            otherwise: true,
        })
    };
    let mut reached: HashSet<u32> = start.iter().copied().collect();
    let mut queue = start.to_vec();
    while let Some(number) = queue.pop() {
        let package = universe.package(number);
        for need in package.requires.iter().chain(&package.recommends) {
            for candidate in all(need) {
                let from_source = universe.package(candidate).place != Place::There;
                if from_source && reached.insert(candidate) {
                    queue.push(candidate);
                }
            }
        }
    }
    let mut lacking = HashSet::new();
    loop {
        let before = lacking.len();
        for number in &reached {
            let needs = &universe.package(*number).requires;
            if !lacking.contains(number) && !needs.iter().all(|need| can(universe, need, &lacking))
            {
                lacking.insert(*number);
            }
        }
        if lacking.len() == before {
            return lacking;
        }
    }
}

/// Whether packages that are complete could satisfy a need, under whatever condition.
fn can(universe: &Universe, need: &Need, lacking: &HashSet<u32>) -> bool {
    let complete = |number: &u32| !lacking.contains(number);
    match need {
        Need::Plain(plain) => universe.providers(plain).any(|number| complete(&number)),
        Need::Rich(rich) => match rich.word {
            Word::And => can(universe, &rich.left, lacking) && can(universe, &rich.right, lacking),
            Word::Or => can(universe, &rich.left, lacking) || can(universe, &rich.right, lacking),
            Word::With | Word::Without => {
                let found = universe.candidates(need, &|_| Sides {
                    left: true,
                    otherwise: true,
                });
                found.iter().any(complete)
            }
            // There may be something else for which the condition does not hold.
            Word::If | Word::Unless => true,
        },
    }
}
