//! The ids of the family's unit types.

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
