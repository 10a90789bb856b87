//! A repository in memory with a feed on disk: the contexts of `pith-content` for tests of one type.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use parking_lot::Mutex;
use pith_content::base::Base;
use pith_content::export::{Images, Trees};
use pith_content::fetch::{
    Fetch, FetchFailure, FetchFailureKind, FetchOutcome, FetchUnless, Fetched, Scratch,
};
use pith_content::publish::{
    Distributor, Entry, GeneratedFile, Outlet, PublishContext, PublishReport, ReadSeek,
};
use pith_content::sync::{
    Importer, NoFeed, RepoInfo, StageObserver, SyncContext, SyncReport, Upstream,
};
use pith_content::unit::{Existing, RepoUnit, Select, Source, UnitKey, WantedUnit};
use pith_content::{Bent, Config, ContentError, Headers};
use pith_core::digest::Hashed;
use pith_core::{
    Algorithm, Clock, Digest, Document, ManualClock, MultiHasher, RelativePath, Sha256, Timestamp,
    UnitId,
};
use pith_type_rpm::types;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::memory::MemoryFile;

pub const FEED: &str = "http://feed/";

#[derive(Clone)]
pub struct Stored {
    pub type_id: &'static str,
    pub unit: RepoUnit,
    pub parts: Vec<(String, Vec<u8>)>,
    pub order: usize,
}

type Publication = BTreeMap<String, (Entry, Timestamp)>;

#[derive(Default)]
pub struct State {
    pub units: HashMap<Sha256, Stored>,
    pub repo: HashSet<Sha256>,
    staged: HashSet<Sha256>,
    before: HashSet<Sha256>,
    pub served: Publication,
    building: Publication,
    pub progress: Value,
}

/// A document of the feed, where it lies.
struct InFeed(PathBuf);

#[async_trait]
impl Scratch for InFeed {
    fn path(&self) -> &Path {
        &self.0
    }

    async fn into_blob(self: Box<Self>, _hashed: &Hashed) -> Result<(), ContentError> {
        Err(ContentError::other("no document of this type is kept"))
    }
}

pub struct Fake {
    feed: PathBuf,
    pub config: Config,
    /// The feed, once it was asked for.
    base: OnceLock<Result<Base, NoFeed>>,
    pub info: RepoInfo,
    pub pad: Document,
    pub force: bool,
    pub clock: ManualClock,
    cancelled: CancellationToken,
    pub bent: Bent,
    pub state: Mutex<State>,
    pub blobs: Arc<Mutex<HashMap<Sha256, Vec<u8>>>>,
    pub fetched: Mutex<Vec<String>>,
    /// Packages that a publish has read whole.
    pub picked: AtomicUsize,
}

impl Fake {
    pub fn new(feed: &Path, config: Value) -> Self {
        let mut document: Document = serde_json::from_value(config).unwrap();
        document.entry("feed").or_insert_with(|| json!(FEED));
        Self {
            feed: feed.to_owned(),
            config: Config::new(document),
            base: OnceLock::new(),
            info: RepoInfo {
                id: "zoo".to_owned(),
                ..RepoInfo::default()
            },
            pad: Document::new(),
            force: false,
            clock: ManualClock::new("2024-01-01T00:00:00Z".parse().unwrap()),
            cancelled: CancellationToken::new(),
            bent: Bent::default(),
            state: Mutex::default(),
            blobs: Arc::default(),
            fetched: Mutex::default(),
            picked: AtomicUsize::default(),
        }
    }

    /// Syncs as the engine would: on failure the repository stays as it was.
    pub async fn sync(&mut self) -> Result<SyncReport, ContentError> {
        {
            let state = &mut *self.state.lock();
            state.staged.clear();
            state.before = state.repo.clone();
        }
        let result = pith_type_rpm::sync::YumImporter.sync(self).await;
        match &result {
            Ok(report) => {
                self.pad = report.importer_scratchpad.clone().unwrap_or_default();
                self.info.scratchpad.extend(report.repo_scratchpad.clone());
            }
            Err(_) => {
                let state = &mut *self.state.lock();
                state.repo = state.before.clone();
            }
        }
        result
    }

    pub async fn publish(&self) -> Result<PublishReport, ContentError> {
        self.state.lock().building.clear();
        let report = pith_type_rpm::publish::YumDistributor.publish(self).await?;
        let state = &mut *self.state.lock();
        state.served = std::mem::take(&mut state.building);
        Ok(report)
    }

    pub fn count_of(&self, type_id: &str) -> usize {
        let state = self.state.lock();
        let of_type = |key: &&Sha256| state.units[*key].type_id == type_id;
        state.repo.iter().filter(of_type).count()
    }

    /// The unit as the REST API shows it.
    pub fn shown(&self, type_id: &str, field: &str, value: &str) -> Document {
        let state = self.state.lock();
        let stored = state
            .units
            .values()
            .find(|s| s.type_id == type_id && s.unit.doc[field] == value)
            .unwrap();
        let mut doc = stored.unit.doc.clone();
        let kind = types::unit_type(type_id).unwrap();
        kind.rules.present(&mut doc, &stored.parts);
        doc
    }

    pub fn bytes(&self, entry: &Entry) -> Vec<u8> {
        match entry {
            Entry::Blob { sha256, .. } => self.blobs.lock()[sha256].clone(),
            Entry::Inline(bytes) => bytes.to_vec(),
            Entry::Deferred { .. } | Entry::Redirect(_) => panic!("not here"),
        }
    }

    /// Writes the publication into a folder.
    pub fn write_out(&self, folder: &Path) {
        for (path, (entry, _)) in &self.state.lock().served {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, self.bytes(entry)).unwrap();
        }
    }

    fn get(&self, what: &Fetch) -> Result<(PathBuf, Vec<u8>, Hashed), FetchFailure> {
        let first = self.get_from(what, &what.urls[0]);
        let mut others = what.urls[1..].iter();
        first.or_else(|failure| {
            let found = others.find_map(|url| self.get_from(what, url).ok());
            found.ok_or(failure)
        })
    }

    fn get_from(
        &self,
        what: &Fetch,
        url: &url::Url,
    ) -> Result<(PathBuf, Vec<u8>, Hashed), FetchFailure> {
        let url = url.to_string();
        self.fetched.lock().push(url.clone());
        let fail = |kind: FetchFailureKind| FetchFailure {
            message: format!("{url}: {kind:?}"),
            url: url.clone(),
            status: None,
            kind,
        };
        let path = self.feed.join(
            url.strip_prefix(FEED)
                .ok_or_else(|| fail(FetchFailureKind::Unreachable))?,
        );
        let bytes = std::fs::read(&path).map_err(|_| fail(FetchFailureKind::NotFound))?;
        let actual = bytes.len() as u64;
        if actual > what.max_size {
            return Err(fail(FetchFailureKind::TooLarge));
        }
        if let Some(expected) = what.size.filter(|size| *size != actual) {
            return Err(fail(FetchFailureKind::Size { expected, actual }));
        }
        let algorithms: Vec<Algorithm> = what.digests.iter().map(Digest::algorithm).collect();
        let mut hasher = MultiHasher::new(&algorithms);
        hasher.update(&bytes);
        let hashed = hasher.finish();
        for digest in &what.digests {
            if !hashed.matches(digest) {
                return Err(fail(FetchFailureKind::Digest {
                    algorithm: digest.algorithm(),
                    expected: digest.hex().to_owned(),
                    actual: hashed.hex(digest.algorithm()).unwrap(),
                }));
            }
        }
        Ok((path, bytes, hashed))
    }

    fn save(&self, key: Sha256, unit: WantedUnit, file: Option<(Sha256, u64)>) {
        let state = &mut *self.state.lock();
        let id = state
            .units
            .get(&key)
            .map_or_else(UnitId::new, |s| s.unit.id);
        let order = state.units.len();
        let stored = Stored {
            type_id: unit.type_id,
            unit: RepoUnit {
                id,
                doc: unit.doc,
                promised: None,
                blob: file.map(|f| f.0),
                size: file.map(|f| f.1),
                downloaded: true,
                added: Some(self.clock.now()),
                updated: self.clock.now(),
                changed: self.clock.now(),
                parts: Vec::new(),
            },
            parts: unit
                .parts
                .into_iter()
                .map(|p| (p.name.to_owned(), p.data.to_vec()))
                .collect(),
            order,
        };
        state.units.insert(key, stored);
        state.staged.insert(key);
        state.repo.insert(key);
    }

    fn take_in(
        &self,
        mut unit: WantedUnit,
        observer: &dyn StageObserver,
    ) -> Result<(), ContentError> {
        let kind = types::unit_type(unit.type_id).unwrap();
        let key = UnitKey::of(kind, &unit.doc).unwrap().digest(kind);
        let known = self.state.lock().units.get(&key).cloned();
        if let Some(known) = known {
            observer.known(unit.type_id);
            let said = |doc: &Document| {
                let mut doc = doc.clone();
                doc.retain(|name, _| kind.is_said(name));
                doc
            };
            let same = unit.source.is_some() && said(&known.unit.doc) == said(&unit.doc);
            if unit.existing == Existing::Keep || same {
                let state = &mut *self.state.lock();
                state.staged.insert(key);
                state.repo.insert(key);
                return Ok(());
            }
            kind.rules.merge(&known.unit.doc, &known.parts, &mut unit);
        }
        let mut file = None;
        if let Some(Source::Download {
            urls,
            size,
            digests,
            head,
        }) = unit.source.clone()
        {
            observer.queued(unit.type_id, size.unwrap_or(0));
            let what = Fetch {
                size,
                digests,
                ..Fetch::any(urls, u64::MAX)
            };
            match self.get(&what) {
                Ok((_, bytes, hashed)) => {
                    observer
                        .inspect(&mut unit, &bytes[..head.min(bytes.len())], &hashed)
                        .map_err(ContentError::other)?;
                    file = Some((hashed.sha256, hashed.size));
                    self.blobs.lock().insert(hashed.sha256, bytes);
                    observer.done(unit.type_id, hashed.size);
                }
                Err(failure) => return observer.failed(&unit, &failure),
            }
        }
        self.save(key, unit, file);
        Ok(())
    }

    fn select(&self, select: &Select) -> Vec<Result<Vec<RepoUnit>, ContentError>> {
        let state = self.state.lock();
        let mut found: Vec<&Stored> = state
            .repo
            .iter()
            .map(|key| &state.units[key])
            .filter(|s| s.type_id == select.type_id)
            .collect();
        let text = |s: &Stored, f: &str| s.unit.doc.get(f).map(ToString::to_string);
        found.sort_by_key(|s| {
            let keys: Vec<_> = select.sort.iter().map(|f| text(s, f)).collect();
            (keys, s.order)
        });
        found
            .chunks(3)
            .map(|chunk| {
                Ok(chunk
                    .iter()
                    .map(|stored| {
                        let mut unit = stored.unit.clone();
                        if let Some(fields) = select.fields {
                            unit.doc.retain(|key, _| fields.contains(&key.as_str()));
                        }
                        let part = |name: &&str| {
                            let found = stored.parts.iter().find(|(n, _)| n == name);
                            found.map(|(_, data)| Bytes::from(data.clone()))
                        };
                        unit.parts = select.parts.iter().map(part).collect();
                        unit
                    })
                    .collect())
            })
            .collect()
    }
}

#[async_trait]
impl SyncContext for Fake {
    fn repo(&self) -> &RepoInfo {
        &self.info
    }
    fn config(&self) -> &Config {
        &self.config
    }
    fn feed(&self) -> Result<&Base, &NoFeed> {
        let read = || Upstream::from_config(&self.config).feed;
        self.base.get_or_init(read).as_ref()
    }
    fn scratchpad(&self) -> &Document {
        &self.pad
    }
    fn full_sync_required(&self) -> bool {
        self.force
    }
    async fn units_not_downloaded(&self) -> Result<u64, ContentError> {
        Ok(0)
    }
    fn clock(&self) -> &dyn Clock {
        &self.clock
    }
    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
    fn bent(&self) -> &Bent {
        &self.bent
    }
    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure> {
        let (path, _, hashed) = self.get(&what)?;
        let scratch = Box::new(InFeed(path));
        Ok(Fetched::new(scratch, hashed, what.urls[0].to_string()))
    }
    async fn fetch_unless(&self, what: FetchUnless) -> Result<FetchOutcome, FetchFailure> {
        self.fetch(what.what).await.map(FetchOutcome::Fetched)
    }
    fn progress(&self, report: Value) {
        self.state.lock().progress = report;
    }
    async fn stage(
        &self,
        units: Vec<WantedUnit>,
        observer: &Arc<dyn StageObserver>,
    ) -> Result<(), ContentError> {
        units
            .into_iter()
            .try_for_each(|unit| self.take_in(unit, observer.as_ref()))
    }
    async fn drain(&self) -> Result<(), ContentError> {
        Ok(())
    }
    async fn remove_missing(&self, type_ids: &[&'static str]) -> Result<(), ContentError> {
        let state = &mut *self.state.lock();
        let (units, staged) = (&state.units, &state.staged);
        state
            .repo
            .retain(|key| staged.contains(key) || !type_ids.contains(&units[key].type_id));
        Ok(())
    }
    async fn remove(&self, _: &'static str, ids: Vec<UnitId>) -> Result<(), ContentError> {
        let state = &mut *self.state.lock();
        let units = &state.units;
        state.repo.retain(|key| !ids.contains(&units[key].unit.id));
        Ok(())
    }
    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        PublishContext::learn(self, type_id, field, values).await
    }
    async fn units_after(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        Ok(stream::iter(self.select(&select)).boxed())
    }
}

#[async_trait]
impl PublishContext for Fake {
    fn repo(&self) -> &RepoInfo {
        &self.info
    }
    fn distributor_id(&self) -> &str {
        "yum_distributor"
    }
    async fn count(&self, type_id: &str) -> Result<u64, ContentError> {
        Ok(self.count_of(type_id) as u64)
    }
    async fn units(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        Ok(stream::iter(self.select(&select)).boxed())
    }
    async fn outline(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        let select = Select {
            fields: Some(fields),
            sort: &fields[..1],
            ..Select::all(type_id)
        };
        Ok(stream::iter(self.select(&select)).boxed())
    }
    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError> {
        let units: HashMap<UnitId, RepoUnit> = self
            .select(&select)
            .into_iter()
            .flat_map(Result::unwrap)
            .map(|unit| (unit.id, unit))
            .collect();
        self.picked.fetch_add(ids.len(), Ordering::Relaxed);
        Ok(ids.iter().filter_map(|id| units.get(id).cloned()).collect())
    }
    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
        let bytes = self.blobs.lock().get(&blob).cloned();
        let bytes = bytes.ok_or_else(|| ContentError::other(format!("{blob} is missing")))?;
        Ok(Box::new(std::io::Cursor::new(bytes)))
    }
    async fn previous(
        &self,
        prefix: &str,
    ) -> Result<Vec<(RelativePath, Entry, Timestamp)>, ContentError> {
        let state = self.state.lock();
        let served = state.served.iter().filter(|(p, _)| p.starts_with(prefix));
        Ok(served
            .map(|(p, (e, t))| (RelativePath::new(p.as_str()).unwrap(), e.clone(), *t))
            .collect())
    }
    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError> {
        let mut hasher = MultiHasher::new(&[algorithm]);
        hasher.update(&self.blobs.lock()[&blob]);
        Ok(hasher.finish().hex(algorithm).unwrap())
    }
    async fn learn(
        &self,
        _type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        let state = &mut *self.state.lock();
        for (id, value) in values {
            let unit = state
                .units
                .values_mut()
                .find(|unit| unit.unit.id == id)
                .unwrap();
            unit.unit.doc.insert(field.to_owned(), value);
        }
        Ok(())
    }
}

#[async_trait]
impl Outlet for Fake {
    fn config(&self) -> &Config {
        &self.config
    }
    fn clock(&self) -> &dyn Clock {
        &self.clock
    }
    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        _headers: Headers,
    ) -> Result<(), ContentError> {
        let added = self
            .state
            .lock()
            .building
            .insert(path.to_string(), (entry, modified));
        match added {
            None => Ok(()),
            Some(_) => Err(ContentError::other(format!("{path} was added twice"))),
        }
    }
    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        Ok(Box::new(MemoryFile {
            bytes: Vec::new(),
            also: also.to_vec(),
            blobs: Arc::clone(&self.blobs),
        }))
    }
    async fn export(&self, _trees: Trees) -> Result<(), ContentError> {
        Err(ContentError::other("there are no folders here"))
    }
    async fn pack(&self, _images: &Images<'_>) -> Result<Vec<Hashed>, ContentError> {
        Err(ContentError::other("there are no images here"))
    }
    fn progress(&self, report: Value) {
        self.state.lock().progress = report;
    }
}
