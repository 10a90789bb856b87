//! Documents of packages begin with the number of packages. Where that turned out to be smaller, they are copied with the right
//! number, chunk by chunk: nothing else changes.

use std::io;

use pith_content::ContentError;
use pith_content::publish::{Entry, PublishContext};
use pith_core::Algorithm;

use super::output::{Output, Written, join};
use super::predecessor::OldDocument;
use crate::metadata::members::Members;
use crate::metadata::writer::PACKAGE_DOCUMENTS;
use crate::metadata::writer::PackageWriter;

/// The three documents again, beginning with `count`.
///
/// # Errors
/// When they cannot be read or written.
pub async fn recounted(
    ctx: &dyn PublishContext,
    written: Vec<Written>,
    count: u64,
    algorithm: Algorithm,
) -> Result<Vec<Written>, ContentError> {
    let now = ctx.clock().now();
    let mut handles = Vec::new();
    for (kind, old) in PACKAGE_DOCUMENTS.into_iter().zip(&written) {
        let Entry::Blob { sha256, .. } = &old.entry else {
            return Err(ContentError::other("a document of packages is no file"));
        };
        let file = ctx.open(*sha256).await?;
        let mut output = Output::packed(ctx, kind.name(), algorithm)?;
        handles.push(tokio::task::spawn_blocking(move || {
            let lost = || io::Error::other("a document that was just written cannot be read");
            let mut old: OldDocument = Members::find(file)?.ok_or_else(lost)?;
            let mut writer = PackageWriter::new(&mut output, kind, count)?;
            for key in old.ordered_keys() {
                writer.copy(&key, &mut old)?;
            }
            writer.finish()?;
            output.finish(now)
        }));
    }
    let mut recounted = Vec::with_capacity(handles.len());
    for handle in handles {
        recounted.push(join(handle).await?);
    }
    Ok(recounted)
}
