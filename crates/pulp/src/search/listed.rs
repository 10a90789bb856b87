//! Flags of units that depend on what else a repository has: units are shared, and what lists them need not be.

use futures::TryStreamExt;
use pith_content::Listed;
use pith_core::Document;
use pith_engine::Error;
use pith_store::{RawDocument, StreamedUnit, UnitQuery};
use serde_json::Value;

use super::units::{Names, Search};

impl Search {
    fn flag_of(&self, type_id: &str) -> Option<&'static Listed> {
        self.repo.as_ref()?;
        self.engine.registry.unit_type(type_id)?.listed
    }

    fn flags(&self) -> impl Iterator<Item = &'static Listed> {
        self.type_ids.iter().filter_map(|id| self.flag_of(id))
    }

    /// Tells whether a field depends on what else the repository has.
    pub(super) fn is_listed(&self, field: &str) -> bool {
        self.flags().any(|listed| listed.flag == field)
    }

    /// Takes flags off units that nothing in the repository lists.
    pub(super) async fn relate(&self, batch: &mut [StreamedUnit]) -> Result<(), Error> {
        for streamed in batch {
            let unit = &mut streamed.unit;
            let Some(listed) = self.flag_of(&unit.type_id) else {
                continue;
            };
            if is_set(&unit.doc, listed) && is_off(self.names().await?, listed, &unit.doc) {
                unit.doc.insert(listed.flag.to_owned(), Value::Bool(false));
            }
        }
        Ok(())
    }

    /// The listed names, when they matter for one of these documents.
    pub(super) async fn names_for(
        &self,
        batch: &[StreamedUnit<RawDocument>],
    ) -> Result<Option<&Names>, Error> {
        let matters = |streamed: &StreamedUnit<RawDocument>| {
            let listed = self.flag_of(&streamed.unit.type_id);
            listed.is_some_and(|listed| may_be_set(&streamed.unit.doc.0, listed.flag))
        };
        match batch.iter().any(matters) {
            true => self.names().await.map(Some),
            false => Ok(None),
        }
    }

    /// The flag that is to be taken off a unit with these plain fields.
    pub(super) fn off(
        &self,
        type_id: &str,
        plain: &Document,
        names: Option<&Names>,
    ) -> Option<&'static str> {
        let listed = self.flag_of(type_id)?;
        let off = is_set(plain, listed) && is_off(names?, listed, plain);
        off.then_some(listed.flag)
    }

    async fn names(&self) -> Result<&Names, Error> {
        self.listed.get_or_try_init(|| self.read_names()).await
    }

    async fn read_names(&self) -> Result<Names, Error> {
        let mut names = Names::new();
        for listed in self.flags() {
            let select = (listed.by)();
            let query = UnitQuery {
                type_ids: vec![select.type_id],
                repo: self.repo.as_deref(),
                fields: select.fields.map(<[&str]>::to_vec),
                ..UnitQuery::default()
            };
            let found = names.entry(listed.flag).or_default();
            let mut units = self.engine.store.units_stream(&query)?;
            while let Some(batch) = units.try_next().await? {
                for streamed in batch {
                    (listed.names)(&streamed.unit.doc, found);
                }
            }
        }
        Ok(names)
    }
}

fn is_set(doc: &Document, listed: &Listed) -> bool {
    doc.get(listed.flag) == Some(&Value::Bool(true))
}

fn is_off(names: &Names, listed: &Listed, doc: &Document) -> bool {
    let names = names.get(listed.flag);
    names.is_none_or(|names| !names.contains(&(listed.name)(doc)))
}

/// Tells whether the text of a document may say that a flag is set.
fn may_be_set(text: &str, flag: &str) -> bool {
    let name = format!("\"{flag}\"");
    let mut after = text.split(name.as_str()).skip(1);
    after.any(|rest| rest.trim_start_matches([':', ' ']).starts_with("true"))
}
