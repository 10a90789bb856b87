//! The steps of a flight: find out where the file can be had, get it from there, keep it.

use std::sync::Arc;

use futures::FutureExt;
use pith_core::digest::Hashed;
use pith_core::{Digest, UnitId};
use pith_store::{FileSource, StoreError, UnitFile};

use super::flight::Flight;
use super::sink::FlightSink;
use super::unavailable::Unavailable;
use crate::Engine;
use crate::catalog::{Way, request};
use crate::content_sources::Supply;
use crate::files::saving;
use crate::run::inspect;
use crate::run::learn::from_files;

/// Brings the file of a unit into the store, for whoever reads it in a repository.
pub(super) async fn fetch(
    engine: &Arc<Engine>,
    (unit, repo_id): (UnitId, &str),
    flight: &Flight,
) -> Result<Hashed, Unavailable> {
    let store = &engine.store;
    let file = store.unit_file(unit).await.map_err(Unavailable::internal)?;
    let file = file.ok_or_else(|| Unavailable::NotFound("the unit was removed".to_owned()))?;
    if let Some(hashed) = here(engine, &file).await? {
        return Ok(hashed);
    }
    let sources = store
        .sources_of(unit, "")
        .await
        .map_err(Unavailable::internal)?;
    let ways = ways(engine, repo_id, &file, &sources).await?;
    let mut sink = FlightSink::new(&engine.blobs, flight);
    let mut failure = Unavailable::NotFound("the catalog has no entry for it".to_owned());
    for way in ways {
        if way.is_held {
            sink.keep_back();
        }
        match way.session.get(way.request, &mut sink).await {
            Ok(fetched) => {
                flight.verify(fetched.hashed.clone());
                let spool = sink.finish(fetched.hashed.size);
                let spool = spool.map_err(Unavailable::internal)?;
                keep(engine, spool, &fetched.hashed).await?;
                note(engine, unit, &fetched.hashed).await?;
                learn(engine, (unit, &file), &fetched).await?;
                return Ok(fetched.hashed);
            }
            Err(error) => {
                tracing::info!(%error, %unit, "a source does not have a file");
                failure = error.into();
                if way.is_openly {
                    failure = failure.because(
                        "the repository that it was copied from is gone, and its feed was asked without credentials",
                    );
                }
            }
        }
    }
    Err(failure)
}

/// The file when the unit has it already. A file that is in the store because others have it is none of the unit's: to know a
/// digest is not to have the file.
async fn here(engine: &Arc<Engine>, file: &UnitFile) -> Result<Option<Hashed>, Unavailable> {
    let Some(sha256) = file.blob.filter(|_| file.downloaded || file.lost) else {
        return Ok(None);
    };
    if !engine.has(sha256).await? {
        return Ok(None);
    }
    let size = engine.blobs.size(sha256).await;
    let size = size.map_err(Unavailable::internal)?.unwrap_or_default();
    Ok(Some(Hashed {
        sha256,
        size,
        others: Vec::new(),
    }))
}

/// The places to ask, in this order: alternate content sources, then the feed of the repository that is read, then others', the
/// one synced last first. Those can be anybody's, so they are asked only when it can be told whether what they send is the file.
async fn ways(
    engine: &Arc<Engine>,
    repo_id: &str,
    file: &UnitFile,
    sources: &[FileSource],
) -> Result<Vec<Way>, Unavailable> {
    let is_own = |source: &&FileSource| source.repo_id == repo_id;
    let own = sources.iter().find(is_own);
    let promised = own.is_some_and(|own| own.size.is_some() && !own.digests.is_empty());
    let mut ways = Vec::new();
    // Without an entry nobody knows what must come.
    if let Some(first) = own.or(sources.first()) {
        let supply = Supply::load(engine).await;
        let mut nearby = supply
            .find(engine, &file.type_id, &[file.key_digest])
            .await
            .map_err(Unavailable::internal)?;
        for one in nearby.remove(&file.key_digest).unwrap_or_default() {
            ways.push(Way {
                session: one.session,
                request: request(first, vec![one.url]),
                is_openly: false,
                is_own: true,
                is_moved: false,
                is_held: !promised,
            });
        }
    }
    for source in sources.iter().filter(is_own) {
        let own = engine.ways_of(source).await;
        let own = own.map_err(Unavailable::internal)?.into_iter();
        ways.extend(own.map(|way| Way {
            is_own: true,
            // Whoever promised it did so for another site.
            is_held: !promised || way.is_moved,
            ..way
        }));
    }
    for source in sources.iter().filter(|source| !is_own(source)) {
        let others = engine.ways_of(source).await;
        ways.extend(others.map_err(Unavailable::internal)?);
    }
    let kind = engine.registry.unit_type(&file.type_id);
    let head = kind.map_or(0, |kind| kind.inspected.head());
    let also = inspect::digests(kind, &[]);
    // Whatever a source promises, the unit's own digest counts.
    for way in &mut ways {
        way.request.head_bytes = head;
        way.request.also.clone_from(&also);
        if let Some(sha256) = file.blob
            && !way
                .request
                .expect
                .iter()
                .any(|digest| digest.as_sha256() == Some(sha256))
        {
            let digest = Digest::new(pith_core::Algorithm::Sha256, &sha256.to_string());
            way.request.expect.extend(digest.ok());
        }
    }
    let is_known = |way: &Way| way.request.expect_size.is_some() && !way.request.expect.is_empty();
    ways.retain(|way| way.is_own || is_known(way));
    Ok(ways)
}

async fn keep(
    engine: &Engine,
    spool: pith_blobs::SpoolFile,
    hashed: &Hashed,
) -> Result<(), Unavailable> {
    let kept = engine.blobs.keep_hashed(spool, hashed).await;
    kept.map_err(Unavailable::internal)?;
    let durable = engine.blobs.durable().await;
    durable.map_err(Unavailable::internal)
}

/// Keeps in the unit what its file tells: digests that were worked out on the way, a signature.
async fn learn(
    engine: &Engine,
    (unit, file): (UnitId, &UnitFile),
    fetched: &pith_fetch::Fetched,
) -> Result<(), Unavailable> {
    let Some(kind) = engine.registry.unit_type(&file.type_id) else {
        return Ok(());
    };
    let mut learned = kind.rules.learn(&fetched.head, &fetched.hashed);
    let told = inspect::whole(engine, kind, &fetched.hashed).await;
    match told.map_err(Unavailable::internal)? {
        Ok(told) => learned.extend(told),
        // It is the file that was promised; that it tells nothing is no reason to keep it from who asked.
        Err(refused) => tracing::warn!(%unit, refused, "a file tells nothing of its unit"),
    }
    let told = vec![(unit, &learned)];
    let kept = from_files((engine, &engine.store), &file.type_id, told).await;
    kept.map_err(Unavailable::internal)
}

/// Tells the unit that its file is here.
async fn note(engine: &Arc<Engine>, unit: UnitId, hashed: &Hashed) -> Result<(), Unavailable> {
    let size = i64::try_from(hashed.size).map_err(Unavailable::internal)?;
    let (store, sha256) = (&engine.store, hashed.sha256);
    let save = move || store.unit_set_blob(unit, sha256, size).boxed();
    match saving(engine, save).await {
        // Removed meanwhile: the file is nobody's and goes with the next clean-up.
        Ok(()) | Err(StoreError::Missing { .. }) => {}
        Err(error) => return Err(Unavailable::internal(error)),
    }
    Ok(())
}
