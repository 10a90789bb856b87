//! The names of fields that a search of units gives: those that the units have, and other names that stand for them.

use pith_content::UnitType;
use pith_engine::Error;

use super::collections::unknown_field;
use super::prepare;
use super::units::{Search, root};

impl Search {
    /// Refuses names in `sort.unit` and `fields.unit` that a searched type does not have.
    pub(super) fn check_fields(&self) -> Result<(), Error> {
        let sorted = self.unit_sort.iter().map(|key| key.field.as_str());
        let fields = self.unit_fields.iter().flatten().map(String::as_str);
        let asked: Vec<&str> = fields.chain(sorted).map(root).collect();
        for type_id in &self.type_ids {
            let Some(known) = self
                .engine
                .registry
                .unit_type(type_id)
                .and_then(|kind| kind.known)
            else {
                continue;
            };
            let platform = [
                "_id",
                "_content_type_id",
                "_ns",
                "_last_updated",
                "_storage_path",
                "downloaded",
                "pulp_user_metadata",
            ];
            for name in &asked {
                if !known.contains(name) && !platform.contains(name) {
                    return Err(unknown_field(name, &format!("units_{type_id}")).into());
                }
            }
        }
        Ok(())
    }

    /// Looks at the names on the wire where the stored ones were given, and at `_id` where `id` was given and the units
    /// have no field of that name.
    pub(super) fn with_wire_names(mut self) -> Self {
        let renamed: Vec<String> = self
            .unit_sort
            .iter()
            .map(|key| self.on_the_wire(&key.field).to_owned())
            .collect();
        for (key, field) in self.unit_sort.iter_mut().zip(renamed) {
            key.field = field;
        }
        // With several types a stored name belongs to one of them only, and its name on the wire to others too.
        let kind = (self.type_ids.len() == 1).then(|| self.kinds().next());
        let stored: Vec<_> = kind.flatten().map_or(&[][..], |kind| kind.key).to_vec();
        if let Some(filter) = &mut self.unit {
            for key in stored.iter().filter(|key| key.stored != key.name) {
                prepare::rename_conditions(filter, key.stored, key.name);
            }
        }
        let has_id = |kind: &UnitType| kind.key.iter().any(|key| key.name == "id");
        let nobody = !self.kinds().any(has_id);
        if !self.type_ids.is_empty() && nobody {
            prepare::rename_sort(&mut self.unit_sort, "id", "_id");
            if let Some(filter) = &mut self.unit {
                prepare::rename_conditions(filter, "id", "_id");
            }
            for field in self.unit_fields.iter_mut().flatten() {
                if field == "id" {
                    "_id".clone_into(field);
                }
            }
        }
        self
    }
}
