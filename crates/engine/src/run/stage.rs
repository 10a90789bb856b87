//! The stages every sync shares: match what is handed over against what is known, download the rest with
//! limits, verify, save in batches. Bounded queues between the stages keep memory flat; the first fatal failure stops
//! all of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pith_content::base::shown;
use pith_content::fetch::{FetchFailure, FetchFailureKind};
use pith_content::sync::StageObserver;
use pith_content::unit::{Existing, Source, WantedUnit};
use pith_content::{Bent, ContentError, Inspected, UnitKey, UnitType};
use pith_core::digest::Hashed;
use pith_core::{Digest, Sha256, UnitId};
use pith_fetch::{DownloadSettings, Fetched, Request, Session};
use pith_store::{KnownUnit, TaskStore};
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::download::{BlobSink, MAX_FILE, failure, note, unreachable_file};
use super::found::{self, Found};
use super::inspect;
use super::learn;
use super::moving::{Moving, Policy, Shared};
use super::said;
use super::save::{SAVE_BATCH, name_loop, save_loop};
use super::screen::{self, Verdict};
use crate::Engine;
use crate::catalog::CatalogWriter;
use crate::content_sources::{Nearby, Supply};
use crate::error::Error;

/// The site of units whose files do not come from anywhere else.
const HERE: Sha256 = Sha256([0; 32]);

/// Units waiting for a download.
const QUEUE: usize = 100;
/// The memory that units on their way take at most, in KiB; a heavier one goes alone.
const ROOM: usize = 24 << 10;
/// The memory that small files take at most until they are named together, in KiB.
const HELD: usize = 4 << 10;

/// The things that a run's stages work with.
pub(crate) struct Plan<'a> {
    /// The part of the content that the task may change.
    pub(crate) store: TaskStore,
    /// The repository whose content it is.
    pub(crate) repo: &'a str,
    /// The site that files are downloaded from.
    pub(crate) site: Sha256,
    /// The time at which files come.
    pub(crate) policy: Policy,
    /// Downloads at once.
    pub(crate) downloads: usize,
    /// The importer's connections.
    pub(crate) session: &'a Session,
    /// The notes of what had to be bent.
    pub(crate) bent: &'a Bent,
    /// Notes where files can be had.
    pub(crate) catalog: CatalogWriter,
    /// Alternate content sources.
    pub(crate) supply: Supply,
}

/// The stages of one run. Dropping them stops everything that is under way.
pub(crate) struct Stages {
    shared: Arc<Shared>,
    policy: Policy,
    to_download: mpsc::Sender<Moving>,
    to_save: mpsc::Sender<Moving>,
    _tasks: JoinSet<()>,
}

impl Stages {
    /// Starts the stages.
    pub(crate) fn start(engine: Arc<Engine>, plan: Plan<'_>) -> Self {
        let Plan {
            store,
            repo,
            site,
            policy,
            downloads,
            session,
            bent,
            catalog,
            supply,
        } = plan;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            engine,
            store,
            repo: repo.to_owned(),
            site,
            catalog,
            supply,
            room: Arc::new(Semaphore::new(ROOM)),
            held: Arc::new(Semaphore::new(HELD)),
            open: AtomicUsize::new(0),
            idle: Notify::new(),
            failure: Mutex::new(None),
            stop,
        });
        let (to_download, downloads_in) = mpsc::channel(QUEUE);
        // As many as are saved at once: the next transaction fills while one is under way.
        let (to_save, names_in) = mpsc::channel(SAVE_BATCH);
        let (named, saves_in) = mpsc::channel(1);
        let downloads_in = Arc::new(AsyncMutex::new(downloads_in));
        let mut tasks = JoinSet::new();
        for _ in 0..downloads.clamp(1, 64) {
            let downloader = Downloader {
                shared: Arc::clone(&shared),
                session: session.clone(),
                bent: bent.clone(),
                queue: Arc::clone(&downloads_in),
                to_save: to_save.clone(),
            };
            tasks.spawn(downloader.run());
        }
        tasks.spawn(name_loop(Arc::clone(&shared), names_in, named));
        tasks.spawn(save_loop(Arc::clone(&shared), saves_in));
        Self {
            shared,
            policy,
            to_download,
            to_save,
            _tasks: tasks,
        }
    }

    /// Starts the stages for units of `repo` whose files are in the store already: nothing is downloaded or catalogued.
    pub(crate) fn local(engine: Arc<Engine>, store: TaskStore, repo: &str) -> Result<Self, Error> {
        let session = engine
            .fetcher
            .session(DownloadSettings::default())
            .map_err(Error::fault)?;
        let plan = Plan {
            store,
            repo,
            site: HERE,
            policy: Policy::Immediate,
            downloads: 1,
            session: &session,
            bent: &Bent::default(),
            catalog: CatalogWriter::none(),
            supply: Supply::default(),
        };
        Ok(Self::start(engine, plan))
    }

    /// Takes a batch in; waits for room.
    pub(crate) async fn stage(
        &self,
        units: Vec<WantedUnit>,
        observer: &Arc<dyn StageObserver>,
    ) -> Result<(), Error> {
        let shared = &self.shared;
        let mut by_type: Vec<(&'static str, Vec<(WantedUnit, Sha256)>)> = Vec::new();
        for unit in units {
            let kind = shared.engine.registry.unit_type(unit.type_id);
            let kind = kind
                .ok_or_else(|| ContentError::other(format!("no unit type '{}'", unit.type_id)))?;
            let digest = UnitKey::of(kind, &unit.doc)
                .map_err(Error::fault)?
                .digest(kind);
            match by_type
                .iter_mut()
                .find(|(type_id, _)| *type_id == unit.type_id)
            {
                Some((_, group)) => group.push((unit, digest)),
                None => by_type.push((unit.type_id, vec![(unit, digest)])),
            }
        }
        for (type_id, group) in by_type {
            self.stage_type(type_id, group, observer).await?;
        }
        Ok(())
    }

    async fn stage_type(
        &self,
        type_id: &'static str,
        group: Vec<(WantedUnit, Sha256)>,
        observer: &Arc<dyn StageObserver>,
    ) -> Result<(), Error> {
        let shared = &self.shared;
        let store = &shared.store;
        let kind = shared.engine.registry.unit_type(type_id);
        let file_backed = kind.is_some_and(|kind| kind.file_backed);
        let policy = self.policy_of(type_id);
        let keys: Vec<Sha256> = group.iter().map(|(_, digest)| *digest).collect();
        let known = store.units_known(&shared.repo, type_id, &keys).await?;
        let mut nearby = shared.nearby(type_id, &keys, policy).await?;
        let mut found = Vec::new();
        for (mut unit, key_digest) in group {
            let known = known.get(&key_digest).map_or(&[] as &[_], Vec::as_slice);
            let said = self.settle(&mut unit, known).await?;
            // A blob is a document that a sync fetched, or a file that was here: then the stages are nobody's.
            let site = match unit.source {
                Some(_) => shared.site,
                None => HERE,
            };
            let (same, site) = found::same(known, (said, site), &shared.repo);
            let is_keyed_by_file = kind.is_some_and(|kind| found::is_keyed_by_file(kind, &unit));
            let moving = Moving {
                known: same.map(|same| same.id),
                learned: matches!(unit.source, Some(Source::Blob { .. })),
                nearby: nearby.remove(&key_digest).unwrap_or_default(),
                entry: shared.catalog.entry(UnitId::new(), &unit),
                unit,
                key_digest,
                said,
                site,
                file_backed,
                is_keyed_by_file,
                file: None,
                held: None,
                observer: Arc::clone(observer),
                room: None,
            };
            match Found::of(&moving, same, known, policy) {
                Some(of) => found.push((of, moving)),
                None => self.send(moving, policy).await?,
            }
        }
        self.use_found(type_id, found, policy).await
    }

    /// Makes of a wanted unit what the repository is to have, by what it has of the same key; the digest of what is said of it.
    async fn settle(&self, unit: &mut WantedUnit, known: &[KnownUnit]) -> Result<Sha256, Error> {
        let shared = &self.shared;
        let said = said::digest(&shared.engine, unit);
        let Some(own) = known.iter().find(|known| known.own) else {
            return Ok(said);
        };
        if own.said == said || unit.existing == Existing::Keep {
            return Ok(own.said);
        }
        let same = said::merge(&shared.engine, &shared.store, unit, own.id).await?;
        if same {
            return Ok(own.said);
        }
        Ok(said::digest(&shared.engine, unit))
    }

    /// Takes units that are known, or whose file is.
    async fn use_found(
        &self,
        type_id: &'static str,
        found: Vec<(Found, Moving)>,
        policy: Policy,
    ) -> Result<(), Error> {
        let shared = &self.shared;
        let mut accepted = Vec::with_capacity(found.len());
        let mut with_file = Vec::new();
        for (found, mut moving, verdict) in screen::known(shared, type_id, found).await? {
            match (verdict, found.serves) {
                (Verdict::Refused, _) => {}
                (Verdict::Accepted, true) => accepted.push((found.unit.id, moving)),
                (Verdict::Accepted, false) => {
                    found::with_file_of(&mut moving.unit, &found.unit);
                    with_file.push((moving, found.unit.id));
                }
                (Verdict::Fetch, _) => self.send(moving, policy).await?,
            }
        }
        learn::of_others((&shared.engine, &shared.store), type_id, &mut with_file).await?;
        for (moving, _) in with_file {
            self.send(moving, policy).await?;
        }
        self.associate(type_id, accepted, policy).await
    }

    /// Stages units that serve as they are. One that was deleted as an orphan since it was found comes as a new one.
    async fn associate(
        &self,
        type_id: &'static str,
        served: Vec<(UnitId, Moving)>,
        policy: Policy,
    ) -> Result<(), Error> {
        if served.is_empty() {
            return Ok(());
        }
        let units: Vec<(UnitId, &str)> = served.iter().map(|(id, _)| (*id, type_id)).collect();
        let store = &self.shared.store;
        let gone = store.stage_add(&units).await;
        let gone: HashSet<UnitId> = gone?.into_iter().collect();
        let told = served
            .iter()
            .filter(|(id, moving)| moving.learned && !gone.contains(id));
        let told = told.map(|(id, moving)| (*id, &moving.unit.doc)).collect();
        learn::from_files((&self.shared.engine, store), type_id, told).await?;
        let mut sources = Vec::new();
        for (id, moving) in served {
            if gone.contains(&id) {
                let known = None;
                self.send(Moving { known, ..moving }, policy).await?;
            } else {
                sources.extend(moving.entry_of(id));
                moving.observer.known(type_id);
            }
        }
        store.sources_put(&sources).await?;
        Ok(())
    }

    /// The time at which the files of a type come.
    fn policy_of(&self, type_id: &str) -> Policy {
        let kind = self.shared.engine.registry.unit_type(type_id);
        match kind.is_some_and(|kind| kind.always_downloaded) {
            true => Policy::Immediate,
            false => self.policy,
        }
    }

    async fn send(&self, mut moving: Moving, policy: Policy) -> Result<(), Error> {
        self.make_room(&mut moving).await?;
        let queue = match (&moving.unit.source, policy) {
            (Some(Source::Download { size, .. }), Policy::Immediate) => {
                moving
                    .observer
                    .queued(moving.unit.type_id, size.unwrap_or(0));
                &self.to_download
            }
            (Some(Source::Blob { sha256, size }), _) => {
                moving.file = Some((*sha256, *size));
                &self.to_save
            }
            _ => &self.to_save,
        };
        self.shared.open.fetch_add(1, Ordering::AcqRel);
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => Err(self.shared.stopped()),
            sent = queue.send(moving) => sent.map_err(|_| self.shared.stopped()),
        }
    }

    /// Waits until there is room for a unit.
    async fn make_room(&self, moving: &mut Moving) -> Result<(), Error> {
        let weight = (moving.unit.weight() >> 10).clamp(1, ROOM);
        let weight = u32::try_from(weight).map_err(Error::fault)?;
        let room = Arc::clone(&self.shared.room).acquire_many_owned(weight);
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => Err(self.shared.stopped()),
            room = room => {
                moving.room = Some(room.map_err(Error::fault)?);
                Ok(())
            }
        }
    }

    /// Waits until everything handed over is saved.
    pub(crate) async fn drain(&self) -> Result<(), Error> {
        loop {
            let idle = self.shared.idle.notified();
            let mut idle = std::pin::pin!(idle);
            idle.as_mut().enable();
            if self.shared.stop.is_cancelled() {
                return Err(self.shared.stopped());
            }
            if self.shared.open.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            idle.await;
        }
    }
}

impl Drop for Stages {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

struct Downloader {
    shared: Arc<Shared>,
    session: Session,
    bent: Bent,
    queue: Arc<AsyncMutex<mpsc::Receiver<Moving>>>,
    to_save: mpsc::Sender<Moving>,
}

impl Downloader {
    async fn run(self) {
        let stop = self.shared.stop.clone();
        stop.run_until_cancelled(async {
            loop {
                let next = self.queue.lock().await.recv().await;
                let Some(moving) = next else { return };
                if let Err(error) = self.one(moving).await {
                    self.shared.fail(error);
                    return;
                }
            }
        })
        .await;
    }

    async fn one(&self, mut moving: Moving) -> Result<(), Error> {
        match self.download(&mut moving).await {
            Ok(()) => self
                .to_save
                .send(moving)
                .await
                .map_err(|_| Error::Cancelled),
            // No policy for files that cannot be had is meant for a disk that is full.
            Err(failure) if failure.kind == FetchFailureKind::Ours => Err(Error::Fetch(failure)),
            Err(failure) => {
                moving.observer.failed(&moving.unit, &failure)?;
                self.shared.close(1);
                Ok(())
            }
        }
    }

    async fn download(&self, moving: &mut Moving) -> Result<(), FetchFailure> {
        let Some(Source::Download {
            urls,
            size,
            digests,
            head,
        }) = &moving.unit.source
        else {
            return Ok(());
        };
        let request = Request {
            expect_size: *size,
            expect: digests.clone(),
            head_bytes: *head,
            ..Request::new(urls.clone(), size.unwrap_or(MAX_FILE))
        };
        let first = request.urls.first().map(shown).unwrap_or_default();
        let kind = self.shared.engine.registry.unit_type(moving.unit.type_id);
        let mut also = inspect::digests(kind, moving.observer.digests(moving.unit.type_id));
        // Those that are promised are worked out once, where the file is kept.
        also.extend(request.expect.iter().map(Digest::algorithm));
        let mut sink = BlobSink::new(&self.shared.engine.blobs, also);
        let fetched = match self.nearby_copy(&moving.nearby, &request, &mut sink).await {
            Some(fetched) => fetched,
            None => {
                let fetched = self.session.get(request, &mut sink).await;
                let fetched = fetched.map_err(|error| failure(&error))?;
                note(&self.bent, &fetched);
                fetched
            }
        };
        // What is looked at as a whole is read from the store.
        let is_read = kind.is_some_and(|kind| kind.inspected == Inspected::Whole);
        let finished = sink
            .finish(Some(&self.shared.held).filter(|_| !is_read))
            .await;
        let (stored, held) = finished.map_err(|error| FetchFailure {
            kind: FetchFailureKind::Ours,
            ..unreachable_file(&first, &error.to_string())
        })?;
        self.inspect(moving, kind, &stored, &fetched.url).await?;
        moving
            .observer
            .inspect(&mut moving.unit, &fetched.head, &stored)
            .map_err(|message| unreachable_file(fetched.url.as_str(), &message))?;
        moving.file = Some((stored.sha256, stored.size));
        moving.held = held;
        Ok(())
    }
}

impl Downloader {
    /// Adds to the unit what its whole file tells, where its type looks at that.
    async fn inspect(
        &self,
        moving: &mut Moving,
        kind: Option<&UnitType>,
        stored: &Hashed,
        url: &Url,
    ) -> Result<(), FetchFailure> {
        let Some(kind) = kind else { return Ok(()) };
        let told = inspect::whole(&self.shared.engine, kind, stored).await;
        let told = told.map_err(|error| FetchFailure {
            kind: FetchFailureKind::Ours,
            ..unreachable_file(url.as_str(), &error.to_string())
        })?;
        let told = told.map_err(|refused| unreachable_file(url.as_str(), &refused))?;
        moving.unit.doc.extend(told);
        Ok(())
    }

    /// The file from the first alternate content source that has it as promised. What one of them does wrong is no
    /// failure: the feed is asked next.
    async fn nearby_copy(
        &self,
        nearby: &[Nearby],
        request: &Request,
        sink: &mut BlobSink,
    ) -> Option<Fetched> {
        for one in nearby {
            let request = Request {
                urls: vec![one.url.clone()],
                ..request.clone()
            };
            match one.session.get(request, sink).await {
                Ok(fetched) => return Some(fetched),
                Err(error) => {
                    tracing::info!(%error, source = one.source_id, "a content source does not have a file");
                    *sink = sink.anew();
                }
            }
        }
        None
    }
}
