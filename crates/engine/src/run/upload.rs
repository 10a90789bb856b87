//! Importing an upload: the platform's half (pulp2/uploads#import).

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use pith_blobs::Nameless;
use pith_content::repository::{RepositoryContext, StageContext};
use pith_content::task::Within;
use pith_content::unit::WantedUnit;
use pith_content::upload::{Check, Upload, UploadContext};
use pith_content::{Config, ContentError, UnitKey, UnitType, blocking};
use pith_core::digest::Hashed;
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Algorithm, Document};
use serde_json::{Value, json};
use uuid::Uuid;

use super::content::{Content, Staging};
use super::inspect;
use super::said::USER_METADATA;
use super::subject::{Subject, document};
use crate::acting;
use crate::attempt::{Done, Run};
use crate::error::{Error, platform};
use crate::jobs::ImportUpload;

/// Runs an [`ImportUpload`].
pub(crate) async fn run(run: Run, job: ImportUpload) -> Result<Done, Error> {
    let engine = Arc::clone(&run.engine);
    let repo_id = job.repo_id.as_str();
    let Subject {
        repo,
        importer,
        plugin,
    } = Subject::of(&run, repo_id).await?;
    let type_id = job.unit_type_id.as_str().unwrap_or_default().to_owned();
    if !plugin.descriptor().types.contains(&type_id.as_str()) {
        return Err(Error::fault("Invalid unit type for repository"));
    }
    let overriding = document("override_config", job.override_config)?;
    let mut metadata = document("unit_metadata", job.unit_metadata)?;
    let user_metadata = match metadata.remove(USER_METADATA) {
        None | Some(Value::Null) => None,
        Some(data @ Value::Object(_)) => Some(data),
        Some(other) => {
            return Err(PulpError::wrong_type(USER_METADATA, "dict", &other).into());
        }
    };
    let upload = Upload {
        type_id: type_id.clone(),
        key: document("unit_key", job.unit_key)?,
        metadata,
    };
    let file = open(&run, &job.upload_id).await?;
    let config = Config::with_override(importer.config.clone(), overriding);
    let ctx = Context {
        staging: Staging::start(Content::new(&run, &repo, config))?,
        file,
        user_metadata,
    };
    let report = match plugin.upload(&ctx, upload).await {
        Ok(report) => report,
        Err(ContentError::Failed {
            summary, details, ..
        }) => {
            return Err(refused(&importer.type_id, &type_id, repo_id, &summary, &details).into());
        }
        Err(error) => return Err(error.into()),
    };
    ctx.staging.drain().await?;
    let last = run.last().await?;
    let now = engine.clock.now();
    if !acting::is_discreet() {
        // A super-user's word on a document holds wherever that very document is, as in Pulp.
        last.documents_spread(repo_id, now).await?;
    }
    let committed = last.content_commit(repo_id, now).await?;
    let result =
        json!({ "success_flag": true, "summary": report.summary, "details": report.details });
    let done = Done {
        result,
        ..Done::default()
    };
    let done = run.finish(last, done).await?;
    engine.content_grew(committed.added);
    Ok(done)
}

/// PLP0047: the importer looked at the upload and says no.
fn refused(
    importer: &str,
    unit_type: &str,
    repo_id: &str,
    summary: &Value,
    details: &Value,
) -> PulpError {
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => pith_core::error::printed(other),
    };
    let text = format!(
        "The importer {importer} indicated a failed response when uploading {unit_type} unit to repository {repo_id}. \
         Summary: '{}'. Details: '{}'",
        shown(summary),
        shown(details)
    );
    let detail = ErrorDetail::new("PLP0047", text)
        .with("importer_id", importer)
        .with("unit_type", unit_type)
        .with("repo_id", repo_id)
        .with("summary", summary.clone())
        .with("details", details.clone());
    PulpError::coded(detail)
}

/// The uploaded bytes; `None` when nothing was uploaded under that id, which is right for units without a file.
async fn open(run: &Run, upload_id: &Value) -> Result<Option<File>, Error> {
    let Some(id) = upload_id
        .as_str()
        .and_then(|text| Uuid::parse_str(text).ok())
    else {
        return Ok(None);
    };
    let uploads = run.engine.blobs.uploads();
    match uploads.len(id).await? {
        None => Ok(None),
        Some(_) => uploads.open(id).await.map(Some).map_err(Error::from),
    }
}

struct Context<'a> {
    staging: Staging<'a>,
    file: Option<File>,
    /// The client's notes about the new units.
    user_metadata: Option<Value>,
}

impl Context<'_> {
    fn run(&self) -> &Run {
        self.staging.content.run
    }
}

impl<'a> Within for Context<'a> {
    type Inner = Content<'a>;

    fn inner(&self) -> &Content<'a> {
        &self.staging.content
    }
}

#[async_trait]
impl StageContext for Context<'_> {
    async fn stage(&self, mut units: Vec<WantedUnit>) -> Result<(), ContentError> {
        if let Some(metadata) = &self.user_metadata {
            for unit in &mut units {
                unit.doc.insert(USER_METADATA.to_owned(), metadata.clone());
            }
        }
        self.staging.stage(units).await
    }
}

#[async_trait]
impl UploadContext for Context<'_> {
    fn size(&self) -> u64 {
        self.file
            .as_ref()
            .and_then(|file| file.metadata().ok())
            .map_or(0, |metadata| metadata.len())
    }

    fn open(&self) -> std::io::Result<File> {
        use std::io::Seek;
        let file = self
            .file
            .as_ref()
            .ok_or_else(|| std::io::Error::other("nothing was uploaded"))?;
        let mut file = file.try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    async fn store(&self, also: &[Algorithm], check: Check<'_>) -> Result<Hashed, ContentError> {
        let mut file = self.open()?;
        let mut writer = self.run().engine.blobs.sync_writer(also);
        let cancel = self.run().cancel.clone();
        let copy = move || -> Result<Nameless, ContentError> {
            let mut buffer = vec![0; 256 * 1024];
            loop {
                if cancel.is_cancelled() {
                    return Err(ContentError::Cancelled);
                }
                let count = file.read(&mut buffer)?;
                if count == 0 {
                    return writer.whole().map_err(platform);
                }
                std::io::Write::write_all(&mut writer, &buffer[..count])?;
            }
        };
        let whole = blocking::run(copy).await??;
        check(whole.stored())?;
        let keep = move || whole.keep().map_err(platform);
        blocking::run(keep).await?
    }

    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError> {
        inspect::required(&self.run().engine, kind, hashed).await
    }

    async fn known(&self, unit: &WantedUnit) -> Result<Option<Document>, ContentError> {
        let engine = &self.run().engine;
        let Some(kind) = engine.registry.unit_type(unit.type_id) else {
            return Ok(None);
        };
        let key = UnitKey::of(kind, &unit.doc).map_err(ContentError::other)?;
        let key = key.digest(kind);
        let store = &self.run().store;
        let found = store
            .units_known(&self.repo().id, unit.type_id, &[key])
            .await;
        let found = found.map_err(platform)?.remove(&key);
        let Some(own) = found.unwrap_or_default().into_iter().find(|unit| unit.own) else {
            return Ok(None);
        };
        let unit = store.unit_get(unit.type_id, own.id).await;
        Ok(unit.map_err(platform)?.map(|unit| unit.doc))
    }
}
