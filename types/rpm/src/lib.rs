//! RPM repositories: Pulp's yum importer and distributor.
//!
//! `metadata` reads and writes repository metadata and does nothing else; `sync` and `publish` join it to the contexts of
//! `pith-content`; `units` says what becomes document and what becomes part of a unit.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod advisories;
pub mod catalog;
pub mod config;
pub mod copy;
pub mod export;
mod fields;
mod interned;
pub mod learned;
pub mod metadata;
pub mod modular;
pub mod module_file;
pub mod named;
pub mod parts;
pub mod plugins;
pub mod profiles;
pub mod publish;
pub mod rsync;
mod rules;
mod said;
pub mod signature;
pub mod sync;
pub mod type_ids;
pub mod types;
pub mod units;
pub mod upload;
mod upload_fields;
mod words;

use std::sync::Arc;

use pith_content::{
    Cataloger, ContentType, Distributor, GroupDistributor, Importer, Profiler, Root, UnitType,
    Words,
};

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
        vec![
            Arc::new(publish::YumDistributor),
            Arc::new(export::ExportDistributor),
            Arc::new(publish::clone::YumCloneDistributor),
            Arc::new(rsync::DISTRIBUTOR),
        ]
    }

    fn group_distributors(&self) -> Vec<Arc<dyn GroupDistributor>> {
        vec![Arc::new(export::GroupExportDistributor)]
    }

    fn roots(&self) -> &'static [Root] {
        static ROOTS: [Root; 2] = [publish::ROOT, export::ROOT];
        &ROOTS
    }

    fn catalogers(&self) -> Vec<Arc<dyn Cataloger>> {
        vec![Arc::new(catalog::YumCataloger)]
    }

    fn profilers(&self) -> Vec<Arc<dyn Profiler>> {
        vec![Arc::new(profiles::YumProfiler)]
    }

    fn words(&self) -> Option<&'static Words> {
        Some(&words::WORDS)
    }
}
