//! The catalog of deferred downloads: where a unit's file can be had, written so that it holds no secret and follows the
//! importer's feed (reference: platform-api §12, rpm §7).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_content::base::{Base, without_password};
use pith_content::unit::{Source, WantedUnit};
use pith_content::{Config, Importer as Plugin};
use pith_core::{Sha256, UnitId};
use pith_fetch::{Request, Session, Upstream};
use pith_store::{FileSource, Store};
use url::Url;

use crate::Engine;
use crate::run::download::MAX_FILE;
use crate::upstream::{feed_base, upstream};

/// Writes the entries of one repository's importer.
pub(crate) struct Cataloger(Option<Of>);

struct Of {
    repo_id: String,
    feed: Option<Base>,
}

impl Cataloger {
    /// For units that no importer can fetch again.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// For the importer of `repo_id`, whose configured feed is `feed`.
    pub(crate) fn of(repo_id: &str, feed: Option<Base>) -> Self {
        Self(Some(Of {
            repo_id: repo_id.to_owned(),
            feed,
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

/// Where a URL that was kept leads with the feed of now.
fn followed(feed: Option<&Base>, kept: &str) -> Option<Url> {
    match feed {
        Some(feed) => feed.follow(kept),
        None => Url::parse(kept).ok(),
    }
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
        settings: impl FnOnce() -> Upstream,
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
}

/// Returns what a catalog entry promises, without where it is.
pub(crate) fn request(source: &FileSource, urls: Vec<Url>) -> Request {
    let size = source.size.and_then(|size| u64::try_from(size).ok());
    Request {
        urls,
        max_size: size.unwrap_or(MAX_FILE),
        expect_size: size,
        expect: source.digests.clone(),
        head_bytes: 0,
    }
}

impl Engine {
    /// Returns the way to follow a catalog entry with the settings and credentials that the importer has now; `None` when the
    /// importer is gone or its settings cannot be used any more, which the log tells.
    pub(crate) async fn way(&self, source: &FileSource) -> pith_store::Result<Option<Way>> {
        if source.repo_id.is_empty() {
            return Ok(self.open_way(source));
        }
        let Some(importer) = self.store.importer_get(&source.repo_id).await? else {
            return Ok(None);
        };
        let Some(plugin) = self.registry.importer(&importer.type_id) else {
            return Ok(None);
        };
        let plugin: &Arc<dyn Plugin> = plugin;
        let fingerprint = format!("{} {}", importer.oid, importer.last_updated);
        let reached = plugin.upstream(&Config::new(importer.config));
        let feed = feed_base(&reached);
        let follow = |kept: &String| followed(feed.as_ref(), kept);
        let urls: Vec<Url> = source.urls.iter().filter_map(follow).collect();
        if urls.is_empty() {
            let repo_id = &source.repo_id;
            tracing::warn!(
                repo_id,
                "a catalog entry cannot be followed: the importer has no feed"
            );
            return Ok(None);
        }
        let session = self.deferred.sessions.of(
            self,
            &format!("importer {}", source.repo_id),
            Sha256::of(fingerprint.as_bytes()),
            || upstream(&reached),
        );
        match session {
            Ok(session) => Ok(Some(Way {
                session,
                request: request(source, urls),
                is_openly: false,
            })),
            Err(error) => {
                tracing::warn!(repo_id = source.repo_id, %error, "an importer's settings cannot be used");
                Ok(None)
            }
        }
    }

    /// Returns the way to follow an entry whose importer is gone: without any settings.
    fn open_way(&self, source: &FileSource) -> Option<Way> {
        let urls = source.urls.iter().filter_map(|url| Url::parse(url).ok());
        let session = self
            .deferred
            .sessions
            .of(self, "nobody", Sha256::of(b""), Upstream::default);
        let failed =
            |error: &_| tracing::warn!(%error, "a file of a feed that is gone cannot be asked for");
        Some(Way {
            session: session.inspect_err(failed).ok()?,
            request: request(source, urls.collect()),
            is_openly: true,
        })
    }

    /// Keeps the entries of a repository's importer for files that other repositories promise, before the importer goes: as
    /// URLs of their own, with no secret of it.
    pub(crate) async fn sources_outlive(
        &self,
        store: &Store,
        repo_id: &str,
    ) -> pith_store::Result<()> {
        let Some(importer) = store.importer_get(repo_id).await? else {
            return Ok(());
        };
        let Some(plugin) = self.registry.importer(&importer.type_id) else {
            return Ok(());
        };
        let feed = feed_base(&plugin.upstream(&Config::new(importer.config)));
        let mut after = None;
        loop {
            let mut batch = store.sources_others_need(repo_id, after, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after = Some(last.unit);
            for source in &mut batch {
                source.repo_id.clear();
                let urls = source.urls.iter();
                let open = |kept: &String| match &feed {
                    Some(feed) => feed.follow_openly(kept),
                    None => Url::parse(kept).ok().map(without_password),
                };
                source.urls = urls.filter_map(open).map(String::from).collect();
            }
            batch.retain(|source| !source.urls.is_empty());
            store.sources_put(&batch).await?;
        }
    }
}
