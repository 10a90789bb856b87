//! The differences between the two engines, and nothing else.
//!
//! Statements are written for both: `jsonb($1)` stores a document and `json(column)` reads it on either backend (the
//! latter is rewritten for PostgreSQL by [`for_postgres`]). What cannot be said once is built with [`Sql`], [`bulk`] and
//! the functions for fields of documents.

use std::borrow::Cow;

use crate::backend::Backend;
use crate::value::Value;
use crate::{Result, StoreError};

/// Most values that `Sql::bind_in` should be given at once.
pub(crate) const CHUNK: usize = 512;

/// Rows per batch of a stream.
pub(crate) const PAGE: u64 = CHUNK as u64;

/// Binds per statement in multi-row inserts on SQLite: enough to forget the cost of a statement.
const SQLITE_BINDS: usize = 4000;

/// Rows per statement in multi-row inserts on PostgreSQL.
const POSTGRES_ROWS: usize = 2000;

/// A statement and what is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct Stmt {
    pub(crate) text: Cow<'static, str>,
    pub(crate) binds: Vec<Value>,
    /// Is true when the prepared form is worth keeping.
    pub(crate) keep: bool,
}

/// A statement with `$1`… binds.
pub(crate) fn sql(text: &'static str) -> Stmt {
    Stmt {
        text: Cow::Borrowed(text),
        binds: Vec::new(),
        keep: true,
    }
}

impl Stmt {
    /// Binds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.binds.push(value.into());
        self
    }
}

/// A statement under construction: its placeholders are written as values are bound.
#[derive(Debug)]
pub(crate) struct Sql {
    pub(crate) backend: Backend,
    text: String,
    binds: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(backend: Backend, text: &str) -> Self {
        Self {
            backend,
            text: text.to_owned(),
            binds: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Writes a placeholder for `value`. SQLite gets bare `?`: names are looked up one by one there, which makes
    /// statements with thousands of them slow.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.binds.push(value.into());
        match self.backend {
            Backend::Sqlite => self.text.push('?'),
            Backend::Postgres => {
                self.text.push('$');
                self.text.push_str(&self.binds.len().to_string());
            }
        }
        self
    }

    /// Writes `column IN (values)`; false for no values.
    pub(crate) fn bind_in<T: Into<Value>>(
        &mut self,
        column: &str,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        let Some(last) = values.last().cloned() else {
            return self.push("1 = 0");
        };
        self.push(column);
        if self.backend == Backend::Postgres {
            self.push(" = ANY(").bind(array(values)).push(")");
            return self;
        }
        // Few sizes, so that few statements are prepared: the last value is repeated.
        let size = values.len().next_power_of_two();
        self.push(" IN (");
        for (at, value) in values
            .into_iter()
            .chain(std::iter::repeat(last))
            .take(size)
            .enumerate()
        {
            self.push(if at == 0 { "" } else { "," }).bind(value);
        }
        self.push(")")
    }

    /// Writes ` LIMIT` for at most `rows` rows.
    pub(crate) fn limit(&mut self, rows: u64) -> &mut Self {
        self.push(" LIMIT ").count(rows)
    }

    /// Writes ` OFFSET` to leave out `rows` rows.
    pub(crate) fn offset(&mut self, rows: u64) -> &mut Self {
        self.push(" OFFSET ").count(rows)
    }

    /// Writes a number of rows as an expression. SQLite plans with a bare parameter after LIMIT, so it compiles the statement
    /// again each time a value is bound: that took a third of a search. It leaves an expression alone.
    fn count(&mut self, rows: u64) -> &mut Self {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.push("(").bind(rows).push(" + 0)")
    }

    /// Puts text without binds around the statement.
    pub(crate) fn within(mut self, before: &str, after: &str) -> Self {
        self.text.insert_str(0, before);
        self.text.push_str(after);
        self
    }

    pub(crate) fn build(self) -> Stmt {
        Stmt {
            text: Cow::Owned(self.text),
            binds: self.binds,
            keep: true,
        }
    }
}

/// Values of one kind as one PostgreSQL array.
fn array(values: Vec<Value>) -> Value {
    let mut out = None;
    for value in values {
        match (&mut out, value) {
            (None, Value::Bool(v)) => out = Some(Value::Bools(vec![v])),
            (None, Value::Int(v)) => out = Some(Value::Ints(vec![v])),
            (None, Value::Text(v)) => out = Some(Value::Texts(vec![v])),
            (None, Value::Bytes(v)) => out = Some(Value::Blobs(vec![v])),
            (Some(Value::Bools(all)), Value::Bool(v)) => all.push(v),
            (Some(Value::Ints(all)), Value::Int(v)) => all.push(v),
            (Some(Value::Texts(all)), Value::Text(v)) => all.push(v),
            (Some(Value::Blobs(all)), Value::Bytes(v)) => all.push(v),
            // A column has one type: the callers in this crate bind nothing else.
            (_, other) => debug_assert!(false, "mixed kinds in a list: {other:?}"),
        }
    }
    out.unwrap_or(Value::Texts(Vec::new()))
}

/// The type of a column in [`bulk`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Bool,
    Int,
    Text,
    Bytes,
    Json,
}

/// The statements that insert all `rows`: `head` names table and columns, `tail` says what happens on conflict.
pub(crate) fn bulk(
    backend: Backend,
    head: &str,
    kinds: &[ColumnType],
    rows: Vec<Vec<Value>>,
    tail: &str,
) -> Vec<Stmt> {
    let size = match backend {
        Backend::Sqlite => (SQLITE_BINDS / kinds.len().max(1)).max(1),
        Backend::Postgres => POSTGRES_ROWS,
    };
    let mut statements = Vec::with_capacity(rows.len() / size + 1);
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<Vec<Value>> = rows.by_ref().take(size).collect();
        let full = chunk.len() == size;
        let mut statement = match backend {
            Backend::Sqlite => bulk_values(head, kinds, chunk, tail),
            Backend::Postgres => bulk_unnest(head, kinds, chunk, tail),
        };
        statement.keep = full || backend == Backend::Postgres;
        statements.push(statement);
    }
    statements
}

fn bulk_values(head: &str, kinds: &[ColumnType], rows: Vec<Vec<Value>>, tail: &str) -> Stmt {
    let one: Vec<&str> = kinds
        .iter()
        .map(|kind| {
            if *kind == ColumnType::Json {
                "jsonb(?)"
            } else {
                "?"
            }
        })
        .collect();
    let one = format!("({})", one.join(","));
    let mut text =
        String::with_capacity(head.len() + rows.len() * (one.len() + 1) + tail.len() + 16);
    text.push_str(head);
    text.push_str(" VALUES ");
    for at in 0..rows.len() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&one);
    }
    text.push(' ');
    text.push_str(tail);
    Stmt {
        text: Cow::Owned(text),
        binds: rows.into_iter().flatten().collect(),
        keep: true,
    }
}

fn bulk_unnest(head: &str, kinds: &[ColumnType], rows: Vec<Vec<Value>>, tail: &str) -> Stmt {
    let mut columns: Vec<Vec<Value>> = kinds
        .iter()
        .map(|_| Vec::with_capacity(rows.len()))
        .collect();
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    let (mut picked, mut arrays, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (at, kind) in kinds.iter().enumerate() {
        let cast = match kind {
            ColumnType::Bool => "bool",
            ColumnType::Int => "bigint",
            ColumnType::Text | ColumnType::Json => "text",
            ColumnType::Bytes => "bytea",
        };
        arrays.push(format!("${}::{cast}[]", at + 1));
        names.push(format!("c{at}"));
        picked.push(if *kind == ColumnType::Json {
            format!("c{at}::jsonb")
        } else {
            format!("c{at}")
        });
    }
    let text = format!(
        "{head} SELECT {} FROM UNNEST({}) AS t({}) {tail}",
        picked.join(","),
        arrays.join(","),
        names.join(",")
    );
    Stmt {
        text: Cow::Owned(text),
        binds: columns.into_iter().map(array).collect(),
        keep: true,
    }
}

/// Rewrites `json(x)` to `(x)::text`, the way PostgreSQL prints a document.
pub(crate) fn for_postgres(text: Cow<'static, str>) -> Cow<'static, str> {
    if !text.contains("json(") {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest: &str = &text;
    while let Some(at) = rest.find("json(") {
        let is_word_start = !rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let inner = &rest[at + "json(".len()..];
        let Some(end) = closing(inner).filter(|_| is_word_start) else {
            out.push_str(&rest[..at + "json(".len()]);
            rest = inner;
            continue;
        };
        out.push_str(&rest[..at]);
        out.push('(');
        out.push_str(&inner[..end]);
        out.push_str(")::text");
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The position at which the parenthesis closes that is open at the start of `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Fills the types into a migration.
pub(crate) fn ddl(backend: Backend, text: &str) -> String {
    let (bytes, json, serial, clustered) = match backend {
        Backend::Sqlite => (
            "BLOB",
            "BLOB",
            "INTEGER PRIMARY KEY AUTOINCREMENT",
            "WITHOUT ROWID",
        ),
        Backend::Postgres => (
            "BYTEA",
            "JSONB",
            "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "",
        ),
    };
    text.replace("{bytes}", bytes)
        .replace("{json}", json)
        .replace("{serial}", serial)
        .replace("{clustered}", clustered)
}

/// ` FOR UPDATE` where rows must be locked by hand; SQLite's one writer has the whole file.
pub(crate) fn for_update(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "",
        Backend::Postgres => " FOR UPDATE",
    }
}

/// ` FOR NO KEY UPDATE` where there are several writers: for changes that leave alone what other rows refer to, so that
/// nobody waits who only needs the row to stay.
pub(crate) fn for_update_of_values(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "",
        Backend::Postgres => " FOR NO KEY UPDATE",
    }
}

/// ` FOR KEY SHARE` where there are several writers: the rows may change, but not go away.
pub(crate) fn for_key_share(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "",
        Backend::Postgres => " FOR KEY SHARE",
    }
}

/// ` FOR SHARE` where there are several writers.
pub(crate) fn for_share(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "",
        Backend::Postgres => " FOR SHARE",
    }
}

/// ` FOR UPDATE SKIP LOCKED` where there are several writers.
pub(crate) fn for_update_skip_locked(backend: Backend) -> &'static str {
    match backend {
        Backend::Sqlite => "",
        Backend::Postgres => " FOR UPDATE SKIP LOCKED",
    }
}

/// The path of a member of a document, for `jsonb_set`.
pub(crate) fn top_level(backend: Backend, name: &str) -> Result<String> {
    let name = plain_name(name)?;
    Ok(match backend {
        Backend::Sqlite => format!("'$.{name}'"),
        Backend::Postgres => format!("'{{{name}}}'"),
    })
}

/// Checks that `name` may stand between quotes in a statement.
pub(crate) fn plain_name(name: &str) -> Result<&str> {
    let fits = !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if fits {
        Ok(name)
    } else {
        Err(StoreError::BadName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_become_text_casts_on_postgresql() {
        let of = |text: &'static str| for_postgres(Cow::Borrowed(text)).into_owned();
        assert_eq!(
            of("SELECT json(doc), a FROM t"),
            "SELECT (doc)::text, a FROM t"
        );
        assert_eq!(of("SELECT json(f(a)->'b')"), "SELECT (f(a)->'b')::text");
        assert_eq!(
            of("VALUES (jsonb($1), to_json($2))"),
            "VALUES (jsonb($1), to_json($2))"
        );
    }

    #[test]
    fn lists_have_few_sizes_on_sqlite() {
        let mut statement = Sql::new(Backend::Sqlite, "");
        statement.bind_in("a", [1i64, 2, 3]);
        assert_eq!(statement.build().text, "a IN (?,?,?,?)");
        let mut statement = Sql::new(Backend::Postgres, "");
        statement.bind_in("a", [1i64, 2, 3]);
        assert_eq!(statement.build().text, "a = ANY($1)");
    }
}
