//! Known units that are taken only when the one who wants them accepts what their files are, for example by their
//! signatures: what was learned of a file decides, or else the file itself.

use std::collections::HashMap;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::unit::Source;
use pith_core::digest::Hashed;
use pith_core::{Document, Sha256, UnitId};

use super::download::unreachable_file;
use super::stage::{Moving, Shared};

/// What becomes of a known unit.
pub(super) enum Verdict {
    /// It is taken.
    Accepted,
    /// Its file is not to be read here: it is downloaded and looked at.
    Fetch,
    /// It is left out, and the observer knows.
    Refused,
}

/// Asks the observers of known units.
pub(super) async fn known(
    shared: &Shared,
    type_id: &str,
    served: Vec<(UnitId, Moving)>,
) -> Result<Vec<(UnitId, Moving, Verdict)>, ContentError> {
    let screened = |moving: &Moving| {
        let downloads = matches!(moving.unit.source, Some(Source::Download { .. }));
        downloads && moving.observer.screens(type_id)
    };
    let asked = served.iter().filter(|(_, moving)| screened(moving));
    let ids: Vec<UnitId> = asked.map(|(id, _)| *id).collect();
    let mut stored = HashMap::with_capacity(ids.len());
    if !ids.is_empty() {
        let family = shared.engine.registry.content_type_of(type_id);
        let fields = family.map_or(&[] as &[&str], |family| family.learned_fields(type_id));
        let picked = shared.store.units_pick(type_id, &ids, Some(fields), &[]);
        for one in picked.await.map_err(ContentError::other)? {
            let file = one.unit.blob.filter(|_| one.unit.downloaded);
            stored.insert(one.unit.id, (one.unit.doc, file.zip(one.unit.size)));
        }
    }
    let mut judged = Vec::with_capacity(served.len());
    for (id, mut moving) in served {
        let verdict = match stored.remove(&id) {
            None => Verdict::Accepted,
            Some((doc, file)) => judge(shared, &mut moving, &doc, file).await?,
        };
        judged.push((id, moving, verdict));
    }
    Ok(judged)
}

async fn judge(
    shared: &Shared,
    moving: &mut Moving,
    stored: &Document,
    file: Option<(Sha256, i64)>,
) -> Result<Verdict, ContentError> {
    let Some(Source::Download { urls, head, .. }) = &moving.unit.source else {
        return Ok(Verdict::Accepted);
    };
    let url = urls.first().map(ToString::to_string);
    let head = u64::try_from(*head).map_err(ContentError::other)?;
    let accepted = match (moving.observer.accepts_known(&moving.unit, stored), file) {
        (Some(accepted), _) => accepted,
        // The file comes later, and nobody can look at it now.
        (None, None) => return Ok(Verdict::Accepted),
        (None, Some((blob, size))) => {
            let size = u64::try_from(size).map_err(ContentError::other)?;
            let Ok(bytes) = beginning(shared, blob, size.min(head)).await else {
                return Ok(Verdict::Fetch);
            };
            let hashed = Hashed {
                sha256: blob,
                others: Vec::new(),
                size,
            };
            let observer = &moving.observer;
            observer.inspect(&mut moving.unit, &bytes, &hashed)
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

async fn beginning(shared: &Shared, blob: Sha256, length: u64) -> pith_blobs::Result<Vec<u8>> {
    let chunks = shared.engine.blobs.read(blob, Some(0..length));
    let gather = |mut all: Vec<u8>, chunk: bytes::Bytes| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    };
    chunks.try_fold(Vec::new(), gather).await
}
