//! The fields that units of each type can have on the wire, beside those that every unit has (reference: rpm §2).

use crate::types::{
    CATEGORY, DISTRIBUTION, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, METADATA_FILE,
    MODULE_DOCUMENT, MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM,
};

const PACKAGE: &[&str] = &[
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

/// The fields of `type_id`; `None` for a type of somebody else.
#[must_use]
pub fn known(type_id: &str) -> Option<&'static [&'static str]> {
    Some(match type_id {
        RPM => PACKAGE,
        // `is_modular`, the last one, is for binary packages only.
        SRPM => PACKAGE.split_last().map_or(PACKAGE, |(_, fields)| fields),
        MODULE_DOCUMENT => &[
            "document", "name", "stream", "repo_id", "checksum", "origin",
        ],
        DRPM => &[
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
        ],
        ERRATUM => &[
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
        ],
        GROUP => &[
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
        ],
        CATEGORY => &[
            "id",
            "repo_id",
            "name",
            "description",
            "display_order",
            "packagegroupids",
            "translated_name",
            "translated_description",
        ],
        ENVIRONMENT => &[
            "id",
            "repo_id",
            "name",
            "description",
            "display_order",
            "group_ids",
            "options",
            "translated_name",
            "translated_description",
        ],
        LANGPACKS => &["repo_id", "matches"],
        DISTRIBUTION => &[
            "id",
            "family",
            "variant",
            "version",
            "arch",
            "files",
            "timestamp",
            "packagedir",
            "version_sort_index",
        ],
        METADATA_FILE => &["data_type", "repo_id", "checksum", "checksum_type"],
        MODULEMD => &[
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
        ],
        MODULEMD_DEFAULTS => &["name", "repo_id", "stream", "profiles", "checksum"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UNIT_TYPES;

    #[test]
    fn every_type_knows_its_key_and_what_is_indexed() {
        for kind in UNIT_TYPES {
            let known = known(kind.id).unwrap();
            for name in kind
                .key
                .iter()
                .map(|key| key.name)
                .chain(kind.indexed.iter().copied())
            {
                assert!(known.contains(&name), "{} lacks {name}", kind.id);
            }
            for (name, _) in crate::units::presented_fields(kind.id) {
                assert!(known.contains(name), "{} lacks {name}", kind.id);
            }
        }
    }
}
