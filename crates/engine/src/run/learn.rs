//! Facts that were worked out of the file of a unit that is known already: a unit stays as it is when it is handed over again, but
//! what nobody knew of its file yet is kept.

use std::collections::HashMap;

use pith_core::{Document, UnitId};
use pith_store::Store;
use serde_json::Value;

use super::moving::Moving;
use crate::Engine;
use crate::error::Error;

/// Adds to known units of a type what `told`, the documents that were handed over again, say of their files.
pub(crate) async fn from_files(
    (engine, store): (&Engine, &Store),
    type_id: &str,
    mut told: Vec<(UnitId, &Document)>,
) -> Result<(), Error> {
    let fields = engine.registry.learned(type_id);
    told.retain(|(_, doc)| fields.iter().any(|field| says_something(doc.get(*field))));
    if told.is_empty() {
        return Ok(());
    }
    let ids: Vec<UnitId> = told.iter().map(|(id, _)| *id).collect();
    let told: HashMap<UnitId, &Document> = told.into_iter().collect();
    let known = store.units_pick(type_id, &ids, Some(fields), &[]).await?;
    for field in fields {
        let learned = known.iter().filter_map(|known| {
            let unit = &known.unit;
            let value = joined(unit.doc.get(*field), told.get(&unit.id)?.get(*field))?;
            Some((unit.id, value))
        });
        let learned: Vec<(UnitId, Value)> = learned.collect();
        if learned.is_empty() {
            continue;
        }
        let set = store.units_set_field(type_id, field, &learned);
        set.await?;
    }
    Ok(())
}

/// Adds to units of a type that are to be saved what is known of their files from other units: those with these ids, of which
/// something else is said.
pub(super) async fn of_others(
    (engine, store): (&Engine, &Store),
    type_id: &str,
    wanted: &mut [(Moving, UnitId)],
) -> Result<(), Error> {
    let fields = engine.registry.learned(type_id);
    if wanted.is_empty() || fields.is_empty() {
        return Ok(());
    }
    let ids: Vec<UnitId> = wanted.iter().map(|(_, id)| *id).collect();
    let known = store.units_pick(type_id, &ids, Some(fields), &[]).await;
    let known = known?.into_iter();
    let known: HashMap<UnitId, Document> = known.map(|one| (one.unit.id, one.unit.doc)).collect();
    for (moving, id) in wanted {
        let Some(known) = known.get(id) else { continue };
        for field in fields {
            let doc = &mut moving.unit.doc;
            if let Some(value) = joined(doc.get(*field), known.get(*field)) {
                doc.insert((*field).to_owned(), value);
            }
        }
    }
    Ok(())
}

fn says_something(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    }
}

/// The value to keep, when it is not the known one: an object has the members of both, anything else only fills a gap.
pub(super) fn joined(known: Option<&Value>, told: Option<&Value>) -> Option<Value> {
    let told = told.filter(|value| says_something(Some(value)))?;
    match (known, told) {
        (Some(Value::Object(known)), Value::Object(told)) => {
            let mut all = told.clone();
            all.extend(known.clone());
            (all != *known).then_some(Value::Object(all))
        }
        (known, told) => (!says_something(known)).then(|| told.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_known_stays_and_gaps_are_filled() {
        let join = |known: Value, told: Value| joined(Some(&known), Some(&told));
        let both = join(json!({"md5": "1"}), json!({"md5": "2", "sha1": "3"}));
        assert_eq!(both, Some(json!({"md5": "1", "sha1": "3"})));
        assert_eq!(join(json!({"md5": "1"}), json!({"md5": "1"})), None);
        assert_eq!(
            join(json!({}), json!({"md5": "1"})),
            Some(json!({"md5": "1"}))
        );
        assert_eq!(joined(None, Some(&json!("key"))), Some(json!("key")));
        assert_eq!(join(json!("key"), json!("other")), None);
        assert_eq!(join(json!("key"), json!(null)), None);
    }
}
