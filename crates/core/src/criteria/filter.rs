//! The filter language as a tree.

use std::collections::BTreeSet;

use serde_json::Value;

use super::order::compare;
use super::pattern::Pattern;

/// Deepest nesting of a filter.
pub const MAX_DEPTH: usize = 32;
/// Most conditions and listed values of a filter.
pub const MAX_NODES: usize = 20_000;

/// Most regular expressions in one filter.
pub const MAX_PATTERNS: usize = 200;

/// A condition on a document.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All of these hold.
    All(Vec<Filter>),
    /// One of these holds.
    Any(Vec<Filter>),
    /// None of these holds.
    None(Vec<Filter>),
    /// The value at a path passes a test.
    Field {
        /// The names on the way to the value.
        path: Vec<String>,
        /// The test that it must pass.
        test: Test,
    },
}

/// A condition on the values at a path.
#[derive(Debug, Clone)]
pub enum Test {
    /// Equals this.
    Equal(Value),
    /// Equals none of these, which stand in the order of [`compare`].
    NotIn(Vec<Value>),
    /// Equals one of these, which stand in the order of [`compare`].
    In(Vec<Value>),
    /// Compares so with this, within the same class.
    Compare(Comparison, Value),
    /// Has something equal to each, or an element for each `$elemMatch`.
    Every(Vec<Test>),
    /// Is there, or is not.
    Exists(bool),
    /// Does not pass all of these.
    Not(Vec<Test>),
    /// Is a text in which the expression is found.
    Matches(Pattern),
    /// Is an array of this length.
    Size(u64),
    /// Is an array of which one element fulfils the filter.
    ElementIs(Box<Filter>),
    /// Is an array of which one element passes every test.
    ElementPasses(Vec<Test>),
    /// Is a number that leaves this remainder.
    Remainder {
        /// The divisor; not zero.
        divisor: i64,
        /// The remainder that must be left.
        remainder: i64,
    },
    /// Is of this kind.
    Type(BsonType),
    /// Holds always; what `$comment` and an empty list leave behind.
    Always,
}

/// The comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
}

/// The kinds of `$type` that documents here can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BsonType {
    /// 1: a number with a fraction.
    Double,
    /// 2
    Text,
    /// 3
    Object,
    /// 4
    Array,
    /// 7
    ObjectId,
    /// 8
    Bool,
    /// 9
    Date,
    /// 10
    Null,
    /// 16: a whole number of 32 bits.
    Int,
    /// 18: a whole number of 64 bits.
    Long,
    /// Any number.
    Number,
    /// A kind that exists and that no document here holds.
    Absent,
}

/// Conditions on single fields that must hold for a filter to hold.
#[derive(Debug)]
pub struct Conditions<'a> {
    /// The paths of fields, and the tests on them.
    pub all: Vec<(&'a [String], &'a Test)>,
    /// Is true when the filter says nothing else.
    pub is_all: bool,
}

impl Filter {
    /// Returns what must hold of single fields for the filter to hold at all: each field with the values of which it must
    /// equal one, or hold it as an element. A database may use it to look at fewer documents.
    #[must_use]
    pub fn narrow(&self) -> Vec<(String, Vec<Value>)> {
        let mut narrowed = Vec::new();
        for (path, test) in self.required().all {
            let mut push = |values: &[Value]| {
                if values.iter().all(is_scalar) {
                    narrowed.push((path.join("."), values.to_vec()));
                }
            };
            match test {
                Test::Equal(value) => push(std::slice::from_ref(value)),
                Test::In(values) => push(values),
                Test::Every(tests) => {
                    for test in tests {
                        if let Test::Equal(value) = test {
                            push(std::slice::from_ref(value));
                        }
                    }
                }
                _ => {}
            }
        }
        narrowed
    }

    /// Returns the conditions on single fields that must hold for the filter to hold at all.
    #[must_use]
    pub fn required(&self) -> Conditions<'_> {
        let mut required = Conditions {
            all: Vec::new(),
            is_all: true,
        };
        self.collect_required(&mut required);
        required
    }

    fn collect_required<'a>(&'a self, into: &mut Conditions<'a>) {
        match self {
            Self::All(filters) => filters
                .iter()
                .for_each(|filter| filter.collect_required(into)),
            Self::Any(filters) if filters.len() == 1 => filters[0].collect_required(into),
            Self::Any(_) | Self::None(_) => into.is_all = false,
            Self::Field { path, test } => into.all.push((path, test)),
        }
    }

    /// Gives every condition on a field to `change`, at any depth of `$and`, `$or` and `$nor`: its path and its test.
    ///
    /// # Errors
    /// The first error of `change`.
    pub fn change_conditions<E>(
        &mut self,
        change: &mut impl FnMut(&mut Vec<String>, &mut Test) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::All(filters) | Self::Any(filters) | Self::None(filters) => filters
                .iter_mut()
                .try_for_each(|filter| filter.change_conditions(change)),
            Self::Field { path, test } => change(path, test),
        }
    }

    /// The first name of every path that the filter looks at.
    #[must_use]
    pub fn roots(&self) -> BTreeSet<&str> {
        let mut roots = BTreeSet::new();
        self.collect_roots(&mut roots);
        roots
    }

    fn collect_roots<'a>(&'a self, roots: &mut BTreeSet<&'a str>) {
        match self {
            Self::All(filters) | Self::Any(filters) | Self::None(filters) => {
                for filter in filters {
                    filter.collect_roots(roots);
                }
            }
            Self::Field { path, .. } => {
                if let Some(first) = path.first() {
                    roots.insert(first);
                }
            }
        }
    }
}

impl Test {
    /// Gives every value that something is compared with to `change`, at any depth of `$not` and `$all`, and asks `other`
    /// first about each test that looks at something else than equality and existence.
    ///
    /// # Errors
    /// The first error of either.
    pub fn change_values<E>(
        &mut self,
        change: &mut impl FnMut(&mut Value) -> Result<(), E>,
        other: &impl Fn() -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Equal(value) => change(value),
            Self::In(values) | Self::NotIn(values) => {
                values.iter_mut().try_for_each(change)?;
                values.sort_by(compare);
                Ok(())
            }
            Self::Every(tests) | Self::Not(tests) => tests
                .iter_mut()
                .try_for_each(|test| test.change_values(change, other)),
            Self::Compare(_, value) => other().and_then(|()| change(value)),
            Self::Exists(_) | Self::Type(_) | Self::Always => Ok(()),
            _ => other(),
        }
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}
