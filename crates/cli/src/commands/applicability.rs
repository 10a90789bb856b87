//! `pith repo applicability`: which of the packages concern which consumers (pulp2/applicability#regeneration).

use clap::Args;
use serde_json::{Map, Value, json};

use super::common::WaitArgs;
use super::running::CommandSession;
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::text::clean;

/// `pith repo applicability`
#[derive(Debug, Clone, Args)]
pub struct ApplicabilityArgs {
    /// Repository; can be repeated
    #[arg(long, value_name = "ID")]
    repo_id: Vec<String>,
    /// Many tasks beside one another, which nobody waits for
    #[arg(long, conflicts_with = "background")]
    parallel: bool,
    #[command(flatten)]
    search: SearchArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(super) async fn run(
    args: &ApplicabilityArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let criteria = of_repositories(&args.repo_id, &args.search)?;
    are_there(&args.repo_id, session).await?;
    let mut body = json!({ "repo_criteria": criteria });
    if args.parallel {
        body["parallel"] = json!(true);
    }
    let path = [
        "repositories",
        "actions",
        "content",
        "regenerate_applicability",
    ];
    let report = session.client.post(&path, &body).await?;
    match report["group_id"].as_str() {
        Some(group) => {
            let group = clean(group);
            let line = format!("started; `pith task group show {group}` counts its tasks");
            session.ui.either(&report, &line)
        }
        None => session.finish(&report, &args.wait).await,
    }
}

/// Fails when a repository that is named is not there: a search would pass over it.
pub(super) async fn are_there(ids: &[String], session: &CommandSession<'_>) -> Result<(), Error> {
    for id in ids {
        session.is_there(&["repositories", id]).await?;
    }
    Ok(())
}

/// Criteria of a search for repositories, narrowed to those that are named.
pub(super) fn of_repositories(
    ids: &[String],
    search: &SearchArgs,
) -> Result<Map<String, Value>, Error> {
    let mut criteria = search.choice()?;
    if !ids.is_empty() {
        let named = json!({ "id": { "$in": ids } });
        let filters = match criteria.remove("filters") {
            Some(others) => json!({ "$and": [named, others] }),
            None => named,
        };
        criteria.insert("filters".into(), filters);
    }
    Ok(criteria)
}
