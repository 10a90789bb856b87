//! Importing an uploaded file (pulp2/iso#upload).

use pith_content::unit::{Existing, Source, WantedUnit};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{ContentError, UnitKey};
use pith_core::digest::Hashed;
use pith_core::{RelativePath, Sha256};
use serde_json::{Value, json};

use crate::ISO;
use crate::metadata::manifest;
use crate::mismatch::{wrong_digest, wrong_size};
use crate::names::{by_name, same_names};

/// Makes an ISO of the uploaded bytes. Key and bytes must agree, whatever `validate` says.
pub(crate) async fn import(
    ctx: &dyn UploadContext,
    upload: Upload,
) -> Result<UploadReport, ContentError> {
    let key = UnitKey::of(&ISO, &upload.key).map_err(ContentError::other)?;
    if let Some(unknown) = upload
        .key
        .keys()
        .find(|name| ISO.key.iter().all(|field| field.name != *name))
    {
        return Err(ContentError::other(format!(
            "the unit key of type iso has no field '{unknown}'"
        )));
    }
    let name = text(&upload.key, "name")?;
    let path = RelativePath::new(name).map_err(ContentError::other)?;
    if path.as_str() == manifest::NAME {
        return Err(refused(
            "An ISO may not be named PULP_MANIFEST, as it conflicts with the name of the manifest during publishing.",
        ));
    }
    let size = upload
        .key
        .get("size")
        .and_then(Value::as_u64)
        .ok_or_else(|| {
            ContentError::other("the field 'size' of the unit key must be a number of bytes")
        })?;
    let checksum = text(&upload.key, "checksum")?;
    let expected: Sha256 = checksum
        .to_ascii_lowercase()
        .parse()
        .map_err(ContentError::other)?;
    if ctx.size() != size {
        return Err(refused(&wrong_size(name, size, ctx.size())));
    }
    let mut doc = key.to_document();
    doc.insert("checksum".to_owned(), json!(expected));
    for (field, value) in upload.metadata {
        let own = doc.entry(field.as_str()).or_insert_with(|| value.clone());
        if *own != value {
            return Err(refused(&format!(
                "'{field}' cannot be {value} in unit_metadata: it is {own} in unit_key"
            )));
        }
    }
    let check = |hashed: &Hashed| {
        let actual = hashed.sha256.to_string();
        match hashed.sha256 == expected {
            true => Ok(()),
            false => Err(refused(&wrong_digest(name, checksum, &actual))),
        }
    };
    let stored = ctx.store(&[], &check).await?;
    let source = Some(Source::Blob {
        sha256: stored.sha256,
        size,
    });
    ctx.stage(vec![WantedUnit {
        type_id: "iso",
        doc,
        parts: Vec::new(),
        source,
        existing: Existing::Keep,
    }])
    .await?;
    let older = same_names(ctx.units_after(by_name().narrow("name", [name])).await?).await?;
    ctx.remove("iso", older).await?;
    Ok(UploadReport {
        summary: Value::Null,
        details: Value::Null,
    })
}

fn text<'a>(key: &'a pith_core::Document, field: &str) -> Result<&'a str, ContentError> {
    key.get(field).and_then(Value::as_str).ok_or_else(|| {
        ContentError::other(format!(
            "the field '{field}' of the unit key must be a text"
        ))
    })
}

fn refused(message: &str) -> ContentError {
    ContentError::Failed {
        message: message.to_owned(),
        summary: json!(message),
        details: Value::Null,
    }
}
