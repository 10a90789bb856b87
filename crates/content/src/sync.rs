//! The importer's side: what a type implements to mirror a feed, and what it sees while it does.

use std::sync::Arc;

use async_trait::async_trait;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document, Sha256};
use serde_json::Value;

use crate::base::{Base, NotABase};
use crate::copy::{CopyContext, CopyReport, RemoveContext};
use crate::fetch::{Fetch, FetchFailure, FetchOutcome, FetchUnless, Fetched};
use crate::files::FileSet;
use crate::repository::ChangeContext;
use crate::task::ProgressContext;
use crate::unit::WantedUnit;
use crate::upload::{Upload, UploadContext, UploadReport};
use crate::{Bent, Config, ContentError, PluginDescriptor, Problems};

/// Brings content into a repository.
#[async_trait]
pub trait Importer: Send + Sync {
    /// Returns what it says of itself.
    fn descriptor(&self) -> &'static PluginDescriptor;

    /// Checks a configuration that somebody wants to store.
    ///
    /// # Errors
    /// All that is wrong with it. The person is told (400), by the codes of the problems where they have some.
    fn validate(&self, config: &Config) -> Result<(), Problems>;

    /// The address of the feed and the way to reach it, read from the configuration.
    fn upstream(&self, config: &Config) -> FeedAccess {
        FeedAccess::from_config(config)
    }

    /// The version of what this importer makes of a feed: a feed that has not changed is read again by another version. By
    /// default it changes with every version of the program.
    fn format(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// Mirrors the feed. Stages units and removals through `ctx`; nothing of it shows before this returns `Ok`, when
    /// the engine commits everything in one transaction. When it fails, the repository stays as it was, and what was
    /// downloaded is found by the next run.
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError>;

    /// Makes units of an uploaded file or of metadata alone. Staged and committed as in [`Importer::sync`].
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError>;

    /// Decides over a copy into a repository of this importer: what goes along, what may not come, what is cloned.
    /// Most types share what was selected.
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn copy(&self, _ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
        Ok(CopyReport::default())
    }

    /// Decides what goes along with units that are taken out of a repository of this importer. Mostly nothing.
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn remove(&self, _ctx: &dyn RemoveContext) -> Result<(), ContentError> {
        Ok(())
    }
}

/// The reason why a configuration has no feed that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFeed {
    /// None is set.
    #[error("there is no feed")]
    Missing,
    /// The one that is set is no URL of a folder.
    #[error("the feed is not a URL: {0}")]
    Invalid(#[from] NotABase),
}

/// The way to reach a feed. Every importer reads it from the platform's own setting names (pulp2/importers#settings)
/// through [`FeedAccess::from_config`].
#[derive(Debug, Clone)]
pub struct FeedAccess {
    /// The feed, read from the configuration's text once.
    pub feed: Result<Base, NoFeed>,
    /// The configuration with the platform's keys: certificates, proxy, credentials, limits.
    pub config: Config,
}

impl FeedAccess {
    /// Reads the platform's own setting names.
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        Self {
            feed: match config.text("feed") {
                Some(feed) if !feed.is_empty() => Base::parse(feed).map_err(NoFeed::from),
                _ => Err(NoFeed::Missing),
            },
            config: config.clone(),
        }
    }

    /// The folder that the feed is; `None` without one, and for a text that is no URL.
    #[must_use]
    pub fn base(&self) -> Option<&Base> {
        self.feed.as_ref().ok()
    }
}

/// The report of an importer at the end of a sync that went well. The engine counts added, updated and removed units.
#[derive(Debug, Clone, Default)]
pub struct SyncReport {
    /// `summary` of the history entry.
    pub summary: Value,
    /// `details` of the history entry.
    pub details: Value,
    /// The importer's new scratchpad; `None` leaves it.
    pub importer_scratchpad: Option<Document>,
    /// Keys to set in the repository's scratchpad (null removes one).
    pub repo_scratchpad: Document,
}

/// The platform as an importer sees it during a sync.
#[async_trait]
pub trait SyncContext: ProgressContext + ChangeContext {
    /// The feed of the effective configuration. Types join locations to it ([`Base::join`]) and never texts.
    ///
    /// # Errors
    /// Why there is none.
    fn feed(&self) -> Result<&Base, &NoFeed>;

    /// The importer's scratchpad as the last good sync left it.
    fn scratchpad(&self) -> &Document;

    /// Tells whether the platform demands that nothing is skipped: `force_full`, never synced, a unit added or removed since
    /// the last good sync, or another configuration, override or [`Importer::format`] than then (pulp2/rpm-sync#nothing-changed).
    fn full_sync_required(&self) -> bool;

    /// Returns how many units of the repository miss their file.
    async fn units_not_downloaded(&self) -> Result<u64, ContentError>;

    /// The notes of what upstream does oddly and is taken all the same: `details.upstream` of the history entry and of the task's
    /// result, whichever way the sync ends.
    fn bent(&self) -> &Bent;

    /// Downloads a document into a spool file, with the feed's credentials and limits.
    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure>;

    /// Downloads a document as [`SyncContext::fetch`] does, unless the server has the version that is known. The type must not
    /// name a known version when [`SyncContext::full_sync_required`] says so.
    async fn fetch_unless(&self, what: FetchUnless) -> Result<FetchOutcome, FetchFailure>;

    /// Hands over a batch of units that the repository should have. Returns when the batch is taken in, which waits
    /// for room: downloads run behind it with the feed's limits. Known units are matched in bulk and not downloaded
    /// again. [`StageObserver::progress`] is asked while downloads run. Call [`SyncContext::drain`] before looking at what the repository
    /// will hold.
    async fn stage(
        &self,
        units: Vec<WantedUnit>,
        observer: &Arc<dyn StageObserver>,
    ) -> Result<(), ContentError>;

    /// Begins the files of a unit that has several. `known` are files ([`crate::unit::RepoUnit::blob`]) of such units that the
    /// repository has: what these list is not downloaded again, where a promised SHA-256 or the path tells that it is the same. Files
    /// come now, whatever the download policy says.
    async fn files(&self, known: &[Sha256]) -> Result<Box<dyn FileSet>, ContentError>;

    /// Waits until everything handed over is downloaded, verified and saved.
    async fn drain(&self) -> Result<(), ContentError>;

    /// Removes the repository's units of these types that were not handed over in this run.
    async fn remove_missing(&self, type_ids: &[&'static str]) -> Result<(), ContentError>;
}

/// An observer of the units of a [`SyncContext::stage`] call as they come in. Methods are called from many tasks at once and must
/// be quick.
pub trait StageObserver: Send + Sync {
    /// This unit will be downloaded.
    fn queued(&self, _type_id: &str, _size: u64) {}

    /// Notes that this unit is already known, with its file if it has one; it will not be downloaded.
    fn known(&self, _type_id: &str) {}

    /// Tells whether known units of this type are looked at before they are taken: they are when
    /// [`StageObserver::accepts_known`] says so.
    fn screens(&self, _type_id: &str) -> bool {
        false
    }

    /// Tells whether the known unit, of which `stored` has the learned fields, may be used as the wanted one. `None` when only
    /// its file can tell, of which [`StageObserver::inspect`] is asked then.
    fn accepts_known(&self, _unit: &WantedUnit, _stored: &Document) -> Option<Result<(), String>> {
        Some(Ok(()))
    }

    /// The digests of files of this type that are worked out while they come in.
    fn digests(&self, _type_id: &str) -> &'static [Algorithm] {
        &[]
    }

    /// The digests to work out of the file of a known unit, of which `stored` has the learned fields, beside its SHA-256, which
    /// is its name. Asked where [`StageObserver::screens`] says so.
    fn missing_digests(&self, _unit: &WantedUnit, _stored: &Document) -> Vec<Algorithm> {
        Vec::new()
    }

    /// Notes digests of the file of this unit, which are known now; they go into the document. What [`StageObserver::inspect`] is
    /// told is not told here too.
    fn digested(&self, _unit: &mut WantedUnit, _hashed: &Hashed) {}

    /// Looks at the file of this unit, which is here and verified. `head` is its beginning, as long as the source asked for,
    /// `hashed` has its [`StageObserver::digests`]; what the file itself says (a signature, a flag) goes into the document now.
    ///
    /// # Errors
    /// The unit is dropped, and [`StageObserver::failed`] is told.
    fn inspect(
        &self,
        _unit: &mut WantedUnit,
        _head: &[u8],
        _hashed: &Hashed,
    ) -> Result<(), String> {
        Ok(())
    }

    /// Notes that this unit is saved and its file comes later, because the download policy says so. `size` is what the file will
    /// have; neither `queued` nor `done` is told of the unit.
    fn deferred(&self, _type_id: &str, _size: u64) {}

    /// Notes that this unit is here and saved.
    fn done(&self, _type_id: &str, _size: u64) {}

    /// Notes that this unit could not be had.
    ///
    /// # Errors
    /// An error ends the sync; `Ok` goes on without the unit.
    fn failed(&self, unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError>;

    /// The progress document as of now; asked while downloads run.
    fn progress(&self) -> Value;
}
