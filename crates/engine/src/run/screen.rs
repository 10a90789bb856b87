//! Known units that are looked at before they are taken: what was learned of a file decides, or else the file itself, for
//! example by its signature; and digests that are missing are worked out.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt};
use pith_content::unit::Source;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document, Sha256, UnitId};
use tokio_util::task::AbortOnDropHandle;

use super::download::unreachable_file;
use super::download_repository::{forget, hashed};
use super::found::Found;
use super::learn;
use super::moving::{Moving, Shared};
use crate::error::Error;

/// Files read at once.
const AT_ONCE: usize = 4;

/// The decision on a known unit.
pub(super) enum Verdict {
    /// It is taken.
    Accepted,
    /// Its file is not to be read here: it is downloaded and looked at.
    Fetch,
    /// It is left out, and the observer knows.
    Refused,
}

/// The stored part of a known unit: its learned fields, and its file with the size when that is here.
type Stored = (Document, Option<(Sha256, u64)>);

/// Asks the observers of known units.
pub(super) async fn known(
    shared: &Shared,
    type_id: &str,
    found: Vec<(Found, Moving)>,
) -> Result<Vec<(Found, Moving, Verdict)>, Error> {
    let mut stored = stored(shared, type_id, &found).await?;
    let judged = futures::stream::iter(found).map(|(found, mut moving)| {
        let stored = stored.remove(&found.unit.id);
        async move {
            let verdict = match stored {
                None => Verdict::Accepted,
                Some(stored) => judge(shared, &mut moving, stored).await?,
            };
            Ok::<_, Error>((found, moving, verdict))
        }
    });
    let judged: Vec<(Found, Moving, Verdict)> = judged.buffered(AT_ONCE).try_collect().await?;
    // Those that are taken say it when they are.
    let refused = judged
        .iter()
        .filter(|(_, moving, verdict)| moving.learned && matches!(verdict, Verdict::Refused));
    let told = refused.map(|(found, moving, _)| (found.unit.id, &moving.unit.doc));
    learn::from_files((&shared.engine, &shared.store), type_id, told.collect()).await?;
    Ok(judged)
}

/// The stored parts of the units that somebody wants to look at.
async fn stored(
    shared: &Shared,
    type_id: &str,
    found: &[(Found, Moving)],
) -> Result<HashMap<UnitId, Stored>, Error> {
    let screened = |moving: &Moving| {
        let downloads = matches!(moving.unit.source, Some(Source::Download { .. }));
        downloads && moving.observer.screens(type_id)
    };
    let asked = found.iter().filter(|(_, moving)| screened(moving));
    let ids: Vec<UnitId> = asked.map(|(found, _)| found.unit.id).collect();
    let mut stored = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(stored);
    }
    let fields = shared.engine.registry.learned(type_id);
    let picked = shared.store.units_pick(type_id, &ids, Some(fields), &[]);
    for one in picked.await? {
        let unit = one.unit;
        let size = unit.size.and_then(|size| u64::try_from(size).ok());
        let file = unit.blob.filter(|_| unit.downloaded).zip(size);
        stored.insert(unit.id, (unit.doc, file));
    }
    Ok(stored)
}

async fn judge(
    shared: &Shared,
    moving: &mut Moving,
    (stored, file): Stored,
) -> Result<Verdict, Error> {
    let Some(Source::Download { urls, head, .. }) = &moving.unit.source else {
        return Ok(Verdict::Accepted);
    };
    let (url, head) = (urls.first().map(ToString::to_string), *head);
    let accepted = moving.observer.accepts_known(&moving.unit, &stored);
    let accepted = match (accepted, file) {
        // The file comes later, and nobody can look at it now.
        (None, None) => return Ok(Verdict::Accepted),
        (Some(accepted), None) => accepted,
        (accepted, Some(file)) => {
            let missing = moving.observer.missing_digests(&moving.unit, &stored);
            let head = if accepted.is_none() { head } else { 0 };
            let Some((head, hashed)) = look(shared, file, missing, head).await? else {
                return Ok(Verdict::Fetch);
            };
            moving.learned = true;
            let (observer, unit) = (&moving.observer, &mut moving.unit);
            match accepted {
                Some(accepted) => {
                    observer.digested(unit, &hashed);
                    accepted
                }
                None => observer.inspect(unit, &head, &hashed),
            }
        }
    };
    let Err(message) = accepted else {
        return Ok(Verdict::Accepted);
    };
    let (unit, observer) = (&moving.unit, &moving.observer);
    let size = match &unit.source {
        Some(Source::Download { size, .. }) => size.unwrap_or(0),
        _ => 0,
    };
    observer.queued(unit.type_id, size);
    observer.failed(unit, &unreachable_file(&url.unwrap_or_default(), &message))?;
    Ok(Verdict::Refused)
}

/// The first bytes of a file, at most `head`, and its digests: those `also` are worked out of all of it. `None` when it
/// cannot be read; one that turns out to be broken is taken away.
async fn look(
    shared: &Shared,
    (blob, size): (Sha256, u64),
    also: Vec<Algorithm>,
    head: usize,
) -> Result<Option<(Vec<u8>, Hashed)>, Error> {
    if also.is_empty() {
        let hashed = Hashed {
            sha256: blob,
            others: Vec::new(),
            size,
        };
        let head = beginning(shared, blob, size.min(head as u64)).await;
        return Ok(head.ok().map(|head| (head, hashed)));
    }
    let engine = std::sync::Arc::clone(&shared.engine);
    let work = async move { hashed(&engine, blob, &also, head).await };
    let read = AbortOnDropHandle::new(tokio::spawn(work)).await;
    let read = read.map_err(Error::fault)??;
    let whole = read.filter(|(_, hashed)| hashed.sha256 == blob);
    if whole.is_none() {
        forget(&shared.engine, &shared.store, blob).await?;
    }
    Ok(whole)
}

async fn beginning(shared: &Shared, blob: Sha256, length: u64) -> pith_blobs::Result<Vec<u8>> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let chunks = shared.engine.blobs.read(blob, Some(0..length));
    let gather = |mut all: Vec<u8>, chunk: bytes::Bytes| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    };
    chunks.try_fold(Vec::new(), gather).await
}
