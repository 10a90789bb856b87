//! Needs beside the packages that are present at one moment of a solve (reference: rpm §9.2).

use super::lacking::Lacking;
use super::rich::{Need, Rich, Word};
use super::universe::{Sides, Universe};

/// The packages of a universe of which some are present.
pub(super) struct State<'a, P> {
    pub(super) universe: &'a Universe,
    pub(super) present: P,
    /// Packages that lack something themselves, where that is known.
    pub(super) lacking: Option<&'a Lacking>,
}

impl<P: Fn(u32) -> bool> State<'_, P> {
    /// Whether a package is present.
    pub(super) fn is_present(&self, number: u32) -> bool {
        (self.present)(number)
    }

    /// Whether the packages that are present satisfy a need.
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

    /// The lists of which a package each is still to come for a need.
    pub(super) fn open(&self, need: &Need) -> Vec<Vec<u32>> {
        let mut open = Vec::new();
        self.collect(need, &mut open);
        open
    }

    fn any_whole(&self, choice: &[u32]) -> bool {
        let lacks = |number| self.lacking.is_some_and(|lacking| lacking.has(number));
        choice.iter().any(|number| !lacks(*number))
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
                        let before = open.len();
                        self.collect(otherwise, open);
                        // Where that cannot come, the condition can be made to hold.
                        let condition = self.candidates(&rich.right);
                        let can = |choice: &Vec<u32>| self.any_whole(choice);
                        if !open[before..].iter().all(can) && can(&condition) {
                            open.truncate(before);
                            open.push(condition);
                        }
                    }
                }
            },
        }
    }
}
