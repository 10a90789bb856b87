//! Fields of documents inside statements: equality, order, indexes. The JSON operators of the two engines look alike
//! and differ silently, so that each has its spelling here.

use serde_json::Value as Json;

use crate::backend::Backend;
use crate::dialect::{Sql, plain_name};
use crate::value::{Value, json_text};
use crate::{Result, StoreError};

/// A checked name of a field (dots lead into objects): the only text that gets into statements beside our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field(Vec<String>);

impl Field {
    pub(crate) fn new(path: &str) -> Result<Self> {
        path.split('.')
            .map(|name| {
                plain_name(name)
                    .map(str::to_owned)
                    .map_err(|_| StoreError::BadName(path.to_owned()))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// The name, for index names.
    pub(crate) fn flat(&self) -> String {
        self.0.join("__").replace('-', "_m_")
    }

    /// The field as JSON.
    pub(crate) fn json(&self, doc: &str) -> String {
        self.0
            .iter()
            .fold(doc.to_owned(), |at, name| format!("{at}->'{name}'"))
    }

    /// The names on the way to the field.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// The field as a value of SQL.
    pub(crate) fn scalar(&self, doc: &str) -> String {
        let (last, path) = self
            .0
            .split_last()
            .map_or(("", &[][..]), |(last, path)| (last.as_str(), path));
        let parent = path
            .iter()
            .fold(doc.to_owned(), |at, name| format!("{at}->'{name}'"));
        format!("{parent}->>'{last}'")
    }

    /// `json_type` of SQLite for the field.
    fn sqlite_type(&self, doc: &str) -> String {
        let path: String = self.0.iter().map(|name| format!(".\"{name}\"")).collect();
        format!("json_type({doc},'${path}')")
    }

    /// Returns what an index on the field indexes, with the kind of index.
    pub(crate) fn index_on(&self, backend: Backend) -> String {
        match backend {
            Backend::Sqlite => format!("(({}))", self.scalar("doc")),
            // Hash: only equality is asked, and a long value from a hostile upstream does not overflow it.
            Backend::Postgres => format!("USING hash (({}))", self.json("doc")),
        }
    }

    /// Writes a condition: the field equals one of `values`, kinds unmixed (a text is not a number, a number not a
    /// boolean). The JSON operators differ silently between the engines, hence two spellings.
    pub(crate) fn equals(&self, out: &mut Sql, doc: &str, values: &[Json]) {
        match out.backend {
            Backend::Sqlite => self.equals_sqlite(out, doc, values),
            Backend::Postgres => self.equals_postgres(out, doc, values),
        }
    }

    fn equals_sqlite(&self, out: &mut Sql, doc: &str, values: &[Json]) {
        let (scalar, kind) = (self.scalar(doc), self.sqlite_type(doc));
        let texts: Vec<&str> = values.iter().filter_map(Json::as_str).collect();
        let numbers: Vec<String> = values
            .iter()
            .filter(|v| v.is_number())
            .map(Json::to_string)
            .collect();
        let mut any = Alternatives::open(out);
        if !texts.is_empty() {
            any.next(out)
                .push("(")
                .bind_in(&scalar, texts)
                .push(" AND ")
                .push(&kind)
                .push(" = 'text')");
        }
        if !numbers.is_empty() {
            // Number literals as serde_json prints them are SQL too, and keep integers and reals apart from text.
            let list = numbers.join(",");
            any.next(out).push(&format!(
                "({scalar} IN ({list}) AND {kind} IN ('integer','real'))"
            ));
        }
        for flag in values.iter().filter_map(Json::as_bool) {
            any.next(out).push(&format!(
                "({scalar} = {} AND {kind} = '{flag}')",
                i32::from(flag)
            ));
        }
        if values.iter().any(Json::is_null) {
            any.next(out).push(&format!("{scalar} IS NULL"));
        }
        any.close(out);
    }

    fn equals_postgres(&self, out: &mut Sql, doc: &str, values: &[Json]) {
        let json = self.json(doc);
        let scalars: Vec<Json> = values
            .iter()
            .filter(|v| v.is_string() || v.is_number() || v.is_boolean())
            .cloned()
            .collect();
        let mut any = Alternatives::open(out);
        match scalars.as_slice() {
            [] => {}
            [one] => {
                any.next(out)
                    .push(&format!("{json} = "))
                    .bind(json_text(one))
                    .push("::jsonb");
            }
            many => {
                let texts = Value::Texts(many.iter().map(|v| Some(json_text(v))).collect());
                any.next(out)
                    .push(&format!("{json} = ANY("))
                    .bind(texts)
                    .push("::text[]::jsonb[])");
            }
        }
        if values.iter().any(Json::is_null) {
            any.next(out)
                .push(&format!("({json} IS NULL OR {json} = 'null'::jsonb)"));
        }
        any.close(out);
    }

    /// Columns to sort by: missing, then numbers and booleans, then text by bytes.
    pub(crate) fn sort_keys(&self, backend: Backend, doc: &str) -> Vec<String> {
        let scalar = self.scalar(doc);
        if backend == Backend::Sqlite {
            return vec![scalar];
        }
        let kind = format!("jsonb_typeof({})", self.json(doc));
        vec![
            format!(
                "CASE {kind} WHEN 'number' THEN 1 WHEN 'boolean' THEN 1 WHEN 'null' THEN 0 ELSE CASE WHEN {kind} IS NULL THEN 0 ELSE 2 END END"
            ),
            format!(
                "CASE {kind} WHEN 'number' THEN ({scalar})::numeric WHEN 'boolean' THEN (CASE WHEN {scalar} = 'true' THEN 1 ELSE 0 END)::numeric END"
            ),
            format!(
                "(CASE WHEN {kind} IN ('number','boolean') THEN NULL ELSE {scalar} END) COLLATE \"C\""
            ),
        ]
    }
}

/// Writes `(a OR b OR …)`, false for none.
struct Alternatives(bool);

impl Alternatives {
    fn open(out: &mut Sql) -> Self {
        out.push("(");
        Self(false)
    }

    fn next<'a>(&mut self, out: &'a mut Sql) -> &'a mut Sql {
        let first = !std::mem::replace(&mut self.0, true);
        out.push(if first { "" } else { " OR " })
    }

    fn close(self, out: &mut Sql) {
        out.push(if self.0 { ")" } else { "1 = 0)" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_cannot_leave_their_quotes() {
        for bad in ["", "a'b", "a..b", "a b", "a\"", "a;", "ä"] {
            assert!(Field::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Field::new("a.b-c").unwrap().json("doc"), "doc->'a'->'b-c'");
        assert_eq!(Field::new("a.b").unwrap().scalar("doc"), "doc->'a'->>'b'");
    }
}
