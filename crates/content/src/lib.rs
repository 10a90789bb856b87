//! The seam between pith and its content types.
//!
//! A content type is a folder under `types/` that exports one [`ContentType`]: descriptors as data, and behaviour
//! behind small object-safe traits. All it sees of the platform are the contexts in [`sync`], [`publish`],
//! [`upload`], [`copy`], [`routes`] and [`job`]: no SQL, no HTTP handler, no task table. The engine implements the
//! contexts; a type is tested against the same engine on a temporary folder.

pub mod base;
pub mod batches;
pub mod bent;
pub mod blocking;
pub mod cataloger;
pub mod config;
pub mod copy;
pub mod descriptor;
pub mod document;
mod entry;
pub mod error;
pub mod export;
pub mod failures;
pub mod fetch;
pub mod files;
pub mod group;
pub mod headers;
pub mod job;
pub mod json_text;
pub mod outline;
pub mod problem;
pub mod profile;
pub mod publish;
pub mod relative_url;
pub mod remote;
pub mod repository;
pub mod roots;
pub mod routes;
pub mod rsync;
pub mod rules;
pub mod seen;
pub mod settings;
pub mod signing;
pub mod steps;
pub mod sync;
pub mod task;
pub mod text;
pub mod unit;
pub mod upload;
pub mod words;

use std::sync::Arc;

pub use bent::Bent;
pub use cataloger::Cataloger;
pub use config::Config;
pub use descriptor::{Inspected, PluginDescriptor, Presented, Setting, SettingKind, UnitType};
pub use error::ContentError;
pub use group::GroupDistributor;
pub use headers::Headers;
use job::JobKind;
pub use problem::{Problem, Problems, Wording};
pub use profile::Profiler;
pub use publish::Distributor;
pub use roots::Root;
use routes::{Answer, Refusal};

pub use routes::Route;
pub use rules::{Listed, UnitRules};
pub use sync::Importer;
pub use unit::UnitKey;
pub use words::Words;

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

    /// The URL roots of the family. Mounts of its distributors lie below them, and nobody else's do.
    fn roots(&self) -> &'static [Root] {
        &[]
    }

    /// Endpoints of the family, below its roots.
    fn routes(&self) -> &'static [Route] {
        &[]
    }

    /// Jobs of the family, which its endpoints queue ([`job::kind`] makes one of each).
    fn jobs(&self) -> &'static [&'static dyn JobKind] {
        &[]
    }

    /// A refusal in the form that the clients of the family's endpoints read.
    fn refuse(&self, refusal: &Refusal) -> Answer {
        refusal.plain()
    }

    /// Catalogers of alternate content sources.
    fn catalogers(&self) -> Vec<Arc<dyn Cataloger>> {
        Vec::new()
    }

    /// Readers of what hosts say that they have of the family's content.
    fn profilers(&self) -> Vec<Arc<dyn Profiler>> {
        Vec::new()
    }

    /// The words of the command line for the family; one without words has no section there.
    fn words(&self) -> Option<&'static Words> {
        None
    }
}
