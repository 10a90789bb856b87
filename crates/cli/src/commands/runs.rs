//! `… sync run|status|history` and `… publish run|status|history` (pulp2/sync-and-publish).

use clap::{Args, Subcommand};
use pith_content::words::Words;
use serde_json::{Map, Value, json};

use super::common::{RepoRef, WaitArgs};
use super::listing::{Column, at, count, text};
use super::running::CommandSession;
use super::schedules::{self, ScheduledPlugin, SchedulesCommand};
use crate::error::Error;
use crate::text::{clean, time};

/// `… sync …`
#[derive(Debug, Clone, Subcommand)]
pub(super) enum SyncCommand {
    /// Fetch what is new in the feed, then publish
    Run(SyncRun),
    /// Follow a sync that is running
    Status(RepoRef),
    /// List past syncs
    History(RunHistoryArgs),
    /// Sync at set times
    #[command(subcommand)]
    Schedules(SchedulesCommand),
}

/// `… sync run`
#[derive(Debug, Clone, Args)]
pub(super) struct SyncRun {
    #[command(flatten)]
    repo: RepoRef,
    /// Look at everything again, even if the feed has not changed (which every sync of files does)
    #[arg(long)]
    force_full: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… publish …`
#[derive(Debug, Clone, Subcommand)]
pub(super) enum PublishCommand {
    /// Serve what the repository holds now
    Run(PublishRun),
    /// Follow a publish that is running
    Status(RepoRef),
    /// List past publishes
    History(PublishHistory),
    /// Publish at set times
    #[command(subcommand)]
    Schedules(SchedulesCommand),
}

/// `… publish run`
#[derive(Debug, Clone, Args)]
pub(super) struct PublishRun {
    #[command(flatten)]
    repo: RepoRef,
    /// Distributor, if not the usual one
    #[arg(long, value_name = "ID")]
    distributor_id: Option<String>,
    /// Build everything again, even if nothing has changed
    #[arg(long)]
    force_full: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… sync history`
#[derive(Debug, Clone, Args)]
pub struct RunHistoryArgs {
    #[command(flatten)]
    repo: RepoRef,
    #[command(flatten)]
    range: Range,
}

/// `… publish history`
#[derive(Debug, Clone, Args)]
pub struct PublishHistory {
    #[command(flatten)]
    pub(super) repo: RepoRef,
    /// Distributor, if not the usual one
    #[arg(long, value_name = "ID")]
    pub(super) distributor_id: Option<String>,
    #[command(flatten)]
    range: Range,
}

/// A choice of entries of a history.
#[derive(Debug, Clone, Args)]
struct Range {
    /// At most this many entries, newest first
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only those that started at or after this time
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM:SSZ")]
    start_date: Option<String>,
    /// Only those that started at or before this time
    #[arg(long, value_name = "YYYY-MM-DDTHH:MM:SSZ")]
    end_date: Option<String>,
}

fn overrides(force_full: bool) -> Map<String, Value> {
    let mut overrides = Map::new();
    if force_full {
        overrides.insert("force_full".into(), json!(true));
    }
    overrides
}

pub(super) async fn sync(
    command: &SyncCommand,
    words: &Words,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        SyncCommand::Run(args) => {
            let body = json!({ "override_config": overrides(args.force_full) });
            let path = ["repositories", args.repo.id(), "actions", "sync"];
            let report = session.client.post(&path, &body).await?;
            session.finish(&report, &args.wait).await
        }
        SyncCommand::Status(repo) => status(repo.id(), "sync", session).await,
        SyncCommand::History(args) => sync_history(args, session).await,
        SyncCommand::Schedules(command) => {
            schedules::run(command, ScheduledPlugin::Importer(words.importer), session).await
        }
    }
}

pub(super) async fn publish(
    command: &PublishCommand,
    words: &Words,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let usual = |id: &Option<String>| id.clone().unwrap_or_else(|| words.distributor.to_owned());
    match command {
        PublishCommand::Run(args) => {
            let body = json!({ "id": usual(&args.distributor_id),
                               "override_config": overrides(args.force_full) });
            let path = ["repositories", args.repo.id(), "actions", "publish"];
            let report = session.client.post(&path, &body).await?;
            session.finish(&report, &args.wait).await
        }
        PublishCommand::Status(repo) => status(repo.id(), "publish", session).await,
        PublishCommand::History(args) => {
            publish_history(args, &usual(&args.distributor_id), session).await
        }
        PublishCommand::Schedules(command) => {
            schedules::run(
                command,
                ScheduledPlugin::Distributor(words.distributor),
                session,
            )
            .await
        }
    }
}

/// Follows the tasks of an action on a repository that are not over.
async fn status(repo: &str, action: &str, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let body = json!({ "criteria": { "filters": {
        "tags": { "$all": [format!("pulp:repository:{repo}"), format!("pulp:action:{action}")] },
        "state": { "$in": ["waiting", "accepted", "running"] },
    } } });
    let found = session.client.post(&["tasks", "search"], &body).await?;
    let ids: Vec<String> = found
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|task| task["task_id"].as_str().map(str::to_owned))
        .collect();
    if ids.is_empty() {
        // A repository that is not there has no tasks either; say which of the two it is.
        session.client.get(&["repositories", repo], &[]).await?;
        let line = format!("no {action} of {} is running or waiting", clean(repo));
        return session.ui.either(&json!([]), &line);
    }
    session.follow(ids).await
}

const ENTRY: &[Column] = &[
    at("started", "/started"),
    at("completed", "/completed"),
    text("result", "/result"),
    count("added", "/added_count"),
    count("updated", "/updated_count"),
    count("removed", "/removed_count"),
    text("error", "/error_message"),
];

const PUBLISHED: &[Column] = &[
    at("started", "/started"),
    at("completed", "/completed"),
    text("result", "/result"),
    text("distributor", "/distributor_id"),
    text("error", "/error_message"),
];

/// Past syncs of a repository.
pub(super) async fn sync_history(
    args: &RunHistoryArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let path = ["repositories", args.repo.id(), "history", "sync"];
    history(&path, &args.range, ENTRY, session).await
}

/// Past publishes of a repository by one distributor.
pub(super) async fn publish_history(
    args: &PublishHistory,
    distributor: &str,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let repo = args.repo.id();
    let path = ["repositories", repo, "history", "publish", distributor];
    history(&path, &args.range, PUBLISHED, session).await
}

async fn history(
    path: &[&str],
    range: &Range,
    columns: &[Column],
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let limit = range.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(range.start_date.as_deref().map(|at| ("start_date", at)));
    query.extend(range.end_date.as_deref().map(|at| ("end_date", at)));
    let entries = session.client.get(path, &query).await?;
    session.list(&entries, columns, "no entries")?;
    let zone = session.ui.zone.clone();
    for entry in entries.as_array().into_iter().flatten() {
        session.remarks(&time(&entry["started"], &zone), entry)?;
    }
    Ok(())
}
