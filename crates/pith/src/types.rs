//! THE LIST of content types. A new type is a folder under `types/` and a line here.

use std::sync::{Arc, LazyLock};

use pith_cli::Families;
use pith_content::ContentType;
use pith_content::words::Family;

/// Every content type of this binary.
pub(crate) fn all() -> Vec<Arc<dyn ContentType>> {
    vec![
        Arc::new(pith_type_file::File),
        Arc::new(pith_type_python::Python),
        Arc::new(pith_type_rpm::Rpm),
    ]
}

/// Their words, for the command line.
pub(crate) fn families() -> &'static Families {
    static FAMILIES: LazyLock<Families> = LazyLock::new(|| {
        let all = all();
        let all = all.iter().filter_map(|one| Family::of(one.as_ref()));
        Families::new(all.collect())
    });
    &FAMILIES
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pith_content::words::SettingOwner;

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
            for id in content_type
                .profilers()
                .iter()
                .flat_map(|it| it.content_types())
            {
                assert!(seen.insert(format!("profile {id}")), "two read {id}");
            }
        }
    }

    #[test]
    fn profilers_name_what_exists() {
        for content_type in all() {
            for profiler in content_type.profilers() {
                assert!(!profiler.content_types().is_empty());
                for id in profiler.unit_types() {
                    let is_own = content_type.unit_types().iter().any(|unit| unit.id == *id);
                    assert!(is_own, "{}: {id} is no unit type", content_type.name());
                }
            }
        }
    }

    #[test]
    fn words_name_what_exists() {
        for content_type in all() {
            let family = Family::of(content_type.as_ref()).unwrap();
            let words = family.words;
            let of = |id: &str| content_type.unit_types().iter().any(|unit| unit.id == id);
            for id in words
                .units
                .iter()
                .map(|unit| unit.id)
                .chain(words.uploads.iter().map(|upload| upload.unit_type))
            {
                assert!(of(id), "{}: {id} is no unit type", words.section);
            }
            assert!(family.importers.iter().any(|one| one.id == words.importer));
            let mut distributors = family.distributors.iter();
            assert!(distributors.any(|one| one.id == words.distributor));
            let options = words.settings.iter().flat_map(|group| group.options);
            for key in options.flat_map(|option| option.keys) {
                let known = key.owner == SettingOwner::Extra || family.setting_of(key).is_some();
                assert!(known, "{}: no setting {}", words.section, key.name);
            }
        }
    }

    #[test]
    fn sections_and_names_of_mirrors_are_different() {
        let mut seen = BTreeSet::new();
        for words in families().iter().map(|family| family.words) {
            let names = words.aliases.iter().chain([&words.section]);
            let mirror = words.mirror.iter().flat_map(|mirror| mirror.names);
            let all = names
                .map(|name| format!("section {name}"))
                .chain(mirror.map(|name| format!("mirror {name}")))
                .chain([format!("order {}", words.order)]);
            for name in all {
                assert!(seen.insert(name.clone()), "{name} twice");
            }
        }
    }

    #[test]
    fn the_reference_page_of_the_command_line_is_current() {
        let page = pith_cli::reference(families());
        pith_testkit::golden::check("docs/reference/cli.md", &page);
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
