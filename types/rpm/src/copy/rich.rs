//! The needs of a package: a plain dependency, or several joined by words (pulp2/rpm-copy#dependencies).

use super::entry::DependencyRef;
use super::version::{Bound, Dependency, Range, Table};

/// Parentheses within parentheses that are looked into.
const DEPTH: usize = 32;
/// Sides that are joined in one rich dependency, each of which lies in what those before it are joined to.
const MOST_SIDES: usize = 256;

/// A need of a package.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Need {
    /// A name, perhaps with versions.
    Plain(Dependency),
    /// A rich dependency.
    Rich(Box<Rich>),
}

/// A rich dependency.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rich {
    pub(super) word: Word,
    pub(super) left: Need,
    pub(super) right: Need,
    /// The need behind `else`.
    pub(super) otherwise: Option<Need>,
}

/// The word that joins two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Both.
    And,
    /// One of them.
    Or,
    /// One package that is both.
    With,
    /// A package that is the left and not the right.
    Without,
    /// The left when there is the right.
    If,
    /// The left when there is not the right.
    Unless,
}

impl Word {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "and" => Self::And,
            "or" => Self::Or,
            "with" => Self::With,
            "without" => Self::Without,
            "if" => Self::If,
            "unless" => Self::Unless,
            _ => return None,
        })
    }

    /// Tells whether a third side may follow with the same word.
    fn chains(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::With)
    }
}

impl Need {
    /// An entry of `requires` or `recommends`; what only rpm itself can provide is left out.
    pub(super) fn of(entry: &DependencyRef<'_>, table: &mut Table) -> Option<Self> {
        let name = entry.name.as_str();
        if name.starts_with("rpmlib(") {
            return None;
        }
        if name.starts_with('(')
            && let Some(rich) = parse(name, table)
        {
            return Some(rich);
        }
        table.dependency(entry).map(Self::Plain)
    }

    /// Tells whether it depends on what else there is.
    pub(super) fn is_conditional(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Rich(rich) => {
                matches!(rich.word, Word::If | Word::Unless)
                    || rich.left.is_conditional()
                    || rich.right.is_conditional()
            }
        }
    }

    /// The needs that together are satisfied exactly when this one is: both sides of `and`, and both branches of `if … else …`.
    pub(super) fn split(&self) -> Vec<Self> {
        let Self::Rich(rich) = self else {
            return vec![self.clone()];
        };
        match (rich.word, &rich.otherwise) {
            (Word::And, _) => [rich.left.split(), rich.right.split()].concat(),
            (Word::If, Some(otherwise)) => {
                let joined = |word, left: &Self| {
                    Self::Rich(Box::new(Rich {
                        word,
                        left: left.clone(),
                        right: rich.right.clone(),
                        otherwise: None,
                    }))
                };
                vec![joined(Word::If, &rich.left), joined(Word::Or, otherwise)]
            }
            _ => vec![self.clone()],
        }
    }

    /// Every plain dependency in its conditions.
    pub(super) fn conditions<'a>(&'a self, see: &mut dyn FnMut(&'a Dependency)) {
        let Self::Rich(rich) = self else {
            return;
        };
        match rich.word {
            Word::If | Word::Unless => rich.right.plain(see),
            _ => rich.right.conditions(see),
        }
        rich.left.conditions(see);
        if let Some(otherwise) = &rich.otherwise {
            otherwise.conditions(see);
        }
    }

    /// Every plain dependency in it.
    pub(super) fn plain<'a>(&'a self, see: &mut dyn FnMut(&'a Dependency)) {
        match self {
            Self::Plain(plain) => see(plain),
            Self::Rich(rich) => {
                for side in [Some(&rich.left), Some(&rich.right), rich.otherwise.as_ref()]
                    .into_iter()
                    .flatten()
                {
                    side.plain(see);
                }
            }
        }
    }
}

/// Reads a rich dependency; `None` for what is none.
fn parse(text: &str, table: &mut Table) -> Option<Need> {
    let mut parser = Parser {
        rest: text,
        table,
        sides: MOST_SIDES,
    };
    let need = parser.operand(DEPTH)?;
    parser.rest.trim_start().is_empty().then_some(need)
}

struct Parser<'a> {
    rest: &'a str,
    table: &'a mut Table,
    /// Sides that may still come.
    sides: usize,
}

impl<'a> Parser<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Returns what stands up to a blank, or to a parenthesis that was opened outside.
    fn token(&mut self) -> &'a str {
        self.skip();
        let mut open = 0;
        let end = self.rest.char_indices().find(|(_, c)| match c {
            '(' => {
                open += 1;
                false
            }
            ')' if open == 0 => true,
            ')' => {
                open -= 1;
                false
            }
            c => c.is_whitespace(),
        });
        let (token, rest) = self
            .rest
            .split_at(end.map_or(self.rest.len(), |(at, _)| at));
        self.rest = rest;
        token
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.skip();
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    fn operand(&mut self, depth: usize) -> Option<Need> {
        self.sides = self.sides.checked_sub(1)?;
        self.skip();
        if self.rest.starts_with('(') {
            self.take('(')?;
            let need = self.inside(depth.checked_sub(1)?)?;
            self.take(')')?;
            return Some(need);
        }
        let name = self.token();
        if name.is_empty() {
            return None;
        }
        let name = self.table.names.number(name);
        let bound = match Range::of(self.peek()) {
            None => None,
            Some(range) => {
                self.token();
                Some(self.version(range)?)
            }
        };
        Some(Need::Plain(Dependency { name, bound }))
    }

    fn version(&mut self, range: Range) -> Option<Bound> {
        let version = self.token();
        if version.is_empty() {
            return None;
        }
        let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
        let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
        let version = self.table.version([epoch, version, release]);
        Some(Bound { range, version })
    }

    fn peek(&mut self) -> &'a str {
        let before = self.rest;
        let token = self.token();
        self.rest = before;
        token
    }

    /// Returns what stands between parentheses.
    fn inside(&mut self, depth: usize) -> Option<Need> {
        let left = self.operand(depth)?;
        let word = self.peek();
        if word.is_empty() {
            return Some(left);
        }
        let word = Word::of(word)?;
        self.token();
        let mut sides = vec![left, self.operand(depth)?];
        while word.chains() && Word::of(self.peek()) == Some(word) {
            self.token();
            sides.push(self.operand(depth)?);
        }
        let mut otherwise = None;
        if matches!(word, Word::If | Word::Unless) && self.peek() == "else" {
            self.token();
            otherwise = Some(self.operand(depth)?);
        }
        let mut right = sides.pop()?;
        while let Some(left) = sides.pop() {
            right = Need::Rich(Box::new(Rich {
                word,
                left,
                right,
                otherwise: otherwise.take(),
            }));
        }
        Some(right)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(need: &Need, table: &Table) -> String {
        match need {
            Need::Plain(plain) => {
                let bound = plain.bound.map_or("", |_| "?");
                format!("{}{bound}", table.names.text(plain.name))
            }
            Need::Rich(rich) => {
                let side = |need| shown(need, table);
                let otherwise = rich.otherwise.as_ref().map(side);
                let otherwise = otherwise.map_or(String::new(), |text| format!(" else {text}"));
                let word = format!("{:?}", rich.word).to_lowercase();
                format!(
                    "[{} {word} {}{otherwise}]",
                    side(&rich.left),
                    side(&rich.right)
                )
            }
        }
    }

    fn named(name: &str) -> DependencyRef<'_> {
        DependencyRef {
            name: name.into(),
            ..DependencyRef::default()
        }
    }

    #[test]
    fn rich_dependencies_are_read() {
        for (text, expected) in [
            ("(a and b)", "[a and b]"),
            ("(a or b or c)", "[a or [b or c]]"),
            ("(a if b)", "[a if b]"),
            ("(a if b else c)", "[a if b else c]"),
            (
                "(a >= 1:2-3 unless (b with c < 4))",
                "[a? unless [b with c?]]",
            ),
            (
                "((perl(Foo) >= 0:1.2 or (b without c)) if d)",
                "[[perl(Foo)? or [b without c]] if d]",
            ),
            ("(6)éui and é)", "(6)éui and é)"),
            ("(a and b or c)", "(a and b or c)"),
            ("(a if b", "(a if b"),
            ("/bin/sh", "/bin/sh"),
        ] {
            let mut table = Table::default();
            let need = Need::of(&named(text), &mut table).unwrap();
            assert_eq!(shown(&need, &table), expected);
        }
        assert!(Need::of(&named("rpmlib(PayloadIsZstd)"), &mut Table::default()).is_none());
    }

    #[test]
    fn what_has_too_many_sides_to_be_walked_through_is_a_name() {
        let joined = |count: usize| {
            let sides: Vec<String> = (0..count).map(|n| format!("x{n}")).collect();
            format!("({})", sides.join(" or "))
        };
        let mut table = Table::default();
        let mut is_rich = |text: &str| {
            let need = Need::of(&named(text), &mut table);
            matches!(need, Some(Need::Rich(_)))
        };
        assert!(is_rich(&joined(200)));
        assert!(!is_rich(&joined(5000)));
    }

    #[test]
    fn conditions_are_found_at_any_depth() {
        let conditional = |text: &str| {
            let need = Need::of(&named(text), &mut Table::default());
            need.unwrap().is_conditional()
        };
        assert!(!conditional("(a or (b with c))"));
        assert!(conditional("(a or (b if c))"));
    }

    proptest! {
        #[test]
        fn no_dependency_panics(name in "\\(?[a-z() <>=:.0-9é-]{0,60}") {
            let _ = Need::of(&named(&name), &mut Table::default());
        }
    }
}
