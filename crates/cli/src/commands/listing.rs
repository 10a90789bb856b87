//! Documents of the API as tables and as lines, from a table of what to show.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::running::CommandSession;
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::text::{bent, cell, clean, time};

/// A column of a list, or a line of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    head: &'static str,
    /// The place of the value: a JSON pointer (RFC 6901).
    pointer: &'static str,
    shown: Shown,
}

#[derive(Debug, Clone, Copy)]
enum Shown {
    Text,
    Time,
    List,
    Count,
}

/// A value as it is.
pub(super) const fn text(head: &'static str, pointer: &'static str) -> Column {
    column(head, pointer, Shown::Text)
}

/// A time, in the person's zone.
pub(super) const fn at(head: &'static str, pointer: &'static str) -> Column {
    column(head, pointer, Shown::Time)
}

/// The elements of an array, or the names of an object.
pub(super) const fn list(head: &'static str, pointer: &'static str) -> Column {
    column(head, pointer, Shown::List)
}

/// A number without its sign: removals of a history are negative on the wire.
pub(super) const fn count(head: &'static str, pointer: &'static str) -> Column {
    column(head, pointer, Shown::Count)
}

const fn column(head: &'static str, pointer: &'static str, shown: Shown) -> Column {
    Column {
        head,
        pointer,
        shown,
    }
}

impl Column {
    fn of(&self, document: &Value, zone: &TimeZone) -> String {
        let value = document.pointer(self.pointer).unwrap_or(&Value::Null);
        match (self.shown, value) {
            (Shown::Time, value) => time(value, zone),
            (Shown::List, Value::Array(items)) => joined(items.iter().map(cell)),
            (Shown::List, Value::Object(map)) => joined(map.keys().cloned()),
            (Shown::Count, value) => value
                .as_i64()
                .map_or_else(|| cell(value), |n| n.unsigned_abs().to_string()),
            (_, value) => cell(value),
        }
    }
}

/// The value of a field, dots leading into objects.
pub(super) fn named<'a>(document: &'a Value, field: &str) -> &'a Value {
    field.split('.').fold(document, |value, name| &value[name])
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let text = parts.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

impl CommandSession<'_> {
    /// Prints a list: the array with `--json`, else a table, or `none` when it is empty.
    pub(super) fn list(
        &mut self,
        found: &Value,
        columns: &[Column],
        none: &str,
    ) -> Result<(), Error> {
        let zone = self.ui.zone.clone();
        let row = |one: &Value| columns.iter().map(|column| column.of(one, &zone)).collect();
        let header: Vec<&str> = columns.iter().map(|column| column.head).collect();
        self.ui.rows(found, &header, row, none)
    }

    /// Prints what a sync had to bend, below a list that names the sync as `about`.
    pub(super) fn remarks(&mut self, about: &str, entry: &Value) -> Result<(), Error> {
        for line in bent(entry) {
            self.ui.line(&format!("{about}: {line}"))?;
        }
        Ok(())
    }

    /// Searches and prints what was found: the fields that were asked for, else `columns`.
    pub(super) async fn search(
        &mut self,
        resource: &str,
        args: &SearchArgs,
        columns: &[Column],
    ) -> Result<(), Error> {
        let body = serde_json::json!({ "criteria": args.criteria()? });
        let found = self.client.post(&[resource, "search"], &body).await?;
        self.found(&found, &args.fields, columns)
    }

    /// Prints what a search found: the fields that were asked for, else `columns`.
    pub(super) fn found(
        &mut self,
        found: &Value,
        fields: &[String],
        columns: &[Column],
    ) -> Result<(), Error> {
        if fields.is_empty() || self.ui.is_json() {
            return self.list(found, columns, "nothing found");
        }
        let header: Vec<&str> = fields.iter().map(String::as_str).collect();
        let row = |one: &Value| header.iter().map(|field| cell(named(one, field))).collect();
        self.ui.rows(found, &header, row, "nothing found")
    }

    /// Prints one document: as it is with `--json`, else a line for each of `columns`.
    pub(super) fn show(&mut self, document: &Value, columns: &[Column]) -> Result<(), Error> {
        if self.ui.is_json() {
            return self.ui.document(document);
        }
        let zone = self.ui.zone.clone();
        for column in columns {
            let value = clean(&column.of(document, &zone));
            self.ui.line(&format!("{:18}{value}", column.head))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_shows_what_its_pointer_says() {
        let document = json!({"a": {"b": ["x", "y"]}, "n": -3, "none": []});
        let of = |column: Column| column.of(&document, &TimeZone::UTC);
        assert_eq!(of(list("b", "/a/b")), "x, y");
        assert_eq!(of(list("a", "/a")), "b");
        assert_eq!(of(list("none", "/none")), "-");
        assert_eq!(of(count("n", "/n")), "3");
        assert_eq!(of(text("missing", "/a/c")), "-");
        assert_eq!(named(&document, "a.b"), &json!(["x", "y"]));
        assert_eq!(named(&document, "n.b"), &Value::Null);
    }
}
