//! Documents that a publication generates.

use std::io::{self, BufWriter, Write};

use pith_core::digest::Hashed;
use pith_core::{RelativePath, Timestamp};

use crate::ContentError;
use crate::publish::{Entry, GeneratedFile, PublishContext};

/// Writes a document through a buffer and puts it into the blob store.
///
/// # Errors
/// What `write` fails with; when the disk is full or broken.
pub fn write(
    file: Box<dyn GeneratedFile>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Hashed> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.finish()
}

/// The document that is served at a path now, and its time; `None` when nothing is.
///
/// # Errors
/// When the publication cannot be read.
pub async fn served(
    ctx: &dyn PublishContext,
    path: &RelativePath,
) -> Result<Option<(Entry, Timestamp)>, ContentError> {
    let below = ctx.previous(path.as_str()).await?;
    let mut same = below.into_iter().filter(|(other, ..)| other == path);
    Ok(same.next().map(|(_, entry, modified)| (entry, modified)))
}
