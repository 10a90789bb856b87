//! The translation of a filter's tree to the conditions that SQL can say.

use pith_core::UnitId;
use pith_core::criteria::{self, BsonType, Comparison, Filter, Pattern};
use serde_json::{Number, Value as Json};

use super::{Held, Node, Test};
use crate::backend::Backend;
use crate::field::Field;

/// Longest path that SQLite gets: a condition doubles with each name, for a list may stand there.
const MAX_SQLITE_PATH: usize = 3;
/// Most conditions of a statement; a filter beyond is decided elsewhere.
const MAX_CONDITIONS: usize = 400;
/// Most values in all lists of a statement: SQLite takes 32,766.
const MAX_VALUES: usize = 8_000;
/// The number beyond which not all engines tell numbers apart.
const MAX_EXACT: u64 = 1 << 53;

/// A condition, and whether it says all.
pub(super) struct Translated {
    pub(super) node: Node,
    pub(super) exact: bool,
}

impl Translated {
    const NOTHING: Self = Self {
        node: Node::True,
        exact: false,
    };

    fn exact(node: Node) -> Self {
        Self { node, exact: true }
    }

    fn all(parts: Vec<Self>) -> Self {
        let exact = parts.iter().all(|part| part.exact);
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts {
            match part.node {
                Node::True => {}
                Node::And(inner) => nodes.extend(inner),
                node => nodes.push(node),
            }
        }
        let node = match nodes.pop() {
            None => Node::True,
            Some(only) if nodes.is_empty() => only,
            Some(last) => {
                nodes.push(last);
                Node::And(nodes)
            }
        };
        Self { node, exact }
    }

    fn any(parts: Vec<Self>) -> Self {
        let exact = parts.iter().all(|part| part.exact);
        let nodes: Vec<Node> = parts.into_iter().map(|part| part.node).collect();
        let node = if nodes.contains(&Node::True) {
            Node::True
        } else {
            Node::Or(nodes)
        };
        Self { node, exact }
    }

    /// The opposite; of a condition that does not say all, nothing is known.
    fn not(self) -> Self {
        match self {
            Self { exact: false, .. } => Self::NOTHING,
            Self {
                node: Node::True, ..
            } => Self::exact(Node::False),
            Self {
                node: Node::False, ..
            } => Self::exact(Node::True),
            Self { node, .. } => Self::exact(Node::Not(Box::new(node))),
        }
    }
}

pub(super) struct Translator<'a> {
    backend: Backend,
    held: &'a dyn Fn(&str) -> Held,
    conditions: usize,
    values: usize,
}

impl<'a> Translator<'a> {
    pub(super) fn new(backend: Backend, held: &'a dyn Fn(&str) -> Held) -> Self {
        Self {
            backend,
            held,
            conditions: 0,
            values: 0,
        }
    }

    pub(super) fn filter(&mut self, filter: &Filter) -> Translated {
        match filter {
            Filter::All(filters) => Translated::all(self.filters(filters)),
            Filter::Any(filters) => Translated::any(self.filters(filters)),
            Filter::None(filters) => Translated::any(self.filters(filters)).not(),
            Filter::Field { path, test } => self.field(path, test),
        }
    }

    fn filters(&mut self, filters: &[Filter]) -> Vec<Translated> {
        filters.iter().map(|filter| self.filter(filter)).collect()
    }

    fn field(&mut self, path: &[String], test: &criteria::Test) -> Translated {
        match test {
            criteria::Test::Always => Translated::exact(Node::True),
            criteria::Test::Not(tests) => self.tests(path, tests).not(),
            criteria::Test::Every(tests) if tests.is_empty() => Translated::exact(Node::False),
            criteria::Test::Every(tests) => self.tests(path, tests),
            criteria::Test::NotIn(values) => {
                self.field(path, &criteria::Test::In(values.clone())).not()
            }
            criteria::Test::Exists(false) => self.field(path, &criteria::Test::Exists(true)).not(),
            criteria::Test::ElementIs(inner) => {
                let mut narrowed = self.element(path, inner);
                narrowed.exact = false;
                narrowed
            }
            _ => self.leaf(path, test),
        }
    }

    fn tests(&mut self, path: &[String], tests: &[criteria::Test]) -> Translated {
        Translated::all(tests.iter().map(|test| self.field(path, test)).collect())
    }

    /// Returns what must hold of the elements one by one for one element to fulfil `filter`.
    fn element(&mut self, path: &[String], filter: &Filter) -> Translated {
        use criteria::Test as T;
        match filter {
            Filter::All(filters) => {
                Translated::all(filters.iter().map(|f| self.element(path, f)).collect())
            }
            Filter::Field {
                path: below,
                test: test @ (T::Equal(_) | T::In(_) | T::Compare(..) | T::Matches(_)),
            } => {
                let whole: Vec<String> = path.iter().chain(below).cloned().collect();
                self.leaf(&whole, test)
            }
            _ => Translated::NOTHING,
        }
    }

    fn leaf(&mut self, path: &[String], test: &criteria::Test) -> Translated {
        self.conditions += 1;
        let name = path.join(".");
        let Some((test, exact)) = plain_test(test) else {
            return Translated::NOTHING;
        };
        if let Test::In(values) = &test {
            if values.is_empty() {
                return Translated::exact(Node::False);
            }
            self.values += values.len();
        }
        if self.conditions > MAX_CONDITIONS || self.values > MAX_VALUES {
            return Translated::NOTHING;
        }
        if let Some(node) = column(&name, &test) {
            return Translated { node, exact };
        }
        let held = (self.held)(&name);
        if held == Held::Elsewhere || !self.can_say(path, held, &test) {
            return Translated::NOTHING;
        }
        let Ok(field) = Field::new(&name) else {
            return Translated::NOTHING;
        };
        let plain = held == Held::Plain;
        let node = Node::At {
            field,
            path: name,
            plain,
            test,
        };
        Translated { node, exact }
    }

    /// Tells whether the backend has a form of `test` for values at `path`.
    fn can_say(&self, path: &[String], held: Held, test: &Test) -> bool {
        // A number in a path may be a place in a list.
        let named = path
            .iter()
            .all(|name| name.parse::<usize>().is_err() && !name.is_empty());
        let deep = path.len() > 1;
        named
            && match (self.backend, test) {
                _ if !deep || held == Held::Plain => true,
                (_, Test::Size(_)) => false,
                // The absence of a value below a list has no path.
                (Backend::Postgres, Test::In(values)) => !values.iter().any(Json::is_null),
                (Backend::Postgres, _) => true,
                (Backend::Sqlite, _) => path.len() <= MAX_SQLITE_PATH,
            }
    }
}

/// The test in the form that SQL has, and whether that says all; `None` when it has none.
fn plain_test(test: &criteria::Test) -> Option<(Test, bool)> {
    use criteria::Test as T;
    let exact = |test| Some((test, true));
    match test {
        T::Equal(value) => is_sayable(value).then(|| (Test::In(vec![value.clone()]), true)),
        T::In(values) => values
            .iter()
            .all(is_sayable)
            .then(|| (Test::In(values.clone()), true)),
        T::Compare(how, value) if is_sayable(value) => {
            compare(*how, value).map(|test| (test, true))
        }
        T::Matches(pattern) => matches(pattern),
        T::Exists(true) => exact(Test::Exists),
        T::Size(size) => exact(Test::Size(*size)),
        T::Type(BsonType::Text) => exact(Test::IsText),
        T::Type(BsonType::Number) => exact(Test::IsNumber),
        T::Type(BsonType::Bool) => exact(Test::IsBool),
        T::Type(BsonType::Null) => exact(Test::IsNull),
        _ => None,
    }
}

/// Tells whether both engines and the evaluator take the value for the same.
fn is_sayable(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => true,
        // Stored with a replacement.
        Json::String(text) => !text.contains('\0'),
        Json::Number(number) => is_sayable_number(number),
        Json::Array(_) | Json::Object(_) => false,
    }
}

fn is_sayable_number(number: &Number) -> bool {
    match number.as_i64() {
        Some(whole) => whole.unsigned_abs() <= MAX_EXACT,
        // Short fractions are the same number whoever reads them.
        None => number.is_f64() && number.to_string().len() <= 15,
    }
}

fn compare(how: Comparison, value: &Json) -> Option<Test> {
    let operator = match how {
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
    };
    match (value, how) {
        (Json::String(text), _) => Some(Test::Text(operator, text.clone())),
        (Json::Number(number), _) => Some(Test::Number(operator, number.to_string())),
        (Json::Null, Comparison::GreaterOrEqual | Comparison::LessOrEqual) => {
            Some(Test::In(vec![Json::Null]))
        }
        (Json::Null, _) => Some(Test::In(Vec::new())),
        _ => None,
    }
}

fn matches(pattern: &Pattern) -> Option<(Test, bool)> {
    let required = pattern.required();
    let text = required.text.clone();
    if text.contains('\0') {
        return None;
    }
    let test = match (required.at_start, required.at_end) {
        (true, true) if required.whole => Test::In(vec![Json::String(text)]),
        _ if text.is_empty() => Test::IsText,
        (at_start, at_end) => Test::Has {
            text,
            at_start,
            at_end,
        },
    };
    Some((test, required.whole))
}

/// Fields that are columns beside the document.
fn column(name: &str, test: &Test) -> Option<Node> {
    let texts = |values: &[Json]| -> Vec<String> {
        values
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect()
    };
    match (name, test) {
        ("_id", Test::In(values)) => {
            let known = texts(values).into_iter().filter_map(|text| {
                let id: UnitId = text.parse().ok()?;
                (id.to_string() == text).then_some(id)
            });
            Some(Node::Ids(known.collect()))
        }
        ("_content_type_id", Test::In(values)) => Some(Node::Types(texts(values))),
        ("_last_updated", Test::Number(operator, number)) => number
            .parse()
            .ok()
            .map(|seconds| Node::Updated(operator, seconds)),
        _ => None,
    }
}

/// Moves the equalities that must hold out of `node`, and adds those that follow from it: when each alternative asks
/// the same field to be one of some values, it is one of all of them.
pub(super) fn take_equals(node: &mut Node) -> Vec<(String, Field, Vec<Json>)> {
    let mut equals = Vec::new();
    let parts = match std::mem::replace(node, Node::True) {
        Node::And(parts) => parts,
        one => vec![one],
    };
    let mut rest = Vec::new();
    for part in parts {
        match part {
            Node::At {
                field,
                path,
                plain: true,
                test: Test::In(values),
            } => equals.push((path, field, values)),
            Node::Or(alternatives) => {
                equals.extend(common(&alternatives));
                rest.push(Node::Or(alternatives));
            }
            other => rest.push(other),
        }
    }
    *node = match rest.pop() {
        None => Node::True,
        Some(only) if rest.is_empty() => only,
        Some(last) => {
            rest.push(last);
            Node::And(rest)
        }
    };
    equals
}

/// The equalities that every alternative has on the same field, with the values of all.
fn common(alternatives: &[Node]) -> Vec<(String, Field, Vec<Json>)> {
    fn equalities(node: &Node) -> Vec<(&String, &Field, &Vec<Json>)> {
        let parts = match node {
            Node::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        parts
            .iter()
            .filter_map(|part| match part {
                Node::At {
                    field,
                    path,
                    plain: true,
                    test: Test::In(values),
                } => Some((path, field, values)),
                _ => None,
            })
            .collect()
    }
    let Some((first, others)) = alternatives.split_first() else {
        return Vec::new();
    };
    let in_all = |(path, field, values): (&String, &Field, &Vec<Json>)| {
        let mut all = values.clone();
        for other in others {
            let (_, _, more) = equalities(other).into_iter().find(|(p, _, _)| *p == path)?;
            all.extend(more.iter().cloned());
        }
        Some((path.clone(), field.clone(), all))
    };
    equalities(first).into_iter().filter_map(in_all).collect()
}
