//! Notes come by uploads, and from a folder that has a file `names` with a name, a size and, when it is known, a SHA-256 on each line.

use std::sync::Arc;

use async_trait::async_trait;
use pith_content::base::Base;
use pith_content::copy::{CopyContext, CopyReport, RemoveContext};
use pith_content::fetch::{Fetch, FetchFailure};
use pith_content::sync::{StageObserver, SyncContext, SyncReport};
use pith_content::unit::{Source, WantedUnit};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Config, ContentError, Importer, PluginDescriptor, Problems};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest, Document};
use serde_json::{Value, json};

use super::{IMPORTER, NOTE, along, binders};

pub(super) struct NotesImporter;

/// Ends a sync at the first note that cannot be had.
struct Strict;

impl StageObserver for Strict {
    fn failed(&self, _unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        Err(ContentError::Fetch(failure.clone()))
    }

    fn progress(&self) -> Value {
        Value::Null
    }
}

/// The note of a text that was stored.
pub(super) fn note(mut doc: Document, stored: &Hashed) -> WantedUnit {
    doc.insert("size".to_owned(), json!(stored.size));
    doc.insert("sha256".to_owned(), json!(stored.sha256));
    let unit = WantedUnit::new(NOTE.id, doc).with_file(stored);
    unit.replacing()
}

/// The note of a line. By its digest a note is known to have become another one.
fn wanted(base: &Base, line: &str) -> Option<WantedUnit> {
    let mut cells = line.split(' ');
    let (name, size) = (cells.next()?, cells.next()?);
    let mut doc = Document::from_iter([("name".to_owned(), json!(name))]);
    let digest = cells.next();
    let digest = digest.and_then(|hex| Digest::new(Algorithm::Sha256, hex).ok());
    if let Some(digest) = &digest {
        doc.insert("sha256".to_owned(), json!(digest.hex()));
    }
    let digests = digest.into_iter().collect();
    let source = Source::download(base.join(name), size.parse().ok(), digests);
    let unit = WantedUnit::new(NOTE.id, doc).with_file(source);
    Some(unit.replacing())
}

#[async_trait]
impl Importer for NotesImporter {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &IMPORTER
    }

    fn validate(&self, _config: &Config) -> Result<(), Problems> {
        Ok(())
    }

    async fn sync(&self, ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        let base = ctx.feed()?;
        let names = ctx.fetch(Fetch::any(base.join("names"), 1 << 20)).await?;
        let names = std::fs::read_to_string(names.path())?;
        let wanted = names.lines().filter_map(|line| wanted(base, line));
        let observer: Arc<dyn StageObserver> = Arc::new(Strict);
        ctx.stage(wanted.collect(), &observer).await?;
        binders::sync(ctx, base, &observer).await?;
        ctx.drain().await?;
        Ok(SyncReport::default())
    }

    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        let stored = ctx.store(NOTE.digests, &|_| Ok(())).await?;
        let mut doc = upload.key;
        doc.extend(ctx.inspect(&NOTE, &stored).await?);
        ctx.stage(vec![note(doc, &stored)]).await?;
        Ok(UploadReport::default())
    }

    async fn copy(&self, ctx: &dyn CopyContext) -> Result<CopyReport, ContentError> {
        along::bring(ctx).await
    }

    async fn remove(&self, ctx: &dyn RemoveContext) -> Result<(), ContentError> {
        along::follow(ctx).await
    }
}
