//! The job that makes one note of several.

use std::io::{Read, Write};

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::blocking;
use pith_content::job::{Job, JobContext, JobRepository};
use pith_content::publish::GeneratedFile;
use pith_content::unit::{RepoUnit, Select};
use pith_content::{ContentError, Problem, Problems, Wording};
use pith_core::digest::Hashed;
use pith_core::error::ErrorDetail;
use pith_core::{RelativePath, Sha256, UnitId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::NOTE;
use super::importer::note;

/// Makes one note of several, which go. Their texts follow each other, and the digest of the token stands behind them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fold {
    /// The repository.
    repo: String,
    /// The names of the notes.
    names: Vec<String>,
    /// The name of the new one.
    into: String,
    /// A secret.
    #[serde(default)]
    token: Option<String>,
    /// Is true when the job is to wait, with all its work done, until somebody cancels it.
    #[serde(default)]
    hold: bool,
}

#[async_trait]
impl Job for Fold {
    const NAME: &'static str = "fold";
    const TASK_TYPE: &'static str = "pith_testkit.notes.fold";
    const ACTION: &'static str = "fold";

    fn check(&self) -> Result<(), Problems> {
        let mut found = Vec::new();
        if self.names.is_empty() {
            found.push(Problem::new("names", "no note is named"));
        }
        if RelativePath::new(&self.into).is_err() {
            found.push(Problem::new("into", "a note cannot have this name"));
        }
        Problems::check(found, Wording::Lines)
    }

    fn repositories(&self) -> Vec<&str> {
        vec![&self.repo]
    }

    fn tags(&self) -> Vec<String> {
        vec![format!("notes:note:{}", self.into)]
    }

    async fn run(self, ctx: &dyn JobContext) -> Result<Value, ContentError> {
        let repository = ctx.repository(&self.repo)?;
        let mut file = ctx.file(NOTE.digests)?;
        let mut gone = Vec::new();
        for (done, name) in self.names.iter().enumerate() {
            ctx.progress(json!({ "folded": done }));
            let unit = named(repository, name).await?;
            let cancelled = ctx.cancelled().clone();
            let is_cancelled = move || cancelled.is_cancelled();
            file = append(repository, unit, file, is_cancelled).await?;
            gone.push(unit);
        }
        let token = self.token.as_deref().unwrap_or_default();
        let end = Sha256::of(token.as_bytes()).to_string();
        let folded = blocking::run(move || finish(file, &end)).await??;
        repository.remove(NOTE.id, gone).await?;
        let mut doc = ctx.inspect(&NOTE, &folded).await?;
        doc.insert("name".to_owned(), json!(self.into));
        repository.stage(vec![note(doc, &folded)]).await?;
        if self.hold {
            ctx.progress(json!({ "holds": true }));
            ctx.cancelled().cancelled().await;
        }
        Ok(json!({ "folded": self.names.len(), "size": folded.size }))
    }
}

/// The note of this name.
async fn named(repository: &dyn JobRepository, name: &str) -> Result<UnitId, ContentError> {
    let select = Select::all(NOTE.id).narrow("name", [name]);
    let mut units = repository.units(select).await?;
    while let Some(batch) = units.try_next().await? {
        let is_wanted = |unit: &&RepoUnit| unit.doc.get("name").is_some_and(|known| known == name);
        if let Some(unit) = batch.iter().find(is_wanted) {
            return Ok(unit.id);
        }
    }
    let detail = ErrorDetail::new("NOT1001", format!("there is no note '{name}'"));
    Err(ContentError::coded(detail.with("name", name)))
}

/// Writes the text of a note at the end of a file.
async fn append(
    repository: &dyn JobRepository,
    unit: UnitId,
    mut file: Box<dyn GeneratedFile>,
    is_cancelled: impl Fn() -> bool + Send + 'static,
) -> Result<Box<dyn GeneratedFile>, ContentError> {
    let text = repository.open(NOTE.id, unit).await?;
    let mut text = text.ok_or_else(|| ContentError::other("the text of a note is not here"))?;
    let copy = move || {
        let mut piece = vec![0; 64 * 1024];
        while !is_cancelled() {
            let count = text.read(&mut piece)?;
            if count == 0 {
                return Ok(file);
            }
            file.write_all(&piece[..count])?;
        }
        Err(ContentError::Cancelled)
    };
    blocking::run(copy).await?
}

fn finish(mut file: Box<dyn GeneratedFile>, end: &str) -> std::io::Result<Hashed> {
    writeln!(file, "{end}")?;
    file.finish()
}
