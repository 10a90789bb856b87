//! Published content: the mounts of the database shown by the content server.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use futures::{StreamExt, TryStreamExt};
use parking_lot::Mutex;
use pith_core::{RelativePath, Sha256, UnitId};
use pith_engine::deferred::DeferredFile;
use pith_engine::{Engine, MountListener};
use pith_serve::{Content, MountRow, MountTable, OnDemand, Opened, Protocol, Root, Unavailable};
use tokio_util::sync::CancellationToken;

/// Where published content appears, and whether its directories have a `listing` (reference: platform-api §13.2).
const ROOTS: [(&str, bool); 2] = [("pulp/repos", true), ("pulp/isos", false)];

/// Keeps the content server's table of mounts like the database's.
pub(crate) struct Mounts {
    engine: Arc<Engine>,
    table: Arc<MountTable>,
    content: Arc<Content>,
    /// The generation of the mounts last read.
    generation: Mutex<Option<i64>>,
}

impl Mounts {
    pub(crate) fn new(engine: Arc<Engine>) -> Arc<Self> {
        let table = Arc::new(MountTable::new(engine.blobs.clone()));
        let roots = ROOTS
            .into_iter()
            .filter_map(|(prefix, listing)| {
                let root = Root::new(RelativePath::new(prefix).ok()?);
                Some(if listing { root.with_listing() } else { root })
            })
            .collect();
        let mounts: Arc<dyn pith_serve::Mounts> = Arc::clone(&table) as _;
        let on_demand = Arc::new(Deferred(Arc::clone(&engine)));
        let content = Content::new(engine.blobs.clone(), mounts, roots).with_on_demand(on_demand);
        let content = Arc::new(content);
        Arc::new(Self {
            engine,
            table,
            content,
            generation: Mutex::new(None),
        })
    }

    /// The routes of published content, as a listener of this protocol shows them.
    pub(crate) fn router(&self, protocol: Protocol) -> Router {
        self.content.router(protocol)
    }

    /// Reads the mounts again when they changed. What cannot be read stays as it was and is tried again.
    pub(crate) async fn refresh(&self) {
        if let Err(error) = self.try_refresh().await {
            tracing::error!(%error, "cannot read the mounts; what is served stays as it was");
        }
    }

    async fn try_refresh(&self) -> pith_store::Result<()> {
        let generation = self.engine.store.mounts_generation().await?;
        if *self.generation.lock() == Some(generation) {
            return Ok(());
        }
        let rows = self.engine.store.mounts_all().await?;
        self.table
            .refresh(rows.into_iter().filter_map(row).collect());
        *self.generation.lock() = Some(generation);
        Ok(())
    }

    /// Follows changes made by other processes until `shutdown` fires.
    pub(crate) async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        let mut wakeups = self.engine.store.wakeups();
        while let Some(Ok(())) = shutdown.run_until_cancelled(wakeups.changed()).await {
            self.refresh().await;
        }
    }
}

/// The engine gets the files that are not here.
struct Deferred(Arc<Engine>);

#[async_trait]
impl OnDemand for Deferred {
    async fn open(&self, unit: [u8; 16]) -> Result<Opened, Unavailable> {
        let file = self.0.deferred_open(UnitId(uuid::Uuid::from_bytes(unit)));
        Ok(match file.await.map_err(|why| unavailable(&why))? {
            DeferredFile::Here(stored) => {
                let blobs = self.0.blobs.clone();
                Opened {
                    size: stored.size,
                    read: Box::new(move |range| blobs.read(stored.sha256, Some(range))),
                }
            }
            DeferredFile::Coming(coming) => Opened {
                size: coming.size(),
                read: Box::new(move |range| {
                    let pieces = coming.read(range);
                    pieces
                        .map_err(|why| pith_blobs::Error::Incoming(unavailable(&why).into()))
                        .boxed()
                }),
            },
        })
    }
}

fn unavailable(why: &pith_engine::deferred::Unavailable) -> Unavailable {
    Unavailable {
        status: why.status(),
        message: why.to_string(),
    }
}

fn row(mount: pith_store::Mount) -> Option<MountRow> {
    let publication: Sha256 = mount.index_blob;
    let prefix = RelativePath::new(mount.prefix).ok()?;
    Some(MountRow {
        prefix,
        publication,
        http: mount.http,
        https: mount.https,
    })
}

#[async_trait]
impl MountListener for Mounts {
    async fn mounts_changed(&self) {
        self.refresh().await;
    }
}
