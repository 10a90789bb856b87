//! `pith rpm repo content TYPE` and `pith iso repo isos` (reference: platform-api §4.8 and §1.11).

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use serde_json::{Value, json};

use super::{RepoRef, Session};
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::kind::{Kind, RPM, UnitType};
use crate::output::{cell, size};

/// `… content`
#[derive(Debug, Clone, Args)]
pub struct ContentArgs {
    /// What to list
    #[arg(value_name = "TYPE", value_parser = types(&RPM))]
    unit_type: String,
    #[command(flatten)]
    files: FilesArgs,
}

/// The words of a kind's unit types; their type ids are understood too.
fn types(kind: &'static Kind) -> PossibleValuesParser {
    let values = kind.units.iter().map(|unit| {
        let value = PossibleValue::new(unit.word);
        if unit.id == unit.word {
            value
        } else {
            value.alias(unit.id)
        }
    });
    PossibleValuesParser::new(values)
}

/// `… isos`
#[derive(Debug, Clone, Args)]
pub struct FilesArgs {
    #[command(flatten)]
    repo: RepoRef,
    #[command(flatten)]
    search: SearchArgs,
}

pub(super) async fn content(
    args: &ContentArgs,
    kind: &'static Kind,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    match kind.unit(&args.unit_type) {
        Some(unit) => list(&args.files, unit, session).await,
        None => Err(Error::usage(
            format!("{} repositories hold no {}", kind.section, args.unit_type),
            format!("they hold {}", kind.words().join(", ")),
        )),
    }
}

pub(super) async fn files(
    args: &FilesArgs,
    kind: &'static Kind,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    match kind.units {
        [unit, ..] => list(args, unit, session).await,
        [] => Ok(()),
    }
}

async fn list(args: &FilesArgs, unit: &UnitType, session: &mut Session<'_>) -> Result<(), Error> {
    // A table needs only its columns; scripts get whole documents.
    let shown = if session.ui.is_json() {
        &[]
    } else {
        unit.fields
    };
    let criteria = args.search.unit_criteria(unit, shown)?;
    let path = ["repositories", args.repo.id(), "search", "units"];
    let found = session
        .client
        .post(&path, &json!({ "criteria": criteria }))
        .await?;
    if session.ui.is_json() {
        return session.ui.document(&found);
    }
    let columns: Vec<&str> = if args.search.fields.is_empty() {
        unit.fields.to_vec()
    } else {
        args.search.fields.iter().map(String::as_str).collect()
    };
    let rows = found
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            columns
                .iter()
                .map(|field| shown_as(field, &one["metadata"][*field]))
                .collect()
        })
        .collect();
    session.ui.table(&columns, rows, "nothing found")
}

fn shown_as(field: &str, value: &Value) -> String {
    match (field, value.as_u64()) {
        ("size", Some(bytes)) => size(bytes),
        _ => cell(value),
    }
}
