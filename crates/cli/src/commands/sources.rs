//! `pith content sources …` and `pith content catalog …` (pulp2/content-sources).

use clap::{Args, Subcommand};
use serde_json::json;

use super::common::WaitArgs;
use super::listing::{Column, text};
use super::running::CommandSession;
use super::units::{self, UnitsCommand};
use crate::error::Error;
use crate::text::{cell, clean};

/// `pith content …`
#[derive(Debug, Clone, Subcommand)]
pub enum ContentCommand {
    /// Work with alternate content sources
    #[command(subcommand)]
    Sources(SourcesCommand),
    /// Work with the catalog of what the sources have
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Work with units of content, whoever holds them
    #[command(subcommand)]
    Units(UnitsCommand),
}

/// `pith content sources …`
#[derive(Debug, Clone, Subcommand)]
pub enum SourcesCommand {
    /// List the sources that are defined on the server
    List,
    /// Show one source
    #[command(visible_alias = "details")]
    Show(SourceRef),
    /// Read again what the sources have
    Refresh(RefreshArgs),
}

/// `pith content catalog …`
#[derive(Debug, Clone, Subcommand)]
pub enum CatalogCommand {
    /// Forget what a source has
    Delete(SourceRef),
}

/// One source.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct SourceRef {
    /// Id of the source
    #[arg(value_name = "ID")]
    source: Option<String>,
    /// Id of the source, as pulp-admin takes it
    #[arg(long, short = 's', value_name = "ID")]
    source_id: Option<String>,
}

impl SourceRef {
    fn id(&self) -> &str {
        // The group lets one of them through, and only one.
        let id = self.source.as_deref().or(self.source_id.as_deref());
        id.unwrap_or_default()
    }
}

/// `pith content sources refresh`
#[derive(Debug, Clone, Args)]
pub struct RefreshArgs {
    /// Id of the source [default: all of them]
    #[arg(long, short = 's', value_name = "ID")]
    source_id: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

const SOURCE: &[Column] = &[
    text("source", "/source_id"),
    text("name", "/name"),
    text("type", "/type"),
    text("priority", "/priority"),
    text("expires", "/expires"),
    text("address", "/base_url"),
    text("paths", "/paths"),
];

pub(super) async fn run(
    command: &ContentCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        ContentCommand::Units(command) => units::run(command, session).await,
        ContentCommand::Sources(SourcesCommand::List) => {
            let found = session.client.get(&["content", "sources"], &[]).await?;
            session.list(&found, SOURCE, "no sources are defined on the server")
        }
        ContentCommand::Sources(SourcesCommand::Show(source)) => {
            let path = ["content", "sources", source.id()];
            let found = session.client.get(&path, &[]).await?;
            session.show(&found, SOURCE)
        }
        ContentCommand::Sources(SourcesCommand::Refresh(args)) => {
            let mut path = vec!["content", "sources"];
            path.extend(args.source_id.as_deref());
            path.extend(["action", "refresh"]);
            let report = session.client.post(&path, &json!({})).await?;
            session.finish(&report, &args.wait).await
        }
        ContentCommand::Catalog(CatalogCommand::Delete(source)) => {
            let path = ["content", "catalog", source.id()];
            let answer = session.client.delete(&path).await?;
            if answer["deleted"] == 0 {
                session
                    .is_there(&["content", "sources", source.id()])
                    .await?;
            }
            let count = clean(&cell(&answer["deleted"]));
            session
                .ui
                .either(&answer, &format!("forgot {count} entries"))
        }
    }
}
