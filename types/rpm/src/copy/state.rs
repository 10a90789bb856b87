//! Needs beside the packages that are present at one moment of a solve (pulp2/rpm-copy#dependencies).

use super::lacking::Lacking;
use super::rich::{Need, Rich, Word};
use super::universe::{Sides, Universe};

/// Choices that one need is taken apart into.
const MOST_CHOICES: usize = 64;

/// The packages of a universe of which some are present.
pub(super) struct State<'a, P> {
    pub(super) universe: &'a Universe,
    pub(super) present: P,
    /// Packages that lack something themselves, where that is known.
    pub(super) lacking: Option<&'a Lacking>,
}

impl<P: Fn(u32) -> bool> State<'_, P> {
    /// Tells whether a package is present.
    pub(super) fn is_present(&self, number: u32) -> bool {
        (self.present)(number)
    }

    /// Tells whether the packages that are present satisfy a need.
    pub(super) fn satisfied(&self, need: &Need) -> bool {
        let rich = match need {
            Need::Plain(plain) => return self.universe.providers(plain).any(&self.present),
            Need::Rich(rich) => rich,
        };
        match rich.word {
            Word::And => self.satisfied(&rich.left) && self.satisfied(&rich.right),
            Word::Or => self.satisfied(&rich.left) || self.satisfied(&rich.right),
            Word::With | Word::Without => self.candidates(need).into_iter().any(&self.present),
            Word::If | Word::Unless => {
                let sides = self.sides(rich);
                if sides.left {
                    return self.satisfied(&rich.left);
                }
                let otherwise = rich.otherwise.as_ref();
                otherwise.is_none_or(|side| self.satisfied(side))
            }
        }
    }

    /// The sides of a condition that count as things are.
    fn sides(&self, rich: &Rich) -> Sides {
        let holds = self.satisfied(&rich.right) == (rich.word == Word::If);
        Sides {
            left: holds,
            otherwise: !holds,
        }
    }

    /// The packages that could satisfy a need as things are.
    pub(super) fn candidates(&self, need: &Need) -> Vec<u32> {
        self.universe.candidates(need, &|rich| self.sides(rich))
    }

    /// The lists from which a need still wants a package each. None of these packages is present.
    pub(super) fn open(&self, need: &Need) -> Vec<Vec<u32>> {
        let mut open = Vec::new();
        self.collect(need, &mut open);
        open
    }

    fn any_whole(&self, choice: &[u32]) -> bool {
        let lacks = |number| self.lacking.is_some_and(|lacking| lacking.has(number));
        choice.iter().any(|number| !lacks(*number))
    }

    /// Returns what is to come for one of two sides: for `(a and b) or c` one of `a` and `c`, and one of `b` and `c`. Where
    /// that would be too much, one of the sides.
    fn either(&self, rich: &Rich) -> Vec<Vec<u32>> {
        let (left, right) = (self.open(&rich.left), self.open(&rich.right));
        if left.len() * right.len() > MOST_CHOICES {
            let can = left.iter().all(|choice| self.any_whole(choice));
            return if can { left } else { right };
        }
        let joined = |one: &Vec<u32>, other: &Vec<u32>| -> Vec<u32> {
            let more = other.iter().filter(|number| !one.contains(number));
            let mut all: Vec<u32> = one.iter().chain(more).copied().collect();
            all.sort_unstable();
            all
        };
        left.iter()
            .flat_map(|one| right.iter().map(move |other| joined(one, other)))
            .collect()
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
                Word::Or => open.extend(self.either(rich)),
                Word::With | Word::Without => open.push(self.candidates(need)),
                Word::If | Word::Unless => {
                    let sides = self.sides(rich);
                    if sides.left {
                        self.collect(&rich.left, open);
                    }
                    if let Some(otherwise) = rich.otherwise.as_ref().filter(|_| sides.otherwise) {
                        let before = open.len();
                        self.collect(otherwise, open);
                        // Where that cannot come, the condition can be made to hold.
                        let condition = self.open(&rich.right);
                        let can = |choices: &[Vec<u32>]| {
                            !choices.is_empty() && choices.iter().all(|one| self.any_whole(one))
                        };
                        let then = self.candidates(&rich.left);
                        if !can(&open[before..]) && can(&condition) && self.any_whole(&then) {
                            open.truncate(before);
                            open.extend(condition);
                        }
                    }
                }
            },
        }
    }
}
