//! `… repo copy` and `… repo remove` (pulp2/copy-and-removal, pulp2/rpm-copy, pulp2/iso#copy).

use clap::{ArgMatches, Args, Command};
use pith_content::words::{Family, UnitWords, Words};
use serde_json::{Map, Value, json};

use super::assembly::read;
use super::common::{RepoRef, WaitArgs};
use super::running::CommandSession;
use super::{content, which};
use crate::criteria::{UnitSearchArgs, no_fields};
use crate::error::Error;
use crate::options::{GivenOption, Options};
use crate::settings::Settings;

/// `… copy`
#[derive(Debug, Clone)]
pub(super) struct CopyArgs {
    unit: Option<&'static UnitWords>,
    between: Between,
    given: Vec<GivenOption>,
    search: UnitSearchArgs,
    wait: WaitArgs,
}

/// The repositories of a copy.
#[derive(Debug, Clone, Args)]
struct Between {
    /// Repository to copy from
    #[arg(long, short = 'f', value_name = "ID")]
    from_repo_id: String,
    /// Repository to copy to
    #[arg(long, short = 't', value_name = "ID")]
    to_repo_id: String,
    /// List what would be copied, without what it depends on, and copy nothing
    #[arg(long, conflicts_with = "background")]
    dry_run: bool,
}

/// `… remove`
#[derive(Debug, Clone)]
pub(super) struct RemoveArgs {
    unit: Option<&'static UnitWords>,
    from: Source,
}

/// The repository that content is removed from.
#[derive(Debug, Clone, Args)]
struct Source {
    #[command(flatten)]
    repo: RepoRef,
    /// List what would be removed, and remove nothing
    #[arg(long, conflicts_with = "background")]
    dry_run: bool,
    #[command(flatten)]
    search: UnitSearchArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Adds the options of `copy`.
pub(super) fn augment_copy(command: Command, family: &Family) -> Command {
    let command = Between::augment_args(which::augment(command, family.words, true));
    let command = Options::new(family, family.words.copy).augment(command);
    WaitArgs::augment_args(UnitSearchArgs::augment_args(command))
}

/// Adds the options of `remove`.
pub(super) fn augment_remove(command: Command, words: &Words) -> Command {
    Source::augment_args(which::augment(command, words, true))
}

impl CopyArgs {
    /// The options that were given.
    pub(super) fn from_matches(matches: &ArgMatches, family: &Family) -> Result<Self, clap::Error> {
        Ok(Self {
            unit: which::unit(matches, family.words),
            between: read(matches)?,
            given: Options::new(family, family.words.copy).given(matches),
            search: read(matches)?,
            wait: read(matches)?,
        })
    }
}

impl RemoveArgs {
    /// The options that were given.
    pub(super) fn from_matches(matches: &ArgMatches, words: &Words) -> Result<Self, clap::Error> {
        Ok(Self {
            unit: which::unit(matches, words),
            from: read(matches)?,
        })
    }
}

/// The criteria that choose units. Where whole documents are large, only what the server needs is read.
fn criteria(
    unit: Option<&UnitWords>,
    search: &UnitSearchArgs,
) -> Result<Map<String, Value>, Error> {
    // What a dry run prints; a server that got it would miss the signing keys.
    if !search.fields().is_empty() {
        return Err(no_fields());
    }
    let mut criteria = search.criteria(unit, &[])?;
    if let Some(unit) = unit.filter(|unit| !unit.picked.is_empty()) {
        criteria.insert("fields".into(), json!({ "unit": unit.picked }));
    }
    Ok(criteria)
}

pub(super) async fn copy(args: &CopyArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let between = &args.between;
    let overrides = Settings::of(&args.given)?.run;
    if between.dry_run {
        let (from, to) = (&between.from_repo_id, &between.to_repo_id);
        session.is_there(&["repositories", to]).await?;
        return content::units(from, args.unit, &args.search, session).await;
    }
    let body = json!({
        "source_repo_id": between.from_repo_id,
        "criteria": criteria(args.unit, &args.search)?,
        "override_config": overrides,
    });
    let path = ["repositories", &between.to_repo_id, "actions", "associate"];
    let report = session.client.post(&path, &body).await?;
    session.finish(&report, &args.wait).await
}

pub(super) async fn remove(
    args: &RemoveArgs,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    let (unit, from) = (args.unit, &args.from);
    let repo = from.repo.id();
    if from.dry_run {
        return content::units(repo, unit, &from.search, session).await;
    }
    let body = json!({ "criteria": criteria(unit, &from.search)? });
    let path = ["repositories", repo, "actions", "unassociate"];
    let report = session.client.post(&path, &body).await?;
    session.finish(&report, &from.wait).await
}
