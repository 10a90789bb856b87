//! pith: one binary that mirrors, publishes and serves software repositories.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
// Printing like this panics when nobody listens any more.
#![cfg_attr(not(test), warn(clippy::print_stderr, clippy::print_stdout))]

mod admin;
mod authority;
mod content;
mod guards;
mod idle;
mod limits;
mod listener;
mod memory;
mod mirror;
mod options;
mod private;
#[cfg(test)]
mod said;
mod secrets;
mod server;
mod tls;
mod types;
mod workshop;

use std::io::Write;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

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
    globals: pith_cli::Globals,
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
    #[command(flatten)]
    Client(pith_cli::ClientCommand),
}

fn main() -> ExitCode {
    memory::bound();
    let pith = command_line();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start the runtime: {error}"));
            return ExitCode::FAILURE;
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
        Command::Client(command) => {
            return runtime
                .block_on(pith_cli::run(&command, &pith.globals))
                .into();
        }
    };
    // Detached work (an index being written behind) need not end for the process to end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

/// The command line as it was given; a wrong one ends the process with its usage.
fn command_line() -> Pith {
    let matches = Pith::command().get_matches();
    if let Some(idle) = idle::idle(&matches) {
        Pith::command()
            .error(ErrorKind::ArgumentConflict, idle)
            .exit();
    }
    Pith::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Says what went wrong, to whoever still reads it.
fn complain(text: &str) {
    // A closed error stream is no reason to panic.
    let _ = writeln!(std::io::stderr(), "pith: {text}");
}
