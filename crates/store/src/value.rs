//! The values that go into statements and come out of rows, the same for both engines.

use pith_core::task::TaskState;
use pith_core::{Document, ObjectId, Sha256, TaskId, Timestamp, UnitId, json};
use serde_json::Value as Json;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::{Result, StoreError, reading};

/// A value bound to a statement. NULLs keep their type, which PostgreSQL insists on.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Bool(bool),
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// Arrays exist on PostgreSQL only; `Sql::bind_in` and `bulk` decide.
    Bools(Vec<bool>),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
}

macro_rules! into_value {
    ($($from:ty => |$v:ident| $into:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($v: $from) -> Self {
                $into
            }
        })*
    };
}

into_value! {
    bool => |v| Self::Bool(v);
    i64 => |v| Self::Int(Some(v));
    Option<i64> => |v| Self::Int(v);
    &str => |v| Self::Text(Some(without_nul(v)));
    &String => |v| Self::Text(Some(without_nul(v)));
    String => |v| Self::Text(Some(without_nul(&v)));
    &Option<String> => |v| Self::Text(v.as_deref().map(without_nul));
    Vec<u8> => |v| Self::Bytes(Some(v));
    &[u8] => |v| Self::Bytes(Some(v.to_vec()));
    Uuid => |v| Self::Bytes(Some(v.as_bytes().to_vec()));
    Option<Uuid> => |v| Self::Bytes(v.map(|v| v.as_bytes().to_vec()));
    UnitId => |v| v.0.into();
    TaskId => |v| v.0.into();
    Sha256 => |v| Self::Bytes(Some(v.0.to_vec()));
    Option<Sha256> => |v| Self::Bytes(v.map(|v| v.0.to_vec()));
    &ObjectId => |v| Self::Text(Some(v.as_str().to_owned()));
    Timestamp => |v| Self::Int(Some(v.as_microsecond()));
    Option<Timestamp> => |v| Self::Int(v.map(Timestamp::as_microsecond));
    TaskState => |v| v.name().into();
    &Document => |v| Self::Text(Some(document_text(v)));
    &Option<Document> => |v| Self::Text(v.as_ref().map(document_text));
    Option<&Document> => |v| Self::Text(v.map(document_text));
    &Json => |v| Self::Text(Some(json_text(v)));
    &Option<Json> => |v| Self::Text(v.as_ref().map(json_text));
}

/// Replaces NUL, which PostgreSQL cannot store in text and hostile metadata has. Both engines get the replacement character
/// instead.
fn without_nul(text: &str) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text.to_owned()
    }
}

fn document_text(document: &Document) -> String {
    let mut text = String::new();
    json::push_document(&mut text, document);
    if text.contains("\\u0000") {
        scrub(&Json::Object(document.clone())).to_string()
    } else {
        text
    }
}

pub(crate) fn json_text(value: &Json) -> String {
    let mut text = String::new();
    json::push_value(&mut text, value);
    if text.contains("\\u0000") {
        scrub(value).to_string()
    } else {
        text
    }
}

fn scrub(json: &Json) -> Json {
    match json {
        Json::String(text) => Json::String(without_nul(text)),
        Json::Array(items) => items.iter().map(scrub).collect(),
        Json::Object(map) => Json::Object(
            map.iter()
                .map(|(k, v)| (without_nul(k), scrub(v)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// A time as the database keeps it.
pub(crate) fn timestamp(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|_| StoreError::Corrupt("time".to_owned()))
}

/// A row of either backend. Columns are read by their place.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    /// The column at `index` as a `T`.
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T> {
        T::read(self, index)
    }
}

/// A value that can be read from a column.
pub(crate) trait Column: Sized {
    fn read(row: &Row, index: usize) -> Result<Self>;
}

macro_rules! plain_column {
    ($($t:ty),*) => {
        $(impl Column for $t {
            fn read(row: &Row, index: usize) -> Result<Self> {
                Ok(match row {
                    Row::Sqlite(row) => row.try_get(index)?,
                    Row::Postgres(row) => row.try_get(index)?,
                })
            }
        })*
    };
}

plain_column!(
    bool,
    i64,
    Option<i64>,
    String,
    Option<String>,
    Vec<u8>,
    Option<Vec<u8>>
);

macro_rules! column_from {
    ($($t:ty, $base:ty, $what:literal, |$v:ident| $read:expr;)*) => {
        $(
            impl Column for $t {
                fn read(row: &Row, index: usize) -> Result<Self> {
                    let $v = <$base>::read(row, index)?;
                    $read.ok_or_else(|| StoreError::Corrupt($what.to_owned()))
                }
            }

            impl Column for Option<$t> {
                fn read(row: &Row, index: usize) -> Result<Self> {
                    <Option<$base>>::read(row, index)?
                        .map(|$v| $read.ok_or_else(|| StoreError::Corrupt($what.to_owned())))
                        .transpose()
                }
            }
        )*
    };
}

column_from! {
    Uuid, Vec<u8>, "id", |v| Uuid::from_slice(&v).ok();
    UnitId, Vec<u8>, "unit id", |v| Uuid::from_slice(&v).ok().map(UnitId);
    TaskId, Vec<u8>, "task id", |v| Uuid::from_slice(&v).ok().map(TaskId);
    Sha256, Vec<u8>, "digest", |v| Sha256::from_slice(&v);
    ObjectId, String, "object id", |v| v.parse::<ObjectId>().ok();
    TaskState, String, "task state", |v| v.parse::<TaskState>().ok();
    Timestamp, i64, "time", |v| Timestamp::from_microsecond(v).ok();
}

macro_rules! column_of_json {
    ($($t:ty, $what:literal;)*) => {
        $(
            impl Column for $t {
                fn read(row: &Row, index: usize) -> Result<Self> {
                    parsed(&String::read(row, index)?, $what)
                }
            }

            impl Column for Option<$t> {
                fn read(row: &Row, index: usize) -> Result<Self> {
                    let text = <Option<String>>::read(row, index)?;
                    text.map(|text| parsed(&text, $what)).transpose()
                }
            }
        )*
    };
}

column_of_json! {
    Document, "document";
    Json, "JSON value";
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    reading::count_json(text)?;
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_in_text_keys_and_nested_values() {
        let json = serde_json::json!({ "a\0": ["x\0y", { "z": "\0" }], "literal": "\\u0000" });
        let text = json_text(&json);
        let back: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(
            back,
            serde_json::json!({ "a\u{fffd}": ["x\u{fffd}y", { "z": "\u{fffd}" }], "literal": "\\u0000" })
        );
    }
}
