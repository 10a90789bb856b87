//! Descriptors: what types, importers and distributors say of themselves, as data. `/v2/plugins/*`, the masking of
//! secrets and the reference page of the settings come from here.

use serde_json::Value;

/// A kind of content unit.
#[derive(Debug, Clone)]
pub struct UnitType {
    /// `rpm`, `iso`, …
    pub id: &'static str,
    /// The name for people.
    pub display_name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The fields that make a unit unique, in the order of the wire.
    pub key: &'static [KeyField],
    /// Types that units of this one refer to.
    pub referenced_types: &'static [&'static str],
    /// `search_indexes` as `/v2/plugins/types/` shows it, as JSON text.
    pub search_indexes: &'static str,
    /// Fields with an index of their own in pith's database: those that people look units up by.
    pub indexed: &'static [&'static str],
    /// Is true when a unit has a file, and so `downloaded` and `_storage_path`.
    pub file_backed: bool,
}

/// A field of a unit key.
#[derive(Debug, Clone, Copy)]
pub struct KeyField {
    /// The name on the wire, such as `id`.
    pub name: &'static str,
    /// Pulp's internal name, such as `errata_id`: it goes into the digest that names the unit's folder, and it is
    /// what `/v2/plugins/types/` shows.
    pub stored: &'static str,
}

impl KeyField {
    /// A field whose two names are the same.
    #[must_use]
    pub const fn same(name: &'static str) -> Self {
        Self { name, stored: name }
    }
}

impl UnitType {
    /// The `search_indexes` of `/v2/plugins/types/`.
    #[must_use]
    pub fn search_indexes(&self) -> Value {
        serde_json::from_str(self.search_indexes).unwrap_or_else(|_| Value::Array(Vec::new()))
    }
}

/// The description of an importer or a distributor.
#[derive(Debug, Clone)]
pub struct PluginDescriptor {
    /// `yum_importer`, …
    pub id: &'static str,
    /// The name for people.
    pub display_name: &'static str,
    /// The unit types it takes, in the order of the wire.
    pub types: &'static [&'static str],
    /// Its settings.
    pub settings: &'static [Setting],
}

/// One setting of an importer or a distributor.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key in the configuration.
    pub name: &'static str,
    /// The values that it takes.
    pub kind: SettingKind,
    /// One line of help.
    pub help: &'static str,
    /// Is true when its value must not be shown.
    pub secret: bool,
    /// Is true when it changes anything. One that does not is taken because clients send it, and its help says so.
    pub works: bool,
}

/// Servers that get an importer's secrets besides the feed's own.
pub const AUTH_SITES: Setting = Setting::new(
    "auth_sites",
    SettingKind::List,
    "sites (scheme, host and port) that get user, password, token and client certificate besides the feed's own, such as its \
     mirrors",
);

impl Setting {
    /// A setting that is not secret.
    #[must_use]
    pub const fn new(name: &'static str, kind: SettingKind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            secret: false,
            works: true,
        }
    }

    /// A setting that is taken and changes nothing. Its help starts with `no effect`.
    #[must_use]
    pub const fn without_effect(name: &'static str, kind: SettingKind, help: &'static str) -> Self {
        Self {
            works: false,
            ..Self::new(name, kind, help)
        }
    }

    /// A setting whose value is shown as `*****`.
    #[must_use]
    pub const fn secret(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            kind: SettingKind::Text,
            help,
            secret: true,
            works: true,
        }
    }
}

/// The kind of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Free text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// PEM text.
    Pem,
    /// A list of texts.
    List,
    /// One of these texts.
    Choice(&'static [&'static str]),
}
