//! The commands, and what they share: which repository, whether to wait, how a call report ends.

mod applicability;
mod assembly;
mod associate;
mod auth;
mod common;
mod content;
mod download;
mod group;
mod history;
mod key;
mod listing;
mod orphan;
mod plugins;
mod repo;
mod running;
mod runs;
mod schedules;
mod section;
mod session;
mod sources;
mod task;
mod units;
mod uploads;
mod which;
mod write;

use running::CommandSession;
pub use running::Prompt;
use section::SectionCommand;
pub(crate) use write::create_body;

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, Subcommand};

use crate::begun::{self, Begun};
use crate::error::{Error, Exit};
use crate::families::Families;
use crate::globals::Globals;
use crate::login;
use crate::output::Ui;

/// A command that is a client of the API.
#[derive(Debug, Clone)]
pub enum ClientCommand {
    /// The login, the server's state, and repositories of every family.
    General(GeneralCommand),
    /// The repositories of one family.
    Section(SectionCommand),
    /// The other things on a server.
    Server(PlatformCommand),
}

/// The commands before the sections.
#[derive(Debug, Clone, Subcommand)]
pub enum GeneralCommand {
    /// Log in: store the address of a server, a user, and a certificate or password
    Login(session::LoginArgs),
    /// Forget the stored login
    Logout,
    /// Show the state of the server
    Status,
    /// Work with repositories of every type
    #[command(subcommand)]
    Repo(repo::RepoCommand),
}

/// The commands behind the sections.
#[derive(Debug, Clone, Subcommand)]
pub enum PlatformCommand {
    /// Watch, wait for and cancel tasks
    #[command(subcommand, visible_alias = "tasks")]
    Task(task::TaskCommand),
    /// List what happened lately
    History(history::HistoryArgs),
    /// List and remove content that no repository holds
    #[command(subcommand, visible_alias = "orphans")]
    Orphan(orphan::OrphanCommand),
    /// Ask what the server is and what it can
    #[command(subcommand)]
    Server(plugins::ServerCommand),
    /// Work with units of content and with alternate sources of it
    #[command(subcommand)]
    Content(sources::ContentCommand),
    /// Work with users, roles and permissions
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Work with the keys that sign what is published
    #[command(subcommand, visible_alias = "keys")]
    Key(key::KeyCommand),
}

impl ClientCommand {
    /// Adds all of them to a program's own subcommands.
    #[must_use]
    pub fn augment(command: clap::Command, families: &Families) -> clap::Command {
        let command = assembly::with::<GeneralCommand>(command);
        assembly::with::<PlatformCommand>(section::augment(command, families))
    }

    /// The command that was given; `None` when it is one of the program's own.
    ///
    /// # Errors
    ///
    /// When `matches` are not of a command that [`ClientCommand::augment`] made.
    pub fn from_matches(
        matches: &ArgMatches,
        families: &Families,
    ) -> Result<Option<Self>, clap::Error> {
        if let Some(command) = SectionCommand::from_matches(matches, families)? {
            return Ok(Some(Self::Section(command)));
        }
        let name = matches.subcommand_name().unwrap_or_default();
        if GeneralCommand::has_subcommand(name) {
            return GeneralCommand::from_arg_matches(matches).map(|one| Some(Self::General(one)));
        }
        if PlatformCommand::has_subcommand(name) {
            return PlatformCommand::from_arg_matches(matches).map(|one| Some(Self::Server(one)));
        }
        Ok(None)
    }
}

/// All that a command may touch beside the network.
pub struct CommandContext {
    /// The output that it writes to.
    pub ui: Ui,
    /// The stored login.
    pub login_file: Option<PathBuf>,
    /// The folder where uploads are remembered that have begun.
    pub state_folder: Option<PathBuf>,
    /// The person, or the stand-in for one, who answers questions.
    pub prompt: Box<dyn Prompt>,
}

impl std::fmt::Debug for CommandContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandContext")
            .field("ui", &self.ui)
            .field("login_file", &self.login_file)
            .field("state_folder", &self.state_folder)
            .finish_non_exhaustive()
    }
}

impl CommandContext {
    /// The process's terminal and the person's configuration folder.
    #[must_use]
    pub fn of_process(globals: &Globals, families: &'static Families) -> Self {
        Self {
            ui: Ui::of_process(globals.json, globals.no_color, families),
            login_file: login::default_path(),
            state_folder: begun::state_folder(),
            prompt: Box::new(session::Terminal),
        }
    }
}

/// The client commands as one clap command called `pith`, with the global options: for completion, reference pages and
/// tests.
#[must_use]
pub fn command(families: &Families) -> clap::Command {
    let program = Globals::augment_args(clap::Command::new("pith"))
        .about("Client of a pith or Pulp 2 server")
        .subcommand_required(true)
        .arg_required_else_help(true);
    ClientCommand::augment(program, families)
}

/// Runs a command on the process's own terminal, prints what went wrong, and gives the exit code.
pub async fn run(command: &ClientCommand, globals: &Globals, families: &'static Families) -> Exit {
    let mut context = CommandContext::of_process(globals, families);
    match execute(command, globals, &mut context).await {
        Ok(()) => Exit::Done,
        // Whoever reads a pipe may stop reading.
        Err(Error::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            context.ui.failure(&error);
            error.exit()
        }
    }
}

/// Runs a command; the error is not printed yet.
///
/// # Errors
///
/// Everything of [`Error`].
pub async fn execute(
    command: &ClientCommand,
    globals: &Globals,
    context: &mut CommandContext,
) -> Result<(), Error> {
    match command {
        ClientCommand::General(GeneralCommand::Login(args)) => {
            return session::login(args, globals, context).await;
        }
        ClientCommand::General(GeneralCommand::Logout) => return session::logout(context),
        _ => {}
    }
    let prompt = &mut context.prompt;
    let client = globals.client(context.login_file.as_deref(), &mut |question| {
        prompt.secret(question)
    })?;
    let mut session = CommandSession {
        client,
        ui: &mut context.ui,
        prompt: &mut *context.prompt,
        begun: Begun::below(context.state_folder.clone()),
    };
    match command {
        ClientCommand::General(command) => general(command, &mut session).await,
        ClientCommand::Section(command) => section::run(command, &mut session).await,
        ClientCommand::Server(command) => server(command, &mut session).await,
    }
}

async fn general(command: &GeneralCommand, session: &mut CommandSession<'_>) -> Result<(), Error> {
    match command {
        GeneralCommand::Login(_) | GeneralCommand::Logout => Ok(()),
        GeneralCommand::Status => session::status(session).await,
        GeneralCommand::Repo(command) => repo::run(command, session).await,
    }
}

async fn server(command: &PlatformCommand, session: &mut CommandSession<'_>) -> Result<(), Error> {
    match command {
        PlatformCommand::Task(command) => task::run(command, session).await,
        PlatformCommand::History(args) => history::run(args, session).await,
        PlatformCommand::Orphan(command) => orphan::run(command, session).await,
        PlatformCommand::Server(command) => plugins::server(command, session).await,
        PlatformCommand::Content(command) => sources::run(command, session).await,
        PlatformCommand::Auth(command) => auth::run(command, session).await,
        PlatformCommand::Key(command) => key::run(command, session).await,
    }
}

#[cfg(test)]
mod tests {
    use crate::families::samples::families;

    fn command() -> clap::Command {
        super::command(families())
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
        // The program adds `--version` to every command.
        command()
            .version("1")
            .propagate_version(true)
            .debug_assert();
    }

    #[test]
    fn commands_that_hold_others_say_what_for() {
        let about = |line: &str| {
            let command = line.split(' ').fold(command(), |command, name| {
                command.find_subcommand(name).unwrap().clone()
            });
            command.get_about().unwrap().to_string()
        };
        assert!(
            command()
                .get_about()
                .unwrap()
                .to_string()
                .starts_with("Client of")
        );
        assert_eq!(about("rpm"), "Work with RPM repositories");
        assert!(about("iso repo").starts_with("Create, fill, change and publish"));
        assert!(about("rpm repo uploads").starts_with("Send files and metadata"));
    }

    #[test]
    fn a_repository_is_named_by_position_or_option_but_not_both() {
        let parse = |line: &str| command().try_get_matches_from(line.split(' '));
        assert!(parse("pith rpm repo sync run demo").is_ok());
        assert!(parse("pith rpm repo sync run --repo-id demo --bg").is_ok());
        assert!(parse("pith rpm repo sync run").is_err());
        assert!(parse("pith rpm repo sync run demo --repo-id other").is_err());
        assert!(parse("pith rpm repo create demo --validate --feed http://x/").is_ok());
        assert!(parse("pith rpm repo create demo --validate false").is_ok());
        assert!(parse("pith iso repo create demo --retain-old-count 1").is_err());
    }

    #[test]
    fn a_kind_with_one_type_of_content_takes_no_type() {
        let parse = |line: &str| command().try_get_matches_from(line.split(' '));
        assert!(parse("pith rpm repo copy rpm -f a -t b --recursive").is_ok());
        assert!(parse("pith rpm repo copy all --from-repo-id a --to-repo-id b").is_ok());
        assert!(parse("pith rpm repo copy -f a -t b").is_err());
        assert!(parse("pith iso repo copy -f a -t b").is_ok());
        assert!(parse("pith iso repo copy -f a -t b --recursive").is_err());
        assert!(parse("pith rpm repo content all demo").is_err());
        assert!(parse("pith rpm repo remove erratum demo").is_ok());
        assert!(parse("pith iso repo isos demo").is_ok());
        assert!(parse("pith iso repo uploads erratum").is_err());
    }
}
