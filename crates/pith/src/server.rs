//! The server: opens what is needed, puts the parts together, runs until told to stop.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::select_all;
use pith_api::Api;
use pith_blobs::{Ballast, Blobs, OpenFolders, Reserve, Room, StorageUrl};
use pith_content::ContentType;
use pith_core::{Clock, SignedDuration, SystemClock};
use pith_engine::{Engine, Registry, Ssh, run_scheduler, run_workers};
use pith_fetch::{Egress, FetchPolicy, Fetcher, FileFeeds, Slowest};
use pith_pulp::Pulp;
use pith_serve::Protocol;
use pith_store::{Backend, Store};
use pith_trust::Authority;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clear::refuse_passwords_in_the_clear;
use crate::endpoints::Served;
use crate::guards::Guards;
use crate::listener::Limits;
use crate::metrics::Metrics;
use crate::names::{host_name, names};
use crate::options::ServerOptions;
use crate::purpose::about_the_server;
use crate::tls::{CertificateSource, Tls};
use crate::traffic::Traffic;
use crate::workshop::Workshop;
use crate::{admin, authority, content, database, listener, log, memory, private, types};

/// The time for which a server that was told to stop waits for its parts.
const PATIENCE: Duration = Duration::from_secs(4);

/// The longest wait for the file store when somebody asks whether it is ready.
const FILES_PATIENCE: Duration = Duration::from_secs(5);

/// The parts that are served, and what they need.
struct Ends {
    pulp: Arc<Pulp>,
    published: content::Published,
    authority: Arc<Authority>,
}

/// A server that runs in this process.
pub(crate) struct Server {
    /// The address at which it listens for plain HTTP.
    pub(crate) address: SocketAddr,
    /// The address at which it listens for TLS.
    pub(crate) tls_address: Option<SocketAddr>,
    shutdown: CancellationToken,
    /// The engine, for tests that look inside.
    #[cfg(test)]
    pub(crate) engine: Arc<Engine>,
    workers: JoinHandle<pith_engine::Result<()>>,
    scheduler: JoinHandle<()>,
    /// The other parts, which run until told to stop.
    others: Vec<JoinHandle<()>>,
    /// Held as long as the server runs.
    _alone: Option<File>,
    _workshop: Workshop,
}

/// Takes the lock file beside an SQLite database: one process owns it, takes over what the last one left, and answers from
/// memory. The lock ends with the process, however it ends.
///
/// # Errors
/// When another process runs on the database, or the file cannot be made.
fn lock_sqlite(url: &str) -> anyhow::Result<Option<File>> {
    let Some(database) = url.strip_prefix("sqlite://") else {
        return Ok(None);
    };
    private::database(Path::new(database))?;
    let path = PathBuf::from(format!("{database}.lock"));
    let cannot = || format!("cannot lock {}", path.display());
    let file = File::create(&path).with_context(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "another pith runs on {database}: stop it first, give another --data, or use PostgreSQL, which several may share"
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
    }
}

async fn bind(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; give another {option}"))
}

fn address_of(listener: &TcpListener) -> anyhow::Result<SocketAddr> {
    listener
        .local_addr()
        .context("cannot tell the address listened on")
}

impl Server {
    /// Opens everything and starts to listen and to work, for all content types.
    pub(crate) async fn start(options: &ServerOptions) -> anyhow::Result<Self> {
        Self::start_with(options, types::all()).await
    }

    /// Starts it as [`Self::start`] does, with these content types.
    pub(crate) async fn start_with(
        options: &ServerOptions,
        types: Vec<Arc<dyn ContentType>>,
    ) -> anyhow::Result<Self> {
        private::by_default();
        private::data_folder(&options.data)?;
        let plain = bind(options.listen, "--listen").await?;
        options.require_content_sources()?;
        options.folders.require()?;
        if let Some(wrong) = options.idle() {
            anyhow::bail!(wrong);
        }
        let guards = Guards::open(&options.guards)?;
        let secure = match options.tls_address() {
            Some(address) => Some(bind(address, "--tls-listen, or `off`").await?),
            None => None,
        };
        let alone = lock_sqlite(&options.database_url())?;
        let engine = Arc::new(open(options, types).await?);
        let nouns = Pulp::new(Arc::clone(&engine));
        let pulp = Arc::new(nouns.with_upload_quota(options.intake.uploads()));
        admin::ensure(&engine, &options.data).await?;
        let authority = Arc::new(authority::open(&engine.store, options, &names(options)).await?);
        pulp.use_authority(Arc::clone(&authority));
        let guarded = pulp
            .guards_restore()
            .await
            .context("cannot set the guards of what is published")?;
        if guarded > 0 && secure.is_none() && options.guards.repo_auth {
            tracing::warn!(
                guarded,
                "nobody can read what these distributors publish: clients show certificates over TLS, which is off; give --tls-listen"
            );
        }
        let published = content::Published::new(Arc::clone(&engine), guards)?;
        let shutdown = CancellationToken::new();
        let workers = options.worker_count();
        // Each worker, and the one that does nothing on feeds.
        let workshop = Workshop::open(workers + 1)?;
        let mut server = Self {
            address: address_of(&plain)?,
            tls_address: None,
            workers: workshop.spawn(run_workers(
                Arc::clone(&engine),
                Arc::new(pith_pulp::jobs::kinds(&pulp)?),
                workers,
                shutdown.clone(),
            )),
            _workshop: workshop,
            #[cfg(test)]
            engine: Arc::clone(&engine),
            scheduler: tokio::spawn(run_scheduler(
                Arc::clone(&engine),
                pulp.clone(),
                shutdown.clone(),
            )),
            others: Vec::new(),
            shutdown,
            _alone: alone,
        };
        let ends = Ends {
            pulp,
            published,
            authority,
        };
        server.serve(options, ends, (plain, secure))?;
        Ok(server)
    }

    /// Serves the API and what is published at both addresses.
    fn serve(
        &mut self,
        options: &ServerOptions,
        ends: Ends,
        (plain, secure): (TcpListener, Option<TcpListener>),
    ) -> anyhow::Result<()> {
        let Ends {
            pulp,
            published,
            authority,
        } = ends;
        let engine = Arc::clone(&pulp.engine);
        // Without TLS in here a proxy may be in front: it decides who comes how, and everything is shown.
        let protocol = match secure {
            Some(_) => Protocol::Http,
            None => Protocol::Any,
        };
        let roots: Vec<&str> = engine.registry.roots().map(|root| root.path).collect();
        let traffic = Arc::new(Traffic::new(&pith_api::routes::groups(), &roots));
        let limits = Limits::of(&options.limits, Arc::clone(&traffic));
        let whole = Api::new(Arc::clone(&pulp));
        let counted = (traffic, Arc::clone(&limits.connections));
        let metrics = Metrics::new(Arc::clone(&engine), counted, whole.gate(), &options.metrics);
        let api = whole.router().merge(metrics.router());
        let guarded = api.clone().layer(middleware::from_fn_with_state(
            options.allow_plain_http,
            refuse_passwords_in_the_clear,
        ));
        let app_of = |api, protocol, passwords| {
            let served = Served {
                endpoints: whole.endpoints(),
                published: Arc::new(published.seen_by(protocol)),
                passwords,
            };
            app(&engine, api, served.before(published.router(protocol)))
        };
        if let Some(listener) = secure {
            self.tls_address = Some(address_of(&listener)?);
            let clock = Arc::clone(&engine.clock);
            let tls = Tls::new(authority, clock, tls_source(options))?;
            self.spawn(Arc::clone(&tls).renew(self.shutdown.clone()));
            let app = app_of(api, Protocol::Https, true);
            self.listen(listener, Some(tls), app, &limits);
        }
        let app = app_of(guarded, protocol, options.allow_plain_http);
        self.listen(plain, None, app, &limits);
        self.spawn(limits.connections.watch(self.shutdown.clone()));
        self.spawn(memory::give_back(self.shutdown.clone()));
        self.spawn(published.follow(self.shutdown.clone()));
        self.spawn(published.follow_revocations(self.shutdown.clone()));
        Ok(())
    }

    fn listen(
        &mut self,
        listener: TcpListener,
        tls: Option<Arc<Tls>>,
        app: Router,
        limits: &Limits,
    ) {
        let (limits, shutdown) = (limits.clone(), self.shutdown.clone());
        self.spawn(listener::serve(listener, tls, app, limits, shutdown));
    }

    fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.others.push(tokio::spawn(work));
    }

    /// Stops: no new connection, open requests end, running tasks are left for the next start to run again.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let Self {
            workers,
            scheduler,
            others,
            ..
        } = self;
        let parts = async {
            for other in others {
                other.await.context("a part of the server failed")?;
            }
            anyhow::Ok(())
        };
        let working = async {
            workers
                .await
                .context("the workers failed")?
                .context("the workers failed")
        };
        let scheduling = async { scheduler.await.context("the scheduler failed") };
        // What hangs in the database or on a disk is left: its leases run out, its tasks are taken over.
        let all = async { tokio::try_join!(parts, working, scheduling) };
        match tokio::time::timeout(PATIENCE, all).await {
            Ok(stopped) => stopped.map(drop),
            Err(_) => {
                tracing::warn!("what did not stop in time is left");
                Ok(())
            }
        }
    }

    /// Returns when the process is told to stop, or a part of the server ended by itself.
    pub(crate) async fn run_until_told(mut self) -> anyhow::Result<()> {
        let told = told_to_stop()?;
        tokio::select! {
            () = told => {}
            ended = &mut self.workers => {
                ended.context("the workers failed")?.context("the workers failed")?;
                anyhow::bail!("the workers stopped by themselves");
            }
            ended = &mut self.scheduler => {
                ended.context("the scheduler failed")?;
                anyhow::bail!("the scheduler stopped by itself");
            }
            // A listener, or what keeps certificates and mounts fresh: nothing in here could make it anew.
            (ended, ..) = select_all(&mut self.others) => {
                ended.context("a part of the server failed")?;
                anyhow::bail!("a part of the server stopped by itself");
            }
        }
        tracing::info!("stopping");
        self.stop().await
    }
}

/// `pith serve`.
pub(crate) async fn run(options: &ServerOptions) -> anyhow::Result<()> {
    log::start("info");
    let server = Server::start(options).await?;
    let tls = server.tls_address.map(|address| address.to_string());
    tracing::info!(address = %server.address, tls, data = %options.data.display(), "ready");
    server.run_until_told().await
}

fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

async fn open(options: &ServerOptions, types: Vec<Arc<dyn ContentType>>) -> anyhow::Result<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let data = std::path::absolute(&options.data).context("cannot resolve the data folder")?;
    let database = options.database_folder();
    make_way(options.reserve, database.as_deref());
    let store = database::open(options).await?;
    let storage = match &options.storage {
        Some(url) => url.parse::<StorageUrl>().context("cannot use --storage")?,
        None => StorageUrl::default_in(&data),
    };
    require_files(&storage, &store, options.accept_lost_files).await?;
    let blobs = Blobs::open(&storage, &data)
        .await
        .context("cannot open the file store")?;
    sweep(&blobs, store.backend()).await?;
    let registry = Registry::new(types).context("cannot register the content types")?;
    let indexes: Vec<(&str, &str)> = registry
        .unit_types()
        .flat_map(|unit| unit.indexed.iter().map(|field| (unit.id, *field)))
        .collect();
    store
        .ensure_unit_indexes(&indexes)
        .await
        .context("cannot index the units")?;
    let content_sources = match &options.content_sources {
        Some(folder) => folder.clone(),
        None => data.join("content-sources"),
    };
    let own = [data.clone(), content_sources.clone()];
    let own = own_files(options, own.into(), &storage)?;
    let exports = OpenFolders::new(&absolute(&options.folders.allow_exports_to)?, &own);
    let exports = exports.context("cannot use a folder of --allow-exports-to")?;
    let ssh = ssh(options, &data, &own, store.backend())?;
    let fetcher = Fetcher::new(fetch_policy(options, own)?);
    let engine = Engine::new(store, blobs, fetcher, registry, clock, host_name());
    Ok(engine
        .with_content_sources(content_sources)
        .with_publication_grace(options.publication_grace.0)
        .with_reserve(options.reserve, database.as_deref())
        .with_kept_versions(options.keep_versions)
        .with_exports(exports)
        .with_ssh(ssh)
        .with_feed_task_limit(options.intake.feed_task())
        .with_lost_after(SignedDuration::from_secs(options.lost_after)))
}

/// Removes what a killed process left in the spool, which is of no use to anybody; with one process all of it is old.
async fn sweep(blobs: &Blobs, backend: Backend) -> anyhow::Result<()> {
    let age = match backend {
        Backend::Sqlite => Duration::ZERO,
        Backend::Postgres => Duration::from_hours(24),
    };
    let swept = blobs.sweep_spool(age).await;
    let files = swept.context("cannot clean the spool")?;
    if files > 0 {
        tracing::info!(files, "removed what an interrupted run left in the spool");
    }
    Ok(())
}

/// The way to other machines, as the operator opened it. `own` are the server's own files.
fn ssh(
    options: &ServerOptions,
    data: &Path,
    own: &[PathBuf],
    backend: Backend,
) -> anyhow::Result<Ssh> {
    let folders = &options.folders;
    let keys = OpenFolders::new(&absolute(&folders.allow_ssh_keys)?, own);
    Ok(Ssh {
        keys: keys.context("cannot use a folder of --allow-ssh-keys")?,
        // Several processes would each believe the first machine that they meet.
        is_closed: folders.ssh_known_hosts.is_some() || backend == Backend::Postgres,
        known_hosts: match &folders.ssh_known_hosts {
            Some(file) => std::path::absolute(file).context("cannot use --ssh-known-hosts")?,
            None => std::path::absolute(data.join("known_hosts"))?,
        },
    })
}

/// Makes sure that the file store is there when the database knows files: an empty folder may be the place of a disk that is
/// not mounted, and whatever is written there would be hidden once it is.
async fn require_files(
    storage: &StorageUrl,
    store: &Store,
    accept_lost: bool,
) -> anyhow::Result<()> {
    let bare = storage.is_bare().context("cannot look at the file store")?;
    let knows = store.knows_blobs().await;
    if !bare || !knows.context("cannot ask the database for files")? {
        return Ok(());
    }
    if accept_lost {
        tracing::warn!(
            "starting without the files that the database knows: `pith repo download ID --verify-all` fetches those of the \
             feed again, a publish with --force-full writes what pith made"
        );
        return Ok(());
    }
    anyhow::bail!(
        "the file store is empty, and the database knows files: mount its disk or give the right --storage; if the files are \
         lost for good, start once with --accept-lost-files"
    )
}

/// The files and folders that the server keeps for itself, `own` and elsewhere.
fn own_files(
    options: &ServerOptions,
    mut own: Vec<PathBuf>,
    storage: &StorageUrl,
) -> anyhow::Result<Vec<PathBuf>> {
    if let StorageUrl::Local(folder) = storage {
        own.push(folder.clone());
    }
    let keys = [
        &options.tls_key,
        &options.authority_key,
        &options.secrets_key,
    ];
    own.extend(keys.into_iter().flatten().cloned());
    if let Some(database) = options.database_url().strip_prefix("sqlite://") {
        own.extend(["", "-shm", "-wal"].map(|end| PathBuf::from(format!("{database}{end}"))));
    }
    absolute(&own)
}

fn absolute(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let paths = paths.iter().map(std::path::absolute);
    let paths = paths.collect::<Result<Vec<_>, _>>();
    paths.context("cannot resolve a path of the options")
}

/// Tells where feeds may be: never among the files that the server keeps for itself.
fn fetch_policy(options: &ServerOptions, own: Vec<PathBuf>) -> anyhow::Result<FetchPolicy> {
    let allowed = absolute(&options.folders.allow_file_feeds)?;
    let private = options.private_feeds();
    Ok(FetchPolicy {
        files: FileFeeds::below(allowed).without(own),
        egress: Egress {
            allow_loopback: private,
            allow_private: private,
            ..Egress::default()
        },
        slowest: Slowest::per_second(options.intake.feed_min_speed),
        longest: options.intake.feed_file(),
        ..FetchPolicy::default()
    })
}

/// A server that starts on a full disk needs a little of it before it can make room.
fn make_way(reserve: Reserve, database: Option<&Path>) {
    let Some(folder) = database else { return };
    let room = Room::new(reserve, vec![folder.to_owned()]);
    if room.left().is_some_and(|left| left.is_lowest()) {
        Ballast::new(folder, reserve).give_up();
    }
}

fn app(engine: &Arc<Engine>, api: Router, content: Router) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(Arc::clone(engine)))
        .route_layer(middleware::map_request(about_the_server))
        .merge(api)
        .merge(content)
}

/// The source of the server's certificate.
fn tls_source(options: &ServerOptions) -> CertificateSource {
    match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => {
            CertificateSource::Files(certificate.clone(), key.clone())
        }
        _ => CertificateSource::Authority(names(options)),
    }
}

/// Tells whether the database answers, and whether the file store can be written.
async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    let away = |text: String| (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    if let Err(error) = engine.store.ping().await {
        // For the operator alone: it may say where the database is.
        tracing::warn!(%error, "the database does not answer");
        return away("the database does not answer\n".to_owned());
    }
    match tokio::time::timeout(FILES_PATIENCE, engine.blobs.ping()).await {
        Ok(Ok(())) => "ok\n".into_response(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the file store does not work");
            away("the file store does not work\n".to_owned())
        }
        Err(_) => away(format!(
            "the file store did not answer within {FILES_PATIENCE:?}\n"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_on_an_sqlite_database_until_the_first_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/made/pith.db", folder.path().display());
        let first = lock_sqlite(&url).unwrap();
        assert!(first.is_some());
        let error = lock_sqlite(&url).unwrap_err().to_string();
        assert!(error.contains("another pith runs on"), "{error}");
        drop(first);
        assert!(lock_sqlite(&url).unwrap().is_some());
        assert!(lock_sqlite("postgres://host/name").unwrap().is_none());
    }
}
