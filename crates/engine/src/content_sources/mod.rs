//! Alternate content sources: places nearer than the feeds, described by files, that downloads ask first
//! (pulp2/content-sources#catalog).

mod settings;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pith_content::UnitKey;
use pith_content::base::Base;
use pith_content::cataloger::{CatalogContext, Offer};
use pith_content::fetch::{Fetch, FetchFailure, Fetched};
use pith_content::{Bent, Cataloger, ContentError};
use pith_core::error::PulpError;
use pith_core::{Sha256, SignedDuration, TaskId, Timestamp};
use pith_fetch::Session;
use pith_store::Alternate;
use url::Url;

use crate::Engine;
use crate::catalog::kept;
use crate::error::{Error, platform};
use crate::jobs::RefreshContentSources;
use crate::run::download::Documents;

pub use settings::ContentSource;

/// The time for which entries are kept after they expired (pulp2/content-sources#catalog).
const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// Largest file of settings, in bytes.
const MAX_SETTINGS: u64 = 1 << 20;
/// The most files of settings that are read.
const MAX_FILES: usize = 1000;

/// A file that an alternate content source has.
#[derive(Clone)]
pub(crate) struct Nearby {
    /// The source.
    pub(crate) source_id: String,
    /// Its connections.
    pub(crate) session: Session,
    /// The URL at which it has the file.
    pub(crate) url: Url,
}

/// The alternate content sources of one run, best first.
#[derive(Default)]
pub(crate) struct Supply(Vec<(ContentSource, Session)>);

impl Supply {
    /// The sources that there are.
    pub(crate) async fn load(engine: &Engine) -> Self {
        let mut supply = Vec::new();
        for source in engine.content_sources().await {
            match engine.session_of(&source) {
                Ok(session) => supply.push((source, session)),
                Err(error) => {
                    tracing::warn!(%error, source = source.id(), "a content source's settings cannot be used");
                }
            }
        }
        supply.sort_by_key(|(source, _)| std::cmp::Reverse(source.priority()));
        Self(supply)
    }

    /// The sources that there are; what has nothing that is still good is read again.
    pub(crate) async fn fresh(engine: &Engine) -> Self {
        let supply = Self::load(engine).await;
        for (source, _) in &supply.0 {
            let any = engine
                .store
                .alternates_any(source.id(), engine.clock.now())
                .await;
            if matches!(any, Ok(false))
                && let Err(error) = engine.refresh_source(source).await
            {
                tracing::warn!(%error, source = source.id(), "a content source cannot be read");
            }
        }
        supply
    }

    /// Finds which of the units these sources have, and where, best first.
    pub(crate) async fn find(
        &self,
        engine: &Engine,
        type_id: &str,
        keys: &[Sha256],
    ) -> pith_store::Result<HashMap<Sha256, Vec<Nearby>>> {
        if self.0.is_empty() || keys.is_empty() {
            return Ok(HashMap::new());
        }
        let found = engine
            .store
            .alternates_of(type_id, keys, engine.clock.now())
            .await?;
        let ranked = |alternates: Vec<Alternate>| -> Vec<Nearby> {
            let of = |(source, session): &(ContentSource, Session)| -> Vec<Nearby> {
                alternates
                    .iter()
                    .filter(|one| one.source_id == source.id())
                    .filter_map(|one| {
                        Some(Nearby {
                            source_id: one.source_id.clone(),
                            session: session.clone(),
                            url: source.base()?.follow(&one.url)?,
                        })
                    })
                    .collect()
            };
            self.0.iter().flat_map(of).collect()
        };
        Ok(found
            .into_iter()
            .map(|(key, alternates)| (key, ranked(alternates)))
            .collect())
    }
}

/// Reads every file of settings; what cannot be read is passed over, and the log says so.
fn read_folder(folder: &Path) -> Vec<ContentSource> {
    let mut paths: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "cannot read the content sources");
            return Vec::new();
        }
    };
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "conf"));
    paths.sort();
    paths.truncate(MAX_FILES);
    let mut sources: Vec<ContentSource> = Vec::new();
    for path in paths {
        let text = match settings::read_text(&path, MAX_SETTINGS) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "cannot read a content source");
                continue;
            }
        };
        for source in settings::parse(&text) {
            match source {
                // The first of one name counts.
                Ok(source) if sources.iter().any(|known| known.id() == source.id()) => {}
                Ok(source) => sources.extend(source.is_enabled().then_some(source)),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a content source is left out");
                }
            }
        }
    }
    sources.sort_by(|a, b| a.id().cmp(b.id()));
    sources
}

impl Engine {
    /// The enabled and valid content sources, by id.
    pub async fn content_sources(&self) -> Vec<ContentSource> {
        let Some(folder) = self.content_sources.clone() else {
            return Vec::new();
        };
        let read = tokio::task::spawn_blocking(move || read_folder(&folder)).await;
        let mut sources = read.unwrap_or_default();
        sources.retain(|source| {
            let known = self.registry.cataloger(source.kind()).is_some();
            if !known {
                tracing::warn!(
                    source = source.id(),
                    kind = source.kind(),
                    "a content source of an unknown type is left out"
                );
            }
            known
        });
        sources
    }

    /// One content source.
    ///
    /// # Errors
    /// 404 when there is none of this id.
    pub async fn content_source(&self, id: &str) -> Result<ContentSource, Error> {
        let sources = self.content_sources().await;
        let found = sources.into_iter().find(|source| source.id() == id);
        found.ok_or_else(|| PulpError::missing_resource(&[("source_id", id)]).into())
    }

    /// Queues reading again what all content sources have.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn content_sources_refresh(&self) -> Result<TaskId, Error> {
        let sources = self.content_sources().await;
        let source_ids = sources
            .iter()
            .map(|source| source.id().to_owned())
            .collect();
        self.enqueue(RefreshContentSources { source_ids }).await
    }

    /// Forgets what a content source has; how many files that were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn content_catalog_delete(&self, source_id: &str) -> Result<u64, Error> {
        self.store
            .alternates_delete(source_id)
            .await
            .map_err(Error::from)
    }

    fn session_of(&self, source: &ContentSource) -> Result<Session, String> {
        let upstream = source.upstream()?;
        let owner = format!("content source {}", source.id());
        self.deferred
            .sessions
            .of(self, &owner, source.fingerprint(), || upstream)
            .map_err(|error| error.to_string())
    }

    /// Reads what a content source has.
    pub(crate) async fn refresh_source(&self, source: &ContentSource) -> Result<(), Error> {
        let cataloger: Arc<dyn Cataloger> =
            self.registry.cataloger(source.kind()).ok_or_else(|| {
                ContentError::other(format!("there is no cataloger {}", source.kind()))
            })?;
        let now = self.clock.now();
        let base = source.base();
        let base = base.ok_or_else(|| ContentError::other("its base_url is no URL"))?;
        let context = Context {
            engine: self,
            session: self.session_of(source).map_err(ContentError::other)?,
            source,
            expires: now.saturating_add(source.expires()).unwrap_or(now),
            base,
        };
        for base in source.folders() {
            let context = Context {
                base,
                session: context.session.clone(),
                ..context
            };
            cataloger.refresh(&context).await?;
        }
        let purge = now.saturating_sub(GRACE).unwrap_or(Timestamp::MIN);
        let purged = self.store.alternates_purge(purge).await;
        purged.map(drop).map_err(Error::from)
    }
}

/// The platform as a cataloger sees it.
struct Context<'a> {
    engine: &'a Engine,
    session: Session,
    source: &'a ContentSource,
    expires: Timestamp,
    base: Base,
}

#[async_trait]
impl CatalogContext for Context<'_> {
    fn base(&self) -> &Base {
        &self.base
    }

    async fn fetch(&self, what: Fetch) -> Result<Fetched, FetchFailure> {
        let documents = Documents {
            blobs: &self.engine.blobs,
            session: &self.session,
            // Nobody reports on a source.
            bent: &Bent::default(),
        };
        documents.fetch(what).await
    }

    async fn offer(&self, offers: Vec<Offer>) -> Result<(), ContentError> {
        let mut entries = Vec::with_capacity(offers.len());
        let root = self.source.base();
        for offer in offers {
            let Some(kind) = self.engine.registry.unit_type(offer.type_id) else {
                continue;
            };
            // What lacks a part of its key cannot be looked for.
            let Ok(key) = UnitKey::of(kind, &offer.key) else {
                continue;
            };
            entries.extend(offer.urls.iter().map(|url| Alternate {
                type_id: offer.type_id.to_owned(),
                key_digest: key.digest(kind),
                source_id: self.source.id().to_owned(),
                url: kept(root.as_ref(), url),
            }));
        }
        self.engine
            .store
            .alternates_put(&entries, self.expires)
            .await
            .map_err(platform)
    }
}
