//! The documents that the publication now served has already.

use std::collections::HashSet;
use std::io;

use pith_content::ContentError;
use pith_content::publish::{Entry, PublishContext, PublishedEntry, ReadSeek};
use pith_core::{MultiHasher, Sha256};

use super::REPOMD;
use crate::metadata::members::{Key, Members};
use crate::metadata::repomd::Repomd;
use crate::metadata::writer::PACKAGE_DOCUMENTS;

/// An older document, open.
pub type OldDocument = Members<Box<dyn ReadSeek>>;

/// The repomd.xml among the paths of a publication.
#[must_use]
pub fn repomd(published: &[PublishedEntry]) -> Option<Repomd> {
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
    /// The documents, in the order of [`PACKAGE_DOCUMENTS`].
    pub documents: [Option<OldDocument>; 3],
}

impl Predecessor {
    /// The documents of the publication now served. What cannot be read is no predecessor, and no error.
    pub async fn published(ctx: &dyn PublishContext, published: &[PublishedEntry]) -> Self {
        let Some(repomd) = repomd(published) else {
            return Self::default();
        };
        let blob = |kind: &str| {
            let href = &repomd.get(kind)?.href;
            let (_, entry, _) = published.iter().find(|(path, _, _)| path == href)?;
            blob(entry)
        };
        match PACKAGE_DOCUMENTS.map(|kind| blob(kind.name())) {
            [Some(a), Some(b), Some(c)] => Self::open(ctx, [a, b, c]).await,
            _ => Self::default(),
        }
    }

    async fn open(ctx: &dyn PublishContext, blobs: [Sha256; 3]) -> Self {
        match look(ctx, blobs).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "cannot read the last publication, publishing all packages anew");
                Self::default()
            }
        }
    }
}

fn blob(entry: &Entry) -> Option<Sha256> {
    match entry {
        Entry::Blob { sha256, .. } => Some(*sha256),
        _ => None,
    }
}

/// The document in a file, which must be what it was when it was written.
fn document(mut file: Box<dyn ReadSeek>, blob: Sha256) -> io::Result<Option<OldDocument>> {
    let mut hasher = MultiHasher::new(&[]);
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    if hasher.finish().sha256 != blob {
        return Err(io::Error::other(format!("the document {blob} is damaged")));
    }
    Members::find(file)
}

async fn look(ctx: &dyn PublishContext, blobs: [Sha256; 3]) -> Result<Predecessor, ContentError> {
    let mut looking = Vec::with_capacity(blobs.len());
    for blob in blobs {
        let file = ctx.open(blob).await?;
        looking.push(tokio::task::spawn_blocking(move || document(file, blob)));
    }
    let mut found = Vec::with_capacity(blobs.len());
    for document in looking {
        found.push(document.await.map_err(ContentError::other)??);
    }
    // One that is of another make is no predecessor.
    let Some(documents) = found.into_iter().collect::<Option<Vec<OldDocument>>>() else {
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
        documents: PACKAGE_DOCUMENTS.map(|_| documents.next()),
    })
}
