//! Finding the repository behind a feed: the feed itself, or the mirrors it lists (reference: rpm §6.1, §6.3).

use std::fs::File;
use std::io::BufReader;

use pith_content::ContentError;
use pith_content::fetch::{Fetch, FetchFailure, Fetched};
use pith_content::sync::SyncContext;

use super::errors;
use crate::metadata::href;
use crate::metadata::repomd::{self, Data, Repomd};

/// Largest list of mirrors, in bytes.
const MAX_MIRRORLIST: u64 = 1 << 20;
/// Mirrors beyond these are not tried.
const MAX_MIRRORS: usize = 20;
/// Largest metadata file, in bytes.
const MAX_METADATA: u64 = 8 << 30;

/// A repository found behind a feed.
#[derive(Debug, Clone)]
pub struct Feed {
    /// URLs of the repository: the one whose repomd.xml is used first, then other mirrors.
    pub bases: Vec<String>,
    /// Its index.
    pub repomd: Repomd,
    /// SHA-256 of repomd.xml.
    pub checksum: String,
}

/// Why repomd.xml of one URL cannot be used.
enum Unusable {
    Missing(FetchFailure),
    Broken(ContentError),
}

impl Feed {
    /// Finds the repository.
    ///
    /// # Errors
    /// RPM1005 without a feed, RPM1004 when nothing answers, RPM1006 when what answers is no repository.
    pub async fn find(ctx: &dyn SyncContext) -> Result<Self, ContentError> {
        let feed = ctx
            .config()
            .text("feed")
            .filter(|f| !f.is_empty())
            .ok_or_else(errors::no_feed)?;
        let scheme = feed.split("://").next().unwrap_or_default();
        if !["http", "https", "file"].contains(&scheme.to_ascii_lowercase().as_str()) {
            return Err(ContentError::other(
                "Invalid feed URL - scheme must be: ('http', 'https', 'file')",
            ));
        }
        let failure = match Self::at(ctx, feed).await {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        let mirrors = mirrors(ctx, feed).await;
        let mut last = failure;
        for (at, mirror) in mirrors.iter().enumerate() {
            match Self::at(ctx, mirror).await {
                Ok(mut found) => {
                    found.bases.extend(mirrors[at + 1..].iter().cloned());
                    return Ok(found);
                }
                Err(failure) => last = failure,
            }
        }
        Err(match last {
            Unusable::Missing(failure) => errors::retrieving(&failure.message),
            Unusable::Broken(error) => error,
        })
    }

    async fn at(ctx: &dyn SyncContext, base: &str) -> Result<Self, Unusable> {
        let url = href::join(base, "repodata/repomd.xml");
        let fetched = ctx
            .fetch(Fetch::one(url.clone(), repomd::MAX_SIZE))
            .await
            .map_err(Unusable::Missing)?;
        let read = || Repomd::noting(BufReader::new(File::open(fetched.path())?), ctx.bent());
        let repomd = read().map_err(|e| Unusable::Broken(errors::unparsable(&url, &e)))?;
        Ok(Self {
            bases: vec![base.to_owned()],
            repomd,
            checksum: fetched.hashed.sha256.to_string(),
        })
    }

    /// URLs of a path of the repository; another base replaces the repository's.
    #[must_use]
    pub fn urls(&self, base: Option<&str>, path: &str) -> Vec<String> {
        match base {
            Some(base) => vec![href::join(base, path)],
            None => self.bases.iter().map(|b| href::join(b, path)).collect(),
        }
    }

    /// The first of [`Feed::urls`] of a metadata file, for messages.
    #[must_use]
    pub fn url(&self, data: &Data) -> String {
        self.urls(data.base.as_deref(), data.href.as_str())
            .into_iter()
            .next()
            .unwrap_or_default()
    }

    /// Downloads a metadata file, verified by what repomd.xml says of it.
    ///
    /// # Errors
    /// RPM1004 when it cannot be had or is something else than promised.
    pub async fn download(
        &self,
        ctx: &dyn SyncContext,
        data: &Data,
    ) -> Result<Fetched, ContentError> {
        let Some(digest) = data.checksum.clone() else {
            return Err(errors::malformed(&format!(
                "repomd.xml of {} has no usable checksum for \"{}\"",
                self.bases[0], data.kind
            )));
        };
        let what = Fetch {
            urls: self.urls(data.base.as_deref(), data.href.as_str()),
            max_size: data.size.unwrap_or(MAX_METADATA).min(MAX_METADATA),
            size: data.size,
            digests: vec![digest],
        };
        ctx.fetch(what).await.map_err(|failure| {
            errors::retrieving(&format!(
                "Error '{}' for {}.",
                failure.message,
                self.url(data)
            ))
        })
    }
}

async fn mirrors(ctx: &dyn SyncContext, feed: &str) -> Vec<String> {
    let Ok(list) = ctx.fetch(Fetch::one(feed, MAX_MIRRORLIST)).await else {
        return Vec::new();
    };
    let Ok(bytes) = std::fs::read(list.path()) else {
        return Vec::new();
    };
    mirror_urls(&String::from_utf8_lossy(&bytes))
}

/// The URLs of a mirrorlist: one a line, at its start or after words, `=` and blanks (reference: rpm §6.1).
fn mirror_urls(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let at = line.find("http://").or_else(|| line.find("https://"))?;
            let (before, url) = line.split_at(at);
            let plain = before
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == '=' || c.is_whitespace());
            let apart = before.is_empty() || before.ends_with(char::is_whitespace);
            let url = url.split_whitespace().next()?;
            (plain && apart && href::check_base(url).is_ok()).then(|| url.to_owned())
        })
        .take(MAX_MIRRORS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrorlists_are_read_line_by_line() {
        let text = "# repo = x http://no/\nhttp://a/os/\nbaseurl = https://b/os/ \n<url>http://no/</url>\nx\n";
        assert_eq!(mirror_urls(text), ["http://a/os/", "https://b/os/"]);
    }
}
