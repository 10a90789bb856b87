//! The catalog of deferred downloads: where a unit's file can be had, written so that it holds no secret and follows the
//! importer's feed (pulp2/deferred-files).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_content::base::{Base, without_password};
use pith_content::unit::{Source, WantedUnit};
use pith_content::{Config, Importer as Plugin};
use pith_core::{Sha256, UnitId};
use pith_fetch::{DownloadSettings, Request, Session};
use pith_store::{FileSource, Store};
use url::Url;

use crate::Engine;
use crate::run::download::MAX_FILE;
use crate::upstream::upstream;

/// Writes the entries of one repository's importer.
pub(crate) struct CatalogWriter(Option<Of>);

struct Of {
    repo_id: String,
    feed: Option<Base>,
    site: String,
    in_internet: bool,
}

impl CatalogWriter {
    /// Makes no entries: for units that no importer can fetch again.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Makes entries for the importer of `repo_id`, whose configured feed is `feed`, in a run that reads `read`, perhaps in the
    /// internet.
    pub(crate) fn of(
        repo_id: &str,
        feed: Option<Base>,
        (read, in_internet): (Option<Base>, bool),
    ) -> Self {
        Self(Some(Of {
            repo_id: repo_id.to_owned(),
            feed,
            site: read.map(|read| read.site()).unwrap_or_default(),
            in_internet,
        }))
    }

    /// The entry of a unit that is to be downloaded.
    pub(crate) fn entry(&self, id: UnitId, unit: &WantedUnit) -> Option<FileSource> {
        let of = self.0.as_ref()?;
        let Some(Source::Download {
            urls,
            size,
            digests,
            ..
        }) = &unit.source
        else {
            return None;
        };
        Some(FileSource {
            unit: id,
            path: String::new(),
            repo_id: of.repo_id.clone(),
            site: of.site.clone(),
            in_internet: of.in_internet,
            urls: urls.iter().map(|url| kept(of.feed.as_ref(), url)).collect(),
            size: size.and_then(|size| i64::try_from(size).ok()),
            digests: digests.clone(),
        })
    }
}

/// A URL as it is kept: relative to the feed where that leads to the same place, and never with a password or the feed's
/// token.
pub(crate) fn kept(feed: Option<&Base>, url: &Url) -> String {
    match feed {
        Some(feed) => feed.keep(url),
        None => without_password(url.clone()).into(),
    }
}

/// Tells whether entries of a feed at `site` may follow a feed that is there now: what came over the network never leads to
/// files of this machine, nor the other way round. Of old entries from servers nobody knows the site.
fn follows(site: &str, feed: &Base) -> bool {
    let is_local = |site: &str| site.starts_with("file:");
    is_local(site) == is_local(&feed.site())
}

/// Splits kept URLs into those of their own and those relative to a feed.
fn split(urls: &[String]) -> (Vec<Url>, Vec<&String>) {
    let (mut own, mut relative) = (Vec::new(), Vec::new());
    for kept in urls {
        match Url::parse(kept) {
            Ok(url) => own.push(url),
            Err(_) => relative.push(kept),
        }
    }
    (own, relative)
}

/// Entries rewritten at once.
const BATCH: i64 = 2000;

/// Connections kept at hand, over all importers.
const MOST_SESSIONS: usize = 1024;

/// Connections for deferred downloads, one set an importer or content source, so that its limits hold over all files.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, (Sha256, Session)>>);

impl Sessions {
    /// The connections of `owner`, made anew when the settings changed.
    pub(crate) fn of(
        &self,
        engine: &Engine,
        owner: &str,
        fingerprint: Sha256,
        settings: impl FnOnce() -> DownloadSettings,
    ) -> Result<Session, pith_fetch::FetchError> {
        let mut sessions = self.0.lock();
        if let Some((known, session)) = sessions.get(owner)
            && *known == fingerprint
        {
            return Ok(session.clone());
        }
        let session = engine.fetcher.session(settings())?;
        // Those of importers that are gone go with the others; who downloads keeps theirs.
        if sessions.len() >= MOST_SESSIONS {
            sessions.clear();
        }
        sessions.insert(owner.to_owned(), (fingerprint, session.clone()));
        Ok(session)
    }
}

/// The way to get a file through one importer or content source.
pub(crate) struct Way {
    /// Its connections.
    pub(crate) session: Session,
    /// The files to ask for and what must come.
    pub(crate) request: Request,
    /// Is true when nobody has credentials any more, because the importer is gone.
    pub(crate) is_openly: bool,
    /// Is true when the repository that is read named it, or the server's own settings.
    pub(crate) is_own: bool,
    /// Is true when it is at another site than the one that named it.
    pub(crate) is_moved: bool,
    /// Is true when nothing of it leaves before all of it is verified.
    pub(crate) is_held: bool,
}

impl Way {
    fn new(session: &Session, source: &FileSource, urls: Vec<Url>) -> Self {
        Self {
            // Readers are told what failed, and may be anybody.
            session: session.discreet(true),
            request: request(source, urls),
            is_openly: source.repo_id.is_empty(),
            is_own: false,
            is_moved: false,
            is_held: true,
        }
    }
}

/// Returns what a catalog entry promises, without where it is.
pub(crate) fn request(source: &FileSource, urls: Vec<Url>) -> Request {
    let size = source.size.and_then(|size| u64::try_from(size).ok());
    Request {
        expect_size: size,
        expect: source.digests.clone(),
        ..Request::new(urls, size.unwrap_or(MAX_FILE))
    }
}

impl Engine {
    /// Returns the ways to follow a catalog entry with the settings and credentials that the importer has now; none when the importer is
    /// gone, or its settings cannot be used any more, which the log tells.
    ///
    /// What an entry keeps relative to the feed follows it to another place of the same kind. A URL of its own belongs to the
    /// site that it came from: once the feed is another one's, it is asked for without its credentials.
    pub(crate) async fn ways_of(&self, source: &FileSource) -> pith_store::Result<Vec<Way>> {
        let (own, relative) = split(&source.urls);
        if source.repo_id.is_empty() {
            let open = self.open_way(source, own, DownloadSettings::default(), "");
            return Ok(open.into_iter().collect());
        }
        let Some(importer) = self.store.importer_get(&source.repo_id).await? else {
            return Ok(Vec::new());
        };
        let Some(plugin) = self.registry.importer(&importer.type_id) else {
            return Ok(Vec::new());
        };
        let plugin: &Arc<dyn Plugin> = plugin;
        let fingerprint = format!("{} {}", importer.oid, importer.last_updated);
        let reached = plugin.upstream(&Config::new(importer.config));
        let feed = reached.base();
        let feed = feed.filter(|feed| follows(&source.site, feed));
        let is_at_home = |feed: &Base| source.site.is_empty() || source.site == feed.site();
        let has_moved = feed.is_none_or(|feed| source.site != feed.site());
        let (mut at_feed, mut elsewhere) = (Vec::new(), own);
        if let Some(feed) = feed {
            if is_at_home(feed) {
                let urls = source.urls.iter();
                (at_feed, elsewhere) = (
                    urls.filter_map(|kept| feed.follow(kept)).collect(),
                    Vec::new(),
                );
            } else {
                at_feed = relative
                    .iter()
                    .filter_map(|kept| feed.follow(kept))
                    .collect();
            }
        }
        if at_feed.is_empty() && elsewhere.is_empty() {
            let repo_id = &source.repo_id;
            tracing::warn!(
                repo_id,
                "a catalog entry cannot be followed: the importer has no feed of its kind; sync it again"
            );
        }
        let mut ways = Vec::new();
        if !at_feed.is_empty() {
            // At its own site only: another feed may be anywhere that the settings allow.
            let in_internet = source.in_internet && !has_moved;
            let owner = format!("importer {} {in_internet}", source.repo_id);
            let settings = || DownloadSettings {
                in_internet,
                ..upstream(&reached)
            };
            let digest = Sha256::of(fingerprint.as_bytes());
            let session = self.deferred.sessions.of(self, &owner, digest, settings);
            match session {
                Ok(session) => ways.push(Way {
                    is_moved: has_moved,
                    ..Way::new(&session, source, at_feed)
                }),
                Err(error) => {
                    tracing::warn!(repo_id = source.repo_id, %error, "an importer's settings cannot be used");
                }
            }
        }
        if !elsewhere.is_empty() {
            let settings = upstream(&reached);
            ways.extend(self.open_way(source, elsewhere, settings, &fingerprint));
        }
        Ok(ways)
    }

    /// Returns the way to ask for URLs of an entry that nobody has credentials for (any more): what its site's documents could name.
    fn open_way(
        &self,
        source: &FileSource,
        urls: Vec<Url>,
        settings: DownloadSettings,
        fingerprint: &str,
    ) -> Option<Way> {
        let home = Url::parse(&source.site).ok();
        let settings = DownloadSettings {
            in_internet: source.in_internet,
            ..settings.openly(home)
        };
        let fingerprint = Sha256::of(fingerprint.as_bytes());
        let owner = format!(
            "{} openly at {} {}",
            source.repo_id, source.site, source.in_internet
        );
        let session = self
            .deferred
            .sessions
            .of(self, &owner, fingerprint, || settings);
        let failed = |error: &_| {
            tracing::warn!(%error, "a file of a feed that is gone cannot be asked for");
        };
        let session = session.inspect_err(failed).ok()?;
        Some(Way::new(&session, source, urls))
    }

    /// Keeps the entries of a repository's importer for files that other repositories promise, before the importer goes: as
    /// URLs of their own, with no secret of it.
    pub async fn sources_outlive(&self, store: &Store, repo_id: &str) -> pith_store::Result<()> {
        let Some(importer) = store.importer_get(repo_id).await? else {
            return Ok(());
        };
        let Some(plugin) = self.registry.importer(&importer.type_id) else {
            return Ok(());
        };
        let reached = plugin.upstream(&Config::new(importer.config));
        let feed = reached.base();
        let mut after = None;
        loop {
            let mut batch = store.sources_others_need(repo_id, after, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after = Some(last.unit);
            for source in &mut batch {
                source.repo_id.clear();
                let feed = feed.filter(|feed| follows(&source.site, feed));
                let urls = source.urls.iter();
                let open = |kept: &String| match feed {
                    Some(feed) => feed.follow_openly(kept),
                    None => Url::parse(kept).ok().map(without_password),
                };
                source.urls = urls.filter_map(open).map(String::from).collect();
                if let Some(feed) = feed.filter(|feed| source.site != feed.site()) {
                    // Where it is promised from now on, nobody knows of its network.
                    (source.site, source.in_internet) = (feed.site(), false);
                }
            }
            batch.retain(|source| !source.urls.is_empty());
            store.sources_put(&batch).await?;
        }
    }
}
