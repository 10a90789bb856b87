//! Importing an uploaded file (pulp2/python#upload).

use std::fs::File;

use futures::TryStreamExt;
use pith_content::unit::{Select, WantedUnit, text};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{ContentError, blocking};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Sha256};
use serde_json::json;

use crate::archive::{self, ArchiveError};
use crate::metadata::Metadata;
use crate::names::{FileName, ProjectName, is_version};
use crate::unit::{PACKAGE, described, document};

/// Makes a package of the uploaded bytes. The key names the file; everything else is read from it.
pub(crate) async fn import(
    ctx: &dyn UploadContext,
    upload: Upload,
) -> Result<UploadReport, ContentError> {
    let name = text(&upload.key, "filename");
    let name = name.ok_or_else(|| {
        ContentError::refused("the unit key of a Python package needs the field 'filename'")
    })?;
    let file = FileName::new(name).map_err(|error| ContentError::refused(error.to_string()))?;
    let bytes = ctx.open()?;
    let metadata = blocking::run(move || read(bytes)).await?;
    let metadata = metadata.map_err(|error| ContentError::refused(format!("{name}: {error}")))?;
    let (project, version) = named(&file, &metadata)?;
    let known = known(ctx, &file).await?;
    let check = |hashed: &Hashed| match known {
        Some(known) if known != hashed.sha256 => Err(ContentError::refused(format!(
            "the repository has another file of the name {name}: a file never changes under its name, so give this one \
             another version or build number, or remove the other first"
        ))),
        _ => Ok(()),
    };
    let stored = ctx.store(&[Algorithm::Sha512], &check).await?;
    let mut doc = document(&file, &project, &version);
    doc.insert("sha256_digest".to_owned(), json!(stored.sha256));
    doc.insert("size".to_owned(), json!(stored.size));
    if let Some(sha512) = stored.hex(Algorithm::Sha512) {
        doc.insert("_checksum".to_owned(), json!(sha512));
        doc.insert("_checksum_type".to_owned(), json!("sha512"));
    }
    doc.extend(described(metadata));
    let unit = WantedUnit::new(PACKAGE.id, doc).with_file(&stored);
    ctx.stage(vec![unit]).await?;
    Ok(UploadReport {
        summary: json!(""),
        details: json!({}),
    })
}

fn read(mut bytes: File) -> Result<Metadata, ArchiveError> {
    archive::metadata(&mut bytes)
}

/// Project and version, which the name of the file and its metadata must agree on.
fn named(file: &FileName, metadata: &Metadata) -> Result<(ProjectName, String), ContentError> {
    let project = ProjectName::new(&metadata.name)
        .map_err(|error| ContentError::refused(error.to_string()))?;
    if !is_version(&metadata.version) {
        let text = format!("'{}' is no version", metadata.version.escape_debug());
        return Err(ContentError::refused(text));
    }
    if file.version(&project).is_none() {
        let text = format!(
            "the file {} is called otherwise than its project, {project}",
            file.as_str()
        );
        return Err(ContentError::refused(text));
    }
    Ok((project, metadata.version.clone()))
}

/// The file that the repository has of this name, as far as it is here or promised.
async fn known(ctx: &dyn UploadContext, file: &FileName) -> Result<Option<Sha256>, ContentError> {
    let select = Select {
        fields: Some(&["filename"]),
        ..Select::all(PACKAGE.id)
    };
    let mut units = ctx
        .units_after(select.narrow("filename", [file.as_str()]))
        .await?;
    while let Some(batch) = units.try_next().await? {
        let mut same = batch.into_iter();
        let same = same.find(|unit| unit.text("filename") == Some(file.as_str()));
        if let Some(unit) = same {
            return Ok(unit.blob.or(unit.promised));
        }
    }
    Ok(None)
}
