//! `… repo uploads` (pulp2/uploads#requests, pulp2/rpm-upload, pulp2/iso#upload).

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};
use pith_content::words::{self, Family, FileUse, UploadWords, Words};
use serde_json::{Value, json};

use super::assembly::{holder, read, with};
use super::common::WaitArgs;
use super::running::CommandSession;
use crate::client::spawned;
use crate::error::Error;
use crate::options::{self, GivenOption};
use crate::text::{clean, size};
use crate::upload::{BegunUpload, DigestUse, Plan, SourceFile, is_id};

/// `… uploads …`
#[derive(Debug, Clone)]
pub(super) enum UploadsCommand {
    Upload(UploadArgs),
    Described(DescribedArgs),
    Kept(KeptCommand),
}

/// Work with uploads that have begun, the same in every section.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum KeptCommand {
    /// List uploads that the server still keeps, and how far those of this machine came
    List,
    /// Go on with uploads that were interrupted
    Resume(ResumeArgs),
    /// Remove an upload from the server
    #[command(visible_alias = "delete")]
    Cancel(CancelArgs),
}

/// The repository of an upload, and whether to wait for its import.
#[derive(Debug, Clone, Args)]
struct Target {
    /// Id of the repository
    #[arg(long, value_name = "ID")]
    repo_id: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… uploads <word>`, for a unit that options describe.
#[derive(Debug, Clone)]
pub(super) struct DescribedArgs {
    words: &'static UploadWords,
    target: Target,
    file: Option<FileArgs>,
    given: Vec<GivenOption>,
}

/// The file of a unit that options describe.
#[derive(Debug, Clone, Args)]
struct FileArgs {
    /// File to send
    #[arg(value_name = "FILE", required_unless_present = "file")]
    path: Option<PathBuf>,
    /// File to send, as pulp-admin takes it
    #[arg(long, short = 'f', value_name = "FILE", conflicts_with = "path")]
    file: Option<PathBuf>,
}

/// `… uploads upload`
#[derive(Debug, Clone, Args)]
pub(super) struct UploadArgs {
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
pub(super) struct ResumeArgs {
    /// Ids of the uploads [default: all that this machine began on this server]
    #[arg(value_name = "UPLOAD")]
    ids: Vec<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… uploads cancel`
#[derive(Debug, Clone, Args)]
pub(super) struct CancelArgs {
    /// Id of the upload
    #[arg(value_name = "UPLOAD")]
    id: String,
}

/// The command `uploads` of a family.
pub(super) fn command(family: &Family) -> Command {
    let words = family.words;
    let upload = UploadArgs::augment_args(Command::new("upload"))
        .about("Send files and add them to a repository")
        .visible_aliases(words.upload_aliases.iter().copied());
    let uploads = holder("uploads", "Send files and metadata to the repository")
        .subcommand(upload)
        .subcommands(words.uploads.iter().map(|words| described(family, words)));
    with::<KeptCommand>(uploads)
}

fn described(family: &Family, words: &'static UploadWords) -> Command {
    let mut command = Target::augment_args(Command::new(words.word));
    if words.file.is_some() {
        command = FileArgs::augment_args(command);
    }
    // The version of a unit stands in the place of the program's own.
    let has_version = words.options.iter().any(|option| option.long == "version");
    options::augment(command, family, words.options)
        .about(words.about)
        .visible_aliases(words.aliases.iter().copied())
        .disable_version_flag(has_version)
}

impl UploadsCommand {
    /// The command that was given.
    pub(super) fn from_matches(matches: &ArgMatches, family: &Family) -> Result<Self, clap::Error> {
        let (name, own) = matches.subcommand().unwrap_or(("", matches));
        if name == "upload" {
            return Ok(Self::Upload(read(own)?));
        }
        let mut all = family.words.uploads.iter();
        match all.find(|words| words.word == name) {
            Some(words) => DescribedArgs::from_matches(own, family, words).map(Self::Described),
            None => KeptCommand::from_arg_matches(matches).map(Self::Kept),
        }
    }
}

impl DescribedArgs {
    fn from_matches(
        matches: &ArgMatches,
        family: &Family,
        words: &'static UploadWords,
    ) -> Result<Self, clap::Error> {
        Ok(Self {
            words,
            target: read(matches)?,
            file: words.file.map(|_| read(matches)).transpose()?,
            given: options::all_given(family, words.options, matches),
        })
    }

    /// Returns what to send.
    fn plan(&self) -> Result<Plan, Error> {
        let words = self.words;
        let values = options::named(words.options, &self.given)?;
        let given = words::Given::new(self.target.repo_id.clone(), values);
        let unit = (words.describe)(&given);
        // The definition of the options lets one of them through.
        let path = self.file.as_ref();
        let path = path.and_then(|args| args.path.as_deref().or(args.file.as_deref()));
        Ok(Plan {
            digest: match words.file {
                Some(FileUse::Verified) => DigestUse::Metadata,
                Some(FileUse::Read) | None => DigestUse::Nowhere,
            },
            file: path.map(SourceFile::at).transpose()?,
            ..Plan::without_file(words.unit_type, unit.key, unit.metadata)
        })
    }
}

pub(super) async fn run(
    command: &UploadsCommand,
    words: &Words,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        UploadsCommand::Upload(args) => {
            let plans = args.plans(words)?;
            begin(&args.target, plans, session).await
        }
        UploadsCommand::Described(args) => {
            let plan = args.plan()?;
            begin(&args.target, vec![plan], session).await
        }
        UploadsCommand::Kept(KeptCommand::List) => list(session).await,
        UploadsCommand::Kept(KeptCommand::Resume(args)) => resume(args, session).await,
        UploadsCommand::Kept(KeptCommand::Cancel(args)) => cancel(&args.id, session).await,
    }
}

/// Removes an upload from the server and from the notes of this machine.
async fn cancel(id: &str, session: &mut CommandSession<'_>) -> Result<(), Error> {
    // The server takes the removal of what it does not have.
    let kept = match session.client.get(&["content", "uploads"], &[]).await {
        Ok(document) => keeps(&document, id),
        Err(error) if error.is_refusal() => true,
        Err(error) => return Err(error),
    };
    let answer = session.client.delete(&["content", "uploads", id]).await?;
    let shown = clean(id);
    if session.begun.forget(id)? || kept {
        return session.ui.either(&answer, &format!("removed {shown}"));
    }
    let section = session.ui.families.usual_section();
    Err(Error::missing(
        format!("no upload {shown} is known, on the server or on this machine"),
        format!("`pith {section} repo uploads list` shows the uploads there are"),
    ))
}

/// Tells whether the server's list of uploads has this one.
fn keeps(document: &Value, id: &str) -> bool {
    let ids = document["upload_ids"].as_array();
    ids.is_some_and(|ids| ids.iter().any(|other| other == id))
}

impl UploadArgs {
    /// The files that are named, and those of folders; all of them are looked at before anything is sent.
    fn plans(&self, words: &Words) -> Result<Vec<Plan>, Error> {
        let word = self.unit_type.as_deref();
        let named = self.files.iter().chain(&self.file);
        let mut plans = named
            .map(|path| Plan::of_file(words, path, word))
            .collect::<Result<Vec<_>, _>>()?;
        for folder in &self.dir {
            plans.extend(Plan::of_folder(words, folder, word)?);
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
async fn list(session: &mut CommandSession<'_>) -> Result<(), Error> {
    let document = session.client.get(&["content", "uploads"], &[]).await?;
    if session.ui.is_json() {
        return session.ui.document(&document);
    }
    let ours: BTreeMap<String, BegunUpload> = session
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

fn progress(upload: &BegunUpload) -> String {
    match &upload.plan.file {
        _ if !upload.tasks.is_empty() => "import asked for".to_owned(),
        Some(file) => format!("{} of {} sent", size(upload.sent), size(file.length)),
        None => "begun".to_owned(),
    }
}

/// Begins an upload for each plan and brings them all to their end.
async fn begin(
    target: &Target,
    plans: Vec<Plan>,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    // A repository that is not there would only be noticed by the import, after the bytes have travelled.
    let repo = &target.repo_id;
    session.client.get(&["repositories", repo], &[]).await?;
    let mut batch = Batch::default();
    for plan in plans {
        let upload = match BegunUpload::begin(&session.client, repo, plan).await {
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
async fn resume(args: &ResumeArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let server = session.client.base().to_string();
    let mut ours = session.begun.of_server(&server)?;
    if !args.ids.is_empty() {
        for id in &args.ids {
            if !ours.iter().any(|upload| upload.id == *id) {
                return Err(not_ours(id, session.ui.families.usual_section()));
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
            let again = BegunUpload::begin(&session.client, &upload.repo_id, upload.plan).await?;
            remember(&again, session);
            again
        };
        if !batch.add(upload, session).await {
            break;
        }
    }
    batch.end(&args.wait, session).await
}

fn not_ours(id: &str, section: &str) -> Error {
    let what = if is_id(id) {
        format!("{id} was not begun on this machine for this server")
    } else {
        format!("{} is no id of an upload", clean(id))
    };
    Error::usage(
        what,
        format!(
            "`pith {section} repo uploads list` shows all uploads, `pith {section} repo uploads cancel UPLOAD` removes one"
        ),
    )
}

/// Uploads that end together.
struct Batch {
    uploads: Vec<BegunUpload>,
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
    async fn add(&mut self, mut upload: BegunUpload, session: &mut CommandSession<'_>) -> bool {
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
    async fn end(
        self,
        wait_args: &WaitArgs,
        session: &mut CommandSession<'_>,
    ) -> Result<(), Error> {
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

async fn send(upload: &mut BegunUpload, session: &mut CommandSession<'_>) -> Result<(), Error> {
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
fn remember(upload: &BegunUpload, session: &mut CommandSession<'_>) {
    if let Err(error) = session.begun.note(upload) {
        session.ui.note(&format!(
            "this upload cannot go on after an interruption: {error}"
        ));
    }
}

/// Returns what becomes of an upload that failed: one that the server refused is removed, one that could go on stays.
async fn given_up(upload: &BegunUpload, error: Error, session: &mut CommandSession<'_>) -> Error {
    let refused =
        matches!(&error, Error::Answer(answer) if matches!(answer.status, 400 | 404 | 409 | 413));
    if refused {
        discard(&upload.id, session).await;
    } else if session.begun.note(upload).is_ok() {
        let section = session.ui.families.usual_section();
        session.ui.note(&format!(
            "`pith {section} repo uploads resume {}` goes on where this stopped",
            upload.id
        ));
    }
    error
}

/// Removes an upload here and there. What cannot be removed now is listed by `uploads list`.
async fn discard(id: &str, session: &mut CommandSession<'_>) {
    let _ = session.client.delete(&["content", "uploads", id]).await;
    let _ = session.begun.forget(id);
}
