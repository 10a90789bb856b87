//! `pith auth permission …` (pulp2/people#permissions).

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::commands::running::CommandSession;
use crate::error::Error;
use crate::text::{cell, clean};

/// `pith auth permission …`
#[derive(Debug, Clone, Subcommand)]
pub enum PermissionCommand {
    /// List who may do what
    List(ListArgs),
    /// Allow a user or a role to do something
    Grant(ChangeArgs),
    /// Take back what was allowed
    Revoke(ChangeArgs),
}

/// `… permission list`
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only what concerns this resource, as in /v2/repositories/
    #[arg(long, value_name = "PATH")]
    resource: Option<String>,
}

/// `… permission grant`, `… permission revoke`
#[derive(Debug, Clone, Args)]
pub struct ChangeArgs {
    /// Resource, as in /v2/repositories/demo/
    #[arg(long, value_name = "PATH")]
    resource: String,
    #[command(flatten)]
    subject: Subject,
    /// Operation that is allowed; can be repeated
    #[arg(
        long = "operation",
        short = 'o',
        value_enum,
        ignore_case = true,
        value_delimiter = ',',
        required = true,
        value_name = "OPERATION"
    )]
    operations: Vec<Operation>,
}

/// Whom it concerns.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// Login of the user
    #[arg(long, value_name = "LOGIN")]
    login: Option<String>,
    /// Id of the role
    #[arg(long, value_name = "ID")]
    role_id: Option<String>,
}

/// An operation on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Operation {
    /// Make new ones
    Create,
    /// Look
    Read,
    /// Change
    Update,
    /// Delete
    Delete,
    /// Start actions
    Execute,
}

impl Operation {
    /// The word on the wire.
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Read => "READ",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Execute => "EXECUTE",
        }
    }
}

pub(super) async fn run(
    command: &PermissionCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        PermissionCommand::List(args) => list(args, session).await,
        PermissionCommand::Grant(args) => change(args, "grant_to", "granted", session).await,
        PermissionCommand::Revoke(args) => change(args, "revoke_from", "revoked", session).await,
    }
}

/// Refuses a resource that is no path: the server keeps any text and never matches it.
fn resource(path: &str) -> Result<(), Error> {
    if path.starts_with("/v2/") && path.ends_with('/') {
        return Ok(());
    }
    Err(Error::usage(
        format!("'{}' is no resource", clean(path)),
        "write it with both slashes, as in /v2/repositories/demo/",
    ))
}

async fn list(args: &ListArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    args.resource.as_deref().map_or(Ok(()), resource)?;
    let query: Vec<(&str, &str)> = args
        .resource
        .as_deref()
        .map(|path| ("resource", path))
        .into_iter()
        .collect();
    let found = session.client.get(&["permissions"], &query).await?;
    if session.ui.is_json() {
        return session.ui.document(&found);
    }
    let mut rows = Vec::new();
    for permission in found.as_array().into_iter().flatten() {
        for (login, operations) in permission["users"].as_object().into_iter().flatten() {
            let names: Vec<String> = operations
                .as_array()
                .into_iter()
                .flatten()
                .map(cell)
                .collect();
            rows.push(vec![
                cell(&permission["resource"]),
                login.clone(),
                names.join(", "),
            ]);
        }
    }
    session
        .ui
        .table(&["resource", "user", "may"], rows, "no permissions")
}

async fn change(
    args: &ChangeArgs,
    verb: &str,
    done: &str,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    resource(&args.resource)?;
    let (noun, key, who) = match (&args.subject.login, &args.subject.role_id) {
        (Some(login), _) => ("user", "login", login),
        (None, Some(role)) => ("role", "role_id", role),
        (None, None) => return Err(Error::usage("nobody is named", "give --login or --role-id")),
    };
    let operations: Vec<&str> = args.operations.iter().map(|one| one.name()).collect();
    let mut body: Value = json!({ "resource": args.resource, "operations": operations });
    body[key] = json!(who);
    let path = ["permissions", "actions", &format!("{verb}_{noun}")];
    let answer = session.client.post(&path, &body).await?;
    let line = format!(
        "{done} {} on {}: {noun} {}",
        operations.join(", "),
        clean(&args.resource),
        clean(who)
    );
    session.ui.either(&answer, &line)
}
