//! Descriptors: what the rpm family says of itself (pulp2/rpm-units).

use pith_content::descriptor::{Inspected, KeyField, Presented, StorageName, UnitType};

use crate::fields;
use crate::learned::{CHECKSUMS, SIGNING_KEY, UNSAID};
use crate::metadata::header::DEFAULT_HEAD;
use crate::modular;
use crate::parts::{FILELISTS, OTHER, PKGLIST, PRIMARY};
use crate::rules::{AdvisoryRules, FileRules, PackageRules};
use crate::type_ids::{
    CATEGORY, DISTRIBUTION, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, METADATA_FILE,
    MODULE_DOCUMENT, MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM,
};

const NEVRA_KEY: &[KeyField] = &[
    KeyField::same("name"),
    KeyField::same("epoch"),
    KeyField::same("version"),
    KeyField::same("release"),
    KeyField::same("arch"),
    KeyField::same("checksumtype"),
    KeyField::same("checksum"),
];

const fn by_repo(stored: &'static str) -> [KeyField; 2] {
    [KeyField { name: "id", stored }, KeyField::same("repo_id")]
}

const GROUP_KEY: [KeyField; 2] = by_repo("package_group_id");
const CATEGORY_KEY: [KeyField; 2] = by_repo("package_category_id");
const ENVIRONMENT_KEY: [KeyField; 2] = by_repo("package_environment_id");

/// The start for what is a file of the rpm format, or a part of one.
const PACKAGE_FILE: UnitType = UnitType {
    file_backed: true,
    storage_name: StorageName::Field("filename"),
    in_results: &[SIGNING_KEY],
    learned: &[CHECKSUMS, SIGNING_KEY],
    unsaid: UNSAID,
    inspected: Inspected::Head(DEFAULT_HEAD),
    rules: &FileRules,
    ..UnitType::PLAIN
};

/// The start for packages.
const PACKAGE: UnitType = UnitType {
    key: NEVRA_KEY,
    search_indexes: r#"["-_last_updated", "downloaded"]"#,
    indexed: &["name", "filename", "checksum"],
    presented: &[
        Presented {
            field: "repodata",
            parts: &[PRIMARY, FILELISTS, OTHER],
        },
        Presented {
            field: "files",
            parts: &[FILELISTS],
        },
        Presented {
            field: "changelog",
            parts: &[OTHER],
        },
    ],
    rules: &PackageRules,
    ..PACKAGE_FILE
};

/// The unit types of the family.
pub static UNIT_TYPES: &[UnitType] = &[
    UnitType {
        id: RPM,
        display_name: "RPM",
        description: "RPM",
        referenced_types: &[ERRATUM],
        known: Some(fields::PACKAGE),
        listed: Some(&modular::LISTED),
        ..PACKAGE
    },
    UnitType {
        id: SRPM,
        display_name: "SRPM",
        description: "SRPM",
        known: Some(fields::SOURCE_PACKAGE),
        ..PACKAGE
    },
    UnitType {
        id: DRPM,
        display_name: "DRPM",
        description: "DRPM",
        key: &[
            KeyField::same("epoch"),
            KeyField::same("version"),
            KeyField::same("release"),
            KeyField::same("filename"),
            KeyField::same("checksumtype"),
            KeyField::same("checksum"),
        ],
        search_indexes: r#"["-_last_updated", "downloaded", "epoch", "version", "release", "filename", "checksum"]"#,
        indexed: &["filename"],
        known: Some(fields::DELTA),
        ..PACKAGE_FILE
    },
    UnitType {
        id: DISTRIBUTION,
        display_name: "Distribution",
        description: "Kickstart trees and all accompanying files",
        key: &[
            KeyField {
                name: "id",
                stored: "distribution_id",
            },
            KeyField::same("family"),
            KeyField::same("variant"),
            KeyField::same("version"),
            KeyField::same("arch"),
        ],
        search_indexes: r#"["-_last_updated", "downloaded", "distribution_id", "family", "variant", "version", "arch"]"#,
        file_backed: true,
        known: Some(fields::DISTRIBUTION),
        ..UnitType::PLAIN
    },
    UnitType {
        id: ERRATUM,
        display_name: "Erratum",
        description: "Erratum advisory information",
        key: &[KeyField {
            name: "id",
            stored: "errata_id",
        }],
        referenced_types: &[RPM],
        search_indexes: r#"["-_last_updated", "version", "release", "type", "status", "updated", "issued", "severity", "references"]"#,
        indexed: &["id", "updated"],
        known: Some(fields::ADVISORY),
        presented: &[Presented {
            field: "pkglist",
            parts: &[PKGLIST],
        }],
        rules: &AdvisoryRules,
        ..UnitType::PLAIN
    },
    UnitType {
        id: GROUP,
        display_name: "Package Group",
        description: "Yum Package group information",
        key: &GROUP_KEY,
        search_indexes: r#"["-_last_updated", "package_group_id", "repo_id", "name", "mandatory_package_names", "conditional_package_names", "optional_package_names", "default_package_names"]"#,
        indexed: &["id"],
        known: Some(fields::GROUP),
        ..UnitType::PLAIN
    },
    UnitType {
        id: CATEGORY,
        display_name: "Package Category",
        description: "Yum Package category information",
        key: &CATEGORY_KEY,
        search_indexes: r#"["-_last_updated", "package_category_id", "repo_id", "name", "packagegroupids"]"#,
        indexed: &["id"],
        known: Some(fields::CATEGORY),
        ..UnitType::PLAIN
    },
    UnitType {
        id: ENVIRONMENT,
        display_name: "Package Environment",
        description: "Yum Package environment information",
        key: &ENVIRONMENT_KEY,
        search_indexes: r#"["-_last_updated", "package_environment_id", "repo_id", "name", "group_ids"]"#,
        indexed: &["id"],
        known: Some(fields::ENVIRONMENT),
        ..UnitType::PLAIN
    },
    UnitType {
        id: LANGPACKS,
        display_name: "package_langpacks",
        description: "",
        key: &[KeyField::same("repo_id")],
        search_indexes: r#"["-_last_updated"]"#,
        known: Some(fields::LANGPACKS),
        ..UnitType::PLAIN
    },
    UnitType {
        id: MODULEMD,
        display_name: "Modulemd",
        description: "Modulemd",
        key: &[
            KeyField::same("name"),
            KeyField::same("stream"),
            KeyField::same("version"),
            KeyField::same("context"),
            KeyField::same("arch"),
        ],
        search_indexes: r#"["-_last_updated", "downloaded", "artifacts"]"#,
        indexed: &["name"],
        file_backed: true,
        known: Some(fields::MODULE),
        ..UnitType::PLAIN
    },
    UnitType {
        id: MODULEMD_DEFAULTS,
        display_name: "ModulemdDefaults",
        description: "ModulemdDefaults",
        key: &[KeyField::same("name"), KeyField::same("repo_id")],
        search_indexes: r#"["-_last_updated", "downloaded", "repo_id"]"#,
        indexed: &["name"],
        file_backed: true,
        known: Some(fields::MODULE_DEFAULTS),
        ..UnitType::PLAIN
    },
    UnitType {
        id: MODULE_DOCUMENT,
        display_name: "Module Document",
        description: "Documents of modules.yaml that are passed on as they are",
        key: &[KeyField::same("checksum"), KeyField::same("repo_id")],
        search_indexes: r#"["-_last_updated"]"#,
        known: Some(fields::MODULE_DOCUMENT),
        shown: false,
        ..UnitType::PLAIN
    },
    UnitType {
        id: METADATA_FILE,
        display_name: "YUM Repository Metadata File",
        description: "YUM Repository Metadata File",
        key: &[KeyField::same("data_type"), KeyField::same("repo_id")],
        search_indexes: r#"["-_last_updated", "downloaded", "data_type"]"#,
        file_backed: true,
        known: Some(fields::METADATA_FILE),
        always_downloaded: true,
        storage_name: StorageName::Field("filename"),
        ..UnitType::PLAIN
    },
];

/// The unit type called `id`.
#[must_use]
pub fn unit_type(id: &str) -> Option<&'static UnitType> {
    UNIT_TYPES.iter().find(|t| t.id == id)
}
