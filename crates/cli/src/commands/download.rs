//! `… repo download`: fetches what a download policy left for later (pulp2/sync-and-publish#download).

use clap::Args;
use serde_json::{Value, json};

use super::common::{RepoRef, WaitArgs};
use super::running::CommandSession;
use crate::error::Error;

/// `… download`
#[derive(Debug, Clone, Args)]
pub struct DownloadArgs {
    #[command(flatten)]
    repo: RepoRef,
    /// Read every file again and fetch those that are broken
    #[arg(long, visible_alias = "verify-all-units")]
    verify_all: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

fn body(verify_all: bool) -> Value {
    if verify_all {
        json!({ "verify_all_units": true })
    } else {
        json!({})
    }
}

pub(super) async fn run(
    args: &DownloadArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let path = ["repositories", args.repo.id(), "actions", "download"];
    let report = session.client.post(&path, &body(args.verify_all)).await?;
    session.finish(&report, &args.wait).await
}
