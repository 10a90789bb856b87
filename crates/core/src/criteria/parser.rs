//! The parser of the filter language.

use serde_json::{Value, json};

use super::CriteriaError;
use super::error::refused;
use super::filter::{BsonType, Comparison, Filter, MAX_DEPTH, MAX_NODES, MAX_PATTERNS, Test};
use super::order::compare;
use super::pattern::Pattern;
use crate::clock::parse_iso;

/// A filter on its way from JSON to the tree, with what it has counted so far.
pub(super) struct Parser {
    dates: bool,
    nodes: usize,
    patterns: usize,
}

impl Filter {
    /// Reads a filter in which `{"$date": "…"}` stands for a date.
    ///
    /// # Errors
    /// [`CriteriaError`] when it is no filter, asks for what does not exist, or is too large.
    pub fn parse(value: &Value) -> Result<Self, CriteriaError> {
        Parser::new(true).document(value, 0)
    }

    /// Reads a filter without `$date`, as in unit association criteria.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub fn parse_plain(value: &Value) -> Result<Self, CriteriaError> {
        Parser::new(false).document(value, 0)
    }
}

impl Parser {
    /// A parser that has read nothing; with `dates`, `{"$date": …}` stands for a date.
    pub(super) fn new(dates: bool) -> Self {
        Self {
            dates,
            nodes: 0,
            patterns: 0,
        }
    }

    fn count(&mut self, more: usize, depth: usize) -> Result<(), CriteriaError> {
        self.nodes += more;
        if depth > MAX_DEPTH {
            return Err(refused(format!(
                "the filter is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        if self.nodes > MAX_NODES {
            return Err(refused(format!(
                "the filter has more than {MAX_NODES} conditions"
            )));
        }
        Ok(())
    }

    /// Reads a filter, `depth` levels below the whole one.
    pub(super) fn document(
        &mut self,
        value: &Value,
        depth: usize,
    ) -> Result<Filter, CriteriaError> {
        let map = value
            .as_object()
            .ok_or_else(|| refused("a filter must be an object"))?;
        self.count(map.len(), depth)?;
        let mut filters = Vec::with_capacity(map.len());
        for (key, value) in map {
            match key.as_str() {
                "$and" => filters.push(Filter::All(self.documents(key, value, depth)?)),
                "$or" => filters.push(Filter::Any(self.documents(key, value, depth)?)),
                "$nor" => filters.push(Filter::None(self.documents(key, value, depth)?)),
                "$comment" => {}
                "$where" | "$text" | "$expr" | "$jsonSchema" => {
                    return Err(refused(format!("the operator {key} is not supported")));
                }
                _ if key.starts_with('$') => {
                    return Err(refused(format!("unknown top level operator: {key}")));
                }
                _ => self.field(key, value, depth, &mut filters)?,
            }
        }
        match filters.pop() {
            Some(only) if filters.is_empty() => Ok(only),
            last => {
                filters.extend(last);
                Ok(Filter::All(filters))
            }
        }
    }

    fn documents(
        &mut self,
        operator: &str,
        value: &Value,
        depth: usize,
    ) -> Result<Vec<Filter>, CriteriaError> {
        match value.as_array() {
            Some(items) if !items.is_empty() => items
                .iter()
                .map(|item| self.document(item, depth + 1))
                .collect(),
            _ => Err(refused(format!("{operator} must be a nonempty array"))),
        }
    }

    fn field(
        &mut self,
        key: &str,
        value: &Value,
        depth: usize,
        filters: &mut Vec<Filter>,
    ) -> Result<(), CriteriaError> {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        for test in self.condition(value, depth)? {
            filters.push(Filter::Field {
                path: path.clone(),
                test,
            });
        }
        Ok(())
    }

    /// The tests of `{field: value}`: operators, or equality.
    fn condition(&mut self, value: &Value, depth: usize) -> Result<Vec<Test>, CriteriaError> {
        if self.is_operators(value) {
            self.operators(value, depth + 1)
        } else {
            Ok(vec![Test::Equal(self.literal(value, depth)?)])
        }
    }

    fn is_operators(&self, value: &Value) -> bool {
        let Some(map) = value.as_object() else {
            return false;
        };
        map.keys().any(|key| key.starts_with('$')) && !self.is_special(value)
    }

    /// `{"$date": …}` and `{"$oid": …}`: literals in the form of an operator.
    fn is_special(&self, value: &Value) -> bool {
        value.as_object().is_some_and(|map| {
            map.len() == 1
                && ((self.dates && map.contains_key("$date")) || map.contains_key("$oid"))
        })
    }

    fn literal(&mut self, value: &Value, depth: usize) -> Result<Value, CriteriaError> {
        self.count(1, depth)?;
        if !self.is_special(value) {
            return match value {
                Value::Array(items) => items
                    .iter()
                    .map(|item| self.literal(item, depth + 1))
                    .collect::<Result<_, _>>()
                    .map(Value::Array),
                Value::Object(map) => map
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.literal(value, depth + 1)?)))
                    .collect::<Result<_, _>>()
                    .map(Value::Object),
                scalar => Ok(scalar.clone()),
            };
        }
        match value.get("$date") {
            None => Ok(value.clone()),
            Some(Value::Number(number)) => Ok(json!({ "$date": number })),
            Some(date) => date
                .as_str()
                .and_then(read_date)
                .map(|millis| json!({ "$date": millis }))
                .ok_or_else(|| CriteriaError::invalid("filters")),
        }
    }

    fn literals(
        &mut self,
        operator: &str,
        value: &Value,
        depth: usize,
    ) -> Result<Vec<Value>, CriteriaError> {
        let items = value
            .as_array()
            .ok_or_else(|| refused(format!("{operator} needs an array")))?;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            if self.is_operators(item) {
                return Err(refused(format!("cannot nest $ under {operator}")));
            }
            values.push(self.literal(item, depth)?);
        }
        values.sort_by(compare);
        Ok(values)
    }

    fn operators(&mut self, value: &Value, depth: usize) -> Result<Vec<Test>, CriteriaError> {
        let Some(map) = value.as_object() else {
            return Err(refused("operators must be in an object"));
        };
        self.count(map.len(), depth)?;
        let mut tests = Vec::with_capacity(map.len());
        for (operator, operand) in map {
            tests.push(match operator.as_str() {
                "$options" if map.contains_key("$regex") => continue,
                "$options" => return Err(refused("$options needs a $regex")),
                "$regex" => self.pattern(operand, map.get("$options"))?,
                _ => self.operator(operator, operand, depth)?,
            });
        }
        Ok(tests)
    }

    fn operator(
        &mut self,
        operator: &str,
        operand: &Value,
        depth: usize,
    ) -> Result<Test, CriteriaError> {
        let compare = |comparison, literal| Ok(Test::Compare(comparison, literal));
        match operator {
            "$eq" => Ok(Test::Equal(self.literal(operand, depth)?)),
            "$ne" => Ok(Test::NotIn(vec![self.literal(operand, depth)?])),
            "$in" => Ok(Test::In(self.literals(operator, operand, depth)?)),
            "$nin" => Ok(Test::NotIn(self.literals(operator, operand, depth)?)),
            "$gt" => compare(Comparison::Greater, self.literal(operand, depth)?),
            "$gte" => compare(Comparison::GreaterOrEqual, self.literal(operand, depth)?),
            "$lt" => compare(Comparison::Less, self.literal(operand, depth)?),
            "$lte" => compare(Comparison::LessOrEqual, self.literal(operand, depth)?),
            "$exists" => Ok(Test::Exists(truth(operand))),
            "$all" => self.every(operand, depth),
            "$not" => self.negation(operand, depth),
            "$size" => whole(operand)
                .and_then(|size| u64::try_from(size).ok())
                .map(Test::Size)
                .ok_or_else(|| refused("$size needs a whole number that is not negative")),
            "$elemMatch" => self.element(operand, depth),
            "$mod" => remainder(operand),
            "$type" => kind(operand).map(Test::Type),
            "$comment" => Ok(Test::Always),
            _ => Err(refused(format!("unknown operator: {operator}"))),
        }
    }

    fn every(&mut self, operand: &Value, depth: usize) -> Result<Test, CriteriaError> {
        let items = operand
            .as_array()
            .ok_or_else(|| refused("$all needs an array"))?;
        let mut tests = Vec::with_capacity(items.len());
        for item in items {
            tests.push(match item.get("$elemMatch") {
                Some(inner) => self.element(inner, depth + 1)?,
                None if self.is_operators(item) => {
                    return Err(refused("no $ expressions in $all"));
                }
                None => Test::Equal(self.literal(item, depth)?),
            });
        }
        Ok(Test::Every(tests))
    }

    /// `$not` with operators, or with a text: a regular expression that must not be found.
    fn negation(&mut self, operand: &Value, depth: usize) -> Result<Test, CriteriaError> {
        match operand {
            Value::String(_) => Ok(Test::Not(vec![self.pattern(operand, None)?])),
            Value::Object(map) if !map.is_empty() && self.is_operators(operand) => {
                Ok(Test::Not(self.operators(operand, depth + 1)?))
            }
            _ => Err(refused("$not needs a regex or a document")),
        }
    }

    fn pattern(&mut self, pattern: &Value, options: Option<&Value>) -> Result<Test, CriteriaError> {
        let pattern = pattern
            .as_str()
            .ok_or_else(|| refused("$regex has to be a string"))?;
        let options = match options {
            None => "",
            Some(options) => options
                .as_str()
                .ok_or_else(|| refused("$options has to be a string"))?,
        };
        if self.patterns >= MAX_PATTERNS {
            return Err(refused(format!(
                "the filter has more than {MAX_PATTERNS} regular expressions"
            )));
        }
        let compiled = Pattern::new(pattern, options, self.patterns)?;
        self.patterns += 1;
        Ok(Test::Matches(compiled))
    }

    fn element(&mut self, operand: &Value, depth: usize) -> Result<Test, CriteriaError> {
        let map = operand
            .as_object()
            .ok_or_else(|| refused("$elemMatch needs an object"))?;
        let on_values = map
            .keys()
            .next()
            .is_some_and(|key| key.starts_with('$') && !["$and", "$or", "$nor"].contains(&&**key));
        if on_values {
            Ok(Test::ElementPasses(self.operators(operand, depth + 1)?))
        } else {
            Ok(Test::ElementIs(Box::new(
                self.document(operand, depth + 1)?,
            )))
        }
    }
}

/// Milliseconds since 1970 of an ISO date-time; without an offset it is UTC.
fn read_date(text: &str) -> Option<i64> {
    let at = parse_iso(text).or_else(|| parse_iso(&format!("{text}Z")))?;
    Some(at.as_millisecond())
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}

fn whole(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| {
        let fraction = number.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "only whole numbers in range"
        )]
        (fraction.fract() == 0.0 && fraction.abs() < 9e15).then_some(fraction as i64)
    })
}

fn remainder(operand: &Value) -> Result<Test, CriteriaError> {
    let wrong = || refused("$mod needs an array of a divisor, not zero, and a remainder");
    match operand.as_array().map(Vec::as_slice) {
        Some([divisor, remainder]) => {
            let divisor = whole(divisor).filter(|d| *d != 0).ok_or_else(wrong)?;
            let remainder = whole(remainder).ok_or_else(wrong)?;
            Ok(Test::Remainder { divisor, remainder })
        }
        _ => Err(wrong()),
    }
}

fn kind(operand: &Value) -> Result<BsonType, CriteriaError> {
    let name = operand.as_str();
    let code = whole(operand);
    let kinds = [
        (1, "double", BsonType::Double),
        (2, "string", BsonType::Text),
        (3, "object", BsonType::Object),
        (4, "array", BsonType::Array),
        (7, "objectId", BsonType::ObjectId),
        (8, "bool", BsonType::Bool),
        (9, "date", BsonType::Date),
        (10, "null", BsonType::Null),
        (16, "int", BsonType::Int),
        (18, "long", BsonType::Long),
    ];
    if name == Some("number") {
        return Ok(BsonType::Number);
    }
    if let Some((_, _, kind)) = kinds
        .iter()
        .find(|(c, n, _)| Some(*c) == code || Some(*n) == name)
    {
        return Ok(*kind);
    }
    match (code, name) {
        (Some(5 | 6 | 11..=15 | 17 | 19 | 127 | -1), _)
        | (
            _,
            Some("binData" | "undefined" | "regex" | "timestamp" | "decimal" | "minKey" | "maxKey"),
        ) => Ok(BsonType::Absent),
        _ => Err(refused(format!("unknown type code: {operand}"))),
    }
}
