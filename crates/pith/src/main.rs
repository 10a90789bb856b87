//! pith: one binary that mirrors, publishes and serves software repositories.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
// Printing like this panics when nobody listens any more.
#![cfg_attr(not(test), warn(clippy::print_stderr, clippy::print_stdout))]

mod admin;
mod authority;
mod clear;
mod content;
mod database;
#[cfg(test)]
mod demonstration;
mod endpoints;
mod exposition;
mod guards;
mod idle;
mod listener;
mod log;
mod memory;
mod metrics;
mod mirror;
mod names;
mod options;
mod private;
mod purpose;
#[cfg(test)]
mod said;
mod secrets;
mod server;
#[cfg(test)]
mod suite;
mod tls;
mod traffic;
mod types;
mod workshop;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use pith_cli::{ClientCommand, Globals};

use crate::options::ServerOptions;

/// Mirrors, publishes and serves software repositories
#[derive(Debug, Parser)]
#[command(
    name = "pith",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Pith {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: API, published content and workers in one process
    Serve(ServerOptions),
    /// Mirror a feed in one command: create, sync, publish, print the client configuration, go on serving
    Mirror(mirror::MirrorCommand),
    /// Look after the authority that signs login certificates and the server's own
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
}

/// The command of a command line.
enum Asked {
    /// A command of this program.
    Own(Box<Pith>),
    /// A command that is a client of the API.
    Client(Box<ClientCommand>, Globals),
}

/// Threads that read files and wait for the disk at once; each has a stack.
const BLOCKING: usize = 128;

fn main() -> ExitCode {
    memory::bound();
    let asked = asked();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start the runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let pith = match asked {
        Asked::Own(pith) => *pith,
        Asked::Client(command, globals) => {
            let run = pith_cli::run(&command, &globals, types::families());
            return runtime.block_on(run).into();
        }
    };
    let result = match pith.command {
        Command::Serve(options) => runtime
            .block_on(server::run(&options))
            .map(|()| ExitCode::SUCCESS),
        Command::Authority(command) => runtime
            .block_on(authority::run(&command))
            .map(|()| ExitCode::SUCCESS),
        Command::Mirror(command) => runtime.block_on(mirror::run(command, &pith.globals)),
    };
    // Detached work (an index being written behind) need not end for the process to end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// The whole command line: this program's own commands, and those of the client.
fn command() -> clap::Command {
    ClientCommand::augment(Pith::command(), types::families())
}

/// The command line as it was given; a wrong one ends the process with its usage.
fn asked() -> Asked {
    let matches = command().get_matches();
    if let Some(idle) = idle::idle(&matches) {
        command().error(ErrorKind::ArgumentConflict, idle).exit();
    }
    read(&matches).unwrap_or_else(|error| error.exit())
}

fn read(matches: &ArgMatches) -> Result<Asked, clap::Error> {
    Ok(
        match ClientCommand::from_matches(matches, types::families())? {
            Some(command) => Asked::Client(Box::new(command), Globals::from_arg_matches(matches)?),
            None => Asked::Own(Box::new(Pith::from_arg_matches(matches)?)),
        },
    )
}

/// Says what went wrong, to whoever still reads it.
fn complain(text: &str) {
    // A closed error stream is no reason to panic.
    let _ = writeln!(std::io::stderr(), "pith: {text}");
}
