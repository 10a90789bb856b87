//! `pith auth role …` (pulp2/people#roles).

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::commands::listing::{Column, list, text};
use crate::commands::running::CommandSession;
use crate::commands::write::nothing_to_change;
use crate::error::Error;
use crate::text::clean;

/// `pith auth role …`
#[derive(Debug, Clone, Subcommand)]
pub enum RoleCommand {
    /// List roles
    List,
    /// Show one role with its users and permissions
    #[command(visible_alias = "details")]
    Show(RoleRef),
    /// Add a role
    Create(DescribedRole),
    /// Change a role
    Update(DescribedRole),
    /// Remove a role; its users lose what it gave them
    Delete(RoleRef),
    /// Say who has a role
    #[command(subcommand)]
    User(MemberCommand),
}

/// `pith auth role user …`
#[derive(Debug, Clone, Subcommand)]
pub enum MemberCommand {
    /// List the users of a role
    List(RoleRef),
    /// Give a role to a user
    Add(MemberArgs),
    /// Take a role from a user
    Remove(MemberArgs),
}

/// One role.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct RoleRef {
    /// Id of the role
    #[arg(value_name = "ID")]
    role: Option<String>,
    /// Id of the role, as pulp-admin takes it
    #[arg(long, value_name = "ID")]
    role_id: Option<String>,
}

impl RoleRef {
    fn id(&self) -> &str {
        // The group lets one of them through, and only one.
        let id = self.role.as_deref().or(self.role_id.as_deref());
        id.unwrap_or_default()
    }
}

/// `… role create`, `… role update`
#[derive(Debug, Clone, Args)]
pub struct DescribedRole {
    #[command(flatten)]
    role: RoleRef,
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Purpose, for people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// `… role user add`, `… role user remove`
#[derive(Debug, Clone, Args)]
pub struct MemberArgs {
    #[command(flatten)]
    role: RoleRef,
    /// Login of the user
    #[arg(long, value_name = "LOGIN")]
    login: String,
}

const ROLE: &[Column] = &[
    text("id", "/id"),
    text("name", "/display_name"),
    text("description", "/description"),
    list("users", "/users"),
    list("may touch", "/permissions"),
];

pub(super) async fn run(
    command: &RoleCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        RoleCommand::List => {
            let found = session.client.get(&["roles"], &[]).await?;
            session.list(&found, ROLE, "no roles; `pith auth role create` adds one")
        }
        RoleCommand::Show(role) => {
            let document = session.client.get(&["roles", role.id()], &[]).await?;
            session.show(&document, ROLE)
        }
        RoleCommand::Create(args) => {
            // What pulp-admin sends: all three keys.
            let body = json!({ "role_id": args.role.id(), "display_name": args.display_name,
                               "description": args.description });
            let document = session.client.post(&["roles"], &body).await?;
            let line = format!("added role {}", clean(args.role.id()));
            session.ui.either(&document, &line)
        }
        RoleCommand::Update(args) => update(args, session).await,
        RoleCommand::Delete(role) => {
            let answer = session.client.delete(&["roles", role.id()]).await?;
            let line = format!("removed role {}", clean(role.id()));
            session.ui.either(&answer, &line)
        }
        RoleCommand::User(command) => members(command, session).await,
    }
}

async fn update(args: &DescribedRole, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let mut delta: Map<String, Value> = Map::new();
    for (key, value) in [
        ("display_name", &args.display_name),
        ("description", &args.description),
    ] {
        delta.extend(value.iter().map(|text| (key.to_owned(), json!(text))));
    }
    if delta.is_empty() {
        return Err(nothing_to_change());
    }
    let path = ["roles", args.role.id()];
    let body = json!({ "delta": delta });
    let document = session.client.put(&path, &body).await?;
    let line = format!("updated role {}", clean(args.role.id()));
    session.ui.either(&document, &line)
}

async fn members(command: &MemberCommand, session: &mut CommandSession<'_>) -> Result<(), Error> {
    match command {
        MemberCommand::List(role) => {
            let path = ["roles", role.id(), "users"];
            let found = session.client.get(&path, &[]).await?;
            let columns = [text("login", "/login"), text("name", "/name")];
            session.list(&found, &columns, "nobody has this role")
        }
        MemberCommand::Add(args) => {
            let path = ["roles", args.role.id(), "users"];
            let body = json!({ "login": args.login });
            let answer = session.client.post(&path, &body).await?;
            let (login, role) = (clean(&args.login), clean(args.role.id()));
            session
                .ui
                .either(&answer, &format!("{login} has the role {role}"))
        }
        MemberCommand::Remove(args) => {
            let path = ["roles", args.role.id(), "users", &args.login];
            let answer = session.client.delete(&path).await?;
            let (login, role) = (clean(&args.login), clean(args.role.id()));
            let line = format!("{login} has the role {role} no more");
            session.ui.either(&answer, &line)
        }
    }
}
