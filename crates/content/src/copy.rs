//! Copying units between repositories and taking them out: what a type decides beyond "these units"
//! (pulp2/copy-and-removal, pulp2/rpm-copy, pulp2/iso#copy).
//!
//! The engine has noted what the criteria select before a type is asked: units of the source are shared as they are. The
//! type changes that note: it adds what goes along, leaves out what may not come, and hands over clones of units that
//! belong to one repository. Nothing shows before the engine commits.

use async_trait::async_trait;
use pith_core::{Document, UnitId};

use crate::ContentError;
use crate::repository::{ChangeContext, Outlines, RepoInfo, StageContext, Units};
use crate::task::TaskContext;
use crate::unit::Select;

/// The report of a type at the end of a copy.
#[derive(Debug, Clone, Default)]
pub struct CopyReport {
    /// Keys of the task's result beside `units_successful`, each with units as type and document: shown as type and key.
    pub lists: Vec<(&'static str, Vec<(&'static str, Document)>)>,
}

/// The platform as an importer sees it while units are copied into its repository, which is the one of [`StageContext`].
#[async_trait]
pub trait CopyContext: TaskContext + StageContext {
    /// The repository that units come from.
    fn source(&self) -> &RepoInfo;

    /// The types of which units are to come, as noted so far.
    async fn chosen_types(&self) -> Result<Vec<String>, ContentError>;

    /// The units that are to come, as noted so far, in the order of their ids (`select.sort` is not looked at).
    async fn chosen(&self, select: Select) -> Result<Units<'_>, ContentError>;

    /// Returns what the source has.
    async fn source_units(&self, select: Select) -> Result<Units<'_>, ContentError>;

    /// Returns a little of what the source has of a type, in the order of the units' ids.
    async fn source_outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError>;

    /// The further sources that `additional_repos` names, each with the destination of its units and the configuration of the
    /// destination's importer. Nothing of them is selected yet. Sources with one destination see what was noted for it.
    /// Everything is committed together.
    fn additional(&self) -> Vec<&dyn CopyContext>;

    /// Adds units of the source to those that come.
    async fn add(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError>;

    /// Takes units out of those that come.
    async fn leave_out(
        &self,
        type_id: &'static str,
        units: Vec<UnitId>,
    ) -> Result<(), ContentError>;
}

/// The platform as an importer sees it while units are taken out of its repository. Those that [`ChangeContext::remove`] names go too.
#[async_trait]
pub trait RemoveContext: TaskContext + ChangeContext {
    /// The units that are to go, as noted so far, in the order of their ids (`select.sort` is not looked at).
    async fn chosen(&self, select: Select) -> Result<Units<'_>, ContentError>;
}
