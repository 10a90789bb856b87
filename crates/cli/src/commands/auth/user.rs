//! `pith auth user …` (pulp2/people#users).

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::commands::listing::{Column, list, text};
use crate::commands::running::CommandSession;
use crate::commands::session::password_from;
use crate::commands::write::nothing_to_change;
use crate::criteria::SearchArgs;
use crate::error::Error;
use crate::text::clean;

/// `pith auth user …`
#[derive(Debug, Clone, Subcommand)]
pub enum UserCommand {
    /// List users
    List,
    /// Find users
    Search(Box<SearchArgs>),
    /// Show one user
    #[command(visible_alias = "details")]
    Show(LoginRef),
    /// Add a user
    Create(CreateArgs),
    /// Change a user
    Update(UpdateArgs),
    /// Remove a user
    Delete(LoginRef),
}

/// One user.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct LoginRef {
    /// Login of the user
    #[arg(value_name = "LOGIN")]
    who: Option<String>,
    /// Login of the user, as pulp-admin takes it
    #[arg(long, value_name = "LOGIN")]
    login: Option<String>,
}

impl LoginRef {
    fn login(&self) -> &str {
        // The group lets one of them through, and only one.
        let login = self.who.as_deref().or(self.login.as_deref());
        login.unwrap_or_default()
    }
}

/// `… user create`
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    who: LoginRef,
    /// Name for people [default: the login]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    #[command(flatten)]
    password: PasswordArgs,
}

/// `… user update`
#[derive(Debug, Clone, Args)]
pub struct UpdateArgs {
    #[command(flatten)]
    who: LoginRef,
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Role of the user, in place of all that there were; can be repeated
    #[arg(long = "role", value_name = "ID")]
    roles: Vec<String>,
    #[command(flatten)]
    password: PasswordArgs,
    /// Ask for a new password
    #[arg(long, short = 'P', conflicts_with_all = ["new_password", "password_stdin"])]
    prompt_password: bool,
}

/// The source of a user's password. `--password` is that of the person who gives the command.
#[derive(Debug, Clone, Args)]
struct PasswordArgs {
    /// Password of the user; other people can see it in the list of processes, so prefer the question or the variable
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "PITH_NEW_PASSWORD",
        hide_env_values = true
    )]
    new_password: Option<SecretString>,
    /// Read the user's password from the standard input
    #[arg(long, conflicts_with = "new_password")]
    password_stdin: bool,
}

impl PasswordArgs {
    fn given(&self) -> Result<Option<SecretString>, Error> {
        if self.password_stdin {
            return password_from(std::io::stdin().lock()).map(Some);
        }
        // An empty variable counts as not set; nobody could log in with an empty password.
        let given = self.new_password.clone();
        Ok(given.filter(|password| !password.expose_secret().is_empty()))
    }
}

fn asked(login: &str, session: &mut CommandSession<'_>) -> Result<SecretString, Error> {
    let question = format!("New password of {}", clean(login));
    let again = format!("New password of {}, again", clean(login));
    let nobody = || {
        Error::usage(
            "no password for the user, and nobody to ask",
            "give --password-stdin or set PITH_NEW_PASSWORD",
        )
    };
    let first = session.prompt.secret(&question).ok_or_else(nobody)?;
    let second = session.prompt.secret(&again).ok_or_else(nobody)?;
    if first.expose_secret() != second.expose_secret() {
        return Err(Error::usage(
            "the two passwords are not the same",
            "try again",
        ));
    }
    Ok(first)
}

const USER: &[Column] = &[
    text("login", "/login"),
    text("name", "/name"),
    list("roles", "/roles"),
];

pub(super) async fn run(
    command: &UserCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        UserCommand::List => {
            let found = session.client.get(&["users"], &[]).await?;
            session.list(&found, USER, "no users")
        }
        UserCommand::Search(args) => session.search("users", args, USER).await,
        UserCommand::Show(who) => {
            let document = session.client.get(&["users", who.login()], &[]).await?;
            session.show(&document, USER)
        }
        UserCommand::Create(args) => create(args, session).await,
        UserCommand::Update(args) => update(args, session).await,
        UserCommand::Delete(who) => {
            let login = who.login();
            let answer = session.client.delete(&["users", login]).await?;
            let line = format!("removed user {}", clean(login));
            session.ui.either(&answer, &line)
        }
    }
}

async fn create(args: &CreateArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let login = args.who.login();
    let password = match args.password.given()? {
        Some(password) => password,
        None => asked(login, session)?,
    };
    let body = json!({
        "login": login,
        "name": args.name.as_deref().unwrap_or(login),
        "password": password.expose_secret(),
    });
    let document = session.client.post(&["users"], &body).await?;
    let line = format!("added user {}", clean(login));
    session.ui.either(&document, &line)
}

async fn update(args: &UpdateArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let login = args.who.login();
    let password = if args.prompt_password {
        Some(asked(login, session)?)
    } else {
        args.password.given()?
    };
    let mut delta: Map<String, Value> = Map::new();
    if let Some(name) = &args.name {
        delta.insert("name".into(), json!(name));
    }
    if let Some(password) = password {
        delta.insert("password".into(), json!(password.expose_secret()));
    }
    if !args.roles.is_empty() {
        delta.insert("roles".into(), json!(args.roles));
    }
    if delta.is_empty() {
        return Err(nothing_to_change());
    }
    let body = json!({ "delta": delta });
    let document = session.client.put(&["users", login], &body).await?;
    let line = format!("updated user {}", clean(login));
    session.ui.either(&document, &line)
}
