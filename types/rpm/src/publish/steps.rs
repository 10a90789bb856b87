//! The steps of a publish as clients see them (pulp2/rpm-publish#steps).

use pith_content::steps;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub enum Step {
    Initialize,
    Distribution,
    Rpms,
    Drpms,
    Errata,
    Modules,
    Comps,
    Metadata,
    Close,
    RemoveOld,
    Sqlite,
    Sign,
    Repoview,
    Directory,
    Units,
    SaveTar,
    Listing,
    Images,
    Manifest,
    Moved,
    GroupMoved,
}

impl steps::StepWords for Step {
    fn words(self) -> steps::PlainStep {
        match self {
            Self::Initialize => ("initialize_repo_metadata", "Initializing repo metadata"),
            Self::Distribution => ("distribution", "Publishing Distribution files"),
            Self::Rpms => ("rpms", "Publishing RPMs"),
            Self::Drpms => ("drpms", "Publishing Delta RPMs"),
            Self::Errata => ("errata", "Publishing Errata"),
            Self::Modules => ("modules", "Publishing Modules"),
            Self::Comps => ("comps", "Publishing Comps file"),
            Self::Metadata => ("metadata", "Publishing Metadata."),
            Self::Close => ("close_repo_metadata", "Closing repo metadata"),
            Self::RemoveOld => ("remove_old_repodata", "Removing old repodata"),
            Self::Sqlite => ("generate sqlite", "Generating sqlite files"),
            Self::Sign => ("sign_repo_metadata", "Signing repo metadata"),
            Self::Repoview => ("repoview", "Generating HTML files"),
            Self::Directory => ("publish_directory", "Publishing files to web"),
            Self::Units => ("rpms", "Publishing RPM, SRPM, and DRPM"),
            Self::SaveTar => ("save_tar", "Copying files"),
            Self::Listing => ("initialize_repo_metadata", "Writing Listings File"),
            Self::Images => ("save_iso", "Exporting ISO"),
            Self::Manifest => ("create_pulp_manifest", "Creating PULP_MANIFEST"),
            Self::Moved => ("publish_directory", "Moving ISO to final location"),
            Self::GroupMoved => ("publish_directory", ""),
        }
    }
}

/// The steps that make a repository.
pub const MADE: [Step; 11] = [
    Step::Initialize,
    Step::Distribution,
    Step::Rpms,
    Step::Drpms,
    Step::Errata,
    Step::Modules,
    Step::Comps,
    Step::Metadata,
    Step::Close,
    Step::RemoveOld,
    Step::Sqlite,
];

/// The list of steps.
pub type Steps = pith_content::steps::Steps<Step>;

/// Steps of a publication served over `protocols` protocols, which is signed or not.
#[must_use]
pub fn served(protocols: usize, signs: bool) -> Steps {
    let sign = signs.then_some(Step::Sign);
    let end = [Step::Repoview, Step::Directory].into_iter();
    let listings = std::iter::repeat_n(Step::Listing, protocols);
    Steps::new(MADE.into_iter().chain(sign).chain(end).chain(listings))
}
