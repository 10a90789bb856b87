//! Downloading what a repository promises and does not have (pulp2/deferred-files#download-tasks).

use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, MultiHasher, Sha256};
use pith_store::{Store, StoreError, Unit, UnitQuery};
use serde_json::json;

use super::steps::Step;
use crate::Engine;
use crate::attempt::{Done, Run};
use crate::content_sources::Supply;
use crate::deferred::unavailable::Unavailable;
use crate::error::Error;
use crate::jobs::DownloadRepository;

/// Files looked at or downloaded at once. (An importer's `max_downloads` bounds its downloads besides.)
const AT_ONCE: usize = 5;

/// Runs a [`DownloadRepository`]. A file that cannot be had is counted and does not keep others from coming.
pub(crate) async fn run(run: Run, job: DownloadRepository) -> Result<Done, Error> {
    let DownloadRepository {
        repo_id,
        verify_all_units: verify,
    } = job;
    let engine = &run.engine;
    run.progress.set_key("background_download");
    let store = &run.store;
    let type_ids: Vec<&str> = engine
        .registry
        .unit_types()
        .filter(|kind| kind.file_backed)
        .map(|kind| kind.id)
        .collect();
    let query = UnitQuery {
        type_ids,
        repo: Some(&repo_id),
        fields: Some(Vec::new()),
        ..UnitQuery::default()
    };
    let total = match verify {
        true => store.units_count(&query).await,
        false => store.repository_units_not_downloaded(&repo_id).await,
    };
    let total = u64::try_from(total?).unwrap_or_default();
    let step = Step::new("background_download", "Download Repository Content", total);
    let step = Mutex::new(step);
    let (run, step, progress, repo_id) = (&run, &step, &run.progress, repo_id.as_str());
    progress.report(step.lock().report());
    // Alternate content sources of which nothing is known any more are read again.
    Supply::fresh(engine).await;
    let units = store.units_stream(&query)?;
    let work = units
        .map_ok(|batch| futures::stream::iter(batch.into_iter().map(Ok::<_, StoreError>)))
        .try_flatten()
        .map_err(Error::from)
        .try_filter(|streamed| {
            let unit = &streamed.unit;
            let wanted = !unit.downloaded || (verify && unit.blob.is_some());
            futures::future::ready(wanted)
        })
        .try_for_each_concurrent(AT_ONCE, |streamed| async move {
            let outcome = one(run, repo_id, &streamed.unit).await?;
            let report = {
                let mut step = step.lock();
                match outcome {
                    Ok(()) => step.succeeded(),
                    Err(error) => step.failed(&json!({
                        "code": "PLP0000",
                        "description": error.to_string(),
                        "data": {},
                        "sub_errors": [],
                    })),
                }
                step.report()
            };
            progress.report(report);
            Ok::<_, Error>(())
        });
    run.in_time(work).await?;
    step.lock().finish();
    progress.report(step.lock().report());
    Ok(Done::default())
}

/// Makes sure of one file: checks it when it is here, gets it when it is not or is broken.
async fn one(run: &Run, repo_id: &str, unit: &Unit) -> Result<Result<(), Unavailable>, Error> {
    let engine = &run.engine;
    if unit.downloaded {
        let Some(blob) = unit.blob else {
            return Ok(Ok(()));
        };
        let mut broken = Vec::new();
        let named = run.store.file_list(blob).await?.into_iter();
        for blob in named.map(|(named, _)| named).chain([blob]) {
            if !is_whole(engine, blob).await? {
                broken.push(blob);
            }
        }
        if broken.is_empty() {
            return Ok(Ok(()));
        }
        for blob in broken {
            forget(engine, &run.store, blob).await?;
        }
    }
    Ok(engine.deferred_store(unit.id, repo_id).await.map(drop))
}

/// Tells whether the blob is there and is what its name says.
async fn is_whole(engine: &Engine, blob: Sha256) -> Result<bool, Error> {
    let read = hashed(engine, blob, &[], 0).await?;
    Ok(read.is_some_and(|(_, hashed)| hashed.sha256 == blob))
}

/// The first bytes of a blob, at most `head`, and the digests of all of it; `None` when it cannot be read.
pub(super) async fn hashed(
    engine: &Engine,
    blob: Sha256,
    also: &[Algorithm],
    head: usize,
) -> Result<Option<(Vec<u8>, Hashed)>, Error> {
    let contains = engine.blobs.contains(blob).await;
    if !contains? {
        return Ok(None);
    }
    let mut hasher = MultiHasher::new(also);
    let mut first = Vec::new();
    let mut bytes = engine.blobs.read(blob, None);
    while let Some(piece) = bytes.next().await {
        match piece {
            Ok(piece) => {
                let wanted = (head - first.len()).min(piece.len());
                first.extend_from_slice(&piece[..wanted]);
                hasher.update(&piece);
            }
            Err(error) => {
                tracing::warn!(%error, %blob, "a file cannot be read");
                return Ok(None);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(Some((first, hasher.finish())))
}

/// Takes a broken file away, so that nobody is served it and a good one can come.
pub(super) async fn forget(engine: &Engine, store: &Store, blob: Sha256) -> Result<(), Error> {
    tracing::warn!(%blob, "a file is missing or broken and is fetched again");
    store.units_set_blob_gone(blob).await?;
    engine.discard_file(blob).await
}
