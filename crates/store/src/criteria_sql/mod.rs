//! Filters as conditions of SQL.
//!
//! A [`UnitFilter`] is what the database can decide of a [`Filter`]. It never loses a match; when
//! [`UnitFilter::is_exact`] it also lets nothing else through, so that skip and limit can go along. Whatever has no
//! exact form (arithmetic, positions in arrays, values that are arrays or objects, most regular expressions) becomes a
//! wider condition or none, and the evaluator in `core` decides what is left. A property test holds the two together
//! on both engines.

mod postgres;
mod sqlite;
mod translate;

use pith_core::UnitId;
use pith_core::criteria::Filter;
use serde_json::Value as Json;

use crate::Store;
use crate::backend::Backend;
use crate::dialect::Sql;
use crate::field::Field;

/// The form in which documents hold a field, as far as their types say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Always a plain value: never a list or an object.
    Plain,
    /// The stored document has it, in any form.
    Anyhow,
    /// The stored document does not have it as filters see it.
    Elsewhere,
}

/// The part of a filter that the database decides.
#[derive(Debug, Clone)]
pub struct UnitFilter {
    pub(crate) node: Node,
    /// Plain fields that must equal one of these; not repeated in `node` unless they only narrow.
    pub(crate) equals: Vec<(String, Field, Vec<Json>)>,
    exact: bool,
}

impl UnitFilter {
    /// Tells whether the database lets exactly those units through that the filter does.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Tells whether plain fields name the units that can fulfil it, so that few are visited where those fields have an index.
    #[must_use]
    pub fn looks_up(&self) -> bool {
        !self.equals.is_empty()
    }
}

impl Store {
    /// Returns what of `filter` this store's database can decide, given how documents hold each field (named with dots).
    #[must_use]
    pub fn unit_filter(&self, filter: &Filter, held: &dyn Fn(&str) -> Held) -> UnitFilter {
        let mut translated = translate::Translator::new(self.backend(), held).filter(filter);
        let equals = translate::take_equals(&mut translated.node);
        UnitFilter {
            node: translated.node,
            equals,
            exact: translated.exact,
        }
    }
}

/// A condition, free of a backend's spelling.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    True,
    False,
    /// Holds where the inner one is false or NULL.
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// The values at a path of the document pass a test.
    At {
        field: Field,
        /// The name with dots.
        path: String,
        plain: bool,
        test: Test,
    },
    /// The id is one of these.
    Ids(Vec<UnitId>),
    /// The type is one of these.
    Types(Vec<String>),
    /// The time of the last change, in whole seconds, compares so.
    Updated(&'static str, i64),
}

/// A test of one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// Equals one of these; `null` also counts missing ones.
    In(Vec<Json>),
    /// Is a text that compares so.
    Text(&'static str, String),
    /// Is a number that compares so; the number as it is written.
    Number(&'static str, String),
    /// Is a text that has this.
    Has {
        text: String,
        at_start: bool,
        at_end: bool,
    },
    /// Is there.
    Exists,
    /// Is a list of this length.
    Size(u64),
    /// Is a text.
    IsText,
    /// Is a number.
    IsNumber,
    /// Is true or false.
    IsBool,
    /// Is null, and there.
    IsNull,
}

impl Node {
    /// Writes the condition; `doc` is the column with the document, in the table `u`.
    pub(crate) fn write(&self, out: &mut Sql) {
        match self {
            Self::True => {
                out.push("1 = 1");
            }
            Self::False => {
                out.push("1 = 0");
            }
            Self::Not(inner) => {
                out.push("((");
                inner.write(out);
                out.push(") IS NOT TRUE)");
            }
            Self::And(nodes) => list(out, " AND ", nodes),
            Self::Or(nodes) => list(out, " OR ", nodes),
            Self::Ids(ids) => {
                out.bind_in("u.id", ids.iter().copied());
            }
            Self::Types(types) => {
                out.bind_in("u.type_id", types.iter().map(String::as_str));
            }
            Self::Updated(operator, seconds) => {
                // Whole seconds of microseconds that are never before 1970.
                out.push("u.last_updated / 1000000 ")
                    .push(operator)
                    .push(" ")
                    .bind(*seconds);
            }
            Self::At {
                field, plain, test, ..
            } => match (test, plain) {
                (Test::In(values), true) => field.equals(out, "u.doc", values),
                _ => match out.backend {
                    Backend::Sqlite => sqlite::write(out, field, *plain, test),
                    Backend::Postgres => postgres::write(out, field, *plain, test),
                },
            },
        }
    }

    /// The condition that an index on a plain field can be used for: texts that start with something; with `everywhere`, also
    /// The plain field that an index can be used for, with its path: one that must start with a text or, with `everywhere`, have
    /// a text in it.
    pub(crate) fn indexable(&self, everywhere: bool) -> Option<(&str, &Field)> {
        match self {
            Self::And(nodes) => nodes.iter().find_map(|node| node.indexable(everywhere)),
            Self::At {
                field,
                path,
                plain: true,
                test: Test::Has { at_start, .. },
            } if *at_start || everywhere => Some((path, field)),
            _ => None,
        }
    }
}

fn list(out: &mut Sql, between: &str, nodes: &[Node]) {
    for (at, node) in nodes.iter().enumerate() {
        out.push(if at == 0 { "(" } else { between });
        node.write(out);
    }
    out.push(")");
}

/// The least text after all that start with `prefix`, in the order of code points; `None` when there is none.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            head.push(next);
            return Some(head);
        }
    }
    None
}
