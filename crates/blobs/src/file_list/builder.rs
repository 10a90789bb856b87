//! Writing a list, and the packs of its small files.

use std::collections::BTreeMap;

use pith_core::{RelativePath, Sha256};

use super::{KnownFile, PACK, PACK_FILES, SMALL};
use crate::publication::{IndexEntry, PublicationBuilder, Slice};
use crate::{BlobWriter, Blobs, Nameless, Result, Stored};

/// A list of files that grows. Dropped unfinished, it leaves nothing but blobs that nobody needs.
pub struct FileListBuilder {
    blobs: Blobs,
    list: PublicationBuilder,
    named: BTreeMap<Sha256, u64>,
    pack: Option<Pack>,
}

/// A list that is written.
#[derive(Debug, Clone)]
pub struct NewFileList {
    /// The list.
    pub list: Stored,
    /// The blobs that it names, with their sizes: files and packs.
    pub named: Vec<(Sha256, u64)>,
}

/// A pack on its way into the store.
struct Pack {
    writer: BlobWriter,
    size: u64,
    files: Vec<Packed>,
}

/// A file in a pack that has no name yet.
struct Packed {
    path: RelativePath,
    sha256: Sha256,
    offset: u64,
    size: u64,
}

impl FileListBuilder {
    /// An empty list, to be stored in `blobs`.
    #[must_use]
    pub fn new(blobs: &Blobs) -> Self {
        Self {
            blobs: blobs.clone(),
            list: PublicationBuilder::new(blobs),
            named: BTreeMap::new(),
            pack: None,
        }
    }

    /// Adds a file that came, and keeps it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn add(&mut self, path: RelativePath, file: Nameless) -> Result<()> {
        match file.into_small(SMALL) {
            Ok((stored, bytes)) => self.pack(path, stored.sha256, &bytes).await,
            Err(file) => {
                let stored = file.finish().await?;
                let entry = IndexEntry::blob(stored.sha256, stored.size, 0);
                self.named.insert(stored.sha256, stored.size);
                self.list.add(path, entry)
            }
        }
    }

    /// Adds a file that another list has, where it lies, or moved when its pack is better written anew. False when that cannot be
    /// done because the file is lost or damaged.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn take_over(&mut self, path: RelativePath, known: &KnownFile) -> Result<bool> {
        let bytes = match known.to_move(&self.blobs).await {
            Err(error) if error.is_lost() => return Ok(false),
            bytes => bytes?,
        };
        let Some(bytes) = bytes else {
            self.named.insert(known.blob.0, known.blob.1);
            self.list.add(path, known.entry.clone())?;
            return Ok(true);
        };
        if Sha256::of(&bytes) != known.sha256 {
            return Ok(false);
        }
        self.pack(path, known.sha256, &bytes).await?;
        Ok(true)
    }

    async fn pack(&mut self, path: RelativePath, sha256: Sha256, bytes: &[u8]) -> Result<()> {
        let pack = self.pack.get_or_insert_with(|| Pack {
            writer: self.blobs.writer(&[]),
            size: 0,
            files: Vec::new(),
        });
        pack.writer.write(bytes).await?;
        let size = bytes.len() as u64;
        pack.files.push(Packed {
            path,
            sha256,
            offset: pack.size,
            size,
        });
        pack.size += size;
        if pack.size >= PACK || pack.files.len() >= PACK_FILES {
            self.close_pack().await?;
        }
        Ok(())
    }

    async fn close_pack(&mut self) -> Result<()> {
        let Some(pack) = self.pack.take() else {
            return Ok(());
        };
        let blob = pack.writer.finish().await?;
        self.named.insert(blob.sha256, blob.size);
        for file in pack.files {
            let slice = Slice {
                sha256: file.sha256,
                blob: blob.sha256,
                offset: file.offset,
            };
            self.list
                .add(file.path, IndexEntry::slice(slice, file.size, 0))?;
        }
        Ok(())
    }

    /// Writes the list.
    ///
    /// # Errors
    /// When two files have one path, a path is a file and a directory, or something cannot be stored.
    pub async fn finish(mut self) -> Result<NewFileList> {
        self.close_pack().await?;
        Ok(NewFileList {
            list: self.list.finish().await?,
            named: self.named.into_iter().collect(),
        })
    }
}
