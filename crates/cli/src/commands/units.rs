//! `pith content units …`: units wherever they are (pulp2/units#outside-of-repositories).

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::listing::{Column, list, text};
use super::running::CommandSession;
use crate::criteria::{SearchArgs, object};
use crate::error::Error;
use crate::text::{cell, clean};

/// `pith content units …`
#[derive(Debug, Clone, Subcommand)]
pub enum UnitsCommand {
    /// Find units of a type in all repositories and among orphans
    Search(Box<UnitsSearch>),
    /// Show one unit
    #[command(visible_alias = "details")]
    Show(UnitRef),
    /// Show what people noted on a unit (its user metadata)
    Metadata(UnitRef),
    /// Replace what people noted on a unit
    SetMetadata(SetMetadata),
}

/// `… units search`
#[derive(Debug, Clone, Args)]
pub struct UnitsSearch {
    /// Type id of the units
    #[arg(value_name = "TYPE")]
    unit_type: String,
    /// Say which repositories hold each unit
    #[arg(long)]
    include_repos: bool,
    #[command(flatten)]
    search: SearchArgs,
}

/// One unit.
#[derive(Debug, Clone, Args)]
pub struct UnitRef {
    /// Type id of the unit
    #[arg(value_name = "TYPE")]
    unit_type: String,
    /// Id of the unit
    #[arg(value_name = "ID")]
    unit_id: String,
}

/// `… units set-metadata`
#[derive(Debug, Clone, Args)]
pub struct SetMetadata {
    #[command(flatten)]
    unit: UnitRef,
    /// The notes, as a JSON object, or `@` and a file that holds it
    #[arg(value_name = "JSON", value_parser = object)]
    metadata: Value,
}

const UNIT: &[Column] = &[
    text("unit", "/_id"),
    text("id", "/id"),
    text("name", "/name"),
    text("version", "/version"),
    list("repositories", "/repository_memberships"),
];

impl UnitRef {
    fn path(&self) -> Vec<&str> {
        vec!["content", "units", &self.unit_type, &self.unit_id]
    }

    fn notes(&self) -> Vec<&str> {
        let mut path = self.path();
        path.push("pulp_user_metadata");
        path
    }
}

pub(super) async fn run(
    command: &UnitsCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        UnitsCommand::Search(args) => {
            let body = json!({ "criteria": args.search.criteria()?,
                               "include_repos": args.include_repos });
            let path = ["content", "units", &args.unit_type, "search"];
            let found = session.client.post(&path, &body).await?;
            if found.as_array().is_some_and(Vec::is_empty) {
                session
                    .is_there(&["plugins", "types", &args.unit_type])
                    .await?;
            }
            session.found(&found, &args.search.fields, UNIT)
        }
        UnitsCommand::Show(unit) => {
            let document = session.client.get(&unit.path(), &[]).await?;
            fields(&document, session)
        }
        UnitsCommand::Metadata(unit) => {
            let document = session.client.get(&unit.notes(), &[]).await?;
            fields(&document, session)
        }
        UnitsCommand::SetMetadata(args) => {
            let path = args.unit.notes();
            let answer = session.client.put(&path, &args.metadata).await?;
            let line = format!("noted on {}", clean(&args.unit.unit_id));
            session.ui.either(&answer, &line)
        }
    }
}

/// Every field of a document, a line each.
fn fields(document: &Value, session: &mut CommandSession<'_>) -> Result<(), Error> {
    if session.ui.is_json() {
        return session.ui.document(document);
    }
    for (name, value) in document.as_object().into_iter().flatten() {
        let line = format!("{:18}{}", clean(name), clean(&cell(value)));
        session.ui.line(&line)?;
    }
    Ok(())
}
