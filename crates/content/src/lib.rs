//! The seam between pith and its content types.
//!
//! A content type is a folder under `types/` that exports one [`ContentType`]: descriptors as data, and behaviour
//! behind small object-safe traits. All it sees of the platform are the contexts in [`sync`], [`publish`] and
//! [`upload`]: no SQL, no HTTP handler, no task table. The engine implements the contexts; a type is tested against
//! the same engine on a temporary folder.

pub mod base;
pub mod bent;
pub mod blocking;
pub mod cataloger;
pub mod config;
pub mod copy;
pub mod descriptor;
pub mod error;
pub mod fetch;
pub mod group;
pub mod json_text;
pub mod publish;
pub mod relative_url;
pub mod sync;
pub mod text;
pub mod unit;
pub mod upload;

use std::sync::Arc;

use pith_core::Document;
use pith_core::digest::Hashed;

pub use bent::Bent;
pub use cataloger::Cataloger;
pub use config::Config;
pub use descriptor::{PluginDescriptor, Setting, SettingKind, UnitType};
pub use error::ContentError;
pub use group::GroupDistributor;
pub use publish::Distributor;
pub use sync::Importer;
pub use unit::UnitKey;

/// A content type: what the platform knows about one family of repositories.
pub trait ContentType: Send + Sync {
    /// The short name of the family, as in `pith rpm repo create` and `pith mirror --type rpm`.
    fn name(&self) -> &'static str;

    /// The unit types of the family.
    fn unit_types(&self) -> &'static [UnitType];

    /// The importers of the family.
    fn importers(&self) -> Vec<Arc<dyn Importer>>;

    /// The distributors of the family.
    fn distributors(&self) -> Vec<Arc<dyn Distributor>>;

    /// The distributors of the family for groups of repositories; most have none.
    fn group_distributors(&self) -> Vec<Arc<dyn GroupDistributor>> {
        Vec::new()
    }

    /// Catalogers of alternate content sources.
    fn catalogers(&self) -> Vec<Arc<dyn Cataloger>> {
        Vec::new()
    }

    /// Tells whether files of `type_id` come during the sync whatever the download policy says: files that upstream renames
    /// with every change, so that they could not be had later.
    fn always_downloaded(&self, _type_id: &str) -> bool {
        false
    }

    /// Tells whether clients are shown units of `type_id` where they did not ask for them by name: in counts, searches over all
    /// types, results of tasks and lists of types. Units that Pulp did not have must not surprise its clients.
    fn is_listed(&self, _type_id: &str) -> bool {
        true
    }

    /// Completes a stored document to what the REST API shows: adds the fields that are kept as parts beside the
    /// document because they are large. `parts` holds the named parts that exist, as they are stored.
    fn present(&self, _type_id: &str, _doc: &mut Document, _parts: &[(String, Vec<u8>)]) {}

    /// Writes what [`ContentType::present`] adds, as JSON text: appends `,"name":value` for each field. A type whose parts are
    /// large writes it straight from them; listings show thousands of units.
    fn present_text(&self, type_id: &str, parts: &[(String, Vec<u8>)], out: &mut Vec<u8>) {
        let mut doc = Document::new();
        self.present(type_id, &mut doc, parts);
        json_text::push_members(out, &doc);
    }

    /// The fields that [`ContentType::present`] adds for `type_id`, each with the parts it is made of; so that a
    /// search which does not ask for them never reads the parts.
    fn presented_fields(
        &self,
        _type_id: &str,
    ) -> &'static [(&'static str, &'static [&'static str])] {
        &[]
    }

    /// Every field that units of `type_id` can have on the wire, so that a search can refuse the others by name
    /// (reference: platform-api §1.11). `None` refuses nothing.
    fn known_fields(&self, _type_id: &str) -> Option<&'static [&'static str]> {
        None
    }

    /// Fields that results of copies and removals show beside the unit key (reference: rpm §4.4).
    fn result_fields(&self, _type_id: &str) -> &'static [&'static str] {
        &[]
    }

    /// Fields that tell of a unit's file what was worked out of it: a known unit that is handed over again, and otherwise
    /// stays as it is, gets what it lacks of them.
    fn learned_fields(&self, _type_id: &str) -> &'static [&'static str] {
        &[]
    }

    /// Fields that are no part of what is said of units of `type_id`: two that differ in nothing else are one unit. Where a
    /// file was found, flags that depend on the repository, and [`ContentType::learned_fields`] are such.
    fn unsaid_fields(&self, type_id: &str) -> &'static [&'static str] {
        self.learned_fields(type_id)
    }

    /// The [`ContentType::learned_fields`] of a unit whose file came without a sync or an upload, which tell themselves:
    /// `head` is its beginning, `hashed` has the digests that were worked out.
    fn learn(&self, _type_id: &str, _head: &[u8], _hashed: &Hashed) -> Document {
        Document::new()
    }

    /// The number of leading bytes of a file that [`ContentType::learn`] wants to see.
    fn head(&self, _type_id: &str) -> usize {
        0
    }

    /// The flag of units of `type_id` that depends on what else a repository has. In searches of a repository it is shown,
    /// filtered and sorted by as that repository has it.
    fn listed(&self, _type_id: &str) -> Option<&'static unit::Listed> {
        None
    }

    /// Merges a unit of the repository into one of the same key that is handed over with [`unit::Existing::Replace`] and says
    /// something else: `wanted` is changed to what the repository is to have. `parts` holds all parts of the known unit
    /// as they are stored. Most types replace.
    fn merge(
        &self,
        _type_id: &str,
        _known: &Document,
        _parts: &[(String, Vec<u8>)],
        _wanted: &mut unit::WantedUnit,
    ) {
    }

    /// The name below the unit's folder in `_storage_path`; `None` where the folder itself is the path
    /// (reference: rpm §3.1, iso §1).
    fn storage_name(&self, _type_id: &str, _doc: &Document) -> Option<String> {
        None
    }
}
