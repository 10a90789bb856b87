//! THE LIST of content types. A new type is a folder under `types/` and a line here.

use std::sync::Arc;

use pith_content::ContentType;

/// Every content type of this binary.
pub(crate) fn all() -> Vec<Arc<dyn ContentType>> {
    vec![Arc::new(pith_type_file::File), Arc::new(pith_type_rpm::Rpm)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_id_stands_twice() {
        let mut seen = BTreeSet::new();
        for content_type in all() {
            for unit in content_type.unit_types() {
                assert!(
                    seen.insert(format!("unit {}", unit.id)),
                    "{} twice",
                    unit.id
                );
            }
            for importer in content_type.importers() {
                assert!(seen.insert(format!("importer {}", importer.descriptor().id)));
            }
            for distributor in content_type.distributors() {
                assert!(seen.insert(format!("distributor {}", distributor.descriptor().id)));
            }
        }
    }

    #[test]
    fn plugins_take_only_unit_types_that_exist() {
        for content_type in all() {
            let units: Vec<&str> = content_type
                .unit_types()
                .iter()
                .map(|unit| unit.id)
                .collect();
            let importers = content_type.importers();
            let distributors = content_type.distributors();
            let descriptors = importers
                .iter()
                .map(|i| i.descriptor())
                .chain(distributors.iter().map(|d| d.descriptor()));
            for descriptor in descriptors {
                for taken in descriptor.types {
                    assert!(
                        units.contains(taken),
                        "{} takes {taken}, which is no unit type",
                        descriptor.id
                    );
                }
            }
        }
    }
}
