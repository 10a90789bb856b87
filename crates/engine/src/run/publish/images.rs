//! Packing a publication into images.

use std::io::{self, Write};

use pith_blobs::{Blobs, EntryKindRef, Publication};
use pith_content::ContentError;
use pith_content::export::Images;
use pith_content::publish::GeneratedFile;
use pith_core::Timestamp;
use pith_core::digest::Hashed;
use pith_iso::{File, Image, split};
use tokio_util::sync::CancellationToken;

/// Packs all paths of a publication into images, each written into a file that `create` gives. On a blocking thread.
pub(super) fn pack(
    blobs: &Blobs,
    publication: &Publication,
    images: &Images,
    made: Timestamp,
    cancel: &CancellationToken,
    create: impl Fn() -> Box<dyn GeneratedFile>,
) -> Result<Vec<Hashed>, ContentError> {
    let mut files = Vec::new();
    for entry in publication.iter() {
        let entry = entry.map_err(ContentError::other)?;
        files.push(File {
            path: entry.path.to_owned(),
            size: entry.size,
            modified: Timestamp::from_second(entry.mtime).map_err(ContentError::other)?,
        });
    }
    let split = split(files, images.limit).map_err(ContentError::other)?;
    let mut packed = Vec::with_capacity(split.len());
    for files in split {
        let image = Image::plan(images.volume, files, made).map_err(ContentError::other)?;
        let mut file = create();
        image.write(&mut file, |place, out| {
            if cancel.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            content(blobs, publication, &image.files()[place].path, out)
        })?;
        packed.push(file.finish()?);
    }
    Ok(packed)
}

/// Writes the file at a path.
fn content(
    blobs: &Blobs,
    publication: &Publication,
    path: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    let entry = publication.get(path).map_err(io::Error::other)?;
    let size = entry.map_or(0, |entry| entry.size);
    match entry.map(|entry| entry.kind) {
        Some(EntryKindRef::Blob(sha256)) => blobs
            .copy_to(sha256, out)
            .map(drop)
            .map_err(io::Error::other),
        Some(EntryKindRef::Slice(slice)) => blobs
            .copy_part_to(slice.blob, slice.range(size), out)
            .map(drop)
            .map_err(io::Error::other),
        Some(EntryKindRef::Inline(bytes)) => out.write_all(bytes),
        _ => {
            let missing = pith_blobs::Error::NoFile(path.to_owned());
            Err(io::Error::other(missing))
        }
    }
}
