//! Published content: the mounts of the database shown by the content server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use pith_core::{RelativePath, UnitId};
use pith_engine::Engine;
use pith_engine::deferred::{DeferredFile, Reader};
use pith_serve::{
    Access, Content, Located, MountGuard, MountRow, MountTable, OnDemand, Opened, Pieces, Protocol,
    Resolved, ServedRoot, Unavailable,
};
use pith_store::Retired;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::guards::Guards;

/// The longest wait of a directory for guards that are not made yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// The time between two questions whether the database answers again.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The content server and the mounts it shows.
pub(crate) struct Published {
    content: Arc<Content>,
    mounts: Arc<Mounts>,
}

/// The published content, as it is seen by one protocol.
pub(crate) struct Seen {
    content: Arc<Content>,
    protocol: Protocol,
}

#[async_trait]
impl pith_api::PublishedContent for Seen {
    async fn respond(&self, request: &Parts) -> Response {
        self.content.respond(self.protocol, request).await
    }
}

/// The mounts of the database. A request sees each change that was made before it came, by whichever process.
struct Mounts {
    engine: Arc<Engine>,
    table: MountTable,
    guards: Guards,
    /// The generation of the mounts last read, and the right to read them.
    generation: AsyncMutex<Option<i64>>,
    /// The same, to be looked at without waiting.
    shown: AtomicI64,
    /// The database does not answer. What was published is served all the same, as it was when it last did.
    alone: AtomicBool,
    /// Told when that begins.
    silence: Notify,
}

/// No generation.
const NONE: i64 = -1;

impl Published {
    /// # Errors
    /// When a type gives a root or a header that is none.
    pub(crate) fn new(engine: Arc<Engine>, guards: Guards) -> anyhow::Result<Self> {
        let roots = engine.registry.roots().map(root);
        let roots: Vec<ServedRoot> = roots.collect::<anyhow::Result<_>>()?;
        let prefixes = match guards.prefixes() {
            Some(prefixes) => prefixes.to_vec(),
            None => roots.iter().map(|root| root.path().clone()).collect(),
        };
        let access = Access::new(Arc::clone(&engine.clock), prefixes);
        let mounts = Arc::new(Mounts {
            table: MountTable::new(engine.blobs.clone()),
            engine: Arc::clone(&engine),
            guards,
            generation: AsyncMutex::new(None),
            shown: AtomicI64::new(NONE),
            alone: AtomicBool::new(false),
            silence: Notify::new(),
        });
        let blobs = engine.blobs.clone();
        let on_demand = Arc::new(Deferred(engine));
        let content = Content::new(blobs, Arc::clone(&mounts) as _, roots);
        let content = Arc::new(content.with_on_demand(on_demand).with_access(access));
        Ok(Self { content, mounts })
    }

    /// The routes of published content, as a listener of this protocol shows them.
    pub(crate) fn router(&self, protocol: Protocol) -> Router {
        self.content.router(protocol)
    }

    /// The published content as the clients of a listener of this protocol see it.
    pub(crate) fn seen_by(&self, protocol: Protocol) -> Seen {
        Seen {
            content: Arc::clone(&self.content),
            protocol,
        }
    }

    /// Reads the revocation lists of the server's settings again when their file changed, until `shutdown` fires.
    pub(crate) fn follow_revocations(
        &self,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mounts = Arc::clone(&self.mounts);
        async move {
            while shutdown
                .run_until_cancelled(mounts.guards.revocations_changed())
                .await
                .is_some()
            {
                mounts.forget().await;
                mounts.look().await;
            }
        }
    }

    /// Reads changed mounts before somebody asks for them, until `shutdown` fires.
    pub(crate) fn follow(
        &self,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let mounts = Arc::clone(&self.mounts);
        async move {
            let mut wakeups = mounts.engine.store.wakeups();
            loop {
                mounts.look().await;
                // Before somebody waits for them.
                let pending = mounts.guards.pending();
                let made = shutdown.run_until_cancelled(mounts.make_guards(&pending));
                if made.await.is_none() {
                    return;
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    changed = wakeups.changed() => if changed.is_err() { return },
                    () = mounts.silence.notified() => {}
                    () = tokio::time::sleep(ASK_AGAIN), if mounts.alone.load(Ordering::Relaxed) => {}
                }
            }
        }
    }
}

impl Mounts {
    /// Makes the table as new as the request that asks.
    async fn catch_up(&self) {
        if !self.alone.load(Ordering::Relaxed) {
            self.look().await;
        }
    }

    /// Reads the mounts again when they changed.
    async fn look(&self) {
        let looked = self.try_look().await;
        let was_alone = self.alone.swap(looked.is_err(), Ordering::Relaxed);
        match looked {
            Err(error) if !was_alone => {
                tracing::error!(%error, "cannot read the mounts; what is served stays as it was");
                self.silence.notify_one();
            }
            Ok(()) if was_alone => tracing::info!("the mounts can be read again"),
            _ => {}
        }
    }

    /// Has the mounts read again by whoever asks next, since their guards are others.
    async fn forget(&self) {
        let mut shown = self.generation.lock().await;
        *shown = None;
        self.shown.store(NONE, Ordering::Release);
    }

    /// Makes guards that are not yet made, one after another.
    async fn make_guards(&self, guards: &[Arc<MountGuard>]) {
        for guard in guards {
            self.guards.make(&self.engine, guard).await;
        }
    }

    async fn try_look(&self) -> pith_store::Result<()> {
        let store = &self.engine.store;
        if store.generations().await?.mounts == self.shown.load(Ordering::Acquire) {
            return Ok(());
        }
        // One reads, so that what was read first is not shown last.
        let mut shown = self.generation.lock().await;
        let current = store.generations().await?.mounts;
        if *shown == Some(current) {
            return Ok(());
        }
        // Read after the generation: they are at least as new.
        let rows = store.mounts_all().await?;
        let named = rows.iter().filter_map(|row| row.guard);
        let guards = self.guards.of(&named.collect());
        let rows = rows.into_iter().filter_map(|mount| {
            let guard = guards.of_mount(mount.guard);
            row(mount, guard)
        });
        self.table.refresh(rows.collect());
        *shown = Some(current);
        self.shown.store(current, Ordering::Release);
        Ok(())
    }
}

#[async_trait]
impl pith_serve::Mounts for Mounts {
    async fn locate(&self, path: &str, protocol: Protocol, shows: bool) -> Option<Located> {
        self.catch_up().await;
        let located = self.table.find(path, protocol);
        if !shows {
            return located;
        }
        // What the guard is for waits until it is made, and nothing else does for long: a directory shows what is there by then.
        match &located {
            Some(located) => {
                let pending: Vec<_> = located.mount.guard.iter().cloned().collect();
                self.make_guards(&pending).await;
            }
            None => {
                let dir = path.strip_suffix("/listing").unwrap_or(path);
                let pending = self.table.pending_below(dir);
                let _ = tokio::time::timeout(PATIENCE, self.make_guards(&pending)).await;
            }
        }
        located
    }

    async fn open(&self, located: Located) -> pith_blobs::Result<Resolved> {
        self.table.open(located).await
    }

    async fn retired(
        &self,
        mount: &MountRow,
        path: &str,
    ) -> pith_blobs::Result<Option<pith_blobs::IndexEntry>> {
        let prefix = mount.prefix.as_str();
        let retired = self.engine.retired_path(prefix, mount.retired, path).await;
        let retired = retired.map_err(|error| {
            // Not "not found": it may well be there.
            let why = Unavailable {
                status: 503,
                message: error.to_string(),
            };
            pith_blobs::Error::Incoming(why.into())
        })?;
        Ok(retired.and_then(entry))
    }

    fn children(
        &self,
        dir: &str,
        protocol: Protocol,
        admits: &(dyn Fn(&MountRow) -> bool + Sync),
    ) -> Vec<String> {
        self.table.children(dir, protocol, admits)
    }
}

/// A root as the content server shows it.
fn root(of: &pith_content::Root) -> anyhow::Result<ServedRoot> {
    let cannot = || format!("cannot serve below the root '{}'", of.path);
    let path = RelativePath::new(of.path).with_context(cannot)?;
    let mut root = ServedRoot::new(path).with_index(of.index.iter().copied());
    if of.listing {
        root = root.with_listing();
    }
    if !of.pages {
        root = root.without_pages();
    }
    for (name, value) in of.headers {
        let name: HeaderName = name.parse().with_context(cannot)?;
        root = root.with_header(&name, HeaderValue::from_str(value).with_context(cannot)?);
    }
    Ok(root)
}

/// The content that a retired path showed.
fn entry(retired: Retired) -> Option<pith_blobs::IndexEntry> {
    let size = u64::try_from(retired.size).ok()?;
    let entry = match (retired.unit, retired.blob) {
        (None, Some(blob)) if retired.slice.is_some() => {
            let (sha256, start) = retired.slice?;
            let slice = pith_blobs::Slice {
                sha256,
                blob,
                offset: u64::try_from(start).ok()?,
            };
            pith_blobs::IndexEntry::slice(slice, size, retired.mtime)
        }
        (Some(unit), sha256) => {
            pith_blobs::IndexEntry::source(unit.0.into_bytes(), sha256, size, retired.mtime)
        }
        (None, Some(sha256)) => pith_blobs::IndexEntry::blob(sha256, size, retired.mtime),
        (None, None) => return None,
    };
    Some(entry.with_headers(retired.headers))
}

/// The engine's way to files that are not here.
struct Deferred(Arc<Engine>);

#[async_trait]
impl OnDemand for Deferred {
    async fn open(&self, unit: [u8; 16], repo_id: &str) -> Result<Opened, Unavailable> {
        let unit = UnitId(uuid::Uuid::from_bytes(unit));
        let file = self.0.deferred_open(unit, repo_id);
        Ok(match file.await.map_err(|why| unavailable(&why))? {
            DeferredFile::Here(stored) => {
                let blobs = self.0.blobs.clone();
                Opened {
                    size: stored.size,
                    read: Box::new(move |range| Box::new(blobs.reader(stored.sha256, range))),
                }
            }
            DeferredFile::Coming(coming) => Opened {
                size: coming.size(),
                read: Box::new(move |range| Box::new(Incoming(coming.read(range)))),
            },
        })
    }

    async fn has(&self, unit: [u8; 16]) -> Result<bool, Unavailable> {
        let has = self.0.deferred_has(UnitId(uuid::Uuid::from_bytes(unit)));
        has.await.map_err(|why| unavailable(&why))
    }
}

/// A file that is on its way.
struct Incoming(Reader);

#[async_trait]
impl Pieces for Incoming {
    async fn next(&mut self, most: usize) -> pith_blobs::Result<Bytes> {
        let piece = self.0.next(most).await;
        piece.map_err(|why| pith_blobs::Error::Incoming(unavailable(&why).into()))
    }
}

fn unavailable(why: &pith_engine::deferred::Unavailable) -> Unavailable {
    Unavailable {
        status: why.status(),
        message: why.to_string(),
    }
}

fn row(mount: pith_store::Mount, guard: Option<Arc<MountGuard>>) -> Option<MountRow> {
    let prefix = RelativePath::new(mount.prefix).ok()?;
    Some(MountRow {
        prefix,
        // A group publishes nothing that is not here.
        repo_id: mount.repo_id.unwrap_or_default().into(),
        publication: mount.index_blob,
        http: mount.http,
        https: mount.https,
        retired: mount.retired,
        guard,
    })
}
