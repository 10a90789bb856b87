//! `… repo copy` and `… repo remove` (reference: platform-api §4.8, rpm.md §9, iso.md §6).

use clap::Args;
use serde_json::{Map, Value, json};

use super::typed::OfKind;
use super::which::Which;
use super::{RepoRef, Session, WaitArgs, content};
use crate::criteria::{UnitSearchArgs, no_fields, pair};
use crate::error::Error;
use crate::kind::UnitType;

/// Options that copies of one kind have beside the common ones.
pub trait CopyOptions {
    /// The `override_config` of the copy.
    ///
    /// # Errors
    ///
    /// When the options do not fit together.
    fn overrides(&self) -> Result<Value, Error>;
}

/// No options beside the common ones.
#[derive(Debug, Clone, Args)]
pub struct NoCopyOptions {}

impl CopyOptions for NoCopyOptions {
    fn overrides(&self) -> Result<Value, Error> {
        Ok(json!({}))
    }
}

/// Options that say how RPM copies follow dependencies.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Dependencies")]
pub struct RecursiveArgs {
    /// Copy what the packages need, too: the newest that provides it (with the next option, that one counts)
    #[arg(long)]
    recursive: bool,
    /// Copy what the packages need, too, unless the other repository has something that provides it
    #[arg(long)]
    recursive_conservative: bool,
    /// Look for what they need in this repository, too, and copy it to that one; can be repeated
    #[arg(long = "additional-repo", value_name = "FROM=TO", value_parser = pair)]
    additional_repos: Vec<(String, String)>,
}

impl CopyOptions for RecursiveArgs {
    fn overrides(&self) -> Result<Value, Error> {
        let mut overrides = Map::new();
        for (key, wanted) in [
            ("recursive", self.recursive),
            ("recursive_conservative", self.recursive_conservative),
        ] {
            if wanted {
                overrides.insert(key.into(), json!(true));
            }
        }
        if !self.additional_repos.is_empty() {
            if overrides.is_empty() {
                return Err(Error::usage(
                    "--additional-repo is for copies that follow dependencies",
                    "add --recursive or --recursive-conservative",
                ));
            }
            let mut map = Map::new();
            for (from, to) in &self.additional_repos {
                if map.insert(from.clone(), json!(to)).is_some() {
                    return Err(Error::usage(
                        format!("--additional-repo names {from} twice"),
                        "a repository is copied from to one other",
                    ));
                }
            }
            overrides.insert("additional_repos".into(), Value::Object(map));
        }
        Ok(Value::Object(overrides))
    }
}

/// `… copy`
#[derive(Debug, Clone, Args)]
pub struct CopyArgs<K: OfKind> {
    #[command(flatten)]
    which: Which<K, true>,
    /// Repository to copy from
    #[arg(long, short = 'f', value_name = "ID")]
    from_repo_id: String,
    /// Repository to copy to
    #[arg(long, short = 't', value_name = "ID")]
    to_repo_id: String,
    /// List what would be copied, without what it depends on, and copy nothing
    #[arg(long, conflicts_with = "background")]
    dry_run: bool,
    #[command(flatten)]
    own: K::Copy,
    #[command(flatten)]
    search: UnitSearchArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// `… remove`
#[derive(Debug, Clone, Args)]
pub struct RemoveArgs<K: OfKind> {
    #[command(flatten)]
    which: Which<K, true>,
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

/// The criteria that choose units. Of packages only what the server needs is read: whole documents are large.
fn criteria(unit: Option<&UnitType>, search: &UnitSearchArgs) -> Result<Map<String, Value>, Error> {
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

pub(super) async fn copy<K: OfKind>(
    args: &CopyArgs<K>,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    let unit = args.which.unit();
    let overrides = args.own.overrides()?;
    if args.dry_run {
        session
            .is_there(&["repositories", &args.to_repo_id])
            .await?;
        return content::units(&args.from_repo_id, unit, &args.search, session).await;
    }
    let body = json!({
        "source_repo_id": args.from_repo_id,
        "criteria": criteria(unit, &args.search)?,
        "override_config": overrides,
    });
    let path = ["repositories", &args.to_repo_id, "actions", "associate"];
    let report = session.client.post(&path, &body).await?;
    session.finish(&report, &args.wait).await
}

pub(super) async fn remove<K: OfKind>(
    args: &RemoveArgs<K>,
    session: &mut Session<'_>,
) -> Result<(), Error> {
    let (unit, repo) = (args.which.unit(), args.repo.id());
    if args.dry_run {
        return content::units(repo, unit, &args.search, session).await;
    }
    let body = json!({ "criteria": criteria(unit, &args.search)? });
    let path = ["repositories", repo, "actions", "unassociate"];
    let report = session.client.post(&path, &body).await?;
    session.finish(&report, &args.wait).await
}
