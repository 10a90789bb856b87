//! A repository in memory: the contexts of `pith-content` without a server and without a database, so that the author of a type
//! tests it in milliseconds.
//!
//! ```no_run
//! # use pith_content::{ContentType, ContentError};
//! # async fn example(family: &dyn ContentType) -> Result<(), ContentError> {
//! use pith_testkit::memory::Repository;
//! use serde_json::json;
//!
//! let mut repository = Repository::new(family, "/a/feed".as_ref(), json!({"remove_missing": true}));
//! repository.sync(&*family.importers()[0]).await?;
//! repository.publish(&*family.distributors()[0]).await?;
//! let served = &repository.state.lock().served;
//! # let _ = served; Ok(()) }
//! ```
//!
//! It does what the engine does as far as a type can tell: a task that fails leaves the repository as it was, units of equal keys are
//! merged by the rules of their type, files are looked at as they come. Two things are simpler. There is one unit of a key, so the
//! second one that says something else takes the place of the first everywhere; and known units are taken without being looked at
//! again.

mod changing;
mod copying;
mod feed;
mod file;
mod files;
mod job;
mod publishing;
mod signing;
mod state;
mod syncing;
mod uploading;

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pith_content::base::Base;
use pith_content::copy::CopyReport;
use pith_content::job::AnyJob;
use pith_content::publish::{Entry, PublishReport};
use pith_content::repository::RepoInfo;
use pith_content::sync::{NoFeed, SyncReport};
use pith_content::upload::{Upload, UploadReport};
use pith_content::{
    Bent, Config, ContentError, ContentType, Distributor, Importer, UnitKey, UnitType,
};
use pith_core::{Clock, Document, ManualClock, Timestamp, UnitId};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::feed::Feed;

pub use self::feed::FEED;
pub use self::file::Blobs;
pub use self::signing::{PUBLIC_KEY, signature};
pub use self::state::{Publication, State, Stored};

/// A repository of one type, with the settings of its importer and its distributor in one.
pub struct Repository {
    /// The settings.
    pub config: Config,
    /// The repository as types see it.
    pub info: RepoInfo,
    /// The importer's scratchpad.
    pub pad: Document,
    /// Is true when a sync may skip nothing.
    pub force: bool,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// The notes of what was odd upstream.
    pub bent: Bent,
    /// The units that it has, and the publication that it serves.
    pub state: Mutex<State>,
    /// The files.
    pub blobs: Blobs,
    /// The number of units that publishes have read whole.
    pub picked: AtomicUsize,
    /// Fires when the task is to end; tests fire it.
    pub cancelled: CancellationToken,
    kinds: &'static [UnitType],
    feed: Feed,
    /// The feed of the settings, once it was asked for.
    base: OnceLock<Result<Base, NoFeed>>,
}

impl Repository {
    /// An empty repository `zoo`, of which the feed [`FEED`] is a folder.
    ///
    /// # Panics
    /// When the settings are no object.
    #[must_use]
    pub fn new(family: &dyn ContentType, feed: &Path, config: Value) -> Self {
        let start: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap_or_default();
        let clock = Arc::new(ManualClock::new(start));
        Self::with(family.unit_types(), feed, config, clock, Blobs::default())
    }

    /// An empty repository of the same type with another id and other settings, which has the files of this one.
    ///
    /// # Panics
    /// When the settings are no object.
    #[must_use]
    pub fn beside(&self, id: &str, config: Value) -> Self {
        let (clock, blobs) = (Arc::clone(&self.clock), Arc::clone(&self.blobs));
        let mut other = Self::with(self.kinds, self.feed.folder(), config, clock, blobs);
        id.clone_into(&mut other.info.id);
        other
    }

    fn with(
        kinds: &'static [UnitType],
        feed: &Path,
        config: Value,
        clock: Arc<ManualClock>,
        blobs: Blobs,
    ) -> Self {
        let Value::Object(mut config) = config else {
            panic!("settings are an object");
        };
        config.entry("feed").or_insert_with(|| json!(FEED));
        Self {
            config: Config::new(config),
            info: RepoInfo {
                id: "zoo".to_owned(),
                ..RepoInfo::default()
            },
            pad: Document::new(),
            force: false,
            clock,
            bent: Bent::default(),
            state: Mutex::default(),
            blobs,
            picked: AtomicUsize::default(),
            cancelled: CancellationToken::new(),
            kinds,
            feed: Feed::new(feed),
            base: OnceLock::new(),
        }
    }

    /// Syncs.
    ///
    /// # Errors
    /// Those of the importer.
    pub async fn sync(&mut self, importer: &dyn Importer) -> Result<SyncReport, ContentError> {
        self.state.lock().begin();
        let report = importer.sync(self).await;
        self.state.lock().end(report.is_ok());
        let report = report?;
        self.pad = report.importer_scratchpad.clone().unwrap_or_default();
        let pad = &mut self.info.scratchpad;
        pad.extend(report.repo_scratchpad.clone());
        pad.retain(|_, value| !value.is_null());
        Ok(report)
    }

    /// Imports an upload of these bytes; `None` for units without a file.
    ///
    /// # Errors
    /// Those of the importer.
    pub async fn upload(
        &self,
        importer: &dyn Importer,
        upload: Upload,
        bytes: Option<&[u8]>,
    ) -> Result<UploadReport, ContentError> {
        self.state.lock().begin();
        let report = match uploading::Uploading::of(self, bytes) {
            Ok(ctx) => importer.upload(&ctx, upload).await,
            Err(error) => Err(error.into()),
        };
        self.state.lock().end(report.is_ok());
        report
    }

    /// Publishes, and serves what was published.
    ///
    /// # Errors
    /// Those of the distributor.
    pub async fn publish(
        &self,
        distributor: &dyn Distributor,
    ) -> Result<PublishReport, ContentError> {
        self.state.lock().building.clear();
        let ctx = publishing::Publishing {
            repository: self,
            distributor: distributor.descriptor().id,
            signs: distributor.signing_key(&self.config).is_some(),
        };
        let report = distributor.publish(&ctx).await?;
        let state = &mut *self.state.lock();
        state.served = std::mem::take(&mut state.building);
        Ok(report)
    }

    /// Copies units of another repository that was made beside this one.
    ///
    /// # Errors
    /// Those of the importer.
    pub async fn copy(
        &self,
        importer: &dyn Importer,
        source: &Self,
        units: &[UnitId],
    ) -> Result<CopyReport, ContentError> {
        self.state.lock().begin();
        let ctx = copying::Copying {
            source,
            destination: self,
        };
        ctx.bring(units);
        let report = importer.copy(&ctx).await;
        self.state.lock().end(report.is_ok());
        report
    }

    /// Takes units out.
    ///
    /// # Errors
    /// Those of the importer.
    pub async fn remove(
        &self,
        importer: &dyn Importer,
        units: &[UnitId],
    ) -> Result<(), ContentError> {
        self.state.lock().begin();
        self.state.lock().take_out(units);
        let removed = importer.remove(&copying::Removing(self)).await;
        self.state.lock().end(removed.is_ok());
        removed
    }

    /// Runs a job on repositories that were made beside each other; answers the result of its task.
    ///
    /// # Errors
    /// Those of the job.
    pub async fn run(job: Box<dyn AnyJob>, on: &[&Self]) -> Result<Value, ContentError> {
        for repository in on {
            repository.state.lock().begin();
        }
        let result = job.run(&job::Running(on)).await;
        for repository in on {
            repository.state.lock().end(result.is_ok());
        }
        result
    }

    /// The number of units of a type that it has.
    #[must_use]
    pub fn count_of(&self, type_id: &str) -> usize {
        self.docs(type_id).len()
    }

    /// The documents of the units of a type that it has, in the order in which they came.
    #[must_use]
    pub fn docs(&self, type_id: &str) -> Vec<Document> {
        let of = |stored: &Stored| stored.unit.doc.clone();
        self.each(type_id, of)
    }

    /// The ids of the units of a type that it has, in the order in which they came.
    #[must_use]
    pub fn ids(&self, type_id: &str) -> Vec<UnitId> {
        self.each(type_id, |stored| stored.unit.id)
    }

    fn each<T>(&self, type_id: &str, of: impl Fn(&Stored) -> T) -> Vec<T> {
        let state = self.state.lock();
        let found = state.repo.iter().filter_map(|key| state.units.get(key));
        let mut found: Vec<&Stored> = found.filter(|it| it.type_id == type_id).collect();
        found.sort_by_key(|it| it.order);
        found.into_iter().map(of).collect()
    }

    /// The bytes of an entry of a publication; `None` when they are not here.
    #[must_use]
    pub fn bytes(&self, entry: &Entry) -> Option<Vec<u8>> {
        match entry {
            Entry::Blob { sha256, .. } => self.blobs.lock().get(sha256).cloned(),
            Entry::Inline(bytes) => Some(bytes.to_vec()),
            Entry::Deferred { .. } | Entry::Redirect(_) => None,
        }
    }

    /// The bytes that are served at a path.
    #[must_use]
    pub fn served(&self, path: &str) -> Option<Vec<u8>> {
        let entry = self.state.lock().served.get(path)?.0.clone();
        self.bytes(&entry)
    }

    /// The URLs that were asked for since the last call.
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.feed.asked.lock())
    }

    /// The type of this id.
    fn kind(&self, type_id: &str) -> Result<&'static UnitType, ContentError> {
        let mut kinds = self.kinds.iter();
        let kind = kinds.find(|kind| kind.id == type_id);
        kind.ok_or_else(|| ContentError::other(format!("the family has no type '{type_id}'")))
    }

    /// The type of a unit, and the digest of its key.
    fn key_of(
        &self,
        type_id: &str,
        doc: &Document,
    ) -> Result<(&'static UnitType, pith_core::Sha256), ContentError> {
        let kind = self.kind(type_id)?;
        let key = UnitKey::of(kind, doc)?;
        Ok((kind, key.digest(kind)))
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
