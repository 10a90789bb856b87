//! Importing an uploaded file (pulp2/iso#upload).

use pith_content::unit::WantedUnit;
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{ContentError, UnitKey, unit};
use pith_core::digest::Hashed;
use pith_core::{Document, RelativePath, Sha256};
use serde_json::{Value, json};

use crate::ISO;
use crate::metadata::manifest;
use crate::mismatch::{wrong_digest, wrong_size};
use crate::names::{by_name, keep_last};

/// Makes an ISO of the uploaded bytes. Key and bytes must agree, whatever `validate` says.
pub(crate) async fn import(
    ctx: &dyn UploadContext,
    upload: Upload,
) -> Result<UploadReport, ContentError> {
    let key = UnitKey::of(&ISO, &upload.key)?;
    let mut fields = upload.key.keys();
    if let Some(unknown) = fields.find(|name| ISO.key.iter().all(|field| field.name != *name)) {
        return Err(ContentError::other(format!(
            "the unit key of type iso has no field '{unknown}'"
        )));
    }
    let name = text(&upload.key, "name")?;
    if manifest::takes(RelativePath::new(name)?.as_str()) {
        return Err(ContentError::refused(
            "An ISO may not be named PULP_MANIFEST, as it conflicts with the name of the manifest during publishing.",
        ));
    }
    let size = upload.key.get("size").and_then(Value::as_u64);
    let size = size.ok_or_else(|| {
        ContentError::other("the field 'size' of the unit key must be a number of bytes")
    })?;
    let checksum = text(&upload.key, "checksum")?;
    let expected: Sha256 = checksum.to_ascii_lowercase().parse()?;
    if ctx.size() != size {
        return Err(ContentError::refused(wrong_size(name, size, ctx.size())));
    }
    let mut doc = key.to_document();
    doc.insert("checksum".to_owned(), json!(expected));
    for (field, value) in upload.metadata {
        let own = doc.entry(field.as_str()).or_insert_with(|| value.clone());
        if *own != value {
            return Err(ContentError::refused(format!(
                "'{field}' cannot be {value} in unit_metadata: it is {own} in unit_key"
            )));
        }
    }
    let check = |hashed: &Hashed| match hashed.sha256 == expected {
        true => Ok(()),
        false => {
            let actual = hashed.sha256.to_string();
            let text = wrong_digest(name, checksum, &actual);
            Err(ContentError::refused(text))
        }
    };
    let stored = ctx.store(&[], &check).await?;
    let unit = WantedUnit::new(ISO.id, doc).with_file(&stored);
    ctx.stage(vec![unit]).await?;
    keep_last(ctx, by_name().narrow("name", [name])).await?;
    Ok(UploadReport::default())
}

fn text<'a>(key: &'a Document, field: &str) -> Result<&'a str, ContentError> {
    unit::text(key, field).ok_or_else(|| {
        ContentError::other(format!(
            "the field '{field}' of the unit key must be a text"
        ))
    })
}
