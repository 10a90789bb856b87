//! The catalog of deferred downloads: where a unit's file can be had, written so that it holds no secret and follows the
//! importer's feed (reference: platform-api §12, rpm §7).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_content::unit::{Source, WantedUnit};
use pith_content::{Config, Importer as Plugin};
use pith_core::{Sha256, UnitId};
use pith_fetch::{Request, Session, Upstream};
use pith_store::FileSource;
use url::Url;

use crate::Engine;
use crate::run::download::{MAX_FILE, feed_url, resolve};
use crate::upstream::upstream;

/// Writes the entries of one repository's importer.
pub(crate) struct Cataloger(Option<Of>);

struct Of {
    repo_id: String,
    feed: Option<Url>,
}

impl Cataloger {
    /// For units that no importer can fetch again.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// For the importer of `repo_id`, whose configured feed is `feed`.
    pub(crate) fn of(repo_id: &str, feed: Option<Url>) -> Self {
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

/// A URL as it is kept: relative to the feed where that leads to the same place, and never with a password.
fn kept(feed: Option<&Url>, url: &str) -> String {
    let Ok(mut absolute) = Url::parse(url) else {
        return url.to_owned();
    };
    if let Some(feed) = feed
        && let Some(rest) = absolute.as_str().strip_prefix(feed.as_str())
        && let Ok(back) = resolve(Some(feed), &[rest.to_owned()])
        && back == [absolute.clone()]
    {
        return rest.to_owned();
    }
    // What cannot carry a password has none.
    let _ = absolute.set_username("");
    let _ = absolute.set_password(None);
    absolute.into()
}

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

/// How to get a file through one importer or content source.
pub(crate) struct Way {
    /// Its connections.
    pub(crate) session: Session,
    /// What to ask for and what must come.
    pub(crate) request: Request,
}

/// What a catalog entry promises, without where it is.
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
    /// How to follow a catalog entry with the settings and credentials that the importer has now; `None` when the
    /// importer is gone or its settings cannot be used any more, which the log tells.
    pub(crate) async fn way(&self, source: &FileSource) -> pith_store::Result<Option<Way>> {
        let Some(importer) = self.store.importer_get(&source.repo_id).await? else {
            return Ok(None);
        };
        let Some(plugin) = self.registry.importer(&importer.type_id) else {
            return Ok(None);
        };
        let plugin: &Arc<dyn Plugin> = plugin;
        let fingerprint = format!("{} {}", importer.oid, importer.last_updated);
        let reached = plugin.upstream(&Config::new(importer.config));
        let feed = reached.feed.as_deref().and_then(|feed| feed_url(feed).ok());
        let urls = match resolve(feed.as_ref(), &source.urls) {
            Ok(urls) => urls,
            Err(failure) => {
                tracing::warn!(repo_id = source.repo_id, %failure.message, "a catalog entry cannot be followed");
                return Ok(None);
            }
        };
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
            })),
            Err(error) => {
                tracing::warn!(repo_id = source.repo_id, %error, "an importer's settings cannot be used");
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(feed: &str, url: &str) -> String {
        kept(Url::parse(feed).ok().as_ref(), url)
    }

    #[test]
    fn urls_below_the_feed_are_kept_relative() {
        let feed = "http://a.example/os/";
        assert_eq!(of(feed, "http://a.example/os/P/x.rpm"), "P/x.rpm");
        assert_eq!(of(feed, "P/x.rpm"), "P/x.rpm");
        for other in ["http://b.example/os/x", "http://a.example/other/x"] {
            assert_eq!(of(feed, other), other);
        }
        // Relative it would be read as a URL of its own.
        let odd = "http://a.example/os/http:x";
        assert_eq!(of(feed, odd), odd);
    }

    #[test]
    fn passwords_are_not_kept() {
        let url = "http://ann:secret@b.example/x";
        assert_eq!(of("http://a.example/", url), "http://b.example/x");
    }
}
