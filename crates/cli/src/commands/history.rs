//! `pith history`: what happened lately on the server (pulp2/tasks).

use clap::Args;
use serde_json::json;

use super::running::CommandSession;
use super::task;
use crate::error::Error;
use crate::text::{cell, clean};
use crate::wait::what;

/// `pith history`
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Only what happened to this repository
    #[arg(long, value_name = "ID")]
    repo_id: Option<String>,
    /// Only what failed
    #[arg(long)]
    failed: bool,
    /// At most this many entries, newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// Tasks that are over, newest first.
pub(super) async fn run(args: &HistoryArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let states: &[&str] = if args.failed {
        &["error", "canceled"]
    } else {
        &["finished", "error", "canceled", "skipped"]
    };
    let mut filters = json!({ "state": { "$in": states } });
    if let Some(repo) = &args.repo_id {
        filters["tags"] = json!(format!("pulp:repository:{repo}"));
    }
    let body = json!({ "criteria": { "filters": filters, "limit": args.limit,
                                     "sort": [["finish_time", "descending"]] } });
    let found = session.client.post(&["tasks", "search"], &body).await?;
    session.none_of(&found, args.repo_id.as_deref()).await?;
    let none = if args.failed {
        "nothing has failed"
    } else {
        "nothing has happened yet"
    };
    task::print(&found, none, session)?;
    for task in found.as_array().into_iter().flatten() {
        let about = format!("{} ({})", what(task), clean(&cell(&task["task_id"])));
        session.remarks(&about, &task["result"])?;
    }
    Ok(())
}
