//! Descriptors: what the rpm family says of itself (pulp2/rpm-units).

use pith_content::descriptor::{
    Inspected, KeyField, PluginDescriptor, Presented, Setting, SettingKind, StorageName, UnitType,
};
use pith_content::settings::NETWORK;

use crate::fields;
use crate::learned::{CHECKSUMS, SIGNING_KEY, UNSAID};
use crate::metadata::header::DEFAULT_HEAD;
use crate::modular;
use crate::rules::{AdvisoryRules, FileRules, PackageRules};
use crate::units::{FILELISTS, OTHER, PKGLIST, PRIMARY};

const NEVRA_KEY: &[KeyField] = &[
    KeyField::same("name"),
    KeyField::same("epoch"),
    KeyField::same("version"),
    KeyField::same("release"),
    KeyField::same("arch"),
    KeyField::same("checksumtype"),
    KeyField::same("checksum"),
];

/// A package.
pub const RPM: &str = "rpm";
/// A source package.
pub const SRPM: &str = "srpm";
/// A delta package.
pub const DRPM: &str = "drpm";
/// A kickstart tree.
pub const DISTRIBUTION: &str = "distribution";
/// An advisory.
pub const ERRATUM: &str = "erratum";
/// A package group.
pub const GROUP: &str = "package_group";
/// A category of groups.
pub const CATEGORY: &str = "package_category";
/// An environment.
pub const ENVIRONMENT: &str = "package_environment";
/// Language packs.
pub const LANGPACKS: &str = "package_langpacks";
/// A module stream.
pub const MODULEMD: &str = "modulemd";
/// Defaults of a module.
pub const MODULEMD_DEFAULTS: &str = "modulemd_defaults";
/// A document of modules.yaml that is only passed on: pith's own type, which clients are shown only when they ask for it by
/// name (`docs/decisions`).
pub const MODULE_DOCUMENT: &str = "module_document";
/// A metadata file that nobody understands.
pub const METADATA_FILE: &str = "yum_repo_metadata_file";

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

/// The importer.
pub static YUM_IMPORTER: PluginDescriptor = PluginDescriptor {
    id: "yum_importer",
    display_name: "Yum Importer",
    types: &[
        DISTRIBUTION,
        DRPM,
        ERRATUM,
        GROUP,
        CATEGORY,
        RPM,
        SRPM,
        METADATA_FILE,
        ENVIRONMENT,
        LANGPACKS,
        MODULEMD,
        MODULEMD_DEFAULTS,
        MODULE_DOCUMENT,
    ],
    platform: &[NETWORK],
    own: IMPORTER_SETTINGS,
};

/// The distributor.
pub static YUM_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "yum_distributor",
    display_name: "Yum Distributor",
    types: &[
        RPM,
        SRPM,
        DRPM,
        ERRATUM,
        GROUP,
        CATEGORY,
        DISTRIBUTION,
        METADATA_FILE,
    ],
    platform: &[],
    own: DISTRIBUTOR_SETTINGS,
};

/// The types that exports say they take.
const EXPORTED: &[&str] = &[RPM, SRPM, DRPM, ERRATUM, DISTRIBUTION, CATEGORY, GROUP];

/// The export distributor.
pub static EXPORT_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "export_distributor",
    display_name: "Export Distributor",
    types: EXPORTED,
    platform: &[],
    own: EXPORT_SETTINGS,
};

/// Katello's clone distributor.
pub static YUM_CLONE_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "yum_clone_distributor",
    display_name: "Yum Clone Distributor",
    types: EXPORTED,
    platform: &[],
    own: CLONE_SETTINGS,
};

use SettingKind::{Bool, Choice, Integer, List, Number, Pem, Text};

/// The setting for what happens when packages cannot be downloaded or do not verify: pith's own setting.
pub const ON_DOWNLOAD_FAILURE: &str = "on_download_failure";

const IMPORTER_SETTINGS: &[Setting] = &[
    Setting::new(
        "feed",
        Text,
        "URL of the repository, or of a list of its mirrors",
    ),
    Setting::new(
        "validate",
        Bool,
        "work out every digest of downloaded packages (default false); size and checksum are always verified",
    ),
    Setting::new(
        "type_skip_list",
        List,
        "types left out: rpm, srpm, drpm, distribution, erratum",
    ),
    Setting::new(
        "remove_missing",
        Bool,
        "remove units that the feed does not have any more (default false)",
    ),
    Setting::new(
        "retain_old_count",
        Integer,
        "old versions kept beside the newest of each package (default all)",
    ),
    Setting::new(
        "download_policy",
        Choice(&["immediate", "background", "on_demand"]),
        "when packages are downloaded (default immediate)",
    ),
    Setting::new(
        ON_DOWNLOAD_FAILURE,
        Choice(&["fail", "continue"]),
        "when packages cannot be downloaded or do not verify: fail the sync and leave the repository as it was \
         (default), or continue without them",
    ),
    Setting::new(
        "require_signature",
        Bool,
        "leave out unsigned packages (default false)",
    ),
    Setting::new(
        "allowed_keys",
        List,
        "leave out packages signed by other keys than these 8-digit ids",
    ),
    Setting::secret(
        "query_auth_token",
        "query string sent with every request to the feed",
    ),
    Setting::new(
        "force_full",
        Bool,
        "sync even when the feed has not changed (default false)",
    ),
];

const DISTRIBUTOR_SETTINGS: &[Setting] = &[
    Setting::new(
        "relative_url",
        Text,
        "where the repository is served, below /pulp/repos/ (default: the repository id)",
    ),
    Setting::new("http", Bool, "serve over plain HTTP"),
    Setting::new("https", Bool, "serve over HTTPS"),
    Setting::without_effect(
        "gpgkey",
        Text,
        "no effect yet: public key for consumers, which cannot be registered yet",
    ),
    Setting::new(
        "auth_ca",
        Pem,
        "CA of the client certificates that may read the repository, with revocation lists where there are any",
    ),
    Setting::without_effect(
        "auth_cert",
        Pem,
        "no effect yet: entitlement certificate for consumers, which cannot be registered yet; auth_ca alone guards",
    ),
    Setting::without_effect(
        "https_ca",
        Pem,
        "no effect yet: CA of the server's certificate for consumers, which cannot be registered yet",
    ),
    Setting::new(
        "checksum_type",
        Choice(&["sha256", "sha", "sha1", "md5", "sha512"]),
        "algorithm of the metadata (default: that of the feed, else sha256)",
    ),
    Setting::new(
        "updateinfo_checksum_type",
        Text,
        "algorithm of package checksums in updateinfo",
    ),
    Setting::without_effect(
        "http_publish_dir",
        Text,
        "no effect: a publication is no folder; an existing folder, as in Pulp",
    ),
    Setting::without_effect(
        "https_publish_dir",
        Text,
        "no effect: a publication is no folder; an existing folder, as in Pulp",
    ),
    Setting::without_effect(
        "protected",
        Bool,
        "no effect, in Pulp neither: auth_ca guards",
    ),
    Setting::without_effect(
        "skip",
        List,
        "no effect, in Pulp neither; the importer has type_skip_list",
    ),
    Setting::without_effect("skip_pkg_tags", Bool, "no effect, in Pulp neither"),
    Setting::without_effect(
        "generate_sqlite",
        Bool,
        "no effect: no client needs SQLite files any more",
    ),
    Setting::without_effect("repoview", Bool, "no effect: no pages to browse are made"),
    Setting::new(
        "force_full",
        Bool,
        "publish even when nothing changed (default false)",
    ),
    Setting::new(
        "gpg_sign_metadata",
        Bool,
        "sign repomd.xml: not there yet, so that a publish with true fails",
    ),
    Setting::without_effect(
        "gpg_key_id",
        Text,
        "no effect yet: key that signs repomd.xml",
    ),
    Setting::new(
        "remove_old_repodata",
        Bool,
        "let go of metadata that was replaced (default true)",
    ),
    Setting::new(
        "remove_old_repodata_threshold",
        Number,
        "seconds that replaced metadata is kept for clients in mid-run (default 14 days)",
    ),
];

const EXPORT_SETTINGS: &[Setting] = &[
    Setting::new("http", Bool, "serve the images over plain HTTP"),
    Setting::new("https", Bool, "serve the images over HTTPS"),
    Setting::new(
        "relative_url",
        Text,
        "where the export is, below /pulp/exports/repos/ or the export folder (default: the repository id)",
    ),
    Setting::new(
        "export_dir",
        Text,
        "folder of the server that the export is written to, instead of images; the server must allow it (--allow-exports-to)",
    ),
    Setting::new(
        "start_date",
        Text,
        "only packages and advisories that came into the repository at this time or later, such as 2014-01-02T03:04:05Z",
    ),
    Setting::new(
        "end_date",
        Text,
        "only packages and advisories that came into the repository at this time or before",
    ),
    Setting::new(
        "incremental_export_repomd",
        Bool,
        "make a repository of what start_date and end_date leave, instead of files with a document each (default false)",
    ),
    Setting::new(
        "iso_prefix",
        Text,
        "beginning of the names of the images (default: the id of the repository or group)",
    ),
    Setting::new("iso_size", Integer, "MiB of an image (default 4380)"),
    Setting::new(
        "manifest",
        Bool,
        "write a PULP_MANIFEST beside the images (default false)",
    ),
    Setting::new(
        "checksum_type",
        Choice(&["sha256", "sha", "sha1", "md5", "sha512"]),
        "digests in the repository's metadata (default that of the feed, else sha256)",
    ),
    Setting::new(
        "updateinfo_checksum_type",
        Text,
        "digests in updateinfo.xml (default checksum_type)",
    ),
    Setting::new(
        "force_full",
        Bool,
        "write images again though nothing has changed (default false)",
    ),
    Setting::without_effect(
        "generate_sqlite",
        Bool,
        "no effect yet: write SQLite documents",
    ),
    Setting::without_effect("skip", List, "no effect, as in Pulp"),
];

const CLONE_SETTINGS: &[Setting] = &[
    Setting::new(
        "source_repo_id",
        Text,
        "repository whose publication is taken; only super-users name another one",
    ),
    Setting::new(
        "source_distributor_id",
        Text,
        "distributor of that repository that has published",
    ),
    Setting::new(
        "destination_distributor_id",
        Text,
        "distributor of this repository that serves it, at the path of its own settings",
    ),
];
