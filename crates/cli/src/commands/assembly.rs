//! Commands that are put together when the program runs, and the options read from them.

use clap::{ArgMatches, Args, Command, Subcommand};

/// A command that only holds others.
pub(super) fn holder(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
}

/// Adds the commands of an enumeration to one that holds others, whose line of help stays.
pub(super) fn with<S: Subcommand>(command: Command) -> Command {
    let about = command.get_about().cloned().unwrap_or_default();
    S::augment_subcommands(command).about(about)
}

/// Reads options that the definition of a command has.
pub(super) fn read<T: Args>(matches: &ArgMatches) -> Result<T, clap::Error> {
    T::from_arg_matches(matches)
}
