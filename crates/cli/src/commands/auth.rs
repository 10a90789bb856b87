//! `pith auth …`: users, roles and permissions (pulp2/people).

mod permission;
mod role;
mod user;

use clap::Subcommand;

use super::running::CommandSession;
use crate::error::Error;

/// `pith auth …`
#[derive(Debug, Clone, Subcommand)]
pub enum AuthCommand {
    /// Work with users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Work with roles, which give permissions to many users
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// Say who may do what
    #[command(subcommand)]
    Permission(permission::PermissionCommand),
}

pub(super) async fn run(
    command: &AuthCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        AuthCommand::User(command) => user::run(command, session).await,
        AuthCommand::Role(command) => role::run(command, session).await,
        AuthCommand::Permission(command) => permission::run(command, session).await,
    }
}
