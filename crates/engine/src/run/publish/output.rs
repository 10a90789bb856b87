//! The output of a publish: an index that grows, documents that it refers to, and trees that are written instead of being served.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_blobs::{
    Blobs, EntryKindRef, IndexEntryRef, KnownFiles, Place, Publication, PublicationBuilder, Stored,
    TreeWriter, headers_text,
};
use pith_content::export::{Images, Trees};
use pith_content::publish::{Entry, GeneratedFile};
use pith_content::remote::{Placed, link_text};
use pith_content::{ContentError, Headers};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, RelativePath, Sha256, Timestamp};
use tokio_util::sync::CancellationToken;

use super::images;
use crate::Engine;
use crate::error::{Error, platform};
use crate::run::generated::Generated;

/// The output of one publish.
pub(in crate::run) struct Output {
    engine: Arc<Engine>,
    index: Arc<Mutex<PublicationBuilder>>,
    generated: Arc<Mutex<Vec<(Sha256, u64)>>>,
    exported: Mutex<Option<TreeWriter>>,
    /// The parts that were sent.
    sent: Mutex<Vec<Arc<Publication>>>,
}

/// The output of a publish that has ended.
pub(in crate::run) struct Made {
    /// The index.
    pub(in crate::run) index: Stored,
    /// Number of paths.
    pub(in crate::run) paths: u64,
    /// Bytes below them.
    pub(in crate::run) bytes: u64,
    /// Generated files, with their sizes.
    pub(in crate::run) generated: Vec<(Sha256, u64)>,
    /// Trees that wait for being swapped in.
    pub(in crate::run) exported: Option<TreeWriter>,
}

impl Output {
    /// An empty one.
    pub(in crate::run) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            engine: Arc::clone(engine),
            index: Arc::new(Mutex::new(PublicationBuilder::new(&engine.blobs))),
            generated: Arc::default(),
            exported: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// Adds a path.
    pub(in crate::run) fn add(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: &Headers,
    ) -> Result<(), ContentError> {
        let headers = text_of(&path, headers)?;
        let mtime = modified.as_second();
        let entry = match entry {
            Entry::Blob { sha256, size } => pith_blobs::IndexEntry::blob(sha256, size, mtime),
            Entry::Deferred { unit, sha256, size } => {
                pith_blobs::IndexEntry::source(unit.0.into_bytes(), sha256, size, mtime)
            }
            Entry::Inline(bytes) => pith_blobs::IndexEntry::inline(bytes, mtime),
            Entry::Redirect(location) => pith_blobs::IndexEntry::redirect(location, mtime),
        };
        let entry = entry.with_headers(headers);
        self.index.lock().add(path, entry).map_err(platform)
    }

    /// Adds an entry of another publication, at this path. `here` is the file of one that is fetched on demand, when it has come
    /// meanwhile.
    pub(in crate::run) fn pass_on(
        &self,
        entry: &IndexEntryRef<'_>,
        here: Option<(Sha256, u64)>,
        placed: Placed,
    ) -> Result<(), ContentError> {
        let mut index = self.index.lock();
        index.merge_equal();
        let added = match placed {
            Placed::File(path) => {
                let as_it_stands = entry.to_entry();
                let entry = match (entry.kind, here) {
                    (EntryKindRef::Source { .. }, Some((sha256, size))) => {
                        let headers = as_it_stands.headers;
                        pith_blobs::IndexEntry::blob(sha256, size, entry.mtime)
                            .with_headers(headers)
                    }
                    _ => as_it_stands,
                };
                index.add(path, entry)
            }
            Placed::Link { at, to } => {
                let link = pith_blobs::IndexEntry::redirect(link_text(&at, &to), entry.mtime);
                index.add(at, link)
            }
        };
        added.map_err(platform)
    }

    /// Adds the files of a list, below `folder` where there is one; returns how many there are.
    pub(in crate::run) async fn add_files(
        &self,
        folder: Option<&RelativePath>,
        files: KnownFiles,
        modified: Timestamp,
    ) -> Result<u64, ContentError> {
        let (index, folder) = (Arc::clone(&self.index), folder.cloned());
        let add = move || {
            let mut index = index.lock();
            index.merge_equal();
            let mut count = 0;
            for file in files.files() {
                let (path, file) = file.map_err(platform)?;
                let path = RelativePath::new(path).map_err(ContentError::other)?;
                let path = match &folder {
                    Some(folder) => folder.join(&path).map_err(ContentError::other)?,
                    None => path,
                };
                let entry = file.entry(modified.as_second());
                index.add(path, entry).map_err(platform)?;
                count += 1;
            }
            Ok(count)
        };
        let added = tokio::task::spawn_blocking(add).await;
        added.map_err(ContentError::other)?
    }

    /// A file to generate, which is part of the output when it is finished.
    pub(in crate::run) fn file(&self, also: &[Algorithm]) -> Box<dyn GeneratedFile> {
        file(&self.engine.blobs, &self.generated, also)
    }

    /// Writes all that was added so far into trees of `owner` below `folder`, and begins anew.
    pub(in crate::run) async fn export(
        &self,
        folder: &Path,
        owner: String,
        trees: Trees,
        cancel: &CancellationToken,
    ) -> Result<(), ContentError> {
        let index = self.take().await?;
        let place = Place {
            trees: trees.folders,
            owner,
            listing: trees.listing,
        };
        let (engine, folder) = (Arc::clone(&self.engine), folder.to_owned());
        let cancel = cancel.clone();
        let write = move || {
            let mut writer = TreeWriter::begin(&engine.exports, &folder, place)?;
            writer.write(&engine.blobs, &index, || !cancel.is_cancelled())?;
            Ok::<_, pith_blobs::Error>(writer)
        };
        let written = tokio::task::spawn_blocking(write).await;
        // The folder is not the file store: what fails there tells nothing of it.
        let written = written
            .map_err(ContentError::other)?
            .map_err(ContentError::other)?;
        *self.exported.lock() = Some(written);
        Ok(())
    }

    /// Packs all that was added so far into images, and begins anew.
    pub(in crate::run) async fn pack(
        &self,
        images: &Images<'_>,
        cancel: &CancellationToken,
    ) -> Result<Vec<Hashed>, ContentError> {
        let index = self.take().await?;
        let (engine, cancel) = (Arc::clone(&self.engine), cancel.clone());
        let generated = Arc::clone(&self.generated);
        let (volume, also, limit) = (images.volume.to_owned(), images.also.to_vec(), images.limit);
        let packed = tokio::task::spawn_blocking(move || {
            let blobs = &engine.blobs;
            let images = Images {
                volume: &volume,
                limit,
                also: &also,
            };
            let create = || file(blobs, &generated, &also);
            images::pack(blobs, &index, &images, engine.clock.now(), &cancel, create)
        });
        packed.await.map_err(ContentError::other)?
    }

    /// Returns what was added so far, as an index of its own, and begins anew.
    async fn take(&self) -> Result<Publication, ContentError> {
        let index = self.cut().await?;
        // What it refers to is needed no longer than until it is written.
        self.generated.lock().clear();
        Ok(index)
    }

    /// Returns what was added since the last part, which is a part of the publication too.
    pub(in crate::run) async fn part(&self) -> Result<Arc<Publication>, ContentError> {
        let part = Arc::new(self.cut().await?);
        self.sent.lock().push(Arc::clone(&part));
        Ok(part)
    }

    /// The parts so far.
    pub(in crate::run) fn parts(&self) -> Vec<Arc<Publication>> {
        self.sent.lock().clone()
    }

    /// Puts the parts into the publication.
    fn join_parts(&self) -> Result<(), Error> {
        let parts = std::mem::take(&mut *self.sent.lock());
        let mut index = self.index.lock();
        for part in parts {
            for entry in part.iter() {
                let entry = entry?;
                let path = RelativePath::new(entry.path).map_err(ContentError::other)?;
                index.add(path, entry.to_entry())?;
            }
        }
        Ok(())
    }

    async fn cut(&self) -> Result<Publication, ContentError> {
        let blobs = &self.engine.blobs;
        let empty = PublicationBuilder::new(blobs);
        let added = std::mem::replace(&mut *self.index.lock(), empty);
        let index = added.finish().await.map_err(platform)?;
        Publication::open(blobs, index.sha256)
            .await
            .map_err(platform)
    }

    /// Ends it: everything is on the disk.
    pub(in crate::run) async fn finish(&self) -> Result<Made, Error> {
        self.join_parts()?;
        let blobs = &self.engine.blobs;
        let empty = PublicationBuilder::new(blobs);
        let index = std::mem::replace(&mut *self.index.lock(), empty);
        let (stored, totals) = index.finish_counted().await?;
        blobs.durable().await?;
        Ok(Made {
            index: stored,
            paths: totals.paths,
            bytes: totals.bytes,
            generated: std::mem::take(&mut *self.generated.lock()),
            exported: self.exported.lock().take(),
        })
    }
}

/// A file to generate, which is noted in `generated` when it is finished.
fn file(
    blobs: &Blobs,
    generated: &Arc<Mutex<Vec<(Sha256, u64)>>>,
    also: &[Algorithm],
) -> Box<dyn GeneratedFile> {
    let generated = Arc::clone(generated);
    let finished = move |stored: &Hashed| {
        generated.lock().push((stored.sha256, stored.size));
    };
    Box::new(Generated::new(blobs, also, finished))
}

/// Puts trees that were written in their places.
pub(in crate::run) async fn swap(trees: TreeWriter) -> Result<(), Error> {
    let swapped = tokio::task::spawn_blocking(move || trees.swap()).await;
    let swapped = swapped.map_err(Error::fault)?;
    swapped.map_err(|error| ContentError::other(error).into())
}

/// The headers as the index keeps them.
fn text_of(path: &RelativePath, headers: &Headers) -> Result<Option<String>, ContentError> {
    let refused = |why| ContentError::other(format!("'{path}': {why}"));
    headers.check().map_err(refused)?;
    let others = headers.others.iter();
    let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(headers_text(headers.content_type.as_deref(), others))
}
