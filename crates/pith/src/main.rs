//! pith: one binary that mirrors, publishes and serves software repositories.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod admin;
mod authority;
mod content;
mod listener;
mod memory;
mod mirror;
mod options;
#[cfg(test)]
mod said;
mod server;
mod tls;
mod types;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    #[command(flatten)]
    Client(pith_cli::ClientCommand),
}

fn main() -> ExitCode {
    memory::bound_arenas();
    let pith = Pith::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("pith: cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = match pith.command {
        Command::Serve(options) => runtime
            .block_on(server::run(&options))
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
        eprintln!("pith: {error:#}");
        ExitCode::FAILURE
    })
}
