//! RPM repositories: Pulp's yum importer and distributor.
//!
//! `metadata` reads and writes repository metadata and does nothing else; `sync` and `publish` join it to the contexts of
//! `pith-content`; `units` says what becomes document and what becomes part of a unit.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod advisories;
pub mod catalog;
pub mod config;
pub mod copy;
pub mod fields;
pub mod learned;
pub mod metadata;
pub mod modular;
pub mod module_file;
pub mod named;
pub mod publish;
mod said;
pub mod signature;
pub mod sync;
pub mod types;
pub mod units;
pub mod upload;
mod upload_fields;

use std::sync::Arc;

use pith_content::unit::{Listed, WantedUnit};
use pith_content::{Cataloger, ContentType, Distributor, Importer, UnitType, json_text};
use pith_core::Document;
use pith_core::digest::Hashed;
use serde_json::Value;

/// The family of RPM repositories.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rpm;

impl ContentType for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn unit_types(&self) -> &'static [UnitType] {
        types::UNIT_TYPES
    }

    fn importers(&self) -> Vec<Arc<dyn Importer>> {
        vec![Arc::new(sync::YumImporter)]
    }

    fn distributors(&self) -> Vec<Arc<dyn Distributor>> {
        vec![Arc::new(publish::YumDistributor)]
    }

    fn catalogers(&self) -> Vec<Arc<dyn Cataloger>> {
        vec![Arc::new(catalog::YumCataloger)]
    }

    fn always_downloaded(&self, type_id: &str) -> bool {
        type_id == types::METADATA_FILE
    }

    fn is_listed(&self, type_id: &str) -> bool {
        type_id != types::MODULE_DOCUMENT
    }

    fn present(&self, type_id: &str, doc: &mut Document, parts: &[(String, Vec<u8>)]) {
        units::present(type_id, doc, parts);
    }

    fn present_text(&self, type_id: &str, parts: &[(String, Vec<u8>)], out: &mut Vec<u8>) {
        if matches!(type_id, types::RPM | types::SRPM) {
            units::package_text(parts, out);
        } else {
            let mut doc = Document::new();
            units::present(type_id, &mut doc, parts);
            json_text::push_members(out, &doc);
        }
    }

    fn presented_fields(
        &self,
        type_id: &str,
    ) -> &'static [(&'static str, &'static [&'static str])] {
        units::presented_fields(type_id)
    }

    fn known_fields(&self, type_id: &str) -> Option<&'static [&'static str]> {
        fields::known(type_id)
    }

    fn result_fields(&self, type_id: &str) -> &'static [&'static str] {
        match type_id {
            types::RPM | types::SRPM | types::DRPM => &["signing_key"],
            _ => &[],
        }
    }

    fn learned_fields(&self, type_id: &str) -> &'static [&'static str] {
        match learned::is_package(type_id) {
            true => &[learned::CHECKSUMS, learned::SIGNING_KEY],
            false => &[],
        }
    }

    fn unsaid_fields(&self, type_id: &str) -> &'static [&'static str] {
        match learned::is_package(type_id) {
            true => learned::UNSAID,
            false => &[],
        }
    }

    fn listed(&self, type_id: &str) -> Option<&'static Listed> {
        (type_id == types::RPM).then_some(&modular::LISTED)
    }

    fn learn(&self, type_id: &str, head: &[u8], hashed: &Hashed) -> Document {
        learned::of_file(type_id, head, hashed)
    }

    fn head(&self, type_id: &str) -> usize {
        match learned::is_package(type_id) {
            true => metadata::header::DEFAULT_HEAD,
            false => 0,
        }
    }

    fn merge(
        &self,
        type_id: &str,
        known: &Document,
        parts: &[(String, Vec<u8>)],
        wanted: &mut WantedUnit,
    ) {
        if type_id == types::ERRATUM {
            let lists = parts
                .iter()
                .find(|(name, _)| name == units::PKGLIST)
                .map(|(_, data)| units::pkglists(data))
                .unwrap_or_default();
            advisories::merge(known, &lists, wanted);
        }
        if matches!(type_id, types::RPM | types::SRPM) {
            units::keep_parts(parts, wanted);
        }
    }

    fn storage_name(&self, type_id: &str, doc: &Document) -> Option<String> {
        let named = matches!(
            type_id,
            types::RPM | types::SRPM | types::DRPM | types::METADATA_FILE
        );
        let name = doc.get("filename").and_then(Value::as_str)?;
        named.then(|| name.to_owned())
    }
}
