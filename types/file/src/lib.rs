//! Plain files under a `PULP_MANIFEST`: Pulp's `iso` type (pulp2/iso).
//!
//! The smallest content type, and so the one to read first: descriptors here, the manifest in [`metadata`], one file
//! for each operation.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
pub mod metadata;
mod mismatch;
mod names;
mod progress;
mod publish;
mod rsync;
mod sync;
mod upload;
mod words;

use std::sync::Arc;

use pith_content::descriptor::{
    KeyField, PluginDescriptor, Setting, SettingKind, StorageName, UnitType,
};
use pith_content::settings::{DOWNLOAD_POLICY, FORCE_FULL, NETWORK, REMOVE_MISSING, readers};
use pith_content::{ContentType, Distributor, Importer, Root, Words};

pub use publish::IsoDistributor;
pub use sync::IsoImporter;

/// The unit type.
pub const ISO: UnitType = UnitType {
    id: "iso",
    display_name: "ISO",
    description: "ISO",
    key: &[
        KeyField::same("name"),
        KeyField::same("checksum"),
        KeyField::same("size"),
    ],
    search_indexes: r#"["-_last_updated", "downloaded"]"#,
    indexed: &["name", "checksum"],
    file_backed: true,
    storage_name: StorageName::LastSegment("name"),
    known: Some(&["name", "checksum", "size"]),
    ..UnitType::PLAIN
};

static IMPORTER: PluginDescriptor = PluginDescriptor {
    id: "iso_importer",
    display_name: "ISO Importer",
    types: &["iso"],
    platform: &[NETWORK],
    own: &[
        Setting::new(
            "feed",
            SettingKind::Text,
            "URL of the folder that holds PULP_MANIFEST (http, https or file)",
        ),
        REMOVE_MISSING,
        Setting::without_effect(
            "validate",
            SettingKind::Bool,
            "no effect: size and digest are always checked",
        ),
        DOWNLOAD_POLICY,
    ],
};

static DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "iso_distributor",
    display_name: "ISO Distributor",
    types: &["iso"],
    platform: &[],
    own: &[
        Setting::new(
            "serve_http",
            SettingKind::Bool,
            "serve over plain HTTP (default false)",
        ),
        Setting::new(
            "serve_https",
            SettingKind::Bool,
            "serve over HTTPS (default true)",
        ),
        Setting::new(
            "relative_url",
            SettingKind::Text,
            "path below /pulp/isos/ (default: the repository's id)",
        ),
        FORCE_FULL,
        readers("ssl_auth_ca_cert"),
    ],
};

static ROOT: Root = Root::at("pulp/isos");

/// The family of plain files.
#[derive(Debug, Default, Clone, Copy)]
pub struct File;

impl ContentType for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        const { &[ISO] }
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        vec![Arc::new(IsoImporter)]
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        vec![Arc::new(IsoDistributor), Arc::new(rsync::DISTRIBUTOR)]
    }

    fn roots(&self) -> &'static [Root] {
        std::slice::from_ref(&ROOT)
    }

    fn words(&self) -> Option<&'static Words> {
        Some(&words::WORDS)
    }
}
