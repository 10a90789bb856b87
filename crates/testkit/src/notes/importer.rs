//! Notes come by uploads; a sync has nothing to bring.

use async_trait::async_trait;
use pith_content::sync::{SyncContext, SyncReport, Upstream};
use pith_content::unit::{Existing, Source, WantedUnit};
use pith_content::upload::{Upload, UploadContext, UploadReport};
use pith_content::{Config, ContentError, Importer, PluginDescriptor};
use serde_json::json;

use super::{IMPORTER, NOTE};

pub(super) struct NotesImporter;

#[async_trait]
impl Importer for NotesImporter {
    fn descriptor(&self) -> &'static PluginDescriptor {
        &IMPORTER
    }

    fn validate(&self, _config: &Config) -> Result<(), String> {
        Ok(())
    }

    fn upstream(&self, config: &Config) -> Upstream {
        Upstream::from_config(config)
    }

    async fn sync(&self, _ctx: &dyn SyncContext) -> Result<SyncReport, ContentError> {
        Ok(SyncReport::default())
    }

    async fn upload(
        &self,
        ctx: &dyn UploadContext,
        upload: Upload,
    ) -> Result<UploadReport, ContentError> {
        let stored = ctx.store(&[], &|_| Ok(())).await?;
        let mut doc = upload.key;
        doc.insert("size".to_owned(), json!(stored.size));
        doc.insert("sha256".to_owned(), json!(stored.sha256));
        let source = Some(Source::Blob {
            sha256: stored.sha256,
            size: stored.size,
        });
        ctx.stage(vec![WantedUnit {
            type_id: NOTE.id,
            doc,
            parts: Vec::new(),
            source,
            existing: Existing::Replace,
        }])
        .await?;
        Ok(UploadReport::default())
    }
}
