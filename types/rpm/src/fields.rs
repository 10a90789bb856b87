//! The fields that units of each type can have on the wire, beside those that every unit has (pulp2/rpm-units).

/// The fields of a package.
pub(crate) const PACKAGE: &[&str] = &[
    "name",
    "epoch",
    "version",
    "release",
    "arch",
    "checksumtype",
    "checksum",
    "checksums",
    "signing_key",
    "version_sort_index",
    "release_sort_index",
    "build_time",
    "time",
    "buildhost",
    "vendor",
    "license",
    "group",
    "sourcerpm",
    "summary",
    "description",
    "url",
    "size",
    "base_url",
    "filename",
    "relativepath",
    "relative_url_path",
    "header_range",
    "provides",
    "requires",
    "recommends",
    "files",
    "changelog",
    "repodata",
    "is_modular",
];

/// The fields of a source package: `is_modular`, the last one, is for binary packages only.
pub(crate) const SOURCE_PACKAGE: &[&str] = PACKAGE.split_at(PACKAGE.len() - 1).0;
/// The fields of a document of modules.yaml that is only passed on.
pub(crate) const MODULE_DOCUMENT: &[&str] = &[
    "document", "name", "stream", "repo_id", "checksum", "origin",
];
/// The fields of a delta package.
pub(crate) const DELTA: &[&str] = &[
    "epoch",
    "version",
    "release",
    "filename",
    "checksumtype",
    "checksum",
    "checksums",
    "signing_key",
    "sequence",
    "new_package",
    "arch",
    "size",
    "oldepoch",
    "oldversion",
    "oldrelease",
    "version_sort_index",
    "release_sort_index",
];
/// The fields of an advisory.
pub(crate) const ADVISORY: &[&str] = &[
    "id",
    "title",
    "description",
    "summary",
    "solution",
    "rights",
    "severity",
    "status",
    "type",
    "release",
    "version",
    "pushcount",
    "issued",
    "updated",
    "from",
    "references",
    "reboot_suggested",
    "relogin_suggested",
    "restart_suggested",
    "pkglist",
];
/// The fields of a package group.
pub(crate) const GROUP: &[&str] = &[
    "id",
    "repo_id",
    "name",
    "description",
    "default",
    "user_visible",
    "display_order",
    "langonly",
    "mandatory_package_names",
    "default_package_names",
    "optional_package_names",
    "conditional_package_names",
    "translated_name",
    "translated_description",
];
/// The fields of a category of groups.
pub(crate) const CATEGORY: &[&str] = &[
    "id",
    "repo_id",
    "name",
    "description",
    "display_order",
    "packagegroupids",
    "translated_name",
    "translated_description",
];
/// The fields of an environment.
pub(crate) const ENVIRONMENT: &[&str] = &[
    "id",
    "repo_id",
    "name",
    "description",
    "display_order",
    "group_ids",
    "options",
    "translated_name",
    "translated_description",
];
/// The fields of language packs.
pub(crate) const LANGPACKS: &[&str] = &["repo_id", "matches"];
/// The fields of a kickstart tree.
pub(crate) const DISTRIBUTION: &[&str] = &[
    "id",
    "family",
    "variant",
    "version",
    "arch",
    "files",
    "timestamp",
    "packagedir",
    "version_sort_index",
];
/// The fields of a metadata file that nobody understands.
pub(crate) const METADATA_FILE: &[&str] = &["data_type", "repo_id", "checksum", "checksum_type"];
/// The fields of a module stream.
pub(crate) const MODULE: &[&str] = &[
    "name",
    "stream",
    "version",
    "context",
    "arch",
    "summary",
    "description",
    "profiles",
    "artifacts",
    "dependencies",
    "checksum",
];
/// The fields of defaults of a module.
pub(crate) const MODULE_DEFAULTS: &[&str] = &["name", "repo_id", "stream", "profiles", "checksum"];

#[cfg(test)]
mod tests {
    use crate::types::UNIT_TYPES;

    #[test]
    fn every_type_knows_its_key_and_what_is_indexed() {
        for kind in UNIT_TYPES {
            let known = kind.known.unwrap();
            for name in kind
                .key
                .iter()
                .map(|key| key.name)
                .chain(kind.indexed.iter().copied())
            {
                assert!(known.contains(&name), "{} lacks {name}", kind.id);
            }
            for presented in kind.presented {
                let name = presented.field;
                assert!(known.contains(&name), "{} lacks {name}", kind.id);
            }
        }
    }
}
