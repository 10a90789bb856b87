//! `pith repo group …` (pulp2/groups).

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::applicability::{are_there, of_repositories};
use super::common::{GroupRef, WaitArgs};
use super::listing::{Column, at, list, text};
use super::plugins::{self, DistributorCommand};
use super::running::CommandSession;
use super::write::{delta, nothing_to_change};
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::settings::AboutArgs;
use crate::text::clean;

/// `pith repo group …`
#[derive(Debug, Clone, Subcommand)]
pub enum GroupCommand {
    /// List groups of repositories
    List,
    /// Find groups
    Search(Box<SearchArgs>),
    /// Show one group with its distributors
    #[command(visible_alias = "details")]
    Show(GroupRef),
    /// Make a group
    Create(CreateArgs),
    /// Change a group
    Update(UpdateArgs),
    /// Delete a group; its repositories stay
    Delete(GroupRef),
    /// Say which repositories belong to a group
    #[command(subcommand)]
    Members(MembersCommand),
    /// Work with the distributors of a group
    #[command(subcommand)]
    Distributor(DistributorCommand<GroupRef>),
    /// Publish a group by one of its distributors
    Publish(PublishArgs),
}

/// `pith repo group members …`
#[derive(Debug, Clone, Subcommand)]
pub enum MembersCommand {
    /// List the repositories of a group
    List(GroupRef),
    /// Add repositories to a group
    Add(Box<MembersArgs>),
    /// Take repositories out of a group
    Remove(Box<MembersArgs>),
}

/// `… group create`
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    group: GroupRef,
    #[command(flatten)]
    about: AboutArgs,
    /// Repository of the group; can be repeated
    #[arg(long, value_name = "ID")]
    repo_id: Vec<String>,
}

/// `… group update`
#[derive(Debug, Clone, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    group: GroupRef,
    #[command(flatten)]
    about: AboutArgs,
}

/// `… members add`, `… members remove`
#[derive(Debug, Clone, Args)]
pub struct MembersArgs {
    #[command(flatten)]
    group: GroupRef,
    /// Repository; can be repeated
    #[arg(long, value_name = "ID")]
    repo_id: Vec<String>,
    /// All repositories
    #[arg(long, conflicts_with = "repo_id")]
    all: bool,
    #[command(flatten)]
    search: SearchArgs,
}

/// `… group publish`
#[derive(Debug, Clone, Args)]
pub struct PublishArgs {
    #[command(flatten)]
    group: GroupRef,
    /// Distributor of the group
    #[arg(long, value_name = "ID")]
    distributor_id: String,
    #[command(flatten)]
    wait: WaitArgs,
}

const GROUP: &[Column] = &[
    text("id", "/id"),
    text("name", "/display_name"),
    text("description", "/description"),
    list("repositories", "/repo_ids"),
];

const DISTRIBUTOR: &[Column] = &[
    text("distributor", "/id"),
    text("type", "/distributor_type_id"),
    at("last publish", "/last_publish"),
];

pub(super) async fn run(
    command: &GroupCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        GroupCommand::List => {
            let found = session.client.get(&["repo_groups"], &[]).await?;
            session.list(
                &found,
                GROUP,
                "no groups; `pith repo group create` makes one",
            )
        }
        GroupCommand::Search(args) => session.search("repo_groups", args, GROUP).await,
        GroupCommand::Show(group) => show(group, session).await,
        GroupCommand::Create(args) => {
            let body = create_body(args);
            let document = session.client.post(&["repo_groups"], &body).await?;
            let line = format!("created group {}", clean(args.group.id()));
            session.ui.either(&document, &line)
        }
        GroupCommand::Update(args) => {
            let id = args.group.id();
            let body = delta(&args.about);
            if body.is_empty() {
                return Err(nothing_to_change());
            }
            let path = ["repo_groups", id];
            let document = session.client.put(&path, &Value::Object(body)).await?;
            let line = format!("updated group {}", clean(id));
            session.ui.either(&document, &line)
        }
        GroupCommand::Delete(group) => {
            let id = group.id();
            let answer = session.client.delete(&["repo_groups", id]).await?;
            let line = format!("deleted group {}", clean(id));
            session.ui.either(&answer, &line)
        }
        GroupCommand::Members(command) => members(command, session).await,
        GroupCommand::Distributor(command) => plugins::distributor(command, session).await,
        GroupCommand::Publish(args) => {
            let body = json!({ "id": args.distributor_id, "override_config": {} });
            let path = ["repo_groups", args.group.id(), "actions", "publish"];
            let report = session.client.post(&path, &body).await?;
            session.finish(&report, &args.wait).await
        }
    }
}

/// The body that makes a group, as pulp-admin sends it; members only when some are named.
fn create_body(args: &CreateArgs) -> Value {
    let mut notes = crate::settings::notes(&args.about.notes);
    notes.retain(|_, value| !value.is_null());
    let mut body = json!({
        "id": args.group.id(),
        "display_name": args.about.display_name,
        "description": args.about.description,
        "notes": notes,
    });
    if !args.repo_id.is_empty() {
        body["repo_ids"] = json!(args.repo_id);
    }
    body
}

async fn show(group: &GroupRef, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let path = ["repo_groups", group.id()];
    let document = session.client.get(&path, &[]).await?;
    session.show(&document, GROUP)?;
    if session.ui.is_json() {
        return Ok(());
    }
    let path = ["repo_groups", group.id(), "distributors"];
    let found = session.client.get(&path, &[]).await?;
    session.ui.line("")?;
    session.list(&found, DISTRIBUTOR, "no distributors")
}

async fn members(command: &MembersCommand, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let (args, action) = match command {
        MembersCommand::List(group) => {
            let path = ["repo_groups", group.id()];
            let document = session.client.get(&path, &[]).await?;
            return ids(&document["repo_ids"], session);
        }
        MembersCommand::Add(args) => (args, "associate"),
        MembersCommand::Remove(args) => (args, "unassociate"),
    };
    let body = json!({ "criteria": args.criteria()? });
    are_there(&args.repo_id, session).await?;
    let path = ["repo_groups", args.group.id(), "actions", action];
    let answer = session.client.post(&path, &body).await?;
    ids(&answer, session)
}

impl MembersArgs {
    /// The repositories that are meant. No condition at all would mean every one: that must be said.
    fn criteria(&self) -> Result<Map<String, Value>, Error> {
        let criteria = of_repositories(&self.repo_id, &self.search)?;
        if criteria.is_empty() && !self.all {
            return Err(Error::usage(
                "no repository is named",
                "give --repo-id or a condition, or --all for every repository",
            ));
        }
        Ok(criteria)
    }
}

fn ids(found: &Value, session: &mut CommandSession<'_>) -> Result<(), Error> {
    session.list(found, &[text("repository", "")], "no repositories")
}
