//! Plain files under a `PULP_MANIFEST`: Pulp's `iso` type (reference: iso.md).
//!
//! The smallest content type, and so the one to read first: descriptors here, the manifest in [`metadata`], one file
//! for each operation.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod config;
pub mod metadata;
mod progress;
mod publish;
mod sync;
mod upload;
mod words;

use std::sync::Arc;

use pith_content::descriptor::{
    AUTH_SITES, KeyField, PluginDescriptor, Setting, SettingKind, StorageName, UnitType,
};
use pith_content::{ContentType, Distributor, Importer, Words};

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
    settings: &[
        Setting::new(
            "feed",
            SettingKind::Text,
            "URL of the folder that holds PULP_MANIFEST (http, https or file)",
        ),
        Setting::new(
            "max_speed",
            SettingKind::Number,
            "bytes a second of all downloads of a sync together",
        ),
        Setting::new(
            "connect_timeout",
            SettingKind::Number,
            "seconds to wait for a connection",
        ),
        Setting::new(
            "read_timeout",
            SettingKind::Number,
            "seconds to wait for the next bytes",
        ),
        Setting::new(
            "max_downloads",
            SettingKind::Integer,
            "files downloaded at once (default 5)",
        ),
        Setting::new("proxy_host", SettingKind::Text, "URL of the proxy"),
        Setting::new("proxy_port", SettingKind::Integer, "port of the proxy"),
        Setting::new("proxy_username", SettingKind::Text, "user at the proxy"),
        Setting::secret("proxy_password", "password at the proxy"),
        Setting::new("basic_auth_username", SettingKind::Text, "user at the feed"),
        Setting::secret("basic_auth_password", "password at the feed"),
        AUTH_SITES,
        Setting::new(
            "ssl_ca_cert",
            SettingKind::Pem,
            "certificates that the feed's certificate must chain to",
        ),
        Setting::new(
            "ssl_client_cert",
            SettingKind::Pem,
            "certificate shown to the feed",
        ),
        Setting {
            secret: true,
            ..Setting::new(
                "ssl_client_key",
                SettingKind::Pem,
                "key of that certificate",
            )
        },
        Setting::new(
            "ssl_validation",
            SettingKind::Bool,
            "check the feed's certificate (default true)",
        ),
        Setting::new(
            "remove_missing",
            SettingKind::Bool,
            "remove files that left the feed (default false)",
        ),
        Setting::without_effect(
            "validate",
            SettingKind::Bool,
            "no effect: size and digest are always checked",
        ),
        Setting::new(
            "download_policy",
            SettingKind::Choice(&["immediate", "background", "on_demand"]),
            "when files are fetched (default immediate)",
        ),
    ],
};

static DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "iso_distributor",
    display_name: "ISO Distributor",
    types: &["iso"],
    settings: &[
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
        Setting::new(
            "force_full",
            SettingKind::Bool,
            "publish even when nothing changed (default false)",
        ),
        Setting::new(
            "ssl_auth_ca_cert",
            SettingKind::Pem,
            "CA of the client certificates that may read the repository, with revocation lists where there are any",
        ),
    ],
};

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
        vec![Arc::new(IsoDistributor)]
    }

    fn words(&self) -> Option<&'static Words> {
        Some(&words::WORDS)
    }
}
