//! A sync.

use std::sync::Arc;

use async_trait::async_trait;
use pith_content::base::Base;
use pith_content::fetch::{Fetch, FetchFailure, FetchOutcome, FetchUnless, Fetched};
use pith_content::files::FileSet;
use pith_content::sync::{FeedAccess, NoFeed, StageObserver, SyncContext};
use pith_content::unit::{Source, WantedUnit};
use pith_content::{Bent, ContentError, Inspected, UnitType};
use pith_core::{Algorithm, Digest, Document, Sha256};

use super::Repository;
use super::changing::File;
use super::feed::{self, Got};
use super::file::keep;
use super::files::Files;

#[async_trait]
impl SyncContext for Repository {
    fn feed(&self) -> Result<&Base, &NoFeed> {
        let read = || FeedAccess::from_config(&self.config).feed;
        self.base.get_or_init(read).as_ref()
    }

    fn scratchpad(&self) -> &Document {
        &self.pad
    }

    fn full_sync_required(&self) -> bool {
        self.force
    }

    async fn units_not_downloaded(&self) -> Result<u64, ContentError> {
        let state = self.state.lock();
        let missing = state.repo.iter().filter_map(|key| state.units.get(key));
        Ok(missing.filter(|it| !it.unit.downloaded).count() as u64)
    }

    fn bent(&self) -> &Bent {
        &self.bent
    }

    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure> {
        let Got { path, hashed, .. } = self.feed.get(&what)?;
        let scratch = Box::new(feed::Document {
            path,
            blobs: Arc::clone(&self.blobs),
        });
        Ok(Fetched::new(scratch, hashed, what.urls[0].to_string()))
    }

    async fn fetch_unless(&self, what: FetchUnless) -> Result<FetchOutcome, FetchFailure> {
        self.fetch(what.what).await.map(FetchOutcome::Fetched)
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

    async fn files(&self, known: &[Sha256]) -> Result<Box<dyn FileSet>, ContentError> {
        Ok(Box::new(Files::begin(self, known)?))
    }

    async fn drain(&self) -> Result<(), ContentError> {
        Ok(())
    }

    async fn remove_missing(&self, type_ids: &[&'static str]) -> Result<(), ContentError> {
        self.state.lock().keep_touched(type_ids);
        Ok(())
    }
}

impl Repository {
    fn take_in(
        &self,
        mut unit: WantedUnit,
        observer: &dyn StageObserver,
    ) -> Result<(), ContentError> {
        let (kind, key) = self.key_of(unit.type_id, &unit.doc)?;
        if self.state.lock().units.contains_key(&key) {
            observer.known(unit.type_id);
        }
        if self.settled(kind, key, &mut unit) {
            return Ok(());
        }
        let file = match unit.source.clone() {
            None => File::default(),
            Some(Source::Blob { sha256, size }) => File::here(Some((sha256, size))),
            Some(Source::Download { size, digests, .. }) if self.is_deferring(kind) => {
                observer.deferred(unit.type_id, size.unwrap_or_default());
                deferred(size, &digests)
            }
            Some(Source::Download { .. }) => match self.download(kind, &mut unit, observer) {
                Ok(file) => file,
                Err(Missed::Fetch(failure)) => return observer.failed(&unit, &failure),
                Err(Missed::Refused(why)) => return Err(ContentError::other(why)),
            },
        };
        self.save(key, unit, file);
        Ok(())
    }

    fn is_deferring(&self, kind: &UnitType) -> bool {
        let policy = self.config.text("download_policy");
        policy.is_some_and(|policy| policy != "immediate") && !kind.always_downloaded
    }

    /// Downloads the file of a unit, and has it looked at.
    fn download(
        &self,
        kind: &UnitType,
        unit: &mut WantedUnit,
        observer: &dyn StageObserver,
    ) -> Result<File, Missed> {
        let Some(Source::Download {
            urls,
            size,
            digests,
            head,
        }) = unit.source.clone()
        else {
            return Ok(File::default());
        };
        observer.queued(unit.type_id, size.unwrap_or(0));
        let mut also = kind.digests.to_vec();
        also.extend(observer.digests(unit.type_id));
        also.extend(digests.iter().map(Digest::algorithm));
        let what = Fetch {
            size,
            digests,
            ..Fetch::any(urls, u64::MAX)
        };
        let Got { bytes, .. } = self.feed.get(&what).map_err(Missed::Fetch)?;
        let start = bytes[..head.min(bytes.len())].to_vec();
        let hashed = keep(&self.blobs, bytes, &also);
        if kind.inspected == Inspected::Whole {
            let told = self.told(kind, &hashed);
            unit.doc.extend(told.map_err(Missed::Refused)?);
        }
        let looked_at = observer.inspect(unit, &start, &hashed);
        looked_at.map_err(Missed::Refused)?;
        observer.done(unit.type_id, hashed.size);
        Ok(File::here(Some((hashed.sha256, hashed.size))))
    }
}

/// The reason why a unit did not come.
enum Missed {
    Fetch(FetchFailure),
    Refused(String),
}

fn deferred(size: Option<u64>, digests: &[Digest]) -> File {
    let mut digests = digests.iter();
    let sha256 = digests.find(|digest| digest.algorithm() == Algorithm::Sha256);
    File {
        promised: sha256.and_then(|digest| digest.hex().parse::<Sha256>().ok()),
        size,
        is_missing: true,
        ..File::default()
    }
}
