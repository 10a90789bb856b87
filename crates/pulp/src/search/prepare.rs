//! Criteria made ready for the documents that they judge: the one place that knows what a collection's ids are.

use pith_core::ObjectId;
use pith_core::criteria::{Criteria, Filter, SortKey, Test};
use pith_core::error::PulpError;
use serde_json::Value;

/// The field that the documents of a collection are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// An `id` of their own beside the object id in `_id`.
    Named,
    /// Nothing but the object id: `id` means `_id`.
    Object,
}

/// The treatment of a value for `_id` that is no object id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// The criteria are refused, and so is any other operator than equality.
    Refused,
    /// No document has it.
    Unmatched,
}

/// The criteria with `id` renamed where it means `_id`, and with every text that stands for an object id in the form
/// that object ids have in documents, at any depth.
///
/// # Errors
/// 400 naming `filters`, where `otherwise` says so.
pub(super) fn prepared(
    criteria: &Criteria,
    identity: Identity,
    otherwise: Otherwise,
) -> Result<Criteria, PulpError> {
    let mut criteria = criteria.clone();
    if identity == Identity::Object {
        rename_sort(
            criteria.sort.as_deref_mut().unwrap_or_default(),
            "id",
            "_id",
        );
    }
    if let Some(filter) = &mut criteria.filter {
        filter.change_conditions(&mut |path, test| {
            if identity == Identity::Object && path.len() == 1 && path[0] == "id" {
                "_id".clone_into(&mut path[0]);
            }
            if path.len() == 1 && path[0] == "_id" {
                object_ids(test, otherwise)
            } else {
                Ok(())
            }
        })?;
    }
    Ok(criteria)
}

fn object_ids(test: &mut Test, otherwise: Otherwise) -> Result<(), PulpError> {
    let refused = || PulpError::invalid_value(&["filters"]);
    let strict = otherwise == Otherwise::Refused;
    let mut convert = |value: &mut Value| match value {
        Value::String(text) => match text.parse::<ObjectId>() {
            Ok(id) => {
                *value = id.to_json();
                Ok(())
            }
            Err(_) if strict => Err(refused()),
            Err(_) => Ok(()),
        },
        Value::Null => Ok(()),
        Value::Object(map) if map.contains_key("$oid") => Ok(()),
        _ if strict => Err(refused()),
        _ => Ok(()),
    };
    let other = || if strict { Err(refused()) } else { Ok(()) };
    test.change_values(&mut convert, &other)
}

/// Sorts by `to` where `from` was asked for.
pub(super) fn rename_sort(keys: &mut [SortKey], from: &str, to: &str) {
    for key in keys.iter_mut().filter(|key| key.field == from) {
        to.clone_into(&mut key.field);
    }
}

/// Looks at `to` where the filter looks at `from` or below it.
pub(super) fn rename_conditions(filter: &mut Filter, from: &str, to: &str) {
    let renamed: Result<(), std::convert::Infallible> = filter.change_conditions(&mut |path, _| {
        if path[0] == from {
            to.clone_into(&mut path[0]);
        }
        Ok(())
    });
    match renamed {
        Ok(()) => {}
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use pith_core::Document;
    use serde_json::json;

    use super::*;

    const HEX: &str = "5638e2f7a21e1a0d9c8a7b11";

    fn finds(identity: Identity, otherwise: Otherwise, filters: &Value) -> Result<bool, PulpError> {
        let criteria = Criteria::parse(&json!({ "filters": filters })).unwrap();
        let criteria = prepared(&criteria, identity, otherwise)?;
        let document: Document =
            serde_json::from_value(json!({"_id": {"$oid": HEX}, "name": "n"})).unwrap();
        Ok(criteria.filter.unwrap().matches(&document))
    }

    #[test]
    fn an_object_id_is_found_by_its_text_at_any_depth() {
        for name in ["_id", "id"] {
            for (filters, found) in [
                (json!({name: HEX}), true),
                (json!({name: HEX.to_uppercase()}), true),
                (json!({name: {"$in": [HEX]}}), true),
                (json!({name: {"$nin": [HEX]}}), false),
                (json!({name: {"$not": {"$in": [HEX]}}}), false),
                (
                    json!({"$and": [{"name": "n"}, {"$or": [{name: {"$eq": HEX}}, {"name": "x"}]}]}),
                    true,
                ),
                (json!({"$nor": [{name: HEX}]}), false),
                (json!({name: {"$oid": HEX}}), true),
                (json!({name: null}), false),
                (json!({name: {"$exists": true}}), true),
            ] {
                let answer = finds(Identity::Object, Otherwise::Refused, &filters);
                assert_eq!(answer.unwrap(), found, "{filters}");
            }
        }
    }

    #[test]
    fn a_document_with_an_id_of_its_own_keeps_it() {
        let named = |filters: Value| finds(Identity::Named, Otherwise::Refused, &filters).unwrap();
        assert!(!named(json!({"id": HEX})));
        assert!(named(json!({"$or": [{"_id": HEX}]})));
    }

    #[test]
    fn what_is_no_object_id_is_refused_or_found_nowhere() {
        for bad in [
            json!({"_id": "xyz"}),
            json!({"_id": 5}),
            json!({"$and": [{"_id": {"$gt": HEX}}]}),
            json!({"$or": [{"_id": {"$not": {"$in": ["x"]}}}, {"name": "n"}]}),
            json!({"_id": {"$regex": "^5"}}),
        ] {
            let refused = finds(Identity::Object, Otherwise::Refused, &bad).unwrap_err();
            assert_eq!(refused.extra["property_names"], json!(["filters"]), "{bad}");
        }
        let mixed = json!({"_id": {"$not": {"$gt": "x", "$in": [HEX]}}});
        assert!(finds(Identity::Object, Otherwise::Unmatched, &mixed).unwrap());
        let mixed = json!({"_id": {"$not": {"$exists": true, "$in": [HEX]}}});
        assert!(!finds(Identity::Object, Otherwise::Unmatched, &mixed).unwrap());
        for nowhere in [json!({"_id": "xyz"}), json!({"_id": {"$regex": "^5"}})] {
            assert!(!finds(Identity::Object, Otherwise::Unmatched, &nowhere).unwrap());
        }
    }

    #[test]
    fn a_sort_by_id_sorts_by_the_object_id_when_there_is_no_other() {
        let criteria = Criteria::parse(&json!({"sort": [["id", "descending"]]})).unwrap();
        let field = |identity| {
            let criteria = prepared(&criteria, identity, Otherwise::Refused).unwrap();
            criteria.sort.unwrap()[0].field.clone()
        };
        assert_eq!(field(Identity::Object), "_id");
        assert_eq!(field(Identity::Named), "id");
    }
}
