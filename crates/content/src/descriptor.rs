//! Descriptors: what types, importers and distributors say of themselves, as data. `/v2/plugins/*`, the masking of
//! secrets and the reference page of the settings come from here.

use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document};
use serde_json::Value;

use crate::UnitKey;
use crate::publish::ReadSeek;
use crate::rules::{Listed, Plain, UnitRules};

/// A kind of content unit: facts as data, and what must be code in its [`UnitType::rules`].
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
    /// Is true when its files come during the sync whatever the download policy says: files that upstream renames with every
    /// change, so that they could not be had later.
    pub always_downloaded: bool,
    /// Is true when clients are shown its units where they did not ask for them by name: in counts, searches over all types,
    /// results of tasks and lists of types. Units that Pulp did not have must not surprise its clients.
    pub shown: bool,
    /// The name of a unit's file below the unit's folder in `_storage_path`.
    pub storage_name: StorageName,
    /// Large fields that are made of parts beside the document.
    pub presented: &'static [Presented],
    /// Every field that units can have on the wire, so that a search can refuse the others by name. `None` refuses nothing.
    pub known: Option<&'static [&'static str]>,
    /// Fields that results of copies and removals show beside the unit key.
    pub in_results: &'static [&'static str],
    /// Fields that are worked out of a unit's file: a known unit that is handed over again, and otherwise stays as it is, gets
    /// what it lacks of them.
    pub learned: &'static [&'static str],
    /// Further fields that are no part of what is said of a unit, such as where its file was found: two units that differ in
    /// nothing but these and the learned ones are one.
    pub unsaid: &'static [&'static str],
    /// The part of a unit's file that the rules see when it comes.
    pub inspected: Inspected,
    /// Digests besides SHA-256 that are worked out of each file while it comes. A sync may ask for further ones
    /// ([`crate::sync::StageObserver::digests`]).
    pub digests: &'static [Algorithm],
    /// The flag that depends on what else a repository has. In searches of a repository it is shown, filtered and sorted by as
    /// that repository has it.
    pub listed: Option<&'static Listed>,
    /// Behaviour that must be code.
    pub rules: &'static dyn UnitRules,
}

/// The part of a file that the rules of its units see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspected {
    /// A number of leading bytes, in [`UnitRules::learn`].
    Head(usize),
    /// All of it, in [`UnitRules::inspect`].
    Whole,
}

impl Inspected {
    /// The number of leading bytes.
    #[must_use]
    pub fn head(self) -> usize {
        match self {
            Self::Head(bytes) => bytes,
            Self::Whole => 0,
        }
    }
}

/// The name of a unit's file below the unit's folder in `_storage_path`.
#[derive(Debug, Clone, Copy)]
pub enum StorageName {
    /// None: the folder itself is the path.
    Folder,
    /// The text of this field.
    Field(&'static str),
    /// The part behind the last slash in the text of this field.
    LastSegment(&'static str),
}

/// A field that [`UnitRules::present`] makes, with the parts that it is made of: a search that does not ask for the field never
/// reads them.
#[derive(Debug, Clone, Copy)]
pub struct Presented {
    /// The name on the wire.
    pub field: &'static str,
    /// The names of the parts.
    pub parts: &'static [&'static str],
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
    /// A type whose units are their documents and nothing else: the start for others.
    pub const PLAIN: Self = Self {
        id: "",
        display_name: "",
        description: "",
        key: &[],
        referenced_types: &[],
        search_indexes: "[]",
        indexed: &[],
        file_backed: false,
        always_downloaded: false,
        shown: true,
        storage_name: StorageName::Folder,
        presented: &[],
        known: None,
        in_results: &[],
        learned: &[],
        unsaid: &[],
        inspected: Inspected::Head(0),
        digests: &[],
        listed: None,
        rules: &Plain,
    };

    /// Tells whether a field is part of what is said of a unit.
    #[must_use]
    pub fn is_said(&self, field: &str) -> bool {
        !self.learned.contains(&field) && !self.unsaid.contains(&field)
    }

    /// The name of a unit's file below its folder in `_storage_path`.
    #[must_use]
    pub fn storage_name_of<'a>(&self, doc: &'a Document) -> Option<&'a str> {
        let text = |field: &str| doc.get(field)?.as_str();
        match self.storage_name {
            StorageName::Folder => None,
            StorageName::Field(field) => text(field),
            StorageName::LastSegment(field) => text(field)?.rsplit('/').next(),
        }
    }

    /// The path of a unit's file below the folder of all units, as Pulp named it: from the digest of the unit key
    /// (pulp2/units#storage-paths). `None` when the key is not complete.
    #[must_use]
    pub fn stored_at(&self, doc: &Document) -> Option<String> {
        let digest = UnitKey::of(self, doc).ok()?.digest(self).to_string();
        let (first, rest) = digest.split_at(2);
        let folder = format!("{}/{first}/{rest}", self.id);
        match self.storage_name_of(doc) {
            Some(name) => Some(format!("{folder}/{name}")),
            None => Some(folder),
        }
    }

    /// The fields of a document that [`Self::stored_at`] reads.
    #[must_use]
    pub fn stored_by(&self) -> Vec<&'static str> {
        let name = match self.storage_name {
            StorageName::Folder => None,
            StorageName::Field(field) | StorageName::LastSegment(field) => Some(field),
        };
        let key = self.key.iter().map(|field| field.name);
        let mut fields: Vec<&str> = key.chain(name).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The learned fields that the whole file of a unit tells, by [`UnitRules::inspect`].
    ///
    /// # Errors
    /// The reason why it is no file of such a unit.
    pub fn told_by(&self, file: &mut dyn ReadSeek, hashed: &Hashed) -> Result<Document, String> {
        let mut told = self.rules.inspect(file, hashed)?;
        told.retain(|field, _| self.learned.contains(&field.as_str()));
        Ok(told)
    }

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
    /// Groups of the platform's settings that it takes, such as [`crate::settings::NETWORK`].
    pub platform: &'static [&'static [Setting]],
    /// Its own settings.
    pub own: &'static [Setting],
}

impl PluginDescriptor {
    /// All of its settings.
    pub fn settings(&self) -> impl Iterator<Item = &'static Setting> + use<> {
        let platform = self.platform.iter().copied().flatten();
        self.own.iter().chain(platform)
    }

    /// The setting `name`.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&'static Setting> {
        self.settings().find(|setting| setting.name == name)
    }
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

    /// The same with another line of help.
    #[must_use]
    pub const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
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
    /// A JSON object.
    Object,
    /// One of these texts.
    Choice(&'static [&'static str]),
}
