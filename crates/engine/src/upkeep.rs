//! Upkeep that no client asks for: files that nothing needs any more, uploads that nobody came back for.
//!
//! Every process looks from time to time whether a chore is due; the database lets one of them do it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use pith_blobs::Publication;
use pith_core::{Sha256, SignedDuration, Timestamp};
use pith_store::HeldByGrace;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::error::Error;

/// The time between two looks for chores.
const LOOK: Duration = Duration::from_mins(10);
/// The time between two sweeps of the files.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(6);
/// The time between two sweeps of the uploads.
const UPLOADS_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// The time for which a file stays that nothing needs. Longer than any task takes from finding a file to saving the row that
/// needs it, and long enough to come back from a mistake.
pub const BLOB_GRACE: SignedDuration = SignedDuration::from_hours(24);
/// The time for which an upload waits for its next segment or its import.
pub const UPLOAD_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The number of versions of each repository that are kept when nothing else is said.
pub const KEPT_VERSIONS: i64 = 10;
/// The time between two looks for old versions.
const VERSIONS_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// The part of the time after which a worker is lost that the right to delete a file lasts, and that its deletion may take:
/// one over this.
const CLAIM: i32 = 4;
/// The number of files after which way is made for the database, when the disk is full: what it notes of each takes room too.
const WAY_EVERY: u64 = 64;
/// Files without a row noted in one transaction.
const BATCH: usize = 500;

/// The outcome of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files found without a row: left by work that never saved it.
    pub strays: u64,
    /// Files deleted.
    pub deleted: u64,
    /// Retired paths whose grace was over.
    pub expired: u64,
    /// Files that are kept for the grace of the others alone.
    pub in_grace: HeldByGrace,
}

/// Runs chores as they fall due, until `shutdown` fires.
pub(crate) async fn run(engine: Arc<Engine>, shutdown: CancellationToken) {
    while shutdown
        .run_until_cancelled(tokio::time::sleep(LOOK))
        .await
        .is_some()
    {
        let now = engine.clock.now();
        if due(&engine, "uploads", now, UPLOADS_EVERY).await {
            match engine.expire_uploads(UPLOAD_AGE).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed uploads that nobody came back for"),
                Err(error) => tracing::error!(%error, "cannot remove old uploads"),
            }
        }
        if due(&engine, "versions", now, VERSIONS_EVERY).await {
            match engine.prune_versions().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "forgot old versions of repositories"),
                Err(error) => tracing::error!(%error, "cannot forget old versions"),
            }
        }
        if due(&engine, "blobs", now, SWEEP_EVERY).await {
            if let Err(error) = engine.store.stage_clear_ended().await {
                tracing::error!(%error, "cannot forget what killed tasks staged");
            }
            match engine.store.units_delete_replaced().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "removed units in whose place others came"),
                Err(error) => tracing::error!(%error, "cannot remove replaced units"),
            }
            let swept = shutdown
                .run_until_cancelled(engine.sweep_blobs(BLOB_GRACE))
                .await;
            match swept {
                Some(Ok(swept)) => tracing::info!(?swept, "looked for files that nothing needs"),
                Some(Err(error)) => tracing::error!(%error, "cannot remove old files"),
                None => {}
            }
        }
    }
}

async fn due(engine: &Engine, chore: &str, now: Timestamp, every: SignedDuration) -> bool {
    let next = now.saturating_add(every).unwrap_or(now);
    let taken = engine.store.chore_take(chore, now, next).await;
    taken.unwrap_or_else(|error| {
        tracing::error!(%error, chore, "cannot ask whether a chore is due");
        false
    })
}

fn before(now: Timestamp, age: SignedDuration) -> Timestamp {
    now.saturating_sub(age).unwrap_or(Timestamp::MIN)
}

impl Engine {
    /// Forgets uploads to which nothing came for `age` and that no unfinished task imports; answers how many.
    ///
    /// # Errors
    /// When the database or the file store fails.
    pub async fn expire_uploads(&self, age: SignedDuration) -> Result<usize, Error> {
        let since = before(self.clock.now(), age);
        // First the row, which a late client would still write to: a process that stands still in between deletes nothing
        // that somebody came back for.
        let old = self.store.uploads_expire(since).await?;
        for id in &old {
            self.blobs.uploads().delete(*id).await?;
            self.store.upload_delete(*id).await?;
        }
        Ok(old.len())
    }

    /// One round of removing files: forgets retired paths whose own grace is over, condemns what nothing needs, and deletes
    /// what was condemned `grace` ago and is still not needed by any unit, publication or retired path. Safe beside
    /// everything else that runs.
    ///
    /// # Errors
    /// When the database or the file store fails, or an index of a publication cannot be read: then nothing is deleted
    /// that it might list.
    pub async fn sweep_blobs(&self, grace: SignedDuration) -> Result<Swept, Error> {
        let expired = self.retired_expire().await?;
        let in_grace = self.store.retired_held().await?;
        let mut swept = Swept {
            strays: self.note_strays(grace).await?,
            deleted: 0,
            expired,
            in_grace,
        };
        self.judge().await?;
        let ended = before(self.clock.now(), grace);
        swept.deleted = self.delete_ended(ended).await?;
        self.store.blobs_forget_gone(ended).await?;
        Ok(swept)
    }

    /// Deletes now what nothing needs, without the grace that lets mistakes be taken back: for a disk that is full. A task
    /// that runs and found such a file before is told that it is gone when it saves the row; it could take nothing in anyway.
    pub(crate) async fn sweep_condemned(&self) -> Result<u64, Error> {
        self.note_strays(SignedDuration::ZERO).await?;
        self.judge().await?;
        self.delete_condemned_by_now().await
    }

    /// Deletes now what was condemned: see [`Self::sweep_condemned`].
    pub(crate) async fn delete_condemned_by_now(&self) -> Result<u64, Error> {
        let deleted = self.delete_ended(self.clock.now()).await?;
        if deleted > 0 {
            tracing::warn!(
                deleted,
                "removed files that nothing needs, because the disk is full"
            );
        }
        Ok(deleted)
    }

    /// Condemns what nothing needs, and takes back the sentence of what something needs.
    async fn judge(&self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page = self.store.blobs_judge_page(after).await;
            match page? {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// Deletes what was condemned before `ended` and is still not needed; answers how many.
    async fn delete_ended(&self, ended: Timestamp) -> Result<u64, Error> {
        let (mut after, mut deleted) = (None, 0);
        loop {
            let page = self.store.blobs_condemned(ended, after).await?;
            let Some(last) = page.last() else {
                return Ok(deleted);
            };
            after = Some(*last);
            deleted += self.delete_condemned(page, ended).await?;
        }
    }

    /// Forgets the versions of repositories beyond those that are kept; answers how many. One that a publication shows is
    /// kept, and so is every later one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_versions(&self) -> Result<i64, Error> {
        if self.kept_versions == 0 {
            return Ok(0);
        }
        let mut pruned = 0;
        let old = self.store.versions_beyond(self.kept_versions).await;
        for (repo, oldest, keep_from) in old? {
            // One at a time: the associations that only one version had are few.
            for number in oldest + 1..=keep_from {
                let done = self.store.version_prune(&repo, number).await;
                pruned += done?;
            }
        }
        Ok(pruned)
    }

    async fn delete_condemned(&self, page: Vec<Sha256>, ended: Timestamp) -> Result<u64, Error> {
        let mut deleted = 0_u64;
        for blob in self.not_published(page).await? {
            let asked = self.clock.now();
            let claim = || self.store.blob_claim(blob, ended);
            let claimed = self.taking_away(claim).await;
            if !claimed? {
                continue;
            }
            // A process that stood still since then leaves the file to the next sweep: the claim may be another's by now.
            // So does one whose store is slow: whoever needs the file takes the claim for given up (see `files`).
            if self.clock.now().duration_since(asked) > self.lost_after / CLAIM {
                continue;
            }
            let patience = self.lost_after.unsigned_abs() / CLAIM.unsigned_abs();
            let gone = tokio::time::timeout(patience, self.blobs.delete(blob)).await;
            let Ok(gone) = gone else { continue };
            gone?;
            let note = || self.store.blob_gone(blob);
            self.taking_away(note).await?;
            deleted += 1;
            if deleted.is_multiple_of(WAY_EVERY) {
                self.make_way().await;
            }
        }
        Ok(deleted)
    }

    /// Those of `blobs` that no publication lists. An index lists the files of units, which rows do not; a file can only
    /// come into a new publication through a unit, and saving that unit takes the sentence back.
    async fn not_published(&self, blobs: Vec<Sha256>) -> Result<HashSet<Sha256>, Error> {
        let mut left: HashSet<Sha256> = blobs.into_iter().collect();
        for index in self.store.publication_indexes().await? {
            if left.is_empty() {
                break;
            }
            let opened = Publication::open(&self.blobs, index).await;
            let index = opened?;
            let look = move || {
                for entry in index.iter() {
                    if let Some(blob) = entry?.kind.blob() {
                        left.remove(&blob);
                    }
                }
                Ok::<_, pith_blobs::Error>(left)
            };
            left = tokio::task::spawn_blocking(look)
                .await
                .map_err(Error::fault)??;
        }
        Ok(left)
    }

    /// Notes files that are there without a row and were not touched for `grace`.
    async fn note_strays(&self, grace: SignedDuration) -> Result<u64, Error> {
        let cutoff = SystemTime::from(before(self.clock.now(), grace));
        let mut listed = self.blobs.list();
        let mut strays = 0;
        let mut batch: Vec<(Sha256, i64)> = Vec::with_capacity(BATCH);
        loop {
            let next = listed.try_next().await?;
            if let Some(blob) = &next
                && blob.used <= cutoff
            {
                batch.push((blob.sha256, i64::try_from(blob.size).unwrap_or(i64::MAX)));
            }
            if batch.len() == BATCH || (next.is_none() && !batch.is_empty()) {
                let digests: Vec<Sha256> = batch.iter().map(|(digest, _)| *digest).collect();
                let known = self.store.blobs_known(&digests).await;
                let known: HashSet<Sha256> = known?.into_iter().collect();
                batch.retain(|(digest, _)| !known.contains(digest));
                strays += batch.len() as u64;
                let noted = self.store.blobs_condemn_unknown(std::mem::take(&mut batch));
                noted.await?;
            }
            if next.is_none() {
                return Ok(strays);
            }
        }
    }
}
