//! Units as the database has them, and as much of their text as must be read to show it as it is.

use std::fmt;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use pith_core::Document;
use pith_engine::Error;
use pith_store::{RawDocument, StreamedUnit};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::units::{DocumentStream, Search};

impl Search {
    /// Tells whether units of the answer have all their fields and the database alone decides which they are.
    pub(super) fn passes_through(&self) -> bool {
        self.unit_fields.is_none() && !self.include_repos
    }

    /// The answer, when [`Search::passes_through`] and the window goes along to the database.
    pub(super) fn run_raw(self) -> Result<DocumentStream, Error> {
        let needs = self.shown_needs();
        let window = Some((self.skip, self.limit));
        let units = self.ask(
            &self.type_ids,
            &needs,
            &self.unit_sort,
            None,
            window,
            pith_store::Store::units_raw_stream,
        )?;
        let search = Arc::new(self);
        let show = move |batch: Vec<StreamedUnit<RawDocument>>| {
            let search = Arc::clone(&search);
            async move {
                let names = search.names_for(&batch).await?;
                let shown = batch
                    .into_iter()
                    .map(|unit| search.show_stored(unit, names));
                shown.collect()
            }
        };
        Ok(units.map_err(Error::from).and_then(show).boxed())
    }
}

/// The plain fields of a document, and the names of the others.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) plain: Document,
    pub(super) other: Vec<String>,
}

impl Split {
    /// Tells whether the document has a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.plain.contains_key(name) || self.other.iter().any(|other| other == name)
    }
}

impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SplitVisitor)
    }
}

struct SplitVisitor;

impl<'de> Visitor<'de> for SplitVisitor {
    type Value = Split;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Split, A::Error> {
        let mut split = Split::default();
        while let Some((name, Plain(value))) = map.next_entry::<String, Plain>()? {
            match value {
                Some(value) => drop(split.plain.insert(name, value)),
                None => split.other.push(name),
            }
        }
        Ok(split)
    }
}

/// A plain value; `None` for a list or an object, which is passed over.
struct Plain(Option<Value>);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain(Some(Value::Bool(value))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain(Some(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain(Some(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain(Some(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        )))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain(Some(Value::String(value.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(Some(Value::Null)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Plain(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Plain(None))
    }
}
