//! Finding the repository behind a feed: the feed itself, or the mirrors it lists
//! (pulp2/rpm-sync#feed, pulp2/rpm-sync#nothing-changed).

use std::collections::VecDeque;

use pith_content::base::{Base, shown};
use pith_content::fetch::{Fetch, FetchFailure, FetchFailureKind, Fetched};
use pith_content::sync::{NoFeed, SyncContext};
use pith_content::{Bent, ContentError, blocking};
use pith_core::Sha256;
use url::Url;

use super::errors;
use super::mirrors::{self, Mirrors};
use crate::metadata::primary::Package;
use crate::metadata::repomd::{self, Data, Repomd};

/// Largest metadata file, in bytes.
const MAX_METADATA: u64 = 8 << 30;
/// The path at which every repository has its index.
const REPOMD: &str = "repodata/repomd.xml";

/// A repository found behind a feed.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The repository whose repomd.xml is used, then other mirrors.
    pub bases: Vec<Base>,
    /// Its index.
    pub repomd: Repomd,
    /// SHA-256 of repomd.xml.
    pub checksum: String,
    bent: Bent,
}

/// The reason why repomd.xml of one URL cannot be used.
enum Unusable {
    Missing(FetchFailure),
    Broken(ContentError),
}

impl Unusable {
    fn into_error(self) -> ContentError {
        match self {
            Self::Missing(failure) => errors::retrieving(&failure.message),
            Self::Broken(error) => error,
        }
    }
}

/// Looks for the repository of a feed, mirror by mirror.
pub struct Finder<'a> {
    ctx: &'a dyn SyncContext,
    feed: Base,
    mirrors: Mirrors,
    /// Mirrors that were not asked yet.
    left: VecDeque<Base>,
    /// Those of a metalink that have an older repomd.xml, with its rank.
    older: Vec<(usize, Feed)>,
    /// Every repomd.xml that was used.
    used: Vec<String>,
}

impl<'a> Finder<'a> {
    /// A finder for the feed of the configuration.
    ///
    /// # Errors
    /// RPM1005 without a feed; Pulp's text for one that is no URL of a scheme that can be mirrored.
    pub fn new(ctx: &'a dyn SyncContext) -> Result<Self, ContentError> {
        let feed = match ctx.feed() {
            Ok(feed) if is_reachable(feed) => feed,
            Err(NoFeed::Missing) => return Err(errors::no_feed()),
            Ok(_) | Err(NoFeed::Invalid(_)) => {
                let text = "Invalid feed URL - scheme must be: ('http', 'https', 'file')";
                return Err(ContentError::other(text));
            }
        };
        Ok(Self {
            ctx,
            feed: feed.clone(),
            mirrors: Mirrors::default(),
            left: VecDeque::new(),
            older: Vec::new(),
            used: Vec::new(),
        })
    }

    /// The repository: the feed's own, else that of the first mirror which has one.
    ///
    /// # Errors
    /// RPM1004 when nothing answers, RPM1006 when what answers is no repository.
    pub async fn first(&mut self) -> Result<Feed, ContentError> {
        let failure = match self.at(&self.feed).await {
            Ok((found, _)) => {
                self.used.push(found.checksum.clone());
                return Ok(found);
            }
            Err(failure) => failure,
        };
        self.mirrors = self.list().await?;
        self.left = self.mirrors.bases.iter().cloned().collect();
        match self.next().await {
            Ok(found) => Ok(found),
            Err(last) => Err(last.unwrap_or(failure).into_error()),
        }
    }

    /// Another mirror with another repomd.xml, after the documents of `failed` could not be had anywhere.
    pub async fn another(&mut self, failed: &Feed, why: &ContentError) -> Option<Feed> {
        let found = self.next().await.ok()?;
        self.passed_over(&failed.bases[0], &why.to_string());
        Some(found)
    }

    /// The next mirror with a repomd.xml that was not used yet. Of a metalink's mirrors those with the newest come
    /// first.
    async fn next(&mut self) -> Result<Feed, Option<Unusable>> {
        let mut last = None;
        while let Some(base) = self.left.pop_front() {
            match self.at(&base).await {
                Ok((found, _)) if self.used.contains(&found.checksum) => {}
                Ok((found, 0)) => return Ok(self.use_(found)),
                Ok((found, rank)) => self.older.push((rank, found)),
                Err(failure) => {
                    let failure = failure.into_error();
                    self.passed_over(&base, &failure.to_string());
                    last = Some(Unusable::Broken(failure));
                }
            }
        }
        self.older.sort_by_key(|(rank, _)| *rank);
        while !self.older.is_empty() {
            let (_, found) = self.older.remove(0);
            if !self.used.contains(&found.checksum) {
                let sentence = "mirrors of the metalink had an older repomd.xml, which was used";
                let name = found.bases[0].to_string();
                self.ctx.bent().note("older_repomd", sentence, name);
                return Ok(self.use_(found));
            }
        }
        Err(last)
    }

    /// Uses a feed, with the other mirrors behind it: each may have files that the first lost.
    fn use_(&mut self, mut found: Feed) -> Feed {
        self.used.push(found.checksum.clone());
        found.bases.extend(self.left.iter().cloned());
        let older = self.older.iter().map(|(_, feed)| feed.bases[0].clone());
        found.bases.extend(older);
        found
    }

    fn passed_over(&self, base: &Base, why: &str) {
        let sentence = "mirrors were passed over, since others have what they lack";
        let name = format!("{base}: {why}");
        self.ctx.bent().note("mirrors_passed_over", sentence, name);
    }

    /// The repository at `base`, and which of the expected versions it is.
    async fn at(&self, base: &Base) -> Result<(Feed, usize), Unusable> {
        let urls = base.join(REPOMD);
        let url = urls.first().map(shown).unwrap_or_default();
        let what = Fetch::any(urls, repomd::MAX_SIZE);
        let fetched = self.ctx.fetch(what).await.map_err(Unusable::Missing)?;
        let bytes = std::fs::read(fetched.path()).map_err(|e| Unusable::Broken(e.into()))?;
        let rank = self.mirrors.version(&bytes).ok_or_else(|| {
            let text = format!("{url} is not the repomd.xml that the metalink names.");
            Unusable::Broken(errors::retrieving(&text))
        })?;
        let bent = self.ctx.bent().clone();
        let read = move || {
            let checksum = Sha256::of(&bytes).to_string();
            Repomd::noting(bytes.as_slice(), &bent).map(|repomd| (repomd, checksum))
        };
        let (repomd, checksum) = blocking::run(read)
            .await
            .map_err(Unusable::Broken)?
            .map_err(|e| Unusable::Broken(errors::unparsable(&url, &e)))?;
        let feed = Feed {
            bases: vec![base.clone()],
            repomd,
            checksum,
            bent: self.ctx.bent().clone(),
        };
        Ok((feed, rank))
    }

    /// Returns what the feed lists when it is no repository itself; nothing when it is no list either.
    async fn list(&self) -> Result<Mirrors, ContentError> {
        let what = Fetch::one(self.feed.address().clone(), mirrors::MAX_SIZE);
        let Ok(list) = self.ctx.fetch(what).await else {
            return Ok(Mirrors::default());
        };
        let path = list.path().to_path_buf();
        let read = move || Ok::<_, std::io::Error>(Mirrors::read(&std::fs::read(path)?));
        let mirrors = blocking::run(read).await??;
        let url = shown(self.feed.address());
        mirrors.map_err(|error| errors::unparsable(&url, &error))
    }
}

/// Tells whether files can be had from there.
fn is_reachable(base: &Base) -> bool {
    ["http", "https", "file"].contains(&base.address().scheme())
}

impl Feed {
    /// URLs of what a document calls `location`; another base replaces the repository's.
    #[must_use]
    pub fn urls(&self, base: Option<&str>, location: &str) -> Vec<Url> {
        let named = base.and_then(|base| self.bases[0].beside(base).ok());
        // Media that nobody can ask for files (`media://`) are copies of the repository.
        let named = named.filter(is_reachable);
        let bases = match &named {
            Some(base) => std::slice::from_ref(base),
            None => &self.bases,
        };
        let mut urls = Vec::with_capacity(bases.len());
        // Clients ask for blanks around a location too, and few servers have what they ask for then.
        for spelling in [location, location.trim()] {
            for url in bases.iter().flat_map(|base| base.join(spelling)) {
                // A location that is a URL of its own is the same on every mirror.
                if !urls.contains(&url) {
                    urls.push(url);
                }
            }
        }
        urls
    }

    /// The first of [`Feed::urls`] of a metadata file, for messages.
    #[must_use]
    pub fn url(&self, data: &Data) -> String {
        let urls = self.urls(data.base.as_deref(), data.location());
        urls.first().map(shown).unwrap_or_default()
    }

    /// Notes a package whose file is not inside the repository, or whose location is odd.
    pub fn note_location(&self, package: &Package) {
        let location = package.location();
        let base = package.base.as_deref();
        let base = base.and_then(|base| self.bases[0].beside(base).ok());
        if let Some(base) = base.filter(|base| !is_reachable(base)) {
            let sentence = "addresses of packages that no server answers at were passed over";
            self.bent.note("base_unknown", sentence, base.to_string());
        }
        if package.outside {
            let sentence = "packages lie outside of the repository's folder; they are published under their names";
            self.bent.note("locations_outside", sentence, location);
        } else if location.trim() != location || location.chars().any(char::is_control) {
            let sentence = "locations with blanks around them or control characters in them were tried without, too";
            let shown = location.escape_debug().to_string();
            self.bent.note("locations_odd", sentence, shown);
        }
    }

    /// Downloads a metadata file, verified by what repomd.xml says of it. That it says nothing is noted: whoever could change
    /// the file on its way could change repomd.xml too, and packages are verified in any case.
    ///
    /// # Errors
    /// RPM1004 when it cannot be had or is something else than promised, RPM1015 when nobody could tell.
    pub async fn download(
        &self,
        ctx: &dyn SyncContext,
        data: &Data,
    ) -> Result<Fetched, ContentError> {
        if let Some(why) = &data.unusable {
            return Err(errors::malformed(&format!(
                "repomd.xml of {} has no usable checksum for \"{}\": {why}",
                self.bases[0], data.kind
            )));
        }
        if data.checksum.is_none() {
            let sentence = "documents without a checksum in repomd.xml could not be verified";
            self.bent.note("no_checksum", sentence, &data.kind);
        }
        let urls = self.urls(data.base.as_deref(), data.location());
        let what = Fetch {
            size: data.size,
            digests: data.checksum.iter().cloned().collect(),
            ..Fetch::any(urls, data.size.unwrap_or(MAX_METADATA).min(MAX_METADATA))
        };
        ctx.fetch(what).await.map_err(|failure| match failure.kind {
            // No other mirror has a disk for us.
            FetchFailureKind::Ours => ContentError::Fetch(failure),
            _ => errors::retrieving(&format!(
                "Error '{}' for {}.",
                failure.message,
                self.url(data)
            )),
        })
    }
}
