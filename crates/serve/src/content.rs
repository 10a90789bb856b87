//! The published tree over HTTP.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use pith_blobs::{Blobs, EntryKindRef, Error, IndexEntryRef, Result};
use pith_core::{Area, Purpose, RequestNotes, Sha256};
use pith_trust::PeerCertificate;
use tokio::sync::Semaphore;

use crate::access::{Access, Caller, Pass};
use crate::body::{Origin, Place};
use crate::listing::{Page, Row, of_publication};
use crate::on_demand::{OnDemand, Unavailable};
use crate::outgoing::{Client, Outgoing};
use crate::path::{RequestPath, directory_url};
use crate::respond::{Representation, elsewhere, html, method_not_allowed, moved, plain};
use crate::root::{LISTING, ServedRoot};
use crate::small::{SMALL, SmallBlobs};
use crate::{MountRow, Mounts, Protocol, Resolved};

/// The most units that are remembered to have their files.
const MOST_ARRIVED: usize = 100_000;
/// Pages of directories that are made at once.
const PAGES_AT_ONCE: usize = 2;
/// Memory for small blobs, in bytes.
const SMALL_BLOBS: usize = 16 * 1024 * 1024;

/// Everything that serving needs; one for the process.
pub struct Content {
    blobs: Blobs,
    mounts: Arc<dyn Mounts>,
    roots: Vec<ServedRoot>,
    on_demand: Option<Arc<dyn OnDemand>>,
    access: Option<Access>,
    small: SmallBlobs,
    /// The right to make the page of a directory.
    listing: Arc<Semaphore>,
    /// The memory for requests that do not say on which connection they came.
    outgoing: Outgoing,
    /// Units whose files are known to have come.
    arrived: Mutex<HashSet<[u8; 16]>>,
}

impl Content {
    /// Serves what `mounts` says, below `roots` only.
    #[must_use]
    pub fn new(blobs: Blobs, mounts: Arc<dyn Mounts>, roots: Vec<ServedRoot>) -> Self {
        Self {
            blobs,
            mounts,
            roots,
            on_demand: None,
            access: None,
            small: SmallBlobs::new(SMALL_BLOBS),
            listing: Arc::new(Semaphore::new(PAGES_AT_ONCE)),
            outgoing: Outgoing::default(),
            arrived: Mutex::default(),
        }
    }

    /// Asks `on_demand` for files that are not in the store; without it they are 404.
    #[must_use]
    pub fn with_on_demand(mut self, on_demand: Arc<dyn OnDemand>) -> Self {
        self.on_demand = Some(on_demand);
        self
    }

    /// Lets clients read below guarded mounts by these rules; without them nobody does.
    #[must_use]
    pub fn with_access(mut self, access: Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Routes for every root, to be merged into the server's others. `protocol` is that of the listener.
    pub fn router(self: &Arc<Self>, protocol: Protocol) -> Router {
        let mut router = Router::new();
        for root in &self.roots {
            let prefix = root.path();
            for route in [
                format!("/{prefix}"),
                format!("/{prefix}/"),
                format!("/{prefix}/{{*path}}"),
            ] {
                router = router.route(&route, any(handle));
            }
        }
        router.with_state((Arc::clone(self), protocol))
    }

    /// Answers one request.
    pub async fn respond(&self, protocol: Protocol, request: &Parts) -> Response {
        note(request, |notes| notes.asks_for(Purpose::of(Area::Content)));
        if request.method != Method::GET && request.method != Method::HEAD {
            return method_not_allowed();
        }
        let Ok(path) = RequestPath::parse(request.uri.path()) else {
            return plain(StatusCode::BAD_REQUEST);
        };
        let Some(root) = self.roots.iter().find(|root| root.holds(&path.path)) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let mut answer = self.answer(root, protocol, request, &path).await;
        root.mark(answer.headers_mut());
        answer
    }

    async fn answer(
        &self,
        root: &ServedRoot,
        protocol: Protocol,
        request: &Parts,
        path: &RequestPath,
    ) -> Response {
        match self.find(root, protocol, request, path).await {
            Ok(answer) => answer,
            Err(Error::Incoming(why)) if why.is::<Unavailable>() => unavailable(&why),
            Err(error) => {
                tracing::error!(%error, path = path.path, "published content cannot be served");
                // What is lost comes back with the next sync or publish.
                if error.is_away() || error.is_full() || error.is_lost() {
                    return later();
                }
                plain(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    async fn find(
        &self,
        root: &ServedRoot,
        protocol: Protocol,
        request: &Parts,
        path: &RequestPath,
    ) -> Result<Response> {
        let caller = Caller::new(protocol, request);
        let shows = caller.certificate().is_some();
        let Some(located) = self.mounts.locate(&path.path, protocol, shows).await else {
            let answer = self.above_mounts(root, caller, request, path).await?;
            return Ok(match caller.is_known() {
                true => kept_private(answer),
                false => answer,
            });
        };
        let mount = Arc::clone(&located.mount);
        Access::decide(self.access.as_ref(), mount.guard.clone(), caller).await;
        let pass = match Access::admit(self.access.as_ref(), &mount, caller, &path.path) {
            Ok(pass) => pass,
            Err(why) => {
                tracing::debug!(%why, path = path.path, "a guarded path was refused");
                return Ok(plain(StatusCode::FORBIDDEN));
            }
        };
        if mount.guard.is_some()
            && let Some(name) = caller.certificate().and_then(PeerCertificate::name)
        {
            note(request, |notes| notes.is_from(name));
        }
        if !mount.shows(protocol) {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        let found = self.mounts.open(located).await?;
        let answer = self
            .in_publication(root, request, path, (&found, &pass))
            .await?;
        Ok(match mount.guard {
            Some(_) => kept_private(answer),
            None => answer,
        })
    }

    /// The names in a directory above mounts, as far as the caller may read what is below them.
    async fn names(&self, dir: &str, caller: Caller<'_>) -> Vec<String> {
        if let Some(access) = self.access.as_ref().filter(|_| caller.is_known()) {
            let guards = Mutex::new(Vec::new());
            let ask = |mount: &MountRow| {
                let guard = mount.guard.iter();
                let undecided = guard.filter(|guard| access.is_undecided(guard, caller));
                guards.lock().extend(undecided.cloned());
                false
            };
            self.mounts.children(dir, caller.protocol, &ask);
            Access::decide(Some(access), guards.into_inner(), caller).await;
        }
        let admits = |mount: &MountRow| {
            let prefix = mount.prefix.as_str();
            Access::admit(self.access.as_ref(), mount, caller, prefix).is_ok()
        };
        self.mounts.children(dir, caller.protocol, &admits)
    }

    async fn in_publication(
        &self,
        root: &ServedRoot,
        request: &Parts,
        path: &RequestPath,
        (found, pass): (&Resolved, &Pass<'_>),
    ) -> Result<Response> {
        let (publication, rest) = (&*found.publication, found.rest.as_str());
        let mut entry = publication.get(rest)?;
        // A name that holds `%` is asked for as it stands by those who do not know that it is to be encoded.
        if let (None, Some(literal)) = (&entry, path.literal_end(rest)) {
            // Which is another path, for whoever may read one alone.
            if pass.opens(&format!("{}/{literal}", found.mount.prefix)) {
                entry = publication.get(literal)?;
            }
        }
        if let Some(entry) = entry {
            // A file is no directory.
            return if path.is_dir {
                Ok(plain(StatusCode::NOT_FOUND))
            } else {
                self.file(request, found, &entry).await
            };
        }
        if !publication.is_dir(rest)? {
            return self.retired(request, path, found).await;
        }
        let index = index_of(root, found, pass)?;
        if index.is_none() && !root.pages {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        if !path.is_dir {
            return Ok(redirect_to_directory(request, path));
        }
        match index {
            Some(index) => self.file(request, found, &index).await,
            None => {
                let page = self.listed(found, &path.path).await?;
                Ok(self.page(request, page))
            }
        }
    }

    /// The page of a directory, made beside the threads that serve, a few at a time.
    async fn listed(&self, found: &Resolved, url_dir: &str) -> Result<String> {
        let turn = Arc::clone(&self.listing).acquire_owned().await;
        let publication = Arc::clone(&found.publication);
        let (rest, url_dir) = (found.rest.clone(), url_dir.to_owned());
        let made = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            of_publication(&publication, &rest, &url_dir)
        });
        made.await.map_err(|_| Error::Stopping)?
    }

    /// A file that the publication before still had.
    async fn retired(
        &self,
        request: &Parts,
        path: &RequestPath,
        found: &Resolved,
    ) -> Result<Response> {
        if path.is_dir {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        let retired = self.mounts.retired(&found.mount, &found.rest).await?;
        let Some(retired) = retired else {
            return Ok(plain(StatusCode::NOT_FOUND));
        };
        let entry = retired.at(&found.rest);
        self.file(request, found, &entry).await
    }

    /// A directory on the way to mounts, or its `listing`.
    async fn above_mounts(
        &self,
        root: &ServedRoot,
        caller: Caller<'_>,
        request: &Parts,
        path: &RequestPath,
    ) -> Result<Response> {
        let is_root = |dir: &str| dir == root.path().as_str();
        let names = self.names(&path.path, caller).await;
        if is_root(&path.path) || !names.is_empty() {
            if !root.pages {
                return Ok(plain(StatusCode::NOT_FOUND));
            }
            if !path.is_dir {
                return Ok(redirect_to_directory(request, path));
            }
            let mut page = Page::new(&path.path);
            for name in &names {
                page.row(Row {
                    name,
                    is_dir: true,
                    size: 0,
                    mtime: 0,
                });
            }
            if root.listing {
                let size = names
                    .iter()
                    .map(|name| name.len() as u64 + 1)
                    .sum::<u64>()
                    .saturating_sub(1);
                page.row(Row {
                    name: LISTING,
                    is_dir: false,
                    size,
                    mtime: 0,
                });
            }
            return Ok(self.page(request, page.finish()));
        }
        let Some((dir, LISTING)) = path.path.rsplit_once('/') else {
            return Ok(plain(StatusCode::NOT_FOUND));
        };
        let names = self.names(dir, caller).await;
        let exists =
            root.listing && !path.is_dir && root.holds(dir) && (is_root(dir) || !names.is_empty());
        if !exists {
            return Ok(plain(StatusCode::NOT_FOUND));
        }
        let bytes = Bytes::from(names.join("\n"));
        let listing = Representation {
            name: LISTING,
            headers: Some("text/plain"),
            sha256: Sha256::of(&bytes),
            size: bytes.len() as u64,
            mtime: 0,
            origin: Origin::Memory(bytes),
            client: self.client(request),
        };
        listing.answer(request).await
    }

    /// The client that asks: the connection, as far as memory for its answers goes.
    fn client(&self, request: &Parts) -> Arc<Client> {
        let known = request.extensions.get::<Arc<Client>>();
        known.map_or_else(|| self.outgoing.client(), Arc::clone)
    }

    /// A page made for this request, when there is memory to send it.
    fn page(&self, request: &Parts, text: String) -> Response {
        match self.client(request).whole(text.len()) {
            Some(room) => html(room.hold(text.into())),
            None => later(),
        }
    }

    async fn file(
        &self,
        request: &Parts,
        found: &Resolved,
        entry: &IndexEntryRef<'_>,
    ) -> Result<Response> {
        let (sha256, origin) = match entry.kind {
            EntryKindRef::Blob(sha256) => {
                let place = Place::whole(sha256);
                (sha256, self.origin(request, entry, sha256, place).await?)
            }
            EntryKindRef::Slice(slice) => {
                let (sha256, place) = (slice.sha256, Place::of(&slice));
                (sha256, self.origin(request, entry, sha256, place).await?)
            }
            EntryKindRef::Inline(bytes) => {
                let shared = found
                    .publication
                    .inline(entry)
                    .unwrap_or_else(|| Bytes::copy_from_slice(bytes));
                (Sha256::of(bytes), Origin::Memory(shared))
            }
            EntryKindRef::Redirect(location) => return Ok(elsewhere(location, entry.headers)),
            EntryKindRef::Source { id, sha256 } => match self.stored(id, sha256).await? {
                Some(sha256) => {
                    let place = Place::whole(sha256);
                    (sha256, self.origin(request, entry, sha256, place).await?)
                }
                None => {
                    let Some(on_demand) = &self.on_demand else {
                        return Ok(plain(StatusCode::NOT_FOUND));
                    };
                    // Where nobody told the digest, the unit stands for it: its bytes never change.
                    let sha256 = sha256.unwrap_or_else(|| Sha256::of(&id));
                    let repo_id = Arc::clone(&found.mount.repo_id);
                    (sha256, Origin::Later(Arc::clone(on_demand), id, repo_id))
                }
            },
        };
        let size = match &origin {
            // Nobody told the size when this was published: it is known when the bytes begin to come.
            Origin::Later(on_demand, unit, repo_id) if entry.size == 0 => {
                let opened = on_demand.open(*unit, repo_id).await;
                opened.map_err(|why| Error::Incoming(why.into()))?.size
            }
            _ => entry.size,
        };
        let representation = Representation {
            name: entry.path.rsplit('/').next().unwrap_or(entry.path),
            headers: entry.headers,
            sha256,
            size,
            mtime: entry.mtime,
            origin,
            client: self.client(request),
        };
        representation.answer(request).await
    }

    /// The digest, when the file of the unit `id` has that digest and has been fetched before.
    async fn stored(&self, id: [u8; 16], sha256: Option<Sha256>) -> Result<Option<Sha256>> {
        let Some(sha256) = sha256 else {
            return Ok(None);
        };
        let is_here = self.small.get(&sha256).is_some() || self.blobs.contains(sha256).await?;
        if !is_here || !self.has_arrived(id).await? {
            return Ok(None);
        }
        Ok(Some(sha256))
    }

    async fn has_arrived(&self, id: [u8; 16]) -> Result<bool> {
        let Some(on_demand) = &self.on_demand else {
            return Ok(true);
        };
        if self.arrived.lock().contains(&id) {
            return Ok(true);
        }
        let has = on_demand.has(id).await;
        let has = has.map_err(|why| Error::Incoming(why.into()))?;
        if has {
            let mut arrived = self.arrived.lock();
            if arrived.len() >= MOST_ARRIVED {
                arrived.clear();
            }
            arrived.insert(id);
        }
        Ok(has)
    }

    async fn origin(
        &self,
        request: &Parts,
        entry: &IndexEntryRef<'_>,
        sha256: Sha256,
        place: Place,
    ) -> Result<Origin> {
        if entry.size > SMALL || request.method == Method::HEAD {
            return Ok(Origin::Store(self.blobs.clone(), place));
        }
        if let Some(bytes) = self.small.get(&sha256) {
            return Ok(Origin::Small(bytes, self.blobs.clone(), place));
        }
        let bytes = place.read(&self.blobs, entry.size).await?;
        if bytes.len() as u64 != entry.size {
            return Err(Error::DamagedIndex("a blob is smaller than the index says"));
        }
        self.small.insert(sha256, bytes.clone());
        Ok(Origin::Small(bytes, self.blobs.clone(), place))
    }
}

/// The file that stands for a directory of a publication, as far as the caller may read it.
fn index_of<'a>(
    root: &ServedRoot,
    found: &'a Resolved,
    pass: &Pass<'_>,
) -> Result<Option<IndexEntryRef<'a>>> {
    for name in &root.index {
        let within = match found.rest.as_str() {
            "" => name.clone(),
            dir => format!("{dir}/{name}"),
        };
        let entry = found.publication.get(&within)?;
        if entry.is_some() && pass.opens(&format!("{}/{within}", found.mount.prefix)) {
            return Ok(entry);
        }
    }
    Ok(None)
}

/// An answer that is for this client alone: no cache on the way may give it to others.
fn kept_private(mut answer: Response) -> Response {
    let cached = answer.headers().get(CACHE_CONTROL);
    let kept = match cached.and_then(|value| value.to_str().ok()) {
        Some(value) => format!("private, {}", value.trim_start_matches("public, ")),
        None => "private, no-cache".to_owned(),
    };
    if let Ok(value) = HeaderValue::from_str(&kept) {
        answer.headers_mut().insert(CACHE_CONTROL, value);
    }
    answer
}

/// The answer while the files cannot be reached: the same request may succeed in a moment.
fn later() -> Response {
    let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE);
    let seconds = HeaderValue::from_static("10");
    answer.headers_mut().insert(RETRY_AFTER, seconds);
    answer
}

/// The answer of a file that cannot be fetched; what is wrong is in the log of whoever tried.
fn unavailable(why: &pith_blobs::BoxError) -> Response {
    let status = why.downcast_ref::<Unavailable>().map(|why| why.status);
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    plain(status.unwrap_or(StatusCode::BAD_GATEWAY))
}

/// Tells the log of a request, where somebody listens.
fn note(request: &Parts, tell: impl FnOnce(&RequestNotes)) {
    if let Some(notes) = request.extensions.get::<Arc<RequestNotes>>() {
        tell(notes);
    }
}

async fn handle(
    State((content, protocol)): State<(Arc<Content>, Protocol)>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    content.respond(protocol, &parts).await
}

fn redirect_to_directory(request: &Parts, path: &RequestPath) -> Response {
    let url = directory_url(&path.path);
    match request.uri.query() {
        Some(query) => moved(&format!("{url}?{query}")),
        None => moved(&url),
    }
}
