//! `… uploads upload|list|cancel` (reference: platform-api §5.5, rpm.md §8, iso.md §5).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Session, WaitArgs};
use crate::error::Error;
use crate::kind::Kind;
use crate::output::{cell, clean};
use crate::upload::{self, FileUpload};

/// `… uploads …`
#[derive(Debug, Clone, Subcommand)]
pub enum UploadsCommand {
    /// Send files and add them to a repository
    #[command(visible_aliases = ["rpm", "srpm"])]
    Upload(UploadArgs),
    /// List uploads that the server still keeps
    List,
    /// Remove an upload from the server
    #[command(visible_alias = "delete")]
    Cancel(CancelArgs),
}

/// `… uploads upload`
#[derive(Debug, Clone, Args)]
pub struct UploadArgs {
    /// Id of the repository
    #[arg(long, value_name = "ID")]
    repo_id: String,
    /// Files to send
    #[arg(value_name = "FILE", required_unless_present = "file")]
    files: Vec<PathBuf>,
    /// File to send, as pulp-admin takes it; can be repeated
    #[arg(long, short = 'f', value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Type of the files [default: by the end of the name]
    #[arg(long = "type", value_name = "TYPE")]
    unit_type: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… uploads cancel`
#[derive(Debug, Clone, Args)]
pub struct CancelArgs {
    /// Id of the upload
    #[arg(value_name = "UPLOAD")]
    id: String,
}

pub(super) async fn run(
    command: &UploadsCommand,
    kind: &'static Kind,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    match command {
        UploadsCommand::Upload(args) => upload(args, kind, session).await,
        UploadsCommand::List => list(session).await,
        UploadsCommand::Cancel(args) => {
            let answer = session
                .client
                .delete(&["content", "uploads", &args.id])
                .await?;
            session
                .ui
                .either(&answer, &format!("removed {}", clean(&args.id)))
        }
    }
}

async fn list(session: &mut Session<'_>) -> Result<(), Error> {
    let document = session.client.get(&["content", "uploads"], &[]).await?;
    if session.ui.is_json() {
        return session.ui.document(&document);
    }
    let ids = document["upload_ids"].as_array().into_iter().flatten();
    let rows = ids.map(|id| vec![cell(id)]).collect();
    session.ui.table(&["upload"], rows, "no uploads")
}

/// Sends each file, asks for its import, waits for all imports, and removes the uploads.
async fn upload(
    args: &UploadArgs,
    kind: &'static Kind,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    // A repository that is not there would only be noticed by the import, after the bytes have travelled.
    session
        .client
        .get(&["repositories", &args.repo_id], &[])
        .await?;
    let mut planned = Vec::new();
    for path in args.files.iter().chain(&args.file) {
        planned.push(FileUpload::plan(kind, path, args.unit_type.as_deref())?);
    }
    let mut sent = Vec::new();
    let mut reports = Vec::new();
    let mut outcome = Ok(());
    for file in &planned {
        match import(file, &args.repo_id, &mut sent, session).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    let tasks: Vec<Value> = reports
        .iter()
        .flat_map(|report| {
            report["spawned_tasks"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        })
        .collect();
    let report = json!({ "result": null, "error": null, "spawned_tasks": tasks });
    if args.wait.background {
        // The imports still need the bytes: the uploads stay.
        session.finish(&report, &args.wait).await?;
        return outcome;
    }
    let imported = session.finish(&report, &args.wait).await;
    if !matches!(
        imported,
        Err(Error::Interrupted(_) | Error::Unreachable { .. })
    ) {
        for id in &sent {
            // What cannot be removed now is listed by `uploads list`.
            let _ = session.client.delete(&["content", "uploads", id]).await;
        }
    }
    outcome.and(imported)
}

async fn import(
    file: &FileUpload,
    repo: &str,
    sent: &mut Vec<String>,
    session: &mut Session<'_>,
) -> Result<Value, Error> {
    let id = upload::begin(&session.client).await?;
    sent.push(id.clone());
    let sum = upload::send(&session.client, &id, file, session.ui).await?;
    let body = file.import_body(&id, &sum);
    session
        .client
        .post(&["repositories", repo, "actions", "import_upload"], &body)
        .await
}
