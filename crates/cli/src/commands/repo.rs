//! `pith repo …`, and listing and deleting for the typed sections (pulp2/repositories).

use clap::{Args, Subcommand};
use pith_content::words::Words;
use serde_json::{Value, json};

use super::applicability::{self, ApplicabilityArgs};
use super::common::{RepoRef, WaitArgs};
use super::download::{self, DownloadArgs};
use super::group::{self, GroupCommand};
use super::plugins::{self, ImporterCommand, RepoDistributorCommand};
use super::running::CommandSession;
use super::runs::{self, PublishHistory, RunHistoryArgs};
use super::{task, write};
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::settings::AboutArgs;
use crate::text::{cell, clean, time};

/// `pith repo …`
#[derive(Debug, Clone, Subcommand)]
pub enum RepoCommand {
    /// List repositories
    List(ListArgs),
    /// Show one repository with its importer and distributors
    #[command(visible_alias = "details")]
    Show(RepoRef),
    /// Delete a repository; its content stays until orphans are removed
    Delete(DeleteArgs),
    /// Find repositories
    Search(Box<SearchArgs>),
    /// Change name, description and notes; an empty note is removed
    Update(UpdateArgs),
    /// Fetch what was left for later by the download policy
    Download(DownloadArgs),
    /// List past syncs and publishes
    #[command(subcommand)]
    History(HistoryCommand),
    /// List the tasks of a repository
    Tasks(TasksArgs),
    /// Work with groups of repositories
    #[command(subcommand)]
    Group(GroupCommand),
    /// Work with the importer of a repository of any type
    #[command(subcommand)]
    Importer(ImporterCommand),
    /// Work with the distributors of a repository of any type
    #[command(subcommand)]
    Distributor(RepoDistributorCommand),
    /// Find out again which packages concern which consumers
    Applicability(Box<ApplicabilityArgs>),
}

/// `… update`
#[derive(Debug, Clone, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    repo: RepoRef,
    #[command(flatten)]
    about: AboutArgs,
}

/// `… history …`
#[derive(Debug, Clone, Subcommand)]
pub enum HistoryCommand {
    /// List past syncs
    Sync(RunHistoryArgs),
    /// List past publishes
    Publish(PublishHistory),
}

/// `… tasks`
#[derive(Debug, Clone, Args)]
pub struct TasksArgs {
    #[command(flatten)]
    repo: RepoRef,
    /// Tasks that are over, too
    #[arg(long, short = 'a')]
    all: bool,
}

/// `… list`
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// With feed, last sync and last publish
    #[arg(long)]
    details: bool,
}

/// `… delete`
#[derive(Debug, Clone, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    repo: RepoRef,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) async fn run(
    command: &RepoCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        RepoCommand::List(args) => list(args, None, session).await,
        RepoCommand::Show(repo) => show(repo, session).await,
        RepoCommand::Delete(args) => delete(args, session).await,
        RepoCommand::Search(args) => search(args, None, session).await,
        RepoCommand::Update(args) => update(args, session).await,
        RepoCommand::Download(args) => download::run(args, session).await,
        RepoCommand::History(HistoryCommand::Sync(args)) => runs::sync_history(args, session).await,
        RepoCommand::History(HistoryCommand::Publish(args)) => publishes(args, session).await,
        RepoCommand::Tasks(args) => task::of_repository(args.repo.id(), args.all, session).await,
        RepoCommand::Group(command) => group::run(command, session).await,
        RepoCommand::Importer(command) => plugins::importer(command, session).await,
        RepoCommand::Distributor(command) => plugins::repo_distributor(command, session).await,
        RepoCommand::Applicability(args) => applicability::run(args, session).await,
    }
}

async fn update(args: &UpdateArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let delta = write::delta(&args.about);
    if delta.is_empty() {
        return Err(write::nothing_to_change());
    }
    let body = json!({ "delta": delta });
    write::put(args.repo.id(), &body, &WaitArgs::default(), session).await
}

/// Past publishes by the distributor that is named, else by the first that serves.
async fn publishes(args: &PublishHistory, session: &mut CommandSession<'_>) -> Result<(), Error> {
    if let Some(distributor) = &args.distributor_id {
        return runs::publish_history(args, distributor, session).await;
    }
    let path = ["repositories", args.repo.id(), "distributors"];
    let found = session.client.get(&path, &[]).await?;
    let all = found.as_array().map_or(&[][..], Vec::as_slice);
    let publishes = |one: &&Value| one["auto_publish"] == true;
    let usual = all.iter().find(publishes).or(all.first());
    match usual.and_then(|one| one["id"].as_str()) {
        Some(id) => runs::publish_history(args, id, session).await,
        None => session.ui.either(&json!([]), "no distributors"),
    }
}

/// Lists repositories, all of them or those of one family.
pub(super) async fn list(
    args: &ListArgs,
    words: Option<&Words>,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let query: &[(&str, &str)] = if args.details {
        &[("details", "true")]
    } else {
        &[]
    };
    let mut found = session.client.get(&["repositories"], query).await?;
    if let (Some(words), Some(all)) = (words, found.as_array_mut()) {
        all.retain(|repo| repo["notes"]["_repo-type"] == words.note);
    }
    let none = match words {
        None => {
            let section = session.ui.families.usual_section();
            format!("no repositories; `pith {section} repo create` makes one")
        }
        Some(Words { section, .. }) => {
            format!("no repositories of this kind; `pith {section} repo create` makes one")
        }
    };
    print(&found, args.details, &none, session)
}

/// Searches repositories, all of them or those of one family.
pub(super) async fn search(
    args: &SearchArgs,
    words: Option<&Words>,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let mut criteria = args.criteria()?;
    if let Some(words) = words {
        let of_family = json!({ "notes._repo-type": words.note });
        let filter = match criteria.remove("filters") {
            Some(filter) => json!({ "$and": [of_family, filter] }),
            None => of_family,
        };
        criteria.insert("filters".into(), filter);
    }
    let found = session
        .client
        .post(
            &["repositories", "search"],
            &json!({ "criteria": criteria }),
        )
        .await?;
    if args.fields.is_empty() {
        return print(&found, false, "nothing found", session);
    }
    session.found(&found, &args.fields, &[])
}

fn print(
    found: &Value,
    details: bool,
    none: &str,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let zone = session.ui.zone.clone();
    let row = |repo: &Value| {
        let mut row = vec![
            cell(&repo["id"]),
            cell(&repo["notes"]["_repo-type"]).replace("-repo", ""),
            counts(&repo["content_unit_counts"]),
        ];
        if details {
            let importer = &repo["importers"][0];
            row.push(cell(&importer["config"]["feed"]));
            row.push(time(&importer["last_sync"], &zone));
            row.push(time(&repo["distributors"][0]["last_publish"], &zone));
        }
        row
    };
    let header: &[&str] = if details {
        &["id", "type", "content", "feed", "last sync", "last publish"]
    } else {
        &["id", "type", "content"]
    };
    session.ui.rows(found, header, row, none)
}

/// `rpm: 32, erratum: 4`
fn counts(value: &Value) -> String {
    let parts: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    if parts.is_empty() {
        "empty".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Shows a repository with its importer and distributors.
pub(super) async fn show(repo: &RepoRef, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let document = session
        .client
        .get(&["repositories", repo.id()], &[("details", "true")])
        .await?;
    if session.ui.is_json() {
        return session.ui.document(&document);
    }
    let zone = session.ui.zone.clone();
    let mut lines = vec![
        ("id", cell(&document["id"])),
        ("name", cell(&document["display_name"])),
        ("description", cell(&document["description"])),
        ("content", counts(&document["content_unit_counts"])),
        ("last added", time(&document["last_unit_added"], &zone)),
        ("last removed", time(&document["last_unit_removed"], &zone)),
    ];
    for (key, value) in document["notes"].as_object().into_iter().flatten() {
        lines.push(("note", format!("{key} = {}", cell(value))));
    }
    for importer in document["importers"].as_array().into_iter().flatten() {
        lines.push(("importer", cell(&importer["importer_type_id"])));
        lines.push(("  last sync", time(&importer["last_sync"], &zone)));
        lines.extend(config(&importer["config"]).map(|text| ("  setting", text)));
    }
    for distributor in document["distributors"].as_array().into_iter().flatten() {
        lines.push(("distributor", cell(&distributor["id"])));
        lines.push(("  last publish", time(&distributor["last_publish"], &zone)));
        lines.push(("  auto publish", cell(&distributor["auto_publish"])));
        lines.extend(config(&distributor["config"]).map(|text| ("  setting", text)));
    }
    for (name, value) in lines {
        session.ui.line(&format!("{name:16}{}", clean(&value)))?;
    }
    Ok(())
}

fn config(value: &Value) -> impl Iterator<Item = String> + '_ {
    value.as_object().into_iter().flatten().map(|(key, value)| {
        // Certificates would fill the screen.
        let text = match value {
            Value::String(text) if text.contains("-----BEGIN") => "(set)".to_owned(),
            other => cell(other),
        };
        format!("{key} = {text}")
    })
}

/// Deletes a repository.
pub(super) async fn delete(
    args: &DeleteArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let report = session
        .client
        .delete(&["repositories", args.repo.id()])
        .await?;
    session.finish(&report, &args.wait).await
}
