//! `… repo content` (pulp2/units#in-a-repository, pulp2/search#association-criteria).

use clap::{ArgMatches, Args, Command};
use pith_content::words::{UnitWords, Words};
use serde_json::{Value, json};

use super::assembly::read;
use super::common::RepoRef;
use super::listing::named;
use super::running::CommandSession;
use super::which;
use crate::criteria::UnitSearchArgs;
use crate::error::Error;
use crate::text::{cell, size};

/// `… content`
#[derive(Debug, Clone)]
pub(super) struct ContentArgs {
    unit: Option<&'static UnitWords>,
    repo: RepoRef,
    search: UnitSearchArgs,
}

/// Adds the options of `content`.
pub(super) fn augment(command: Command, words: &Words) -> Command {
    let command = RepoRef::augment_args(which::augment(command, words, false));
    UnitSearchArgs::augment_args(command)
}

impl ContentArgs {
    /// The options that were given.
    pub(super) fn from_matches(matches: &ArgMatches, words: &Words) -> Result<Self, clap::Error> {
        Ok(Self {
            unit: which::unit(matches, words),
            repo: read(matches)?,
            search: read(matches)?,
        })
    }
}

pub(super) async fn run(args: &ContentArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    units(args.repo.id(), args.unit, &args.search, session).await
}

/// Lists units of a repository: with `--json` the associations, else a table.
pub(super) async fn units(
    repo: &str,
    unit: Option<&UnitWords>,
    search: &UnitSearchArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let usual: &[&str] = unit.map_or(&["id", "name"], |unit| unit.columns);
    // A table needs only its columns; scripts get whole documents, and fields differ from type to type.
    let shown = match unit {
        Some(_) if !session.ui.is_json() => usual,
        _ => &[],
    };
    let criteria = search.criteria(unit, shown)?;
    let path = ["repositories", repo, "search", "units"];
    let found = session
        .client
        .post(&path, &json!({ "criteria": criteria }))
        .await?;
    let mut columns: Vec<&str> = search.fields().iter().map(String::as_str).collect();
    if columns.is_empty() {
        columns.extend_from_slice(usual);
    }
    let row = |one: &Value| {
        let fields = columns
            .iter()
            .map(|field| shown_as(field, named(&one["metadata"], field)));
        let type_id = unit.is_none().then(|| cell(&one["unit_type_id"]));
        type_id.into_iter().chain(fields).collect()
    };
    let head = unit.is_none().then_some("type");
    let header: Vec<&str> = head.into_iter().chain(columns.iter().copied()).collect();
    session.ui.rows(&found, &header, row, "nothing found")
}

fn shown_as(field: &str, value: &Value) -> String {
    match (field, value.as_u64()) {
        ("size", Some(bytes)) => size(bytes),
        _ => cell(value),
    }
}
