//! What the publication now served has written already.

use std::collections::HashSet;

use pith_content::ContentError;
use pith_content::publish::{Entry, PublishContext, ReadSeek};
use pith_core::{RelativePath, Sha256, Timestamp};

use super::REPOMD;
use super::output::Written;
use super::packages::KINDS;
use crate::metadata::members::{Key, Members};
use crate::metadata::repomd::Repomd;

/// An older document, open.
pub type Document = Members<Box<dyn ReadSeek>>;

/// A path of the publication now served.
pub type Published = (RelativePath, Entry, Timestamp);

/// The repomd.xml among the paths of a publication.
#[must_use]
pub fn repomd(published: &[Published]) -> Option<Repomd> {
    let (_, entry, _) = published
        .iter()
        .find(|(path, _, _)| path.as_str() == REPOMD)?;
    match entry {
        Entry::Inline(bytes) => Repomd::read(bytes.as_ref()).ok(),
        _ => None,
    }
}

/// Older documents of packages, and the chunks that all of them have. Without documents: nothing to take over.
#[derive(Default)]
pub struct Predecessor {
    /// The chunks.
    pub chunks: HashSet<Key>,
    /// The documents, in the order of [`KINDS`].
    pub documents: [Option<Document>; 3],
}

impl Predecessor {
    /// The documents of the publication now served. What cannot be read is no predecessor, and no error.
    pub async fn published(ctx: &dyn PublishContext, published: &[Published]) -> Self {
        let Some(repomd) = repomd(published) else {
            return Self::default();
        };
        let blob = |kind: &str| {
            let href = &repomd.get(kind)?.href;
            let (_, entry, _) = published.iter().find(|(path, _, _)| path == href)?;
            blob(entry)
        };
        match KINDS.map(|kind| blob(kind.name())) {
            [Some(a), Some(b), Some(c)] => Self::open(ctx, [a, b, c]).await,
            _ => Self::default(),
        }
    }

    /// Documents that this publish has just written.
    pub async fn written(ctx: &dyn PublishContext, written: &[Written]) -> Self {
        let blobs: Vec<_> = written.iter().filter_map(|w| blob(&w.entry)).collect();
        match blobs.try_into() {
            Ok(blobs) => Self::open(ctx, blobs).await,
            Err(_) => Self::default(),
        }
    }

    async fn open(ctx: &dyn PublishContext, blobs: [(Sha256, u64); 3]) -> Self {
        match look(ctx, blobs).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot read the last publication, publishing all packages anew");
                Self::default()
            }
        }
    }
}

fn blob(entry: &Entry) -> Option<(Sha256, u64)> {
    match entry {
        Entry::Blob { sha256, size } => Some((*sha256, *size)),
        _ => None,
    }
}

async fn look(
    ctx: &dyn PublishContext,
    blobs: [(Sha256, u64); 3],
) -> Result<Predecessor, ContentError> {
    let mut files = Vec::with_capacity(blobs.len());
    for (sha256, _) in blobs {
        files.push(ctx.open(sha256).await?);
    }
    // A file that was cut off is found out by its length.
    let find = move || {
        let files = files.into_iter().zip(blobs);
        files
            .map(|(file, (_, size))| Members::find(file, size))
            .collect()
    };
    let found: std::io::Result<Vec<Option<Document>>> = tokio::task::spawn_blocking(find)
        .await
        .map_err(ContentError::other)?;
    // One that is of another make is no predecessor.
    let Some(documents) = found?.into_iter().collect::<Option<Vec<Document>>>() else {
        return Ok(Predecessor::default());
    };
    let mut chunks: HashSet<Key> = HashSet::new();
    for (at, document) in documents.iter().enumerate() {
        let keys: HashSet<Key> = document.keys().copied().collect();
        if at == 0 {
            chunks = keys;
        } else {
            chunks.retain(|key| keys.contains(key));
        }
    }
    let mut documents = documents.into_iter();
    Ok(Predecessor {
        chunks,
        documents: KINDS.map(|_| documents.next()),
    })
}
