//! `pith task …` (pulp2/tasks).

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::running::CommandSession;
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::progress::steps;
use crate::text::{bent, cell, clean, time};
use crate::wait::what;

/// `pith task …`
#[derive(Debug, Clone, Subcommand)]
pub enum TaskCommand {
    /// List tasks that wait or run
    List(ListArgs),
    /// Find tasks
    Search(Box<SearchArgs>),
    /// Show one task
    #[command(visible_alias = "details")]
    Show(TaskRef),
    /// Cancel tasks
    Cancel(TaskRefs),
    /// Wait for tasks and what they spawn, showing their progress
    Wait(TaskRefs),
    /// Forget tasks that are over
    Purge(PurgeArgs),
    /// Watch and cancel groups of tasks
    #[command(subcommand, visible_alias = "groups")]
    Group(TaskGroupCommand),
}

/// `pith task purge`
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct PurgeArgs {
    /// Tasks in these states
    #[arg(
        long,
        short = 's',
        value_enum,
        value_delimiter = ',',
        value_name = "STATE"
    )]
    state: Vec<Over>,
    /// All tasks that are over, except those that were cancelled
    #[arg(long, short = 'a')]
    all: bool,
}

/// A state whose tasks can be forgotten (pulp2/tasks#operations).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    /// Ended well
    Finished,
    /// Ended with an error
    Error,
    /// Left out
    Skipped,
}

/// `pith task group …`
#[derive(Debug, Clone, Subcommand)]
pub enum TaskGroupCommand {
    /// Count the tasks of a group by state
    #[command(visible_alias = "summary")]
    Show(TaskGroup),
    /// Cancel all tasks of a group
    Cancel(TaskGroup),
}

/// A group of tasks.
#[derive(Debug, Clone, Args)]
pub struct TaskGroup {
    /// Id of the group, as call reports name it
    #[arg(value_name = "GROUP")]
    id: String,
}

/// `pith task list`
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Tasks that are over, too
    #[arg(long, short = 'a')]
    all: bool,
    /// Only tasks in these states
    #[arg(
        long,
        short = 's',
        value_enum,
        value_delimiter = ',',
        value_name = "STATE"
    )]
    state: Vec<StateArg>,
    /// Only tasks of this repository
    #[arg(long, value_name = "ID")]
    repo_id: Option<String>,
    /// At most this many, newest first
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// A state of a task, as the API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StateArg {
    /// Not started
    Waiting,
    /// Accepted by a consumer
    Accepted,
    /// At work
    Running,
    /// Ended well
    Finished,
    /// Ended with an error
    Error,
    /// Cancelled
    Canceled,
    /// Left out
    Skipped,
}

/// One task: by position or as pulp-admin takes it.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct TaskRef {
    /// Id of the task
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Id of the task, as pulp-admin takes it
    #[arg(long, value_name = "ID")]
    task_id: Option<String>,
}

/// Tasks: by position or as pulp-admin takes them.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub struct TaskRefs {
    /// Ids of the tasks
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Id of a task, as pulp-admin takes it; can be repeated
    #[arg(long, value_name = "ID")]
    task_id: Vec<String>,
}

impl TaskRefs {
    fn all(&self) -> Vec<String> {
        self.ids.iter().chain(&self.task_id).cloned().collect()
    }
}

pub(super) async fn run(
    command: &TaskCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        TaskCommand::List(args) => list(args, session).await,
        TaskCommand::Show(args) => {
            let id = args
                .id
                .as_deref()
                .or(args.task_id.as_deref())
                .unwrap_or_default();
            show(id, session).await
        }
        TaskCommand::Cancel(args) => cancel(&args.all(), session).await,
        TaskCommand::Wait(args) => session.follow(args.all()).await,
        TaskCommand::Search(args) => search(args, session).await,
        TaskCommand::Purge(args) => purge(args, session).await,
        TaskCommand::Group(command) => group(command, session).await,
    }
}

async fn search(args: &SearchArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let body = json!({ "criteria": args.criteria()? });
    let found = session.client.post(&["tasks", "search"], &body).await?;
    if args.fields.is_empty() {
        return print(&found, "nothing found", session);
    }
    session.found(&found, &args.fields, &[])
}

async fn purge(args: &PurgeArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let states = if args.all {
        Over::value_variants()
    } else {
        &args.state
    };
    let names = names(states);
    let query: Vec<(&str, &str)> = names.iter().map(|name| ("state", name.as_str())).collect();
    let answer = session.client.delete_where(&["tasks"], &query).await?;
    let line = format!("forgot the tasks that are {}", names.join(", "));
    session.ui.either(&answer, &line)
}

async fn group(command: &TaskGroupCommand, session: &mut CommandSession<'_>) -> Result<(), Error> {
    match command {
        TaskGroupCommand::Show(group) => {
            let path = ["task_groups", &group.id, "state_summary"];
            let summary = session.client.get(&path, &[]).await?;
            let counts = || summary.as_object().into_iter().flatten();
            if counts().all(|(_, count)| *count == 0) {
                return Err(Error::missing(
                    format!("no task of a group {} is known", clean(&group.id)),
                    "`pith task list --all` shows the tasks that are still known",
                ));
            }
            if session.ui.is_json() {
                return session.ui.document(&summary);
            }
            let rows = counts()
                .map(|(state, count)| vec![state.clone(), cell(count)])
                .collect();
            session.ui.table(&["state", "tasks"], rows, "no tasks")
        }
        TaskGroupCommand::Cancel(group) => {
            let path = ["task_groups", &group.id];
            let answer = session.client.delete(&path).await?;
            let line = format!("cancelled the tasks of group {}", clean(&group.id));
            session.ui.either(&answer, &line)
        }
    }
}

/// The words of the API for states.
fn names<S: ValueEnum>(states: &[S]) -> Vec<String> {
    let values = states.iter().filter_map(ValueEnum::to_possible_value);
    values.map(|value| value.get_name().to_owned()).collect()
}

/// Tasks of a repository: those that wait or run, or all.
pub(super) async fn of_repository(
    repo: &str,
    all: bool,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let args = ListArgs {
        all,
        state: Vec::new(),
        repo_id: Some(repo.to_owned()),
        limit: 100,
    };
    list(&args, session).await
}

async fn list(args: &ListArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let mut filters = Map::new();
    if !args.state.is_empty() {
        let states = names(&args.state);
        filters.insert("state".into(), json!({ "$in": states }));
    } else if !args.all {
        filters.insert(
            "state".into(),
            json!({ "$in": ["waiting", "accepted", "running"] }),
        );
    }
    if let Some(repo) = &args.repo_id {
        filters.insert("tags".into(), json!(format!("pulp:repository:{repo}")));
    }
    let body = json!({ "criteria": { "filters": filters, "limit": args.limit,
                                     "sort": [["id", "descending"]] } });
    let found = session.client.post(&["tasks", "search"], &body).await?;
    session.none_of(&found, args.repo_id.as_deref()).await?;
    let none = if args.all || !args.state.is_empty() {
        "no tasks"
    } else {
        "no task waits or runs; --all shows those that are over"
    };
    print(&found, none, session)
}

/// Prints tasks: the array with `--json`, else a table, or `none`.
pub(super) fn print(
    found: &Value,
    none: &str,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let zone = session.ui.zone.clone();
    let row = |task: &Value| {
        vec![
            cell(&task["task_id"]),
            cell(&task["state"]),
            what(task),
            time(&task["start_time"], &zone),
            time(&task["finish_time"], &zone),
        ]
    };
    let header = ["task", "state", "what", "started", "finished"];
    session.ui.rows(found, &header, row, none)
}

async fn show(id: &str, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let task = session.client.get(&["tasks", id], &[]).await?;
    if session.ui.is_json() {
        return session.ui.document(&task);
    }
    let zone = session.ui.zone.clone();
    let mut lines = vec![
        ("task", cell(&task["task_id"])),
        ("what", what(&task)),
        ("state", cell(&task["state"])),
        ("worker", cell(&task["worker_name"])),
        ("started", time(&task["start_time"], &zone)),
        ("finished", time(&task["finish_time"], &zone)),
    ];
    lines.extend(
        steps(&task["progress_report"], session.ui.families)
            .iter()
            .map(|step| ("step", step.line())),
    );
    lines.extend(
        error_lines(&task["error"], 0)
            .into_iter()
            .map(|text| ("error", text)),
    );
    lines.extend(
        bent(&task["result"])
            .into_iter()
            .map(|text| ("upstream", text)),
    );
    for spawned in task["spawned_tasks"].as_array().into_iter().flatten() {
        lines.push(("started task", cell(&spawned["task_id"])));
    }
    for (name, value) in lines {
        // Nested errors keep their indentation, so only what is inside is cleaned.
        session.ui.line(&format!("{name:14}{}", clean(&value)))?;
    }
    Ok(())
}

fn error_lines(error: &Value, depth: usize) -> Vec<String> {
    let Some(text) = error["description"].as_str() else {
        return Vec::new();
    };
    let mut lines = vec![format!(
        "{}{text} ({})",
        "  ".repeat(depth),
        cell(&error["code"])
    )];
    if depth < 5 {
        for sub in error["sub_errors"].as_array().into_iter().flatten() {
            lines.extend(error_lines(sub, depth + 1));
        }
    }
    lines
}

/// Cancels and shows what became of each: a task that was over stays as it was.
async fn cancel(ids: &[String], session: &mut CommandSession<'_>) -> Result<(), Error> {
    let mut tasks = Vec::new();
    for id in ids {
        session.client.delete(&["tasks", id]).await?;
        let task = session.client.get(&["tasks", id], &[]).await?;
        let line = match task["state"].as_str() {
            Some("canceled") => format!("{} is cancelled (task {})", what(&task), clean(id)),
            state => format!(
                "{} was over already: {} (task {})",
                what(&task),
                clean(state.unwrap_or("?")),
                clean(id)
            ),
        };
        session.ui.line(&line)?;
        tasks.push(task);
    }
    if session.ui.is_json() {
        session.ui.document(&Value::Array(tasks))
    } else {
        Ok(())
    }
}
