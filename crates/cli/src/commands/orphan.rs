//! `pith orphan …`: units that no repository holds (pulp2/orphans).

use clap::{Args, Subcommand};
use serde_json::Value;

use super::common::WaitArgs;
use super::running::CommandSession;
use crate::error::Error;
use crate::text::cell;

/// `pith orphan …`
#[derive(Debug, Clone, Subcommand)]
pub enum OrphanCommand {
    /// Count the units that no repository holds, or list those of a type
    List(ListArgs),
    /// Remove units that no repository holds
    Remove(RemoveArgs),
}

/// `pith orphan list`
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// List the units of this type id
    #[arg(long = "type", value_name = "TYPE")]
    unit_type: Option<String>,
    /// Only this unit
    #[arg(long, value_name = "ID", requires = "unit_type")]
    unit_id: Option<String>,
    /// Count, as without a type; as pulp-admin takes it
    #[arg(long, conflicts_with = "unit_type")]
    summary: bool,
}

/// `pith orphan remove`
#[derive(Debug, Clone, Args)]
#[group(id = "which", required = true, multiple = true, args = ["all", "unit_type"])]
pub struct RemoveArgs {
    /// Units of every type
    #[arg(long, conflicts_with = "unit_type")]
    all: bool,
    /// Units of this type id
    #[arg(long = "type", value_name = "TYPE")]
    unit_type: Option<String>,
    /// Only this unit
    #[arg(long, value_name = "ID", requires = "unit_type")]
    unit_id: Option<String>,
    #[command(flatten)]
    wait: WaitArgs,
}

fn path<'a>(unit_type: Option<&'a String>, unit_id: Option<&'a String>) -> Vec<&'a str> {
    let parts = unit_type.into_iter().chain(unit_id).map(String::as_str);
    ["content", "orphans"].into_iter().chain(parts).collect()
}

pub(super) async fn run(
    command: &OrphanCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        OrphanCommand::List(args) => list(args, session).await,
        OrphanCommand::Remove(args) => {
            let path = path(args.unit_type.as_ref(), args.unit_id.as_ref());
            let report = session.client.delete(&path).await?;
            session.finish(&report, &args.wait).await
        }
    }
}

async fn list(args: &ListArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let path = path(args.unit_type.as_ref(), args.unit_id.as_ref());
    let found = session.client.get(&path, &[]).await?;
    if session.ui.is_json() {
        return session.ui.document(&found);
    }
    if args.unit_type.is_none() {
        let counts = found.as_object().into_iter().flatten();
        let rows = counts
            .filter(|(_, entry)| entry["count"].as_u64() != Some(0))
            .map(|(unit_type, entry)| vec![unit_type.clone(), cell(&entry["count"])])
            .collect();
        return session.ui.table(&["type", "orphans"], rows, "no orphans");
    }
    let one = std::slice::from_ref(&found);
    let units = found.as_array().map_or(one, Vec::as_slice);
    let rows = units
        .iter()
        .map(|unit| vec![cell(&unit["_id"]), key(unit)])
        .collect();
    session
        .ui
        .table(&["unit", "key"], rows, "no orphans of this type")
}

/// Returns what identifies a unit to people: every field that is not the server's own.
fn key(unit: &Value) -> String {
    let fields = unit.as_object().into_iter().flatten();
    let parts: Vec<String> = fields
        .filter(|(name, _)| !name.starts_with('_'))
        .map(|(name, value)| format!("{name}={}", cell(value)))
        .collect();
    parts.join(" ")
}
