//! `… repo uploads` (reference: platform-api §5.5, rpm.md §8, iso.md §5).

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::metadata::{Metadata, Target};
use super::typed::OfKind;
use super::{Session, WaitArgs};
use crate::client::spawned;
use crate::error::Error;
use crate::kind::Kind;
use crate::output::{clean, size};
use crate::upload::{Plan, Upload, is_id};

/// `… uploads …`
#[derive(Debug, Clone, Subcommand)]
pub enum UploadsCommand<K: OfKind> {
    /// Send files and add them to a repository
    #[command(visible_aliases = K::UPLOAD_ALIASES.iter().copied())]
    Upload(UploadArgs),
    #[command(flatten)]
    Metadata(K::Metadata),
    /// List uploads that the server still keeps, and how far those of this machine came
    List,
    /// Go on with uploads that were interrupted
    Resume(ResumeArgs),
    /// Remove an upload from the server
    #[command(visible_alias = "delete")]
    Cancel(CancelArgs),
}

/// `… uploads upload`
#[derive(Debug, Clone, Args)]
pub struct UploadArgs {
    #[command(flatten)]
    target: Target,
    /// Files to send
    #[arg(value_name = "FILE", required_unless_present_any = ["file", "dir"])]
    files: Vec<PathBuf>,
    /// File to send, as pulp-admin takes it; can be repeated
    #[arg(long, short = 'f', value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Folder whose files to send, those of a type that is known; can be repeated
    #[arg(long, short = 'd', value_name = "FOLDER")]
    dir: Vec<PathBuf>,
    /// Type of the files [default: by the end of the name]
    #[arg(long = "type", value_name = "TYPE")]
    unit_type: Option<String>,
}

/// `… uploads resume`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Ids of the uploads [default: all that this machine began on this server]
    #[arg(value_name = "UPLOAD")]
    ids: Vec<String>,
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

pub(super) async fn run<K: OfKind>(
    command: &UploadsCommand<K>,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    match command {
        UploadsCommand::Upload(args) => {
            let plans = args.plans(K::kind())?;
            begin(&args.target, plans, session).await
        }
        UploadsCommand::Metadata(args) => {
            let (target, plan) = args.plan()?;
            begin(target, vec![plan], session).await
        }
        UploadsCommand::List => list(session).await,
        UploadsCommand::Resume(args) => resume(args, session).await,
        UploadsCommand::Cancel(args) => {
            // The server takes the removal of what it does not have.
            let kept = match session.client.get(&["content", "uploads"], &[]).await {
                Ok(document) => keeps(&document, &args.id),
                Err(error) if error.is_refusal() => true,
                Err(error) => return Err(error),
            };
            let path = ["content", "uploads", &args.id];
            let answer = session.client.delete(&path).await?;
            let id = clean(&args.id);
            if session.begun.forget(&args.id)? || kept {
                return session.ui.either(&answer, &format!("removed {id}"));
            }
            Err(Error::missing(
                format!("no upload {id} is known, on the server or on this machine"),
                "`pith rpm repo uploads list` shows the uploads there are",
            ))
        }
    }
}

/// Tells whether the server's list of uploads has this one.
fn keeps(document: &Value, id: &str) -> bool {
    let ids = document["upload_ids"].as_array();
    ids.is_some_and(|ids| ids.iter().any(|other| other == id))
}

impl UploadArgs {
    /// The files that are named, and those of folders; all of them are looked at before anything is sent.
    fn plans(&self, kind: &Kind) -> Result<Vec<Plan>, Error> {
        let word = self.unit_type.as_deref();
        let named = self.files.iter().chain(&self.file);
        let mut plans = named
            .map(|path| Plan::of_file(kind, path, word))
            .collect::<Result<Vec<_>, _>>()?;
        for folder in &self.dir {
            plans.extend(Plan::of_folder(kind, folder, word)?);
        }
        if plans.is_empty() {
            return Err(Error::usage(
                "the folder holds no file of a type that is known",
                "name the files, and their type with --type",
            ));
        }
        Ok(plans)
    }
}

/// Returns what the server keeps; uploads that this machine began say what they are.
async fn list(session: &mut Session<'_>) -> Result<(), Error> {
    let document = session.client.get(&["content", "uploads"], &[]).await?;
    if session.ui.is_json() {
        return session.ui.document(&document);
    }
    let ours: BTreeMap<String, Upload> = session
        .begun
        .of_server(session.client.base().as_str())?
        .into_iter()
        .map(|upload| (upload.id.clone(), upload))
        .collect();
    let ids = document["upload_ids"].as_array().into_iter().flatten();
    let rows = ids
        .filter_map(Value::as_str)
        .map(|id| match ours.get(id) {
            None => vec![id.to_owned(), "-".into(), "-".into(), "-".into()],
            Some(upload) => vec![
                id.to_owned(),
                upload.plan.name().to_owned(),
                upload.repo_id.clone(),
                progress(upload),
            ],
        })
        .collect();
    session.ui.table(
        &["upload", "what", "repository", "progress"],
        rows,
        "no uploads",
    )
}

fn progress(upload: &Upload) -> String {
    match &upload.plan.file {
        _ if !upload.tasks.is_empty() => "import asked for".to_owned(),
        Some(file) => format!("{} of {} sent", size(upload.sent), size(file.length)),
        None => "begun".to_owned(),
    }
}

/// Begins an upload for each plan and brings them all to their end.
async fn begin(target: &Target, plans: Vec<Plan>, session: &mut Session<'_>) -> Result<(), Error> {
    // A repository that is not there would only be noticed by the import, after the bytes have travelled.
    let repo = &target.repo_id;
    session.client.get(&["repositories", repo], &[]).await?;
    let mut batch = Batch::default();
    for plan in plans {
        let upload = match Upload::begin(&session.client, repo, plan).await {
            Ok(upload) => upload,
            Err(error) => {
                batch.outcome = Err(error);
                break;
            }
        };
        remember(&upload, session);
        if !batch.add(upload, session).await {
            break;
        }
    }
    batch.end(&target.wait, session).await
}

/// Goes on with uploads of this machine: sends what is missing, asks for imports, waits for those that run.
async fn resume(args: &ResumeArgs, session: &mut Session<'_>) -> Result<(), Error> {
    let server = session.client.base().to_string();
    let mut ours = session.begun.of_server(&server)?;
    if !args.ids.is_empty() {
        for id in &args.ids {
            if !ours.iter().any(|upload| upload.id == *id) {
                return Err(not_ours(id));
            }
        }
        ours.retain(|upload| args.ids.contains(&upload.id));
    }
    if ours.is_empty() {
        let none = "no upload of this machine waits to go on";
        return session.ui.either(&json!([]), none);
    }
    let document = session.client.get(&["content", "uploads"], &[]).await?;
    let mut batch = Batch::default();
    for upload in ours {
        let upload = if keeps(&document, &upload.id) {
            upload
        } else {
            // The server has forgotten the bytes: from the beginning.
            session.begun.forget(&upload.id)?;
            if !upload.tasks.is_empty() {
                continue;
            }
            let again = Upload::begin(&session.client, &upload.repo_id, upload.plan).await?;
            remember(&again, session);
            again
        };
        if !batch.add(upload, session).await {
            break;
        }
    }
    batch.end(&args.wait, session).await
}

fn not_ours(id: &str) -> Error {
    let what = if is_id(id) {
        format!("{id} was not begun on this machine for this server")
    } else {
        format!("{} is no id of an upload", clean(id))
    };
    Error::usage(
        what,
        "`pith rpm repo uploads list` shows all uploads, `pith rpm repo uploads cancel UPLOAD` removes one",
    )
}

/// Uploads that end together.
struct Batch {
    uploads: Vec<Upload>,
    outcome: Result<(), Error>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            uploads: Vec::new(),
            outcome: Ok(()),
        }
    }
}

impl Batch {
    /// Sends what is missing and asks for the import; whether to go on with the next.
    async fn add(&mut self, mut upload: Upload, session: &mut Session<'_>) -> bool {
        let sent = if upload.tasks.is_empty() {
            send(&mut upload, session).await
        } else {
            Ok(())
        };
        match sent {
            Ok(()) => {
                self.uploads.push(upload);
                true
            }
            Err(error) => {
                self.outcome = Err(given_up(&upload, error, session).await);
                false
            }
        }
    }

    /// Waits for the imports, and removes what is imported or refused. In the background the imports still need the
    /// bytes: the uploads stay, and `resume` removes them later.
    async fn end(self, wait_args: &WaitArgs, session: &mut Session<'_>) -> Result<(), Error> {
        let tasks: Vec<Value> = self
            .uploads
            .iter()
            .flat_map(|upload| &upload.tasks)
            .map(|id| json!({ "task_id": id, "_href": format!("/pulp/api/v2/tasks/{id}/") }))
            .collect();
        let report = json!({ "result": null, "error": null, "spawned_tasks": tasks });
        let imported = session.finish(&report, wait_args).await;
        let over = !matches!(
            imported,
            Err(Error::Interrupted(_) | Error::Unreachable { .. })
        );
        if over && !wait_args.background {
            for upload in &self.uploads {
                discard(&upload.id, session).await;
            }
        }
        self.outcome.and(imported)
    }
}

async fn send(upload: &mut Upload, session: &mut Session<'_>) -> Result<(), Error> {
    let begun = session.begun.clone();
    let sum = upload
        .send(&session.client, session.ui, |upload| {
            // An older note only makes more to send again.
            let _ = begun.note(upload);
        })
        .await?;
    let report = upload.import(&session.client, sum.as_ref()).await?;
    debug_assert_eq!(spawned(&report), upload.tasks);
    remember(upload, session);
    Ok(())
}

/// Notes how far an upload came. A home that cannot be written is no reason not to upload.
fn remember(upload: &Upload, session: &mut Session<'_>) {
    if let Err(error) = session.begun.note(upload) {
        session.ui.note(&format!(
            "this upload cannot go on after an interruption: {error}"
        ));
    }
}

/// Returns what becomes of an upload that failed: one that the server refused is removed, one that could go on stays.
async fn given_up(upload: &Upload, error: Error, session: &mut Session<'_>) -> Error {
    let refused =
        matches!(&error, Error::Answer(answer) if matches!(answer.status, 400 | 404 | 409 | 413));
    if refused {
        discard(&upload.id, session).await;
    } else if session.begun.note(upload).is_ok() {
        session.ui.note(&format!(
            "`pith rpm repo uploads resume {}` goes on where this stopped",
            upload.id
        ));
    }
    error
}

/// Removes an upload here and there. What cannot be removed now is listed by `uploads list`.
async fn discard(id: &str, session: &mut Session<'_>) {
    let _ = session.client.delete(&["content", "uploads", id]).await;
    let _ = session.begun.forget(id);
}
